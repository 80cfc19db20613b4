"""ZooScan: the list of scans, the page of one with its sample and scan form, and the check of its objects."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import zooscan as reads
from edge.store.reads import zooscan_check
from edge.web.deps import ApplianceHere
from edge.web.pages import render
from edge.web.routes.api_scans import ScanId, find_scan
from edge.web.scan_cards import findings_of

router = APIRouter(include_in_schema=False)


@router.get("/scans/{scan_id:int}/check")
def show_check(request: Request, appliance: ApplianceHere, scan_id: ScanId) -> Response:
    """The objects of a scan at a common scale, to be told single or multiple, cut, and signed."""
    with appliance.reader() as connection, snapshot(connection):
        scan = find_scan(connection, scan_id)
        run = zooscan_check.check_run(connection, scan_id)
        signed = next((one for one in reads.signatures_of(connection, scan_id) if one.withdrawn_utc is None), None)
        revision = "" if run is None else zooscan_check.check_revision(connection, run)
        findings = () if run is None else findings_of(connection, scan, run)
    return render(request, "scan_check.html", scan=scan, run=run, signed=signed, revision=revision, findings=findings)
