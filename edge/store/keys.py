"""Small secret files of the home folder: written whole, and never readable for others in between."""

from __future__ import annotations

import os
from pathlib import Path

from edge.errors import StoreError
from edge.store.durable import sync_folder

PIN_KEY_NAME = "keys/pin.key"
PAGES_KEY_NAME = "keys/pages.key"
KEY_BYTES = 32


def read_or_make_key(path: Path) -> bytes:
    """A key of `KEY_BYTES` that is kept; made at the first call, and anew where it is not whole. The caller holds the home's lock.

    Raises:
        StoreError: it cannot be read or written.
    """
    try:
        key = path.read_bytes() if path.exists() else b""
        if len(key) != KEY_BYTES:
            key = os.urandom(KEY_BYTES)
            write_private(path, key)
    except OSError as error:
        advice = "Check the permissions of the folder keys in the home folder."
        raise StoreError(f"{path} cannot be used: {error.strerror}", advice=advice) from error
    return key


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put a file in its place.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # an old one may have other permissions
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)
