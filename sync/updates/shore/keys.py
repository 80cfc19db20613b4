"""Keys of those who sign: an encrypted file that stays with its holder, and a public one beside it that goes round.

Ed25519 (RFC 8032) in PKCS #8 (RFC 5958), encrypted with a passphrase: any program that knows the format reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key
from securesystemslib.signer import CryptoSigner, SSlibKey

from edge.errors import SettingsError
from sync.updates.errors import KeyUnusableError

HOLDER_FIELD = "x-holder"
PUBLIC_SUFFIX = ".pub"
_LEAST_PASSPHRASE = 8

Passphrase = Callable[[Path], str]
"""Asks for the passphrase of a key's file."""


def make_key(path: Path, *, holder: str, passphrase: str) -> SSlibKey:
    """Make a pair of keys: the encrypted one at `path`, only for its owner to read, and the public one beside it.

    Args:
        path: must not be there yet.
        holder: who keeps it; stands in the signed root for everybody to read.
        passphrase: of at least eight characters.

    Raises:
        SettingsError: the file is there, or cannot be written, or the passphrase is too short.
    """
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise SettingsError(
            f"the passphrase has fewer than {_LEAST_PASSPHRASE} characters", advice="Take a longer one: the file may be lost."
        )
    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    for there in (path, public_path):
        if there.exists():
            raise SettingsError(f"{there} is there already", advice="Give another name: a key is never written over.")
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
    key = SSlibKey.from_crypto(private.public_key())
    key.unrecognized_fields[HOLDER_FIELD] = holder
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        public_path.write_text(json.dumps({"keyid": key.keyid, **key.to_dict()}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}", advice="Choose another place for the key.") from error
    return key


def read_public(path: Path) -> SSlibKey:
    """A public key's file.

    Raises:
        KeyUnusableError: it is none.
    """
    advice = "Give the file that ends in .pub."
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        keyid = document.pop("keyid")
        key = SSlibKey.from_dict(keyid, document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyUnusableError(f"{path} is no public key of ours: {error}", advice=advice) from error
    if (key.keytype, key.scheme) != ("ed25519", "ed25519"):
        raise KeyUnusableError(f"{path} is a key of the kind {key.keytype}, not ed25519", advice=advice)
    return key


def load_signer(path: Path, passphrase: Passphrase) -> CryptoSigner:
    """A key that can sign.

    Raises:
        KeyUnusableError: the file cannot be read, is no key, or the passphrase is wrong.
    """
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyUnusableError(f"{path} cannot be read: {error.strerror}", advice="Put in the medium that holds the key.") from error
    if b"ENCRYPTED PRIVATE KEY" not in pem:
        advice = "Give the file that `shore key` made, not the one that ends in .pub; keys without a passphrase are not used."
        raise KeyUnusableError(f"{path} is no encrypted key", advice=advice)
    try:
        private = load_pem_private_key(pem, passphrase(path).encode())
    except (ValueError, TypeError) as error:
        raise KeyUnusableError(f"{path} does not open with this passphrase", advice="Type it again.") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusableError(f"{path} is no Ed25519 key", advice="Make one with `imagine-edge shore key`.")
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def load_signers(paths: Sequence[Path], passphrase: Passphrase) -> list[CryptoSigner]:
    """Several of them.

    Raises:
        KeyUnusableError: see `load_signer`.
    """
    return [load_signer(path, passphrase) for path in paths]


def holder_of(key: Any) -> str:
    """Who keeps a key, as its public file said; its first letters where it did not."""
    return str(key.unrecognized_fields.get(HOLDER_FIELD) or key.keyid[:8])
