"""The structure of a JPEG file (ITU-T T.81, annex B), walked without decoding anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import InputError, Reason
from edge.values import UInt8Array

_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_RST = range(0xD0, 0xD8)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegLayout:
    """Where a JPEG's parts lie.

    Attributes:
        end_offset: of the EOI marker that ends the (first) image.
        frame_marker: the SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive.
        scan_count: number of SOS segments.
    """

    end_offset: int
    frame_marker: int
    scan_count: int


def jpeg_layout(data: bytes) -> JpegLayout:
    """Walk the segments of a JPEG from SOI to the EOI that ends the image; one inside a thumbnail is skipped with its segment.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    position, frame_marker, scan_count = 2, 0, 0
    while True:
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            break
        if marker == _TEM or marker in _RST:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if position + max(length, 2) > len(data):
            raise InputError(Reason.TRUNCATED, "the JPEG ends inside a header segment")
        if length < 2 or marker == _SOI:
            raise InputError(Reason.CORRUPT, f"the JPEG has a broken segment at byte {position - 2}")
        position += length
        if marker in _SOF:
            frame_marker = marker
        if marker == _SOS:
            scan_count += 1
            position = _scan_end(data, position)
    if not (frame_marker and scan_count):
        raise InputError(Reason.CORRUPT, "the JPEG holds no image")
    return JpegLayout(end_offset=position - 2, frame_marker=frame_marker, scan_count=scan_count)


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
