"""Images that calibrate never judge; tows stay whole where there are enough of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.datasets.dataset import Dataset, LabelledImage
from models.evaluate.values import ImageTruth
from models.quantise.parts import CalibrationTooSmallError, divide, nearest_sum


def image(name: str, *, tow: str | None = None, split: str | None = None, objects: int = 3) -> LabelledImage:
    boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (objects, 1))
    return LabelledImage(path=Path(name), name=name, width_px=64, height_px=64, truth=ImageTruth.of_one_class(boxes), tow=tow, split=split)


def dataset(*images: LabelledImage) -> Dataset:
    return Dataset(root=Path(), form="yolo", labels=("opening",), images=images, sha256="0" * 64)


def tows(*sizes: int) -> list[LabelledImage]:
    return [image(f"t{tow}/{number:03}.jpg", tow=f"t{tow}") for tow, size in enumerate(sizes) for number in range(size)]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12), order=st.randoms(use_true_random=False))
def test_no_image_has_both_parts_and_tows_stay_whole(sizes: list[int], order: object) -> None:
    images = tows(*sizes)
    try:
        parts = divide(dataset(*images))
    except CalibrationTooSmallError:
        assert sum(sizes) < 41
        return
    names = [{one.name for one in part} for part in (parts.calibration, parts.validation)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {one.name for one in images}
    if parts.how.startswith("whole tows"):
        assert not {one.tow for one in parts.calibration} & {one.tow for one in parts.validation}
    mixed = list(images)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert divide(dataset(*mixed)) == parts


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=10), target=st.integers(0, 200))
def test_the_sum_is_the_nearest_that_can_be_made(sizes: list[int], target: int) -> None:
    chosen = nearest_sum(sizes, target)
    sums = {0}
    for size in sizes:
        sums |= {total + size for total in sums}
    assert abs(sum(sizes[place] for place in chosen) - target) == min(abs(total - target) for total in sums)
    assert len(set(chosen)) == len(chosen)


def test_the_larger_tow_judges_when_it_is_more_than_half() -> None:
    parts = divide(dataset(*tows(66, 20, 9)))
    assert len(parts.calibration) == 29
    assert parts.how == "whole tows: 2 calibrate, 1 judge"


def test_the_data_sets_own_parts_come_first() -> None:
    images = [image(f"{number:03}.jpg", split="train" if number < 30 else "val") for number in range(60)]
    parts = divide(dataset(*images))
    assert parts.how == "the data set's own train and val"
    assert {one.split for one in parts.calibration} == {"train"}
    assert {one.split for one in parts.validation} == {"val"}


def test_a_tow_in_both_own_parts_is_told() -> None:
    images = [image(f"{number:03}.jpg", tow="t1", split="train" if number < 30 else "test") for number in range(60)]
    parts = divide(dataset(*images))
    assert parts.how == "the data set's own train and test"
    assert any(warning.startswith("1 tows are in both parts") for warning in parts.warnings)


def test_a_val_part_that_is_too_small_judges_together_with_test() -> None:
    """As `models train` divides few stills."""
    own = {**dict.fromkeys(range(66), "train"), **dict.fromkeys(range(66, 78), "val"), **dict.fromkeys(range(78, 95), "test")}
    parts = divide(dataset(*(image(f"{number:03}.jpg", split=split) for number, split in own.items())))
    assert parts.how == "the data set's own train and val and test"
    assert (len(parts.calibration), len(parts.validation)) == (66, 29)


def test_own_parts_that_are_too_small_are_not_used_and_that_is_told() -> None:
    images = [image(f"{number:03}.jpg", tow=f"t{number % 8}", split="train" if number < 55 else "val") for number in range(60)]
    parts = divide(dataset(*images))
    assert parts.how.startswith("whole tows")
    assert any("own parts are too small" in warning for warning in parts.warnings)


def test_one_tow_is_divided_by_image_and_that_is_told() -> None:
    parts = divide(dataset(*tows(60)))
    assert [len(part) for part in (parts.calibration, parts.validation)] == [24, 36]
    assert max(one.name for one in parts.calibration) < min(one.name for one in parts.validation)
    assert any("too few tows" in warning for warning in parts.warnings)


def test_few_images_and_few_objects_are_told() -> None:
    parts = divide(dataset(*tows(40, 60)))
    assert any(warning.startswith("only 40 images to calibrate on") for warning in parts.warnings)
    assert any(warning.startswith("only 180 labelled objects") for warning in parts.warnings)
    assert not divide(dataset(*tows(100, 150))).warnings


@pytest.mark.parametrize(("sizes", "told"), [((30,), "12 to calibrate on"), ((1,), "0 to calibrate on")])
def test_too_few_images_are_refused(sizes: tuple[int, ...], told: str) -> None:
    with pytest.raises(CalibrationTooSmallError, match=told) as caught:
        divide(dataset(*tows(*sizes)))
    assert (caught.value.code, caught.value.exit_code) == ("calibration_too_small", 4)


def test_images_without_an_object_judge_nothing() -> None:
    with pytest.raises(CalibrationTooSmallError, match="none of the 36 images to judge by has an object"):
        divide(dataset(*(image(f"{number:03}.jpg", objects=0) for number in range(60))))
