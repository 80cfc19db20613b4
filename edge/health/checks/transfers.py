"""Does anything on its way to EcoTaxa, or back from there, need a person?"""

from __future__ import annotations

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.reads.zooscan_uploads import UploadRow, newest_transfers

TITLE = "Scans get to EcoTaxa"
CODES = frozenset({IssueCode.TRANSFERS_ASK, IssueCode.TRANSFERS_FAILED, IssueCode.TRANSFERS_WAIT})


def run_check(context: HealthContext) -> list[Issue]:
    """An issue for questions, for failures, and for what waits for a link or a sign-in; of each scan and project the newest counts."""
    rows = newest_transfers(context.connection)
    kinds = (
        (IssueCode.TRANSFERS_ASK, Severity.WARNING, "wait for an answer", "Answer with `imagine-edge zooscan uploads answer`."),
        (IssueCode.TRANSFERS_FAILED, Severity.WARNING, "failed", "Correct it, then push or pull again."),
        (IssueCode.TRANSFERS_WAIT, Severity.NOTICE, "wait and are tried again", "Nothing is lost."),
    )
    issues = []
    for code, severity, words, advice in kinds:
        found = [row for row in rows if _code_of(row) is code]
        if found:
            first = found[0]
            message = f"{len(found)} of the transfers to and from EcoTaxa {words}, such as the {first.kind} of {first.scan}: {first.detail}"
            issues.append(Issue(code=code, severity=severity, reference="ecotaxa", message=message, advice=advice))
    return issues


def _code_of(row: UploadRow) -> IssueCode | None:
    if row.state == "asking":
        return IssueCode.TRANSFERS_ASK
    if row.state == "failed":
        return IssueCode.TRANSFERS_FAILED
    is_open = row.state in ("queued", "sending", "importing")
    return IssueCode.TRANSFERS_WAIT if is_open and row.attempts else None
