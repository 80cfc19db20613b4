"""Clips and stills of tows with their openings as one iFDO 2.2.1, the image community's FAIR digital object, as JSON.

    https://marine-imaging.com/fair/ifdos/iFDO-overview/

Items are files. A clip is an item with `image-acquisition` "video"; its annotations have one set of corners for each of their `frames`,
which are seconds since the clip's first frame. What only people know (investigators, licence, handles) comes from a header that they
give; nothing is made up, and `missing_fields` says which of the required fields nobody has told.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.errors import SettingsError
from edge.export.footage import PieceTracks, Track, TrackBox
from edge.store.export_tows import ExportTow, FootageRow

IFDO_NAME = "ifdo.json"
IFDO_VERSION = "v2.2.1"
_SCHEMA = "https://www.ifdo-schema.org/schemas/v2.2.1/ifdo.json"
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"
REQUIRED_HEADER = (
    *("image-set-name", "image-set-uuid", "image-set-handle", "image-set-ifdo-version", "image-datetime", "image-latitude"),
    *("image-longitude", "image-altitude-meters", "image-coordinate-reference-system", "image-coordinate-uncertainty-meters"),
    *("image-context", "image-project", "image-event", "image-platform", "image-sensor", "image-pi", "image-creators"),
    *("image-license", "image-copyright", "image-abstract"),
)
_PER_ITEM = frozenset(("image-datetime", "image-latitude", "image-longitude", "image-altitude-meters", "image-event", "image-sensor"))
_OURS = frozenset(("image-set-ifdo-version", "image-set-uuid", "image-annotation-labels", "image-annotation-creators"))


def read_header(path: Path) -> dict[str, Any]:
    """Fields of the header that people give, from JSON or YAML.

    Raises:
        SettingsError: the file cannot be read, or holds something else than fields of an iFDO's header.
    """
    import yaml

    advice = 'Fields of the header such as `image-pi: {name: "A. Person"}`, one a line.'
    try:
        content = yaml.safe_load(path.read_text("utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read as YAML or JSON: {error}", advice=advice) from error
    if isinstance(content, dict) and isinstance(content.get("image-set-header"), dict):
        content = content["image-set-header"]
    if not isinstance(content, dict) or not all(isinstance(key, str) and key.startswith("image-") for key in content):
        raise SettingsError(f"{path} holds something else than fields of an iFDO's header", advice=advice)
    if taken := sorted(_OURS & content.keys()):
        raise SettingsError(f"{path} names {', '.join(taken)}, which the export writes itself", advice="Leave these fields out.")
    return json.loads(json.dumps(content, default=str))  # type: ignore[no-any-return]


def write_ifdo(path: Path, found: Iterable[PieceTracks], *, name: str, uuid: str, given: Mapping[str, Any], software: str) -> list[str]:
    """Write the image set. Returns the required fields that nobody has told."""
    spool_path = path.with_name(f"{path.name}.items")
    creators: dict[str, str] = {}
    labels: dict[str, str] = {}
    told: set[str] | None = None
    names: set[str] = set()
    with spool_path.open("w+", encoding="utf-8", newline="\n") as spool, path.open("w", encoding="utf-8", newline="\n") as document:
        separator = "\n"
        for one in found:
            labels.update((_label_id(label), label) for label in one.labels)
            for row, tracks in _by_file(one):
                item = _item(one, row, tracks, creators)
                told = set(item) if told is None else told & set(item)
                spool.write(f"{separator}{json.dumps(_own_name(row, names))}: {json.dumps([item], ensure_ascii=False)}")
                separator = ",\n"
        header = {
            "image-set-name": name,
            "image-set-uuid": uuid,
            "image-set-handle": "",  # readers want the field; who registers the set gives it a handle
            "image-set-ifdo-version": IFDO_VERSION,
            "image-datetime-format": _MOMENT,
            "image-coordinate-reference-system": "EPSG:4326",
            "image-abstract": f"Footage of towed sledges with burrow openings found by a model and decided about by people. {software}.",
            **given,
            "image-annotation-labels": [{"id": key, "name": label, "info": "one opening of a burrow"} for key, label in labels.items()],
            "image-annotation-creators": [{"id": key, "name": who} for key, who in creators.items()],
        }
        document.write(json.dumps({"$schema": _SCHEMA, "image-set-header": header}, ensure_ascii=False)[:-1] + ', "image-set-items": {')
        spool.seek(0)
        shutil.copyfileobj(spool, document, 1 << 16)
        document.write("\n}}\n")
    spool_path.unlink()
    return [field for field in REQUIRED_HEADER if not header.get(field) and not (field in _PER_ITEM and field in (told or ()))]


def _by_file(found: PieceTracks) -> Iterable[tuple[FootageRow, list[tuple[Track, list[TrackBox]]]]]:
    """The files of a piece, each with the boxes that lie in it."""
    piece = found.piece
    if piece.is_clip:
        yield piece.first, [(track, list(track.boxes)) for track in found.tracks]
        return
    in_frame: dict[int, list[tuple[Track, list[TrackBox]]]] = {}
    for track in found.tracks:
        for box in track.boxes:
            in_frame.setdefault(box.frame, []).append((track, [box]))
    for frame, row in enumerate(piece.rows):
        yield row, in_frame.get(frame, [])


def _item(found: PieceTracks, row: FootageRow, tracks: list[tuple[Track, list[TrackBox]]], creators: dict[str, str]) -> dict[str, Any]:
    piece, tow = found.piece, found.piece.tow
    values: dict[str, Any] = {
        "image-uuid": row.uuid,
        "image-hash-sha256": row.sha256,
        "image-datetime": _moment(row.capture_time_utc),
        "image-latitude": tow.latitude_deg,
        "image-longitude": tow.longitude_deg,
        "image-altitude-meters": None if tow.depth_m is None else -abs(tow.depth_m),
        "image-event": {"name": f"{tow.survey or ''} {tow.station} tow {tow.ordinal}".strip()},
        "image-sensor": None if row.camera is None else {"name": row.camera},
        "image-acquisition": "video" if piece.is_clip else "photo",
        "image-quality": "raw",
        "image-deployment": "survey",
        "image-illumination": "artificial light",
        "image-marine-zone": "seafloor",
        "image-spectral-resolution": "rgb",
        "image-annotations": [_annotation(tow, track, boxes, creators, is_clip=piece.is_clip) for track, boxes in tracks],
    }
    return {key: value for key, value in values.items() if value is not None}


def _annotation(tow: ExportTow, track: Track, boxes: list[TrackBox], creators: dict[str, str], *, is_clip: bool) -> dict[str, Any]:
    """A rectangle with its four corners, clockwise from the top left, for each frame; a label by the model and one by who decided."""
    opening = track.opening
    model = f"{tow.model} {tow.model_version}"
    labels = [
        {
            "label": _label_id(track.label),
            "annotator": _creator(creators, "model", model),
            "created-at": _moment(tow.made_utc),
            "confidence": round(opening.confidence, 6),
        }
    ]
    if opening.decision is not None and opening.decided_by is not None:
        labels.append(
            {
                "label": _label_id(track.label) + ("" if opening.decision == "accepted" else f"-{opening.decision}"),
                "annotator": _creator(creators, "person", opening.decided_by),
                "created-at": _moment(opening.decided_utc),
            }
        )
    corners = [
        [
            round(edge_px, 2)
            for edge_px in (box.x_min_px, box.y_min_px, box.x_max_px, box.y_min_px, box.x_max_px, box.y_max_px, box.x_min_px, box.y_max_px)
        ]
        for box in boxes
    ]
    told: dict[str, Any] = {"shape": "rectangle", "coordinates": corners, "labels": labels}
    if is_clip:
        told["frames"] = [round(box.at_s, 6) for box in boxes]
    return told


def _label_id(label: str) -> str:
    """What a label is called within the image set, such as burrow-opening."""
    return "-".join(label.split()).lower()


def _creator(creators: dict[str, str], kind: str, name: str) -> str:
    key = f"{kind}:{name}"
    creators.setdefault(key, name)
    return key


def _moment(utc: str | None) -> str | None:
    return None if utc is None else datetime.fromisoformat(utc).strftime(_MOMENT)


def _own_name(row: FootageRow, taken: set[str]) -> str:
    """The file's name; with digits of its hash where another file of the set has the name."""
    name = row.name
    if name in taken:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem or extension}.{row.sha256[:12]}" + (dot + extension if stem else "")
    taken.add(name)
    return name
