"""Vignettes: the object in the middle, a bar of a millimetre below, the resolution told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edge.zooscan.process.vignette import jpeg_of_vignette, legacy_jpeg, vignette, vignette_png
from models.runtime.vision import cv2

FOOTER = 31


def rough(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(width * 1000 + height).integers(0, 244, (height, width), dtype=np.uint8)


@given(st.integers(1, 700), st.integers(1, 500), st.sampled_from([600.0, 1200.0, 2400.0, 4800.0]))
def test_the_object_is_in_the_middle_above_the_footer(width: int, height: int, dpi: float) -> None:
    alone = rough(width, height)
    canvas = vignette(alone, dpi)
    assert canvas.shape == (round(1.4 * height + FOOTER), round(max(1.4 * width, dpi / 25.4 + 20)))
    above = canvas[:-FOOTER]
    top, left = (above.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    assert (above[top : top + height, left : left + width] == alone).all()
    assert (above < 255).sum() == width * height


@pytest.mark.parametrize(("dpi", "bar"), [(2400.0, 96), (1200.0, 49), (4800.0, 190), (600.0, 25)])
def test_the_bar_is_a_millimetre_at_every_resolution(dpi: float, bar: int) -> None:
    canvas = vignette(rough(20, 20), dpi)
    height = canvas.shape[0]
    assert (canvas[height - 5 : height - 3, 9 : 9 + bar] == 85).all()
    assert (canvas[height - 3 :] == 255).all()
    assert (canvas[height - 5 : height - 3, 9 + bar :] == 255).all()
    assert (canvas[height - 5 : height - 3, :9] == 255).all()
    text = canvas[height - 16 : height - 9]
    assert set(np.unique(text)) == {85, 255}
    assert (np.flatnonzero((text < 255).any(axis=0))[[0, -1]] == (11, 32)).all()


def test_the_files_say_their_resolution_and_are_the_same_for_the_same_pixels() -> None:
    alone = rough(50, 40)
    png = vignette_png(alone, 2400)
    assert png == vignette_png(alone.copy(), 2400)
    picture = Image.open(io.BytesIO(png))
    picture.verify()
    assert picture.info["dpi"] == pytest.approx((2400, 2400), abs=0.02)
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert (decoded == vignette(alone, 2400)).all()
    for jpeg in (legacy_jpeg(alone, 2400), jpeg_of_vignette(vignette(alone, 2400), 2400)):
        picture = Image.open(io.BytesIO(jpeg))
        assert (picture.format, picture.mode) == ("JPEG", "L")
        assert picture.info["dpi"] == (2400, 2400)
    seen = np.asarray(Image.open(io.BytesIO(legacy_jpeg(alone, 2400))))
    assert seen[-5:-3, 9:105].max() <= 3
    assert np.abs(seen.astype(int) - vignette(alone, 2400, 0)).max() <= 6


def test_the_footer_is_that_of_real_vignettes(shared_data: Path) -> None:
    folder = shared_data / "zooscan" / "ml_template_vignettes" / "images"
    if not folder.is_dir():
        pytest.skip("no vignettes of the legacy software")
    same = 0
    for path in sorted(folder.iterdir())[:50]:
        real = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert real is not None
        footer = vignette(np.full((40, max(1, round(real.shape[1] / 1.4) - 20)), 255, np.uint8), 2400, 0)[-FOOTER:]
        # Zooprocess cuts its canvas's height to a whole number, and places the bar by the height that it had before.
        same += any((np.roll(real[-FOOTER:, :110] < 128, shift, axis=0)[14:] == (footer[:, :110] < 128)[14:]).all() for shift in (0, 1))
    assert same == 50
