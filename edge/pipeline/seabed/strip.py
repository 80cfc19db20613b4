"""The frame strip: a whole tow as one long picture of the seabed, as it passed the counting row.

Between two frames a piece of seabed passes the row. In the frame before it lies just above the row, and where exactly, the motion
tells: seabed that passes after a part t of the step is found at ((1 - t) I + t H^-1) (x, row, 1). For a sledge that goes straight this
is exact at every t (its motion is I + d e l', linear in the distance d); a turn within a sixth of a second is small.

The strip lies as one reads: the tow goes to the right, the sledge's left side is up. Its columns run along the tow at a scale of
`strip width / frame width`, so a column and a place along the tow are one and the same. It comes in tiles; a piece that is handed over
ends where the frames end that are handed over with it, so that reading may be interrupted there and go on in another process.
"""

from __future__ import annotations

import numpy as np

from edge.footage import Float64Array, Motion, StripMoment, StripTile
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.plate import Float32Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

STRIP_WIDTH_PX = 480
TILE_COLUMNS = 1024
JPEG_QUALITY = 80
LIGHT_SIZE = (48, 27)
LIGHT_FROM_PX = 192  # a frame is thinned out to about this width before its light is averaged
LIGHT_MEMORY = 25  # frames
LIGHT_EVERY = 8  # columns: the light changes slowly
MOST_GAIN = 4.0


class StripBuilder:
    """Builds the strip of one clip from its sampled frames in order.

    Args:
        width_px, height_px: size of the full frame.
        line_height: the counting row as a part of the frame's height.
        strip_width_px: of the strip, across the tow; its columns have the same scale.
        tile_columns: the most columns of a tile.
    """

    def __init__(
        self, width_px: int, height_px: int, *, line_height: float, strip_width_px: int = STRIP_WIDTH_PX, tile_columns: int = TILE_COLUMNS
    ) -> None:
        self._frame = (width_px, height_px)
        self._line_px = line_height * height_px
        self._scale = min(1.0, strip_width_px / width_px)
        self._width = round(width_px * self._scale)
        self._tile = np.zeros((tile_columns, self._width, 3), np.uint8)  # as the camera sees it: ahead is up
        self._from_row = self._next_row = 0  # of the tile, and the first one that is not laid down
        self._along_px = 0.0
        self._moments: list[StripMoment] = []
        self._done: list[StripTile] = []
        self._before: UInt8Array | None = None
        self._light: Float32Array | None = None

    @property
    def along_px(self) -> float:
        """How far the seabed has moved past the row, pixels of the full frame."""
        return self._along_px

    def add(self, image: UInt8Array, motion: Motion | None, at_s: float) -> None:
        """Take the next frame.

        Args:
            image: (h, w, 3) uint8 BGR, the frame at full or reduced size. It is kept until the next one comes.
            motion: of the seabed from the frame before, pixels of the full frame; None for the first one or after a break, where the
                strip goes on without a gap.
        """
        self._learn_light(image)
        if motion is not None and self._before is not None:
            self._lay(motion.homography)
        column = self._along_px * self._scale - self._from_row
        self._moments.append(StripMoment(at_s, column, None if motion is None else motion.source))
        self._before = image

    def begin_behind(self, image: UInt8Array) -> None:
        """Go on where an earlier builder ended: `image` is the last frame that it took."""
        self._learn_light(image)
        self._before = image

    def take(self) -> tuple[StripTile, ...]:
        """The tiles since the last call, up to the last frame. The next one begins there."""
        if self._next_row > self._from_row or self._moments:
            self._finish()
        done, self._done = tuple(self._done), []
        return done

    def _lay(self, homography: Float64Array) -> None:
        """Lay down what passed the row in one step."""
        back = np.asarray(np.linalg.inv(homography), np.float64)
        middle = np.array([[self._frame[0] / 2, self._line_px]])
        step_px = float((apply(homography, middle) - apply(back, middle))[0, 1]) / 2
        start_px, self._along_px = self._along_px, self._along_px + step_px
        # A sledge that goes back shows again what is laid down: rows go on where the seabed is new.
        last = int(np.floor(self._along_px * self._scale - 0.5))
        rows = np.arange(self._next_row, last + 1)
        if rows.size == 0:
            return
        parts = np.asarray(((rows + 0.5) / self._scale - start_px) / step_px, np.float32)
        band = self._band(np.asarray(back / back[2, 2], np.float32), parts)
        laid = 0
        while laid < len(band):
            filled = self._next_row - self._from_row
            piece = band[laid : laid + len(self._tile) - filled]
            below = len(self._tile) - filled
            self._tile[below - len(piece) : below] = piece[::-1]
            self._next_row += len(piece)
            laid += len(piece)
            if self._next_row - self._from_row == len(self._tile):
                self._finish()

    def _band(self, back: Float32Array, parts: Float32Array) -> UInt8Array:
        """(N, width, 3) rows of the frame before, its light evened, that pass after each part (N,) of the step."""
        assert self._before is not None
        assert self._light is not None
        x = (np.arange(self._width, dtype=np.float32) + np.float32(0.5)) / np.float32(self._scale)
        there = np.stack([x, np.full_like(x, self._line_px), np.ones_like(x)])
        moved = back @ there
        part = parts[:, None]
        at_w = 1 + part * (moved[2] - 1)
        at_x = (x + part * (moved[0] - x)) / at_w
        at_y = (there[1] + part * (moved[1] - there[1])) / at_w
        pixels = self._sampled(at_x, at_y)
        grid_x, grid_y = LIGHT_SIZE[0] / self._frame[0], LIGHT_SIZE[1] / self._frame[1]
        few_x, few_y = at_x[:, ::LIGHT_EVERY], at_y[:, ::LIGHT_EVERY]
        light = cv2.remap(self._light, few_x * grid_x - 0.5, few_y * grid_y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        even = np.asarray(self._light.mean(axis=(0, 1)), np.float32)
        gain = np.clip(even / np.maximum(np.asarray(light, np.float32), 1), 1 / MOST_GAIN, MOST_GAIN)
        spread = cv2.resize(gain, (self._width, len(parts)), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.multiply(pixels, spread, dtype=cv2.CV_8U), np.uint8)

    def _sampled(self, at_x: Float32Array, at_y: Float32Array) -> UInt8Array:
        """Pixels of the frame before at places of the full frame; only the rows between them are reduced to the strip's scale."""
        assert self._before is not None
        height, width = self._before.shape[:2]
        per_px = height / self._frame[1]
        top = min(max(int(at_y.min() * per_px) - 4, 0), height - 1)
        bottom = max(min(int(at_y.max() * per_px) + 5, height), top + 1)
        band = np.ascontiguousarray(self._before[top:bottom])
        if width > self._width:
            size = (self._width, max(1, round((bottom - top) * self._width / width)))
            band = np.asarray(cv2.resize(band, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale_x, scale_y = band.shape[1] / self._frame[0], band.shape[0] / (bottom - top) * per_px
        offset_y = top * band.shape[0] / (bottom - top) + 0.5
        return np.asarray(
            cv2.remap(band, at_x * scale_x - 0.5, at_y * scale_y - offset_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _learn_light(self, image: UInt8Array) -> None:
        """The mean frame of the last seconds, coarse: what lies on the seabed averages out as it passes, the lamps' falloff stays."""
        every = max(1, image.shape[1] // LIGHT_FROM_PX)
        thinned = np.ascontiguousarray(image[every // 2 :: every, every // 2 :: every])
        coarse = cv2.resize(thinned, LIGHT_SIZE, interpolation=cv2.INTER_AREA)
        smooth = np.asarray(cv2.GaussianBlur(np.asarray(coarse, np.float32), (0, 0), 2.0), np.float32)
        self._light = smooth if self._light is None else self._light + np.float32(1 / LIGHT_MEMORY) * (smooth - self._light)

    def _finish(self) -> None:
        filled = self._next_row - self._from_row
        jpeg = b""
        if filled:
            lying = cv2.rotate(self._tile[len(self._tile) - filled :], cv2.ROTATE_90_CLOCKWISE)
            jpeg = cv2.imencode(".jpg", lying, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
        tile = StripTile(columns=filled, width_px=self._width, px_per_column=1 / self._scale, jpeg=jpeg, moments=tuple(self._moments))
        self._done.append(tile)
        self._from_row, self._moments = self._next_row, []
