"""What nobody may read yet, sealed at rest: a counter's work until both have signed, and what a model found on their station.

Sealed with AES-256-GCM under a key in a file of its own beside the database, so that a copy of the database, a backup or a
query tells nothing. The plain text is padded to whole steps: the length of a seal must not betray how much was counted.
Whoever may read the service's own files can break a seal; that is the machine's administrator, and nobody else on board.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.errors import StoreError
from edge.store.durable import sync_folder

KEY_NAME = "keys/seal.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_LENGTH_BYTES = 8
COUNT_STEP_BYTES = 64 * 1024
RUN_STEP_BYTES = 8 * 1024


class Seal:
    """Closes and opens what is sealed under one home folder's key."""

    def __init__(self, key: bytes) -> None:
        """Take a key of 32 bytes."""
        self._cipher = AESGCM(key)

    def close(self, content: bytes, subject: str, *, step_bytes: int) -> bytes:
        """Seal `content`, which is about `subject`, such as "count/UUID"; only under the same subject it opens again."""
        body = len(content).to_bytes(_LENGTH_BYTES, "big") + content
        padded = body.ljust(-(-len(body) // step_bytes) * step_bytes, b"\0")
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, padded, subject.encode())

    def open(self, sealed: bytes, subject: str) -> bytes:
        """What was sealed.

        Raises:
            StoreError: it was sealed under another key or about something else, or is damaged.
        """
        try:
            body = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], subject.encode())
        except (InvalidTag, ValueError) as error:
            advice = f"It opens with the file {KEY_NAME} of the home folder that it was sealed in; bring that file back."
            raise StoreError(f"the seal of {subject} does not open", advice=advice) from error
        length = int.from_bytes(body[:_LENGTH_BYTES], "big")
        return body[_LENGTH_BYTES : _LENGTH_BYTES + length]


def open_seal(home: Path) -> Seal:
    """The seal of a home folder; its key is made at the first call. The caller holds the home's lock.

    Raises:
        StoreError: the key cannot be read or made, or is not whole.
    """
    path = home / KEY_NAME
    try:
        if not path.exists():
            _make_key(path)
        text = path.read_text(encoding="ascii").split()
        key = bytes.fromhex(text[0])
        sound = len(key) == _KEY_BYTES and int(text[1], 16) == zlib.crc32(key)
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}", advice="Check the permissions of the folder keys.") from error
    except (ValueError, IndexError):
        sound = False
    if not sound:
        raise StoreError(f"{path} is damaged", advice="Bring the file back from where it was kept; sealed counts open with no other.")
    return Seal(key)


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = os.urandom(_KEY_BYTES)
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{key.hex()} {zlib.crc32(key):08x}\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)
