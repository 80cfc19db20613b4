"""ZooScan: the list of scans, the page of one with its sample and scan form, and the check of its objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BeforeValidator

from edge.store.connection import snapshot
from edge.store.reads import zooscan as reads
from edge.store.reads import zooscan_check as check_reads
from edge.store.reads.zooscan import ScanRow, ScanState
from edge.store.reads.zooscan_exports import model_of_run
from edge.store.reads.zooscan_objects import retired_keys
from edge.store.reads.zooscan_uploads import uploads_of
from edge.survey.people import Role
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere, Viewer
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.actions import PostedForm
from edge.web.routes.api_scans import ScanId, find_scan
from edge.web.scan_forms import told_form
from edge.web.scan_history import folded_history
from edge.web.scan_quality import ScanQuality
from edge.web.text import utc
from edge.zooscan.failing import scan_advice
from edge.zooscan.light import Light

router = APIRouter(include_in_schema=False)

TransferId = Annotated[int, Path(ge=1, le=MAX_ID)]

PER_PAGE = 60
HISTORY = 2000
AWAY = "its folder is away"
_CLEAN = "clean.tif"
HAPPENED = {
    "decide": "decided about objects",
    "draw": "drew a separation line",
    "erase": "erased a separation line",
    "undo": "took back what was done",
    "entry": "typed",
    "text": "read anew",
    "run": "processed",
    "sign": "signed the check",
    "withdraw": "withdrew the signature",
    "push": "sent to EcoTaxa",
    "pull": "fetched categories from EcoTaxa",
}
_TRANSFERS = {
    "queued": "waits",
    "sending": "is sent",
    "importing": "is imported",
    "asking": "waits for an answer",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedScan:
    """A scan in the list: what its state means, its newest transfer, in words, and its light."""

    scan: ScanRow
    words: str
    transfer: str
    light: Light | None


def state_words(scan: ScanRow) -> str:
    """What the state of a scan means, in one line."""
    match scan.state:
        case "waiting":
            lacks = ", ".join(scan.lacks) or "its files"
            return f"for its folder: {scan.project_trouble}; then for {lacks}" if scan.project_trouble else f"for {lacks}"
        case "queued":
            return f"waits for its folder: {scan.project_trouble}" if scan.project_trouble else "its turn comes"
        case "processing":
            return f"attempt {scan.attempts}" if scan.attempts > 1 else "now"
        case "failed":
            return f"{scan.reason.replace('_', ' ')}: {scan.detail}" if scan.detail else scan.reason.replace("_", " ")
        case "gone":
            return "its files were taken away"
        case _:
            return utc(scan.finished_utc) + (f"; {AWAY}" if scan.project_trouble else "")


@router.get("/scans")
def show_scans(
    request: Request,
    appliance: ApplianceHere,
    state: Annotated[ScanState | None, BeforeValidator(lambda value: value or None), Query()] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Every scan with how far it is, and the projects that they belong to."""
    with appliance.reader() as connection, snapshot(connection):
        counts = reads.count_scans(connection)
        scans = reads.list_scans(connection, state=state, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        projects = reads.list_projects(connection)
        transfers = check_reads.latest_transfers(connection, [one.id for one in scans])
        lights = {one.id: appliance.scans.scan_light(connection, one) for one in scans}
    total = sum(counts.values())
    shown = counts.get(state, 0) if state else total
    folders = [root.path for root in appliance.live().roots if root.recipe == "zooscan"]
    return render(
        request,
        "scans.html",
        scans=[
            ListedScan(scan=one, words=state_words(one), transfer=_transfer_words(transfers.get(one.id)), light=lights[one.id])
            for one in scans
        ],
        projects=projects,
        counts=counts,
        states=get_args(ScanState),
        state=state,
        total=total,
        page=page,
        pages=-(-shown // PER_PAGE),
        folders=folders,
    )


@router.get("/scans/{scan_id:int}")
def show_scan(request: Request, appliance: ApplianceHere, viewer: Viewer, scan_id: ScanId) -> Response:
    """One scan: what it waits for or what came of it, its quality, and its sample and scan form."""
    quality: ScanQuality = request.app.state.scan_quality
    with appliance.reader() as connection, snapshot(connection):
        scan = find_scan(connection, scan_id)
        run = reads.current_run(connection, scan_id)
        checked = check_reads.check_run(connection, scan_id)
        tally = None if checked is None else check_reads.check_tally(connection, checked)
        form = told_form(connection, scan_id)
        findings = () if run is None else quality.of(connection, scan_id)
        retired = retired_keys(connection, scan_id) if run else ()
        history = reads.history(connection, scan_id, limit=HISTORY)
        model = None if run is None else model_of_run(connection, run.classifier_model_id)
        light = appliance.scans.scan_light(connection, scan)
        transfers = uploads_of(connection, scan_id)
    may_type = scan.signed_utc is None and (viewer is None or viewer.may(Role.COUNT))
    return render(
        request,
        "scan.html",
        scan=scan,
        words="" if scan.state == "failed" else state_words(scan),
        advice=scan_advice(scan.reason) if scan.reason else "",
        run=run,
        tally=tally,
        form=form,
        findings=findings,
        retired=retired,
        history=folded_history(history),
        transfers=transfers,
        transfer_words=_TRANSFERS,
        model=f"{model.name} {model.version}" if model else "",
        may_type=may_type,
        light=light,
        is_clean_gone=_is_clean_gone(appliance, checked),
        happened_words=HAPPENED,
    )


@router.get("/scans/{scan_id:int}/check")
def show_check(request: Request, appliance: ApplianceHere, scan_id: ScanId) -> Response:
    """The objects of a scan at a common scale, to be told single or multiple, cut, and signed."""
    with appliance.reader() as connection, snapshot(connection):
        scan = find_scan(connection, scan_id)
        run = check_reads.check_run(connection, scan_id)
        signed = next((one for one in reads.signatures_of(connection, scan_id) if one.withdrawn_utc is None), None)
        revision = "" if run is None else check_reads.check_revision(connection, run)
    gone = _is_clean_gone(appliance, run)
    return render(request, "scan_check.html", scan=scan, run=run, signed=signed, revision=revision, is_clean_gone=gone)


@router.post("/actions/scans/{scan_id:int}/retry")
def retry(appliance: ApplianceHere, actor: Actor, form: PostedForm, scan_id: ScanId) -> RedirectResponse:
    """Process a scan that failed once more."""
    return form.back("scan_queued", appliance.scans.retry(_uuid_of(appliance, scan_id), actor=actor))


@router.post("/actions/scans/{scan_id:int}/reprocess")
def reprocess(appliance: ApplianceHere, actor: Actor, form: PostedForm, scan_id: ScanId) -> RedirectResponse:
    """Process a scan with a result anew: what people decided, and their lines, stay."""
    return form.back("scan_queued", appliance.scans.reprocess(_uuid_of(appliance, scan_id), actor=actor))


@router.post("/actions/scans/{scan_id:int}/push")
def push(appliance: ApplianceHere, actor: Actor, form: PostedForm, scan_id: ScanId) -> RedirectResponse:
    """Send a signed scan to EcoTaxa; without a link it waits."""
    appliance.ecotaxa.push(_uuid_of(appliance, scan_id), actor)
    return form.back("scan_sent")


@router.post("/actions/scans/{scan_id:int}/pull")
def pull(appliance: ApplianceHere, actor: Actor, form: PostedForm, scan_id: ScanId) -> RedirectResponse:
    """Fetch the categories of a scan's objects from EcoTaxa; without a link it waits."""
    appliance.ecotaxa.pull(_uuid_of(appliance, scan_id), actor)
    return form.back("scan_fetched")


@router.post("/actions/scans/{scan_id:int}/transfers/{transfer_id:int}/cancel")
def cancel(appliance: ApplianceHere, actor: Actor, form: PostedForm, scan_id: ScanId, transfer_id: TransferId) -> RedirectResponse:
    """End a transfer of a scan that EcoTaxa is not importing yet."""
    with appliance.reader() as connection:
        if all(one.id != transfer_id for one in uploads_of(connection, scan_id)):
            raise no_such("transfer of this scan with the id", transfer_id)
    appliance.ecotaxa.cancel(transfer_id, actor)
    return form.back("transfer_cancelled")


def _is_clean_gone(appliance: Appliance, run: check_reads.CheckRun | None) -> bool:
    """Whether the picture that is shown, enlarged and cut was taken away from the home folder; vignettes and measures are other files."""
    return run is not None and not (appliance.home / run.folder / _CLEAN).is_file()


def _uuid_of(appliance: Appliance, scan_id: int) -> str:
    with appliance.reader() as connection:
        return find_scan(connection, scan_id).uuid


def _transfer_words(transfer: check_reads.LatestTransfer | None) -> str:
    return "" if transfer is None else f"{transfer.kind} {_TRANSFERS[transfer.state]}"
