"""The pixels of a separation line that somebody drew: points become a line that cuts.

Objects hang together over corners (8-connected). A line whose pixels meet at corners only would let them hang together through its steps,
so ours goes over edges only (4-connected): what lies on its two sides shares no corner across it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from edge.values import Int32Array


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
