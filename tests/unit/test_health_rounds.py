"""The rounds: a check that hangs is told and holds nothing up, a backup is made beside them and given up at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.errors import StoreError
from edge.health import rounds
from edge.health.checks import clock
from edge.health.context import HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import Issue, IssueCode
from edge.health.patience import PatientChecks
from edge.health.rounds import HealthRounds
from edge.health.runner import CHECKS
from edge.settings import Settings
from edge.store.backup import BackupKind, list_backups, make_backup
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from tests.helpers.watching import wait_until

HUNG = "watched_folders"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = open_store(tmp_path, on_commit=lambda: None)
    yield writer
    writer.close()


@pytest.fixture
def start(tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], HealthRounds]]:
    """Rounds that begin at once and wait half a second for a check; ended afterwards."""
    monkeypatch.setattr(rounds, "_FIRST_S", 0.0)
    started: list[HealthRounds] = []

    def look(connection: Connection) -> HealthContext:
        return HealthContext(
            connection=connection,
            home=tmp_path,
            now_utc=datetime.now(UTC),
            disk_level=DiskLevel.OK,
            free_bytes=10**10,
            floor_bytes=10**9,
            backup_every_h=24.0,
            machine="this machine",
        )

    def begin() -> HealthRounds:
        one = HealthRounds(tmp_path, Settings(), writer, look, patience_s=0.5)
        one.start()
        started.append(one)
        return one

    yield begin
    for one in started:
        one.stop()


class Share:
    """A share that does not answer until it is told to."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked = 0

    def run_check(self, context: HealthContext) -> list[Issue]:
        self.asked += 1
        self.answers.wait()
        context.connection.execute("SELECT count(*) FROM sightings").fetchone()
        return []


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Iterator[Share]:
    share = Share()
    monkeypatch.setattr(CHECKS[HUNG], "run_check", share.run_check)
    yield share
    share.answers.set()


def holding(rounds: HealthRounds) -> dict[str, bool]:
    return {report.name: report.holds for report in rounds.reports}


def another_round(rounds: HealthRounds) -> None:
    before = rounds.reports
    rounds.hurry()
    wait_until(lambda: rounds.reports is not before)


def open_issues(home: Path) -> set[tuple[str, str]]:
    reader = open_reader(home / DATABASE_NAME)
    try:
        return {(row["code"], row["reference"]) for row in reader.execute("SELECT * FROM issues WHERE resolved_utc IS NULL")}
    finally:
        reader.close()


def test_a_check_that_hangs_is_told_and_the_others_are_made(start: Callable[[], HealthRounds], share: Share, tmp_path: Path) -> None:
    running = start()
    wait_until(lambda: len(running.reports) == len(CHECKS))
    assert [name for name, holds in holding(running).items() if not holds] == [HUNG]
    (report,) = (report for report in running.reports if report.name == HUNG)
    assert "has not ended" in report.detail
    assert report.codes == frozenset(), "what it judged before stays as it was"
    wait_until(lambda: (IssueCode.CHECK_FAILED, HUNG) in open_issues(tmp_path))


def test_it_is_not_begun_again_before_it_has_ended(start: Callable[[], HealthRounds], share: Share, tmp_path: Path) -> None:
    running = start()
    wait_until(lambda: running.reports)
    for _ in range(3):
        another_round(running)
    assert share.asked == 1
    share.answers.set()

    def is_well_again() -> bool:
        running.hurry()
        return all(holding(running).values())

    wait_until(is_well_again)
    wait_until(lambda: (IssueCode.CHECK_FAILED, HUNG) not in open_issues(tmp_path))


def test_the_end_waits_for_no_check(start: Callable[[], HealthRounds], share: Share) -> None:
    running = start()
    wait_until(lambda: share.asked == 1)
    running.stop()
    assert running.has_ended


def test_a_backup_that_takes_long_holds_up_no_check(
    start: Callable[[], HealthRounds], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def take_long(*args: object, **options: object) -> object:
        begun.set()
        may_end.wait()
        return make_backup(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rounds, "make_backup", take_long)
    running = start()
    try:
        assert begun.wait(60)
        wait_until(lambda: len(running.reports) == len(CHECKS))
        assert list_backups(tmp_path) == ()
    finally:
        may_end.set()
    wait_until(lambda: list_backups(tmp_path))


def test_a_backup_is_given_up_at_the_end(tmp_path: Path, writer: Writer) -> None:
    fill = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO facts SELECT 'fact ' || i, hex(randomblob(2000)) FROM n"
    )
    writer.call(lambda connection: connection.execute(fill))
    asked: list[int] = []

    def stopping() -> bool:
        asked.append(1)
        return True

    with pytest.raises(StoreError, match="interrupt"):
        make_backup(tmp_path, BackupKind.DAILY, stopping=stopping)
    assert asked
    assert list_backups(tmp_path) == ()
    assert [path.name for path in (tmp_path / "backups").iterdir() if path.suffix != ".lock"] == []


def test_a_round_that_fails_is_not_the_last(start: Callable[[], HealthRounds], monkeypatch: pytest.MonkeyPatch) -> None:
    real = PatientChecks.run
    failures: list[int] = []

    def fail_once(self: PatientChecks, stopping: Callable[[], bool]) -> object:
        if not failures:
            failures.append(1)
            raise OSError("no more threads")
        return real(self, stopping)

    monkeypatch.setattr(PatientChecks, "run", fail_once)
    running = start()
    wait_until(lambda: failures)
    running.hurry()
    wait_until(lambda: clock.TITLE in {report.title for report in running.reports})
