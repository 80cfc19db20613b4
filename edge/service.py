"""The composition root: settings -> store -> models -> dispatchers -> intake -> health. The only file that wires.

The parent process holds the pages, the intake, the dispatchers and the only writer; models and decoding live in worker
processes. `Service` is what the pages call (`edge.web.appliance.Appliance`) and what the commands run.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from edge.desks import SurveyDesks
from edge.errors import SettingsError, StoreLostError
from edge.health.checks.workers import RestartWindow
from edge.health.context import HealthContext
from edge.health.disk import DiskGuard, DiskLevel
from edge.health.rounds import HealthRounds
from edge.ingest.intake import Intake
from edge.ingest.media import is_away
from edge.live import QueueGauge, describe_machine, health_context, live_status, rescue_database
from edge.pipeline.capture_time import capture_time
from edge.pipeline.dispatcher import Dispatcher
from edge.pipeline.keeper import ModelKeeper
from edge.recipes import PROJECT_RECIPES, RECIPES, find_recipe, find_served
from edge.recipes.desk import ModelDesk
from edge.recipes.recipe import Recipe
from edge.recipes.serving import ModelServer
from edge.scan_work import INBOX_FOLDER, watch_projects
from edge.settings import Settings
from edge.store import audit, away, files, jobs
from edge.store.clock import utc_now, utc_text
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import get_fact
from edge.store.lock import HomeLock
from edge.store.open import open_store
from edge.store.sealed_runs import LOG_HOLDS_SEALED, empty_log
from edge.store.sqlite import Connection
from edge.values import CaptureTime
from edge.web.appliance import CheckStatus, LiveStatus
from edge.zooscan.check_values import CheckPictures

log = structlog.get_logger()

_BEAT_S = 1.0
_MODELS_AGAIN_S = 60.0


class Service:
    """The appliance of one home folder, from `open` to `close`."""

    def __init__(self, home: Path, settings: Settings, *, patient: bool = True) -> None:
        """`patient` waits for files that still grow; a single pass lists them and ends."""
        self.home, self.settings, self.started_utc = home, settings, utc_now()
        self.paused_by: str | None = None
        self.lost: StoreLostError | None = None
        self.dispatchers: dict[str, Dispatcher] = {}
        self._patient, self._owner, self._changes = patient, str(uuid.uuid4()), 0
        self.queue, self.restarts = QueueGauge(), {name: RestartWindow() for name in RECIPES}
        self._lock = HomeLock(home)
        self._idle_readers: list[Connection] = []
        self._troubles: tuple[tuple[str, ...], ...] = ()
        self._models_due_s = time.monotonic() + _MODELS_AGAIN_S
        self._stopping, self._written, self._tow_due = threading.Event(), threading.Event(), threading.Event()
        self._pulse = threading.Thread(target=self._run_pulse, name="pulse", daemon=True)

    def open(self) -> None:
        """Take the home folder, open the store, start the threads. Models are prepared in the background.

        Raises:
            BusyError: another process works on this home folder.
            StoreError: the database cannot be used.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            advice = "Give --home another folder."
            raise SettingsError(f"the home folder {self.home} cannot be made: {error.strerror}", advice=advice) from error
        self._lock.acquire()
        self.disk = DiskGuard.for_home(self.home, self.settings)
        self.writer = open_store(self.home, on_commit=self._committed, on_full=self.disk.note_full)
        self.writer.call(away.forget_all)
        reclaimed = self.writer.call(partial(jobs.reclaim_leases, owner=self._owner, max_attempts=self.settings.worker_attempts))
        log.info("service_opened", home=str(self.home), reclaimed=reclaimed)
        self._take_desks(SurveyDesks(self, written=self._written, tow_due=self._tow_due))
        self.keeper = ModelKeeper(self.home, self.writer)
        self.models = ModelServer(self.keeper, self.settings)
        self.desk = ModelDesk(self.keeper, self.writer, self.settings, must_wait=self._is_busy, on_change=self._changed)
        self.intake = Intake(
            self.settings,
            self.home,
            self.home / DATABASE_NAME,
            self.writer,
            may_take=self.may_take,
            patient=self._patient,
            time_in_name=lambda name: self._capture_time(name, None),
        )
        self.health = HealthRounds(self.home, self.settings, self.writer, self._health_context)
        self._start_dispatchers()

    def _take_desks(self, desks: SurveyDesks) -> None:
        self.desks, self.seal, self.people = desks, desks.seal, desks.people
        self.media, self.waiting, self.copies, self.tows = desks.media, desks.waiting, desks.copies, desks.tows
        self.sheets, self.tables, self.tracks = desks.sheets, desks.tables, desks.tracks
        self.counting, self.reviews, self.boxes, self.scans = desks.counting, desks.reviews, desks.boxes, desks.scans
        self.ecotaxa, self.annotation, self.sync = desks.ecotaxa, desks.annotation, desks.sync
        self.clip_frame, self.strip = desks.clip_frame, desks.strip

    def _start_dispatchers(self) -> None:
        rooted = {root.recipe for root in self.writer.call(files.list_roots)}
        for recipe in RECIPES.values():
            if not recipe.on_demand or recipe.name in rooted:
                self._start_dispatcher(recipe)

    def _start_dispatcher(self, recipe: Recipe) -> None:
        if recipe.name in self.dispatchers:
            return
        self.dispatchers[recipe.name] = dispatcher = Dispatcher(
            recipe.name,
            self.settings,
            self.writer,
            owner=self._owner,
            may_work=self.may_work,
            capture_time=self._capture_time,
            folder_is_away=self._folder_is_away,
            seal=self.seal,
        )
        dispatcher.start()
        self.models.prepare(recipe, dispatcher)

    def watch_all(self) -> None:
        """Watch the inbox of every recipe and the folders of the settings."""
        for recipe in RECIPES.values():
            folder = self.home / INBOX_FOLDER / recipe.name
            if recipe.name in self.dispatchers or folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                self.take_from(folder, recipe.name, "in_place")
        for watched in self.settings.watched:
            if watched.recipe not in PROJECT_RECIPES:  # whose desk looks at them
                self.take_from(watched.path, watched.recipe, watched.intake)
        watch_projects(self)
        self._start_looking()

    def take_from(self, folder: Path, recipe: str, intake: files.Intake, *, watch: bool = True) -> files.Root:
        """Make a folder a root, or take from the root that it lies in already.

        Raises:
            SettingsError: there is no such recipe, or the folder lies in a root of another recipe.
        """
        found = find_recipe(recipe)
        self._start_dispatcher(found)
        extensions, path = found.extensions, folder.absolute()
        for root in self.writer.call(files.list_roots):
            if path != root.path and path.is_relative_to(root.path):
                if root.recipe != recipe:
                    raise SettingsError(f"{path} lies in {root.path}, which is watched with the recipe {root.recipe}")
                self.intake.add_root(root, extensions, start=os.fsencode(path.relative_to(root.path)), watch=watch)
                return root
        root = self.writer.call(lambda connection: files.add_root(connection, path, recipe, intake))
        self.intake.add_root(root, extensions, watch=watch)
        return root

    def start_single_pass(self) -> None:
        """Take from the roots that were added, without the inboxes."""
        self._start_looking()

    def _start_looking(self) -> None:
        self.intake.start()
        self.health.start()
        self.desks.start()
        self._pulse.start()

    @property
    def pulse_has_ended(self) -> bool:
        """Nobody looks at the disk and at the checks any more."""
        return self._pulse.ident is not None and not self._pulse.is_alive()

    @property
    def stopping(self) -> bool:
        """The end has begun."""
        return self._stopping.is_set()

    def announce_stop(self) -> None:
        """Let the pages' event streams end by themselves before the server goes."""
        self._stopping.set()
        self._changes += 1

    def close(self) -> None:
        """Finish what is in hand, write it, let the home folder go."""
        self.announce_stop()
        self.desk.close()
        self.intake.stop()
        for dispatcher in self.dispatchers.values():
            dispatcher.stop()
        self.desks.close()
        if self._pulse.is_alive():
            self._pulse.join()
        self.health.stop()
        for reader in self._idle_readers:
            reader.close()
        self.writer.close()
        self._lock.release()
        log.info("service_closed")

    # What the pages ask ------------------------------------------------------------------------------------------

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A read-only connection, the caller's own until the block ends; then the next caller's, whatever its thread."""
        if self.lost is not None:
            raise self.lost
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.close()
            else:
                self._idle_readers.append(connection)

    @property
    def scan_pictures(self) -> CheckPictures:
        """The pictures of scans."""
        return self.desks.scan_pictures

    def live(self) -> LiveStatus:
        """What is happening now."""
        return live_status(self)

    def change_count(self) -> int:
        """Grows with every commit and every second in which something is in hand."""
        return self._changes

    def checks(self) -> Sequence[CheckStatus]:
        """The health checks and how each last ended."""
        return tuple(
            CheckStatus(
                name=report.name, title=report.title, holds=report.holds, detail=report.detail, checked_utc=utc_text(report.checked_utc)
            )
            for report in self.health.reports
        )

    def machine(self) -> Mapping[str, str]:
        """What this machine is."""
        return describe_machine()

    # What a person may ask for -----------------------------------------------------------------------------------

    def retry(self, file_ids: Sequence[int] | None, actor: str, *, reason: str | None = None) -> int:
        """Queue quarantined files again."""
        chosen = None if file_ids is None else list(file_ids)

        def work(connection: Connection) -> int:
            count = jobs.retry_files(connection, chosen, reason=reason)
            audit.append(connection, actor, "retry", "files", {"file_ids": chosen, "reason": reason, "count": count})
            return count

        count = self.writer.call(work)
        self.intake.rescan()
        return count

    def rescan(self, actor: str) -> None:
        """Compare every watched folder with the database now."""
        self.writer.call(lambda connection: audit.append(connection, actor, "rescan", "roots", {}))
        self.intake.rescan()
        self.scans.look_soon()

    def reprocess(self, file_ids: Sequence[int] | None, recipe: str, actor: str) -> int:
        """Run the active model again; both results stay."""
        find_recipe(recipe)
        chosen = None if file_ids is None else list(file_ids)

        def work(connection: Connection) -> int:
            count = jobs.reprocess(connection, recipe, sighting_ids=chosen)
            audit.append(connection, actor, "reprocess", f"recipe/{recipe}", {"file_ids": chosen, "count": count})
            return count

        return self.writer.call(work)

    def activate(self, name: str, version: str, recipe: str, actor: str) -> None:
        """Let an installed model serve a recipe from now on."""
        one = find_served(recipe)
        self.keeper.activate(recipe, name, version or None, tasks=one.tasks, labels=one.labels, foreign=one.foreign, actor=actor)
        self._prepare(recipe)

    def rollback(self, recipe: str, actor: str) -> None:
        """Let the model before serve the recipe again."""
        self.keeper.roll_back(find_served(recipe).name, actor=actor)
        self._prepare(recipe)

    def _prepare(self, recipe: str) -> None:
        if recipe in self.dispatchers:  # others ask for their model when they begin
            self.models.prepare(RECIPES[recipe], self.dispatchers[recipe])

    def pause(self, actor: str) -> None:
        """Take nothing new until `resume`."""
        self.paused_by = actor
        self.writer.call(lambda connection: audit.append(connection, actor, "pause", "service", {}))

    def resume(self, actor: str) -> None:
        """Go on after `pause`."""
        self.paused_by = None
        self.writer.call(lambda connection: audit.append(connection, actor, "resume", "service", {}))
        self._wake()

    def may_work(self) -> bool:
        """Whether what is in hand may go on."""
        return self.paused_by is None and self.lost is None and self.disk.level is not DiskLevel.FULL

    def _is_busy(self) -> bool:
        """Whether the real queue has work that could go on now."""
        return self.may_work() and (self.queue.read(self) > 0 or any(dispatcher.in_flight for dispatcher in self.dispatchers.values()))

    def may_take(self) -> bool:
        """Whether something new may be taken in hand."""
        return self.paused_by is None and self.lost is None and self.disk.level is DiskLevel.OK

    def _health_context(self, connection: Connection) -> HealthContext:
        return health_context(self, connection, datetime.now(UTC))

    def _folder_is_away(self, folder_id: int) -> bool:
        """Look at a folder whose file was not found; if its medium is out, the intake shall see it soon too."""
        with self.reader() as connection:
            place = away.place_of(connection, folder_id)
        if not is_away(place):
            return False
        self.intake.look_at_changes()
        return True

    def _capture_time(self, name: str, exif_time_local: str | None) -> CaptureTime | None:
        return capture_time(exif_time_local, name, self.settings.file_time_pattern)

    def _changed(self) -> None:
        self._changes += 1

    def _committed(self) -> None:
        self._changes += 1
        self._written.set()
        self._tow_due.set()
        self._wake()

    def _wake(self) -> None:
        for dispatcher in list(self.dispatchers.values()):
            dispatcher.wake()

    def _look_at_troubles(self) -> None:
        """A folder that went or came back is told at the next beat; a model that could not be prepared is tried again."""
        troubles = tuple(root.troubles for root in self.intake.status())
        if troubles != self._troubles:
            self._troubles = troubles
            self.health.hurry()
            self._changes += 1
        if time.monotonic() >= self._models_due_s:
            self._models_due_s = time.monotonic() + _MODELS_AGAIN_S
            for name, dispatcher in self.dispatchers.items():
                self.models.try_again(RECIPES[name], dispatcher)

    def _tidy_log(self) -> None:
        """What was just sealed still stands in the database's log as it was before; rare, so it may wait for a commit."""
        with self.reader() as connection:
            wanted = get_fact(connection, LOG_HOLDS_SEALED) is not None
        if wanted:
            self.writer.at_rest(empty_log)

    def _look_at_database(self) -> None:
        """A database whose file was deleted takes commits that nobody will ever read: stop the work, keep what it holds."""
        if self.lost is None and not self.writer.is_in_place():
            path = self.home / DATABASE_NAME
            self.lost = StoreLostError(f"{path} was deleted or exchanged while the appliance worked with it; nothing is processed any more")
            log.error("database_lost", path=str(path))
            threading.Thread(target=rescue_database, args=(self,), name="rescue", daemon=True).start()

    def _run_pulse(self) -> None:
        """Once a second: the disk, what is in hand, folders that went or came. Nothing here may wait for a share or a backup."""
        while not self._stopping.wait(_BEAT_S):
            try:
                self._look_at_database()
                before = self.disk.level
                if self.disk.look() is not before:
                    log.warning("disk_level", level=self.disk.level, free_bytes=self.disk.free_bytes)
                    self._changes += 1
                    self._wake()
                if any(dispatcher.in_flight for dispatcher in self.dispatchers.values()) or self.intake.waiting:
                    self._changes += 1
                self._look_at_troubles()
                self._tidy_log()
            except Exception:  # the thread's border: without a pulse nobody looks at the disk
                log.exception("pulse_failed")
