"""`sync read` and `shore merge` as people ashore use them: on files, without a home folder."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.store.clock import uuid7
from sync.bundle.files import SUFFIX
from sync.bundle.write import Sender, make_bundle

MADE = "2026-11-22T07:00:00.000Z"
RUN = uuid7()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two bundles of a ship, as they lie in a bucket: by day, named by their content."""
    sender = Sender(vessel_uuid=uuid7(), vessel="RV Tom Crean", software_version="0.1.0")
    for sequence in (1, 2):
        rows = [(RUN, ordinal, "burrow opening", 0.9 - sequence / 100, 1.0, 2.0, 30.5, 40.0) for ordinal in range(3)]
        made = make_bundle({"objects": rows}, sender=sender, sequence=sequence, made_utc=MADE)
        path = tmp_path / "bucket" / "v1" / f"{sequence:02d}" / f"{made.sha256}{SUFFIX}"
        path.parent.mkdir(parents=True)
        path.write_bytes(made.content)
    return tmp_path / "bucket"


def lines(*words: str | Path, code: int = 0) -> list[str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.stdout.splitlines()


def test_rows_are_read_line_by_line(folder: Path) -> None:
    rows = [json.loads(line) for line in lines("sync", "read", folder)]
    assert [(row["table"], row["vessel"], row["bundle_sequence"], row["ordinal"]) for row in rows] == [
        ("objects", "RV Tom Crean", sequence, ordinal) for sequence in (1, 2) for ordinal in range(3)
    ]
    assert rows[0] | {"vessel_uuid": "", "bundle_sequence": 0} == {
        "table": "objects",
        "vessel_uuid": "",
        "vessel": "RV Tom Crean",
        "bundle_sequence": 0,
        "run_uuid": RUN,
        "ordinal": 0,
        "label": "burrow opening",
        "score": 0.89,
        "x_min_px": 1.0,
        "y_min_px": 2.0,
        "width_px": 30.5,
        "height_px": 40.0,
    }
    assert lines("sync", "read", folder, "--table", "runs") == []
    about = [json.loads(line) for line in lines("sync", "read", folder, "--summary", "--json")]
    assert [(one["sequence"], one["rows"]) for one in about] == [(1, {"objects": 3}), (2, {"objects": 3})]
    assert sum("RV Tom Crean" in line for line in lines("sync", "read", folder, "--summary")) == 2


def test_bundles_are_merged_once_and_a_damaged_one_is_told(folder: Path, tmp_path: Path) -> None:
    database = tmp_path / "shore.db"
    first = json.loads(lines("shore", "merge", folder, "--into", database, "--json")[-1])
    assert first == {"bundles": 2, "repeats": 0, "rows": 6, "damaged": []}
    damaged = next(folder.rglob(f"*{SUFFIX}"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    again = json.loads(lines("shore", "merge", folder, "--into", database, "--json", code=6)[-1])
    assert (again["bundles"], again["repeats"], again["rows"]) == (0, 1, 0)
    assert len(again["damaged"]) == 1
    assert str(damaged) in again["damaged"][0]
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT run_uuid, ordinal, score, bundle_sequence FROM objects ORDER BY ordinal").fetchall()
    connection.close()
    assert found == [(RUN, ordinal, 0.88, 2) for ordinal in range(3)]


@pytest.mark.parametrize(
    ("named", "words"), [("absent", "there is no file"), ("empty", "holds no bundle"), ("notes.txt", "cannot be unpacked")]
)
def test_what_is_no_bundle_is_told(tmp_path: Path, named: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a bundle")
    result = CliRunner().invoke(app, ["sync", "read", str(tmp_path / named), "--json"])
    assert result.exit_code == 6
    assert words in json.loads(result.stdout.splitlines()[-1])["error"]["message"]


def test_rows_become_parquet_each_once(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow comes with the extra shore")
    there = tmp_path / "parquet"
    assert json.loads(lines("sync", "read", folder, "--parquet", there, "--json")[-1]) == {"objects": 3}
    assert [path.name for path in there.iterdir()] == ["objects.parquet"]
    rows = parquet.read_table(there / "objects.parquet").to_pylist()
    assert [(row["vessel"], row["bundle_sequence"], row["run_uuid"], row["ordinal"], row["score"]) for row in rows] == [
        ("RV Tom Crean", 2, RUN, ordinal, 0.88) for ordinal in range(3)
    ]
    damaged = next(folder.rglob(f"*{SUFFIX}"))
    damaged.write_bytes(damaged.read_bytes()[:-3])
    lines("sync", "read", folder, "--parquet", tmp_path / "other", code=6)
    assert list((tmp_path / "other").iterdir()) == [], "nothing half-written"


def test_without_pyarrow_it_is_said_what_to_install(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    result = CliRunner().invoke(app, ["sync", "read", str(folder), "--parquet", str(tmp_path / "parquet"), "--json"])
    assert result.exit_code == 2
    assert "parquet_missing" in result.output
    assert "imagine-edge[shore]" in result.output
    assert not (tmp_path / "parquet").exists()
