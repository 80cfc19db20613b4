"""Borders do not depend on where the strips of a large picture end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.zooscan.borders import outer_borders
from models.runtime.vision import cv2

LIMIT = 243


def rough(seed: int) -> NDArray[np.uint8]:
    """Forms of many sizes, rings and combs among them."""
    chance = np.random.default_rng(seed)
    height, width = chance.integers(5, 60, 2)
    smooth = cv2.GaussianBlur(chance.random((height, width)).astype(np.float32), (0, 0), chance.uniform(0.4, 3.0))
    return np.where(smooth < np.quantile(smooth, chance.uniform(0.2, 0.7)), 100, 255).astype(np.uint8)


def told(borders: list[NDArray[np.int32]]) -> list[list[list[int]]]:
    return [border.tolist() for border in borders]


@given(st.integers(0, 100_000), st.integers(1, 25))
@settings(max_examples=300, deadline=None)
def test_seams_change_nothing(seed: int, rows_together: int) -> None:
    image = rough(seed)
    assert told(outer_borders(image, LIMIT, rows_together=rows_together)) == told(outer_borders(image, LIMIT, rows_together=1000))


@given(st.integers(0, 100_000), st.integers(1, 25), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_only_small_ones_are_left_out(seed: int, rows_together: int, least_box_px: int) -> None:
    def large(borders: list[NDArray[np.int32]]) -> list[list[list[int]]]:
        return told([border for border in borders if math.prod(cv2.boundingRect(border)[2:]) >= least_box_px])

    image = rough(seed)
    asked = outer_borders(image, LIMIT, least_box_px=least_box_px, rows_together=rows_together)
    assert large(asked) == large(outer_borders(image, LIMIT))
    assert len(outer_borders(image, LIMIT, least_box_px=least_box_px)) == len(large(asked))


@pytest.mark.parametrize("rows_together", [7, 13, 100])
def test_what_lies_inside_a_ring_is_left_out_whichever_strip_it_is_in(rows_together: int) -> None:
    image = np.full((80, 80), 255, np.uint8)
    cv2.circle(image, (40, 40), 30, 100, 3)
    for y in (25, 40, 55):
        cv2.circle(image, (40, y), 3, 100, cv2.FILLED)
    cv2.circle(image, (5, 5), 3, 100, cv2.FILLED)
    assert [border[0].tolist() for border in outer_borders(image, LIMIT, rows_together=rows_together)] == [[5, 2], [35, 8]]


def test_the_regions_are_those_of_a_labelling_by_connected_pixels() -> None:
    image = rough(7)
    count, labels = cv2.connectedComponents((image <= LIMIT).astype(np.uint8), connectivity=8)
    seen = {int(labels[y, x]) for x, y in (border[0] for border in outer_borders(image, LIMIT, rows_together=9))}
    assert 0 not in seen
    assert len(seen) == len(outer_borders(image, LIMIT)) <= count - 1
