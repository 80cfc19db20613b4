"""The table of crops that an imager made: each with its classes, their AphiaIDs, and what was measured of its particle."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edge.cells import Cell, CsvFile
from edge.errors import SettingsError
from edge.store.crops import KEPT_CLASSES, MeasuredCrop
from edge.zooscan.measure.derived import derive
from edge.zooscan.measure.features import MEASURED

_ABOUT = ("folder", "name", "image_uuid", "sha256", "model", "class", "aphia_id", "score")
_OTHERS = tuple(f"{what}_{place}" for place in range(2, KEPT_CLASSES + 1) for what in ("class", "aphia_id", "score"))
_PARTICLE = ("x_px", "y_px", "width_px", "height_px", "background_grey", "threshold_grey", "touches_edge")
_BOX = {"bx", "by", "width", "height"}
_MEASURES = tuple(feature.name for feature in MEASURED if feature.name not in _BOX)
_DERIVED = ("esd", "elongation", "range", "meanpos", "cv", "sr", "perimferet", "perimmajor", "circex")
# Lengths and areas that are told in micrometres as well, where a pixel's size is known.
_LENGTHS = ("esd", "major", "minor", "feret", "perim.")
_AREAS = ("area", "area_exc")


def write_crop_table(path: Path, crops: Iterable[MeasuredCrop], *, pixel_um: float | None = None) -> int:
    """Write the table, whole or not at all; returns how many rows it has.

    Args:
        path: of the CSV file.
        crops: what is told.
        pixel_um: side of a pixel of the imager, micrometres; with it, lengths and areas are told in micrometres too.

    Raises:
        SettingsError: the file cannot be written there.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    sized = () if pixel_um is None else (*(f"{name.removesuffix('.')}_um" for name in _LENGTHS), *(f"{name}_um2" for name in _AREAS))
    try:
        with CsvFile(unfinished, (*_ABOUT, *_OTHERS, *_PARTICLE, *_MEASURES, *_DERIVED, *sized)) as table:
            for crop in crops:
                table.write(_row(crop, pixel_um))
        descriptor = os.open(unfinished, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        advice = "Name a file in a folder that exists and has room."
        raise SettingsError(f"{path} cannot be written: {error.strerror}", advice=advice) from error
    return table.rows


def _row(crop: MeasuredCrop, pixel_um: float | None) -> list[Cell]:
    row: list[Cell] = [crop.folder, crop.name, crop.image_uuid, crop.sha256, crop.model]
    for place in range(KEPT_CLASSES):
        one = crop.classes[place] if place < len(crop.classes) else None
        row += [None, None, None] if one is None else [one.name, one.aphia_id, round(one.score, 4)]
    row += crop.box_px or (None, None, None, None)
    row += [crop.background_grey, crop.threshold_grey, None if crop.touches_edge is None else int(crop.touches_edge)]
    values = {**crop.measures, **_derived(crop.measures)}
    row += [_number(values.get(name)) for name in (*_MEASURES, *_DERIVED)]
    if pixel_um is not None:
        row += [_number(_times(values.get(name), pixel_um)) for name in _LENGTHS]
        row += [_number(_times(values.get(name), pixel_um**2)) for name in _AREAS]
    return row


def _derived(measures: dict[str, float]) -> dict[str, float]:
    if not measures:
        return {}
    table = {feature.name: np.array([measures.get(feature.name, math.nan)]) for feature in MEASURED}
    return {name: float(value[0]) for name, value in derive(table).items() if math.isfinite(value[0])}


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _number(value: float | None) -> Cell:
    if value is None:
        return None
    return int(value) if value == int(value) else round(value, 4)
