"""The audit trail as a file: CSV or JSON, in pieces, so that a long one need not be held."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict

from edge.cells import columns_of, to_cell
from edge.store.reads.condition import AuditRow

_PIECE_LETTERS = 1 << 16


def csv_parts(rows: Iterator[AuditRow]) -> Iterator[str]:
    """A CSV with a heading, in pieces."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    columns = columns_of(AuditRow)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([to_cell(getattr(row, name)) for name in columns])
        if out.tell() > _PIECE_LETTERS:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def json_parts(rows: Iterator[AuditRow]) -> Iterator[str]:
    """A JSON list, in pieces; `detail` is an object."""
    mark = "["
    for row in rows:
        yield mark + json.dumps(plain_row(row), ensure_ascii=True)
        mark = ",\n"
    yield "[]\n" if mark == "[" else "]\n"


def plain_row(row: AuditRow) -> dict[str, object]:
    """A row for JSON."""
    values: dict[str, object] = asdict(row)
    values["detail"] = json.loads(str(values.pop("detail_json")))
    return values
