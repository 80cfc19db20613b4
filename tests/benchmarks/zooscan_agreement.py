"""How far ZooScan's measures agree with the legacy software's and with ImageJ's: two tables, of real objects and of a whole rendered scan.

Usage: python -m tests.benchmarks.bench --only zooscan_agreement, or, to have the documentation's figures written anew,
python -m tests.benchmarks.zooscan_agreement --write (then `make docs`).

The real objects are not the project's to give: `IMAGINE_EDGE_SHARED_DATA` names the folder that has `zooscan/legacy_oracle` and
`zooscan/zooprocess_lib_gold`. What is not there, as ImageJ, is left out and told.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from edge.zooscan.measure.derived import derive
from edge.zooscan.measure.features import MEASURED
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.particle import Particle
from edge.zooscan.process.clean_file import write_clean
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2
from tests.benchmarks import imagej
from tests.benchmarks.scan_rendered import SETTINGS, cleaned, rendered_scan

DATA = Path(__file__).resolve().parents[2] / "docs" / "zooscan-agreement.json"
COMMAND = "python -m tests.benchmarks.bench --only zooscan_agreement"
PIXEL_MM = SegmentSettings().pixel_mm
# Tables have three decimals.
_ROUNDED = 0.0005 + 1e-9
_GOLD = ("13892_13563", "2855_223")
# Where a crop lies in its scan is not in the crop.
_PLACES = ("bx", "by", "xstart", "ystart")
# ImageJ's centre is the picture's, ours the box's.
_OF_PICTURE = {"x": "bx", "y": "by"}
# Measures that ImageJ has under our names.
_OF_IMAGEJ = (
    *(
        "Area",
        "Mean",
        "StdDev",
        "Mode",
        "Min",
        "Max",
        "X",
        "Y",
        "Perim.",
        "BX",
        "BY",
        "Width",
        "Height",
        "Major",
        "Minor",
        "Angle",
        "Circ.",
    ),
    *("Feret", "IntDen", "Median", "Skew", "Kurt", "XStart", "YStart"),
)

Table = dict[str, NDArray[np.float64]]


def zooscan_agreement(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Both tables, as figures by measure; they are printed on standard error too."""
    figures: dict[str, Any] = {"command": COMMAND, "measured": datetime.now(UTC).date().isoformat()}
    shared = _shared_data()
    if shared is None:
        figures["legacy"] = figures["gold"] = {"skipped": "no real objects: IMAGINE_EDGE_SHARED_DATA names no folder with them"}
    else:
        figures["legacy"], figures["gold"] = _against_legacy(shared / "legacy_oracle"), _against_gold(shared / "zooprocess_lib_gold")
    lacking = imagej.missing()
    figures["imagej"] = {"skipped": lacking} if lacking else _against_imagej(workspace, quick=quick)
    for line in _lines(figures):
        print(line, file=sys.stderr)
    return figures


def _shared_data() -> Path | None:
    folder = Path(os.environ.get("IMAGINE_EDGE_SHARED_DATA", "")) / "zooscan"
    return folder if (folder / "legacy_oracle").is_dir() and (folder / "zooprocess_lib_gold").is_dir() else None


def _against_legacy(folder: Path) -> dict[str, Any]:
    """The sheet of real objects and the table that Zooprocess 8.04 made of it."""
    found = list(find_particles(_grey(folder / "sheet_vis1.png"), SegmentSettings(whole_only=False)))
    rows = {(row["BX"], row["BY"]): row for row in _rows(folder / "sheet_meas.tsv")}
    pairs = [rows.get((str(one.x_px), str(one.y_px))) for one in found]
    if None in pairs or len(found) != len(rows):
        raise RuntimeError(f"{len(found)} objects found, {len(rows)} in the legacy table, or other boxes")
    table = measure_particles(found, PIXEL_MM)
    columns = {
        feature.name: _differences(table[feature.name], np.array([float(row[feature.legacy]) for row in pairs if row is not None]))
        for feature in MEASURED
    }
    return {"objects": len(found), "measures": columns}


def _against_gold(folder: Path) -> dict[str, Any]:
    """Two crops with their rows of the legacy table, and what EcoTaxa was told of them beside."""
    found, told, derived_told = [], [], []
    for crop in _GOLD:
        (one,) = find_particles(_grey(folder / f"crop_{crop}.png"), SegmentSettings(whole_only=False))
        found.append(one)
        told.append(_rows(folder / f"meas_{crop}.csv")[0])
        derived_told.append(_rows(folder / f"ecotaxa_{crop}.tsv")[1])
    table = _together([measure_particles([one], PIXEL_MM) for one in found])
    measures = {
        feature.name: _differences(table[feature.name], np.array([float(row[feature.legacy]) for row in told]))
        for feature in MEASURED
        if feature.name not in _PLACES
    }
    derived = {
        name: _differences(values, np.array([float(row[f"object_{name}"]) for row in derived_told]))
        for name, values in derive(table, legacy=True).items()
    }
    return {"objects": len(found), "measures": measures, "derived": derived}


def _against_imagej(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """A whole rendered scan, cleaned here; its objects as found here and by ImageJ's particle analyser."""
    settings = SETTINGS.segment
    clean = cleaned(rendered_scan(workspace, quick=quick))
    picture = workspace / "clean_for_imagej.tif"
    write_clean(picture, clean.image, settings.resolution_dpi)
    theirs = {(row["BX"], row["BY"], row["Width"], row["Height"]): row for row in imagej.particles(picture, settings)}
    picture.unlink()
    found = list(find_particles(clean.image, settings))
    ours: dict[tuple[float, ...], Particle] = {(one.x_px, one.y_px, one.width_px, one.height_px): one for one in found}
    both = [box for box in ours if box in theirs]
    table = measure_particles([ours[box] for box in both], PIXEL_MM)
    told = {name.lower(): np.array([theirs[box][name] for box in both]) for name in _OF_IMAGEJ}
    for name, origin in _OF_PICTURE.items():
        told[name] -= told[origin]
    told["%area"] = np.array([100.0 - theirs[box]["%Area"] for box in both])  # it gives what is dark, the legacy table what is not
    return {
        "version": "1.53t",
        "objects": len(ours),
        "imagej_objects": len(theirs),
        "same_box": len(both),
        "same_area": int((table["area"] == told["area"]).sum()),
        "only_here": [list(box) for box in ours if box not in theirs],
        "only_imagej": [list(box) for box in theirs if box not in ours],
        "measures": {name: _differences(table[name], values) for name, values in told.items()},
    }


def _differences(ours: NDArray[np.float64], told: NDArray[np.float64]) -> dict[str, float]:
    """The share that is equal to three decimals, and by how much the others differ."""
    apart = np.abs(ours - told)
    return {
        "equal": round(float((apart <= _ROUNDED).mean()), 4),
        "largest": round(float(apart.max()), 4),
        "median": round(float(np.median(apart)), 4),
    }


def _together(tables: list[Table]) -> Table:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def _grey(path: Path) -> UInt8Array:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise RuntimeError(f"{path} could not be read")
    return np.asarray(picture, np.uint8)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="latin-1", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    """Both tables for a person."""
    for name, title in (("legacy", "Zooprocess 8.04, real objects"), ("gold", "gold crops"), ("imagej", "ImageJ 1.53t, a rendered scan")):
        part = figures[name]
        yield ""
        if "skipped" in part:
            yield f"{title}: left out, {part['skipped']}"
            continue
        yield f"{title}: {part['objects']} objects"
        if name == "imagej":
            yield f"  ImageJ found {part['imagej_objects']}; same box {part['same_box']}, same area {part['same_area']}"
            yield from (f"  only {key.removeprefix('only_')}: {box}" for key in ("only_here", "only_imagej") for box in part[key])
        yield f"  {'measure':<14}{'equal at 3 decimals':>20}{'largest':>12}{'median':>12}"
        for measure, apart in (*part["measures"].items(), *part.get("derived", {}).items()):
            yield f"  {measure:<14}{apart['equal']:>20.2%}{apart['largest']:>12g}{apart['median']:>12g}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="imagine-edge-bench-") as place:
        measured = zooscan_agreement(Path(place), quick=False)
    if "--write" in sys.argv[1:]:
        if any("skipped" in part for part in measured.values() if isinstance(part, dict)):
            sys.exit("not written: a part was left out")
        DATA.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
