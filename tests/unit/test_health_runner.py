from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.health import checks
from edge.health.context import FolderState, HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import Issue, IssueCode, Severity
from edge.health.runner import CHECKS, CheckReport, record_issues, run_checks
from edge.store.connection import immediate
from edge.store.issues import TOUCH_EVERY, open_issue_keys, settle_issues
from edge.store.reads.condition import open_issues, resolved_issues
from edge.store.sqlite import Connection
from tests.helpers.seed import add_station, open_database, quarantined

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Connection:
    return open_database(tmp_path)


@pytest.fixture
def context(tmp_path: Path, database: Connection) -> HealthContext:
    return HealthContext(
        connection=database,
        home=tmp_path,
        now_utc=NOON,
        disk_level=DiskLevel.OK,
        free_bytes=1 << 40,
        floor_bytes=1 << 30,
        backup_every_h=24.0,
        machine="this machine",
    )


def issue(code: IssueCode, reference: str = "", severity: Severity = Severity.WARNING, message: str = "It is so.") -> Issue:
    return Issue(code=code, severity=severity, reference=reference, message=message, advice="Do that.")


def settle(database: Connection, *found: Issue, at: datetime = NOON, covered: frozenset[IssueCode] = frozenset(IssueCode)) -> None:
    with immediate(database):
        settle_issues(database, found, covered=covered, now_utc=at)


def test_every_check_file_is_run(checkout: Path) -> None:
    files = {path.stem for path in Path(checks.__file__ or "").parent.glob("*.py")} - {"__init__"}
    assert set(CHECKS) == files
    judged = [code for check in CHECKS.values() for code in check.CODES]
    assert len(judged) == len(set(judged)), "a code belongs to one check"
    assert set(judged) == set(IssueCode) - {IssueCode.CHECK_FAILED}


def test_a_new_home_is_well(context: HealthContext) -> None:
    reports = run_checks(context)
    assert [report.name for report in reports] == list(CHECKS)
    assert all(report.holds for report in reports)
    assert {found.code for report in reports for found in report.issues} <= {IssueCode.BACKUP_MISSING}


def test_an_issue_is_opened_once_touched_while_it_stands_and_resolved_when_gone(database: Connection) -> None:
    settle(database, issue(IssueCode.DISK_LOW, message="300 MiB"))
    (first,) = open_issues(database)
    assert (first.code, first.severity, first.first_seen_utc) == ("disk_low", "warning", "2026-06-03T12:00:00.000Z")

    settle(database, issue(IssueCode.DISK_LOW, message="299 MiB"), at=NOON + timedelta(seconds=30))
    assert open_issues(database) == (first,), "a look later is not written"
    settle(database, issue(IssueCode.DISK_LOW, message="290 MiB"), at=NOON + TOUCH_EVERY)
    assert open_issues(database) == (replace(first, message="290 MiB", last_seen_utc="2026-06-03T12:05:00.000Z"),)

    settle(database, at=NOON + timedelta(hours=1))
    assert open_issues(database) == ()
    assert resolved_issues(database)[0].resolved_utc == "2026-06-03T13:00:00.000Z"

    settle(database, issue(IssueCode.DISK_LOW), at=NOON + timedelta(hours=2))
    (again,) = open_issues(database)
    assert again.issue_id != first.issue_id
    assert again.first_seen_utc == "2026-06-03T14:00:00.000Z"


def test_an_issue_that_becomes_worse_is_told_at_once(database: Connection) -> None:
    settle(database, issue(IssueCode.DISK_LOW))
    settle(database, issue(IssueCode.DISK_LOW, severity=Severity.ERROR), at=NOON + timedelta(seconds=1))
    assert open_issues(database)[0].severity == "error"


def test_the_same_kind_on_two_folders_is_two_issues(database: Connection) -> None:
    settle(database, issue(IssueCode.FOLDER_MISSING, "/mnt/a"), issue(IssueCode.FOLDER_MISSING, "/mnt/b"))
    settle(database, issue(IssueCode.FOLDER_MISSING, "/mnt/b"), at=NOON + timedelta(minutes=1))
    assert open_issue_keys(database) == {("folder_missing", "/mnt/b")}


def test_codes_that_were_not_looked_for_stay_open(database: Connection) -> None:
    settle(database, issue(IssueCode.DISK_LOW), issue(IssueCode.CLOCK_BEHIND))
    settle(database, covered=frozenset({IssueCode.DISK_LOW}))
    assert open_issue_keys(database) == {("clock_behind", "")}


def test_nothing_is_written_when_nothing_changed(database: Connection) -> None:
    settle(database, issue(IssueCode.DISK_LOW))
    before = database.total_changes
    settle(database, issue(IssueCode.DISK_LOW), at=NOON + timedelta(seconds=30))
    assert database.total_changes == before


def test_a_check_that_fails_is_an_issue_and_resolves_nothing(context: HealthContext, database: Connection, tmp_path: Path) -> None:
    gone = replace(context, folders=(FolderState(path=tmp_path / "gone"),))
    with immediate(database):
        record_issues(database, run_checks(gone))
    assert ("folder_missing", str(tmp_path / "gone")) in open_issue_keys(database)

    broken = replace(context, folders=(None,))  # type: ignore[arg-type]
    reports = {report.name: report for report in run_checks(broken)}
    assert not reports["watched_folders"].holds
    assert reports["watched_folders"].codes == frozenset()
    assert reports["disk_space"].holds, "the other checks go on"
    with immediate(database):
        record_issues(database, tuple(reports.values()))
    keys = open_issue_keys(database)
    assert {("folder_missing", str(tmp_path / "gone")), ("check_failed", "watched_folders"), ("check_failed", "ignored_files")} <= keys

    with immediate(database):
        changes = record_issues(database, run_checks(context))
    assert ("check_failed", "watched_folders") in changes.resolved
    assert ("folder_missing", str(tmp_path / "gone")) in changes.resolved
    assert {code for code, _ in open_issue_keys(database)} <= {"backup_missing"}


def test_what_is_recorded_is_what_the_page_shows(context: HealthContext, database: Connection, tmp_path: Path) -> None:
    quarantined(database, add_station(database, tmp_path / "inbox"), b"new\nline \xff.jpg")
    full = replace(context, disk_level=DiskLevel.FULL)
    reports = run_checks(full)
    with immediate(database):
        changes = record_issues(database, reports)
    shown = open_issues(database)
    assert [one.code for one in shown if one.severity != "notice"] == ["disk_full", "failures_waiting"]
    assert {(one.code, one.reference) for one in shown} == set(changes.opened)
    by_name = {report.name: report for report in reports}
    assert not by_name["disk_space"].holds
    assert "work is paused" in by_name["disk_space"].detail


def test_a_notice_does_not_make_a_check_fail() -> None:
    report = CheckReport(
        name="x",
        title="x",
        codes=frozenset(),
        issues=(issue(IssueCode.FILES_IGNORED, severity=Severity.NOTICE),),
        checked_utc=NOON,
    )
    assert report.holds
    assert not replace(report, issues=(*report.issues, issue(IssueCode.DISK_LOW))).holds
