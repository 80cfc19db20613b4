"""Measures of objects against plain definitions written a second time, and against what the legacy software gave for real ones."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.zooscan.measure.derived import derive
from edge.zooscan.measure.fractal import fractal_dimensions
from edge.zooscan.measure.outline import convex_hull, edge_lengths, feret_px, hull_area_and_perimeter_px, perimeter_px
from edge.zooscan.measure.shape import figure_of
from edge.zooscan.measure.skeleton import _TABLE, skeleton_area_px
from edge.zooscan.measure.symmetry import _laid_along
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.particle import Particle
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

ANY_SIZE = SegmentSettings(min_esd_mm=0.0, whole_only=False)
# Greys of the legacy table are written with three decimals.
ROUNDED = 0.0005 + 1e-9
# Nb3 is 0 in every legacy table; these are 0 in the macro's version 8 for every object.
NEVER_MEASURED = {"XMg5", "YMg5", "Compentropy", "Compmean", "Compslope", "CompM1", "CompM2", "CompM3"}
PIXEL_MM = 25.4 / 2400


def blob(seed: int, side: int = 24) -> NDArray[np.uint8]:
    """A picture with odd forms: noise, smoothed a little, dark on white."""
    chance = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(chance.random((side, side)).astype(np.float32), (0, 0), chance.uniform(0.6, 2.5))
    dark = rough < np.quantile(rough, chance.uniform(0.2, 0.6))
    return np.where(dark, chance.integers(0, 244, rough.shape), 255).astype(np.uint8)


def particles_of(seed: int) -> list[Particle]:
    return list(find_particles(blob(seed), ANY_SIZE))


def traced(filled: NDArray[np.bool_]) -> list[int]:
    """Pixels along each straight edge of the border, walked along the edges of pixels with the object on the right."""
    padded = np.pad(filled, 1)
    x, y, heading = int(filled[0].argmax()), 0, (1, 0)
    start, lengths, turned = (x, y), [0], False
    while True:
        x, y = x + heading[0], y + heading[1]
        lengths[-1] += 1
        ahead_left = padded[y + (heading[1] - 1 - heading[0]) // 2 + 1, x + (heading[0] - 1 + heading[1]) // 2 + 1]
        ahead_right = padded[y + (heading[1] - 1 + heading[0]) // 2 + 1, x + (heading[0] - 1 - heading[1]) // 2 + 1]
        if ahead_left:
            heading, turned = (heading[1], -heading[0]), True
        elif not ahead_right:
            heading, turned = (-heading[1], heading[0]), True
        if (x, y) == start and heading == (1, 0):
            return lengths
        if turned:
            lengths.append(0)
            turned = False


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_border_has_the_edges_of_a_walk_along_it(seed: int) -> None:
    for one in particles_of(seed):
        assert edge_lengths(one.chain).tolist() == traced(one.filled)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_no_two_corners_a_pixel_apart_are_both_cut(seed: int) -> None:
    for one in particles_of(seed):
        cut, corners = False, 0
        for length in traced(one.filled):
            cut = length > 1 or not cut
            corners += cut
        assert perimeter_px(one.chain) == pytest.approx(sum(traced(one.filled)) - corners * (2 - math.sqrt(2)))


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_feret_is_the_largest_distance_between_corners_of_pixels(seed: int) -> None:
    for one in particles_of(seed):
        y, x = np.nonzero(one.filled)
        corners = np.concatenate([np.stack([x + dx, y + dy], axis=1) for dx in (0, 1) for dy in (0, 1)])
        apart = ((corners[:, None] - corners[None]) ** 2).sum(axis=2).max()
        assert feret_px(convex_hull(one.chain)) == pytest.approx(math.sqrt(apart))


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_drawn_hull_is_the_true_one_but_for_its_edge(seed: int) -> None:
    for one in particles_of(seed):
        hull = convex_hull(one.chain)
        area, perimeter = hull_area_and_perimeter_px(hull)
        true_area = cv2.contourArea(hull.reshape(-1, 1, 2)) + cv2.arcLength(hull.reshape(-1, 1, 2), closed=True) / 2 + 1
        assert abs(area - true_area) <= 0.5 * perimeter + 1
        assert perimeter <= area


def far_from(zero: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Chamfer distances by relaxing every pixel until nothing changes."""
    steps = [
        (dx, dy, {1: 41, 2: 58, 5: 92}[dx * dx + dy * dy]) for dx in range(-2, 3) for dy in range(-2, 3) if dx * dx + dy * dy in (1, 2, 5)
    ]
    distance = np.where(zero, 0, 10**6).astype(np.int64)
    while True:
        padded = np.pad(distance, 2, constant_values=10**6)
        height, width = distance.shape
        nearer = np.minimum.reduce(
            [distance, *(padded[2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width] + cost for dx, dy, cost in steps)]
        )
        if (nearer == distance).all():
            return distance
        distance = nearer


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_fractal_dimension_is_that_of_whole_canvases(seed: int) -> None:
    found = particles_of(seed)
    widths = np.array(sorted({round(1.1**power) for power in range(1, 41)}))
    for one, dimension in zip(found, fractal_dimensions(found), strict=True):
        high, wide = one.holed.shape
        canvas = np.zeros((4 * high, 4 * wide), np.bool_)
        above, left = (4 * high - high) // 2, (4 * wide - wide) // 2
        canvas[above : above + high, left : left + wide] = one.holed
        pixels = (far_from(~canvas) + far_from(canvas) + 20) // 41
        areas = [float((pixels <= width).sum()) for width in widths]
        assert dimension == pytest.approx(2 - np.log(areas).std(ddof=1) / np.log(2.0 * widths).std(ddof=1))


def test_a_skeleton_of_a_line_is_the_line_and_of_a_bar_is_thin() -> None:
    line = np.zeros((5, 40), np.bool_)
    line[2, 3:37] = True
    bar = np.zeros((20, 60), np.bool_)
    bar[3:17, 3:57] = True
    assert skeleton_area_px(line) == line.sum()
    assert 54 - 14 <= skeleton_area_px(bar) <= 54 + 14


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_skeleton_is_what_looking_every_pixel_up_leaves(seed: int) -> None:
    for one in particles_of(seed):
        left = np.pad(one.holed, 2)
        went = True
        while went:
            for goes_for in (1, 2):
                gone = [pixel for pixel in zip(*np.nonzero(left), strict=True) if int(_TABLE[around(left, *pixel)]) & goes_for]
                for y, x in gone:
                    left[y, x] = False
                went = bool(gone)
        assert skeleton_area_px(one.holed) == left.sum()


def around(left: NDArray[np.bool_], y: int, x: int) -> int:
    """The number of a pixel's neighbourhood: top left is 1, then clockwise."""
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    return sum(int(left[y + down, x + across]) << bit for bit, (down, across) in enumerate(ring))


@given(st.integers(0, 10_000), st.sampled_from([(1, 1), (1, 3), (3, 1)]))
@settings(max_examples=10, deadline=None)
def test_an_object_is_turned_as_all_its_pixels_would_be(seed: int, larger: tuple[int, int]) -> None:
    for one in (one for one in particles_of(seed) if one.holed.size > 1):
        holed = one.holed.repeat(larger[0], axis=0).repeat(larger[1], axis=1)
        border = np.stack(np.nonzero(holed)[::-1], axis=1).astype(np.int32)
        figure = figure_of(holed.view(np.uint8))
        lying = _laid_along(holed, border, figure)
        whole = turned_on_paper(holed, figure.x, figure.y, figure.angle_deg)
        top, left = (lying.side - lying.seen.shape[0]) // 2, lying.first_column
        assert whole.shape == (lying.side, lying.side)
        assert np.array_equal(whole[top : lying.side - top, left : lying.side - left], lying.seen)
        whole[top : lying.side - top, left : lying.side - left] = 0
        assert not whole.any()


def turned_on_paper(holed: NDArray[np.bool_], middle_x: float, middle_y: float, angle_deg: float) -> NDArray[np.uint8]:
    """An object in the middle of its square, turned pixel by pixel (ImageJ 1.41o, `ByteProcessor.rotate`, bilinear)."""
    diagonal = 1.2 * math.hypot(*holed.shape[::-1])
    side = int(diagonal)
    left, top = max(0, int(diagonal / 2 - middle_x)), max(0, int(diagonal / 2 - middle_y))
    paper = np.zeros((side + 1, side + 1))
    pasted = holed[: side - top, : side - left]
    paper[top : top + pasted.shape[0], left : left + pasted.shape[1]] = 255.0 * pasted
    turned = -math.radians(round(angle_deg + 180.0, 4))
    cosine, sine, middle = math.cos(turned), math.sin(turned), (side - 1) / 2
    found = np.zeros((side, side), np.uint8)
    for row in range(side):
        for column in range(side):
            x = column * cosine + ((middle * sine - middle * cosine) - row * sine + middle)
            y = column * sine + ((-middle * sine - middle * cosine) + row * cosine + middle)
            if -0.01 <= x < side and -0.01 <= y < side:
                x, y = min(max(x, 0.0), side - 1.001), min(max(y, 0.0), side - 1.001)
                upper, lower = paper[int(y) : int(y) + 2, int(x) : int(x) + 2]
                above = upper[0] + (x - int(x)) * (upper[1] - upper[0])
                below = lower[0] + (x - int(x)) * (lower[1] - lower[0])
                found[row, column] = int(above + (y - int(y)) * (below - above) + 0.5)
    return found


@pytest.mark.parametrize(("across", "down", "angle"), [(0, 0, 0.0), (9, 0, 0.0), (0, 9, 90.0)])
def test_an_object_that_is_the_same_on_both_sides_lies_along_an_axis(across: int, down: int, angle: float) -> None:
    y, x = np.mgrid[-100:101, -100:101]
    for radius in range(3, 60):
        inside = (x / (radius + across)) ** 2 + (y / (radius + down)) ** 2 <= 1
        left, top = 100 - radius - across, 100 - radius - down
        assert figure_of(inside[top:, left:].astype(np.uint8)).angle_deg == angle, radius


def test_an_object_of_one_pixel_is_measured_and_what_it_has_not_is_not_a_number() -> None:
    image = np.full((5, 5), 255, np.uint8)
    image[2, 2] = 100
    table = measure_particles(list(find_particles(image, ANY_SIZE)), PIXEL_MM)
    assert (table["area"][0], table["perim."][0], table["feret"][0]) == (1.0, pytest.approx(4 - 2 * (2 - math.sqrt(2))), math.sqrt(2))
    assert math.isnan(table["skew"][0])
    assert math.isnan(derive(table)["meanpos"][0])


def legacy_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="latin-1", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_measures_of_real_objects_are_those_of_the_legacy_software(shared_data: Path) -> None:
    folder = shared_data / "zooscan" / "legacy_oracle"
    if not folder.is_dir():
        pytest.skip("no objects measured by the legacy software")
    rows = {(row["BX"], row["BY"]): row for row in legacy_rows(folder / "sheet_meas.tsv")}
    sheet = cv2.imread(str(folder / "sheet_vis1.png"), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    found = list(find_particles(np.asarray(sheet, np.uint8), SegmentSettings(whole_only=False)))
    assert {(str(one.x_px), str(one.y_px)) for one in found} == set(rows)
    table = measure_particles(found, PIXEL_MM)
    off = {}
    for column in set(next(iter(rows.values()))) - NEVER_MEASURED - {"", "Label", "Nb3"}:
        told = np.array([float(rows[str(one.x_px), str(one.y_px)][column]) for one in found])
        wrong = np.abs(table[column.lower()] - told) > ROUNDED
        if wrong.any():
            off[column] = int(wrong.sum())
    assert off == {"Symetriehc": 1}


@pytest.mark.parametrize("crop", ["13892_13563", "2855_223"])
def test_derived_figures_of_the_gold_crops_are_those_that_ecotaxa_was_told(shared_data: Path, crop: str) -> None:
    folder = shared_data / "zooscan" / "zooprocess_lib_gold"
    if not folder.is_dir():
        pytest.skip("no gold crops")
    told = legacy_rows(folder / f"ecotaxa_{crop}.tsv")[1]
    image = cv2.imread(str(folder / f"crop_{crop}.png"), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    (found,) = find_particles(np.asarray(image, np.uint8), SegmentSettings(whole_only=False))
    derived = derive(measure_particles([found], PIXEL_MM), legacy=True)
    assert {name: values[0] for name, values in derived.items()} == pytest.approx({name: float(told[f"object_{name}"]) for name in derived})
