"""Annotate: tasks in CVAT, their states, what people made of them, the models that CVAT calls, the doctor."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from edge.store.connection import snapshot
from edge.store.reads import cvat as reads
from edge.store.reads import cvat_page as page_reads
from edge.web.annotation_told import (
    AgreementLine,
    ConflictLine,
    agreement_lines,
    conflict_lines,
    pull_state,
    told_bridge,
    told_server,
)
from edge.web.annotation_words import HIDDEN, STATES, ListedTask, TaskStateName, listed, listed_jobs, steps_of
from edge.web.deps import MAX_ID, ApplianceHere
from edge.web.errors import no_such
from edge.web.pages import query, render

router = APIRouter(include_in_schema=False)

PER_PAGE = 40
SHOWN_FRAMES, SHOWN_CONFLICTS, SHOWN_HERE, SHOWN_VERSIONS = 500, 200, 30, 100
CHECKS = {
    "models_served": "The models answer",
    "models_address": "CVAT can reach them",
    "models": "There are models",
    "server_address": "CVAT's address",
    "server": "CVAT answers",
    "server_version": "CVAT's version",
    "sdk": "CVAT's own package",
    "models_plugin": "CVAT's Models page",
    "login": "Signed in at CVAT",
    "models_seen": "CVAT sees the models",
    "disk": "Room on the disk",
}
DOCTOR_MARKS = {"ok": "good", "warning": "warning", "error": "bad", "unknown": "unknown"}

_Blank = BeforeValidator(lambda value: value or None)
ChosenState = Annotated[TaskStateName | None, _Blank, Query(description="Only tasks in this state.")]
ChosenTow = Annotated[Annotated[int, Field(ge=1, le=MAX_ID)] | None, _Blank, Query(description="Only tasks of this tow.")]
TaskUuid = Annotated[str, Path(max_length=64, description="The uuid of the task.")]


@router.get("/annotate")
def show_tasks(
    request: Request,
    appliance: ApplianceHere,
    state: ChosenState = None,
    tow: ChosenTow = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Every task with how far it is; CVAT's state and the models' in the head."""
    appliance.annotation.page_is_open()
    with appliance.reader() as connection, snapshot(connection):
        found = listed(connection, reads.tasks(connection, tow_id=tow), pull_state(appliance))
        stations = page_reads.towed_stations(connection)
    counts = Counter(one.state.name for one in found)
    chosen = [one for one in found if state in (None, one.state.name)]

    def link(**changes: Any) -> str:
        values = {"state": state, "tow": tow, "page": None} | changes
        asked = query(**values)
        return f"/annotate?{asked}" if asked else "/annotate"

    return render(
        request,
        "annotate.html",
        server=told_server(appliance),
        bridge=told_bridge(appliance),
        tasks=chosen[(page - 1) * PER_PAGE : page * PER_PAGE],
        shown=len(chosen),
        total=len(found),
        counts=counts,
        states=STATES,
        state=state,
        tow=tow,
        stations=stations,
        filtered=state is not None or tow is not None,
        page=page,
        pages=-(-len(chosen) // PER_PAGE),
        link=link,
    )


@router.get("/annotate/tasks/{task_uuid}")
def show_task(request: Request, appliance: ApplianceHere, task_uuid: TaskUuid) -> Response:
    """One task: its jobs, what became of the model's results by image, conflicts, every version that came back."""
    appliance.annotation.page_is_open()
    with appliance.reader() as connection, snapshot(connection):
        row = reads.task_by_uuid(connection, task_uuid)
        if row is None:
            raise no_such("task", task_uuid)
        (one,) = listed(connection, [row], pull_state(appliance))
        jobs = listed_jobs(row, reads.jobs_of(connection, row.id))
        frames = () if row.is_blind else page_reads.frame_verdicts(connection, row.id)
        conflicts = conflict_lines(reads.conflicts(connection, task_id=row.id))
        versions = () if row.is_blind else page_reads.versions_of(connection, row.id)
    return render(
        request,
        "annotate_task.html",
        one=one,
        steps=steps_of(row),
        jobs=jobs,
        frames=frames[:SHOWN_FRAMES],
        frames_total=len(frames),
        verdict_order=page_reads.VERDICTS,
        conflicts=conflicts[:SHOWN_HERE],
        conflicts_total=len(conflicts),
        versions=versions[:SHOWN_VERSIONS],
        versions_total=len(versions),
        cancel_words=_cancel_words(one),
    )


@router.get("/annotate/conflicts")
def show_conflicts(request: Request, appliance: ApplianceHere) -> Response:
    """Where what people made disagrees, with both sides; nothing of what is counted blind."""
    appliance.annotation.page_is_open()
    with appliance.reader() as connection, snapshot(connection):
        found: list[ConflictLine] = conflict_lines(reads.conflicts(connection))
    return render(request, "annotate_conflicts.html", conflicts=found[:SHOWN_CONFLICTS], total=len(found))


@router.get("/annotate/agreement")
def show_agreement(request: Request, appliance: ApplianceHere) -> Response:
    """How much of the model's stood, per station and per task; nothing of what is counted blind."""
    appliance.annotation.page_is_open()
    with appliance.reader() as connection, snapshot(connection):
        found = reads.agreement(connection)
    stations: list[AgreementLine] = agreement_lines(found.stations)
    return render(request, "annotate_agreement.html", stations=stations, tasks=agreement_lines(found.tasks), hidden=HIDDEN)


@router.get("/annotate/doctor")
def show_doctor(request: Request, appliance: ApplianceHere) -> Response:
    """What of CVAT and of the appliance is as it has to be, and what to do where it is not."""
    findings = appliance.annotation.doctor()
    states = Counter(one.state for one in findings)
    return render(
        request,
        "annotate_doctor.html",
        findings=sorted(findings, key=lambda one: ("error", "warning", "unknown", "ok").index(one.state)),
        checks=CHECKS,
        wrong=states["error"],
        looks=states["warning"] + states["unknown"],
        shapes=DOCTOR_MARKS,
        url=appliance.annotation.server,
    )


def _cancel_words(one: ListedTask) -> str:
    if one.task.remote_id is None:
        return "It is not in CVAT yet: nothing goes there."
    return "Nothing more goes out or comes in. What came back stays, and so does the task in CVAT until somebody deletes it there."
