"""Formats of images and of clips: by a file's first bytes, and by the extension of its name."""

from __future__ import annotations

from pathlib import PurePath

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
_IMAGE_EXTENSIONS = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
}
_MPEG = ("mpeg-ps", "mpeg-ts", "mpeg-video")  # recorders use the names of this family for one another
_CLIP_EXTENSIONS = {
    ".mp4": ("mp4",),
    ".m4v": ("mp4",),
    ".mov": ("mp4",),
    ".avi": ("avi",),
    ".mkv": ("matroska",),
    ".mpg": _MPEG,
    ".mpeg": _MPEG,
    ".m2v": _MPEG,
    ".mts": ("mpeg-ts",),
    ".m2ts": ("mpeg-ts",),
    ".ts": ("mpeg-ts",),
}
# The first box of an ISO base media file (ISO/IEC 14496-12) or of a QuickTime file, which may have no ftyp.
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STILL_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
# A packet of a transport stream has 188 bytes; a Blu-ray's or an AVCHD camera's has four more before each.
_TS_LAYOUTS = ((0, 188), (4, 192))
_TS_PACKETS = 3
HEAD_BYTES = 1024
CLIP_EXTENSIONS = frozenset(_CLIP_EXTENSIONS)


def is_clip_name(name: str) -> bool:
    """Whether a file's name promises a clip."""
    return PurePath(name).suffix.lower() in CLIP_EXTENSIONS


def sniff(data: bytes) -> str:
    """The format by content. The first `HEAD_BYTES` of a file are enough.

    Returns:
        "jpeg", "png", "tiff" or "bmp" of an image; "mp4" (and QuickTime), "avi", "matroska", "mpeg-ps", "mpeg-ts" or "mpeg-video"
        (an elementary stream) of a clip.

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
    if (clip_format := _clip_format(data)) is not None:
        return clip_format
    raise InputError(Reason.UNKNOWN_FORMAT, f"the file begins with {data[:8].hex(' ')}")


def is_clip_format(media_format: str) -> bool:
    """Whether a format that `sniff` names is one of clips."""
    return any(media_format in formats for formats in _CLIP_EXTENSIONS.values())


def _clip_format(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    if data[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if data[:4] == b"\x00\x00\x01\xba":
        return "mpeg-ps"
    if data[:4] == b"\x00\x00\x01\xb3":
        return "mpeg-video"
    if data[4:8] in _FIRST_BOXES and (int.from_bytes(data[:4]) in (0, 1) or int.from_bytes(data[:4]) >= 8):
        return None if data[4:8] == b"ftyp" and data[8:12] in _STILL_BRANDS else "mp4"
    for first, period in _TS_LAYOUTS:
        syncs = data[first : first + (_TS_PACKETS - 1) * period + 1 : period]
        if len(syncs) == _TS_PACKETS and set(syncs) == {0x47}:
            return "mpeg-ts"
    return None


def check_extension(extension: str, media_format: str) -> None:
    """Refuse an extension (with its dot) that promises another format; one that promises nothing is fine.

    Raises:
        InputError: EXTENSION_MISMATCH.
    """
    promised = extension.lower()
    expected = _CLIP_EXTENSIONS.get(promised) or ((_IMAGE_EXTENSIONS[promised],) if promised in _IMAGE_EXTENSIONS else ())
    if expected and media_format not in expected:
        raise InputError(Reason.EXTENSION_MISMATCH, f"the name says {expected[0]}, the content is {media_format}")
