"""Which frames belong to one tow."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.datasets.read import read_dataset
from models.datasets.tow import compile_pattern, tows_of
from tests.helpers.datasets import write_yolo


def tows(*names: str, pattern: str | None = None, labels: tuple[str, ...] = ("opening",)) -> list[str | None]:
    return tows_of(names, labels, compile_pattern(pattern))


def test_frames_less_than_ten_minutes_apart_are_one_tow() -> None:
    names = [f"image_D2023-06-03T{time}-400000Z_0.jpg" for time in ("16-26-05", "16-34-59", "16-44-58", "16-54-59", "07-42-00")]
    assert tows(*names) == ["2023-06-03 16:26"] * 3 + ["2023-06-03 16:54", "2023-06-03 07:42"]


def test_a_folder_tells_the_tow_unless_it_is_a_part_or_a_class() -> None:
    assert tows("images/train/ST07/0001.jpg", "images/train/0001.jpg", "val/opening/7.png") == ["ST07", None, None]


def test_a_name_tells_the_tow_by_what_stands_before_its_number() -> None:
    assert tows("FU22_ST104_frame_00045.jpg", "tow3-0001.png", "IMG_0042.jpg", "000123.jpg", "alone.png") == [
        "FU22_ST104",
        "tow3",
        None,
        None,
        None,
    ]


def test_a_time_that_is_none_tells_nothing() -> None:
    assert tows("2023-13-41T99-99-99.jpg") != ["2023-13-41 99:99"]


@pytest.mark.parametrize(("pattern", "expected"), [(r"st(?P<tow>\d+)", "12"), (r"(st\d+)_", "st12"), (r"st\d+", "st12"), (r"leg\d", None)])
def test_a_pattern_comes_before_everything(pattern: str, expected: str | None) -> None:
    assert tows("night/a_st12_2023-06-03T16-26-05.jpg", pattern=pattern) == [expected]


def test_images_that_the_pattern_misses_are_told(tmp_path: Path) -> None:
    dataset = read_dataset(write_yolo(tmp_path, {"st1_a": [(0, 4, 6, 24, 26)], "other": []}), tow_pattern=r"st\d")
    assert [image.tow for image in dataset.images] == [None, "st1"]
    assert any("not found in the names of 1 images" in warning for warning in dataset.warnings)


def test_the_tows_of_the_real_stills(real_stills: list[Path]) -> None:
    names = [path.name for path in real_stills]
    found = tows(*names)
    one_tow = [tow for name, tow in zip(names, found, strict=True) if name.startswith("image_D2023-06-03T16-2")]
    assert set(one_tow) == {"2023-06-03 16:26"}
    assert len(set(found)) == 8
