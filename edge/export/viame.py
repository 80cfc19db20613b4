"""Tracks in, VIAME CSV out: one file per clip, as VIAME and DIVE read it.

    https://viame.readthedocs.io/en/latest/sections/detection_file_conversions.html
    https://kitware.github.io/dive/DataFormats/

A row is a box: track, name of the image or time in the video, number of the frame from 0, left, top, right, bottom in pixels, confidence,
length (-1: not measured), then the class with its confidence, then attributes, each in a cell of its own: `(trk-atr) name value` of the
track, `(atr) name value` of the box. Names of files stand as they are, not guarded against spreadsheets: they must match.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from edge.export.cvat_video import attributes_of
from edge.export.footage import PieceTracks

_HEADER = (
    "# 1: Detection or Track-id",
    "2: Video or Image Identifier",
    "3: Unique Frame Identifier",
    "4-7: Img-bbox(TL_x",
    "TL_y",
    "BR_x",
    "BR_y)",
    "8: Detection or Length Confidence",
    "9: Target Length (0 or -1 if invalid)",
    "10-11+: Repeated Species",
    "Confidence Pairs or Attributes",
)
_NO_LENGTH = "-1"


def write_viame(path: Path, found: PieceTracks, *, made_utc: str, software: str) -> None:
    """Write the tracks of one piece of footage, box by box."""
    piece = found.piece
    tow = piece.tow
    told = {
        "survey": tow.survey,
        "station": tow.station,
        "tow": tow.ordinal,
        "source": piece.first.name if piece.is_clip else None,
        "sha256": piece.first.sha256 if piece.is_clip else None,
        "model": f"{tow.model} {tow.model_version}",
        "tracker": tow.tracker,
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_HEADER)
        rate = [f"fps: {piece.first.frame_rate_hz:g}"] if piece.is_clip and piece.first.frame_rate_hz else []
        table.writerow(["# metadata", *rate, f"exported_by: {json.dumps(software)}", f"exported_time: {json.dumps(made_utc)}"])
        # A comment of ours, not DIVE's "dataset_info": that replaces what the reader's own data set says of itself.
        table.writerow([f"# {json.dumps(told)}"])
        for track in found.tracks:
            notes = [f"(trk-atr) {name} {_bare(value)}" for name, value in attributes_of(found, track).items() if value]
            for box in track.boxes:
                table.writerow(
                    [
                        track.opening.ordinal,
                        _clock(box.at_s) if piece.is_clip else piece.row_of(box.frame).name,
                        box.frame,
                        *(f"{edge_px:.2f}" for edge_px in (box.x_min_px, box.y_min_px, box.x_max_px, box.y_max_px)),
                        f"{box.score:.4f}",
                        _NO_LENGTH,
                        track.label,
                        f"{track.opening.confidence:.4f}",
                        *notes,
                    ]
                )


def _clock(at_s: float) -> str:
    """Time in the video, such as 00:01:02.040000."""
    whole_us = round(max(at_s, 0.0) * 1_000_000)
    seconds, us = divmod(whole_us, 1_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{us:06d}"


def _bare(value: str) -> str:
    """On one line: a line break would end the row for readers that go line by line."""
    return " ".join(value.split())
