"""Run the health checks, and make the open issues what they found.

A check that fails to run is an issue of its own, and leaves the issues that it would have judged as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from edge.health.checks import (
    backups,
    bridge,
    clock,
    disk_space,
    failures,
    ignored_files,
    integrity,
    models,
    network_home,
    scans,
    sqlite_version,
    sync,
    transfers,
    watched_folders,
    workers,
)
from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.issues import IssueChanges, settle_issues
from edge.store.sqlite import Connection

log = structlog.get_logger()


class Check(Protocol):
    """What a module of `edge.health.checks` holds."""

    @property
    def TITLE(self) -> str:  # noqa: N802 (a constant of a module)
        """What should hold, in words."""

    @property
    def CODES(self) -> frozenset[IssueCode]:  # noqa: N802 (a constant of a module)
        """The codes that it judges."""

    def run_check(self, context: HealthContext, /) -> list[Issue]:
        """Every issue that holds now; none means: looked, and all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """How one check ended.

    Attributes:
        name: the check's module, stable.
        title: what should hold, in words.
        codes: the codes that it judged; empty if it failed.
        issues: what it found, or that it failed.
        checked_utc: when.
    """

    name: str
    title: str
    codes: frozenset[IssueCode]
    issues: tuple[Issue, ...]
    checked_utc: datetime

    @property
    def holds(self) -> bool:
        """Whether all is well; a notice is well."""
        return all(issue.severity is Severity.NOTICE for issue in self.issues)

    @property
    def detail(self) -> str:
        """What it saw, in a few sentences."""
        return " ".join(issue.message for issue in self.issues)


CHECKS: dict[str, Check] = {
    "disk_space": disk_space,
    "watched_folders": watched_folders,
    "failures": failures,
    "models": models,
    "workers": workers,
    "integrity": integrity,
    "backups": backups,
    "scans": scans,
    "transfers": transfers,
    "bridge": bridge,
    "sync": sync,
    "sqlite_version": sqlite_version,
    "network_home": network_home,
    "clock": clock,
    "ignored_files": ignored_files,
}


def run_checks(context: HealthContext) -> tuple[CheckReport, ...]:
    """Run every check on one look at the appliance; writes nothing."""
    return tuple(run_check(name, check, context) for name, check in CHECKS.items())


def record_issues(connection: Connection, reports: tuple[CheckReport, ...]) -> IssueChanges:
    """Open, touch and resolve issues as the reports say. Takes the writer's connection, in the writer's transaction."""
    covered = {code for report in reports for code in report.codes} | {IssueCode.CHECK_FAILED}
    found = [issue for report in reports for issue in report.issues]
    changes = settle_issues(connection, found, covered=covered, now_utc=max((report.checked_utc for report in reports), default=None))
    for code, reference in changes.opened:
        log.warning("issue_opened", code=code, reference=reference)
    for code, reference in changes.resolved:
        log.info("issue_resolved", code=code, reference=reference)
    return changes


def run_check(name: str, check: Check, context: HealthContext) -> CheckReport:
    """Run one check; a fault of its own is an issue of its own."""
    try:
        issues, codes = tuple(check.run_check(context)), check.CODES
    except Exception as error:
        log.exception("check_failed", check=name)
        issues, codes = (_failed(name, check, error),), frozenset()
    return CheckReport(name=name, title=check.TITLE, codes=codes, issues=issues, checked_utc=context.now_utc)


def hanging_report(name: str, check: Check, since_utc: datetime, now_utc: datetime) -> CheckReport:
    """What is told of a check that was begun and has not ended."""
    issue = Issue(
        code=IssueCode.CHECK_FAILED,
        severity=Severity.WARNING,
        reference=name,
        message=f'The check "{check.TITLE}" was begun at {since_utc:%H:%M:%S} UTC and has not ended.',
        advice="A disk or a network share may not answer: look at its cable, its server and its mount. The other checks go on.",
    )
    return CheckReport(name=name, title=check.TITLE, codes=frozenset(), issues=(issue,), checked_utc=now_utc)


def _failed(name: str, check: Check, error: Exception) -> Issue:
    return Issue(
        code=IssueCode.CHECK_FAILED,
        severity=Severity.WARNING,
        reference=name,
        message=f'The check "{check.TITLE}" could not be made: {error}',
        advice="The log in the home folder says more. What it judged before is shown as it was.",
    )
