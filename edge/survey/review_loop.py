"""Which moments of an opening a reviewer sees, where in the picture it is then, and which openings are unlike the others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]

LEAST_FRAMES, MOST_FRAMES = 9, 17  # what reviewers of the field loop (nephrops.md, section 8)
CONTEXT = 2.0  # a chip shows so many times the size of the opening
LEAST_SIDE_PX = 24.0
_COLUMNS = 6
_SPREAD_OF_MAD = 1.4826  # of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBox:
    """An opening at a moment.

    Attributes:
        at_s: seconds of the tow.
        box_px: x_min, y_min, x_max, y_max in pixels of the full frame.
        score: the model's; None where the box lies between two that the model found.
    """

    at_s: float
    box_px: tuple[float, float, float, float]
    score: float | None

    @property
    def middle_px(self) -> tuple[float, float]:
        """Centre of the box."""
        return (self.box_px[0] + self.box_px[2]) / 2, (self.box_px[1] + self.box_px[3]) / 2


def unpack_boxes(packed: bytes) -> Float64Array:
    """The boxes of an opening, (N, 6) float64: seconds of the tow, x_min, y_min, x_max, y_max, score; see `tow_openings`.

    Raises:
        ValueError: it is no whole number of rows.
    """
    return np.frombuffer(packed, "<f8").astype(np.float64).reshape(-1, _COLUMNS)


def found_boxes(packed: bytes) -> tuple[SeenBox, ...]:
    """The boxes that the model found, in the order of their times."""
    return tuple(
        SeenBox(at_s=float(row[0]), box_px=(float(row[1]), float(row[2]), float(row[3]), float(row[4])), score=float(row[5]))
        for row in unpack_boxes(packed)
    )


def loop(packed: bytes, *, is_clip: bool) -> tuple[SeenBox, ...]:
    """The moments of the loop: 9 to 17.

    Of a clip there are frames between those that the model looked at, so a short sighting is filled up, the box moved evenly from one
    to the next. Of stills there are no others: a short sighting stays short.
    """
    found = found_boxes(packed)
    if not is_clip:
        if len(found) <= MOST_FRAMES:
            return found
        return tuple(found[round(place)] for place in np.linspace(0, len(found) - 1, MOST_FRAMES))
    rows = unpack_boxes(packed)
    if len(found) < 2 or LEAST_FRAMES <= len(found) <= MOST_FRAMES:
        return found
    times = np.linspace(rows[0, 0], rows[-1, 0], LEAST_FRAMES if len(found) < LEAST_FRAMES else MOST_FRAMES)
    edges = [np.interp(times, rows[:, 0], rows[:, column]) for column in range(1, 5)]
    return tuple(
        SeenBox(at_s=float(at_s), box_px=(float(a), float(b), float(c), float(d)), score=None)
        for at_s, a, b, c, d in zip(times, *edges, strict=True)
    )


def drift_of(seen: Sequence[SeenBox], place: int) -> tuple[float, float]:
    """How fast an opening moves through the picture at a moment of its loop, pixels per second (x, y); (0, 0) for a single one."""
    before, after = seen[max(place - 1, 0)], seen[min(place + 1, len(seen) - 1)]
    elapsed_s = after.at_s - before.at_s
    if elapsed_s <= 0:
        return 0.0, 0.0
    return (after.middle_px[0] - before.middle_px[0]) / elapsed_s, (after.middle_px[1] - before.middle_px[1]) / elapsed_s


def side_of(packed: bytes) -> float:
    """Side of the square around an opening, pixels: the same on all its frames, so that it does not seem to grow and shrink."""
    rows = unpack_boxes(packed)
    width, height = np.median(rows[:, 3] - rows[:, 1]), np.median(rows[:, 4] - rows[:, 2])
    return max(LEAST_SIDE_PX, CONTEXT * float(max(width, height)))


def outlier_scores(boxes: Sequence[bytes], confidences: Sequence[float]) -> Float64Array:
    """How unlike the others each opening is, (N,) float64: the larger of its size's and its confidence's distance from the median,
    in robust standard deviations (the median absolute deviation times 1.4826). Size is the logarithm of the median area of its boxes.
    """
    if not boxes:
        return np.empty(0, np.float64)
    areas = np.array([_area(one) for one in boxes])
    return np.asarray(np.maximum(_apart(np.log(np.maximum(areas, 1.0))), _apart(np.asarray(confidences, np.float64))), np.float64)


def _area(packed: bytes) -> float:
    rows = unpack_boxes(packed)
    return float(np.median((rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2]))) if len(rows) else 0.0


def _apart(values: Float64Array) -> Float64Array:
    off = np.abs(values - np.median(values))
    spread = _SPREAD_OF_MAD * float(np.median(off))
    return np.asarray(off / spread if spread > 0 else off, np.float64)
