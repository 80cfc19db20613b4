"""Keep looking after the appliance: checks every minute, a backup when one is due, the whole database once a week.

The rounds have a thread of their own, and so have the backup and the check of the whole database, which take minutes on
a large one: nothing of this may hold up what guards the disk once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from edge.errors import EdgeError
from edge.health.context import HealthContext
from edge.health.patience import PATIENCE_S, PatientChecks
from edge.health.runner import CheckReport, record_issues
from edge.settings import Settings
from edge.store.backup import BackupKind, is_backup_due, make_backup
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import last_quick_check, quick_check, record_quick_check
from edge.store.sqlite import Connection, sqlite3
from edge.store.writer import Writer
from edge.units import mib_to_bytes

log = structlog.get_logger()

CHECK_EVERY_S = 60.0
DATABASE_CHECK_EVERY = timedelta(days=7)
_FIRST_S = 1.0
_STOP_LIMIT_S = 5.0
_STEPS_BETWEEN_LOOKS = 100_000


class HealthRounds:
    """Runs from `start` to `stop`; `reports` are those of the last round."""

    def __init__(
        self, home: Path, settings: Settings, writer: Writer, look: Callable[[Connection], HealthContext], *, patience_s: float = PATIENCE_S
    ) -> None:
        """`look` gathers what the checks judge, with the reader that they shall use; a check may take `patience_s`."""
        self._home = home
        self._settings = settings
        self._writer = writer
        self._checks = PatientChecks(home / DATABASE_NAME, look, patience_s=patience_s)
        self._stopping = threading.Event()
        self._due = threading.Event()
        self._background: dict[str, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self.reports: tuple[CheckReport, ...] = ()

    def start(self) -> None:
        """Begin with the rounds."""
        self._thread.start()

    def stop(self) -> None:
        """End; a check that hangs is not waited for, a backup that is being made is given up."""
        self._stopping.set()
        self._due.set()
        for thread in (self._thread, *list(self._background.values())):
            if thread.is_alive():
                thread.join(_STOP_LIMIT_S)

    def hurry(self) -> None:
        """Something changed that a check judges: look again now."""
        self._due.set()

    @property
    def has_ended(self) -> bool:
        """It was started and no longer runs."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        self._stopping.wait(_FIRST_S)  # the start has more urgent things to do
        while not self._stopping.is_set():
            self._due.clear()
            try:
                self._round()
            except Exception:  # the thread's border: the store refused, or no thread can be started
                log.exception("health_round_failed")
            self._due.wait(CHECK_EVERY_S)

    def _round(self) -> None:
        self._in_background("backup", self._back_up_if_due)
        self._in_background("database-check", self._check_database_if_due)
        reports = self._checks.run(self._stopping.is_set)
        if reports is not None:
            self.reports = reports
            self._writer.call(partial(record_issues, reports=reports))

    def _in_background(self, name: str, work: Callable[[], None]) -> None:
        before = self._background.get(name)
        if before is None or not before.is_alive():
            self._background[name] = threading.Thread(target=work, name=name, daemon=True)
            self._background[name].start()

    def _check_database_if_due(self) -> None:
        """Have SQLite look through the whole database, if the last check that came to its end is old."""
        try:
            reader = open_reader(self._home / DATABASE_NAME)
            try:
                last = last_quick_check(reader)
                if last is not None and datetime.now(UTC) - datetime.fromisoformat(last.checked_utc) < DATABASE_CHECK_EVERY:
                    return
                reader.set_progress_handler(lambda: int(self._stopping.is_set()), _STEPS_BETWEEN_LOOKS)
                findings = quick_check(reader)
            finally:
                reader.close()
            if not self._stopping.is_set():  # then it was given up, which is no finding
                self._writer.call(partial(record_quick_check, findings=findings))
        except (EdgeError, sqlite3.Error) as error:
            log.warning("database_check_failed", error=str(error))

    def _back_up_if_due(self) -> None:
        settings = self._settings
        try:
            if not is_backup_due(self._home, now_utc=datetime.now(UTC), every_h=settings.backup_every_h):
                return
            make_backup(
                self._home,
                BackupKind.DAILY,
                kept_daily=settings.backups_kept,
                reserve_bytes=mib_to_bytes(settings.min_free_mb),
                stopping=self._stopping.is_set,
            )
        except (EdgeError, OSError) as error:  # the check on backups tells it; work goes on
            log.warning("backup_failed", error=str(error))
