"""The frame strip: a whole tow as one long picture of the seabed, as it passed the counting row.

Between two frames a piece of seabed passes the row. In the frame before it lies just above the row, and where exactly, the motion
tells: seabed that passes after a part t of the step is found at ((1 - t) I + t H^-1) (x, row, 1). For a sledge that goes straight this
is exact at every t (its motion is I + d e l', linear in the distance d); a turn within a sixth of a second is small.

The strip is as the camera sees it: ahead is up. Its rows run along the tow at a scale of `strip width / frame width`, so a row and a
place along the tow are one and the same; tiles are handed over as they fill, and no more than one is in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.footage import Float64Array, Motion
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.plate import Float32Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

STRIP_WIDTH_PX = 640
TILE_ROWS = 1024
JPEG_QUALITY = 80
LIGHT_SIZE = (48, 27)
LIGHT_MEMORY = 25  # frames
MOST_GAIN = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StripTile:
    """A piece of the strip.

    Attributes:
        number: from 0, along the tow.
        along_from_px, along_to_px: of its bottom and its top edge: distance the seabed moved past the row, pixels of the frame.
        width_px, rows: size of the picture.
        jpeg: the picture, ahead is up.
        moments: (seconds, along_px) of the frames whose step ended in it, ascending in time.
    """

    number: int
    along_from_px: float
    along_to_px: float
    width_px: int
    rows: int
    jpeg: bytes
    moments: tuple[tuple[float, float], ...]

    def row_of(self, along_px: float) -> float:
        """Row of a place along the tow, from the top of the tile; outside 0..rows it lies in another tile."""
        return (self.along_to_px - along_px) * self.rows / (self.along_to_px - self.along_from_px)

    def along_of(self, row: float) -> float:
        """Place along the tow of a row."""
        return self.along_to_px - row * (self.along_to_px - self.along_from_px) / self.rows


class StripBuilder:
    """Builds the strip of one tow from its sampled frames in order.

    Args:
        width_px, height_px: size of the full frame.
        line_height: the counting row as a part of the frame's height.
        strip_width_px: width of the strip; its rows have the same scale.
        tile_rows: rows of a tile.
    """

    def __init__(
        self, width_px: int, height_px: int, *, line_height: float, strip_width_px: int = STRIP_WIDTH_PX, tile_rows: int = TILE_ROWS
    ) -> None:
        self._frame = (width_px, height_px)
        self._line_px = line_height * height_px
        self._scale = min(1.0, strip_width_px / width_px)
        self._width = round(width_px * self._scale)
        self._tile_rows = tile_rows
        self._tile = np.zeros((tile_rows, self._width, 3), np.uint8)
        self._next_row, self._number = 0, 0
        self._along_px = 0.0
        self._moments: list[tuple[float, float]] = []
        self._before: UInt8Array | None = None
        self._light: Float32Array | None = None

    @property
    def along_px(self) -> float:
        """How far the seabed has moved past the row, pixels of the full frame."""
        return self._along_px

    def add(self, image: UInt8Array, motion: Motion | None, at_s: float) -> list[StripTile]:
        """Take the next frame; the tiles that it fills.

        Args:
            image: (h, w, 3) uint8 BGR, the frame at full or reduced size.
            motion: of the seabed from the frame before, pixels of the full frame; None for the first one or after a break, where the
                strip goes on without a gap.
        """
        small = cv2.resize(image, (self._width, round(self._frame[1] * self._scale)), interpolation=cv2.INTER_AREA)
        self._learn_light(np.asarray(small, np.uint8))
        done: list[StripTile] = []
        if motion is not None and self._before is not None:
            done = self._lay(motion.homography)
        self._moments.append((at_s, self._along_px))
        self._before = np.asarray(small, np.uint8)
        return done

    def close(self) -> list[StripTile]:
        """The last tile, if anything is in it."""
        filled = self._next_row - self._number * self._tile_rows
        return [self._finished(filled)] if filled > 0 else []

    def _lay(self, homography: Float64Array) -> list[StripTile]:
        """Lay down what passed the row in one step."""
        back = np.asarray(np.linalg.inv(homography), np.float64)
        middle = np.array([[self._frame[0] / 2, self._line_px]])
        step_px = float((apply(homography, middle) - apply(back, middle))[0, 1]) / 2
        start_px, self._along_px = self._along_px, self._along_px + step_px
        # A sledge that goes back shows again what is laid down: rows go on where the seabed is new.
        last = int(np.floor(self._along_px * self._scale - 0.5))
        rows = np.arange(self._next_row, last + 1)
        if rows.size == 0:
            return []
        parts = np.asarray(((rows + 0.5) / self._scale - start_px) / step_px, np.float64)
        band = self._band(back / back[2, 2], parts)
        done = []
        for row, pixels in zip(rows, band, strict=True):
            place = int(row) - self._number * self._tile_rows
            self._tile[self._tile_rows - 1 - place] = pixels
            self._next_row = int(row) + 1
            if place == self._tile_rows - 1:
                done.append(self._finished(self._tile_rows))
        return done

    def _band(self, back: Float64Array, parts: Float64Array) -> UInt8Array:
        """(N, width, 3) rows of the frame before, its light evened, that pass after each part (N,) of the step."""
        assert self._before is not None
        assert self._light is not None
        x = (np.arange(self._width) + 0.5) / self._scale
        there = np.stack([x, np.full_like(x, self._line_px), np.ones_like(x)])
        moved = back @ there
        lifted = (1 - parts)[:, None, None] * there + parts[:, None, None] * moved
        at_x, at_y = (lifted[:, axis] / lifted[:, 2] * self._scale - 0.5 for axis in (0, 1))
        pixels = cv2.remap(
            self._before, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        grid_x, grid_y = LIGHT_SIZE[0] / self._before.shape[1], LIGHT_SIZE[1] / self._before.shape[0]
        light_at = ((at_x + 0.5) * grid_x - 0.5).astype(np.float32), ((at_y + 0.5) * grid_y - 0.5).astype(np.float32)
        light = np.asarray(cv2.remap(self._light, *light_at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
        gain = np.clip(self._light.mean(axis=(0, 1)) / np.maximum(light, 1.0), 1 / MOST_GAIN, MOST_GAIN)
        return np.asarray(np.clip(np.asarray(pixels, np.float32) * gain, 0, 255), np.uint8)

    def _learn_light(self, small: UInt8Array) -> None:
        """The mean frame of the last seconds, coarse: what lies on the seabed averages out as it passes, the lamps' falloff stays."""
        coarse = np.asarray(cv2.resize(small, LIGHT_SIZE, interpolation=cv2.INTER_AREA), np.float32)
        smooth = np.asarray(cv2.GaussianBlur(coarse, (0, 0), 2.0), np.float32)
        self._light = smooth if self._light is None else self._light + np.float32(1 / LIGHT_MEMORY) * (smooth - self._light)

    def _finished(self, filled: int) -> StripTile:
        first = self._number * self._tile_rows
        picture = self._tile[self._tile_rows - filled :]
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        tile = StripTile(
            number=self._number,
            along_from_px=first / self._scale,
            along_to_px=(first + filled) / self._scale,
            width_px=self._width,
            rows=filled,
            jpeg=encoded.tobytes(),
            moments=tuple(self._moments),
        )
        self._number, self._moments = self._number + 1, []
        return tile
