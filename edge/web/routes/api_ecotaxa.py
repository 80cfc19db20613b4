"""The JSON API of EcoTaxa: scans that go there, categories that come back, what it asks, and who the appliance is to it."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from edge.store.reads import zooscan_uploads as reads
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, no_such
from edge.web.survey_answers import Body, Secret

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api/ecotaxa", tags=["scans"], responses=REFUSALS)

TransferId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the transfer.")]
ScanText = Annotated[str, Field(min_length=1, max_length=300, description="Name of the scan, `project/name`, or its uuid.")]
ProjectId = Annotated[int, Field(ge=1, le=MAX_ID)]
Numbers = Annotated[dict[str, Annotated[int, Field(ge=1, le=MAX_ID)]], Field(max_length=10_000, default_factory=dict)]


class TransferAnswer(BaseModel):
    """A push or a pull. `progress` is 0 to 1 of the present state; `question` is what EcoTaxa asks; `report` what came of it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    uuid: str
    scan_id: int
    scan: str
    project: str
    kind: Literal["push", "pull"]
    mode: Literal["new", "add", "update"]
    server: str
    ecotaxa_project_id: int
    state: Literal["queued", "sending", "importing", "asking", "done", "failed", "cancelled"]
    archive_sha256: str | None
    remote_job_id: int | None
    progress: float | None
    question: dict[str, Any] | None
    answer: dict[str, Any] | None
    report: dict[str, Any] | None
    detail: str
    attempts: int
    actor: str
    asked_utc: str
    changed_utc: str
    not_before_utc: str | None


class LoginAnswer(BaseModel):
    """Who the appliance is to EcoTaxa; `name` is what the account is called there, null if the server was not reached."""

    model_config = ConfigDict(from_attributes=True)

    server: str
    username: str | None
    keeps_password: bool
    name: str | None = None


class PushBody(Body):
    """A scan and where it goes. `mode`: `new` refuses what is there, `add` brings only what is not, `update` writes measures anew."""

    scan: ScanText
    project_id: ProjectId | None = None
    mode: Literal["new", "add", "update"] = "new"


class PullBody(Body):
    """A scan whose categories shall come back."""

    scan: ScanText
    project_id: ProjectId | None = None


class PullFileBody(Body):
    """A table that was exported from EcoTaxa by hand, on the appliance's machine; `scan` for one only."""

    path: Annotated[str, Field(min_length=1, max_length=4000)]
    scan: ScanText | None = None


class AnswerBody(Body):
    """EcoTaxa's own number of each taxon and person that it asks for."""

    taxa: Numbers
    users: Numbers


class LoginBody(Body):
    """An account of EcoTaxa. Without `keep_password` only the token is kept, for 31 days."""

    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Secret
    keep_password: bool = False


class Retried(BaseModel):
    """How many transfers waited."""

    retried: int


class Forgotten(BaseModel):
    """Whether anything was kept."""

    forgotten: bool


@router.get("/transfers", summary="Pushes and pulls, newest first")
def transfers(
    appliance: ApplianceHere,
    scan_id: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only of this scan.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[TransferAnswer]:
    """Those that are under way, and those that ended."""
    with appliance.reader() as connection:
        rows = reads.uploads(connection, limit=limit) if scan_id is None else reads.uploads_of(connection, scan_id)[:limit]
    return [TransferAnswer.model_validate(row) for row in rows]


@router.get("/transfers/{transfer_id}", summary="A push or a pull")
def transfer(appliance: ApplianceHere, transfer_id: TransferId) -> TransferAnswer:
    """How far it is."""
    return _transfer(appliance, transfer_id)


@router.post("/push", summary="Queue a scan for EcoTaxa", status_code=202)
def push(appliance: ApplianceHere, actor: Actor, body: PushBody) -> TransferAnswer:
    """It goes when there is a link."""
    return _transfer(appliance, appliance.ecotaxa.push(body.scan, actor, project_id=body.project_id, mode=body.mode))


@router.post("/pull", summary="Fetch the categories of a scan", status_code=202)
def pull(appliance: ApplianceHere, actor: Actor, body: PullBody) -> TransferAnswer:
    """They come when there is a link."""
    return _transfer(appliance, appliance.ecotaxa.pull(body.scan, actor, project_id=body.project_id))


@router.post("/pull-file", summary="Take categories from a table that was exported by hand")
def pull_file(appliance: ApplianceHere, actor: Actor, body: PullFileBody) -> dict[str, Any]:
    """What came of it: figures, and the ids that belong to nothing here."""
    return appliance.ecotaxa.pull_file(FilePath(body.path), actor, scan=body.scan)


@router.post("/transfers/{transfer_id}/cancel", summary="End a transfer")
def cancel(appliance: ApplianceHere, actor: Actor, transfer_id: TransferId) -> TransferAnswer:
    """Not one that EcoTaxa is importing."""
    _transfer(appliance, transfer_id)
    appliance.ecotaxa.cancel(transfer_id, actor)
    return _transfer(appliance, transfer_id)


@router.post("/transfers/{transfer_id}/answer", summary="Answer what EcoTaxa asks", status_code=202)
def answer(appliance: ApplianceHere, actor: Actor, transfer_id: TransferId, body: AnswerBody) -> TransferAnswer:
    """The import then goes on."""
    _transfer(appliance, transfer_id)
    appliance.ecotaxa.answer(transfer_id, actor, taxa=body.taxa, users=body.users)
    return _transfer(appliance, transfer_id)


@router.post("/retry", summary="Try again now what waits for its next attempt")
def retry(appliance: ApplianceHere) -> Retried:
    """All transfers that wait."""
    return Retried(retried=appliance.ecotaxa.retry())


@router.get("/login", summary="Who the appliance is to EcoTaxa")
def login_state(appliance: ApplianceHere) -> LoginAnswer:
    """Nothing of it is secret."""
    return LoginAnswer.model_validate(appliance.ecotaxa.login_state())


@router.post("/login", summary="Sign in at EcoTaxa")
def login(appliance: ApplianceHere, body: LoginBody) -> LoginAnswer:
    """The token is kept in a private file of the home folder; the password only if that is asked for."""
    name = appliance.ecotaxa.sign_in(body.username, body.password.get_secret_value(), keep_password=body.keep_password)
    return LoginAnswer.model_validate(appliance.ecotaxa.login_state()).model_copy(update={"name": name})


@router.post("/logout", summary="Forget the token and the password")
def logout(appliance: ApplianceHere) -> Forgotten:
    """What is queued then waits for the next sign-in."""
    return Forgotten(forgotten=appliance.ecotaxa.sign_out())


def _transfer(appliance: Appliance, transfer_id: int) -> TransferAnswer:
    with appliance.reader() as connection:
        row = reads.upload_by_id(connection, transfer_id)
    if row is None:
        raise no_such("transfer", transfer_id)
    return TransferAnswer.model_validate(row)
