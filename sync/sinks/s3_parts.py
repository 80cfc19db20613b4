"""How a large file goes to a bucket in parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file. `number` begins at 1."""

    number: int
    offset_bytes: int
    size_bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPlan:
    """All parts of a file. `etag`: what S3 calls their whole: the MD5 of their MD5s, and how many they are."""

    path: Path
    sha256: str
    part_bytes: int
    parts: tuple[Part, ...]
    etag: str

    def read(self, part: Part) -> bytes:
        """The content of a part.

        Raises:
            OSError: the file cannot be read, or changed since it was planned.
        """
        with self.path.open("rb") as file:
            file.seek(part.offset_bytes)
            content = file.read(part.size_bytes)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != part.md5:
            raise OSError(0, "it changed while it was sent")
        return content


def parts_plan(path: Path, *, sha256: str, least_bytes: int) -> PartsPlan:
    """Read a file once, and plan its parts: as small as allowed, because what breaks off goes again.

    Raises:
        OSError: it cannot be read.
    """
    size_bytes = path.stat().st_size
    part_bytes = max(least_bytes, -(-size_bytes // MOST_PARTS))
    parts = []
    with path.open("rb") as file:
        for number, offset in enumerate(range(0, size_bytes, part_bytes), start=1):
            content = file.read(part_bytes)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            parts.append(Part(number=number, offset_bytes=offset, size_bytes=len(content), md5=digest))
    whole = hashlib.md5(b"".join(bytes.fromhex(part.md5) for part in parts), usedforsecurity=False).hexdigest()
    return PartsPlan(path=path, sha256=sha256, part_bytes=part_bytes, parts=tuple(parts), etag=f"{whole}-{len(parts)}")
