"""Where land is for sure: a grid of 0.05 degrees, a cell being land if no part of it is sea.

From GLOBE (NOAA, the Global Land One-kilometer Base Elevation, public domain), samples of 30": 36 of them to a cell;
tools/make_land_grid.py makes it again. Lakes are land, and
so is a strait that is narrower than a sample. Cells that the coast goes through are not land: none of 6,052 real stations of Scotland and
the Celtic Sea lies on it.
"""

from __future__ import annotations

import math
import zlib
from functools import cache
from importlib.resources import files

CELLS_PER_DEGREE = 20
_ROWS, _COLUMNS = 180 * CELLS_PER_DEGREE, 360 * CELLS_PER_DEGREE


def is_land(latitude_deg: float, longitude_deg: float) -> bool:
    """Whether a place on Earth lies on land, some kilometres from the sea; False also where the grid cannot tell."""
    row = min(math.floor((90 - latitude_deg) * CELLS_PER_DEGREE), _ROWS - 1)
    column = math.floor((longitude_deg + 180) * CELLS_PER_DEGREE) % _COLUMNS
    byte, bit = divmod(row * _COLUMNS + column, 8)
    return bool(_grid()[byte] >> (7 - bit) & 1)


@cache
def _grid() -> bytes:
    """A bit for each cell, rows from the north, in each from 180 degrees west; 3.2 MB that are read once."""
    return zlib.decompress(files("edge.survey.sheet").joinpath("land.zlib").read_bytes())
