"""The tracker of the annotation bridge: what CVAT sends, what it gets back, and whether it stays on its burrow."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator_bridge.functions.function import BadCallError
from annotator_bridge.functions.tracker import SeabedTracker
from edge.values import UInt8Array
from models.runtime.vision import cv2
from models.workshop.tow.render import TowFrame
from tests.helpers.annotated import SIZE_PX, answered, clear_openings, cut, overlap, picture, rendered, sent

RATE_HZ = 12.5
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def tow() -> list[TowFrame]:
    """21 frames of a seabed that is full of openings."""
    return rendered(32, 21 / RATE_HZ, RATE_HZ, 12.0)


@pytest.fixture(scope="module")
def frames(tow: list[TowFrame]) -> list[str]:
    return [sent(picture(frame), ".jpg") for frame in tow]


@pytest.fixture(scope="module")
def begun(tow: list[TowFrame], frames: list[str]) -> dict[str, Any]:
    """An answer to a first call in the form of objects, for tests that step from it."""
    box = next(iter(clear_openings(tow[0]).values()))
    answer: dict[str, Any] = answered(SeabedTracker(), {"image": frames[0], "shapes": [_object(box)], "states": []})
    return answer


def _object(box: list[float]) -> dict[str, Any]:
    return {"type": "rectangle", "points": box}


def test_openings_are_carried_over_twenty_frames_and_none_is_taken_for_another(tow: list[TowFrame], frames: list[str]) -> None:
    openings = clear_openings(tow[0])
    answer = answered(SeabedTracker(), {"image": frames[0], "shapes": [_object(box) for box in openings.values()]})
    seen = right = 0
    for number in range(1, 21):
        # A new object each time, as in another process: nothing is known but the states.
        answer = answered(SeabedTracker(), {"image": frames[number], "shapes": [None] * len(openings), "states": answer["states"]})
        there = clear_openings(tow[number], least_px=0)
        for opening, shape in zip(openings, answer["shapes"], strict=True):
            if opening in there:
                seen += 1
                right += shape is not None and overlap(shape["points"], there[opening]) >= 0.5
            if shape is not None:
                others = [overlap(shape["points"], box) for other, box in there.items() if other != opening]
                own = overlap(shape["points"], there[opening]) if opening in there else 0.0
                assert own > 0.2 or max(others, default=0.0) < 0.5
    assert len(openings) >= 8
    assert seen >= 60
    assert right >= 0.97 * seen


def test_an_opening_that_leaves_the_frame_is_told_lost(tow: list[TowFrame], frames: list[str]) -> None:
    last = {number for number, visible in zip(tow[20].opening_id.tolist(), tow[20].visible.tolist(), strict=True) if visible > 0}
    leaving = {number: box for number, box in clear_openings(tow[0]).items() if number not in last}
    shapes: list[Any] = [_object(box) for box in leaving.values()] + list(leaving.values())
    answer = answered(SeabedTracker(), {"image": frames[0], "shapes": shapes})
    for frame in frames[1:21]:
        answer = answered(SeabedTracker(), {"image": frame, "states": answer["states"]})
    assert leaving
    assert answer["shapes"][: len(leaving)] == [None] * len(leaving)
    for shape in answer["shapes"][len(leaving) :]:  # a flat list cannot say so: it waits at the edge
        assert _lies_in(shape, SIZE_PX)
        assert min(shape[2] - shape[0], shape[3] - shape[1]) >= 3.99


def _lies_in(shape: list[float], size_px: tuple[int, int]) -> bool:
    return 0 <= shape[0] < shape[2] <= size_px[0] and 0 <= shape[1] < shape[3] <= size_px[1]


def test_after_a_cut_to_another_place_nothing_is_taken_for_the_object(tow: list[TowFrame], frames: list[str]) -> None:
    openings = list(clear_openings(tow[0]).values())
    answer = answered(SeabedTracker(), {"image": frames[0], "shapes": [_object(box) for box in openings]})
    for frame in tow[12:16]:
        elsewhere = np.ascontiguousarray(picture(frame)[:, ::-1])  # the same kind of ground, and nothing of it at its place
        answer = answered(SeabedTracker(), {"image": sent(elsewhere, ".jpg"), "states": answer["states"]})
        assert answer["shapes"] == [None] * len(openings)


def test_an_object_that_is_gone_while_the_ground_is_there_is_told_lost() -> None:
    """Nothing but the object's own look can tell that: the ground goes on as it was."""
    ground = _mud(346, 614)
    with_it = ground.copy()
    cv2.ellipse(with_it, (300, 170), (20, 14), 0, 0, 360, (25, 30, 28), cv2.FILLED)
    shown = {name: sent(image) for name, image in (("with", with_it), ("without", ground))}
    answer = answered(SeabedTracker(), {"image": shown["with"], "shapes": [_object([280, 156, 320, 184])]})
    unseen = []
    for name in ["with"] * 3 + ["without"] * 16:
        answer = answered(SeabedTracker(), {"image": shown[name], "states": answer["states"]})
        unseen.append(answer["states"][0]["unseen"])
    assert unseen == [0, 0, 0, *range(1, 17)]
    assert answer["shapes"] == [None]
    # It is there again: what was lost is only taken for it where there is no doubt.
    answer = answered(SeabedTracker(), {"image": shown["with"], "states": answer["states"]})
    assert answer["shapes"][0] is not None
    assert overlap(answer["shapes"][0]["points"], [280, 156, 320, 184]) > 0.8


def _mud(height: int, width: int) -> UInt8Array:
    noise = np.random.default_rng(8).integers(0, 255, (height, width, 3), np.uint8)
    blurred = [np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32) * blur for blur in (1.5, 4.0, 9.0)]
    rough = np.sum(blurred, axis=0)
    return np.asarray(np.clip((rough - rough.mean()) / rough.std() * 14 + 110, 0, 255), np.uint8)


def test_the_flat_form_is_answered_flat_and_the_shape_of_a_step_is_never_read(tow: list[TowFrame], frames: list[str]) -> None:
    box = next(iter(clear_openings(tow[0]).values()))
    first = answered(SeabedTracker(), {"image": frames[0], "shapes": [box], "states": []})
    assert first["shapes"] == [[round(side, 2) for side in box]]
    steps = [
        answered(SeabedTracker(), {"image": frames[1], "shapes": shapes, "states": first["states"]})
        for shapes in ([box], [None], [], [{"type": "polygon"}], ["nonsense"])
    ]
    assert all(step == steps[0] for step in steps)
    assert len(steps[0]["shapes"][0]) == 4
    assert steps[0]["shapes"][0] != first["shapes"][0]


def test_items_with_and_without_a_state_go_in_one_call(tow: list[TowFrame], frames: list[str], begun: dict[str, Any]) -> None:
    box = next(iter(clear_openings(tow[1]).values()))
    answer = answered(SeabedTracker(), {"image": frames[1], "shapes": [None, box], "states": [*begun["states"], None]})
    assert answer["shapes"][0]["type"] == "rectangle"
    assert answer["shapes"][1] == [round(side, 2) for side in box]


def test_a_state_is_small_and_says_whose_it_is(begun: dict[str, Any]) -> None:
    (state,) = begun["states"]
    assert (state["function"], state["version"]) == ("seabed-tracker", 1)
    assert len(json.dumps(state)) < 20_000


def test_a_step_on_the_same_picture_stays_where_it_is(frames: list[str], begun: dict[str, Any]) -> None:
    answer = answered(SeabedTracker(), {"image": frames[0], "states": begun["states"]})
    assert answer["shapes"][0]["points"] == pytest.approx(begun["shapes"][0]["points"], abs=0.8)


def test_a_frame_of_another_size_shows_the_same_scene(tow: list[TowFrame], begun: dict[str, Any]) -> None:
    small = np.ascontiguousarray(picture(tow[0])[::2, ::2])
    answer = answered(SeabedTracker(), {"image": sent(small), "states": begun["states"]})
    half = [side / 2 for side in begun["shapes"][0]["points"]]
    assert overlap(answer["shapes"][0]["points"], half) > 0.7
    assert answer["states"][0]["size"] == [small.shape[1], small.shape[0]]


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (170, 40), (40, 400)])
def test_pictures_too_small_for_a_registration_are_answered_all_the_same(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    first = answered(SeabedTracker(), {"image": sent(image), "shapes": [[0, 0, size[1], size[0]]]})
    answer = answered(SeabedTracker(), {"image": sent(image), "states": first["states"]})
    assert _lies_in(answer["shapes"][0], (size[1], size[0]))


def test_a_picture_of_one_grey_is_no_reason_to_fail() -> None:
    image = sent(np.full((346, 614, 3), 90, np.uint8))
    first = answered(SeabedTracker(), {"image": image, "shapes": [_object([200, 100, 240, 150])]})
    answer = answered(SeabedTracker(), {"image": image, "states": first["states"]})
    assert answer["shapes"] == [None]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2, this tracker's is 1"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"function": "another"}, "no state of seabed-tracker"),
        ({"form": "circle"}, "form"),
        ({"size": [0, 10]}, "size"),
        ({"size": [614.5, 346]}, "size"),
        ({"box": [1, 2, 3]}, "box"),
        ({"box": [9, 9, 1, 1]}, "no area"),
        ({"box": [1, 2, 1e30, 4]}, "box"),
        ({"unseen": -1}, "unseen"),
        ({"picture": "bm90IGFuIGltYWdl"}, "picture"),
        ({"picture": None}, "picture"),
        ({"first": "?"}, "first"),
        ({"motion": {"values": [0] * 9, "matched": 1, "horizon": [1, 0, 1]}}, "10 numbers"),
        ({"motion": {"values": [9] * 10, "matched": 1, "horizon": [1, 0, 1]}}, "cannot be a motion"),
        ({"motion": {"values": [0] * 10, "matched": 1, "horizon": [1, 1, 1]}}, "cannot be a motion"),
        ({"motion": []}, "motion"),
    ],
)
def test_a_state_that_is_not_ours_or_was_damaged_is_refused(
    frames: list[str], begun: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadCallError, match=words) as refused:
        SeabedTracker().invoke({"image": frames[1], "states": [begun["states"][0] | changes]})
    assert refused.value.advice()


def test_views_of_two_sizes_are_no_state(frames: list[str], begun: dict[str, Any]) -> None:
    state = begun["states"][0] | {"latest": sent(np.zeros((5, 5), np.uint8))}
    with pytest.raises(BadCallError, match="not of one size"):
        SeabedTracker().invoke({"image": frames[1], "states": [state]})


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_became_of_a_state_it_is_answered_or_refused(frames: list[str], begun: dict[str, Any], data: st.DataObject) -> None:
    state = copy.deepcopy(begun["states"][0])
    key = data.draw(st.sampled_from(sorted(state)))
    if data.draw(st.booleans()):
        del state[key]
    else:
        state[key] = data.draw(JSON_VALUES)
    _answered_or_refused({"image": frames[1], "states": [state]})


@settings(max_examples=40)
@given(shapes=JSON_VALUES, states=JSON_VALUES)
def test_whatever_comes_is_answered_or_refused(small: str, shapes: object, states: object) -> None:
    _answered_or_refused({"image": small, "shapes": shapes, "states": states})


@settings(max_examples=30)
@given(box=st.lists(st.floats(-50, 250), min_size=4, max_size=4))
def test_boxes_are_answered_within_the_picture(small: str, box: list[float]) -> None:
    _answered_or_refused({"image": small, "shapes": [box], "states": []}, (200, 100))


@pytest.fixture(scope="module")
def small() -> str:
    return sent(_noise(100, 200))


def _noise(height: int, width: int) -> UInt8Array:
    return np.random.default_rng(4).integers(0, 255, (height, width, 3), np.uint8)


def _answered_or_refused(payload: dict[str, Any], size_px: tuple[int, int] | None = None) -> None:
    try:
        answer = SeabedTracker().invoke(payload)
    except BadCallError:
        return
    json.dumps(answer, allow_nan=False)
    assert len(answer["shapes"]) == len(answer["states"])
    for shape in answer["shapes"] if size_px is not None else ():
        assert size_px is not None
        assert _lies_in(shape, size_px)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"shapes": [[1, 2, 3]]}, "not 4"),
        ({"shapes": [[1, 2, 3, float("nan")]]}, "nan"),
        ({"shapes": [["1", 2, 3, 4]]}, "not a number"),
        ({"shapes": [[-50, -50, -10, -10]]}, "outside"),
        ({"shapes": [[10, 10, 10, 40]]}, "no area"),
        ({"shapes": [{"type": "polygon", "points": [1, 2, 3, 4, 5, 6]}]}, "only rectangles"),
        ({"shapes": [None]}, "neither a state nor a shape"),
        ({"shapes": [None], "states": [None]}, "neither a state nor a shape"),
        ({"shapes": [[1, 2, 30, 40]], "states": [None, None]}, "there must be as many"),
        ({"shapes": "boxes"}, "not a list"),
        ({"states": [3]}, "no object"),
        ({"shapes": [[0, 0, 9, 9]] * 501}, "at most 500"),
        ({"shapes": [[0, 0, 9, 9]], "image": "AAAA"}, "image"),
        ({"shapes": [[0, 0, 9, 9]], "image": None}, "no image"),
    ],
)
def test_calls_that_cannot_be_answered_are_refused(small: str, call: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCallError, match=words):
        SeabedTracker().invoke({"image": small, **call})


def test_a_call_of_nothing_is_answered_with_nothing(small: str) -> None:
    assert answered(SeabedTracker(), {"image": small, "shapes": [], "states": []}) == {"shapes": [], "states": []}


def test_a_box_that_reaches_out_is_cut_to_the_picture(small: str) -> None:
    answer = answered(SeabedTracker(), {"image": small, "shapes": [[150, 50, 400, 300]]})
    assert answer["shapes"] == [cut([150, 50, 400, 300], (200, 100))]
