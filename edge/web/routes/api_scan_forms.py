"""The JSON API of scans: the list, the sample and scan form, and what has them processed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from edge.store.connection import snapshot
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan import ScanState
from edge.web.deps import Actor, ApplianceHere
from edge.web.routes.api_scans import REFUSALS, ScanId, find_scan
from edge.web.scan_answers import ScanAnswer, told_scan
from edge.web.scan_forms import FormAnswer, told_form

router = APIRouter(prefix="/api", tags=["scans"])

MOST_FIELDS = 200
FieldName = Annotated[str, Field(min_length=1, max_length=100)]
FieldValue = Annotated[str, Field(max_length=2000)] | None


class TypedBody(BaseModel):
    """What was typed, by field; null lets the META's own value hold again."""

    model_config = ConfigDict(extra="forbid")

    values: dict[FieldName, FieldValue] = Field(min_length=1, max_length=MOST_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScansAnswer:
    """Scans, the latest scanned first."""

    total: int
    scans: tuple[ScanAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScansQueuedAnswer:
    """How many scans are queued now."""

    queued: int


@router.get("/scans", summary="Scans", responses=REFUSALS)
def list_scans(
    appliance: ApplianceHere,
    state: Annotated[ScanState | None, Query(description="Only scans in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> ScansAnswer:
    """ZooScan scans with how far each is."""
    with appliance.reader() as connection, snapshot(connection):
        counts = reads.count_scans(connection)
        found = reads.list_scans(connection, state=state, limit=limit, offset=offset)
    return ScansAnswer(total=sum(counts.values()) if state is None else counts.get(state, 0), scans=tuple(map(told_scan, found)))


@router.get("/scans/{scan_id}", summary="A scan", responses=REFUSALS)
def show_scan(appliance: ApplianceHere, scan_id: ScanId) -> ScanAnswer:
    """How far it is."""
    with appliance.reader() as connection, snapshot(connection):
        return told_scan(find_scan(connection, scan_id))


@router.get("/scans/{scan_id}/form", summary="The sample and scan form", responses=REFUSALS)
def form(appliance: ApplianceHere, scan_id: ScanId) -> FormAnswer:
    """The META's own values, what was typed over them by whom, and what is wrong with what holds."""
    with appliance.reader() as connection, snapshot(connection):
        find_scan(connection, scan_id)
        return told_form(connection, scan_id)


@router.post("/scans/{scan_id}/form", summary="Type into the form", responses=REFUSALS)
def type_in(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: TypedBody) -> FormAnswer:
    """Kept row by row, to the letter; the META itself stays as it is."""
    with appliance.reader() as connection:
        scan = find_scan(connection, scan_id)
    appliance.scans.type_in(scan.uuid, body.values, actor=actor)
    return form(appliance, scan_id)


@router.post("/scans/{scan_id}/retry", summary="Process a failed scan again", responses=REFUSALS)
def retry(appliance: ApplianceHere, actor: Actor, scan_id: ScanId) -> ScansQueuedAnswer:
    """Its attempts are counted anew."""
    with appliance.reader() as connection:
        scan = find_scan(connection, scan_id)
    return ScansQueuedAnswer(queued=appliance.scans.retry(scan.uuid, actor=actor))


@router.post("/scans/{scan_id}/reprocess", summary="Process a scan anew", responses=REFUSALS)
def reprocess(appliance: ApplianceHere, actor: Actor, scan_id: ScanId) -> ScansQueuedAnswer:
    """Decisions and lines of people hold for the new result too; both results stay. Not while it is signed."""
    with appliance.reader() as connection:
        scan = find_scan(connection, scan_id)
    return ScansQueuedAnswer(queued=appliance.scans.reprocess(scan.uuid, actor=actor))
