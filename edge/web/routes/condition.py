"""Failures and Health: what needs a person, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import condition, failures, files, packs
from edge.store.reads.files import FileFilter, FileState
from edge.store.sqlite import Connection
from edge.web.deps import ApplianceHere
from edge.web.pages import render

router = APIRouter(include_in_schema=False)

SHOWN_PER_REASON = 8
SHOWN_WAITING = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGroup:
    """Quarantined files that share a reason: how many, and the newest of them."""

    reason: str
    total: int
    newest: tuple[files.FileRow, ...]


@router.get("/failures")
def show_failures(request: Request, appliance: ApplianceHere) -> Response:
    """Quarantined files by reason with advice, files that wait with a reason, reprocessing that failed."""
    with appliance.reader() as connection, snapshot(connection):
        groups = [_group(connection, count) for count in failures.quarantined_by_reason(connection)]
        waiting = files.list_files(connection, FileFilter(state=FileState.SEEN, reason="any"), limit=SHOWN_WAITING)
        again = failures.reprocess_failures(connection, limit=50)
    return render(request, "failures.html", groups=groups, waiting=waiting, again=again)


@router.get("/health")
def show_health(request: Request, appliance: ApplianceHere) -> Response:
    """Open issues with advice, checks, disk, database, model variants and the machine."""
    with appliance.reader() as connection, snapshot(connection):
        values: dict[str, Any] = {
            "issues": condition.open_issues(connection),
            "resolved": condition.resolved_issues(connection),
            "database": condition.database_facts(connection),
            "variants": packs.variants(connection),
            "installed": {one.model_id: one for one in packs.installed_models(connection)},
            "actions": condition.last_actions(connection),
        }
    return render(
        request, "health.html", checks=appliance.checks(), entrance=request.app.state.entrance, machine=appliance.machine(), **values
    )


def _group(connection: Connection, count: failures.ReasonCount) -> ReasonGroup:
    which = FileFilter(state=FileState.QUARANTINED, reason=count.reason)
    return ReasonGroup(reason=count.reason, total=count.files, newest=files.list_files(connection, which, limit=SHOWN_PER_REASON).files)
