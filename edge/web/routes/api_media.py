"""The JSON API of a tow's files: cameras, attaching by hand, and second copies of the raw media."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import cameras, raw_copies, raw_copy
from edge.store.waiting import freed_folders, is_opening
from edge.web.deps import DEFAULT_LIMIT, MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, no_such
from edge.web.routes.api_surveys import SurveyId, TowId
from edge.web.survey_answers import Body, Made, ReasonText

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api", tags=["survey"], responses=REFUSALS)

CopyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the copy.")]
FolderId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the folder, as files name it.")]
FileIds = Annotated[list[Annotated[int, Field(ge=1, le=MAX_ID)]], Field(min_length=1, max_length=10_000)]


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CameraAnswer(_Row):
    """A camera of a survey; `time_offset_s` is added to what its clock said."""

    id: int
    name: str
    time_offset_s: float
    time_offset_source: str
    folder_pattern: str
    laser_gap_m: float | None
    laser_gap_source: str


class CameraBody(Body):
    """A camera. An offset and a gap need their source; a pattern such as */{station}/* says which folders are its own."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    time_offset_s: float = 0.0
    time_offset_source: Annotated[str, Field(max_length=200)] = ""
    folder_pattern: Annotated[str, Field(max_length=400)] = ""
    laser_gap_m: Annotated[float, Field(gt=0)] | None = None
    laser_gap_source: Annotated[str, Field(max_length=200)] = ""
    reason: ReasonText = ""


class TowImageAnswer(_Row):
    """An image of a tow; `at_s` is seconds since its start by the camera's corrected time, null if not known."""

    image_id: int
    file_id: int | None
    path: str | None
    original: str | None
    camera: str | None
    how: str
    at_s: float | None
    attached_by: str
    sha256: str
    size_bytes: int


class AttachBody(Body):
    """Which files shall belong to the tow: ids of files, or of a folder whose files without a tow are all meant."""

    file_ids: FileIds | None = None
    folder_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    reason: ReasonText = ""


class Attached(BaseModel):
    """How many images changed."""

    changed: int


class FreedBody(Body):
    """Why; it stands in the audit trail for good."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class FreedFolderAnswer(_Row):
    """A folder whose files, and those below it, belong to no survey."""

    folder_id: int
    folder: str
    reason: str
    declared_by: str
    declared_utc: str
    is_opening: bool


class CopyBody(Body):
    """Where the copy goes: a folder on the appliance's machine."""

    to: Annotated[str, Field(min_length=1, max_length=4000)]


class CopyAnswer(_Row):
    """A second copy. Only `done` means that every file was read back and is equal."""

    id: int
    tow_id: int
    destination: str
    state: str
    files: int
    size_bytes: int
    manifest_sha256: str | None
    detail: str
    asked_by: str
    asked_utc: str
    finished_utc: str | None


@router.get("/surveys/{survey_id}/cameras", summary="The cameras of a survey")
def list_cameras(appliance: ApplianceHere, survey_id: SurveyId) -> list[CameraAnswer]:
    """By name."""
    with appliance.reader() as connection:
        if reads.survey(connection, survey_id) is None:
            raise no_such("survey with the id", survey_id)
        return [CameraAnswer.model_validate(one) for one in cameras(connection, survey_id)]


@router.post("/surveys/{survey_id}/cameras", summary="Add a camera, or change it", status_code=201)
def set_camera(appliance: ApplianceHere, actor: Actor, survey_id: SurveyId, body: CameraBody) -> Made:
    """Its files are attached again by themselves. Where counts stand in the survey, `reason` is asked for."""
    return Made(
        id=appliance.media.set_camera(
            survey_id,
            body.name,
            time_offset_s=body.time_offset_s,
            source=body.time_offset_source,
            folder_pattern=body.folder_pattern,
            actor=actor,
            reason=body.reason,
            laser_gap_m=body.laser_gap_m,
            laser_gap_source=body.laser_gap_source,
        )
    )


@router.get("/tows/{tow_id}/images", summary="The images of a tow")
def list_images(
    appliance: ApplianceHere, tow_id: TowId, limit: Annotated[int, Query(ge=1, le=100_000)] = DEFAULT_LIMIT
) -> list[TowImageAnswer]:
    """In order of their time; those without one last."""
    with appliance.reader() as connection:
        if reads.tow(connection, tow_id) is None:
            raise no_such("tow with the id", tow_id)
        return [TowImageAnswer.model_validate(one) for one in reads.tow_images(connection, tow_id, limit=limit)]


@router.post("/tows/{tow_id}/images", summary="Let files belong to a tow")
def attach(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: AttachBody) -> Attached:
    """What a person attaches changes only by hand. Where counts stand on a tow that loses or gets files, `reason` is asked for."""
    if body.folder_id is not None:
        return Attached(changed=appliance.media.attach_folder(tow_id, body.folder_id, actor, reason=body.reason))
    return Attached(changed=appliance.media.attach_files(tow_id, body.file_ids or [], actor, reason=body.reason))


@router.get("/folders/of-no-survey", summary="Folders whose files belong to no survey")
def list_freed_folders(appliance: ApplianceHere) -> list[FreedFolderAnswer]:
    """What models find there is not sealed. The newest declaration first. `is_opening`: what is sealed there is still being opened."""
    with appliance.reader() as connection:
        opening = is_opening(connection)
        return [FreedFolderAnswer(**one._asdict(), is_opening=opening) for one in freed_folders(connection)]


@router.post("/folders/{folder_id}/of-no-survey", summary="Say that a folder's files belong to no survey", status_code=202)
def free_folder(appliance: ApplianceHere, actor: Actor, folder_id: FolderId, body: FreedBody) -> Made:
    """What models find in it and below it is shown from now on; not what belongs to a tow that people count.

    What is sealed there is opened soon: `GET /api/folders/of-no-survey` has `is_opening` until it is done.
    """
    appliance.waiting.free(folder_id, body.reason, actor)
    return Made(id=folder_id)


@router.post("/folders/{folder_id}/of-a-survey", summary="Take that back")
def take_folder_back(appliance: ApplianceHere, actor: Actor, folder_id: FolderId, body: FreedBody) -> Made:
    """What is found from now on is sealed again; what was shown stays so."""
    appliance.waiting.take_back(folder_id, body.reason, actor)
    return Made(id=folder_id)


@router.get("/tows/{tow_id}/copies", summary="Second copies of a tow's raw media")
def list_copies(appliance: ApplianceHere, tow_id: TowId) -> list[CopyAnswer]:
    """The newest first."""
    with appliance.reader() as connection:
        return [CopyAnswer.model_validate(one) for one in raw_copies(connection, tow_id)]


@router.post("/tows/{tow_id}/copies", summary="Copy a tow's raw media", status_code=202)
def begin_copy(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: CopyBody) -> Made:
    """It goes on in the background; GET /api/copies/{copy_id} tells how far it is."""
    return Made(id=appliance.copies.begin(tow_id, FilePath(body.to), actor))


@router.get("/copies/{copy_id}", summary="A second copy")
def show_copy(appliance: ApplianceHere, copy_id: CopyId) -> CopyAnswer:
    """How far it is, or how it ended."""
    with appliance.reader() as connection:
        row = raw_copy(connection, copy_id)
    if row is None:
        raise no_such("copy with the id", copy_id)
    return CopyAnswer.model_validate(row)


@router.post("/copies/{copy_id}/cancel", summary="End a copy")
def cancel_copy(appliance: ApplianceHere, actor: Actor, copy_id: CopyId) -> Made:
    """What is there stays; another copy goes on from it."""
    appliance.copies.cancel(copy_id, actor)
    return Made(id=copy_id)
