"""The interactor of the annotation bridge: clicks and boxes in, a mask of exactly the picture's size out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotator_bridge.functions.clicks import BoolArray, Clicks
from annotator_bridge.functions.function import BadCallError, RawJson
from annotator_bridge.functions.interactor import OutlineInteractor
from annotator_bridge.functions.mask_json import answer_with_mask, mask_rows
from annotator_bridge.functions.outline import outline_mask, outline_points
from annotator_bridge.functions.outline_plain import plain_background
from edge.values import UInt8Array
from models.runtime.vision import cv2
from models.workshop.tow.render import TowFrame
from tests.helpers.annotated import answered, clear_openings, overlap, picture, rendered, sent

WIDTH, HEIGHT = 90, 60
PIXELS = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))


@pytest.fixture(scope="module")
def frame() -> TowFrame:
    """A seabed that is full of openings."""
    return rendered(32, 0.1, 12.5, 12.0)[0]


@pytest.fixture(scope="module")
def small() -> str:
    return sent(_noise())


def _noise() -> UInt8Array:
    return _uneven(5, HEIGHT, WIDTH, 2.0)


def _uneven(seed: int, height: int, width: int, blur_px: float) -> UInt8Array:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), blur_px), np.uint8)


def _plain(*, ground: int = 250, body: int = 90) -> tuple[UInt8Array, BoolArray]:
    """Two bodies that touch on a plain background, and the left one's pixels."""
    image = np.full((200, 300, 3), ground, np.uint8)
    left, both = np.zeros((200, 300), np.uint8), np.zeros((200, 300), np.uint8)
    cv2.circle(left, (110, 100), 40, 1, cv2.FILLED)
    both[:] = left
    cv2.circle(both, (185, 100), 40, 1, cv2.FILLED)
    image[both > 0] = body
    return image, left.astype(np.bool_)


def _iou(one: BoolArray, other: BoolArray) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def _box_of(mask: BoolArray) -> list[float]:
    rows, columns = np.nonzero(mask)
    return [float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)]


def test_one_click_outlines_the_openings_of_a_seabed(frame: TowFrame) -> None:
    overlaps = []
    for box in clear_openings(frame).values():
        answer = answered(OutlineInteractor(), _call(picture(frame), [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)]))
        overlaps.append(overlap(_box_of(np.array(answer["mask"], np.bool_)), box))
    assert len(overlaps) >= 8
    assert np.median(overlaps) > 0.6
    assert np.mean(np.array(overlaps) > 0.4) > 0.8


def test_a_box_holds_its_outline(frame: TowFrame) -> None:
    for box in clear_openings(frame).values():
        mask = outline_mask(picture(frame), Clicks(box=(box[0], box[1], box[2], box[3])))
        found = _box_of(mask)
        assert overlap(found, box) > 0.5
        assert (np.array(found[:2]) >= np.floor(box[:2])).all()
        assert (np.array(found[2:]) <= np.ceil(box[2:])).all()


def _call(image: UInt8Array, inside: list[tuple[float, float]], outside: list[tuple[float, float]] | None = None) -> dict[str, Any]:
    return {"image": sent(image), "pos_points": inside, "neg_points": outside or [], "obj_bbox": None}


@pytest.mark.parametrize(("ground", "body"), [(250, 90), (20, 180)])
def test_a_body_on_a_plain_background_is_outlined_to_the_pixel(ground: int, body: int) -> None:
    image, left = _plain(ground=ground, body=body)
    both = (image[..., 0] == body).astype(np.bool_)
    assert _iou(outline_mask(image, Clicks(inside=((110.5, 100.5),))), both) == 1.0
    assert _iou(outline_mask(image, Clicks(box=(60.0, 50.0, 240.0, 150.0))), both) == 1.0
    # What touches it is clicked away.
    assert _iou(outline_mask(image, Clicks(inside=((100.5, 100.5),), outside=((190.5, 100.5),))), left) > 0.95


def test_a_click_that_just_misses_a_body_means_it_and_stays_inside() -> None:
    image, _ = _plain()
    mask = outline_mask(image, Clicks(inside=((110.5, 55.5),)))
    assert mask[100, 110]
    assert mask[55, 110]


def test_holes_are_filled() -> None:
    image, _ = _plain()
    image[95:105, 105:115] = 250
    assert outline_mask(image, Clicks(inside=((90.5, 100.5),)))[100, 110]


def test_a_seabed_has_no_plain_background_and_a_vignette_has_one(frame: TowFrame) -> None:
    assert plain_background(np.ascontiguousarray(picture(frame)[..., 1])) is None
    background = plain_background(np.ascontiguousarray(_plain()[0][..., 1]))
    assert background is not None
    assert background.grey == 250


def test_a_bright_body_on_uneven_ground_is_outlined_when_it_is_clicked() -> None:
    image = _uneven(2, 346, 614, 3.0)
    image[:] = np.clip(np.linspace(40, 180, 614)[None, :, None] + (image.astype(np.float32) - 127) * 0.3, 0, 255)
    truth = np.zeros((346, 614), np.uint8)
    cv2.ellipse(truth, (300, 170), (22, 16), 0, 0, 360, 1, cv2.FILLED)
    image[truth > 0] = np.clip(image[truth > 0].astype(np.int16) + 90, 0, 255)
    assert _iou(outline_mask(image, Clicks(inside=((302.0, 168.0),))), truth.astype(np.bool_)) > 0.6


@settings(max_examples=50)
@given(inside=st.lists(PIXELS, min_size=1, max_size=4), outside=st.lists(PIXELS, max_size=4), plain=st.booleans())
def test_clicks_bind(inside: list[tuple[int, int]], outside: list[tuple[int, int]], plain: bool) -> None:
    image = _noise()
    if plain:
        image[:, : WIDTH // 2] = 240
    outside = [place for place in outside if place not in inside]
    places, others = (tuple((x + 0.5, y + 0.5) for x, y in some) for some in (inside, outside))
    mask = outline_mask(image, Clicks(inside=places, outside=others))
    assert mask.shape == (HEIGHT, WIDTH)
    assert all(mask[y, x] for x, y in inside)
    assert not any(mask[y, x] for x, y in outside)
    points = outline_points(mask, Clicks(inside=places, outside=others))
    assert len(points) >= 3
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


@settings(max_examples=30)
@given(corners=st.lists(st.floats(0, 60), min_size=4, max_size=4), outside=st.lists(PIXELS, max_size=3))
def test_any_box_is_answered_with_a_mask_in_it(corners: list[float], outside: list[tuple[int, int]]) -> None:
    left, right, top, bottom = *sorted(corners[:2]), *sorted(corners[2:])
    box = (left, top, max(right, left + 0.5), min(max(bottom, top + 0.5), float(HEIGHT) + 0.5))
    clicks = Clicks(box=box, outside=tuple((x + 0.5, y + 0.5) for x, y in outside))
    mask = outline_mask(_noise(), clicks)
    assert mask.shape == (HEIGHT, WIDTH)
    assert not any(mask[y, x] for x, y in outside)


@settings(max_examples=25)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_mask_is_written_as_json_writes_it(height: int, width: int, seed: int) -> None:
    mask: NDArray[np.bool_] = np.random.default_rng(seed).random((height, width)) > 0.5
    assert mask_rows(mask).decode() == json.dumps(mask.astype(int).tolist(), separators=(",", ":"))
    answer = answer_with_mask(mask, {"points": [[0, 1]]})
    assert answer.document() == {"mask": mask.astype(int).tolist(), "points": [[0, 1]]}


def test_the_answer_is_of_the_pictures_size_and_has_its_polygon(small: str) -> None:
    answer = OutlineInteractor().invoke({"image": small, "pos_points": [[40, 30]], "neg_points": [], "obj_bbox": None})
    assert isinstance(answer, RawJson)
    document = answer.document()
    assert sorted(document) == ["mask", "points"]
    mask = np.array(document["mask"])
    assert mask.shape == (HEIGHT, WIDTH)
    assert set(np.unique(mask)) == {0, 1}
    assert cv2.pointPolygonTest(np.array(document["points"], np.int32), (40, 30), measureDist=False) >= 0


@pytest.mark.parametrize("corners", [[[20, 10], [50, 40]], [[50, 40], [20, 10]], [20, 10, 50, 40]])
def test_a_box_comes_as_its_corners_in_any_order(small: str, corners: list[Any]) -> None:
    answers = [
        answered(OutlineInteractor(), {"image": small, "pos_points": [], "neg_points": [], "obj_bbox": some})
        for some in (corners, [[20, 10], [50, 40]])
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({}, "needs a click"),
        ({"pos_points": [], "neg_points": [[3, 4]]}, "needs a click"),
        ({"pos_points": [[3, 4]], "neg_points": [[3.4, 4.4]]}, "inside and as outside"),
        ({"pos_points": [[300, 4]]}, "outside of the image"),
        ({"pos_points": [[-5, 4]]}, "outside of the image"),
        ({"pos_points": [[3, float("nan")]]}, "nan"),
        ({"pos_points": [[3]]}, "not 2"),
        ({"pos_points": [["3", 4]]}, "not a number"),
        ({"pos_points": 3}, "not a list"),
        ({"pos_points": [[3, 4]] * 501}, "at most 500"),
        ({"obj_bbox": [[3, 4]]}, "obj_bbox"),
        ({"obj_bbox": {"x": 3}}, "two corners"),
        ({"obj_bbox": [[200, 200], [300, 300]]}, "outside of the image"),
        ({"obj_bbox": [[5, 5], [5, 9]]}, "no area"),
        ({"pos_points": [[3, 4]], "image": "????"}, "base64"),
    ],
)
def test_calls_that_cannot_be_answered_are_refused(small: str, call: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCallError, match=words):
        OutlineInteractor().invoke({"image": small, **call})


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_the_smallest_pictures_are_answered(size: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    answer = answered(OutlineInteractor(), {"image": sent(image), "pos_points": [[0, 0]]})
    assert np.array(answer["mask"]).shape == size
    assert answer["mask"][0][0] == 1
