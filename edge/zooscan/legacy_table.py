"""Zooprocess's table of measures (`<scan>_meas.txt`): tab-separated, three decimals, one row per object."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.zooscan.measure.features import MEASURED, NEVER_FILLED

# What Zooprocess 8 writes for every object where it measures nothing.
_NOTHING = "0"
_ALWAYS_NOTHING = {"Nb3"}


def legacy_columns() -> list[str]:
    """The columns after the row's number, in Zooprocess's order."""
    columns = ["Label"]
    for feature in MEASURED:
        columns += [feature.legacy, *NEVER_FILLED.get(feature.legacy, ())]
    return columns


def legacy_lines(label: str, table: dict[str, NDArray[np.float64]]) -> Iterator[str]:
    """The lines of the table, heading first, each with its end.

    Args:
        label: the name of the scan.
        table: see `measure_particles`.
    """
    columns = legacy_columns()
    yield "\t".join((" ", *columns)) + "\n"
    by_column = {feature.legacy: table[feature.name] for feature in MEASURED if feature.legacy not in _ALWAYS_NOTHING}
    for number in range(len(table["area"])):
        cells = (
            label if column == "Label" else _cell(by_column[column][number]) if column in by_column else _NOTHING for column in columns
        )
        yield "\t".join((str(number + 1), *cells)) + "\n"


def _cell(value: float) -> str:
    """A number as ImageJ writes it: whole ones without decimals."""
    if np.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) else f"{value:.3f}"
