"""The frame strip: one picture of a tow, at the scale of the counting row, whose rows are places along it."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from edge.footage import Motion
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.strip import StripBuilder, StripTile
from edge.values import UInt8Array
from tests.helpers.sledge import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX, Sledge, Weather, swell

_LINE = np.array([[WIDTH_PX / 2, LINE_HEIGHT * HEIGHT_PX]])


def _built(frames: int, mean: float = 600.0, tile_rows: int = 256, surge: float = 350.0) -> tuple[list[StripTile], StripBuilder, float]:
    """Tiles of a tow with its true motions, the builder, and how far the seabed moved past the row."""
    builder, tiles, along = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT, tile_rows=tile_rows), list[StripTile](), 0.0
    weather = Weather(text=False, lasers=False, specks=0)
    for sight in Sledge(5, weather).sail(swell(frames, 6.0, 5, mean=mean, surge=surge, unrest=0.3), 6.0):
        motion = None
        if sight.homography is not None:
            motion = Motion(homography=sight.homography, sd_px=0.1, source="registered")
            back = np.asarray(np.linalg.inv(sight.homography), np.float64)
            along += float((apply(sight.homography, _LINE) - apply(back, _LINE))[0, 1]) / 2
        tiles += builder.add(sight.image, motion, sight.at_s)
    return tiles + builder.close(), builder, along


def _picture(tile: StripTile) -> UInt8Array:
    return np.asarray(cv2.imdecode(np.frombuffer(tile.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_rows_and_places_along_the_tow_are_one_and_the_same() -> None:
    tiles, builder, along = _built(10)
    assert builder.along_px == pytest.approx(along)
    assert [tile.number for tile in tiles] == list(range(len(tiles)))
    assert tiles[0].along_from_px == 0
    for before, after in itertools.pairwise(tiles):
        assert after.along_from_px == pytest.approx(before.along_to_px)
    assert tiles[-1].along_to_px == pytest.approx(along, abs=3)
    for tile in tiles:
        assert _picture(tile).shape == (tile.rows, tile.width_px, 3)
        assert tile.row_of(tile.along_to_px) == 0
        assert tile.row_of(tile.along_from_px) == tile.rows
        assert tile.along_of(tile.row_of(tile.along_from_px + 50)) == pytest.approx(tile.along_from_px + 50)
        assert all(tile.rows <= 256 for tile in tiles)
    assert [time for tile in tiles for time, _ in tile.moments] == sorted(time for tile in tiles for time, _ in tile.moments)


def test_the_strip_has_no_seams_and_its_light_is_even() -> None:
    tiles, _, _ = _built(14)
    whole = np.vstack([_picture(tile) for tile in reversed(tiles)]).astype(np.float32).mean(axis=2)
    columns = whole[:, 20:-20].mean(axis=0)
    assert columns.min() > 0.8 * columns.max()  # the lamps reach the sides with half of the middle
    steps = np.abs(np.diff(whole, axis=0)).mean(axis=1)
    assert steps.max() < 4 * np.median(steps)


def test_a_mark_on_the_seabed_is_where_and_as_large_as_it_is() -> None:
    builder, tiles = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT), list[StripTile]()
    line_px, step_px = LINE_HEIGHT * HEIGHT_PX, 80.0
    shift = np.array([[1, 0, 0], [0, 1, step_px], [0, 0, 1.0]])
    for number in range(8):
        image = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.uint8)
        middle = (400, round(line_px - 300 + step_px * number))  # passes the row when 300 px have
        cv2.circle(image, middle, 30, (40, 40, 40), cv2.FILLED)
        motion = None if number == 0 else Motion(homography=shift, sd_px=0.1, source="registered")
        tiles += builder.add(image, motion, number / 6)
    (tile,) = tiles + builder.close()
    dark = _picture(tile).mean(axis=2) < 85
    rows, columns = np.nonzero(dark)
    scale = tile.width_px / WIDTH_PX
    assert tile.along_of(float(rows.mean()) + 0.5) == pytest.approx(300, abs=4)
    assert float(columns.mean()) / scale == pytest.approx(400, abs=3)
    assert np.ptp(rows) / scale == pytest.approx(60, abs=6)
    assert np.ptp(columns) / scale == pytest.approx(60, abs=6)


def test_a_sledge_that_goes_back_lays_nothing_down_twice() -> None:
    tiles, builder, _ = _built(20, mean=100.0, surge=350.0, tile_rows=4096)
    assert len(tiles) == 1
    highest = max(along for _, along in tiles[0].moments)
    assert highest > builder.along_px  # it ended behind its furthest place
    assert tiles[0].along_to_px == pytest.approx(highest, abs=3)


def test_memory_is_that_of_one_tile() -> None:
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=LINE_HEIGHT, tile_rows=128)
    image = np.full((HEIGHT_PX // 2, WIDTH_PX // 2, 3), 90, np.uint8)
    shift = Motion(homography=np.array([[1, 0, 0], [0, 1, 150.0], [0, 0, 1.0]]), sd_px=0.1, source="registered")
    tiles = 0
    for number in range(400):
        tiles += len(builder.add(image, shift if number else None, number / 6))
        assert len(builder._moments) < 10
    assert tiles > 200
    assert builder._tile.shape == (128, 640, 3)
