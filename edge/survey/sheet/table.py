"""A station sheet as a table of texts: CSV with comma, semicolon or tab in UTF-8, UTF-16 or CP1252, or an XLSX workbook.

Cells keep what they say to the letter. A date or time that a workbook holds as such becomes ISO text; a formula is the value that
was last computed for it. Rows are numbered as a spreadsheet numbers them.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from edge.errors import InputError, Reason

MAX_BYTES = 16 * 1024 * 1024
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
MAX_ROWS = 20_000
MAX_COLUMNS = 500
HEADING_ROWS = 10  # the headings are looked for in so many rows: titles may stand above them
_DELIMITERS = ",;\t"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SAVE_AS = "Save it as CSV (UTF-8) or as XLSX and try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row. `cells` has a text per column; `dates` are the columns that a workbook holds as real dates."""

    number: int
    cells: tuple[str, ...]
    dates: frozenset[int] = frozenset()

    @property
    def is_blank(self) -> bool:
        """Nothing stands in it."""
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows of a file, blank ones left out, and in words how it was written."""

    rows: tuple[TableRow, ...]
    dialect: str


def read_table(content: bytes, name: str) -> Table:
    """The rows of a CSV or XLSX file.

    Args:
        content: the file.
        name: its name, for messages; what it is, is seen from its content.

    Raises:
        InputError: it is none of both, damaged, too large, or empty.
    """
    if len(content) > MAX_BYTES:
        raise InputError(
            Reason.TOO_MANY_BYTES, f"{name} has more than {MAX_BYTES >> 20} MiB", advice="A station sheet is smaller; is it the right file?"
        )
    if not content.strip(b"\0\r\n\t ,;"):
        raise InputError(Reason.EMPTY_FILE, f"{name} is empty", advice="Save the sheet again and look at it before you import it.")
    if content.startswith(_OLD_EXCEL):
        raise InputError(Reason.UNKNOWN_FORMAT, f"{name} is a workbook of Excel 97 to 2003 (.xls)", advice=_SAVE_AS)
    table = _workbook(content, name) if content.startswith(b"PK") else _separated(content, name)
    if not table.rows:
        raise InputError(Reason.EMPTY_FILE, f"{name} holds no row", advice="Save the sheet again and look at it before you import it.")
    return table


def _separated(content: bytes, name: str) -> Table:
    text, encoding = _decoded(content, name)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = _limited(((tuple(row), frozenset[int]()) for row in reader), name)
    except csv.Error as error:
        advice = "A quotation mark is not closed, perhaps in a comment. " + _SAVE_AS
        raise InputError(Reason.CORRUPT, f"{name}, line {reader.line_num}: {error}", advice=advice) from error
    words = {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter]
    return Table(rows=rows, dialect=f"CSV, {words}, {encoding}")


def _decoded(content: bytes, name: str) -> tuple[str, str]:
    for mark, encoding, words in (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8 with BOM"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    ):
        if content.startswith(mark):
            candidates = [(encoding, words)]
            break
    else:
        candidates = [("utf-8", "UTF-8"), ("cp1252", "CP1252 (Windows)")]
    for encoding, words in candidates:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, words
    raise InputError(Reason.UNKNOWN_FORMAT, f"{name} is no text and no workbook", advice=_SAVE_AS)


def _delimiter(text: str) -> str:
    """The sign that stands most often outside quotation marks in the first line that has any of them."""
    for line in text.splitlines()[:HEADING_ROWS]:
        bare = "".join(line.split('"')[::2])
        counts = {sign: bare.count(sign) for sign in _DELIMITERS}
        if any(counts.values()):
            return max(counts, key=lambda sign: counts[sign])
    return ","


def _workbook(content: bytes, name: str) -> Table:
    import openpyxl

    try:
        _check_unpacked(content, name)
        books = [openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=values) for values in (True, False)]
    except InputError:
        raise
    except Exception as error:  # the library raises what its parsers raise; whatever it is, this is no workbook to us
        raise InputError(Reason.CORRUPT, f"{name} is no workbook that can be read: {error}", advice=_SAVE_AS) from error
    try:
        sheet = next((title for title in books[0].sheetnames if _has_rows(books[0][title])), books[0].sheetnames[0])
        rows = _limited(_workbook_rows(books[0][sheet], books[1][sheet], name), name)
    except InputError:
        raise
    except Exception as error:  # rows are parsed as they are read
        raise InputError(Reason.CORRUPT, f"{name} is damaged: {error}", advice=_SAVE_AS) from error
    finally:
        for book in books:
            book.close()
    return Table(rows=rows, dialect=f"XLSX, sheet {sheet}")


def _check_unpacked(content: bytes, name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED_BYTES:
            raise InputError(Reason.TOO_MANY_BYTES, f"{name} unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB", advice=_SAVE_AS)


def _has_rows(sheet: Any) -> bool:
    rows = sheet.iter_rows(max_row=HEADING_ROWS, values_only=True) if hasattr(sheet, "iter_rows") else ()
    return any(value is not None for row in rows for value in row)


def _workbook_rows(values: Any, formulas: Any, name: str) -> Iterator[tuple[tuple[str, ...], frozenset[int]]]:
    pairs = zip(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=True)
    for number, (row, written) in enumerate(pairs, start=1):
        for value, formula in zip(row, written, strict=True):
            if value is None and isinstance(formula, str) and formula.startswith("="):
                advice = "Open the workbook in a spreadsheet program and save it, so that the formula has a value."
                raise InputError(Reason.CORRUPT, f"{name}, row {number}: the formula {formula} has no value", advice=advice)
        dates = frozenset(at for at, value in enumerate(row) if isinstance(value, date))
        yield tuple(map(_cell_text, row)), dates


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds" if value.microsecond else "seconds").removesuffix(" 00:00:00")
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _limited(rows: Iterable[tuple[Sequence[str], frozenset[int]]], name: str) -> tuple[TableRow, ...]:
    kept: list[TableRow] = []
    for number, (cells, dates) in enumerate(rows, start=1):
        if number > MAX_ROWS or len(cells) > MAX_COLUMNS:
            advice = "Delete what lies beyond the table; is it the right file?"
            raise InputError(Reason.TOO_MANY_BYTES, f"{name} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns", advice=advice)
        row = TableRow(number=number, cells=tuple(cells), dates=dates)
        if not row.is_blank:
            kept.append(row)
    return tuple(kept)
