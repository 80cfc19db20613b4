"""The frame strip of a tow on one sheet, for print and for reports: lines of the strip below one another, with the time above each."""

from __future__ import annotations

import numpy as np

from edge.errors import InputError, Reason
from edge.footage import SheetWanted
from edge.values import UInt8Array
from models.runtime.vision import cv2

SHEET_WIDTH_PX = 2400
MOST_HEIGHT_PX = 24_000  # a JPEG has at most 65,500, viewers choke before
SCALES = (1 / 3, 1 / 4, 1 / 6, 1 / 8, 1 / 12, 1 / 16)
LABEL_PX, TITLE_PX, GAP_PX = 24, 44, 6
_MARKER, _FRAME_HEADERS = 0xFF, frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DAMAGED = "a piece of the frame strip cannot be decoded"
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def make_sheet(wanted: SheetWanted) -> bytes:
    """The sheet as a picture.

    Raises:
        InputError: there is no tile, or one cannot be decoded.
    """
    if not wanted.tiles:
        raise InputError(Reason.NO_FRAMES, "the strip has no picture")
    sizes = [_size_of(jpeg) for jpeg in wanted.tiles]
    columns, height = sum(size[0] for size in sizes), sizes[0][1]
    scale = next((one for one in SCALES if _sheet_height(columns, height, one) <= MOST_HEIGHT_PX), SCALES[-1])
    line_columns, line_px = round(SHEET_WIDTH_PX / scale), round(height * scale)
    lines = -(-columns // line_columns)
    sheet = np.full((TITLE_PX + lines * (LABEL_PX + line_px + GAP_PX), SHEET_WIDTH_PX, 3), 255, np.uint8)
    cv2.putText(sheet, wanted.title, (4, 30), _FONT, 0.8, (0, 0, 0), 2, cv2.LINE_AA)
    left = 0
    for jpeg, size in zip(wanted.tiles, sizes, strict=True):  # one decoded at a time: together those of an hour take 1 GB
        _lay(sheet, _decoded(jpeg, size), left, line_columns=line_columns, line_px=line_px, scale=scale)
        left += size[0]
    for column, words in wanted.marks:
        line, within = divmod(min(max(column, 0.0), columns - 1), line_columns)
        x, y = int(within * scale), TITLE_PX + int(line) * (LABEL_PX + line_px + GAP_PX)
        cv2.line(sheet, (x, y + 4), (x, y + LABEL_PX + 4), (0, 0, 0), 1)
        cv2.putText(sheet, words, (x + 4, y + 18), _FONT, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    suffix, options = (".png", []) if wanted.kind == "png" else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88])
    return np.asarray(cv2.imencode(suffix, sheet, options)[1], np.uint8).tobytes()


def _sheet_height(columns: int, height: int, scale: float) -> float:
    return columns * scale / SHEET_WIDTH_PX * (height * scale + LABEL_PX + GAP_PX)


def _size_of(jpeg: bytes) -> tuple[int, int]:
    """Columns and rows of a JPEG by its frame header (ITU-T T.81, B.2.2), without decoding it."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == _MARKER:
        if jpeg[at + 1] in _FRAME_HEADERS:
            return int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    raise InputError(Reason.UNREADABLE_FILE, _DAMAGED)


def _decoded(jpeg: bytes, size: tuple[int, int]) -> UInt8Array:
    tile = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if tile is None or (tile.shape[1], tile.shape[0]) != size:
        raise InputError(Reason.UNREADABLE_FILE, _DAMAGED)
    return np.asarray(tile, np.uint8)


def _lay(sheet: UInt8Array, tile: UInt8Array, left: int, *, line_columns: int, line_px: int, scale: float) -> None:
    """Lay a tile down; it may go over the end of a line."""
    laid = 0
    while laid < tile.shape[1]:
        line, within = divmod(left + laid, line_columns)
        piece = tile[:, laid : laid + line_columns - within]
        laid += piece.shape[1]
        begin, end = round(within * scale), min(round((within + piece.shape[1]) * scale), SHEET_WIDTH_PX)
        if end > begin:
            y = TITLE_PX + line * (LABEL_PX + line_px + GAP_PX) + LABEL_PX
            sheet[y : y + line_px, begin:end] = cv2.resize(piece, (end - begin, line_px), interpolation=cv2.INTER_AREA)
