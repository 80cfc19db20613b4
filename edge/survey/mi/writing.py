"""A table as the originals write it: header, quotation marks, decimals, line ends and the sentinel NA.

Numbers are written with up to fifteen significant digits, as R does, and whole ones without a decimal point. A text that a
spreadsheet would run gets an apostrophe in front (edge.cells).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TextIO

from edge.cells import to_cell
from edge.survey.mi.dialects import NOT_AVAILABLE, Dialect

Cell = str | int | float
_SPECIAL = frozenset(',"\r\n')


def write_table(file: TextIO, dialect: Dialect, rows: Iterable[Mapping[str, Cell]]) -> int:
    """Write header and rows. Returns how many rows.

    Args:
        file: open for text, UTF-8, without translation of line ends.
        dialect: the table.
        rows: cells by column.

    Raises:
        ValueError: a number is not finite: that is no measurement.
    """
    quoted_header = [column if dialect.quotes == "none" else _quoted(column) for column in dialect.columns]
    file.write(",".join(quoted_header) + dialect.line_end)
    count = 0
    for row in rows:
        file.write(",".join(_written(row[column], column, dialect) for column in dialect.columns) + dialect.line_end)
        count += 1
    return count


def number_text(value: float) -> str:
    """A number as R writes it.

    Raises:
        ValueError: it is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is no measurement")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}"


def _written(cell: Cell, column: str, dialect: Dialect) -> str:
    if not isinstance(cell, str):
        text = number_text(cell)
        return _quoted(text) if dialect.quotes == "all" else text
    text = str(to_cell(cell))
    if dialect.quotes == "all":
        return _quoted(text)
    bare = cell == NOT_AVAILABLE or dialect.quotes == "none" or column in dialect.unquoted
    return text if bare and not _SPECIAL & set(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
