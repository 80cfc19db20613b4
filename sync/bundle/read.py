"""One bundle in, its rows out: verified, bounded, and with what a newer program added told."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
import zstandard

from sync.bundle.columns import BundleDamagedError
from sync.bundle.schema import SCHEMA_VERSION, TABLES, Table
from sync.bundle.write import MARK

MAX_CONTENT_BYTES = 64 * 1024**2
MAX_DOCUMENT_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBundle:
    """What a bundle holds.

    Attributes:
        sha256: of its content.
        schema: its version; one above ours may hold more than is shown.
        sequence: of two states of a row the one with the greater number is newer.
        tables: rows by table, values in the order of its columns; a column that the bundle lacks is None in every row.
        unknown: names of tables and columns ("table.column") that this program does not know, and has left out.
    """

    sha256: str
    schema: int
    vessel_uuid: str
    vessel: str
    software_version: str
    sequence: int
    made_utc: str
    tables: Mapping[str, list[tuple[Any, ...]]]
    unknown: tuple[str, ...]


def read_bundle(content: bytes, *, expected_sha256: str | None = None) -> ReadBundle:
    """Open a bundle.

    Args:
        content: its bytes.
        expected_sha256: what its name says.

    Raises:
        BundleDamagedError: it is not what its name says, cut off, too large, or no bundle.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise BundleDamagedError(f"the bundle {expected_sha256[:12]} has the content {sha256[:12]}: it was damaged on its way")
    document = _document(content)
    head = {name: _value(document, name, kind) for name, kind in _HEAD.items()}
    tables = _value(document, "tables", dict)
    unknown = [str(name) for name in tables if name not in TABLES]
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for name, table in TABLES.items():
        if name in tables:
            rows[name], more = _rows(table, tables[name])
            unknown.extend(more)
    if unknown and head["schema"] <= SCHEMA_VERSION:
        raise BundleDamagedError(f"the bundle names {unknown[0]}, which its own version {head['schema']} does not have")
    return ReadBundle(sha256=sha256, tables=rows, unknown=tuple(unknown), **head)


_HEAD: dict[str, type] = {"schema": int, "vessel_uuid": str, "vessel": str, "software_version": str, "sequence": int, "made_utc": str}


def _document(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_CONTENT_BYTES:
        raise BundleDamagedError(f"{len(content)} bytes are more than a bundle has")
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)) as reader:
            unpacked = reader.read(MAX_DOCUMENT_BYTES + 1)
    except zstandard.ZstdError as error:
        raise BundleDamagedError(f"the bundle cannot be unpacked: {error}") from error
    if len(unpacked) > MAX_DOCUMENT_BYTES:
        raise BundleDamagedError("the bundle unpacks to more than a bundle holds")
    try:
        document = cbor2.loads(unpacked)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, MemoryError, OverflowError) as error:
        raise BundleDamagedError(f"the bundle cannot be read: {type(error).__name__}") from error
    if not isinstance(document, dict) or document.get("what") != MARK:
        raise BundleDamagedError("this is no bundle of the appliance")
    return document


def _value(document: Mapping[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleDamagedError(f"the bundle does not say its {name}")
    return value


def _rows(table: Table, packed: Any) -> tuple[list[tuple[Any, ...]], list[str]]:
    if not isinstance(packed, dict) or not isinstance(packed.get("columns"), dict):
        raise BundleDamagedError(f"the table {table.name} is none of a bundle")
    count, columns = _value(packed, "rows", int), packed["columns"]
    if not 0 <= count <= MAX_DOCUMENT_BYTES:
        raise BundleDamagedError(f"the table {table.name} says that it has {count} rows")
    missing = [name for name in table.key if name not in columns]
    if missing:
        raise BundleDamagedError(f"the table {table.name} lacks {missing[0]}, which names its rows")
    values = [column.unpack(columns[column.name], count) if column.name in columns else [None] * count for column in table.columns]
    unknown = [f"{table.name}.{name}" for name in columns if name not in table.names]
    return list(zip(*values, strict=True)), unknown
