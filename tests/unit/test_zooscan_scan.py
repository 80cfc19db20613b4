"""From raw scan to clean picture: greys, background, frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.zooscan.background import combine_backgrounds, enlarged_rows, smooth_background, without_background
from edge.zooscan.frame import clear_frame, find_frame
from edge.zooscan.grey import GreySettings, GreyWindow, convert_upright, find_window, grey_table


def scan_of(seed: int, height: int = 400, width: int = 300) -> NDArray[np.uint16]:
    chance = np.random.default_rng(seed)
    return chance.integers(30_000, 40_000, (height, width), dtype=np.uint16)


def test_the_window_follows_from_the_median_of_the_glass() -> None:
    raw = np.full((400, 300), 40_000, np.uint16)
    raw[::2] = 41_000  # as many of each: the first grey that more than half do not exceed
    window = find_window(lambda top, bottom: raw[top:bottom], 400, 300, GreySettings())
    assert window == GreyWindow(median=41_000.0, darkest=int(41_000 / (10**1.8 * 1.15)), brightest=int(41_000 * 1.15))


@given(st.integers(1_000, 60_000))
@settings(max_examples=50, deadline=None)
def test_the_table_rises_from_black_to_white(median: int) -> None:
    window = GreyWindow(median=median, darkest=int(median / (10**1.8 * 1.15)), brightest=min(65_536, int(median * 1.15)))
    table = grey_table(window)
    assert (table[0], table[-1]) == (0, 255)
    assert (np.diff(table.astype(int)) >= 0).all()
    for grey in (window.darkest, median, window.brightest - 1):
        told = min(255, int((grey - window.darkest) * 256 / (window.brightest - window.darkest + 1) + 0.5))
        assert table[min(grey, 65_535)] == told


@given(st.integers(0, 1_000), st.integers(1, 90))
@settings(max_examples=20, deadline=None)
def test_a_scan_is_turned_clockwise_and_upside_down(seed: int, rows_together: int) -> None:
    raw = scan_of(seed, 61, 40)
    table = (np.arange(65_536) >> 8).astype(np.uint8)
    upright = convert_upright(lambda top, bottom: raw[top:bottom], 61, 40, table, rows_together=rows_together, threads=1 + seed % 2)
    assert (upright == np.flipud(np.rot90((raw >> 8).astype(np.uint8), -1))).all()


def test_two_backgrounds_are_halved_each_by_itself_and_never_overflow() -> None:
    first, second = np.array([[0, 1, 2, 255]], np.uint8), np.array([[0, 1, 5, 255]], np.uint8)
    assert combine_backgrounds(first, second).tolist() == [[0, 2, 4, 255]]


def enlarged_by_the_formula(small: NDArray[np.uint8], ratio: int) -> NDArray[np.uint8]:
    """ImageJ 1.41's bilinear resize, pixel by pixel in floating point."""
    height, width = small.shape
    y, x = np.arange(height * ratio) / ratio - 0.5, np.arange(width * ratio) / ratio - 0.5
    y = np.where(y >= height - 1, height - 1.001, np.maximum(y, 0))
    x = np.where(x >= width - 1, width - 1.001, np.maximum(x, 0))
    row, column = y.astype(int), x.astype(int)
    down, right = (y - row)[:, None], (x - column)[None]
    greys = small.astype(float)
    lower = greys[row][:, column] + right * (greys[row][:, column + 1] - greys[row][:, column])
    upper = greys[row + 1][:, column] + right * (greys[row + 1][:, column + 1] - greys[row + 1][:, column])
    return np.asarray(lower + down * (upper - lower) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_the_background_is_enlarged_as_imagej_does(ratio: int) -> None:
    small = np.random.default_rng(ratio).integers(0, 256, (30, 40), dtype=np.uint8)
    told = enlarged_by_the_formula(small, ratio)
    rows = np.concatenate([enlarged_rows(small, ratio, top, min(top + 37, 30 * ratio)) for top in range(0, 30 * ratio, 37)])
    inner = (slice(0, 29 * ratio), slice(0, 39 * ratio))
    assert (rows[inner] == told[inner]).all()
    assert np.abs(rows.astype(int) - told).max() <= 1  # ImageJ stops a thousandth of a pixel before the last one


def test_the_background_is_smoothed_by_a_disc_of_37_pixels_and_cut_at_the_bottom_right() -> None:
    background = np.zeros((20, 20), np.uint8)
    background[10, 10] = 37 * 5
    smooth = smooth_background(background, (120, 144), 8)
    assert smooth.shape == (15, 18)
    assert int((smooth > 0).sum()) == 37
    assert smooth.max() == 5
    assert smooth[5, 8] == 5


def test_what_differs_from_the_glass_is_dark_whichever_way() -> None:
    scan = np.full((64, 80), 200, np.uint8)
    scan[20, 20], scan[30, 30] = 150, 230
    seen = without_background(scan, np.full((7, 10), 200, np.uint8), 8, rows_together=10, threads=2)
    assert seen.shape == (56, 80)
    assert (seen[20, 20], seen[30, 30], seen[5, 5]) == (205, 225, 255)


def framed(height: int = 1500, width: int = 2500) -> NDArray[np.uint8]:
    image = np.full((height, width), 200, np.uint8)
    image[:40], image[-35:], image[:, :52], image[:, -110:] = 100, 100, 100, 100
    return image


def test_the_frame_is_found_within_a_strip_and_cleared() -> None:
    image = framed()
    limits = find_frame(image, 2400)
    assert 40 <= limits.top <= 50
    assert 1500 - 55 <= limits.bottom <= 1500 - 35
    assert 52 <= limits.left <= 62
    assert 2500 - 130 <= limits.right <= 2500 - 110
    assert limits.missing == ()
    cleared = clear_frame(image, limits)
    assert cleared.shape == (1500, limits.right + (2500 - limits.right) // 10)
    assert set(np.unique(cleared)) == {0, 200, 255}
    assert (cleared[:, limits.left] == 0).sum() == 1500 - 3
    assert (cleared[: limits.top, limits.left + 1 : limits.right] == 255).all()


def test_the_limit_of_grey_is_rounded_as_imagej_rounds() -> None:
    image = np.full((1500, 2500), 209, np.uint8)  # nine tenths are 188.1
    image[:, -110:] = 188
    assert find_frame(image, 2400).missing == ("left", "top", "right", "bottom")
    image[image == 209] = 208  # 187.2
    image[:, -110:] = 187
    assert "right" in find_frame(image, 2400).missing
    image[image == 208] = 207  # 186.3
    image[:, -110:] = 186
    assert "right" in find_frame(image, 2400).missing
    image[image == 207] = 211  # 189.9
    image[:, -110:] = 189
    assert find_frame(image, 2400).right < 2500, "190 is the limit, not 189"


@pytest.mark.parametrize(("resolution_dpi", "step_px"), [(2400, 10), (2280, 10), (1200, 5)])
def test_a_strip_is_a_240th_of_an_inch_rounded(resolution_dpi: float, step_px: int) -> None:
    image = np.full((1500, 2500), 200, np.uint8)
    image[:, -110:] = 100
    begin = max(2500 * 0.75, 2500 - resolution_dpi / 2)
    right = find_frame(image, resolution_dpi).right
    assert (right - begin) % step_px == 0


def test_a_side_without_a_frame_keeps_the_limit_of_the_scan() -> None:
    image = framed()
    image[:, :52] = 200
    limits = find_frame(image, 2400)
    assert (limits.left, limits.missing) == (0, ("left",))
