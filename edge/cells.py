"""Text from outside as cells of a CSV file that a spreadsheet opens.

A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet, and a file name may begin so. Such a text gets
an apostrophe in front, and so does one that begins with an apostrophe: who drops one leading apostrophe has the text back.
Numbers are never changed. Newlines and quotes inside a text are quoted as RFC 4180 says, and stay.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

Cell = str | int | float | None

_GUARDED = tuple("=+-@\t\r\n'＝＋－＠")  # noqa: RUF001 (the full-width forms are formulas to spreadsheets in Japanese)


def to_cell(value: Cell) -> Cell:
    """A value as it is written: text made harmless, None as an empty cell."""
    if isinstance(value, str) and value.startswith(_GUARDED):
        return f"'{value}"
    return "" if value is None else value


def from_cell(cell: str) -> str:
    """The text that was written as this cell."""
    return cell.removeprefix("'")


def columns_of(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, as columns."""
    return tuple(field.name for field in dataclasses.fields(kind))


class CsvFile:
    """A CSV file being written: UTF-8 without a mark, commas, CRLF, a header of column names."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)
        self.rows = 0

    def write(self, cells: Iterable[Cell]) -> None:
        """Add a row."""
        self._writer.writerow([to_cell(cell) for cell in cells])
        self.rows += 1

    def write_guarded(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows whose texts went through `to_cell` already: ten million of them need not go twice."""
        self._writer.writerows(rows)
        self.rows += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
