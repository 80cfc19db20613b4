"""The glass: the scanner's light, the frame around the sample, the noise of the sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Line = npt.NDArray[np.float32]

# As in the log of a real scan: the median of 16-bit greys, and what Zooprocess makes of it (ratio 1.15, optical density 1.8).
MEDIAN = 54_921
COUNTS_PER_LEVEL = (np.floor(MEDIAN * 1.15) - np.floor(MEDIAN / (10**1.8 * 1.15)) + 1) / 256
NOISE_LEVELS = 1.4
BACKGROUND_RATIO = 8
_STREAKS = 0.0012
_RAMP_PX = 150
# How much light the frame lets through. A narrow one must be faint: its edge is too steep for the smoothed background to follow.
_FRAME_LIGHT, _NARROW_FRAME_LIGHT = 0.62, 0.7
_NARROW_PX = 100
# Left, top, right, bottom: as in the log of a real scan; and never too narrow to be found in a small picture.
_MARGINS = (340 / 25_000, 330 / 15_000, 520 / 25_000, 400 / 15_000)
_MARGINS_OF_SMALL = (0.022, 0.035, 0.035, 0.035)
_SMALL_PX = 6000
# Zooprocess says "frame" where less light than this comes through.
_DARKER = 0.9
_TILE_ROWS = 509


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How far the frame reaches into the picture, pixels of the upright scan."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def ramp_px(self) -> int:
        """Pixels over which the frame's shadow fades."""
        return int(min(_RAMP_PX, 0.8 * min(self.left, self.top, self.right, self.bottom)))


def margins_of(width_px: int, height_px: int) -> Margins:
    """How far the frame reaches into a picture of this size."""
    left, top, right, bottom = _MARGINS if min(width_px, height_px) > _SMALL_PX else _MARGINS_OF_SMALL
    return Margins(left=round(left * width_px), top=round(top * height_px), right=round(right * width_px), bottom=round(bottom * height_px))


class Glass:
    """The empty glass as the scanner sees it, in the scanner's own orientation; the same for a scan and its backgrounds."""

    def __init__(self, rng: np.random.Generator, width_px: int, height_px: int) -> None:
        """Take the upright scan's size; the raw one is `width_px` rows of `height_px` pixels.

        Args:
            rng: chance.
            width_px, height_px: of the upright scan.
        """
        margins = margins_of(width_px, height_px)
        ramp = margins.ramp_px
        # Upright column c is raw row W - 1 - c, upright row r is raw column H - 1 - r.
        self.rows: Line = _light(rng, width_px, 0.02, streaks=0.0) * _frame(width_px, margins.right, margins.left, ramp)
        self.columns: Line = _light(rng, height_px, 0.035, streaks=_STREAKS) * _frame(height_px, margins.bottom, margins.top, ramp)
        self.columns *= np.float32(MEDIAN) / np.float32(np.median(self.columns) * np.median(self.rows))

    def strip(self, top: int, bottom: int) -> npt.NDArray[np.uint16]:
        """(bottom - top, H) uint16: raw rows without noise."""
        return _counts(self.rows[top:bottom, None] * self.columns[None])

    def reduced(self, light: float) -> npt.NDArray[np.uint16]:
        """(W / 8, H / 8) uint16: the whole glass at the resolution of a background, of which the lamp gave so much light."""
        rows, columns = _means(self.rows), _means(self.columns)
        return _counts(rows[:, None] * columns[None] * np.float32(light))


class Noise:
    """Noise of the sensor, from one tile laid anew for each strip."""

    def __init__(self, rng: np.random.Generator, width_px: int, levels: float = NOISE_LEVELS) -> None:
        """Draw the tile.

        Args:
            rng: chance.
            width_px: of a raw row.
            levels: standard deviation, 8-bit levels.
        """
        self._rng = rng
        spread = rng.standard_normal((_TILE_ROWS, width_px + 4099), np.float32) * np.float32(levels * COUNTS_PER_LEVEL)
        self._tile = np.rint(spread).astype(np.int16)
        self._width_px = width_px

    def add(self, strip: npt.NDArray[np.uint16]) -> None:
        """Add noise to raw rows, in place; rows are at most as many as the tile has."""
        shift, first = int(self._rng.integers(4099)), int(self._rng.integers(_TILE_ROWS))
        tile = np.roll(self._tile[:, shift : shift + self._width_px], -first, axis=0)[: len(strip)]
        strip[:] = np.clip(strip.astype(np.int32) + tile, 0, 65_535).astype(np.uint16)


def _light(rng: np.random.Generator, count: int, fall: float, *, streaks: float) -> Line:
    """Light along one way: a lamp is weaker at its ends; each cell of the sensor has a gain of its own."""
    place = np.linspace(-1.0, 1.0, count)
    lean, phase = rng.normal(0, 0.3), rng.uniform(0, 6)
    lamp = 1.0 - fall * (place**2 + lean * place) + 0.15 * fall * np.sin(3 * place + phase)
    return np.asarray(lamp + streaks * rng.standard_normal(count), np.float32)


def _frame(count: int, first: int, last: int, ramp: int) -> Line:
    """1 on the glass, darker towards both ends; at `first` and `last` pixels from the ends it is 0.9."""
    place = np.arange(count)
    light = np.ones(count)
    dark = _FRAME_LIGHT if ramp > _NARROW_PX else _NARROW_FRAME_LIGHT
    steps = np.linspace(0.0, 1.0, 1001)
    eased = dark + (1.0 - dark) * steps**2 * (3.0 - 2.0 * steps)
    at_limit = float(np.interp(_DARKER, eased, steps))
    for margin, away in ((first, place), (last, count - 1 - place)):
        light *= np.interp((away - margin) / ramp + at_limit, steps, eased)
    return np.asarray(light, np.float32)


def _counts(light: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    return np.asarray(np.clip(light + np.float32(0.5), 0, 65_535), np.uint16)


def _means(line: Line) -> Line:
    # What is over lies at the upright picture's right and lower edge, which are the first raw rows and columns.
    whole = len(line) // BACKGROUND_RATIO * BACKGROUND_RATIO
    return np.asarray(line[len(line) - whole :].reshape(-1, BACKGROUND_RATIO).mean(axis=1), np.float32)
