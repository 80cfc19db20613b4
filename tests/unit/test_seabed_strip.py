"""The frame strip: one picture of a tow, at the scale of the counting row, whose columns are places along it."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from edge.footage import Motion, StripTile
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.strip import STRIP_WIDTH_PX, StripBuilder
from edge.values import UInt8Array
from tests.helpers.sledge import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX, Sledge, Weather, swell

_LINE = np.array([[WIDTH_PX / 2, LINE_HEIGHT * HEIGHT_PX]])
_STEP_PX = 80.0
_SHIFT = Motion(homography=np.array([[1, 0, 0], [0, 1, _STEP_PX], [0, 0, 1.0]]), sd_px=0.1, source="registered")


def _built(
    frames: int, mean: float = 600.0, tile_columns: int = 256, surge: float = 350.0
) -> tuple[tuple[StripTile, ...], StripBuilder, list[float]]:
    """Tiles of a tow with its true motions, the builder, and how far the seabed had moved past the row at each frame."""
    builder, along = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT, tile_columns=tile_columns), [0.0]
    weather = Weather(text=False, lasers=False, specks=0)
    for sight in Sledge(5, weather).sail(swell(frames, 6.0, 5, mean=mean, surge=surge, unrest=0.3), 6.0):
        motion = None
        if sight.homography is not None:
            motion = Motion(homography=sight.homography, sd_px=0.1, source="registered")
            back = np.asarray(np.linalg.inv(sight.homography), np.float64)
            along.append(along[-1] + float((apply(sight.homography, _LINE) - apply(back, _LINE))[0, 1]) / 2)
        builder.add(sight.image, motion, sight.at_s)
    return builder.take(), builder, along


def _picture(tile: StripTile) -> UInt8Array:
    return np.asarray(cv2.imdecode(np.frombuffer(tile.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _frame(number: int, begins_px: float = 300.0) -> UInt8Array:
    """A grey frame with a dark mark that passes the row when `begins_px` have; 80 px a frame."""
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.uint8)
    cv2.circle(image, (400, round(LINE_HEIGHT * HEIGHT_PX - begins_px + _STEP_PX * number)), 30, (40, 40, 40), cv2.FILLED)
    return image


def _marks(tiles: tuple[StripTile, ...]) -> tuple[float, float, int, int]:
    """Middle (along, across) and size (along, across) of what is dark, pixels of the full frame and of the strip."""
    scale = tiles[0].px_per_column
    across, along = np.nonzero(np.hstack([_picture(tile) for tile in tiles if tile.columns]).mean(axis=2) < 85)
    return float(along.mean() + 0.5) * scale, float(across.mean() + 0.5) * scale, int(np.ptp(along)), int(np.ptp(across))


def test_columns_and_places_along_the_tow_are_one_and_the_same() -> None:
    tiles, builder, along = _built(10)
    assert builder.along_px == pytest.approx(along[-1])
    scale = WIDTH_PX / STRIP_WIDTH_PX
    assert sum(tile.columns for tile in tiles) * scale == pytest.approx(along[-1], abs=3)
    for tile in tiles:
        assert tile.px_per_column == pytest.approx(scale)
        assert _picture(tile).shape == (tile.width_px, tile.columns, 3) == (STRIP_WIDTH_PX, tile.columns, 3)
        assert tile.columns <= 256
    starts = [0, *itertools.accumulate(tile.columns for tile in tiles)]
    moments = [(one.at_s, (start + one.column) * scale) for start, tile in zip(starts, tiles, strict=False) for one in tile.moments]
    assert [place for _, place in moments] == pytest.approx(along)
    assert [at_s for at_s, _ in moments] == sorted(at_s for at_s, _ in moments)
    assert [one.source for tile in tiles for one in tile.moments] == [None, *["registered"] * 9]


def test_the_strip_has_no_seams_and_its_light_is_even() -> None:
    tiles, _, _ = _built(14)
    whole = np.hstack([_picture(tile) for tile in tiles]).astype(np.float32).mean(axis=2)
    across = whole[20:-20].mean(axis=1)
    assert across.min() > 0.8 * across.max()  # the lamps reach the sides with half of the middle
    steps = np.abs(np.diff(whole, axis=1)).mean(axis=0)
    assert steps.max() < 4 * np.median(steps)


@pytest.mark.parametrize("shrunk", [1.0, 0.75, 0.5])
def test_a_mark_on_the_seabed_is_where_and_as_large_as_it_is(shrunk: float) -> None:
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT)
    for number in range(8):
        image = cv2.resize(_frame(number), None, fx=shrunk, fy=shrunk, interpolation=cv2.INTER_AREA)
        builder.add(np.asarray(image, np.uint8), _SHIFT if number else None, number / 6)
    tiles = builder.take()
    along, across, long, wide = _marks(tiles)
    assert along == pytest.approx(300, abs=4)
    assert across == pytest.approx(400, abs=3)
    scale = tiles[0].px_per_column
    assert [long * scale, wide * scale] == pytest.approx([60, 60], abs=7)


def test_a_sledge_that_goes_back_lays_nothing_down_twice() -> None:
    (tile,), builder, along = _built(20, mean=100.0, surge=350.0, tile_columns=4096)
    assert max(along) > builder.along_px  # it ended behind its furthest place
    assert tile.columns * tile.px_per_column == pytest.approx(max(along), abs=3)


@pytest.mark.parametrize("handed_over_behind", [3, 4])
def test_a_strip_goes_on_in_another_process_where_its_last_part_ended(handed_over_behind: int) -> None:
    """The mark passes the row between the frames 3 and 4: a piece of it in either part, or all in the second."""
    first = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT)
    for number in range(handed_over_behind + 1):
        first.add(_frame(number), _SHIFT if number else None, number / 6)
    before = first.take()
    other = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT)
    other.begin_behind(_frame(handed_over_behind))
    for number in range(handed_over_behind + 1, 8):
        other.add(_frame(number), _SHIFT, number / 6)
    tiles = (*before, *other.take())
    along, across, long, wide = _marks(tiles)
    assert [along, across] == pytest.approx([300, 400], abs=5)
    assert [long, wide] == pytest.approx([60 / tiles[0].px_per_column] * 2, abs=3)
    assert [round(one.at_s * 6) for tile in tiles for one in tile.moments] == list(range(8))


def test_where_no_motion_is_told_there_is_no_picture_but_the_time_is_kept() -> None:
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT)
    assert builder.take() == ()
    for number in range(5):
        builder.add(_frame(number), None, number / 6)
    (tile,) = builder.take()
    assert (tile.columns, tile.jpeg) == (0, b"")
    assert [(one.column, one.source) for one in tile.moments] == [(0, None)] * 5
    assert builder.take() == ()


def test_memory_is_that_of_what_was_not_taken() -> None:
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT, tile_columns=128)
    image = np.full((HEIGHT_PX // 2, WIDTH_PX // 2, 3), 90, np.uint8)
    shift = Motion(homography=np.array([[1, 0, 0], [0, 1, 150.0], [0, 0, 1.0]]), sd_px=0.1, source="registered")
    columns = 0
    for number in range(400):
        builder.add(image, shift if number else None, number / 6)
        columns += sum(tile.columns for tile in builder.take()) if number % 10 == 9 else 0
        assert len(builder._moments) <= 10
        assert len(builder._done) < 6
    assert columns == pytest.approx(399 * 150 * STRIP_WIDTH_PX / WIDTH_PX, abs=60)
    assert builder._tile.shape == (128, STRIP_WIDTH_PX, 3)


def test_a_step_longer_than_a_tile_fills_several() -> None:
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT, tile_columns=10)
    for number in range(3):
        builder.add(_frame(number, 100.0), _SHIFT if number else None, number / 6)
    tiles = builder.take()
    assert [tile.columns for tile in tiles[:-1]] == [10] * (len(tiles) - 1)
    assert _marks(tiles)[0] == pytest.approx(100, abs=5)
