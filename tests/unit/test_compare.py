"""Pairs of boxes and figures of two models on the same files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.compare import CountedFile, match_boxes, sum_up


def boxes(*rows: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 4)


def counted(a: int, b: int, matched: int, a_ms: float = 10.0, b_ms: float = 20.0) -> CountedFile:
    return CountedFile(a_count=a, b_count=b, matched=matched, a_infer_ms=a_ms, b_infer_ms=b_ms)


def test_the_best_overlap_pairs_first_and_each_box_once() -> None:
    a = boxes((0, 0, 10, 10), (2, 0, 12, 10))
    b = boxes((2, 0, 12, 10), (50, 50, 60, 60))
    agreement = match_boxes(a, b)
    assert agreement.a_partner == (None, 0)
    assert agreement.b_partner == (1, None)
    assert agreement.matched == 1


def test_a_pair_needs_half_an_overlap() -> None:
    exactly_half = match_boxes(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 5)))
    assert exactly_half.matched == 1
    assert match_boxes(boxes((0, 0, 10, 10)), boxes((0, 0, 10, 4.9))).matched == 0


def test_nothing_agrees_with_nothing() -> None:
    assert match_boxes(boxes(), boxes()).a_partner == ()
    assert match_boxes(boxes((0, 0, 1, 1)), boxes()).a_partner == (None,)


sides = st.integers(0, 12)
some_boxes = st.lists(st.tuples(sides, sides, st.integers(1, 9), st.integers(1, 9)), max_size=8).map(
    lambda rows: boxes(*[(x, y, x + w, y + h) for x, y, w, h in rows])
)


@given(some_boxes, some_boxes)
def test_it_does_not_matter_which_is_called_a(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    one, other = match_boxes(a, b), match_boxes(b, a)
    assert one.matched == other.matched
    assert [one.b_partner[j] for j in one.a_partner if j is not None] == [i for i, j in enumerate(one.a_partner) if j is not None]


def test_the_figures_of_a_comparison() -> None:
    figures = sum_up([counted(10, 12, 9, 10.0, 30.0), counted(0, 0, 0, 30.0, 20.0), counted(5, 4, 4, 20.0, 10.0)])
    assert (figures.files, figures.a_total, figures.b_total) == (3, 15, 16)
    assert (figures.matched, figures.only_a, figures.only_b) == (13, 2, 3)
    assert figures.agreement == pytest.approx(13 / 18)
    assert figures.difference_mean == pytest.approx(1 / 3)
    assert figures.difference_sd == pytest.approx(np.std([2, 0, -1], ddof=1))
    assert figures.limits_high == pytest.approx(1 / 3 + 1.96 * np.std([2, 0, -1], ddof=1))
    assert figures.ccc == pytest.approx(0.96, abs=0.02)
    assert (figures.a_infer_ms, figures.b_infer_ms) == (20.0, 20.0)


def test_without_files_there_is_no_figure_and_no_zero_in_its_place() -> None:
    none = sum_up([])
    assert (none.difference_mean, none.ccc, none.agreement, none.a_infer_ms) == (None, None, None, None)
    one = sum_up([counted(3, 4, 3)])
    assert (one.difference_mean, one.difference_sd, one.limits_low) == (1.0, None, None)
    assert sum_up([counted(0, 0, 0)]).agreement is None, "nothing was marked, so nothing agrees or disagrees"
