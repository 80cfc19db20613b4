"""Rows in, one COCO detection file out, streamed: images with and without objects, boxes xywh in pixels of the full image.

Beyond COCO's own fields an image carries its SHA-256, path and capture times and the runs that looked at it; an object
its score and run; a category its WoRMS AphiaID. pycocotools and annotation tools pass such fields by.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from edge.export.names import relative_name
from edge.store.export_rows import ExportCategory, ExportResult, FoundObject

COCO_NAME = "coco.json"
_SPOOL_SUFFIX = ".annotations"


def write_coco(
    path: Path,
    results: Iterable[tuple[ExportResult, list[FoundObject]]],
    categories: Sequence[ExportCategory],
    *,
    info: dict[str, Any],
    several_roots: bool,
    reviewed: bool = False,
) -> None:
    """Write coco.json. Results of one image must follow each other; annotations wait in a file beside, not in memory.

    With `reviewed` images say who reviewed them, annotations where they come from and who said so.
    """
    numbers = {(category.name, category.aphia_id): number for number, category in enumerate(categories, start=1)}
    spool_path = path.with_name(path.name + _SPOOL_SUFFIX)
    with path.open("w", encoding="ascii", newline="\n") as document, spool_path.open("w+", encoding="ascii", newline="\n") as spool:
        head = {
            "info": info,
            "licenses": [],
            "categories": [_category(category, number) for number, category in enumerate(categories, start=1)],
        }
        document.write(json.dumps(head)[:-1] + ', "images": [')
        image_separator = object_separator = "\n"
        for _, same_image in groupby(results, key=lambda pair: pair[0].image_id):
            pairs = list(same_image)
            image = _image([result for result, _ in pairs], several_roots=several_roots)
            if reviewed:
                image |= {"reviewed_by": pairs[0][0].reviewed_by, "reviewed_utc": pairs[0][0].reviewed_utc}
            document.write(image_separator + json.dumps(image))
            image_separator = ",\n"
            for result, objects in pairs:
                for found in objects:
                    annotation = _annotation(result, found, numbers[found.label, found.aphia_id])
                    if reviewed:
                        annotation |= {"origin": found.origin, "decided_by": found.decided_by}
                    spool.write(object_separator + json.dumps(annotation))
                    object_separator = ",\n"
        document.write('\n], "annotations": [')
        spool.seek(0)
        shutil.copyfileobj(spool, document, 1 << 16)
        document.write("\n]}\n")
    spool_path.unlink()


def _category(category: ExportCategory, number: int) -> dict[str, Any]:
    return {"id": number, "name": category.name, "supercategory": "", "aphia_id": category.aphia_id}


def _image(results: Sequence[ExportResult], *, several_roots: bool) -> dict[str, Any]:
    first = results[0]
    return {
        "id": first.image_id,
        "file_name": relative_name(first, several_roots=several_roots),
        "width": first.width_px,
        "height": first.height_px,
        "date_captured": first.capture_time_utc or first.capture_time_local or "",
        "capture_time_utc": first.capture_time_utc,
        "capture_time_local": first.capture_time_local,
        "sha256": first.sha256,
        "uuid": first.image_uuid,
        "path": first.path,
        "original": first.original,
        "runs": [_run(result) for result in results],
    }


def _run(result: ExportResult) -> dict[str, Any]:
    return {
        "run_uuid": result.run_uuid,
        "recipe": result.recipe,
        "recipe_sha256": result.recipe_sha256,
        "model": result.model,
        "model_version": result.model_version,
        "weights_sha256": result.weights_sha256,
        "precision": result.precision,
        "runtime": result.runtime,
        "score_threshold": result.score_threshold,
        "software_version": result.software_version,
    }


def _annotation(result: ExportResult, found: FoundObject, category_id: int) -> dict[str, Any]:
    width_px = found.x_max_px - found.x_min_px
    height_px = found.y_max_px - found.y_min_px
    return {
        "id": found.object_id,
        "image_id": result.image_id,
        "category_id": category_id,
        "bbox": [round(found.x_min_px, 3), round(found.y_min_px, 3), round(width_px, 3), round(height_px, 3)],
        "area": round(width_px * height_px, 3),
        "segmentation": [],
        "iscrowd": 0,
        **({} if found.score is None else {"score": round(found.score, 6)}),
        "counted": found.counted,
        "run_uuid": result.run_uuid,
    }
