"""Images that calibrate INT8: different from each other, from every tow, the same choice each time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.quantise.variety import choose_varied, describe


@st.composite
def described(draw: st.DrawFn) -> tuple[NDArray[np.float64], list[str]]:
    total = draw(st.integers(1, 40))
    numbers = st.floats(-1e3, 1e3, allow_nan=False)
    rows = draw(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=total, max_size=total))
    return np.array(rows, np.float64), draw(st.lists(st.sampled_from("abcde"), min_size=total, max_size=total))


@settings(deadline=None)
@given(data=described(), count=st.integers(0, 50))
def test_as_many_as_asked_and_none_twice(data: tuple[NDArray[np.float64], list[str]], count: int) -> None:
    rows, tows = data
    chosen = choose_varied(rows, tows, count)
    assert len(chosen) == min(count, len(rows))
    assert len(set(chosen)) == len(chosen)
    assert all(0 <= index < len(rows) for index in chosen)


@settings(deadline=None)
@given(data=described(), count=st.integers(0, 50))
def test_every_tow_gives_its_share(data: tuple[NDArray[np.float64], list[str]], count: int) -> None:
    rows, tows = data
    taken = Counter(tows[index] for index in choose_varied(rows, tows, count))
    has = Counter(tows)
    most = max(taken.values(), default=0)
    # A tow with fewer than the others gave all that it has.
    assert all(taken[tow] >= most - 1 or taken[tow] == has[tow] for tow in has)


@settings(deadline=None)
@given(data=described(), count=st.integers(0, 50))
def test_the_same_images_give_the_same_choice_and_fewer_are_its_beginning(data: tuple[NDArray[np.float64], list[str]], count: int) -> None:
    rows, tows = data
    whole = choose_varied(rows, tows, len(rows))
    assert choose_varied(rows.copy(), list(tows), count) == whole[:count]


@settings(deadline=None)
@given(data=described())
def test_scale_and_offset_of_a_column_do_not_matter(data: tuple[NDArray[np.float64], list[str]]) -> None:
    rows, _ = data
    rounded = np.round(rows)
    one_tow = ["a"] * len(rows)
    assert choose_varied(rounded, one_tow, 5) == choose_varied(rounded * 4 + 1024, one_tow, 5)


def test_the_odd_one_out_is_chosen_early() -> None:
    rows = np.zeros((100, 2))
    rows[:, 0] = np.linspace(0, 0.01, 100)
    rows[37] = (0.0, 5.0)
    assert 37 in choose_varied(rows, ["a"] * 100, 2)


def test_the_chosen_cover_the_others_better_than_the_first_ones() -> None:
    rng = np.random.default_rng(5)
    rows = np.concatenate([rng.normal(centre, 0.1, (50, 2)) for centre in ((0, 0), (5, 0), (0, 5), (5, 5))])

    def farthest(chosen: tuple[int, ...]) -> float:
        return float(np.linalg.norm(rows[:, None] - rows[list(chosen)][None], axis=2).min(axis=1).max())

    assert farthest(choose_varied(rows, ["a"] * 200, 8)) < 1 < farthest(tuple(range(8)))


def test_groups_and_rows_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 descriptions for 1 groups"):
        choose_varied(np.zeros((2, 3)), ["a"], 1)


def test_what_an_image_looks_like() -> None:
    rng = np.random.default_rng(1)
    dark = np.full((60, 80, 3), 40, np.uint8)
    noisy = rng.integers(0, 255, (60, 80, 3), np.uint8)
    blue = dark.copy()
    blue[..., 0] = 90
    half = dark.copy()
    half[:, 40:] = 200
    for image in (dark, noisy, blue, half, np.zeros((1, 900, 3), np.uint8)):
        assert describe(image).shape == (18,)
        assert np.isfinite(describe(image)).all()
    assert describe(dark)[0] == pytest.approx(40 / 255, abs=1e-3)
    assert describe(noisy)[7] > describe(half)[7] > describe(dark)[7] == 0  # fine texture
    assert describe(blue)[5] == pytest.approx(50 / 255, abs=1e-3)  # blue against green
    assert describe(half)[9] < 0 < describe(half)[11]  # left and right of the grid's first row
