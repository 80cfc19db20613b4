"""Are there ZooScan scans that became no result, or projects that cannot be read?"""

from __future__ import annotations

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.reads.zooscan import list_projects

TITLE = "ZooScan projects can be read and processed"
CODES = frozenset({IssueCode.SCANS_FAILED, IssueCode.SCAN_PROJECT_UNREADABLE})


def run_check(context: HealthContext) -> list[Issue]:
    """One issue for each project with scans that failed, and for each that cannot be read."""
    issues = []
    for project in list_projects(context.connection):
        if project.failed:
            issues.append(
                Issue(
                    code=IssueCode.SCANS_FAILED,
                    severity=Severity.WARNING,
                    reference=project.folder,
                    message=f"{project.failed} {'scan' if project.failed == 1 else 'scans'} of {project.name} became no result.",
                    advice="The Scans page gives each reason, what to do, and a button to try again.",
                )
            )
        if project.trouble:
            issues.append(
                Issue(
                    code=IssueCode.SCAN_PROJECT_UNREADABLE,
                    severity=Severity.ERROR,
                    reference=project.folder,
                    message=f"The ZooScan project {project.folder}: {project.trouble}.",
                    advice="Plug the medium in, mount the share again, or correct what is named; its scans are then taken by themselves.",
                )
            )
    return issues
