"""Images and numbers of a call: whatever comes, it is read or refused as a call, and what leaves lies within the image."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotator_bridge.functions.checked import clip_box, clip_point, confidence_attributes, number, numbers, sent_box, sent_list, sent_point
from annotator_bridge.functions.function import BadCallError
from annotator_bridge.functions.images import decode_image
from edge.errors import ModelError
from tests.helpers.bridge import picture

WHOLE = [picture(kind, width_px=80, height_px=48) for kind in (".png", ".jpg", ".webp", ".bmp", ".tiff")]
COORDINATE = st.floats(-1e6, 1e6, allow_nan=False, width=32)


@given(st.sampled_from(WHOLE), st.integers(0, 10_000), st.binary(max_size=20), st.booleans())
@hypothesis_settings(max_examples=150)
def test_a_damaged_file_is_pixels_or_a_bad_call(whole: bytes, place: int, put: bytes, is_cut: bool) -> None:
    place %= len(whole)
    damaged = whole[:place] + put + (b"" if is_cut else whole[place + len(put) :])
    try:
        image = decode_image(base64.b64encode(damaged).decode(), max_pixels=1_000_000)
    except BadCallError:
        return
    assert image.shape[2:] == (3,)
    assert image.dtype == np.dtype(np.uint8)


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=50),
        st.binary(max_size=80).map(lambda data: base64.b64encode(data).decode()),
    )
)
def test_anything_else_is_a_bad_call(given_text: object) -> None:
    with pytest.raises(BadCallError):
        decode_image(given_text, max_pixels=1_000_000)


@pytest.mark.parametrize("kind", [".webp", ".png", ".jpg", ".tiff", ".bmp"])
def test_the_cap_on_pixels_holds_before_decoding(kind: str) -> None:
    with pytest.raises(BadCallError, match="80 x 48 pixels are more than the 3839 allowed"):
        decode_image(base64.b64encode(picture(kind, width_px=80, height_px=48)).decode(), max_pixels=3839)


@given(st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE), st.integers(1, 5000), st.integers(1, 5000))
@example((0.001, 0.0, 0.004, 10.0), 100, 100)
def test_a_box_leaves_within_the_image_or_not_at_all(box: tuple[float, float, float, float], width: int, height: int) -> None:
    clipped = clip_box(box, width, height)
    if clipped is None:
        return
    left, top, right, bottom = clipped
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert all(value == round(value, 2) for value in clipped)


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5.0, -5.0, 20.0, 10.0), (0.0, 0.0, 20.0, 10.0)),
        ((90.126, 40.0, 300.0, 60.0), (90.13, 40.0, 100.0, 50.0)),
        ((30.0, 10.0, 20.0, 20.0), None),
        ((120.0, 10.0, 130.0, 20.0), None),
        ((10.0, 10.0, 10.0, 20.0), None),
    ],
)
def test_boxes_are_cut_and_empty_ones_dropped(box: tuple[float, ...], clipped: tuple[float, ...] | None) -> None:
    assert clip_box(box, 100, 50) == clipped


@pytest.mark.parametrize("box", [(math.nan, 0, 1, 1), (0, 0, math.inf, 1), (0, 0, 1), (0, 0, 1, 1, 1)])
def test_a_box_of_a_model_that_is_none_is_an_error_of_the_model(box: tuple[float, ...]) -> None:
    with pytest.raises(ModelError):
        clip_box(box, 100, 50)


def test_a_point_of_a_model_is_brought_into_the_image() -> None:
    assert clip_point((-3.0, 60.004), 100, 50) == (0.0, 50.0)
    with pytest.raises(ModelError):
        clip_point((math.nan, 1.0), 100, 50)


@pytest.mark.parametrize("value", ["1", True, None, math.nan, -math.inf, 10**400, [1]])
def test_what_is_no_number_of_a_call_is_refused(value: object) -> None:
    with pytest.raises(BadCallError):
        number(value, "the threshold")
    with pytest.raises(BadCallError):
        numbers([1.0, value], "a box")


def test_boxes_and_points_that_people_drew_are_cut_or_refused() -> None:
    assert sent_box([60.0, 40.0, 10.0, -5.0], "a box", width_px=100, height_px=50) == (10.0, 0.0, 60.0, 40.0)
    assert sent_point([100.5, 20], "a click", width_px=100, height_px=50) == (100.0, 20.0)
    for wrong in ([200.0, 0.0, 300.0, 10.0], [1.0, 2.0, 3.0], "box"):
        with pytest.raises(BadCallError):
            sent_box(wrong, "a box", width_px=100, height_px=50)
    with pytest.raises(BadCallError):
        sent_point([140.0, 20.0], "a click", width_px=100, height_px=50)


def test_a_list_of_a_call_may_be_left_out_but_is_bounded() -> None:
    assert sent_list({}, "shapes", at_most=2) == sent_list({"shapes": None}, "shapes", at_most=2) == []
    bad: list[object] = [{}, [1, 2, 3], "text"]
    for wrong in bad:
        with pytest.raises(BadCallError):
            sent_list({"shapes": wrong}, "shapes", at_most=2)


@pytest.mark.parametrize(
    ("score", "text", "percent"),
    [(0.0, "0.00", "0"), (0.906, "0.91", "91"), (1.0, "1.00", "100"), (0.005, "0.01", "1"), (0.285, "0.28", "28")],
)
def test_a_score_leaves_as_two_texts(score: float, text: str, percent: str) -> None:
    assert [one["value"] for one in confidence_attributes(score)] == [text, percent]


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1, math.inf])
def test_a_score_that_is_none_is_an_error_of_the_model(score: float) -> None:
    with pytest.raises(ModelError):
        confidence_attributes(score)
