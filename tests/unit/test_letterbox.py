from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.manifest import InputSpec
from models.runtime.letterbox import letterbox, resize, stretch, to_pixels, to_source, to_tensor
from models.runtime.vision import cv2

SIDES = st.integers(1, 3000)


def reference_letterbox(image: NDArray[np.uint8], width_px: int, height_px: int, pad_value: int) -> NDArray[np.float32]:
    """The usual YOLO letterbox (scale to fit, bilinear, centred on a pad value), written for clarity, not for speed."""
    ratio = min(height_px / image.shape[0], width_px / image.shape[1])
    new_width, new_height = round(image.shape[1] * ratio), round(image.shape[0] * ratio)
    pad_x, pad_y = (width_px - new_width) / 2, (height_px - new_height) / 2
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(pad_y - 0.1), round(pad_y + 0.1)
    left, right = round(pad_x - 0.1), round(pad_x + 0.1)
    padded = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(pad_value,) * 3)
    return padded[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)


def spec(width_px: int = 640, height_px: int = 384, **changes: Any) -> InputSpec:
    return InputSpec(width_px=width_px, height_px=height_px, **changes)


@pytest.mark.parametrize(("width_px", "height_px"), [(1229, 691), (640, 384), (300, 200), (500, 700), (1001, 333), (64, 64)])
def test_the_network_sees_what_the_usual_letterbox_gives(width_px: int, height_px: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    place = letterbox(width_px, height_px, spec())
    content = resize(image, place.content_width_px, place.content_height_px)
    tensor = to_tensor(content, spec(), left_px=place.left_px, top_px=place.top_px)
    assert tensor.shape == (1, 3, 384, 640)
    assert tensor.dtype == np.float32
    assert tensor.flags["C_CONTIGUOUS"]
    assert np.abs(tensor - reference_letterbox(image, 640, 384, 114)).max() < 1e-6


def test_mean_std_order_and_padding_follow_the_manifest() -> None:
    wanted = spec(64, 32, channel_order="bgr", mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0), pad_value=51)
    image = np.full((32, 32, 3), (255, 0, 102), np.uint8)
    tensor = to_tensor(image, wanted, left_px=16, top_px=0)
    assert np.allclose(tensor[0, :, 5, 20], [(1 - 0.1) / 0.5, (0 - 0.2) / 0.25, (0.4 - 0.3) / 2.0], atol=1e-6)
    assert np.allclose(tensor[0, :, 5, 2], [(0.2 - 0.1) / 0.5, 0.0, (0.2 - 0.3) / 2.0], atol=1e-6)


@pytest.mark.parametrize("order", ["bgr", "rgb"])
@pytest.mark.parametrize(("left_px", "top_px"), [(0, 0), (7, 0), (3, 5)])
def test_the_bytes_are_those_that_the_numbers_are_made_of(order: Literal["bgr", "rgb"], left_px: int, top_px: int) -> None:
    wanted = spec(64, 32, channel_order=order)
    content = np.random.default_rng(0).integers(0, 256, (32 - 2 * top_px, 64 - 2 * left_px, 3), dtype=np.uint8)
    pixels = to_pixels(content, wanted, left_px=left_px, top_px=top_px)
    assert (pixels.shape, str(pixels.dtype)) == ((1, 32, 64, 3), "uint8")
    assert pixels.flags["C_CONTIGUOUS"]
    numbers = to_tensor(content, wanted, left_px=left_px, top_px=top_px)
    assert np.array_equal(pixels.transpose(0, 3, 1, 2), np.round(numbers * 255))


@given(
    width_px=SIDES, height_px=SIDES, input_width_px=st.integers(32, 1300), input_height_px=st.integers(32, 1300), seed=st.integers(0, 99)
)
@settings(max_examples=200, deadline=None)
def test_boxes_come_back_exactly(width_px: int, height_px: int, input_width_px: int, input_height_px: int, seed: int) -> None:
    wanted = spec(input_width_px, input_height_px)
    for place in (letterbox(width_px, height_px, wanted), stretch(width_px, height_px, wanted)):
        assert 0 <= place.left_px <= wanted.width_px - place.content_width_px
        assert 0 <= place.top_px <= wanted.height_px - place.content_height_px
        ends = np.random.default_rng(seed).uniform(0, 1, (10, 2, 2)) * (width_px, height_px)
        boxes = np.sort(ends, axis=1).reshape(10, 4).astype(np.float32)
        ratio = np.array([place.content_width_px / width_px, place.content_height_px / height_px] * 2)
        there = (boxes * ratio + [place.left_px, place.top_px] * 2).astype(np.float32)
        assert np.abs(to_source(there, place) - boxes).max() <= 1e-3 * max(1.0, 1 / ratio.min())


def test_boxes_in_the_padding_are_cut_at_the_image() -> None:
    place = letterbox(1229, 691, spec())
    assert to_source(np.array([[-9, -9, 700, 400]], np.float32), place).tolist() == [[0, 0, 1229, 691]]


def test_shrinking_to_less_than_half_averages_instead_of_skipping() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::4] = 255
    assert np.ptp(resize(stripes, 100, 100)) <= 1
    assert resize(stripes, 400, 400) is stripes
