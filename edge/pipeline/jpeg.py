"""The structure of a JPEG file (ITU-T T.81, annex B), walked without decoding anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import InputError, Reason
from edge.values import UInt8Array

_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_RST = range(0xD0, 0xD8)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1, _EXIF = 0xE1, b"Exif\0\0"
_ADOBE = 0xEE
_TELLING = frozenset((*range(0xE0, 0xF0), 0xFE)) - {_ADOBE}  # application segments and comments
_FRAME_BYTES = 8
_READ_FRAMES = (0xC0, 0xC1, 0xC2)
_MAX_SCANS = 200  # a progressive JPEG has about ten; each costs a pass over the whole image, however few bytes it has
_OTHER_FRAMES = {0xC3: "lossless", 0xC9: "arithmetic-coded", 0xCA: "arithmetic-coded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegLayout:
    """Where a JPEG's parts lie.

    Attributes:
        end_offset: of the EOI marker that ends the (first) image.
        frame_marker: the SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive.
        scan_count: number of SOS segments.
        bits, width_px, height_px, channels: what the frame header says (B.2.2).
        exif: where EXIF data lie, half open, or None.
    """

    end_offset: int
    frame_marker: int
    scan_count: int
    bits: int
    width_px: int
    height_px: int
    channels: int
    exif: tuple[int, int] | None


def jpeg_layout(data: bytes) -> JpegLayout:
    """Walk the segments of a JPEG from SOI to the EOI that ends the image; one inside a thumbnail is skipped with its segment.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    position, scan_count = 2, 0
    frame: tuple[int, int] | None = None
    exif: tuple[int, int] | None = None
    while True:
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            break
        if marker == _TEM or marker in _RST:
            continue
        begin, position = position, _segment_end(data, marker, position)
        if marker in _SOF:
            if frame is not None or position - begin < _FRAME_BYTES:
                raise InputError(Reason.CORRUPT, f"the JPEG has a second or a broken frame header at byte {begin - 2}")
            frame = marker, begin + 2
        if marker == _APP1 and exif is None and data[begin + 2 : begin + 8] == _EXIF:
            exif = begin + 8, position
        if marker == _SOS:
            scan_count += 1
            position = _scan_end(data, position)
    if frame is None or scan_count == 0:
        raise InputError(Reason.CORRUPT, "the JPEG holds no image")
    marker, begin = frame
    return JpegLayout(
        end_offset=position - 2,
        frame_marker=marker,
        scan_count=scan_count,
        bits=data[begin],
        height_px=int.from_bytes(data[begin + 1 : begin + 3], "big"),
        width_px=int.from_bytes(data[begin + 3 : begin + 5], "big"),
        channels=data[begin + 5],
        exif=exif,
    )


def check_kind(layout: JpegLayout) -> None:
    """Refuse a JPEG of a kind that cameras do not write and that nobody has proven to be read right.

    Raises:
        InputError: UNSUPPORTED_PIXELS, or CORRUPT where it is made to take for ever.
    """
    if layout.frame_marker not in _READ_FRAMES:
        kind = _OTHER_FRAMES.get(layout.frame_marker, f"frame {layout.frame_marker:#x}")
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the JPEG is of a rare kind ({kind})")
    if layout.scan_count > _MAX_SCANS:
        raise InputError(Reason.CORRUPT, f"the JPEG comes in {layout.scan_count} scans")
    if layout.bits != 8:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the JPEG has {layout.bits} bits per channel")
    if layout.channels not in (1, 3, 4):
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the JPEG has {layout.channels} channels")


def without_metadata(data: bytes) -> bytes:
    """A JPEG that `jpeg_layout` has passed, without the segments that only tell about it. Adobe's stays: it says what the channels are."""
    kept, position = [data[:2]], 2
    while True:
        begin = position
        marker, position = _next_marker(data, position)
        if marker == _SOS:
            return b"".join((*kept, data[begin:]))
        if marker == _TEM or marker in _RST:
            continue
        position = _segment_end(data, marker, position)
        if marker not in _TELLING:
            kept.append(data[begin:position])


def _segment_end(data: bytes, marker: int, position: int) -> int:
    """Offset behind a segment whose length stands at `position`."""
    length = int.from_bytes(data[position : position + 2], "big")
    if position + max(length, 2) > len(data):
        raise InputError(Reason.TRUNCATED, "the JPEG ends inside a header segment")
    if length < 2 or marker == _SOI:
        raise InputError(Reason.CORRUPT, f"the JPEG has a broken segment at byte {position - 2}")
    return position + length


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position` and the offset after it; a marker may be preceded by any number of 0xFF."""
    if position >= len(data):
        raise InputError(Reason.TRUNCATED, "the JPEG ends before its end marker")
    if data[position] != 0xFF:
        raise InputError(Reason.CORRUPT, f"the JPEG has no marker at byte {position}")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise InputError(Reason.TRUNCATED, "the JPEG ends before its end marker")
    return data[position], position + 1


def _scan_end(data: bytes, position: int) -> int:
    """Offset of the first marker after entropy-coded data that is no restart marker.

    In such data 0xFF is followed by 0x00 (stuffing) or by a restart marker, which count 0 to 7 in turn (ITU-T T.81, B.1.1).
    """
    scan: UInt8Array = np.frombuffer(data, np.uint8)[position:]
    high = np.flatnonzero(scan[:-1] == 0xFF)
    following = scan[high + 1]
    is_restart = (following & 0xF8) == 0xD0
    ends = np.flatnonzero((following != 0) & (following != 0xFF) & ~is_restart)
    if len(ends) == 0:
        raise InputError(Reason.TRUNCATED, "the JPEG ends inside its image data")
    restarts = following[: ends[0]][is_restart[: ends[0]]] & 0x07
    if (restarts != np.arange(len(restarts)) % 8).any():
        raise InputError(Reason.CORRUPT, "a part of the JPEG's image data is missing")
    return position + int(high[ends[0]])
