"""Scans as the exports get them, made by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from edge.export.zooscan.columns import DERIVED, MEASURES
from edge.export.zooscan.values import ExportLabel, ExportObject, ExportRun, ExportScan

STATED = {
    "sampleid": "tow_1",
    "scanop": "anna",
    "ship": "thalassa",
    "fracid": "d1_1_sur_2",
    "fracmin": "1000",
    "fracsup": "2000",
    "fracnb": "4",
    "submethod": "motoda",
    "netmesh": "500",
    "zmin": "312",
    "zmax": "419",
    "vol": "203,5",
    "nb_jar": "1",
}
LOG = {"hardware": "Hydroptic_V3", "bitsperpixel": "3", "scanresolution": "3", "xsize": "29064"}
CALANUS = ExportLabel(
    category="Calanoida",
    category_id="45074",
    hierarchy="living>Crustacea>Copepoda>Calanoida",
    status="validated",
    labelled_by="Anna Ray",
    labelled_at="2026-11-22T10:00:00+01:00",
)

RUN = ExportRun(
    uuid="0193-run",
    raw_sha256="ab" * 32,
    settings_sha256="cd" * 32,
    software_version="0.1.0",
    width_px=400,
    height_px=300,
    resolution_dpi=2400,
    pixel_mm=25.4 / 2400,
    upper_grey=243,
    min_esd_mm=0.3,
    max_esd_mm=100,
    grey_min=599,
    grey_max=50043,
    grey_median=43516.45,
    od_range=1.8,
    ratio=1.15,
    background="20250121_1031_background_large_manual.tif",
    black_share=0.0868,
    model="zooscan-multiples 0.1.0",
    model_sha256="ef" * 32,
    threshold=0.4,
    separator="watershed",
    finished_at=datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC),
    signed_by="anna",
    signed_at=datetime(2026, 11, 22, 5, 0, 0, tzinfo=UTC),
)


def vignettes(folder: Path, count: int) -> Path:
    """A zip of small PNGs, `0.png` ..."""
    path = folder / "vignettes.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            data = io.BytesIO()
            Image.fromarray(np.full((40 + number, 60), 200, np.uint8)).save(data, "PNG")
            archive.writestr(f"{number}.png", data.getvalue())
    return path


def an_object(number: int, picture: tuple[Path, str], **changes: object) -> ExportObject:
    """One object, its box in a row with the others."""
    measures = {name: float(place) + number / 8 for place, (name, decimals) in enumerate(MEASURES) if decimals is not None}
    derived = {name: 1 / (place + 3) for place, name in enumerate(DERIVED)}
    one = ExportObject(
        key=f"x{40 * number:X}yAwCh8",
        number=number,
        x_px=40 * number,
        y_px=10,
        width_px=12,
        height_px=8,
        measures=measures,
        derived=derived,
        measures_mm={"major_mm": 0.4, "minor_mm": 0.2, "esd_mm": 0.3},
        multiple_score=0.25,
        decision="single",
        decided_by="model",
        cut_from=None,
        label=None,
        vignette=picture,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def a_scan(folder: Path, count: int = 3, *, objects: Iterable[ExportObject] | None = None, **changes: object) -> ExportScan:
    """A scan with so many objects."""
    archive = vignettes(folder, count)
    found = tuple(an_object(number + 1, (archive, f"{number}.png")) for number in range(count)) if objects is None else tuple(objects)
    scan = ExportScan(
        name="tow_1_d1_1_sur_2_1",
        project="apero",
        instrument="zooscan_sn033",
        stated=STATED,
        log=LOG,
        latitude_deg=47.846,
        longitude_deg=-15.437,
        latitude_end_deg=47.819,
        longitude_end_deg=None,
        at_utc=datetime(2023, 6, 26, 8, 28),
        depth_min_m=312,
        depth_max_m=419,
        scanned_at=datetime(2025, 1, 21, 12, 51),
        run=RUN,
        objects=found,
    )
    return replace(scan, **changes)  # type: ignore[arg-type]
