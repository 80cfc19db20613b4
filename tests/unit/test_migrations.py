"""Bringing a database to this version, and refusing those that cannot be trusted without touching them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge.errors import StoreCorruptError, StoreError, StoreNewerError
from edge.store.connection import DATABASE_NAME, open_reader, open_writer, pending_migrations
from edge.store.migrations import MIGRATIONS, migrations
from edge.store.open import prepare_database
from edge.store.sqlite import sqlite3
from tests.helpers.seed import add_model, add_station, done, open_database

EXIT_STORE = 3


def schema(path: Path) -> list[tuple[str, str]]:
    connection = open_reader(path)
    try:
        return sorted((row["name"], row["sql"]) for row in connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    finally:
        connection.close()


def test_a_fresh_database_has_every_migration(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_NAME
    prepare_database(tmp_path, path)
    connection = open_writer(path)
    assert pending_migrations(connection) == []
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


def test_one_that_was_migrated_step_by_step_equals_a_fresh_one(tmp_path: Path) -> None:
    """Each migration alone, with the database closed in between, as over years of upgrades."""
    fresh, grown = tmp_path / "fresh", tmp_path / "grown"
    for home in (fresh, grown):
        home.mkdir()
    prepare_database(fresh, fresh / DATABASE_NAME)
    names = list(MIGRATIONS)
    assert names
    for name in names:
        connection = open_writer(grown / DATABASE_NAME)
        migrations().apply(Database(connection), stop_before=_after(names, name))
        connection.close()
    assert schema(grown / DATABASE_NAME) == schema(fresh / DATABASE_NAME)


def _after(names: list[str], name: str) -> str | None:
    following = names[names.index(name) + 1 :]
    return following[0] if following else None


def test_an_outbox_with_rows_is_kept_and_what_is_sealed_is_told(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / DATABASE_NAME)
    migrations().apply(Database(connection), stop_before="m006_sync")
    connection.execute("PRAGMA foreign_keys = OFF")
    for number, kind in ((1, "run"), (2, "run"), (3, "counts"), (4, "tow_analysis")):
        connection.execute(
            "INSERT INTO outbox (id, uuid, kind, dedup_key, priority, attempts, created_utc) "
            "VALUES (?1, 'u' || ?1, ?2, ?2 || '/r' || ?1, 1, ?1, 'then')",
            (number, kind),
        )
    connection.execute(
        "INSERT INTO runs (id, uuid, image_id, job_id, recipe, recipe_sha256, model_id, weights_sha256, runtime, precision, "
        "software_version, score_threshold, mean_luminance, contrast, sharpness, read_ms, decode_ms, infer_ms, merge_ms, finished_utc, "
        "is_current) "
        "VALUES (7, 'r2', 1, 1, 'burrows', '', 1, '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, '', 1)"
    )
    connection.execute("INSERT INTO sealed_runs (run_id, sealed, sealed_utc) VALUES (7, x'00', '')")
    migrations().apply(Database(connection))
    rows = connection.execute(
        "SELECT id, uuid, kind, dedup_key, state, bundle_id, attempts, created_utc FROM outbox ORDER BY id"
    ).fetchall()
    connection.close()
    assert [tuple(row) for row in rows] == [
        (1, "u1", "run", "run/r1", "waiting", None, 1, "then"),
        (2, "u2", "run", "run/r2", "sealed", None, 2, "then"),
        (3, "u3", "counts", "counts/r3", "waiting", None, 3, "then"),
        (4, "u4", "tow_analysis", "tow_analysis/r4", "waiting", None, 4, "then"),
    ]


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    done(connection, add_station(connection, tmp_path / "inbox"), b"a.jpg", add_model(connection))
    connection.close()
    before = schema(tmp_path / DATABASE_NAME)
    prepare_database(tmp_path, tmp_path / DATABASE_NAME)
    assert schema(tmp_path / DATABASE_NAME) == before
    assert not list((tmp_path / "backups").glob("*")), "nothing was pending, so nothing is backed up"


def test_a_file_of_no_bytes_becomes_a_database(tmp_path: Path) -> None:
    """What a power cut at the very first start leaves."""
    path = tmp_path / DATABASE_NAME
    path.touch()
    prepare_database(tmp_path, path)
    connection = open_reader(path)
    assert pending_migrations(connection) == []
    connection.close()


def test_every_table_is_strict_and_every_foreign_key_indexed(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    tables = connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'").fetchall()
    ours = [row["name"] for row in tables if not row["name"].startswith(("sqlite_", "_sqlite"))]
    assert len(ours) >= 10
    assert {row["name"] for row in tables if row["name"] in ours and not row["strict"]} == set()
    checked = 0
    for table in ours:
        indexed = {
            connection.execute("SELECT name FROM pragma_index_info(?) WHERE seqno = 0", (index["name"],)).fetchone()[0]
            for index in connection.execute("SELECT name FROM pragma_index_list(?)", (table,))
        }
        whole = connection.execute("SELECT name, type FROM pragma_table_info(?) WHERE pk", (table,)).fetchall()
        if len(whole) == 1 and whole[0]["type"] == "INTEGER":
            indexed.add(whole[0]["name"])  # the rowid itself: no index is needed to find it
        for key in connection.execute('SELECT "from" FROM pragma_foreign_key_list(?)', (table,)):
            column = f"{table}.{key['from']}"
            assert key["from"] in indexed, f"{column} refers to another table without an index"
            checked += 1
    connection.close()
    assert checked >= 10, "the walk finds no foreign keys any more"


def make_foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.execute("INSERT INTO recipes VALUES ('bouillabaisse')")
    connection.commit()
    connection.close()


def make_newer(path: Path) -> None:
    connection = open_database(path.parent)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('imagine-edge', 'm999_from_the_future', '2031-01-01')"
    )
    connection.close()


def make_corrupt(path: Path) -> None:
    connection = open_database(path.parent)
    station, pack = add_station(connection, path.parent / "inbox"), add_model(connection)
    for number in range(50):
        done(connection, station, b"%d.jpg" % number, pack)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 3 * 4096))


def make_text(path: Path) -> None:
    path.write_text("this is a shopping list, not a database\n" * 100)


REFUSED: dict[str, tuple[Callable[[Path], None], type[StoreError]]] = {
    "foreign": (make_foreign, StoreError),
    "newer": (make_newer, StoreNewerError),
    "corrupt": (make_corrupt, StoreCorruptError),
    "text": (make_text, StoreCorruptError),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_database_that_cannot_be_trusted_is_refused_and_not_touched(tmp_path: Path, kind: str) -> None:
    make, error = REFUSED[kind]
    path = tmp_path / DATABASE_NAME
    make(path)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(error) as refused:
        prepare_database(tmp_path, path)
    assert refused.value.exit_code == EXIT_STORE
    assert refused.value.advice()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


@pytest.mark.parametrize(
    ("command", "kind"), [*(("ingest", kind) for kind in REFUSED), ("run", "newer"), ("run", "corrupt"), ("status", "newer")]
)
def test_the_command_refuses_it_with_exit_code_3(tmp_path: Path, edge_command: list[str], command: str, kind: str) -> None:
    home, stills = tmp_path / "home", tmp_path / "stills"
    home.mkdir()
    stills.mkdir()
    make, error = REFUSED[kind]
    make(home / DATABASE_NAME)
    before = hashlib.sha256((home / DATABASE_NAME).read_bytes()).hexdigest()
    arguments = {"ingest": ["ingest", str(stills), "--json"], "run": ["run", "--port", "0"], "status": ["status", "--json"]}[command]
    ended = subprocess.run([*edge_command, "--home", str(home), *arguments], check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == EXIT_STORE, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    if "--json" in arguments:
        assert json.loads(ended.stdout.splitlines()[-1])["error"]["code"] == error.code
    assert hashlib.sha256((home / DATABASE_NAME).read_bytes()).hexdigest() == before
