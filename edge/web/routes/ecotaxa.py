"""The page of EcoTaxa: what is on its way there and back, what it asks, and who the appliance is to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast, get_args

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.reads import zooscan_uploads as reads
from edge.store.reads.zooscan_uploads import UploadRow
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import invalid, no_such
from edge.web.pages import render
from edge.web.routes.actions import Form, PostedForm

router = APIRouter(include_in_schema=False)

TransferId = Annotated[int, Path(ge=1, le=MAX_ID)]
Again = Literal["add", "update"]
SHOWN = 200
STATES = {
    "queued": "waits",
    "sending": "is sent",
    "importing": "is imported",
    "asking": "asks something",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}
MARKS = {"queued": "queued", "asking": "warning", "done": "good", "failed": "bad", "cancelled": "unknown"}
KINDS = {"taxon": "missing_taxa", "user": "missing_users"}


@router.get("/scans/ecotaxa")
def show_ecotaxa(request: Request, appliance: ApplianceHere) -> Response:
    """Transfers, questions and the sign-in."""
    with appliance.reader() as connection:
        rows = reads.uploads(connection, limit=SHOWN)
    return render(
        request,
        "ecotaxa.html",
        rows=rows,
        asking=[row for row in rows if row.state == "asking" and row.answer is None],
        newest={row.id for row in rows if row.id == max(one.id for one in rows if _is_of(one, row))},
        words=STATES,
        marks=MARKS,
        kinds=KINDS,
        login=appliance.ecotaxa.login_state(),
    )


def _is_of(one: UploadRow, other: UploadRow) -> bool:
    return (one.scan_id, one.kind, one.ecotaxa_project_id) == (other.scan_id, other.kind, other.ecotaxa_project_id)


@router.post("/actions/ecotaxa/{transfer_id:int}/cancel")
def cancel(appliance: ApplianceHere, actor: Actor, form: PostedForm, transfer_id: TransferId) -> RedirectResponse:
    """End a transfer that EcoTaxa is not importing."""
    appliance.ecotaxa.cancel(_row(appliance, transfer_id).id, actor)
    return form.back("transfer_cancelled")


@router.post("/actions/ecotaxa/{transfer_id:int}/answer")
def answer(appliance: ApplianceHere, actor: Actor, form: PostedForm, transfer_id: TransferId) -> RedirectResponse:
    """Answer what EcoTaxa asks about an import."""
    question = _row(appliance, transfer_id).question or {}
    given = {kind: _numbers(form, kind, question.get(key, [])) for kind, key in KINDS.items()}
    appliance.ecotaxa.answer(transfer_id, actor, taxa=given["taxon"], users=given["user"])
    return form.back("transfer_answered")


@router.post("/actions/ecotaxa/{transfer_id:int}/again")
def again(appliance: ApplianceHere, actor: Actor, form: PostedForm, transfer_id: TransferId) -> RedirectResponse:
    """Push the same scan again: what is not there yet, or the measures of what is."""
    row, mode = _row(appliance, transfer_id), form.text("mode")
    if mode not in get_args(Again):
        raise invalid(f"there is no way {mode!r} to push", "Reload the page and press the button again.")
    appliance.ecotaxa.push(row.scan_uuid, actor, project_id=row.ecotaxa_project_id, mode=cast("Again", mode))
    return form.back("scan_sent")


@router.post("/actions/ecotaxa/retry")
def retry(appliance: ApplianceHere, form: PostedForm) -> RedirectResponse:
    """Try again now what waits."""
    return form.back("transfers_retried", appliance.ecotaxa.retry())


@router.post("/actions/ecotaxa/login")
def login(appliance: ApplianceHere, form: PostedForm) -> RedirectResponse:
    """Sign in at EcoTaxa; the password is kept only if that was ticked."""
    name = appliance.ecotaxa.sign_in(form.text("username"), form.text("password"), keep_password=bool(form.optional("keep")))
    return form.back("ecotaxa_signed_in" if name is not None else "ecotaxa_kept")


@router.post("/actions/ecotaxa/logout")
def logout(appliance: ApplianceHere, form: PostedForm) -> RedirectResponse:
    """Forget token and password."""
    appliance.ecotaxa.sign_out()
    return form.back("ecotaxa_forgotten")


def _numbers(form: Form, kind: str, names: list[Any]) -> dict[str, int]:
    """EcoTaxa's number of each name that was filled in.

    Raises:
        RequestError: one is no number.
    """
    numbers = {}
    for place, name in enumerate(names):
        typed = form.optional(f"{kind}-{place}").strip()
        if typed and not (typed.isascii() and typed.isdecimal() and 0 < int(typed) <= MAX_ID):
            raise invalid(f"{typed!r} is no number of a {kind}", "EcoTaxa's pages show the number of each taxon and person.")
        if typed:
            numbers[str(name)] = int(typed)
    return numbers


def _row(appliance: Appliance, transfer_id: int) -> UploadRow:
    with appliance.reader() as connection:
        row = reads.upload_by_id(connection, transfer_id)
    if row is None:
        raise no_such("transfer", transfer_id)
    return row
