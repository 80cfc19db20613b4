"""The audit trail: who did what, when; as a page, as JSON, and as a file of all rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from edge.store.connection import snapshot
from edge.store.reads.audit_trail import AuditFilter, actions, all_audit_rows, audit_rows
from edge.store.reads.condition import AuditRow
from edge.survey.audit_file import csv_parts, json_parts
from edge.web.appliance import Appliance
from edge.web.deps import DEFAULT_LIMIT, MAX_ID, ApplianceHere, Limit
from edge.web.errors import Problem
from edge.web.pages import query, render

router = APIRouter(include_in_schema=False)
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 422, 503)}
api_router = APIRouter(prefix="/api", tags=["people"], responses=REFUSALS)

SHOWN = 100
_Text = Annotated[str, Field(max_length=200)]
_Time = Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z?)?)?$")]


class AuditPage(BaseModel):
    """Rows, newest first. `next_before` goes on with older ones; null at the end."""

    rows: list[AuditRow]
    next_before: int | None


def _filter(
    *,
    person: Annotated[_Text, Query(description="Who did it: a person's name, or an actor such as `cli`.")] = "",
    action: Annotated[_Text, Query(description="The verb, such as `sign_in_refused`.")] = "",
    subject: Annotated[_Text, Query(description="How the subject begins, such as `person/` or `survey/`.")] = "",
    since: Annotated[_Time, Query(description="Not before this day or time, UTC.")] = "",
    until: Annotated[_Time, Query(description="Not after this day or time, UTC.")] = "",
) -> AuditFilter:
    return AuditFilter(
        person=person.strip(),
        action=action.strip(),
        subject=subject.strip(),
        since_utc=since.removesuffix("Z"),
        until_utc=until.removesuffix("Z"),
    )


Which = Annotated[AuditFilter, Depends(_filter)]
Before = Annotated[Annotated[int, Field(ge=1, le=MAX_ID)] | None, Query(description="`next_before` of the answer before.")]


@router.get("/audit")
def show_audit(request: Request, appliance: ApplianceHere, which: Which, before: Before = None) -> Response:
    """The page: newest first, by person, action, subject and time."""
    with appliance.reader() as connection, snapshot(connection):
        rows = audit_rows(connection, which, limit=SHOWN + 1, before_id=before)
        known = actions(connection)
    kept = _query(which)
    more = f"?{query(**kept, before=rows[SHOWN - 1].audit_id)}" if len(rows) > SHOWN else None
    return render(
        request,
        "audit.html",
        rows=rows[:SHOWN],
        details={row.audit_id: _words(row) for row in rows},
        which=which,
        actions=known,
        older=more,
        newest=f"?{query(**kept)}",
        before=before,
        kept=query(**kept),
    )


@api_router.get("/audit", summary="Who did what, when")
def list_audit(appliance: ApplianceHere, which: Which, limit: Limit = None, before: Before = None) -> AuditPage:
    """Newest first. For administrators."""
    wanted = limit or DEFAULT_LIMIT
    with appliance.reader() as connection:
        rows = audit_rows(connection, which, limit=wanted + 1, before_id=before)
    return AuditPage(rows=list(rows[:wanted]), next_before=rows[wanted - 1].audit_id if len(rows) > wanted else None)


@api_router.get("/audit/export", summary="The audit trail as a file", response_class=StreamingResponse)
def export_audit(
    appliance: ApplianceHere,
    which: Which,
    kind: Annotated[Literal["csv", "json"], Query(alias="format", description="`csv` or `json`.")] = "csv",
) -> StreamingResponse:
    """Every row that the filter lets through, newest first; times are UTC. For administrators."""
    parts = csv_parts(_rows(appliance, which)) if kind == "csv" else json_parts(_rows(appliance, which))
    media_type = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    return StreamingResponse(parts, media_type=media_type, headers={"content-disposition": f'attachment; filename="audit.{kind}"'})


def _rows(appliance: Appliance, which: AuditFilter) -> Iterator[AuditRow]:
    with appliance.reader() as connection:
        yield from all_audit_rows(connection, which)


def _words(row: AuditRow) -> dict[str, str]:
    """The detail as names and texts."""
    detail = json.loads(row.detail_json)
    values = detail.items() if isinstance(detail, dict) else [("detail", detail)]
    return {str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in values}


def _query(which: AuditFilter) -> dict[str, object]:
    return {"person": which.person, "action": which.action, "subject": which.subject, "since": which.since_utc, "until": which.until_utc}
