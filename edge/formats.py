"""Image formats: by a file's first bytes, and by the extension of its name."""

from __future__ import annotations

import os

from edge.errors import InputError, Reason

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"BM", "bmp"),
)
_EXTENSIONS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
}
HEAD_BYTES = 16
CLIP_EXTENSIONS = frozenset((".mp4", ".m4v", ".mov", ".avi", ".mpg", ".mpeg", ".m2v", ".mts", ".m2ts", ".ts", ".mkv"))


def is_clip_name(name: str) -> bool:
    """Whether a file's name promises a clip."""
    return os.path.splitext(name)[1].lower() in CLIP_EXTENSIONS


def sniff(data: bytes) -> str:
    """The format by content: "jpeg", "png", "tiff" or "bmp". The first `HEAD_BYTES` of a file are enough.

    Raises:
        InputError: EMPTY_FILE, TRUNCATED (nothing but the beginning of a signature) or UNKNOWN_FORMAT.
    """
    if not data:
        raise InputError(Reason.EMPTY_FILE, "the file has no bytes")
    for signature, image_format in _SIGNATURES:
        if data.startswith(signature):
            return image_format
        if signature.startswith(data):
            raise InputError(Reason.TRUNCATED, f"the file ends after {len(data)} bytes")
    raise InputError(Reason.UNKNOWN_FORMAT, f"the file begins with {data[:8].hex(' ')}")


def check_extension(extension: str, image_format: str) -> None:
    """Refuse an extension (with its dot) that promises another format; one that promises nothing is fine.

    Raises:
        InputError: EXTENSION_MISMATCH.
    """
    expected = _EXTENSIONS.get(extension.lower())
    if expected is not None and expected != image_format:
        raise InputError(Reason.EXTENSION_MISMATCH, f"the name says {expected}, the content is {image_format}")
