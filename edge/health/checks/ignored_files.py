"""Do watched folders hold files that nobody looks at?"""

from __future__ import annotations

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity

TITLE = "No files are ignored"
CODES = frozenset({IssueCode.FILES_IGNORED})


def run_check(context: HealthContext) -> list[Issue]:
    """Files of an extension that the recipe does not take are told, so that no one waits for their results."""
    return [
        Issue(
            code=IssueCode.FILES_IGNORED,
            severity=Severity.NOTICE,
            reference=str(folder.path),
            message=f"{folder.ignored_files} {'file' if folder.ignored_files == 1 else 'files'} in {folder.path} are not looked at.",
            advice="Their extension is none that the recipe takes. Convert or rename them if they are images; else nothing is wrong.",
        )
        for folder in context.folders
        if folder.ignored_files
    ]
