"""Tracks in, a COCO file with videos and tracks out, as pycocotools reads it and KWCOCO extends it.

`videos` are clips and tows of stills, `images` the frames in which an exported opening was seen, with `video_id`, `frame_index` and
`timestamp_s`; `tracks` the openings with what people decided; each annotation has its `track_id`. A frame that is not listed says nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from edge.export.footage import Piece, PieceTracks, Track, TrackBox

COCO_TRACKS_NAME = "coco_tracks.json"
_PARTS = ("videos", "tracks", "images", "annotations")


def write_coco_tracks(
    path: Path,
    found: Iterable[PieceTracks],
    *,
    info: dict[str, Any],
    name_of: Callable[[Piece, int], str],
    on_frame: Callable[[Piece, int, str], None] | None = None,
) -> None:
    """Write the file; the parts are gathered in files beside it, not in memory.

    Args:
        path: the file.
        found: pieces of footage with their openings.
        info: of the COCO file.
        name_of: the file name of a frame.
        on_frame: told of each frame and its name.
    """
    spools = {part: path.with_name(f"{path.name}.{part}").open("w+", encoding="ascii", newline="\n") for part in _PARTS}
    try:
        categories = _write_parts(spools, found, name_of, on_frame)
        with path.open("w", encoding="ascii", newline="\n") as document:
            head = {"info": info, "licenses": [], "categories": categories}
            document.write(json.dumps(head)[:-1])
            for part, spool in spools.items():
                document.write(f', "{part}": [')
                spool.seek(0)
                shutil.copyfileobj(spool, document, 1 << 16)
                document.write("\n]")
            document.write("}\n")
    finally:
        for part, spool in spools.items():
            spool.close()
            path.with_name(f"{path.name}.{part}").unlink()


def _write_parts(
    spools: Mapping[str, TextIO],
    found: Iterable[PieceTracks],
    name_of: Callable[[Piece, int], str],
    on_frame: Callable[[Piece, int, str], None] | None,
) -> list[dict[str, Any]]:
    """Write videos, tracks, frames and boxes, each numbered from 1. Returns the categories."""
    numbers = dict.fromkeys(_PARTS, 0)
    categories: dict[tuple[str, int | None], int] = {}

    def put(part: str, row: dict[str, Any]) -> int:
        numbers[part] += 1
        spools[part].write((",\n" if numbers[part] > 1 else "\n") + json.dumps({"id": numbers[part], **row}))
        return numbers[part]

    for one in found:
        piece = one.piece
        video_id = put("videos", _video(piece))
        image_ids: dict[int, int] = {}
        for frame in sorted({box.frame for track in one.tracks for box in track.boxes}):
            name = name_of(piece, frame)
            image_ids[frame] = put("images", _image(piece, frame, name, video_id))
            if on_frame is not None:
                on_frame(piece, frame, name)
        for track in one.tracks:
            category_id = categories.setdefault((track.label, track.opening.aphia_id), len(categories) + 1)
            track_id = put("tracks", _track(track, category_id, video_id))
            for box in track.boxes:
                put("annotations", _annotation(box, image_ids[box.frame], category_id, track_id))
    return [{"id": number, "name": name, "supercategory": "", "aphia_id": aphia_id} for (name, aphia_id), number in categories.items()]


def _video(piece: Piece) -> dict[str, Any]:
    tow, row = piece.tow, piece.first
    return {
        "name": row.name if piece.is_clip else f"{tow.station} tow {tow.ordinal}",
        "file_name": row.name if piece.is_clip else None,
        "width": row.width_px,
        "height": row.height_px,
        "frames": len(piece.times_s),
        "frame_rate_hz": row.frame_rate_hz,
        "is_variable_rate": bool(row.is_variable_rate),
        "begins_at_s": piece.from_s,
        "sha256": row.sha256 if piece.is_clip else None,
        "uuid": row.uuid if piece.is_clip else None,
        "capture_time_utc": row.capture_time_utc,
        "survey": tow.survey,
        "station": tow.station,
        "tow": tow.ordinal,
        "analysis_uuid": tow.analysis_uuid,
        "tracker": tow.tracker,
        "model": tow.model,
        "model_version": tow.model_version,
        "weights_sha256": row.weights_sha256,
        "precision": row.precision,
        "runtime": row.runtime,
        "software_version": tow.software_version,
    }


def _image(piece: Piece, frame: int, name: str, video_id: int) -> dict[str, Any]:
    row = piece.row_of(frame)
    return {
        "video_id": video_id,
        "frame_index": frame,
        "timestamp_s": round(piece.times_s[frame], 6),
        "file_name": name,
        "width": row.width_px,
        "height": row.height_px,
        "source_sha256": row.sha256,
        "source_uuid": row.uuid,
    }


def _track(track: Track, category_id: int, video_id: int) -> dict[str, Any]:
    opening = track.opening
    return {
        "name": f"opening {opening.ordinal}",
        "uuid": opening.uuid,
        "video_id": video_id,
        "category_id": category_id,
        "system": opening.system,
        "proposed_system": opening.proposed,
        "confidence": round(opening.confidence, 6),
        "decision": opening.decision,
        "decided_by": opening.decided_by,
        "decided_utc": opening.decided_utc,
        "crossing_s": opening.crossing_s,
        "is_extrapolated": bool(opening.is_extrapolated),
    }


def _annotation(box: TrackBox, image_id: int, category_id: int, track_id: int) -> dict[str, Any]:
    width_px, height_px = box.x_max_px - box.x_min_px, box.y_max_px - box.y_min_px
    return {
        "image_id": image_id,
        "category_id": category_id,
        "track_id": track_id,
        "bbox": [round(box.x_min_px, 3), round(box.y_min_px, 3), round(width_px, 3), round(height_px, 3)],
        "area": round(width_px * height_px, 3),
        "segmentation": [],
        "iscrowd": 0,
        "score": round(box.score, 6),
    }
