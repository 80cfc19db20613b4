"""Second copies of a tow's raw media as a person asks for them: one thread each, with progress, and an end that is on record."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import structlog

from edge import __version__
from edge.errors import EdgeError, SettingsError
from edge.store import raw_copies as store
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.files import list_roots
from edge.store.raw_copies import RawFile
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import RawCopyRow, raw_copies, raw_copy
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.raw_copy import CopyCancelledError, Progress, check_destination, make_copy

log = structlog.get_logger()

TELL_EVERY_S = 2.0
SHOWN_FAILURES = 5


class CopyDesk:
    """Copies of one home folder. Every method may be called from any thread."""

    def __init__(self, home: Path, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> None:
        """What was running when the appliance ended is told as failed."""
        self._home = home
        self._writer = writer
        self._reader = reader
        self._cancelled: dict[int, threading.Event] = {}
        self._places: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        writer.call(store.interrupt_copies)

    def begin(self, tow_id: int, to: Path, actor: str, *, tell: Callable[[Progress], None] = lambda _: None) -> int:
        """The id of a copy that has begun; it goes on in the background, into a folder of the tow's own below `to`.

        Raises:
            SettingsError: there is no such tow, it has no files, the place cannot be used or is another tow's, or one is being made there.
        """
        with self._reader() as connection, snapshot(connection):
            tow = reads.tow(connection, tow_id)
            if tow is None:
                raise SettingsError(f"there is no tow {tow_id}", advice="Open the station from its survey's page.")
            files = store.raw_files(connection, tow_id)
            roots = [root.path for root in list_roots(connection)]
            running = [one for one in raw_copies(connection, tow_id) if one.state == "running"]
        destination = to / _word(tow.survey or "drafts") / _word(tow.station) / f"tow-{tow.ordinal}"
        check_destination(destination, files, [self._home, *roots], tow.uuid)
        place = str(destination).casefold()  # names that only differ in what a file system does not take are one folder
        with self._lock:
            is_taken = place in self._places
            self._places.add(place)
        if is_taken or any(one.destination == str(destination) for one in running):
            raise SettingsError(f"a copy to {destination} is being made already", advice="Wait for its end, or cancel it.")
        try:
            copy_id = self._writer.call(lambda connection: store.begin_copy(connection, tow_id, str(destination), actor=actor))
        except EdgeError:
            with self._lock:
                self._places.discard(place)
            raise
        with self._lock:
            self._cancelled[copy_id] = threading.Event()
            thread = threading.Thread(target=self._run, args=(copy_id, tow, files, destination, tell), name=f"copy-{copy_id}", daemon=True)
            self._threads.append(thread)
        thread.start()
        return copy_id

    def cancel(self, copy_id: int, actor: str) -> None:
        """Let a copy end now; what is there stays, and another goes on from it.

        Raises:
            SettingsError: no such copy is being made.
        """
        with self._lock:
            event = self._cancelled.get(copy_id)
        if event is None:
            raise SettingsError(f"copy {copy_id} is not being made", advice="Reload the page: it has ended.")
        log.info("raw_copy_cancel", copy_id=copy_id, actor=actor)
        event.set()

    def wait(self, copy_id: int) -> RawCopyRow:
        """Wait until a copy has ended."""
        while True:
            with self._lock:
                is_running = copy_id in self._cancelled
            with self._reader() as connection:
                row = raw_copy(connection, copy_id)
            assert row is not None  # it was made here
            if not is_running:
                return row
            time.sleep(0.05)

    def close(self) -> None:
        """End every copy; asked for again, they go on."""
        with self._lock:
            for event in self._cancelled.values():
                event.set()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _run(
        self, copy_id: int, tow: reads.TowRow, files: tuple[RawFile, ...], destination: Path, tell: Callable[[Progress], None]
    ) -> None:
        teller = _Teller(self._writer, copy_id, tell)
        about = {
            "tow_uuid": tow.uuid,
            "survey": tow.survey,
            "station": tow.station,
            "tow": tow.ordinal,
            "made_utc": utc_now(),
            "software": f"imagine-edge {__version__}",
        }
        end: partial[None]
        try:
            done = make_copy(files, destination, dict(about), tell=teller.tell, is_cancelled=self._cancelled[copy_id].is_set)
            failed = "; ".join(done.failures[:SHOWN_FAILURES])
            more = f"; and {len(done.failures) - SHOWN_FAILURES} more" if len(done.failures) > SHOWN_FAILURES else ""
            detail = (
                f"{len(done.failures)} of {len(files)} files could not be copied: {failed}{more}"
                if failed
                else _warning(files, destination)
            )
            state: store.EndState = "failed" if failed else "done"
            end = partial(
                store.end_copy,
                state=state,
                files=done.files,
                size_bytes=done.size_bytes,
                detail=detail,
                manifest_sha256=done.manifest_sha256,
            )
        except CopyCancelledError:
            detail = "cancelled; what is there stays, and another copy goes on from it"
            end = partial(store.end_copy, state="cancelled", files=teller.files, size_bytes=teller.size_bytes, detail=detail)
        except EdgeError as error:
            end = partial(
                store.end_copy, state="failed", files=teller.files, size_bytes=teller.size_bytes, detail=f"{error}. {error.advice()}"
            )
        except Exception as error:  # the thread's border: a copy that ended must be told as ended
            log.exception("raw_copy_failed", copy_id=copy_id)
            end = partial(store.end_copy, state="failed", files=teller.files, size_bytes=teller.size_bytes, detail=f"{error}")
        try:
            self._writer.call(lambda connection: end(connection, copy_id))
        finally:
            with self._lock:
                self._cancelled.pop(copy_id, None)
                self._places.discard(str(destination).casefold())


class _Teller:
    """Writes down how far a copy is, now and then."""

    def __init__(self, writer: Writes, copy_id: int, tell: Callable[[Progress], None]) -> None:
        self._writer = writer
        self._copy_id = copy_id
        self._tell = tell
        self._told_s = time.monotonic()
        self.files = 0
        self.size_bytes = 0

    def tell(self, progress: Progress) -> None:
        self.files, self.size_bytes = progress.files, progress.size_bytes
        self._tell(progress)
        if time.monotonic() - self._told_s < TELL_EVERY_S:
            return
        self._told_s = time.monotonic()
        detail = f"{progress.files} of {progress.of} files are there and verified; now {progress.name}"
        self._writer.call(
            lambda connection: store.tell_copy(
                connection, self._copy_id, files=progress.files, size_bytes=progress.size_bytes, detail=detail
            )
        )


def _warning(files: tuple[RawFile, ...], destination: Path) -> str:
    """A copy beside its originals, such as below the mount point of a medium that is not in, falls with them."""
    device = destination.stat().st_dev
    for path in (path for file in files for path in file.paths):
        if path.exists():
            return "it is on the same disk as the originals: if that fails, both are gone" if path.stat().st_dev == device else ""
    return ""


def _word(name: str) -> str:
    """A name as one folder on every file system."""
    word = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", name).strip(". ")
    return word[:100] or "_"
