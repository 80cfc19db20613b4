"""The single writer: one thread, one connection, every change in the order it was asked for.

Work that has queued up while a commit was being made durable shares the next commit; each piece runs in a savepoint of
its own, so one that fails takes nothing of the others with it. A future is fulfilled only after its commit is on disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from edge.errors import DiskFullError, EdgeError, StoreCorruptError, StoreError, StoreRefusedError
from edge.store.connection import open_writer
from edge.store.sqlite import Connection, sqlite3

log = structlog.get_logger()

T = TypeVar("T")
Work = Callable[[Connection], T]
_Piece = tuple[Work[Any], Future[Any], bool]
MAX_GROUP = 256
_REFUSALS = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)  # of the value, not of the disk


class Writes(Protocol):
    """Who writes: the `Writer`, or what stands in for it."""

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        """Run `work(connection)` in a transaction and wait until that is durable; `quiet` tells nobody of it."""


class Writer:
    """Owns the writing connection from `start` to `close`."""

    def __init__(self, path: Path, *, on_commit: Callable[[], None] | None = None, on_full: Callable[[], None] | None = None) -> None:
        """Open the database. Both listeners are called in the writer's thread: after a commit, and when the disk has no room."""
        self._path = path
        self._on_full = on_full or (lambda: None)
        self._on_commit = on_commit or (lambda: None)
        self._queue: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._connection: Connection = open_writer(path)
        self._identity = _identity(path)
        self._at_work = threading.Lock()
        self._closed = False
        self._accepting = threading.Lock()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, work: Work[T], *, quiet: bool = False) -> Future[T]:
        """Queue `work(connection)`; the future holds its result once the commit is durable, or its error.

        Args:
            work: what to do.
            quiet: the listener is not told of this change, for changes that nobody may notice: the saves of a blind count.

        Raises:
            StoreError: the writer is closed.
        """
        future: Future[T] = Future()
        with self._accepting:  # nothing may be queued behind the end: nobody would fulfil it
            if self._closed:
                raise StoreError("the store is closed", advice="The appliance is stopping; start it again.")
            self._queue.put((work, future, quiet))
        return future

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        """`submit`, and wait for the result."""
        return self.submit(work, quiet=quiet).result()

    def is_in_place(self) -> bool:
        """Whether the database's file is still the one that was opened; one that was deleted or exchanged takes commits to nowhere."""
        return _identity(self._path) == self._identity

    def at_rest(self, work: Work[T]) -> T:
        """Run `work(connection)` in the caller's thread and outside of any transaction, such as copying the whole; commits wait."""
        with self._at_work:
            return work(self._connection)

    def close(self) -> None:
        """Write what is queued, then close the database."""
        with self._accepting:
            self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            group, stopping = self._next_group()
            if group:
                with self._at_work:
                    self._write(group)

    def _next_group(self) -> tuple[list[_Piece], bool]:
        group: list[_Piece] = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) == MAX_GROUP:
                return group, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _write(self, group: list[_Piece]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        changed = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for work, future, quiet in group:
                before = self._connection.total_changes
                outcomes.append((future, *self._in_savepoint(work)))
                changed = changed or (not quiet and self._connection.total_changes != before)
            self._connection.execute("COMMIT")
        except Exception as error:  # the thread's border: the writer outlives whatever a commit does
            log.exception("store_commit_failed", pieces=len(group))
            self._abandon(group, error)
            return
        for future, value, failure in outcomes:
            if failure is None:
                future.set_result(value)
            else:
                future.set_exception(failure)
        if changed:
            self._tell(self._on_commit)

    def _tell(self, listener: Callable[[], None]) -> None:
        try:
            listener()
        except Exception:  # a listener's fault must neither look like the store's nor end its thread
            log.exception("store_listener_failed")

    def _in_savepoint(self, work: Work[Any]) -> tuple[Any, BaseException | None]:
        self._connection.execute("SAVEPOINT work")
        try:
            value = work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:  # SQLite itself rolled back: a full disk, an I/O error
                raise self._judged(error) from error
            name = getattr(work, "__qualname__", repr(work))
            if isinstance(error, EdgeError):  # asked for and refused, such as retiring the last administrator; the caller tells why
                log.info("store_work_refused", work=name, code=error.code)
            else:
                log.exception("store_work_failed", work=name)
            self._connection.execute("ROLLBACK TO work")
            self._connection.execute("RELEASE work")
            return None, self._judged(error)
        self._connection.execute("RELEASE work")
        return value, None

    def _abandon(self, group: list[_Piece], error: Exception) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("store_rollback_failed")
        typed = self._judged(error)
        for _, future, _ in group:
            future.set_exception(typed)

    def _judged(self, error: Exception) -> Exception:
        """The error in our own terms; a full disk is told at once."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return error
        primary = code & 0xFF
        if primary == sqlite3.SQLITE_FULL:
            self._tell(self._on_full)
            return DiskFullError(f"the disk of {self._path} is full")
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreCorruptError(f"{self._path} is damaged: {error}")
        if primary in _REFUSALS:
            return StoreRefusedError(f"{self._path} refuses a value: {error}")
        return StoreError(f"{self._path} could not be written: {error}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
