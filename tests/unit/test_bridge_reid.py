"""Re-identification of the annotation bridge: which shape is which on the next frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator_bridge.functions.function import BadCallError
from annotator_bridge.functions.reid import SeabedReid
from models.workshop.tow.render import TowFrame
from tests.helpers.annotated import answered, clear_openings, picture, rendered, sent

RATE_HZ = 6.0
BOXES = st.lists(st.lists(st.floats(-20, 120), min_size=4, max_size=4), max_size=5)


@pytest.fixture(scope="module")
def tow() -> list[TowFrame]:
    """Four frames, each a sixth of a second after the one before: the ground moves by a burrow's width and more."""
    return rendered(32, 4 / RATE_HZ, RATE_HZ, 12.0)


@pytest.fixture(scope="module")
def frames(tow: list[TowFrame]) -> list[str]:
    return [sent(picture(frame), ".jpg") for frame in tow]


@pytest.fixture(scope="module")
def small() -> str:
    return sent(np.random.default_rng(4).integers(0, 255, (90, 100, 3), np.uint8))


def _rectangle(points: list[float], label_id: int = 1) -> dict[str, Any]:
    return {"type": "rectangle", "label_id": label_id, "frame": 0, "points": points, "attributes": [], "source": "auto"}


def _detected(frame: TowFrame, rng: np.random.Generator) -> dict[int, list[float]]:
    """What a detector would make of it: boxes that are a little off, one in seven missed."""
    found = {}
    for number, box in clear_openings(frame).items():
        if rng.random() > 1 / 7:
            side = max(box[2] - box[0], box[3] - box[1])
            found[number] = [float(edge) for edge in np.array(box) + rng.normal(0, 0.04 * side + 0.5, 4)]
    return found


def test_openings_are_recognised_and_none_is_taken_for_another(tow: list[TowFrame], frames: list[str]) -> None:
    rng = np.random.default_rng(3)
    possible = right = 0
    for number in range(3):
        before, now = (_detected(frame, rng) for frame in tow[number : number + 2])
        there = list(now)
        call = {
            "image0": frames[number],
            "image1": frames[number + 1],
            "boxes0": [_rectangle(box) for box in before.values()],
            "boxes1": [_rectangle(box) for box in now.values()],
        }
        answer = answered(SeabedReid(), call)
        for opening, match in zip(before, answer, strict=True):
            possible += opening in now
            if match >= 0:
                assert there[match] == opening
                right += 1
    assert possible >= 15
    assert right >= 0.85 * possible


def test_a_label_must_agree(tow: list[TowFrame], frames: list[str]) -> None:
    boxes = list(clear_openings(tow[0]).values())
    call = {"image0": frames[0], "image1": frames[0], "boxes0": [_rectangle(box) for box in boxes]}
    assert answered(SeabedReid(), {**call, "boxes1": [_rectangle(box) for box in boxes]}) == list(range(len(boxes)))
    assert answered(SeabedReid(), {**call, "boxes1": [_rectangle(box, 2) for box in boxes]}) == [-1] * len(boxes)


def test_the_distance_is_taken_after_the_motion_of_the_ground(tow: list[TowFrame], frames: list[str]) -> None:
    before, now = clear_openings(tow[0]), clear_openings(tow[1])
    both = [number for number in before if number in now]
    moved = [float(np.hypot(now[one][0] - before[one][0], now[one][1] - before[one][1])) for one in both]
    call = {
        "image0": frames[0],
        "image1": frames[1],
        "boxes0": [_rectangle(before[one]) for one in both],
        "boxes1": [_rectangle(now[one]) for one in both],
    }
    assert min(moved) > 12
    assert answered(SeabedReid(), {**call, "max_distance": 6}) == list(range(len(both)))
    assert answered(SeabedReid(), {**call, "max_distance": 0.001}) == [-1] * len(both)


def test_the_threshold_is_the_least_similarity(tow: list[TowFrame], frames: list[str]) -> None:
    box = next(iter(clear_openings(tow[0]).values()))
    off = [edge + 6 for edge in box]
    call = {"image0": frames[0], "image1": frames[0], "boxes0": [_rectangle(box)], "boxes1": [_rectangle(off)]}
    assert answered(SeabedReid(), {**call, "threshold": 0.1}) == [0]
    assert answered(SeabedReid(), {**call, "threshold": 1}) == [-1]
    assert answered(SeabedReid(), {**call, "boxes1": [_rectangle(box)], "threshold": 0.95}) == [0]


def test_the_best_pairs_are_chosen_together_and_no_shape_twice(tow: list[TowFrame], frames: list[str]) -> None:
    box = next(iter(clear_openings(tow[0]).values()))
    near = [edge + 3 for edge in box]
    call = {"image0": frames[0], "image1": frames[0], "boxes0": [_rectangle(near), _rectangle(box)]}
    assert answered(SeabedReid(), {**call, "boxes1": [_rectangle(box), _rectangle(near)], "threshold": 0.1}) == [1, 0]
    assert sorted(answered(SeabedReid(), {**call, "boxes1": [_rectangle(box)], "threshold": 0.1})) == [-1, 0]


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "polygon", "points": [20, 30, 40, 30, 40, 60, 20, 60]},
        {"type": "ellipse", "points": [30, 45, 40, 30]},
        {"type": "mask", "points": [0, 620, 20, 30, 39, 59]},
        {"type": "skeleton", "elements": [{"type": "points", "points": [20, 30]}, {"type": "points", "points": [40, 60]}]},
    ],
)
def test_other_shapes_go_by_the_box_around_them(small: str, shape: dict[str, Any]) -> None:
    other = _rectangle([20, 30, 40, 60])
    call = {"image0": small, "image1": small, "boxes0": [{"label_id": 1, **shape}], "boxes1": [_rectangle([70, 10, 90, 40]), other]}
    assert answered(SeabedReid(), {**call, "threshold": 0.95}) == [1]


@settings(max_examples=40)
@given(first=BOXES, second=BOXES, threshold=st.none() | st.floats(0, 1), distance=st.none() | st.floats(0, 500))
def test_every_answer_is_one_to_one(
    small: str, first: list[list[float]], second: list[list[float]], threshold: float | None, distance: float | None
) -> None:
    call = {"image0": small, "image1": small, "boxes0": [_rectangle(box) for box in first], "boxes1": [_rectangle(box) for box in second]}
    answer = answered(SeabedReid(), {**call, "threshold": threshold, "max_distance": distance})
    matched = [match for match in answer if match >= 0]
    assert len(answer) == len(first)
    assert len(set(matched)) == len(matched)
    assert all(-1 <= match < len(second) for match in answer)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"boxes0": [3]}, "no shape"),
        ({"boxes0": [{"type": "rectangle", "points": [1, 2, 3]}]}, "no points"),
        ({"boxes0": [{"type": "rectangle", "points": []}]}, "no points"),
        ({"boxes0": [{"type": "rectangle"}]}, "not a list of numbers"),
        ({"boxes0": [{"type": "rectangle", "points": [1, 2, 3, float("inf")]}]}, "inf"),
        ({"boxes0": [{"type": "rectangle", "points": [1, 2, 3, 1e9]}]}, "no picture"),
        ({"boxes0": [{"type": "mask", "points": [1, 2]}]}, "corners"),
        ({"boxes0": [{"type": "skeleton", "elements": [7]}]}, "element"),
        ({"boxes1": {}}, "not a list"),
        ({"threshold": 2}, "threshold"),
        ({"threshold": "high"}, "threshold"),
        ({"max_distance": -1}, "max_distance"),
        ({"image1": None}, "no image"),
    ],
)
def test_calls_that_cannot_be_answered_are_refused(small: str, call: dict[str, Any], words: str) -> None:
    whole = {"image0": small, "image1": small, "boxes0": [_rectangle([1, 2, 30, 40])], "boxes1": [_rectangle([1, 2, 30, 40])]}
    with pytest.raises(BadCallError, match=words):
        SeabedReid().invoke({**whole, **call})
