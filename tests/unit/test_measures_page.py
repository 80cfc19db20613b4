"""docs/zooscan-features.md: every measure is there, with its unit, its definition and how far it agrees."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from edge.zooscan.measure.derived import derive
from edge.zooscan.measure.features import DERIVED, IN_MM, MEASURED
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.segment import SegmentSettings, find_particles
from edge.zooscan.sizes import measures_in_mm
from models.workshop.scan.render import ScanOrder, render_sheet
from tools.measures_page import features_page


@pytest.fixture(scope="module")
def figures(checkout: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((checkout / "docs" / "zooscan-agreement.json").read_text(encoding="utf-8"))
    return loaded


def page(figures: dict[str, Any], folder: Path) -> list[str]:
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")
    return features_page("written by a program", folder / "figures.json").splitlines()


def row(lines: list[str], name: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_measure_has_a_row(figures: dict[str, Any], tmp_path: Path) -> None:
    lines = page(figures, tmp_path)
    for feature in MEASURED:
        assert row(lines, feature.legacy)[1:3] == [feature.unit, feature.definition]
    for name in (*DERIVED, *IN_MM):
        row(lines, name)


def test_what_is_documented_is_what_is_measured() -> None:
    sheet, _ = render_sheet(ScanOrder(seed=1, objects=3, width_px=1200, height_px=900, touching=0.0))
    table = measure_particles(list(find_particles(sheet, SegmentSettings())), SegmentSettings().pixel_mm)
    assert set(table) == {feature.name for feature in MEASURED}
    assert set(derive(table)) == set(DERIVED)
    first = {name: float(values[0]) for name, values in table.items()}
    assert set(measures_in_mm(first, SegmentSettings().pixel_mm)) == set(IN_MM)


def test_a_difference_is_told(figures: dict[str, Any], tmp_path: Path) -> None:
    other = copy.deepcopy(figures)
    other["legacy"]["measures"]["area"] = {"equal": 0.96, "largest": 12.5, "median": 0.0}
    assert row(page(figures, tmp_path), "Area")[3] == "equal"
    assert row(page(other, tmp_path), "Area")[3] == "96.00% equal, at most 12.5 off"


def test_the_figures_are_of_a_whole_measurement(figures: dict[str, Any]) -> None:
    assert (figures["legacy"]["objects"], figures["gold"]["objects"], figures["imagej"]["objects"]) == (225, 2, 1700)
    assert figures["imagej"]["same_area"] == figures["imagej"]["same_box"] == figures["imagej"]["imagej_objects"]
