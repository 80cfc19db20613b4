r"""All tables of a survey as one workbook for people: sheets with frozen headers and filters. Programs read the CSV files.

Every text is guarded against being run as a formula (edge.cells), and control characters, which a workbook cannot hold, are
written as \xNN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge.cells import Cell, to_cell

MAX_TEXT = 32_000  # a cell of a workbook holds 32,767 characters
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

Sheet = tuple[str, Sequence[str], Iterable[Sequence[Cell]]]


def write_workbook(path: Path, sheets: Iterable[Sheet]) -> int:
    """Write sheets of (name, header, rows). Returns how many rows there are without the headers."""
    from openpyxl import Workbook  # half a second to import: only who writes a workbook waits for it
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    count = 0
    for name, header, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        for place, column in enumerate(header, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = max(10.0, min(44.0, len(column) + 3.0))
        heads = [WriteOnlyCell(sheet, value=column) for column in header]
        for head in heads:
            head.font = Font(bold=True)
        sheet.append(heads)
        written = 0
        for row in rows:
            sheet.append([safe_cell(cell) for cell in row])
            written += 1
        if header and written:
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{written + 1}"
        count += written
    book.save(path)
    return count


def safe_cell(value: Cell) -> Cell:
    """A value as a workbook can hold it, harmless."""
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", value)
    return to_cell(text[:MAX_TEXT])
