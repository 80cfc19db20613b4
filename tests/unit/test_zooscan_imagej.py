"""Objects are those that ImageJ's particle analyser finds, to the pixel: on ragged, nested, cut off ones, and on drawn plankton."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.zooscan.measure.table import measure_particles
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2
from models.workshop.scan.render import ScanOrder, render_sheet
from tests.benchmarks import imagej

pytestmark = pytest.mark.skipif(imagej.missing() is not None, reason=f"ImageJ cannot be asked: {imagej.missing()}")

# Measures that ImageJ 1.53t computes as 1.41o did, and of the same thing.
SAME = ("Area", "Mean", "StdDev", "Mode", "Min", "Max", "Major", "Minor", "Angle", "Feret", "IntDen", "Median", "Skew", "Kurt")


def ragged(seed: int) -> NDArray[np.uint8]:
    """Clouds of all sizes, many of them inside holes of others and at the edge of the picture."""
    chance = np.random.default_rng(seed)
    cloud = cv2.GaussianBlur(chance.random((700, 900)).astype(np.float32), (0, 0), chance.uniform(1.0, 5.0))
    even = (cloud - cloud.mean()) / cloud.std()
    return np.asarray(np.clip(243 + 40 * (even - chance.uniform(-1.0, 0.3)), 0, 255), np.uint8)


@pytest.mark.parametrize(("seed", "min_esd_mm"), [(1, 0.0), (3, 0.12), (4, 0.0), (5, 0.12)])
def test_boxes_and_areas_are_imagejs(tmp_path: Path, seed: int, min_esd_mm: float) -> None:
    picture, settings = ragged(seed), SegmentSettings(min_esd_mm=min_esd_mm)
    cv2.imwrite(str(tmp_path / "ragged.png"), picture)
    told = sorted(
        tuple(int(row[name]) for name in ("BX", "BY", "Width", "Height", "Area"))
        for row in imagej.particles(tmp_path / "ragged.png", settings)
    )
    found = find_particles(picture, settings, rows_together=150 + 50 * seed)
    assert sorted((one.x_px, one.y_px, one.width_px, one.height_px, int(one.filled.sum())) for one in found) == told
    assert len(told) > 50


def test_measures_of_drawn_plankton_are_imagejs(tmp_path: Path) -> None:
    settings = SegmentSettings()
    sheet, truth = render_sheet(ScanOrder(seed=6, objects=25, width_px=2500, height_px=1500))
    cv2.imwrite(str(tmp_path / "sheet.png"), sheet)
    told = {(row["BX"], row["BY"]): row for row in imagej.particles(tmp_path / "sheet.png", settings)}
    found = list(find_particles(sheet, settings))
    assert len(found) == len(truth) == len(told)
    table = measure_particles(found, settings.pixel_mm)
    for number, one in enumerate(found):
        row = told[one.x_px, one.y_px]
        assert [table[name.lower()][number] for name in SAME] == pytest.approx([row[name] for name in SAME], abs=2e-6), one.x_px
