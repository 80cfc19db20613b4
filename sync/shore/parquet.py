"""Rows of bundles as Parquet, a file for each table, each row once in its newest state: for R, pandas, DuckDB and GIS.

pyarrow writes it, which is larger than the appliance is: it comes with the extra `shore`, and with nothing that goes aboard.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge.errors import SettingsError
from sync.bundle.columns import Column, Scaled, Time, Whole
from sync.bundle.read import ReadBundle
from sync.bundle.schema import TABLES, Table
from sync.shore.merge import merge, shore_database

_AT_ONCE = 100_000
_OF_ALL = ("vessel_uuid", "vessel", "bundle_sequence")


class ParquetMissingError(SettingsError):
    """This installation cannot write Parquet."""

    code = "parquet_missing"
    default_advice = (
        "Install it ashore with `pip install 'imagine-edge[shore]'` (or `pip install pyarrow` beside it), or merge into SQLite, which "
        "needs nothing more: `imagine-edge shore merge`."
    )


def must_have_parquet() -> None:
    """Look whether Parquet can be written.

    Raises:
        ParquetMissingError: it cannot.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise ParquetMissingError(f"Parquet needs pyarrow, which is not installed ({error})") from error


def write_parquet(bundles: Iterable[ReadBundle], folder: Path, *, tables: Sequence[str] = tuple(TABLES)) -> dict[str, int]:
    """Write `TABLE.parquet` of every table that has rows; a file of that name is replaced. Returns how many rows each has.

    Args:
        bundles: of any ships, in any order, some of them maybe twice.
        folder: made where it is not there.
        tables: only these.

    Raises:
        ParquetMissingError: see `must_have_parquet`.
        BundleDamagedError: raised by `bundles`; no file is written.
        SettingsError: the folder cannot be written.
    """
    must_have_parquet()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".merging-") as beside, shore_database(Path(beside) / "shore.db") as shore:
            for bundle in bundles:
                merge(shore, bundle)
            found = {name: _write(shore, TABLES[name], Path(beside)) for name in tables}
            written = {name: rows for name, rows in found.items() if rows}
            for name in written:
                (Path(beside) / f"{name}.parquet").replace(folder / f"{name}.parquet")
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}", advice="Name a folder that can be written.") from error
    return written


def _write(shore: sqlite3.Connection, table: Table, beside: Path) -> int:
    """A table, in pieces: a season has more rows than memory."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, "int64" if name == "bundle_sequence" else "string") for name in _OF_ALL])
    for column in table.columns:
        schema = schema.append(pa.field(column.name, _type_of(column)))
    path, written = beside / f"{table.name}.parquet", 0
    rows = shore.execute(
        f"SELECT t.vessel_uuid, (SELECT b.vessel FROM bundles AS b WHERE b.vessel_uuid = t.vessel_uuid ORDER BY b.sequence DESC LIMIT 1), "
        f"t.bundle_sequence, {', '.join(f't.{name}' for name in table.names)} FROM {table.name} AS t "
        f"ORDER BY t.vessel_uuid, {', '.join(f't.{name}' for name in table.key)}"
    )
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := rows.fetchmany(_AT_ONCE):
            values = [list(one) for one in zip(*chunk, strict=True)]
            for place, column in enumerate(table.columns, start=len(_OF_ALL)):
                if isinstance(column, Time):
                    values[place] = [_moment(value) for value in values[place]]
            writer.write_table(pa.table(values, schema=schema))
            written += len(chunk)
    return written


def _type_of(column: Column) -> Any:
    import pyarrow as pa

    if isinstance(column, Time):
        return pa.timestamp("ms", tz="UTC")
    return pa.int64() if isinstance(column, Whole) else pa.float64() if isinstance(column, Scaled) else pa.string()


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
