"""The pixels of a separation line that somebody drew: points become a line that cuts.

Objects hang together over corners (8-connected). A line whose pixels meet at corners only would let them hang together through its steps,
so ours goes over edges only (4-connected): what lies on its two sides shares no corner across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from edge.errors import ScanRefusedError
from edge.values import Int32Array

NEAR_PX = 100
MOST_STEPS = 200_000


def check_points(points: Sequence[tuple[int, int]], box: tuple[int, int, int, int]) -> None:
    """Refuse a line that nobody could have drawn on an object, before anything is made of it: each step takes some 100 bytes.

    Args:
        points: x and y in the clean scan.
        box: x, y, width and height of the object there.

    Raises:
        ScanRefusedError: a point lies farther than `NEAR_PX` from the box, or the line is longer than `MOST_STEPS` pixels.
    """
    left, top, width, height = box
    for x, y in points:
        if not (left - NEAR_PX <= x < left + width + NEAR_PX and top - NEAR_PX <= y < top + height + NEAR_PX):
            raise ScanRefusedError(f"the point {x}, {y} lies beside the object", advice="Draw the line over the object.")
    if sum(abs(x - to_x) + abs(y - to_y) for (x, y), (to_x, to_y) in pairwise(points)) > MOST_STEPS:
        raise ScanRefusedError("the line is too long", advice=f"Draw it with at most {MOST_STEPS} pixels, or as several lines.")


def line_pixels(points: Sequence[tuple[int, int]]) -> Int32Array:
    """The pixels of a drawn line, (N, 2) int32, x and y, each once, in the order in which the line first passes them.

    Args:
        points: x and y of the pixels that the line passes, at least one; straight between one and the next.

    Raises:
        ValueError: there is no point.
    """
    if not points:
        raise ValueError("a line has at least one point")
    passed = [points[0]]
    for start, end in pairwise(points):
        passed += _steps(start, end)
    return np.array(list(dict.fromkeys(passed)), np.int32).reshape(-1, 2)


def _steps(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """From one pixel to another, each step over an edge: of the two ways on, the one that stays nearer to the straight line."""
    (x, y), (end_x, end_y) = start, end
    across, down = abs(end_x - x), abs(end_y - y)
    step_x, step_y = (1 if end_x > x else -1), (1 if end_y > y else -1)
    steps = []
    gone_x = gone_y = 0
    while gone_x < across or gone_y < down:
        # Halfway through the next column the line has come (gone_x + 1/2) / across of its way, through the next row (gone_y + 1/2) / down.
        if (1 + 2 * gone_x) * down < (1 + 2 * gone_y) * across:
            x, gone_x = x + step_x, gone_x + 1
        else:
            y, gone_y = y + step_y, gone_y + 1
        steps.append((x, y))
    return steps
