"""Files of installed packs for the pages: only those that the manifest lists, never through a link, bounded in size."""

from __future__ import annotations

import io
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image, UnidentifiedImageError

from edge.store.reads.pack_details import PackDetails
from edge.units import mib_to_bytes
from edge.web.errors import Problem, RequestError
from models.manifest import PackFile

MAX_SHOWN_BYTES = mib_to_bytes(64)

# A document may come from anywhere: it is shown without scripts, without its origin, without reaching anything.
DOCUMENT_HEADERS = {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
    "cache-control": "private, no-cache",
}
_SHOWN_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
    ".csv": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".yml": "text/plain; charset=utf-8",
    ".yaml": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
_PICTURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """The bytes of a file and what a browser may do with them."""

    body: bytes
    media_type: str
    headers: dict[str, str]


def find_document(pack: PackDetails, path: str) -> PackFile:
    """A document of a pack, or its card.

    Raises:
        RequestError: 404, the manifest lists none of that path.
    """
    for file in (pack.manifest.card, *pack.manifest.documents):
        if file.path == path:
            return file
    advice = "The page of the pack lists its documents."
    raise RequestError(404, Problem(code="not_found", message="the pack has no such document", advice=advice))


def show_document(home: Path, pack: PackDetails, file: PackFile) -> ShownFile:
    """A document as it may be shown: pages sandboxed, texts as text, anything else as a download.

    Raises:
        RequestError: as `read_file`.
    """
    media_type = _SHOWN_TYPES.get(PurePosixPath(file.path).suffix.lower())
    headers = dict(DOCUMENT_HEADERS)
    if media_type is None:
        media_type = "application/octet-stream"
        safe_name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in PurePosixPath(file.path).name)
        headers["content-disposition"] = f'attachment; filename="{safe_name}"'
    return ShownFile(body=read_file(home, pack, file), media_type=media_type, headers=headers)


def read_file(home: Path, pack: PackDetails, file: PackFile) -> bytes:
    """The bytes of a listed file.

    Raises:
        RequestError: 410, the pack was removed or the file is not what it was; 413, it is too large to show.
    """
    if pack.removed_utc is not None:
        raise _gone("the files of this pack were removed")
    if file.size_bytes > MAX_SHOWN_BYTES:
        advice = "Open it in the pack's folder on the machine."
        raise RequestError(413, Problem(code="too_large", message=f"{file.path} is too large to be shown here", advice=advice))
    folder = (home / pack.pack_path).resolve()
    path = folder.joinpath(*PurePosixPath(file.path).parts)
    if not path.parent.resolve().is_relative_to(folder):
        raise _gone(f"{file.path} lies outside the pack")
    try:
        with os.fdopen(os.open(path, _FLAGS), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size != file.size_bytes:
                raise _gone(f"{file.path} is no longer what was installed")
            return stream.read(MAX_SHOWN_BYTES)
    except OSError as error:
        raise _gone(f"{file.path} cannot be read: {error.strerror}") from error


def expected_boxes(home: Path, pack: PackDetails, index: int) -> tuple[tuple[float, ...], ...]:
    """What is expected and counted in a golden: (x_min, y_min, x_max, y_max, score, label index); empty for a classification.

    Raises:
        RequestError: as `read_file`.
    """
    try:
        document: dict[str, Any] = json.loads(read_file(home, pack, pack.manifest.goldens[index].expected))
        rows = zip(document.get("xyxy", ()), document["score"], document.get("label_index", ()), strict=False)
        threshold = pack.manifest.thresholds.score
        return tuple((*map(float, box), float(score), float(label)) for box, score, label in rows if score >= threshold)
    except (ValueError, KeyError, TypeError) as error:
        raise _gone(f"the expectation of golden {index + 1} cannot be read") from error


def picture_size_px(content: bytes) -> tuple[int, int]:
    """Width and height that the header of a picture says; nothing is decoded.

    Raises:
        RequestError: 410, it is no picture.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise _gone("the golden image cannot be read") from error


def picture_type(content: bytes) -> str | None:
    """The media type if a browser shows these bytes itself; None if not."""
    return next((kind for magic, kind in _PICTURES if content.startswith(magic)), None)


def _gone(message: str) -> RequestError:
    return RequestError(410, Problem(code="pack_file_gone", message=message, advice="Install the pack again from its source."))
