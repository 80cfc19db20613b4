"""Rows of a table of others, as a stream, with every fault named by row and column.

Columns are found by name, in any order. A cell's value is what is written: no date, no number and no sentinel is guessed.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from edge.cells import from_cell
from edge.errors import InputError, Reason
from edge.survey.mi.dialects import DIALECTS, Dialect

NOT_AVAILABLE = frozenset({"", "NA", "NULL", "N/A"})
MAX_ROWS = 2_000_000
MAX_HEADER = 10_000  # characters
MAX_FAULTS = 200  # listed; all are counted
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFault:
    """What is wrong with a cell, or with a row as a whole where `column` is empty. The header is row 1, as in a spreadsheet."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        """As a line for a person."""
        return f"row {self.row}: {self.message}"


class TableError(InputError):
    """A survey table that cannot be taken as it is. `faults` are the first that were found, `fault_count` is all of them."""

    code = "table_invalid"

    def __init__(self, message: str, *, advice: str, faults: Sequence[TableFault] = (), fault_count: int = 0) -> None:
        super().__init__(Reason.CORRUPT, message, advice=advice)
        self.faults = tuple(faults)
        self.fault_count = fault_count


@dataclass(slots=True)
class Faults:
    """Collects what is wrong with a table, so that one look at it is enough to correct all of it."""

    found: list[TableFault] = field(default_factory=list)
    count: int = 0

    def add(self, row: int, column: str, message: str) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.found) < MAX_FAULTS:
            self.found.append(TableFault(row=row, column=column, message=message))

    def raise_any(self, name: str) -> None:
        """End here if anything is wrong.

        Raises:
            TableError: something is.
        """
        if not self.count:
            return
        shown = "; ".join(str(fault) for fault in self.found[:3])
        more = f"; and {self.count - 3} more" if self.count > 3 else ""
        raise TableError(
            f"{name} cannot be taken: {shown}{more}",
            advice="Correct the rows named and import the table again; nothing was taken.",
            faults=self.found,
            fault_count=self.count,
        )


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row under its number in the file. The methods give a cell's value, and note a fault where it cannot be had."""

    number: int
    cells: Mapping[str, str]
    faults: Faults

    def raw(self, column: str) -> str:
        """What is written, without the blanks around it; "" where the table has no such column."""
        return self.cells.get(column, "").strip()

    def is_missing(self, column: str) -> bool:
        """Whether the cell is empty or says that there is no value."""
        return self.raw(column).upper() in NOT_AVAILABLE

    def text(self, column: str) -> str:
        """A text, "" where there is none. The apostrophe that keeps a spreadsheet from running it is taken off."""
        return "" if self.is_missing(column) else from_cell(self.raw(column))

    def needed_text(self, column: str) -> str | None:
        """A text that must be there. Whole numbers lose the `.0` that a spreadsheet gave them."""
        if self.is_missing(column):
            self.refuse(column, f"{column} is missing")
            return None
        return from_cell(self.raw(column)).removesuffix(".0")

    def number_or_none(self, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """A number within limits, both included, or None where there is no value."""
        return None if self.is_missing(column) else self.needed_number(column, low, high)

    def needed_number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """A number within limits, both included, that must be there."""
        if self.is_missing(column):
            self.refuse(column, f"{column} is missing")
            return None
        text = self.raw(column)
        if not _NUMBER.fullmatch(text):
            why = "has a decimal comma" if _DECIMAL_COMMA.fullmatch(text) else "is not a number"
            self.refuse(column, f"{column} is {_short(text)}, which {why}")
            return None
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            self.refuse(column, f"{column} is {_short(text)}, not within {low:g} and {high:g}")
            return None
        return value

    def whole_or_none(self, column: str, low: int, high: int) -> int | None:
        """A whole number within limits, both included, or None where there is no value."""
        return None if self.is_missing(column) else self.needed_whole(column, low, high)

    def needed_whole(self, column: str, low: int, high: int) -> int | None:
        """A whole number within limits, both included, that must be there; a spreadsheet's `.0` is none of its value."""
        value = self.needed_number(column, low, high)
        if value is not None and value != int(value):
            self.refuse(column, f"{column} is {_short(self.raw(column))}, not a whole number")
            return None
        return None if value is None else int(value)

    def refuse(self, column: str, message: str) -> None:
        """Note a fault of this row."""
        self.faults.add(self.number, column, message)


def table_rows(path: Path, dialect: Dialect, faults: Faults) -> Iterator[TableRow]:
    """The rows of a CSV file of that dialect, as they are read. Rows that are no rows are noted as faults and left out.

    Raises:
        TableError: the file cannot be read as CSV, has not the dialect's header or no rows, or has more rows than any survey.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            _check_separator(path.name, file.readline(MAX_HEADER), dialect)
            file.seek(0)
            yield from _rows(path.name, file, dialect, faults)
    except OSError as error:
        raise TableError(f"{path.name} cannot be read: {error.strerror}", advice="Check the name and the disk.") from error
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name} is not UTF-8 text", advice=_EXPORT_AGAIN) from error
    except csv.Error as error:
        raise TableError(f"{path.name} is not a CSV table: {error}", advice=_EXPORT_AGAIN) from error


def _rows(name: str, file: TextIO, dialect: Dialect, faults: Faults) -> Iterator[TableRow]:
    reader = csv.reader(file, strict=True)
    header = [cell.strip() for cell in next(reader, [])]
    _check_header(name, header, dialect)
    count = 0
    for values in reader:
        if not values:
            continue  # an empty line at the end is no row
        count += 1
        if count > MAX_ROWS:
            raise TableError(f"{name} has more than {MAX_ROWS:,} rows", advice="Split it by survey; no survey has so many.")
        number = count + 1
        if len(values) != len(header):
            faults.add(number, "", f"it has not as many values as the header has columns: {len(values)}, not {len(header)}")
            continue
        blank = next((column for column, cell in zip(header, values, strict=True) if "\0" in cell), None)
        if blank is not None:
            faults.add(number, blank, f"{blank} has a NUL byte in it")
            continue
        yield TableRow(number, dict(zip(header, values, strict=True)), faults)
    if not count:
        raise TableError(f"{name} has no rows", advice="Export the table again; an empty table is no station with zero burrows.")


def _check_header(name: str, header: list[str], dialect: Dialect) -> None:
    missing = [column for column in dialect.needed if column not in header]
    if missing:
        fitting = [one.name for one in DIALECTS.values() if set(one.columns) <= set(header)]
        advice = f"Its columns are those of {' and '.join(fitting)}: name that format." if fitting else _EXPORT_AGAIN
        raise TableError(f"{name} lacks the columns {', '.join(missing)} of {dialect.name}", advice=advice)
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise TableError(f"{name} has the column {twice[0]} twice", advice="Remove the one that is wrong; nothing was taken.")


def _check_separator(name: str, first_line: str, dialect: Dialect) -> None:
    """Refuse what Excel writes where a comma is the decimal mark: it may have changed numbers when it opened the original.

    There `16.524` is sixteen thousand and `12.5` the twelfth of May, and what it wrote no longer tells.
    """
    marks = {";": "semicolons", "\t": "tabs"}
    found = [
        mark for mark in marks if {cell.strip(' "\r\n') for cell in first_line.split(mark)} & set(dialect.needed) and mark in first_line
    ]
    if not found and not first_line.startswith("sep="):
        return
    what = marks[found[0]] if found else "what its first line says"
    why = "Excel writes so where a comma is the decimal mark, and may have changed numbers"
    raise TableError(
        f"{name} is separated by {what}, not by commas: {why}",
        advice="Take the original file, not one that Excel saved. Where the table was typed in Excel, set its decimal mark to the full "
        "stop (File, Options, Advanced) and save it as CSV UTF-8 with commas.",
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")


_EXPORT_AGAIN = "Export the table as CSV (UTF-8, comma, full stop as decimal mark) with its header row."
