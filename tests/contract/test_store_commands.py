"""Commands on a database that cannot be used, or files that are none: exit code 3, the reason, what to do, and nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from edge.store.connection import DATABASE_NAME
from edge.store.open import open_store
from tests.helpers.seed import open_database

EXIT_SETTINGS, EXIT_STORE = 2, 3


def ask(edge_command: list[str], home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*edge_command, "--home", str(home), *words], capture_output=True, text=True, check=False, timeout=120)


def content(home: Path) -> str:
    """The database byte for byte. A reader leaves an empty `-wal` beside it, which is no change."""
    assert all(path.stat().st_size == 0 for path in home.glob(f"{DATABASE_NAME}-wal"))
    return hashlib.sha256((home / DATABASE_NAME).read_bytes()).hexdigest()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A home whose database has a migration that this version does not know."""
    home = tmp_path / "home"
    home.mkdir()
    writer = open_store(home, on_commit=lambda: None)
    writer.call(
        lambda connection: connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('imagine-edge', 'm099_from_the_future', '2027-01-01')"
        )
    )
    writer.close()
    return home


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--json"],
        ["export", "--out", "exported", "--json"],
        ["models", "list", "--json"],
        ["models", "show", "burrow-openings-starter", "--json"],
        ["models", "activate", "burrow-openings-starter", "--json"],
        ["models", "rollback", "--json"],
        ["backup", "--json"],
        ["ingest", ".", "--json"],
        ["reprocess", "--json"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_newer_database_is_refused_and_left_alone(edge_command: list[str], newer: Path, tmp_path: Path, words: list[str]) -> None:
    before = content(newer)
    answer = ask(edge_command, newer, *[str(tmp_path / "exported") if word == "exported" else word for word in words])
    assert answer.returncode == EXIT_STORE
    error = json.loads(answer.stdout.splitlines()[-1])["error"]
    assert error["code"] == "store_newer"
    assert "m099_from_the_future" in error["message"]
    assert "newer version" in error["advice"]
    assert content(newer) == before
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("words", [["doctor"], ["run", "--port", "0"], ["demo", "--port", "0"]], ids=lambda words: words[0])
def test_so_do_the_commands_for_people(edge_command: list[str], newer: Path, words: list[str]) -> None:
    before = content(newer)
    answer = ask(edge_command, newer, *words)
    assert answer.returncode == EXIT_STORE
    told = answer.stdout + answer.stderr
    assert "was written by a newer version" in told
    assert "Start the newer version again" in told
    assert content(newer) == before


def make_text(path: Path) -> None:
    path.write_text("no database at all")


def make_noise(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def make_other_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("make", [make_text, make_noise, Path.touch, make_other_program, Path.mkdir], ids=lambda one: one.__name__)
def test_restoring_what_is_no_backup_says_what_to_choose(edge_command: list[str], tmp_path: Path, make: object) -> None:
    home = tmp_path / "home"
    open_database(home).close()
    before = content(home)
    assert callable(make)
    make(tmp_path / "chosen.db")
    answer = ask(edge_command, home, "restore", str(tmp_path / "chosen.db"), "--json")
    assert answer.returncode == EXIT_STORE
    error = json.loads(answer.stdout.splitlines()[-1])["error"]
    assert str(tmp_path / "chosen.db") in error["message"]
    assert "backup --list" in error["advice"]
    assert "--home" not in error["advice"]
    assert "restore --latest" not in error["advice"]
    assert content(home) == before


def test_an_export_into_a_watched_folder_says_where_to(edge_command: list[str], tmp_path: Path) -> None:
    home, inbox = tmp_path / "home", tmp_path / "home" / "inbox" / "burrows"
    connection = open_database(home)
    connection.execute(
        "INSERT INTO roots (path, path_bytes, recipe, intake, added_utc) VALUES (?, ?, 'burrows', 'in_place', '2026-06-03T00:00:00.000Z')",
        (str(inbox), os.fsencode(inbox)),
    )
    connection.close()
    answer = ask(edge_command, home, "export", "--out", str(inbox / "results"), "--json")
    assert answer.returncode == EXIT_SETTINGS
    error = json.loads(answer.stdout.splitlines()[-1])["error"]
    assert f"outside of {inbox}" in error["advice"]
    assert not inbox.exists()


def test_status_tells_of_settings_that_cannot_be_used(edge_command: list[str], tmp_path: Path) -> None:
    """What the database says is answered all the same."""
    home = tmp_path / "home"
    open_database(home).close()
    assert json.loads(ask(edge_command, home, "status", "--json").stdout)["settings_fault"] is None
    (home / "settings.toml").write_text("prot = 8765\n")
    answer = ask(edge_command, home, "status", "--json")
    assert answer.returncode == 0
    assert "there is no setting prot" in json.loads(answer.stdout)["settings_fault"]
    answer = ask(edge_command, home, "status")
    assert answer.returncode == 0
    assert "will not start" in answer.stderr
    assert "there is no setting prot" in answer.stderr
