"""The queue of scans: what was found in the watched folders is processed one after the other, the latest scanned first.

Two threads: one looks at the folders, the other has scans processed. Whatever ends the appliance, a scan ends as a result or as a listed
failure, once: what was begun is begun anew at the next start, and what it left half done is taken away.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.errors import EdgeError, InputError, ModelError, Reason, ScanRefusedError, StoreError
from edge.store import audit
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.store.zooscan import scans
from edge.store.zooscan.runs import NewRun, record_run
from edge.zooscan.desk.carrying import what_people_did
from edge.zooscan.desk.core import DeskCore
from edge.zooscan.desk.engine import ScanEngine, ScanStoppedError, ScanTask, ScanWorkerLostError
from edge.zooscan.desk.watching import LookTrouble, ScanWatch
from edge.zooscan.failing import SCAN_ADVICE, failed_words
from edge.zooscan.project.files import config_texts
from edge.zooscan.project.log import read_log
from edge.zooscan.project.texts import decode_text

log = structlog.get_logger()

RUNS_FOLDER = "zooscan"
CLEAN_PICTURES = ("clean.tif", "overview.tif")
"""As `edge.zooscan.process` calls them, whose modules load OpenCV."""
AGAIN_S = 5.0
_PATIENCE_S = 30.0
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AWAY = (Reason.VANISHED, Reason.UNREADABLE_FILE, Reason.TRUNCATED, Reason.NO_BACKGROUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSettings:
    """How scans are found and processed.

    Attributes:
        rescan_s: how often the folders are looked at.
        settle_s: a picture is whole when its size and time are equal on two looks so far apart.
        attempts: a scan whose process ended so often has failed.
    """

    rescan_s: float = 15.0
    settle_s: float = 2.0
    attempts: int = 3


class Queueing(DeskCore):
    """Finds scans and has them processed."""

    def __init__(
        self,
        home: Path,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        engine: ScanEngine,
        *,
        folders: Sequence[Path] = (),
        settings: DeskSettings | None = None,
        may_begin: Callable[[], bool] = lambda: True,
        may_work: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take what every part of the desk has, and what this part needs.

        Args:
            home: the home folder.
            writer: its writer.
            reader: opens readers.
            engine: looks at pixels.
            folders: watched ones.
            settings: see there.
            may_begin: whether a scan may be begun; its result takes some 500 MB.
            may_work: whether one that was begun may go on.
        """
        super().__init__(home, writer, reader, engine)
        self.folders = tuple(folders)
        self.settings = settings or DeskSettings()
        self.at_work: str | None = None
        """The scan in hand."""
        self.stage = ""
        """What is done with it now: load, background, convert, frame, segment, classify, separate, measure or write."""
        self.failure: str | None = None
        """Why looking or processing itself does not work at the moment."""
        self.may_begin = may_begin
        """Whether a scan may be begun now."""
        self._may_work = may_work
        self._watch = ScanWatch(writer=writer, reader=reader, settle_s=self.settings.settle_s)
        self._looking = threading.Lock()
        self._stranded: tuple[ScanRow, bool] | None = None
        self._stopping = threading.Event()
        self._look_wanted, self._work_wanted = threading.Event(), threading.Event()
        self._threads = (
            threading.Thread(target=self._run_looks, name="scans-look", daemon=True),
            threading.Thread(target=self._run_work, name="scans-work", daemon=True),
        )

    def start(self) -> None:
        """Begin: queue again what the last appliance left, take away what it left half done, then look and work."""
        self.reclaim()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Put down what is in hand; it is begun anew at the next start."""
        self._stopping.set()
        self._look_wanted.set()
        self._work_wanted.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_PATIENCE_S)  # one that waits for a share that does not answer ends with the program

    def reclaim(self) -> None:
        """Queue again what was begun and never ended, and take away files that belong to no result. The home's lock is held."""
        count = self.writer.call(lambda connection: scans.reclaim(connection, self.settings.attempts))
        with self.reader() as connection:
            kept = reads.run_folders(connection)
            self._drop_pictures(reads.superseded_folders(connection))
        left = 0
        for folder in _run_folders(self.home / RUNS_FOLDER):
            if folder.relative_to(self.home).as_posix() not in kept:
                shutil.rmtree(folder, ignore_errors=True)
                left += 1
        if count or left:
            log.info("scans_reclaimed", scans=count, folders=left)

    @property
    def troubles(self) -> tuple[LookTrouble, ...]:
        """Watched folders and projects that could not be looked at, and why."""
        return self._watch.troubles

    @property
    def is_settling(self) -> bool:
        """At the last look something was seen that may still be copied."""
        return self._watch.is_settling

    def look(self, folders: Sequence[Path] | None = None) -> None:
        """Look at the watched folders, or at these, now."""
        with self._looking:
            self._watch.look(self.folders if folders is None else folders, time.monotonic())
        self._work_wanted.set()
        self._watch.compare_one(self._stopping.is_set)  # takes seconds: others may look meanwhile

    def kick(self) -> None:
        """Something changed: look for work."""
        self._work_wanted.set()

    def look_soon(self) -> None:
        """Look at the watched folders now, in their own thread."""
        self._look_wanted.set()

    def rescan(self, *, actor: str) -> None:
        """Look at every watched folder now."""
        self.writer.call(lambda connection: audit.append(connection, actor, "rescan", "zooscan", {}))
        self._look_wanted.set()

    def retry(self, scan_uuid: str | None, *, actor: str) -> int:
        """Queue a scan that failed, or for None all of them, again. Returns how many.

        Raises:
            ScanRefusedError: there is no such scan, or it has not failed.
        """
        return self._queue(scan_uuid, ("failed",), actor=actor, action="zooscan_retry")

    def reprocess(self, scan_uuid: str, *, actor: str) -> int:
        """Process a scan with a result anew: lines and decisions of people stand as before, both results stay. Returns how many.

        Raises:
            ScanRefusedError: there is no such scan, it has no result, or it is signed.
        """
        return self._queue(scan_uuid, ("done", "failed"), actor=actor, action="zooscan_reprocess")

    def process_next(self) -> ScanRow | None:
        """Have the next scan of the queue processed, whatever comes of it; None if none is queued."""
        with self.reader() as connection:
            scan_id = reads.next_queued(connection)
        return None if scan_id is None else self.process(scan_id)

    def process(self, scan_id: int) -> ScanRow | None:
        """Have a queued scan processed. Returns it as it is then; None if it is not queued any more."""
        if not self.writer.call(lambda connection: scans.begin(connection, scan_id)):
            return None
        with self.reader() as connection:  # where even this fails the row is reclaimed as one that nobody works on
            scan = reads.scan_by_id(connection, scan_id)
        assert scan is not None, "it was begun just now"
        self.at_work = scan.name
        try:
            self._process(scan)
        except BaseException as error:
            self._stranded = (scan, not isinstance(error, StoreError))
            with contextlib.suppress(StoreError):
                self._put_ashore(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.at_work, self.stage = None, ""
        with self.reader() as connection:
            return reads.scan_by_id(connection, scan_id)

    def _process(self, scan: ScanRow) -> None:
        log.info("scan_begun", scan=scan.name, attempt=scan.attempts)
        try:
            pictures = [Path(scan.raw_path or ""), *map(Path, scan.background_paths)]
            before = [_status(path) for path in pictures]
            run = self.engine.process(self._task(scan), self._must_stop, self._set_stage)
            if [_status(path) for path in pictures] != before:
                self._drop(run)
                self._set_back(scan, self._why_other(scan), is_attempt=False)
            else:
                self._record(scan, run, before[0])
        except InputError as error:
            if error.reason in _AWAY and self._is_away(scan):
                self._set_back(scan, str(error), is_attempt=False)
            else:
                self._fail(scan, error.reason, failed_words(error))
        except ModelError as error:
            self._fail(scan, Reason.MODEL_FAILED, f"{error}. {error.advice()}")
        except ScanStoppedError as error:
            self._set_back(scan, str(error), is_attempt=False)
        except ScanWorkerLostError as error:
            if scan.attempts >= self.settings.attempts:
                self._fail(scan, Reason.WORKER_DIED, f"{error}; tried {scan.attempts} times. {SCAN_ADVICE[Reason.WORKER_DIED]}")
            else:
                self._set_back(scan, str(error))

    def _must_stop(self) -> bool:
        return self._stopping.is_set() or not self._may_work()

    def _set_stage(self, stage: str) -> None:
        self.stage = stage

    def _record(self, scan: ScanRow, run: NewRun, raw: tuple[int, int] | None) -> None:
        """Write the result; where that cannot be, its files go, and the scan is begun anew later."""
        try:
            run_id = self.writer.call(lambda connection: record_run(connection, scan.id, run, raw=raw))
        except StoreError as error:
            self._drop(run)
            self._set_back(scan, str(error), is_attempt=False)
            raise
        if run_id is None:
            self._drop(run)
            return
        log.info("scan_done", scan=scan.name, objects=len(run.objects), elapsed_s=round(run.elapsed_s, 2))
        with self.reader() as connection:
            self._drop_pictures(reads.superseded_folders(connection, scan.id))

    def _drop_pictures(self, folders: Sequence[str]) -> None:
        """Take away the clean pictures of results that another one followed: 375 MB each. Their vignettes stay."""
        for folder in folders:
            for name in CLEAN_PICTURES:
                with contextlib.suppress(OSError):
                    (self.home / folder / name).unlink(missing_ok=True)

    def _task(self, scan: ScanRow) -> ScanTask:
        """What a scan is made from now.

        Raises:
            InputError: UNREADABLE_FILE, the project's configuration cannot be read.
        """
        with self.reader() as connection:
            texts = reads.scan_texts(connection, scan.id)
            done = what_people_did(connection, scan.id)
        try:
            config = config_texts(Path(scan.project_folder))
        except OSError as error:
            raise InputError(Reason.UNREADABLE_FILE, f"the configuration of {scan.project} cannot be read: {error.strerror}") from error
        first, second = (Path(path) for path in scan.background_paths)
        return ScanTask(
            scan_uuid=scan.uuid,
            raw=Path(scan.raw_path or ""),
            backgrounds=(first, second),
            background=scan.background or "",
            config=(_text(config[0]), _text(config[1])),
            resolution_dpi=None if texts.log is None else read_log(texts.log).resolution_dpi,
            human_lines=done.pixels,
            spared=done.spared,
            wanted=done.wanted,
            kept=done.kept,
        )

    def _is_away(self, scan: ScanRow) -> bool:
        """Whether a scan cannot be read because its folder, or a picture that it is made from, is no longer what the database knows."""
        self.look([Path(scan.project_folder)])
        with self.reader() as connection:
            project = reads.project_of_folder(connection, scan.project_folder)
        status = _status(Path(scan.raw_path or ""))
        is_other = status is None or status != (scan.raw_bytes, scan.raw_mtime_ns) or not all(map(os.path.exists, scan.background_paths))
        return is_other or (project is not None and project.trouble != "")

    def _why_other(self, scan: ScanRow) -> str:
        """Why a picture is not as it was when it was begun: its folder went, or somebody wrote to it."""
        self.look([Path(scan.project_folder)])
        with self.reader() as connection:
            project = reads.project_of_folder(connection, scan.project_folder)
        away = "" if project is None else project.trouble
        return away or "its picture or its background was changed while it was read"

    def _fail(self, scan: ScanRow, reason: Reason, detail: str) -> None:
        log.warning("scan_failed", scan=scan.name, reason=reason.value, detail=detail)
        self.writer.call(lambda connection: scans.set_failed(connection, scan.id, reason, detail))

    def _set_back(self, scan: ScanRow, why: str, *, is_attempt: bool = True) -> None:
        log.info("scan_put_back", scan=scan.name, why=why)
        self.writer.call(lambda connection: scans.set_back(connection, scan.id, is_attempt=is_attempt))

    def _drop(self, run: NewRun) -> None:
        shutil.rmtree(self.home / run.folder, ignore_errors=True)

    def _queue(self, scan_uuid: str | None, states: Sequence[str], *, actor: str, action: str) -> int:
        scan = None if scan_uuid is None else self.scan_of(scan_uuid)
        chosen = None if scan is None else [scan.id]
        count = self.writer.call(lambda connection: scans.queue_again(connection, chosen, states=states, actor=actor, action=action))
        if scan is not None and not count:
            state = f"signed by {scan.signed_by}" if scan.signed_by is not None else scan.state
            why = "its picture is gone" if scan.original == "gone" else f"it is {state}"
            raise ScanRefusedError(f"the scan {scan.name} cannot be queued now: {why}")
        self._look_wanted.set()
        self._work_wanted.set()
        return count

    def _run_looks(self) -> None:
        while not self._stopping.is_set():
            self._look_wanted.clear()
            self._guarded(self.look)
            wait_s = min(self.settings.rescan_s, self.settings.settle_s) if self.is_settling else self.settings.rescan_s
            self._look_wanted.wait(wait_s)

    def _run_work(self) -> None:
        while not self._stopping.is_set():
            self._work_wanted.clear()
            if not self._guarded(self._work_once):
                self._work_wanted.wait(AGAIN_S)

    def _work_once(self) -> ScanRow | None:
        """Process the next scan, if that may be; None if nothing came of it, and waiting a little is better than trying again at once."""
        self._put_ashore(self.failure or "")
        scan = self.process_next() if self.may_begin() else None
        return None if scan is None or scan.state == "queued" else scan

    def _put_ashore(self, why: str) -> None:
        """Scans that are in hand by the database while nothing is, as after a full disk: say there what became of them."""
        if self._stranded is not None:
            scan, is_attempt = self._stranded
            if is_attempt and scan.attempts >= self.settings.attempts:
                self._fail(scan, Reason.WORKER_DIED, f"{why}; tried {scan.attempts} times. {SCAN_ADVICE[Reason.WORKER_DIED]}")
            else:
                self._set_back(scan, why, is_attempt=is_attempt)
            self._stranded = None
        with self.reader() as connection:
            is_left = bool(reads.count_scans(connection).get("processing"))
        if is_left:
            self.writer.call(lambda connection: scans.reclaim(connection, self.settings.attempts))

    def _guarded(self, work: Callable[[], object]) -> bool:
        """Do something; a failure of the appliance's own is told and does not end the thread. Returns whether anything was done."""
        try:
            done = work() is not None
        except Exception as error:  # the thread's border: nobody would look or work any more
            self.failure = f"{error}" if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}"
            log.exception("scans_failed")
            return False
        self.failure = None
        return done


def _run_folders(top: Path) -> list[Path]:
    """Folders of runs, and what is left of unfinished ones."""
    if not top.is_dir():
        return []
    of_scans = [path for path in top.iterdir() if _UUID.fullmatch(path.name) and path.is_dir()]
    inside = [path for scan in of_scans for path in scan.iterdir() if path.is_dir()]
    return [path for path in inside if _UUID.fullmatch(path.name) or (path.name.startswith(".") and path.name.endswith(".unfinished"))]


def _status(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _text(data: bytes | None) -> str | None:
    return None if data is None else decode_text(data)
