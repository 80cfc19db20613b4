"""The openings that are followed at the moment: one row each, in the pixels of the frame that is being looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
NOT_YET = -1
UNSEEN = -1000  # in the place of the last detection before a crossing that no frame could show

ROW = np.dtype(
    [
        ("id", np.int64),
        ("xy", np.float64, 2),  # where it is taken to be, pixels
        ("var", np.float64, 2),  # variance of that beside what all share, px^2
        ("lost_sd", np.float64),  # what it and the others from before a silt are off by together, pixels; 0: it is not lost
        ("wh", np.float64, 2),  # sides of its box here, pixels
        ("whole", np.bool_),  # whether its sides are those of a box that the frame did not cut
        ("hits", np.int64),  # frames with a detection
        ("chances", np.float64),  # frames in which it should have been detected, weighted by what could be seen in them
        ("before", np.float64),  # the same before it was first detected
        ("missed", np.int64),
        ("first", np.int64),  # frame of the first detection
        ("last", np.int64),  # frame of the last one
        ("seen_xy", np.float64, 2),  # where it was taken to be then
        ("seen_sd", np.float64),
        ("above", np.bool_),  # above the line
        ("crossed", np.int64),  # frame into which it crossed; NOT_YET
        ("crossing_s", np.float64),
        ("crossing_sd_s", np.float64),
        ("across", np.float64),  # x at the crossing
        ("along", np.float64),
        ("drift", np.float64),
        ("along_sd", np.float64),
        ("last_before", np.int64),  # frame of the last detection before the crossing
        ("first_after", np.int64),  # frame of the first one after it; NOT_YET
    ]
)
SIGHT = np.dtype([("id", np.int64), ("frame", np.int32), ("place", np.int32), ("box", np.float32, 4), ("score", np.float32)])


def none_alive() -> Rows:
    """No row."""
    return np.zeros(0, ROW)


def born(count: int) -> Rows:
    """`count` rows with nothing in them but that they did not cross."""
    rows = np.zeros(count, ROW)
    rows["crossed"] = rows["last_before"] = rows["first_after"] = NOT_YET
    return rows
