"""Bundles as files: each is named by its content, `<sha256>.cbor.zst`, in whatever folders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sync.bundle.columns import BundleDamagedError
from sync.bundle.read import MAX_CONTENT_BYTES, ReadBundle, read_bundle

SUFFIX = ".cbor.zst"
_NAME = re.compile(r"([0-9a-f]{64})" + re.escape(SUFFIX))


def find_bundles(path: Path) -> Iterator[Path]:
    """A file itself; of a folder every bundle in it and below, by name.

    Raises:
        BundleDamagedError: there is nothing at that place, or the folder holds no bundle.
    """
    if not path.is_dir():
        if not path.exists():
            raise BundleDamagedError(f"there is no file {path}", advice="Check the name.")
        yield path
        return
    found = sorted(file for file in path.rglob(f"*{SUFFIX}") if file.is_file())
    if not found:
        raise BundleDamagedError(f"{path} holds no bundle: no file ends in {SUFFIX}", advice="Name the folder of the ship's bundles.")
    yield from found


def open_bundle(path: Path) -> ReadBundle:
    """Read a file; where its name says what it holds, that is checked.

    Raises:
        BundleDamagedError: it cannot be read, or see `read_bundle`.
    """
    named = _NAME.fullmatch(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONTENT_BYTES + 1)
    except OSError as error:
        raise BundleDamagedError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return read_bundle(content, expected_sha256=named[1] if named else None)
    except BundleDamagedError as error:
        raise BundleDamagedError(f"{path}: {error}", advice=error.advice()) from error
