"""The single writer: shared commits, separate failures, and no promise that the disk has not kept."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from edge.errors import DiskFullError, StoreCorruptError, StoreError, StoreRefusedError
from edge.store.connection import open_reader, open_writer
from edge.store.migrations import APPLICATION_ID
from edge.store.sqlite import Connection, sqlite3
from edge.store.writer import MAX_GROUP, Writer
from tests.helpers.small_disk import fill_disk, small_disk


def make_database(path: Path) -> Path:
    connection = open_writer(path)
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make_database(tmp_path / "edge.db")


@pytest.fixture
def writer(database: Path) -> Iterator[Writer]:
    writer = Writer(database)
    writer.start()
    yield writer
    writer.close()


class note:  # noqa: N801 (reads as a function)
    """A piece of work: add a row."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __call__(self, connection: Connection) -> str | None:
        connection.execute("INSERT INTO notes (text) VALUES (?)", (self.text,))
        return self.text


class Gate:
    """A piece of work that holds the writer until it is opened, so that the pieces behind it share a commit."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.entered.set()
        assert self.opened.wait(60)


def texts(database: Path) -> list[str]:
    """What another connection sees: only what is committed."""
    reader = open_reader(database)
    try:
        return [row["text"] for row in reader.execute("SELECT text FROM notes ORDER BY id")]
    finally:
        reader.close()


def test_call_returns_what_the_work_returns(writer: Writer, database: Path) -> None:
    assert writer.call(note("one")) == "one"
    assert texts(database) == ["one"]


def test_a_future_is_fulfilled_only_after_its_commit(writer: Writer, database: Path) -> None:
    seen: list[list[str]] = []
    future = writer.submit(note("one"))
    future.add_done_callback(lambda _: seen.append(texts(database)))
    future.result(60)
    writer.close()
    assert seen == [["one"]]


def test_what_queued_up_meanwhile_shares_one_commit(database: Path) -> None:
    commits: list[int] = []
    writer = Writer(database, on_commit=lambda: commits.append(1))
    writer.start()
    gate = Gate()
    futures: list[Future[object]] = [writer.submit(gate)]
    assert gate.entered.wait(60)
    futures += [writer.submit(note(str(number))) for number in range(MAX_GROUP + 10)]
    gate.opened.set()
    for future in futures:
        future.result(60)
    writer.close()
    assert texts(database) == [str(number) for number in range(MAX_GROUP + 10)]
    assert len(commits) == 2


def test_one_failing_piece_takes_nothing_with_it(writer: Writer, database: Path) -> None:
    gate = Gate()
    writer.submit(gate)
    assert gate.entered.wait(60)

    def half(connection: Connection) -> None:
        note("half")(connection)
        raise ValueError("in the middle")

    first, broken, refused, last = writer.submit(note("first")), writer.submit(half), writer.submit(note(None)), writer.submit(note("last"))
    gate.opened.set()
    assert (first.result(60), last.result(60)) == ("first", "last")
    assert isinstance(broken.exception(60), ValueError)
    assert isinstance(refused.exception(60), StoreRefusedError)
    assert texts(database) == ["first", "last"]


def test_pieces_run_in_the_order_they_were_asked_for(writer: Writer, database: Path) -> None:
    futures = [writer.submit(note(str(number))) for number in range(1000)]
    for future in futures:
        future.result(60)
    assert texts(database) == [str(number) for number in range(1000)]


def test_close_writes_what_is_queued(database: Path) -> None:
    writer = Writer(database)
    writer.start()
    futures = [writer.submit(note(str(number))) for number in range(1000)]
    writer.close()
    assert all(future.done() for future in futures)
    assert len(texts(database)) == 1000


def test_a_closed_writer_refuses(database: Path) -> None:
    writer = Writer(database)
    writer.start()
    writer.close()
    with pytest.raises(StoreError):
        writer.submit(note("late"))
    writer.close()


def test_whatever_is_submitted_while_it_closes_is_written_or_refused(tmp_path: Path) -> None:
    """Never a future that nobody fulfils: a page that waits for one would wait for ever."""
    for attempt in range(20):
        database = make_database(tmp_path / f"{attempt}.db")
        writer = Writer(database)
        writer.start()
        accepted: list[Future[str | None]] = []
        submitted_some = threading.Event()

        def submit_until_refused(
            accepted: list[Future[str | None]] = accepted, writer: Writer = writer, begun: threading.Event = submitted_some
        ) -> None:
            try:
                for number in range(100_000):
                    accepted.append(writer.submit(note(str(number))))
                    begun.set()
            except StoreError:
                return

        thread = threading.Thread(target=submit_until_refused)
        thread.start()
        assert submitted_some.wait(60)
        writer.close()
        thread.join(60)
        assert all(future.done() for future in accepted)
        assert texts(database) == [future.result() for future in accepted]


def test_of_a_quiet_change_nobody_is_told(database: Path) -> None:
    commits: list[int] = []
    writer = Writer(database, on_commit=lambda: commits.append(1))
    writer.start()
    writer.call(note("saved"), quiet=True)
    assert commits == []
    gate = Gate()
    held = writer.submit(gate, quiet=True)
    assert gate.entered.wait(10)
    together = [writer.submit(note("quiet"), quiet=True), writer.submit(note("loud"))]
    gate.opened.set()
    held.result()
    assert [future.result() for future in together] == ["quiet", "loud"]
    writer.close()
    assert commits == [1]


def test_on_commit_is_told_of_changes_only(database: Path) -> None:
    commits: list[int] = []
    writer = Writer(database, on_commit=lambda: commits.append(1))
    writer.start()
    writer.call(lambda connection: connection.execute("SELECT count(*) FROM notes").fetchone()[0])
    assert commits == []
    writer.call(note("one"))
    writer.close()
    assert commits == [1]


def test_a_listener_that_fails_does_not_end_the_writer(database: Path) -> None:
    def fail() -> None:
        raise OSError("the listener is broken")

    writer = Writer(database, on_commit=fail)
    writer.start()
    assert writer.submit(note("one")).result(60) == "one"
    assert writer.submit(note("two")).result(60) == "two"
    writer.close()


def test_a_full_disk_fails_each_piece_and_the_database_stays_sound(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        database = make_database(disk / "edge.db")
        writer = Writer(database)
        writer.start()
        writer.call(note("before"))
        filler = fill_disk(disk, leave_bytes=16384)
        gate = Gate()
        writer.submit(gate)
        assert gate.entered.wait(60)
        futures = [writer.submit(note(f"{number} " + "x" * 40_000)) for number in range(10)]
        gate.opened.set()
        failures = [future.exception(60) for future in futures]
        assert all(isinstance(failure, DiskFullError) for failure in failures), failures
        assert texts(database) == ["before"]
        filler.unlink()
        writer.call(note("after"))
        writer.close()
        assert texts(database) == ["before", "after"]
        assert _integrity(database) == "ok"


def test_a_file_size_limit_counts_as_a_full_disk(database: Path) -> None:
    """For those who cannot mount a small disk: the write fails in the middle of the commit."""
    writer = Writer(database)
    writer.start()
    writer.call(note("before"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        failure = writer.submit(note("x" * 1_000_000)).exception(60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert isinstance(failure, StoreError)
    assert texts(database) == ["before"]
    writer.call(note("after"))
    writer.close()
    assert texts(database) == ["before", "after"]
    assert _integrity(database) == "ok"


def test_a_foreign_writer_delays_but_loses_nothing(writer: Writer, database: Path) -> None:
    """A scientist holds a write transaction open in another tool."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    future = writer.submit(note("one"))
    other.execute("INSERT INTO notes (text) VALUES ('by hand')")
    other.execute("COMMIT")
    other.close()
    assert future.result(60) == "one"
    assert sorted(texts(database)) == ["by hand", "one"]


def test_a_damaged_database_is_called_damaged(tmp_path: Path) -> None:
    database = make_database(tmp_path / "edge.db")
    connection = open_writer(database)
    for number in range(500):
        note(f"{number} " + "x" * 1000)(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (database.stat().st_size - 4096))
    writer = Writer(database)
    writer.start()
    failure = writer.submit(lambda connection: connection.execute("SELECT sum(length(text)) FROM notes").fetchone()).exception(60)
    writer.close()
    assert isinstance(failure, StoreCorruptError)


def _integrity(database: Path) -> str:
    connection = sqlite3.connect(database)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def test_a_listener_that_fails_on_a_full_disk_does_not_end_the_writer(database: Path) -> None:
    def fail() -> None:
        raise PermissionError("the ballast cannot be removed")

    def find_no_room(connection: Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        connection.execute("ROLLBACK")
        raise error

    writer = Writer(database, on_full=fail)
    writer.start()
    with pytest.raises(DiskFullError):
        writer.submit(find_no_room).result(60)
    assert writer.submit(note("after")).result(60) == "after"
    writer.close()
