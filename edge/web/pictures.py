"""Pictures for the pages: the original bytes where a browser can show them, else a bounded conversion.

Only what a worker has already decoded whole is converted, in a size that the database recorded, and never more than
`CONVERSIONS_AT_ONCE` at once. Conversions are kept in a small folder that may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import structlog

from edge.errors import InputError
from edge.store.reads.files import FileState, StoredAt
from edge.units import mib_to_bytes
from edge.web.converting import MAX_CONVERTED_PIXELS, TooManyPixelsError, convert
from edge.web.errors import Problem, RequestError
from edge.web.text import STATE_WORDS, reason_advice, reason_words, shown

log = structlog.get_logger()

CONVERSIONS_AT_ONCE = 2
CACHE_LIMIT_BYTES = mib_to_bytes(256)
KEPT_AFTER_PRUNING = 0.75

_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
_PNG = "image/png"
_PNG_HEADER_BYTES = 26
_BROWSER_PIXELS = 50_000_000  # of a file whose size no worker has told
_OPEN_IT = "Open the original in a viewer; the result is not affected."
_WAIT = "Wait: the page shows it as soon as it is done."


@dataclass(frozen=True, slots=True)
class _Size:
    longest_px: int
    jpeg_quality: int


class Conversion(Enum):
    """What a picture is converted for."""

    THUMBNAIL = _Size(240, 80)
    FRAME = _Size(1600, 85)
    FULL = _Size(4096, 92)


def media_type(handle: BinaryIO, stored: StoredAt) -> str | None:
    """The media type if a browser shows these bytes itself, judged by content; None if they are to be converted.

    A PNG of 16 bits a browser would show nearly black, and a large picture costs it more memory than a laptop has.
    """
    start = handle.read(_PNG_HEADER_BYTES)
    handle.seek(0)
    kind = media_type_of(start)
    if kind == _PNG and start[24:25] == b"\x10":
        return None
    if stored.state is FileState.DONE and max(stored.width_px or 0, stored.height_px or 0) > Conversion.FULL.value.longest_px:
        return None
    if kind == _PNG and int.from_bytes(start[16:20], "big") * int.from_bytes(start[20:24], "big") > _BROWSER_PIXELS:
        return None
    return kind


def media_type_of(content: bytes) -> str | None:
    """The media type if a browser shows these bytes itself; None if not."""
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


class PictureCache:
    """Converted pictures by content hash, in a folder of bounded size."""

    def __init__(self, folder: Path, *, limit_bytes: int = CACHE_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._used_bytes: int | None = None
        self._lock = threading.Lock()

    def get(self, handle: BinaryIO, stored: StoredAt, conversion: Conversion) -> bytes:
        """The picture as JPEG, no side longer than the conversion's.

        Raises:
            RequestError: 409, no worker has decoded it; 413, it is too large; 415, it cannot be read.
        """
        _check_convertible(stored)
        path = self._folder / f"{stored.sha256}-{conversion.name.lower()}.jpg"
        with contextlib.suppress(OSError):
            return path.read_bytes()
        picture = _convert(handle, conversion.value)
        self._keep(path, picture)
        return picture

    def made_once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """A picture under a name that always stands for the same one, made if it is not kept."""
        path = self._folder / name
        with contextlib.suppress(OSError):
            return path.read_bytes()
        picture = make()
        self._keep(path, picture)
        return picture

    def _keep(self, path: Path, picture: bytes) -> None:
        """Best effort: a full disk costs the cache, never the answer."""
        try:
            with self._lock:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._make_room(len(picture))
                with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
                    part.write(picture)
                Path(part.name).replace(path)
        except OSError as error:
            log.warning("picture_not_kept", error=str(error))

    def _make_room(self, wanted_bytes: int) -> None:
        if self._used_bytes is None or self._used_bytes + wanted_bytes > self._limit_bytes:
            self._used_bytes = self._prune(self._limit_bytes - wanted_bytes)
        self._used_bytes += wanted_bytes

    def _prune(self, limit_bytes: int) -> int:
        with os.scandir(self._folder) as entries:
            found = sorted((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in entries if entry.is_file())
        used_bytes = sum(size_bytes for _, size_bytes, _ in found)
        if used_bytes <= limit_bytes:
            return used_bytes
        for _, size_bytes, path in found:
            Path(path).unlink(missing_ok=True)
            used_bytes -= size_bytes
            if used_bytes <= limit_bytes * KEPT_AFTER_PRUNING:
                break
        return used_bytes


def _check_convertible(stored: StoredAt) -> None:
    if stored.state is FileState.QUARANTINED:
        why = f"{reason_words(stored.reason or 'unknown')}: {shown(stored.detail or '')}".rstrip(": ")
        raise _no_picture(409, "not_decoded", f"the file is quarantined ({why})", reason_advice(stored.reason or ""))
    if stored.state is not FileState.DONE or stored.width_px is None or stored.height_px is None:
        raise _no_picture(409, "not_decoded", f"no worker has decoded this file yet: it is {STATE_WORDS[stored.state]}", _WAIT)
    if stored.width_px * stored.height_px > MAX_CONVERTED_PIXELS:
        raise _no_picture(413, "picture_too_large", f"{stored.width_px} x {stored.height_px} pixels are too many to convert")


def _convert(handle: BinaryIO, wanted: _Size) -> bytes:
    try:
        return convert(handle.read(), longest_px=wanted.longest_px, jpeg_quality=wanted.jpeg_quality)
    except TooManyPixelsError as error:
        raise _no_picture(413, "picture_too_large", str(error)) from error
    except (InputError, OSError, ValueError, SyntaxError) as error:  # besides ours, what Pillow raises on bad files
        raise _no_picture(415, "picture_unreadable", f"the picture cannot be converted: {error}") from error


def _no_picture(status: int, code: str, message: str, advice: str = _OPEN_IT) -> RequestError:
    return RequestError(status, Problem(code=code, message=message, advice=advice))
