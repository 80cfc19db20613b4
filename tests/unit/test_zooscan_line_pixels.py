"""A drawn separation line: it goes over edges only, and cuts what hangs together over corners."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ScanRefusedError
from edge.zooscan.line_pixels import check_points, line_pixels
from models.runtime.vision import cv2

SIDE_PX = 40
PLACES = st.tuples(st.integers(0, SIDE_PX - 1), st.integers(0, SIDE_PX - 1))


def test_a_diagonal_goes_over_edges() -> None:
    assert line_pixels([(0, 0), (2, 2)]).tolist() == [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]


def test_no_point_is_no_line() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        line_pixels([])


def test_a_pixel_that_is_passed_twice_is_there_once() -> None:
    assert line_pixels([(0, 0), (2, 0), (0, 0)]).tolist() == [[0, 0], [1, 0], [2, 0]]
    assert line_pixels([(3, 4)]).tolist() == [[3, 4]]


@given(st.lists(PLACES, min_size=2, max_size=6))
def test_each_step_is_over_an_edge_and_every_point_is_passed(points: list[tuple[int, int]]) -> None:
    found = line_pixels(points)
    as_places = [(int(x), int(y)) for x, y in found]
    assert set(points) <= set(as_places)
    assert len(set(as_places)) == len(as_places)
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    canvas[found[:, 1], found[:, 0]] = 1
    assert cv2.connectedComponents(canvas, connectivity=4)[0] == 2, "one piece, over edges"


@given(PLACES, PLACES)
def test_a_straight_line_stays_within_a_pixel_of_the_true_one(start: tuple[int, int], end: tuple[int, int]) -> None:
    found = line_pixels([start, end]).astype(float)
    assert len(found) == abs(end[0] - start[0]) + abs(end[1] - start[1]) + 1
    assert all(abs(one - other).sum() == 1 for one, other in pairwise(found))
    along = np.subtract(end, start).astype(float)
    length = np.hypot(*along)
    if length:
        aside = (found - start) @ np.array([-along[1], along[0]]) / length
        assert np.abs(aside).max() <= 1


@given(st.integers(0, SIDE_PX - 1), st.integers(0, SIDE_PX - 1), st.lists(st.integers(0, SIDE_PX - 1), max_size=4))
def test_a_line_from_edge_to_edge_cuts_what_hangs_together_over_corners(left: int, right: int, between: list[int]) -> None:
    steps = len(between) + 1
    xs = [round(place * (SIDE_PX - 1) / steps) for place in range(steps + 1)]
    points = list(zip(xs, [left, *between, right], strict=True))
    whole = np.full((SIDE_PX + 2, SIDE_PX), 1, np.uint8)  # a row above and below, so that there are two sides
    pixels = line_pixels(points)
    whole[pixels[:, 1] + 1, pixels[:, 0]] = 0
    _, labels = cv2.connectedComponents(whole, connectivity=8)
    assert labels[0, 0] != labels[-1, 0], "above and below are apart"


def test_a_line_that_nobody_could_have_drawn_is_refused_before_anything_is_made_of_it() -> None:
    box = (500, 600, 50, 40)
    check_points([(500, 600), (549, 639), (480, 580)], box)
    for far in ((1_000_000, 620), (520, 1_000_000), (0, 620)):
        with pytest.raises(ScanRefusedError, match="beside the object"):
            check_points([(510, 610), far], box)
    with pytest.raises(ScanRefusedError, match="too long"):
        check_points([(0, 0), (9_000, 9_000)] * 20, (0, 0, 10_000, 10_000))
