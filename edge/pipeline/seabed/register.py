"""Registers a frame of a tow on the frame before it.

    candidates   phase correlation of the two maps (the frames with their horizon taken away), the motion before, no motion
    verdict      the candidate under which most cells of the frame look like what they should show
    refine       Lucas and Kanade on a grid of corners, forward and back, between the frame and the moved frame before
    fit          the plane's motion with priors (plane.py)

A cloud of silt or dirt on the glass is a coherent picture too, one that stands still or drifts by itself. So a candidate that moves
has precedence over one that does not, if a fair part of the frame follows it: nothing but the seabed crosses the frame as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.footage import Float64Array
from edge.pipeline.seabed.plane import PARAMETERS, Horizon, PlaneFit, apply, fit, homography_of, rectify
from edge.pipeline.seabed.plate import Float32Array, Plate
from edge.values import UInt8Array
from models.runtime.vision import cv2

BoolArray = NDArray[np.bool_]
_AT_HALF = np.array([[1, 1, 0.5], [1, 1, 0.5], [2, 2, 1]])  # times a homography in pixels: the one of pictures of half the size

MAP_SIZE = (240, 144)  # pixels of the map: even sizes that the Fourier transform likes
MAP_REACH = 1.12  # half the width of the map in units of half the frame's width
PEAKS = 4
PEAK_APART_PX = 9
CELL_PX = 20  # of the grid at working size
ALL_USABLE = 250  # of 255
MATCH = 0.45  # correlation of a cell that shows what it should
LEAST_MATCHED = 8  # cells
LEAST_USABLE = 0.04  # of the frame
STILL_PX = 3.0  # at working size: less is no motion
CORNERS_CELL_PX = 18
LEAST_CORNER = 2e-5
WINDOW_PX = 13
FLOW_LEVELS = 2  # of the pyramid: candidates lead to within some pixels
BACK_PX = 0.6
LEAST_POINTS = 14
LEAST_POINTS_STILL = 60  # what is left of the lamps' falloff has some corners too; ground at rest has them all over
LEAST_POINTS_IN_DOUBT = 28  # the fringe of a cloud has corners of its own
NOISE_PX = 0.12  # of a tracked corner at working size
SURE = 0.7  # share of matched cells above which there is nothing else to look for
LEAST_SURE = 0.4
LEAST_SHARE = 0.1
EXPECTED_SD = 0.05  # of half the frame's width, per sixth of a second
LEAST_LIKELY = 0.15
MOST_DOUBTFUL = 0.5
LITTLE_DOUBT = 0.2
MOST_JUMP = 0.13  # of half the frame's width: 80 px of 1229 from one sixth of a second to the next
MOST_SD = 0.02  # of half the frame's width, at the counting row: worse is not called registered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A motion between two plates, centred coordinates.

    Attributes:
        fit: of the plane.
        sd: standard deviation, one axis, of where the fit takes the middle of the counting row.
        points: corners that were tracked.
        cells: (rows, columns) float32, correlation of each cell with what it should show, -1 where nothing can be compared.
        matched: share of the cells that can be compared and show it, 0..1.
    """

    fit: PlaneFit
    sd: float
    points: int
    cells: Float32Array
    matched: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Halves:
    """A plate at half its size, for cells.

    Attributes:
        plate: of which it is made.
        texture: (h, w) uint8.
        usable: (h, w) uint8, 0 or 255.
        levels: (h, w) float32, the texture about zero.
        clear: (h, w) bool, where all that is beneath a pixel is usable.
    """

    plate: Plate
    texture: UInt8Array
    usable: UInt8Array
    levels: Float32Array
    clear: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """What the motion before makes expect of the next one.

    Attributes:
        values: (10,) float64, the plane's parameters.
        matched: how well the frame followed it.
        fresh: it is that of the step before, not carried on for long.
        steps: how long the step is in sixths of a second; the longer, the more a sledge may do in it.
    """

    values: Float64Array
    matched: float
    fresh: bool
    steps: float


class Registrar:
    """Registers plates on each other.

    Args:
        size: of a plate, pixels.
        to_pixels: (3, 3) from centred coordinates to pixels of a plate.
        line_point: (2,) the middle of the counting row, centred.
    """

    def __init__(self, size: tuple[int, int], to_pixels: Float64Array, line_point: Float64Array) -> None:
        self._size, self._half = size, size[0] / 2
        self._to_pixels, self.line_point = to_pixels, line_point
        self._to_centred = np.asarray(np.linalg.inv(to_pixels), np.float64)
        self._window = np.asarray(cv2.createHanningWindow(MAP_SIZE, cv2.CV_32F), np.float32)
        self.horizon = Horizon.unknown()
        self._halves: tuple[_Halves, _Halves] | None = None

    def register(self, before: Plate, now: Plate, expected: Expected | None, *, doubtful: float) -> Registration | None:
        """The motion from one plate into the other; None where the two do not tell.

        `doubtful` is the share of the frame that does not look like ground: what stands still in it may be a cloud.
        """
        self.horizon = self.horizon.drifted()
        if min(np.count_nonzero(plate.usable) for plate in (before, now)) < LEAST_USABLE * before.usable.size:
            return None
        known = None if self._halves is None or self._halves[1].plate is not before else self._halves[1]
        self._halves = known or _halved(before), _halved(now)
        refined: list[Registration] = []
        for start in self._candidates(before, now, expected):
            found = self._refine(before, now, start)
            if found is None or found.points < self._least_points(found, doubtful):
                continue
            if expected is not None and self._jumps(found, expected, doubtful):
                continue
            refined.append(found)
            if found.matched > SURE and self._moves(found):
                break
        best = self._chosen(refined, expected, doubtful)
        if best is not None:
            self.horizon = best.fit.horizon()
        return best

    def _chosen(self, refined: list[Registration], expected: Expected | None, doubtful: float) -> Registration | None:
        """The seabed's motion among those that a part of the frame follows."""
        if not refined:
            return None
        best = max(refined, key=lambda found: found.points * (1.0 if expected is None else self._likely(found, expected)))
        at_rest = expected is not None and expected.matched > SURE and np.hypot(*expected.values[:2]) * self._half < STILL_PX
        if self._moves(best) or at_rest:
            return best
        moving = [found for found in refined if self._moves(found) and found.matched > LEAST_SHARE]
        at_least = None if doubtful > MOST_DOUBTFUL else best
        return max(moving, key=lambda found: found.points, default=at_least)

    def _least_points(self, found: Registration, doubtful: float) -> int:
        if not self._moves(found):
            return LEAST_POINTS_STILL
        return LEAST_POINTS_IN_DOUBT if doubtful > LITTLE_DOUBT else LEAST_POINTS

    def _moves(self, found: Registration) -> bool:
        return bool(np.hypot(*found.fit.values[:2]) * self._half > STILL_PX)

    @staticmethod
    def _likely(found: Registration, expected: Expected) -> float:
        """Weight for being near what the motion before makes expect; never nothing, for sledges surge."""
        off = float(np.hypot(*(found.fit.values[:2] - expected.values[:2])))
        return max(LEAST_LIKELY, float(np.exp(-0.5 * (off / (EXPECTED_SD * expected.steps)) ** 2)))

    @staticmethod
    def _jumps(found: Registration, expected: Expected, doubtful: float) -> bool:
        """True where a part of the frame moves as no sledge does from one step to the next: a cloud or the glass was registered.

        A sledge that mud lets go of does jump; then all of the frame jumps, and there is no cloud.
        """
        if not expected.fresh or expected.matched < LEAST_SURE or (found.matched > SURE and doubtful < LITTLE_DOUBT):
            return False
        off = float(np.hypot(*(found.fit.values[:2] - expected.values[:2])))
        return off > MOST_JUMP * expected.steps

    def _candidates(self, before: Plate, now: Plate, expected: Expected | None) -> Iterator[Float64Array]:
        """Motions worth refining, the best first: (10,) each. Of most frames no more than the first is asked for."""
        lines = [self.horizon.line] if self.horizon.sd() < 0.08 else [np.array([0.0, tilt]) for tilt in (0.0, 0.3, 0.6)]
        found = [_start(shift, line) for line in lines for shift in self._peaks(before, now, line)]
        if len(lines) == 1 and np.hypot(*found[0][:2]) * self._half > STILL_PX and self._share(found[0]) > SURE:
            yield found[0]
        found.append(_start(np.zeros(2), self.horizon.line))
        if expected is not None:
            found.append(expected.values)
        candidates: list[Float64Array] = []
        for one in found:
            if not any(self._apart_px(one, other) < 1.5 for other in candidates):
                candidates.append(one)
        scores = [self._score(candidate) for candidate in candidates]
        moving = [np.hypot(*candidate[:2]) * self._half > STILL_PX for candidate in candidates]
        ranks = sorted(range(len(candidates)), key=lambda i: scores[i] * (2.0 if moving[i] else 1.0), reverse=True)
        chosen: list[Float64Array] = []
        for rank in ranks:
            near = any(self._apart_px(candidates[rank], other) < 4 for other in chosen)
            if scores[rank] >= LEAST_MATCHED and not near:
                chosen.append(candidates[rank])
        yield from chosen[:3]

    def _apart_px(self, one: Float64Array, other: Float64Array) -> float:
        """How far apart two motions take the middle of the frame and a point below it, pixels of a plate."""
        points = np.array([[0.0, 0.0], [0.0, 0.4]])
        off = apply(homography_of(one), points) - apply(homography_of(other), points)
        return float(np.hypot(*off.T).max()) * self._half

    def _peaks(self, before: Plate, now: Plate, line: Float64Array) -> list[Float64Array]:
        """Shifts (2,) of the map, centred units, where phase correlation peaks (Kuglin and Hines 1975)."""
        to_map = self._map_transform(line)
        spectra = [cv2.dft(self._on_map(plate, to_map)) for plate in (before, now)]
        cross = np.asarray(cv2.mulSpectrums(spectra[1], spectra[0], 0, conjB=True), np.float32)
        # Whitened, but not where there is next to nothing: noise would speak as loud as mud.
        power = _power(cross)
        white = cross / (power + np.float32(0.05) * np.float32(power.mean()) + np.float32(1e-6))
        surface = np.asarray(cv2.idft(white, flags=cv2.DFT_SCALE), np.float32)
        surface = np.asarray(cv2.GaussianBlur(surface, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT), np.float32)
        unit = MAP_REACH / (MAP_SIZE[0] / 2)
        peaks = []
        for _ in range(PEAKS):
            row, column = np.unravel_index(int(surface.argmax()), surface.shape)
            y, x = ((int(at) + size // 2) % size - size // 2 for at, size in zip((row, column), surface.shape, strict=True))
            peaks.append(np.array([x * unit, y * unit]))
            cv2.rectangle(
                surface,
                (int(column) - PEAK_APART_PX // 2, int(row) - PEAK_APART_PX // 2),
                (int(column) + PEAK_APART_PX // 2, int(row) + PEAK_APART_PX // 2),
                -1.0,
                cv2.FILLED,
            )
        return peaks

    def _map_transform(self, line: Float64Array) -> Float64Array:
        """From working pixels to pixels of the map."""
        unit = MAP_SIZE[0] / 2 / MAP_REACH
        out = np.array([[unit, 0, MAP_SIZE[0] / 2], [0, unit, MAP_SIZE[1] / 2], [0, 0, 1.0]])
        return np.asarray(out @ rectify(line) @ self._to_centred, np.float64)

    def _on_map(self, plate: Plate, to_map: Float64Array) -> Float32Array:
        levels = np.asarray(cv2.warpPerspective(plate.texture, to_map, MAP_SIZE, flags=cv2.INTER_LINEAR, borderValue=128.0), np.float32)
        return (levels - np.float32(128)) * self._window

    def _score(self, values: Float64Array) -> float:
        """How many cells of the frame look under this motion like the frame before."""
        return float(np.count_nonzero(self._cells(homography_of(values)) > MATCH))

    def _share(self, values: Float64Array) -> float:
        """Of the cells that can be compared under this motion, the share that look like the frame before."""
        return _matched(self._cells(homography_of(values)))

    def _cells(self, homography: Float64Array) -> Float32Array:
        """Correlation by cell of the frame with the frame before, moved; (rows, columns) float32, -1 where nothing can be compared."""
        assert self._halves is not None
        before, now = self._halves
        size = (self._size[0] // 2, self._size[1] // 2)
        warp = self._in_pixels(homography) * _AT_HALF
        moved, there = (cv2.warpPerspective(part, warp, size, flags=cv2.INTER_LINEAR) for part in (before.texture, before.usable))
        mask = ((np.asarray(there) > ALL_USABLE) & now.clear).astype(np.float32)
        a, b = (np.asarray(moved, np.float32) - np.float32(128)) * mask, now.levels * mask
        grid = (size[0] * 2 // CELL_PX, size[1] * 2 // CELL_PX)
        sums = np.asarray(cv2.resize(cv2.merge([a * a, b * b, a * b]), grid, interpolation=cv2.INTER_AREA))
        means = np.asarray(cv2.resize(cv2.merge([mask, a, b]), grid, interpolation=cv2.INTER_AREA))
        count = np.maximum(means[..., 0], 1e-6)
        (aa, bb, ab), (sa, sb) = np.moveaxis(sums, -1, 0) / count, np.moveaxis(means[..., 1:], -1, 0) / count
        correlation = (ab - sa * sb) / np.sqrt(np.maximum((aa - sa * sa) * (bb - sb * sb), 1.0))
        return np.where(means[..., 0] > 0.5, correlation, -1.0).astype(np.float32)

    def _in_pixels(self, homography: Float64Array) -> Float64Array:
        return np.asarray(self._to_pixels @ homography @ self._to_centred, np.float64)

    def _refine(self, before: Plate, now: Plate, start: Float64Array) -> Registration | None:
        """Corners tracked between the frame and the frame before as `start` moves it, and the plane's motion through them."""
        homography = homography_of(start)
        pixels = self._in_pixels(homography)
        size = self._size
        moved = np.asarray(cv2.warpPerspective(before.texture, pixels, size, flags=cv2.INTER_LINEAR, borderValue=128.0), np.uint8)
        there = np.asarray(cv2.warpPerspective(before.usable, pixels, size, flags=cv2.INTER_NEAREST), np.uint8)
        corners = _corners(now.texture, now.usable & there)
        if len(corners) < LEAST_POINTS:
            return None
        found, kept = _tracked(now.texture, moved, corners)
        if np.count_nonzero(kept) < LEAST_POINTS:
            return None
        at_now = apply(self._to_centred, corners[kept].astype(np.float64))
        at_before = apply(np.asarray(np.linalg.inv(homography), np.float64), apply(self._to_centred, found[kept].astype(np.float64)))
        agreed = _consensus(found[kept], corners[kept])
        if agreed is None:
            return None
        at_now, at_before = at_now[agreed], at_before[agreed]
        fitted = fit(at_before, at_now, start, self.horizon, noise=NOISE_PX / self._half)
        if fitted is None:
            return None
        points, sd = int(np.count_nonzero(fitted.weights > 0.1)), fitted.sd_at(self.line_point)
        if points < LEAST_POINTS or sd > MOST_SD:
            return None
        cells = self._cells(fitted.homography())
        return Registration(fit=fitted, sd=sd, points=points, cells=cells, matched=_matched(cells))


def _power(spectrum: Float32Array) -> Float32Array:
    """(h, w) float32: the magnitude of each coefficient of a packed spectrum (h, w), both even, where its real and its imaginary part are.

    A real picture's spectrum is half redundant. OpenCV packs it as IPP does (CCS): real and imaginary parts side by side in a row, those
    of the first and the last column below one another, and at the four corners the coefficients that are real. Packed spectra take a
    third of the time of complex ones: 0.4 ms a frame.
    """
    squared = np.square(spectrum)
    power = np.empty_like(squared)
    power[:, 1:-1] = np.repeat(squared[:, 1:-1:2] + squared[:, 2:-1:2], 2, axis=1)
    for column in (0, -1):
        power[[0, -1], column] = squared[[0, -1], column]
        power[1:-1, column] = np.repeat(squared[1:-1:2, column] + squared[2:-1:2, column], 2)
    return np.sqrt(power, out=power)


def _matched(cells: Float32Array) -> float:
    return int(np.count_nonzero(cells > MATCH)) / max(1, int(np.count_nonzero(cells > -1)))


def _start(shift: Float64Array, line: Float64Array) -> Float64Array:
    values = np.zeros(PARAMETERS)
    values[:2], values[8:] = shift, line
    return values


def _halved(plate: Plate) -> _Halves:
    size = (plate.texture.shape[1] // 2, plate.texture.shape[0] // 2)
    texture, usable = (
        np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8) for part in (plate.texture, plate.usable * 255)
    )
    levels = texture.astype(np.float32) - np.float32(128)
    return _Halves(plate=plate, texture=texture, usable=usable, levels=levels, clear=usable > ALL_USABLE)


def _corners(texture: UInt8Array, usable: UInt8Array) -> Float32Array:
    """(N, 2) float32: the best corner of every cell of the grid that has one, so that no cloud has more votes than its area."""
    strength = np.asarray(cv2.cornerMinEigenVal(texture, 5), np.float32) * usable
    margin = WINDOW_PX // 2 + 2
    strength[:margin], strength[-margin:], strength[:, :margin], strength[:, -margin:] = 0, 0, 0, 0
    rows, columns = strength.shape[0] // CORNERS_CELL_PX, strength.shape[1] // CORNERS_CELL_PX
    cut = strength[: rows * CORNERS_CELL_PX, : columns * CORNERS_CELL_PX]
    cells = cut.reshape(rows, CORNERS_CELL_PX, columns, CORNERS_CELL_PX).transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    best = cells.argmax(axis=1)
    number = np.flatnonzero(cells[np.arange(len(cells)), best] > LEAST_CORNER)
    x = number % columns * CORNERS_CELL_PX + best[number] % CORNERS_CELL_PX
    y = number // columns * CORNERS_CELL_PX + best[number] // CORNERS_CELL_PX
    return np.stack([x, y], axis=1).astype(np.float32)


def _tracked(now: UInt8Array, moved: UInt8Array, corners: Float32Array) -> tuple[Float32Array, BoolArray]:
    """Where corners of `now` are in `moved`, and which of them came back when tracked the other way."""
    there, ok = _flow(now, moved, corners)
    back, ok_back = _flow(moved, now, there)
    return there, ok & ok_back & (np.hypot(*(back - corners).T) < BACK_PX)


def _flow(first: UInt8Array, second: UInt8Array, points: Float32Array) -> tuple[Float32Array, BoolArray]:
    """Where points (N, 2) of the first picture are in the second, and which were found at all (Lucas and Kanade 1981, pyramids)."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.03)
    start = points[:, None].copy()  # OpenCV wants a picture of one column
    found, ok, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        start,
        start.copy(),
        winSize=(WINDOW_PX, WINDOW_PX),
        maxLevel=FLOW_LEVELS - 1,
        criteria=criteria,
        minEigThreshold=1e-4,
    )
    return np.asarray(found, np.float32)[:, 0], np.asarray(ok)[:, 0] == 1


def _consensus(found: Float32Array, corners: Float32Array) -> BoolArray | None:
    """Which tracked corners agree on one similarity; None where too few do."""
    _, inliers = cv2.estimateAffine2D(found, corners, method=cv2.RANSAC, ransacReprojThreshold=2.0, maxIters=300, confidence=0.995)
    agreed = np.asarray(inliers).ravel() == 1
    return agreed if np.count_nonzero(agreed) >= LEAST_POINTS else None
