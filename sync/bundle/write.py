"""Rows in, one bundle out: its bytes, and the SHA-256 that is its name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2
import zstandard

from sync.bundle.schema import SCHEMA_VERSION, TABLES, Table

MARK = "imagine-edge bundle"
_LEVEL = 19  # bundles are small: the ship's processor is cheaper than its link

Rows = Sequence[Sequence[Any]]
"""Rows of a table, values in the order of its columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whose rows they are: the home folder that made them, and what people call the ship. Two ships of one name stay two."""

    vessel_uuid: str
    vessel: str
    software_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle as it travels.

    Attributes:
        sha256: of the content, which is its name everywhere.
        rows: how many of each table.
    """

    sha256: str
    content: bytes
    rows: Mapping[str, int]


def make_bundle(tables: Mapping[str, Rows], *, sender: Sender, sequence: int, made_utc: str) -> Bundle:
    """One bundle.

    Args:
        tables: rows by name of a table of the schema; empty ones are left out.
        sender: whose they are.
        sequence: grows with each bundle of a sender: of two states of a row the one with the greater number is newer.
        made_utc: when.

    Raises:
        ValueError: a value that its column does not take, or a table that the schema does not have.
    """
    packed = {name: _packed(TABLES[name], rows) for name, rows in tables.items() if rows}
    document = {
        "what": MARK,
        "schema": SCHEMA_VERSION,
        "vessel_uuid": sender.vessel_uuid,
        "vessel": sender.vessel,
        "software_version": sender.software_version,
        "sequence": sequence,
        "made_utc": made_utc,
        "tables": packed,
    }
    content = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True, write_checksum=True).compress(cbor2.dumps(document))
    return Bundle(sha256=hashlib.sha256(content).hexdigest(), content=content, rows={name: one["rows"] for name, one in packed.items()})


def _packed(table: Table, rows: Rows) -> dict[str, Any]:
    by_column = list(zip(*rows, strict=True))
    columns = {column.name: column.pack(values) for column, values in zip(table.columns, by_column, strict=True)}
    return {"rows": len(rows), "columns": columns}
