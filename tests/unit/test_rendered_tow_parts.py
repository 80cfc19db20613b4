"""Parts of the rendered tow on their own: the tally at the line, openings that face their middle, log sentences."""

from __future__ import annotations

import numpy as np
import pytest

from models.workshop.scene import openings as scene_openings
from models.workshop.tow import openings
from models.workshop.tow.openings import opening_towards
from models.workshop.tow.tally import Tally


def tally_of(*frames: dict[int, tuple[float, float]], system: int = 1) -> Tally:
    """What a tally of frames of 100 x 100 px makes of them, one a second: centre by number."""
    tally = Tally(width_px=100, height_px=100)
    for at_s, frame in enumerate(frames):
        numbers = np.array(sorted(frame), np.int32)
        centres = np.array([frame[number] for number in sorted(frame)], np.float64).reshape(-1, 2)
        tally.look(float(at_s), numbers, np.full(len(numbers), system, np.int32), centres)
    return tally


def test_an_opening_is_counted_where_it_crosses_and_when() -> None:
    tally = tally_of({1: (10, 73)}, {1: (20, 93)})
    assert tally.openings[1].at_s == pytest.approx(0.5)
    assert tally.openings[1].x_px == pytest.approx(15)


def test_one_that_comes_back_is_counted_the_first_time_only() -> None:
    tally = tally_of({1: (10, 80)}, {1: (10, 86)}, {1: (10, 80)}, {1: (10, 86)})
    assert list(tally.openings) == [1]
    assert tally.openings[1].at_s == pytest.approx(0.5)


def test_one_that_goes_up_or_passes_outside_is_not_counted() -> None:
    assert not tally_of({1: (10, 90)}, {1: (10, 80)}).openings
    assert not tally_of({1: (-0.1, 80)}, {1: (-0.1, 90)}).openings
    assert not tally_of({1: (100, 80)}, {1: (100, 90)}).openings
    assert tally_of({1: (0, 80)}, {1: (0, 90)}).openings


def test_one_that_passes_outside_and_comes_back_inside_is_counted_then() -> None:
    tally = tally_of({1: (-5, 80)}, {1: (-5, 90)}, {1: (5, 80)}, {1: (5, 90)})
    assert tally.openings[1].at_s > 2


def test_one_that_lies_beyond_the_line_from_the_first_frame_on_is_not_counted() -> None:
    assert not tally_of({1: (10, 84)}, {1: (10, 95)}).openings
    assert tally_of({1: (10, 82.9)}, {1: (10, 83)}).openings


def test_a_system_is_counted_once_with_its_first_opening() -> None:
    tally = tally_of({1: (10, 70), 2: (50, 80)}, {1: (10, 80), 2: (50, 90)}, {1: (10, 90), 2: (50, 99)})
    assert len(tally.openings) == 2
    assert tally.systems[1] == tally.openings[2]
    within_one_step = tally_of({1: (10, 70), 2: (50, 82)}, {1: (10, 90), 2: (50, 99)})
    assert within_one_step.systems[1] == within_one_step.openings[2]


def test_minutes_begin_at_one() -> None:
    frames = [{1: (10.0, 80.0 if at_s < 60 else 90.0), 2: (50.0, 80.0 if at_s < 90 else 90.0)} for at_s in range(130)]
    rows = tally_of(*frames).per_minute(130)
    assert [(row["minute"], row["openings"], row["systems"]) for row in rows] == [(1, 1, 1), (2, 1, 0), (3, 0, 0)]


@pytest.mark.parametrize("towards_deg", [0, 90, 200])
def test_a_crescents_dark_side_lies_towards_the_middle_of_its_system(monkeypatch: pytest.MonkeyPatch, towards_deg: float) -> None:
    crescents = [kind for kind in scene_openings._KINDS if kind[0] is scene_openings._crescent]
    monkeypatch.setattr(openings, "_KINDS", crescents)
    towards = np.radians(towards_deg)
    leans = []
    for seed in range(12):
        darkness = np.clip(opening_towards(80, towards, np.random.default_rng(seed)).darkness, 0, None) ** 2
        middle = darkness.shape[0] // 2
        rows, columns = np.mgrid[: darkness.shape[0], : darkness.shape[1]] - middle
        away = np.array([(darkness * columns).sum(), (darkness * rows).sum()]) / darkness.sum() / middle
        leans.append(away @ [np.cos(towards), np.sin(towards)])
    assert np.median(leans) > 0.1


def test_the_box_of_an_opening_is_about_as_large_as_asked() -> None:
    for side_px in (20.0, 45.0, 100.0):
        sides = []
        for seed in range(15):
            left, top, right, bottom = opening_towards(side_px, 0.0, np.random.default_rng(seed)).box
            sides.append(np.sqrt((right - left) * (bottom - top)))
        assert np.median(sides) == pytest.approx(side_px, rel=0.35)
