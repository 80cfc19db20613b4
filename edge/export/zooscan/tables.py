"""A scan's objects as a plain table, and the list of ids that are no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge.cells import Cell, CsvFile
from edge.export.zooscan.columns import DERIVED, MEASURES
from edge.export.zooscan.table import picture_name
from edge.export.zooscan.values import ExportLabel, ExportObject, ExportScan, RetiredObject

_MEASURED = tuple(name for name, decimals in MEASURES if decimals is not None)
_BOX = ("bx", "by", "width", "height")
UNITS_PX = {"area": "px2", "area_exc": "px2", "skelarea": "px2", "convarea": "px2", "intden": "grey px2", "angle": "deg", "%area": "%"}
_GREYS = frozenset(("mean", "stddev", "mode", "min", "max", "median", "histcum1", "histcum2", "histcum3", "fcons", "range"))
_LENGTHS = frozenset(
    (
        *("x", "y", "xm", "ym", "perim.", "bx", "by", "width", "height", "major", "minor", "feret", "xstart", "ystart", "convperim"),
        *("esd", "centroids"),
    )
)
_NO_LABEL = ExportLabel(category="", category_id=None, hierarchy=None, status="", labelled_by=None, labelled_at=None)


def unit_of(name: str) -> str:
    """The unit of a measure or a derived figure; "" for a plain number."""
    return UNITS_PX.get(name) or ("grey" if name in _GREYS else "px" if name in _LENGTHS else "%" if name in {"cv", "sr"} else "")


def object_columns(scan: ExportScan) -> tuple[str, ...]:
    """The columns of the table of objects; a measure's unit is in its name."""
    millimetres = tuple(scan.objects[0].measures_mm) if scan.objects else ()
    return (
        *("object_id", "key", "number", "picture"),
        *(_column(name) for name in (*_MEASURED, *DERIVED)),
        *millimetres,
        *("multiple_score", "decision", "decided_by", "cut_from"),
        *("category", "category_id", "hierarchy", "category_status", "labelled_by", "labelled_at"),
        *("project", "scan", "sample_id", "fraction_id", "instrument", "signed_by", "signed_utc"),
        *("run_uuid", "raw_sha256", "software_version", "settings_sha256", "pixel_mm", "multiple_model", "model_sha256"),
        *("multiple_threshold", "separator"),
    )


def described_columns(scan: ExportScan, definitions: Mapping[str, str]) -> list[dict[str, str]]:
    """The columns as a sidecar tells them: name, unit, and what it is where a measure's name does not say.

    Args:
        scan: whose table it is.
        definitions: of measures and derived figures, by their names.
    """
    measures = {_column(name): name for name in (*_MEASURED, *DERIVED)}
    told = []
    for column in object_columns(scan):
        name = measures.get(column)
        unit = unit_of(name) if name else next((unit for end, unit in _MM.items() if column.endswith(end)), "")
        told.append({"name": column, "unit": unit, "description": definitions.get(name or "", "") or _DESCRIPTIONS.get(column, "")})
    return told


_MM = {"_mm": "mm", "_mm2": "mm2", "_mm3": "mm3"}
_DESCRIPTIONS = {
    "object_id": "EcoTaxa's id: scan and key.",
    "key": "From the object's box in the scan.",
    "number": "In the scan's order; Zooprocess's pictures have it.",
    "picture": "Its name in EcoTaxa's import zip.",
    "ellipsoid_mm3": "4/3 pi (major/2) (minor/2)^2.",
    "sphere_mm3": "4/3 pi (ESD/2)^3.",
    "multiple_score": "The classifier's, 0 to 1; empty: none looked.",
    "decision": "single or multiple; empty: neither a model nor a person said.",
    "decided_by": "model, or who.",
    "cut_from": "Key of the object that it was a part of.",
    "category": "As it last came back from EcoTaxa; empty: nothing did.",
    "category_status": "predicted, validated, dubious or discarded.",
    "signed_by": "Who signed the scan's check; empty: nobody.",
    "pixel_mm": "Side of a pixel.",
    "multiple_threshold": "Above this score the model says multiple.",
}


def _column(name: str) -> str:
    unit = unit_of(name).replace(" ", "_").replace("%", "percent")
    plain = name.replace("%", "holes_").rstrip(".")
    return f"{plain}_{unit}" if unit and unit not in plain else plain


def write_objects(path: Path, scan: ExportScan) -> int:
    """Write the table of a scan's objects; returns how many rows."""
    run = scan.run
    shared: tuple[Cell, ...] = (
        *(scan.project, scan.name, scan.sample_id, scan.stated.get("fracid", ""), scan.instrument),
        *(run.signed_by, f"{run.signed_at:%Y-%m-%dT%H:%M:%SZ}" if run.signed_at else None),
        *(run.uuid, run.raw_sha256, run.software_version, run.settings_sha256, round(run.pixel_mm, 6), run.model, run.model_sha256),
        *(run.threshold, run.separator),
    )
    with CsvFile(path, object_columns(scan)) as table:
        for one in scan.objects:
            table.write((*_object_cells(scan, one), *shared))
        return table.rows


def _object_cells(scan: ExportScan, one: ExportObject) -> tuple[Cell, ...]:
    box = dict(zip(_BOX, (one.x_px, one.y_px, one.width_px, one.height_px), strict=True))
    label = one.label or _NO_LABEL
    return (
        *(scan.object_id(one.key), one.key, one.number, picture_name(scan, one)),
        *(box[name] if name in box else _cell(one.measures.get(name)) for name in _MEASURED),
        *(_cell(one.derived.get(name)) for name in DERIVED),
        *(_cell(value) for value in one.measures_mm.values()),
        *(_cell(one.multiple_score), one.decision, one.decided_by, one.cut_from),
        *(label.category, label.category_id, label.hierarchy, label.status, label.labelled_by, label.labelled_at),
    )


def _cell(value: float | None) -> Cell:
    """A number of six decimals; nothing for what is not defined."""
    if value is None or math.isnan(value):
        return None
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) and math.isfinite(rounded) else rounded


def write_retired(path: Path, scan: ExportScan, retired: Sequence[RetiredObject]) -> int:
    """Write the ids under which objects may have been exported before, and that stand for none now; returns how many."""
    with CsvFile(path, ("object_id", "retired_utc", "why", "became")) as table:
        for one in retired:
            table.write((scan.object_id(one.key), one.retired_utc, one.why, " ".join(scan.object_id(key) for key in one.became)))
        return table.rows
