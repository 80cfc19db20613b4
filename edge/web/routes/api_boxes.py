"""The JSON API of the box editor: what stands on an image after review, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import DecisionRefusedError
from edge.store.connection import snapshot
from edge.store.decisions import BoxPx, Decision, ObjectDecision, decided_run
from edge.store.reads import decisions as reads
from edge.store.reads.decisions import JudgedObject
from edge.store.reads.files import FileRow, get_file
from edge.store.reads.results import RunRow, runs_of_image
from edge.store.sqlite import Connection
from edge.survey.boxes_desk import MAX_AT_ONCE, MAX_LABEL
from edge.web.deps import MAX_ID, Actor, ApplianceHere, FileId, Viewer
from edge.web.errors import Problem, no_such

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/api", tags=["boxes"], responses=REFUSALS)

RunUuid = Annotated[str, Field(min_length=36, max_length=36)]
Uuid = Annotated[str, Field(min_length=36, max_length=36)]
Pixels = Annotated[float, Field(allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionBody(_Body):
    """The whole state of one object from now on; `object_id` for a model's, `added_uuid` for one that a person added.

    `box` is x_min, y_min, x_max, y_max in pixels of the full image. A model's object has a box or a label only where they are not the
    model's; an added one always has both, but when it is cleared.
    """

    uuid: Uuid
    object_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    added_uuid: Uuid | None = None
    decision: ObjectDecision
    label: Annotated[str, Field(max_length=MAX_LABEL)] | None = None
    box: tuple[Pixels, Pixels, Pixels, Pixels] | None = None


class DecisionsBody(_Body):
    """Decisions about an image; `run` and `revision` as they were read. `reviewed`: everything on the image is right now, or not."""

    run: RunUuid
    revision: Annotated[int, Field(ge=0, le=MAX_ID)]
    decisions: Annotated[list[DecisionBody], Field(max_length=MAX_AT_ONCE)] = []
    reviewed: bool | None = None


class ReviewAnswer(BaseModel):
    """An image under review.

    Attributes:
        run_uuid: the model's result that the review is about; `current_run_uuid` is the newest one.
        revision: how many decisions there are about the image; send it with the next.
        is_reviewed: somebody said that everything on the image is right, and nothing was decided since.
        labels: to choose from, the model's first.
        objects: `stands` says whether it is there after review; the model's own box and label stay beside the decided ones.
    """

    file_id: int
    recipe: str
    run_uuid: str
    current_run_uuid: str | None
    score_threshold: float
    width_px: int
    height_px: int
    revision: int
    is_reviewed: bool
    reviewed_by: str | None
    reviewed_utc: str | None
    labels: list[str]
    objects: list[JudgedObject]


@router.get("/files/{file_id}/reviewed-objects", summary="Objects of an image after review")
def reviewed_objects(
    appliance: ApplianceHere,
    file_id: FileId,
    *,
    run: Annotated[RunUuid | None, Query(description="The model's result; that of the review if not given, else the current one.")] = None,
    candidates: Annotated[bool, Query(description="Also objects below the threshold that nobody decided about.")] = False,
) -> ReviewAnswer:
    """What the model found and what people decided about it, beside each other. 409 while the image's tow is counted blind."""
    with appliance.reader() as connection, snapshot(connection):
        return _answer(connection, file_id, run, candidates=candidates)


@router.post("/files/{file_id}/decisions", summary="Decide about objects of an image")
def decide(appliance: ApplianceHere, actor: Actor, viewer: Viewer, file_id: FileId, body: DecisionsBody) -> ReviewAnswer:
    """All of them or none. 409 with `decision_outdated` if somebody decided something about the image since it was read.

    The same request twice is one: decisions are known by their uuid.
    """
    with appliance.reader() as connection, snapshot(connection):
        _run_of(connection, _file(connection, file_id), body.run)
    decisions = [
        Decision(
            uuid=one.uuid,
            object_id=one.object_id,
            added_uuid=one.added_uuid,
            decision=one.decision,
            label=one.label,
            box=BoxPx(*one.box) if one.box else None,
        )
        for one in body.decisions
    ]
    by = viewer.name if viewer else actor
    appliance.boxes.decide(body.run, decisions, revision=body.revision, reviewed=body.reviewed, decided_by=by, actor=actor)
    with appliance.reader() as connection, snapshot(connection):
        return _answer(connection, file_id, body.run, candidates=True)


def _file(connection: Connection, file_id: int) -> FileRow:
    file = get_file(connection, file_id)
    if file is None:
        raise no_such("file", file_id)
    return file


def _run_of(connection: Connection, file: FileRow, run_uuid: str) -> RunRow:
    runs = runs_of_image(connection, file.sha256, recipe=file.recipe) if file.sha256 else ()
    found = next((one for one in runs if one.run_uuid == run_uuid), None)
    if found is None:
        raise no_such("result of this file with the uuid", run_uuid)
    if found.object_count is None:
        advice = "Its boxes can be reviewed when the counts of its station are signed."
        where = f"belongs to station {found.sealed_station}, which" if found.sealed_station else "waits for a station that"
        raise DecisionRefusedError(f"the image {where} is counted blind", advice=advice)
    return found


def _answer(connection: Connection, file_id: int, run_uuid: str | None, *, candidates: bool) -> ReviewAnswer:
    file = _file(connection, file_id)
    wanted = run_uuid or file.run_uuid
    if wanted is None:
        raise DecisionRefusedError("the file has no result yet", advice="Wait until it is processed, then review its boxes.")
    run = _run_of(connection, file, wanted)
    decided = decided_run(connection, run.run_uuid)
    assert decided is not None  # it was just read
    state = reads.review_state(connection, decided.image_id, file.recipe)
    if run_uuid is None and state is not None and state.run_uuid != run.run_uuid:
        run = _run_of(connection, file, state.run_uuid)
    is_this = state is not None and state.run_uuid == run.run_uuid
    return ReviewAnswer(
        file_id=file_id,
        recipe=file.recipe,
        run_uuid=run.run_uuid,
        current_run_uuid=file.run_uuid,
        score_threshold=run.score_threshold,
        width_px=file.width_px or 0,
        height_px=file.height_px or 0,
        revision=reads.decisions_of(connection, decided.image_id),
        is_reviewed=state.is_reviewed if state and is_this else False,
        reviewed_by=state.reviewed_by if state and is_this else None,
        reviewed_utc=state.reviewed_utc if state and is_this else None,
        labels=list(reads.labels_for(connection, run.run_uuid)),
        objects=list(reads.judged_objects(connection, run.run_uuid, candidates=candidates)),
    )
