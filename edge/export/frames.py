"""Names and pictures of single frames, and their YOLO labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.cells import CsvFile
from edge.export.footage import FootageHands, Piece, PieceTracks, Track, TrackBox
from edge.export.names import flat_stem, split_name

FRAMES_TABLE = "frames.csv"
_COLUMNS = ("name", "survey", "station", "tow", "source", "source_sha256", "frame", "timestamp_s", "width_px", "height_px")


def frame_name(piece: Piece, frame: int) -> str:
    """A name that no other frame has: the clip's harmless stem, twelve digits of its hash, and the frame's number; a still's own stem."""
    row = piece.row_of(frame)
    stem = flat_stem(row.name, row.sha256)
    return f"{stem}-frame-{frame:06d}.jpg" if piece.is_clip else stem + split_name(row.name)[1].lower()


def piece_stem(piece: Piece) -> str:
    """A name for files about a piece: that of the clip, or of the tow."""
    if piece.is_clip:
        return flat_stem(piece.first.name, piece.first.sha256)
    return flat_stem(f"{piece.tow.station}-tow-{piece.tow.ordinal}", piece.tow.uuid.replace("-", "")[-12:])


def frame_row(piece: Piece, frame: int, name: str) -> tuple[str | int | float | None, ...]:
    """A row of frames.csv: where a frame comes from."""
    row, tow = piece.row_of(frame), piece.tow
    at_s = round(piece.times_s[frame], 6)
    return name, tow.survey, tow.station, tow.ordinal, row.name, row.sha256, frame, at_s, row.width_px, row.height_px


def open_frames(folder: Path) -> CsvFile:
    """frames.csv of an export."""
    return CsvFile(folder / FRAMES_TABLE, _COLUMNS)


def boxes_by_frame(found: PieceTracks) -> dict[int, list[tuple[Track, TrackBox]]]:
    """The boxes of a piece, each with its opening, by the frame that they lie in, ascending."""
    by_frame: dict[int, list[tuple[Track, TrackBox]]] = {}
    for track in found.tracks:
        for box in track.boxes:
            by_frame.setdefault(box.frame, []).append((track, box))
    return dict(sorted(by_frame.items()))


def write_frame(hands: FootageHands, piece: Piece, frame: int, target: Path) -> None:
    """Extract a frame of a clip, as JPEG in its full size.

    Raises:
        InputError: it cannot be decoded.
    """
    assert piece.path is not None
    target.write_bytes(hands.jpeg(piece.path, piece.times_s[frame]))


def label_text(boxes: Sequence[tuple[int, TrackBox]], *, width_px: int, height_px: int) -> str:
    """The lines of a YOLO label file: class, centre and size as fractions of the image; edges are cut at the image's.

    `boxes`: each with the number of its class.
    """
    lines = []
    for number, box in boxes:
        x_min, x_max = (min(1.0, max(0.0, edge_px / width_px)) for edge_px in (box.x_min_px, box.x_max_px))
        y_min, y_max = (min(1.0, max(0.0, edge_px / height_px)) for edge_px in (box.y_min_px, box.y_max_px))
        if x_max > x_min and y_max > y_min:
            lines.append(f"{number} {(x_min + x_max) / 2:.6f} {(y_min + y_max) / 2:.6f} {x_max - x_min:.6f} {y_max - y_min:.6f}\n")
    return "".join(lines)
