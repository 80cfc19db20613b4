"""What nobody may read yet, sealed at rest: a counter's work until both have signed, and what a model found on their station.

Sealed with AES-256-GCM under a key in a file of its own beside the database, so that a copy of the database, a backup or a
query tells nothing. The plain text is padded to whole steps: the length of a seal must not betray how much was counted.
Whoever may read the service's own files can break a seal; that is the machine's administrator, and nobody else on board.

A key that was lost is made anew, so that counting goes on. Each seal says which key it is under: the lost one opens its seals
again as soon as its file lies in the folder `keys` under any name such as `seal-old.key`.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.errors import StoreError
from edge.store.keys import write_private

KEY_NAME = "keys/seal.key"
_OTHER_KEYS = "seal*.key"
_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12
_BODY_FROM = _ID_BYTES + _NONCE_BYTES
_LENGTH_BYTES = 8
COUNT_STEP_BYTES = 64 * 1024
RUN_STEP_BYTES = 8 * 1024
READING_STEP_BYTES = 512 * 1024


class Seal:
    """Closes what is to be sealed under one home folder's key, and opens what was sealed under that or one it had before."""

    def __init__(self, key: bytes, others: Sequence[bytes] = ()) -> None:
        """Take keys of 32 bytes."""
        self._id = _key_id(key)
        self._ciphers = {_key_id(one): AESGCM(one) for one in (*others, key)}

    def close(self, content: bytes, subject: str, *, step_bytes: int) -> bytes:
        """Seal `content`, which is about `subject`, such as "count/UUID"; only under the same subject it opens again."""
        body = len(content).to_bytes(_LENGTH_BYTES, "big") + content
        padded = body.ljust(-(-len(body) // step_bytes) * step_bytes, b"\0")
        nonce = os.urandom(_NONCE_BYTES)
        return self._id + nonce + self._ciphers[self._id].encrypt(nonce, padded, subject.encode())

    def open(self, sealed: bytes, subject: str) -> bytes:
        """What was sealed.

        Raises:
            StoreError: it was sealed under a key that is not here, or is about something else, or is damaged.
        """
        key_id, nonce, closed = sealed[:_ID_BYTES], sealed[_ID_BYTES:_BODY_FROM], sealed[_BODY_FROM:]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            advice = f"Lay the {KEY_NAME} that it was sealed with into the folder keys as seal-old.key, then start the appliance again."
            raise StoreError(f"the key of the seal of {subject} is not in this home folder", advice=advice)
        try:
            body = cipher.decrypt(nonce, closed, subject.encode())
        except (InvalidTag, ValueError) as error:
            raise StoreError(f"the seal of {subject} does not open: it is damaged", advice="Restore the database from a backup.") from error
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
        others = sorted(path.parent.glob(_OTHER_KEYS))
        return Seal(_read_key(path), [_read_key(one) for one in others if one != path])
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}", advice="Check the permissions of the folder keys.") from error


def _read_key(path: Path) -> bytes:
    try:
        key_text, sum_text = path.read_text(encoding="ascii").split()
        key = bytes.fromhex(key_text)
        sound = len(key) == _KEY_BYTES and int(sum_text, 16) == zlib.crc32(key)
    except ValueError:
        sound = False
    if not sound:
        advice = "Bring the file back from where it was kept. If there is none, move it away: a new key is made; what is sealed stays so."
        raise StoreError(f"{path} is damaged", advice=advice)
    return key


def _make_key(path: Path) -> None:
    key = os.urandom(_KEY_BYTES)
    write_private(path, f"{key.hex()} {zlib.crc32(key):08x}\n".encode("ascii"))


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"seal" + key).digest()[:_ID_BYTES]
