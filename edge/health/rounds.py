"""Keep looking after the appliance: checks every minute, a backup when one is due, the whole database once a week."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from edge.errors import EdgeError
from edge.health.context import HealthContext
from edge.health.runner import CheckReport, record_issues, run_checks
from edge.settings import Settings
from edge.store.backup import BackupKind, is_backup_due, make_backup
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import last_quick_check, quick_check, record_quick_check
from edge.store.writer import Writer
from edge.units import mib_to_bytes

log = structlog.get_logger()

CHECK_EVERY_S = 60.0
DATABASE_CHECK_EVERY = timedelta(days=7)


class HealthRounds:
    """Called once a second by the service; does something about once a minute."""

    def __init__(self, home: Path, settings: Settings, writer: Writer, look: Callable[[], HealthContext]) -> None:
        """`look` gathers what the checks judge, with a reader of the calling thread."""
        self._home = home
        self._settings = settings
        self._writer = writer
        self._look = look
        self._due_s = 0.0
        self._checker = threading.Thread()
        self.reports: tuple[CheckReport, ...] = ()

    def beat(self, now_s: float) -> None:
        """Do what is due at this monotonic time.

        Raises:
            EdgeError: the store could not be written; it is tried again at the next round.
        """
        if now_s < self._due_s:
            return
        self._due_s = now_s + CHECK_EVERY_S
        self._back_up()
        context = self._look()
        self._check_database(context)
        self.reports = run_checks(context)
        self._writer.call(partial(record_issues, reports=self.reports))

    def hurry(self) -> None:
        """Something changed that a check judges: look again at the next beat."""
        self._due_s = 0.0

    def _check_database(self, context: HealthContext) -> None:
        """Start the check of the whole database in a thread of its own, when the last that came to its end is old."""
        last = last_quick_check(context.connection)
        if last is not None and context.now_utc - datetime.fromisoformat(last.checked_utc) < DATABASE_CHECK_EVERY:
            return
        if not self._checker.is_alive():
            self._checker = threading.Thread(target=self._check_all, name="database-check", daemon=True)
            self._checker.start()

    def _check_all(self) -> None:
        try:
            reader = open_reader(self._home / DATABASE_NAME)
            try:
                findings = quick_check(reader)
            finally:
                reader.close()
            self._writer.call(partial(record_quick_check, findings=findings))
        except EdgeError as error:
            log.warning("database_check_failed", error=str(error))

    def _back_up(self) -> None:
        settings = self._settings
        if not is_backup_due(self._home, now_utc=datetime.now(UTC), every_h=settings.backup_every_h):
            return
        try:
            make_backup(self._home, BackupKind.DAILY, kept_daily=settings.backups_kept, reserve_bytes=mib_to_bytes(settings.min_free_mb))
        except EdgeError as error:  # the check on backups tells it; work goes on
            log.warning("backup_failed", error=str(error))
