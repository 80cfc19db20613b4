"""Bundles of several ships become one SQLite file: each row once, in its newest state, in whatever order they come.

A row is named by its vessel and its table's key. Bundles of a vessel are numbered: of two states of a row the one of the greater
number stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SettingsError
from sync.bundle.columns import Column, Scaled, Whole
from sync.bundle.read import ReadBundle
from sync.bundle.schema import TABLES, Table

_BUNDLES = """
    CREATE TABLE IF NOT EXISTS bundles (
        sha256 TEXT PRIMARY KEY,
        vessel_uuid TEXT NOT NULL,
        vessel TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        schema INTEGER NOT NULL,
        software_version TEXT NOT NULL,
        made_utc TEXT NOT NULL,
        unknown TEXT NOT NULL
    ) STRICT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a bundle brought. `is_repeat`: it had been merged before, and nothing was done. `rows`: that are new or newer."""

    is_repeat: bool
    rows: int


@contextmanager
def shore_database(path: Path) -> Iterator[sqlite3.Connection]:
    """The database of shore; made with its tables where it is not there.

    Raises:
        SettingsError: it cannot be opened, or is no such database.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise SettingsError(f"{path} cannot be opened: {error}", advice="Name a file in a folder that can be written.") from error
    try:
        try:
            with _transaction(connection):
                connection.execute(_BUNDLES)
                for table in TABLES.values():
                    _make(connection, table)
        except sqlite3.Error as error:
            raise SettingsError(f"{path} is no database of shore: {error}", advice="Name a new file, or one that this made.") from error
        yield connection
    finally:
        connection.close()


def merge(connection: sqlite3.Connection, bundle: ReadBundle) -> Merged:
    """Take a bundle in, whole or not at all.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    with _transaction(connection):
        if connection.execute("SELECT 1 FROM bundles WHERE sha256 = ?", (bundle.sha256,)).fetchone():
            return Merged(is_repeat=True, rows=0)
        before = connection.total_changes
        for name, rows in bundle.tables.items():
            values = [(bundle.vessel_uuid, bundle.sequence, *row) for row in rows]
            connection.executemany(_upsert(TABLES[name]), values)
        taken = connection.total_changes - before
        connection.execute(
            "INSERT INTO bundles VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                bundle.sha256,
                bundle.vessel_uuid,
                bundle.vessel,
                bundle.sequence,
                bundle.schema,
                bundle.software_version,
                bundle.made_utc,
                ", ".join(bundle.unknown),
            ),
        )
    return Merged(is_repeat=False, rows=taken)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make(connection: sqlite3.Connection, table: Table) -> None:
    columns = ", ".join(f"{column.name} {_kind(column)}" for column in table.columns)
    key = ", ".join(("vessel_uuid", *table.key))
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {table.name} (vessel_uuid TEXT NOT NULL, bundle_sequence INTEGER NOT NULL, {columns}, "
        f"PRIMARY KEY ({key})) STRICT"
    )
    known = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    for column in table.columns:
        if column.name not in known:  # a database of an older program
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {_kind(column)}")


def _kind(column: Column) -> str:
    return "INTEGER" if isinstance(column, Whole) else "REAL" if isinstance(column, Scaled) else "TEXT"


def _upsert(table: Table) -> str:
    names = ", ".join(("vessel_uuid", "bundle_sequence", *table.names))
    places = ", ".join("?" * (2 + len(table.names)))
    news = ", ".join(f"{name} = excluded.{name}" for name in ("bundle_sequence", *table.names))
    return (
        f"INSERT INTO {table.name} ({names}) VALUES ({places}) ON CONFLICT ({', '.join(('vessel_uuid', *table.key))}) DO UPDATE SET {news} "
        f"WHERE excluded.bundle_sequence > {table.name}.bundle_sequence"
    )
