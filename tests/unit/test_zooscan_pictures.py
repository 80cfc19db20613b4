"""Tiles and crops of a clean picture: the means of its pixels, at every scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import InputError, Reason
from edge.zooscan.process.clean_file import open_clean, write_clean
from edge.zooscan.process.pictures import CleanPictures, mean_of_squares
from models.runtime.vision import cv2

HEIGHT, WIDTH = 1300, 2100


def rough(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    return np.random.default_rng(height).integers(0, 256, (height, width), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_clean(folder / "clean.tif", rough(), 2400)
    return folder


def decoded(data: bytes) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def mean_by_hand(image: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Each square's mean, squares at the end of what is there."""
    height, width = image.shape
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.int64), range(0, height, side), axis=0), range(0, width, side), axis=1)
    high = np.diff([*range(0, height, side), height])
    wide = np.diff([*range(0, width, side), width])
    return np.asarray(sums / (high[:, None] * wide[None, :]))


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 4, 8, 16]))
@settings(max_examples=60)
def test_a_square_becomes_its_mean_at_the_end_too(height: int, width: int, side: int) -> None:
    image = rough(height, width)
    reduced = mean_of_squares(image, side)
    told = mean_by_hand(image, side)
    assert reduced.shape == told.shape
    assert np.abs(reduced - told).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("side_px", [256, 512])
@pytest.mark.parametrize("level", range(6))
def test_the_tiles_of_a_level_are_the_scan_at_that_scale(folder: Path, level: int, side_px: int) -> None:
    told = mean_by_hand(rough(), 1 << level)
    with CleanPictures(folder) as pictures:
        assert pictures.size_px == (WIDTH, HEIGHT)
        columns, rows = -(-told.shape[1] // side_px), -(-told.shape[0] // side_px)
        whole = np.concatenate(
            [
                np.concatenate([decoded(pictures.tile(level, column, row, side_px=side_px)) for column in range(columns)], axis=1)
                for row in range(rows)
            ]
        )
    assert whole.shape == told.shape
    # Coarse levels are means of means that were rounded once; at the scan's end these weigh alike.
    inner = (slice(None, HEIGHT >> level), slice(None, WIDTH >> level))
    assert np.abs(whole.astype(float) - told)[inner].max() <= (0.5 + 1e-6 if level <= 3 else 1.0)


def test_the_levels_end_with_one_tile(folder: Path) -> None:
    with CleanPictures(folder) as pictures:
        assert pictures.levels == 5
        assert max(decoded(pictures.tile(pictures.levels - 1, 0, 0)).shape) <= 256
        assert max(decoded(pictures.tile(pictures.levels - 2, 0, 0, side_px=512)).shape) > 256


def test_an_overview_that_was_damaged_is_made_again(folder: Path) -> None:
    (folder / "overview.tif").write_bytes(b"II*\0 nothing")
    with CleanPictures(folder) as pictures:
        tile = decoded(pictures.tile(4, 0, 0))
    assert np.abs(tile.astype(float) - mean_by_hand(rough(), 16))[: HEIGHT // 16, : WIDTH // 16].max() <= 1
    assert open_clean(folder / "overview.tif").shape == (163, 263)
    assert sorted(path.name for path in folder.iterdir()) == ["clean.tif", "overview.tif"]


def test_a_crop_is_the_scans_own_pixels_and_white_beyond_it(folder: Path) -> None:
    with CleanPictures(folder) as pictures:
        assert (decoded(pictures.crop(300, 200, 90, 70)) == rough()[200:270, 300:390]).all()
        corner = decoded(pictures.crop(-10, HEIGHT - 5, 30, 20))
        jpeg = decoded(pictures.crop(300, 200, 90, 70, kind="jpeg"))
    assert (corner[:5, 10:] == rough()[-5:, :20]).all()
    assert (corner[5:] == 255).all()
    assert (corner[:, :10] == 255).all()
    assert jpeg.shape == (70, 90)


@pytest.mark.parametrize("asked", [(0, 9, 0, 256), (0, 0, 6, 256), (-1, 0, 0, 256), (13, 0, 0, 256), (0, -1, 0, 256), (0, 0, 0, 300)])
def test_a_tile_that_is_not_there_is_refused(folder: Path, asked: tuple[int, int, int, int]) -> None:
    level, column, row, side_px = asked
    with CleanPictures(folder) as pictures, pytest.raises(InputError) as raised:
        pictures.tile(level, column, row, side_px=side_px)
    assert raised.value.reason is Reason.UNSUPPORTED_PIXELS


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((0, 0, 0, 5), Reason.UNSUPPORTED_PIXELS),
        ((WIDTH, 0, 5, 5), Reason.UNSUPPORTED_PIXELS),
        ((0, 0, 5000, 5000), Reason.TOO_MANY_PIXELS),
    ],
)
def test_a_box_without_pixels_or_with_too_many_is_refused(folder: Path, box: tuple[int, int, int, int], reason: Reason) -> None:
    with CleanPictures(folder) as pictures, pytest.raises(InputError) as raised:
        pictures.crop(*box)
    assert raised.value.reason is reason


def test_what_is_no_clean_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        CleanPictures(tmp_path)
    assert raised.value.reason is Reason.VANISHED
    (tmp_path / "clean.tif").write_text("no picture", encoding="utf-8")
    with pytest.raises(InputError) as raised:
        CleanPictures(tmp_path)
    assert raised.value.reason is Reason.CORRUPT
    write_clean(tmp_path / "clean.tif", rough(), 2400)
    (tmp_path / "clean.tif").write_bytes((tmp_path / "clean.tif").read_bytes()[:-100])
    with pytest.raises(InputError) as raised:
        CleanPictures(tmp_path)
    assert raised.value.reason is Reason.CORRUPT
