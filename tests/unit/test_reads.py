"""The read queries: what they return, and that none of them walks a large table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.errors import Reason
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads import condition, failures, files, overview, packs, results
from edge.store.reads.files import FileFilter, FileState, Original
from edge.store.sqlite import Connection
from tests.benchmarks.make_large_db import make_large_db

FILES = 1_500
LARGE_TABLES = ("sightings", "objects", "runs", "images", "jobs", "audit", "outbox")
SHA_OF_FILE_1 = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reads")
    make_large_db(folder / DATABASE_NAME, files=FILES, objects_per_file=4)
    return folder


@pytest.fixture
def reader(home: Path) -> Iterator[Connection]:
    connection = open_reader(home / DATABASE_NAME)
    yield connection
    connection.close()


def every_filter() -> list[FileFilter]:
    return [
        FileFilter(state=state, recipe=recipe, folder_id=folder_id, text=text, original=original, reason=reason)
        for state, recipe, folder_id, text, original, reason in itertools.product(
            (None, FileState.DONE, FileState.QUARANTINED),
            (None, "burrows"),
            (None, 2),
            (None, "station0002"),
            (None, Original.GONE, Original.PRESENT),
            (None, "corrupt", "any"),
        )
    ]


def all_pages(connection: Connection, which: FileFilter, limit: int) -> list[files.FileRow]:
    found: list[files.FileRow] = []
    after: int | None = None
    while True:
        page = files.list_files(connection, which, limit=limit, after=after)
        found += page.files
        after = page.next_after
        if after is None:
            return found


def passes(file: files.FileRow, which: FileFilter) -> bool:
    return (
        which.state in {None, file.state}
        and which.recipe in {None, file.recipe}
        and which.folder_id in {None, file.folder_id}
        and (which.text or "") in file.path
        and which.original in {None, file.original}
        and (which.reason in {None, file.reason} or (which.reason == "any" and file.reason is not None))
    )


@pytest.mark.parametrize("window", [7, files.WINDOW_FILES])
def test_pages_of_every_filter_hold_each_file_once(reader: Connection, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    monkeypatch.setattr(files, "WINDOW_FILES", window)
    everything = all_pages(reader, FileFilter(), limit=500)
    assert [file.file_id for file in everything] == list(range(FILES, 0, -1))
    for which in every_filter():
        expected = [file.file_id for file in everything if passes(file, which)]
        assert [file.file_id for file in all_pages(reader, which, limit=200)] == expected, which


def test_neighbours_are_the_next_of_the_filter(reader: Connection) -> None:
    which = FileFilter(state=FileState.QUARANTINED)
    ids = [file.file_id for file in all_pages(reader, which, limit=100)]
    assert files.neighbours(reader, which, ids[3]) == files.Neighbours(newer_id=ids[2], older_id=ids[4])
    assert files.neighbours(reader, which, ids[0]).newer_id is None
    assert files.neighbours(reader, which, ids[-1]).older_id is None
    assert files.neighbours(reader, FileFilter(text="station0001"), FILES).older_id is not None


def test_text_is_no_pattern(reader: Connection) -> None:
    assert files.list_files(reader, FileFilter(text="%"), limit=5).files == ()
    assert files.list_files(reader, FileFilter(text="_"), limit=5).files == ()
    assert files.list_files(reader, FileFilter(text="\\"), limit=5).files == ()
    assert len(files.list_files(reader, FileFilter(text="STATION0002/"), limit=5).files) == 5


def test_totals_equal_the_rows(reader: Connection) -> None:
    (totals,) = overview.totals_by_recipe(reader)
    for state in FileState:
        (count,) = reader.execute("SELECT count(*) FROM sightings WHERE state = ?", (state,)).fetchone()
        assert totals.in_state(state) == count
    (counted,) = reader.execute(
        "SELECT count(*) FROM objects AS o JOIN runs AS r ON r.id = o.run_id WHERE r.is_current AND o.score >= r.score_threshold"
    ).fetchone()
    assert totals.objects == counted
    assert overview.sum_totals((totals, totals)).files == 2 * FILES
    assert overview.sum_totals((totals,), recipe="other").files == 0


def test_objects_come_best_first_and_say_whether_they_count(reader: Connection) -> None:
    file = files.get_file(reader, 1)
    assert file is not None
    assert file.run_uuid is not None
    found = results.objects_of_run(reader, file.run_uuid, candidates=True)
    assert len(found) == 4
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.counted is (one.score >= 0.25) for one in found)
    assert results.objects_of_run(reader, file.run_uuid, candidates=False) == tuple(one for one in found if one.counted)


def test_failures_are_grouped(reader: Connection) -> None:
    groups = failures.quarantined_by_reason(reader)
    assert sum(group.files for group in groups) == FILES // 100
    assert [group.files for group in groups] == sorted((group.files for group in groups), reverse=True)


READS: dict[str, Callable[[Connection], Any]] = {
    "list by every filter": lambda db: [files.list_files(db, which, limit=5, after=900) for which in every_filter()],
    "neighbours": lambda db: [files.neighbours(db, which, 700) for which in every_filter()],
    "file": lambda db: files.get_file(db, 7),
    "sightings": lambda db: files.sightings_of(db, SHA_OF_FILE_1),
    "stored at": lambda db: files.stored_at(db, 7),
    "by path": lambda db: files.file_id_of_path(db, "/survey/inbox/burrows/leg1/station0001/x.jpg"),
    "folders": files.recent_folders,
    "runs": lambda db: results.runs_of_image(db, SHA_OF_FILE_1, recipe="burrows"),
    "objects": lambda db: results.objects_of_run(db, "00000000-0001-0000-0000-000000000001", candidates=False),
    "last finished": lambda db: results.last_finished(db, limit=5),
    "totals": overview.totals_by_recipe,
    "reasons": failures.quarantined_by_reason,
    "reprocess failures": lambda db: failures.reprocess_failures(db, limit=5),
    "issues": condition.open_issues,
    "issue counts": condition.open_issue_counts,
    "resolved": condition.resolved_issues,
    "actions": lambda db: condition.last_actions(db, limit=5),
    "database": condition.database_facts,
    "active": packs.active_models,
    "installed": packs.installed_models,
    "variants": packs.variants,
}
# In the order of the primary key and cut off by LIMIT: the newest files, the audit trail.
ORDERED_BY_KEY = ("SCAN audit", "SCAN s USING INTEGER PRIMARY KEY")
ONLY_FAILURES = ("SCAN sightings USING COVERING INDEX sightings_failed",)  # a partial index: quarantined files and no others


class Explaining:
    """A connection that asks for the plan of every statement before it runs it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.plans: list[tuple[str, list[str]]] = []

    def execute(self, sql: str, values: Any = ()) -> Any:
        if not sql.startswith("PRAGMA"):
            steps = [row["detail"] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            self.plans.append((sql, steps))
        return self._connection.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def scans(plans: list[tuple[str, list[str]]]) -> list[str]:
    """Steps that walk a whole large table, or sort what should come in order."""
    found = []
    for sql, steps in plans:
        names = {alias: table for table in LARGE_TABLES for alias in aliases(sql, table)}
        for step in steps:
            words = step.split()
            if words[0] == "SCAN" and words[1] in names and step not in ORDERED_BY_KEY + ONLY_FAILURES and not is_ordered_walk(sql, step):
                found.append(f"{step}: {sql}")
            if "TEMP B-TREE FOR ORDER BY" in step and "ORDER BY id DESC LIMIT :limit" in sql:
                found.append(f"{step}: {sql}")
    return found


def aliases(sql: str, table: str) -> set[str]:
    """The names under which a statement knows a table."""
    words = sql.replace(",", " ").replace("(", " ").replace(")", " ").split()
    named = {words[at + 2] for at, word in enumerate(words[:-2]) if word == table and words[at + 1] == "AS"}
    return named | ({table} if table in words else set())


def is_ordered_walk(sql: str, step: str) -> bool:
    """A walk along an index in the order that is asked for, cut off by a LIMIT."""
    return "LIMIT" in sql and ("USING INDEX runs_finished" in step or "USING INDEX jobs_failed" in step)


@pytest.mark.parametrize("name", READS)
def test_no_query_walks_a_large_table(reader: Connection, name: str) -> None:
    explaining = Explaining(reader)
    READS[name](explaining)  # type: ignore[arg-type]  # stands in for the connection
    assert explaining.plans or name == "database"
    assert scans(explaining.plans) == []


def test_a_walk_would_be_seen(reader: Connection) -> None:
    explaining = Explaining(reader)
    explaining.execute("SELECT count(*) FROM objects")
    explaining.execute("SELECT s.path FROM sightings AS s WHERE s.detail = 'x'")
    explaining.execute("SELECT id FROM sightings WHERE state = 'done' ORDER BY size_bytes")
    assert len(scans(explaining.plans)) == 2


def test_every_reason_can_be_listed(reader: Connection) -> None:
    for reason in Reason:
        assert files.list_files(reader, FileFilter(state=FileState.QUARANTINED, reason=reason), limit=5).next_after in {None, 1100, 1000}
