"""How a scan leaves: what EcoTaxa would refuse, the files to take along, and the figures of its sample."""

from __future__ import annotations

import errno
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from edge.errors import DiskFullError
from edge.export.zooscan.rules import Problem as TableProblem
from edge.recipes.scan_download import (
    Download,
    ExportLook,
    SampleFigures,
    figures_of,
    gathered_for,
    look_at_export,
    work_for,
    write_download,
    write_work_zip,
)
from edge.recipes.scan_export import ExportWish, ScanFormat
from edge.recipes.scan_gather import standing_of
from edge.store.connection import snapshot
from edge.store.reads.zooscan import ScanRow
from edge.store.sqlite import Connection
from edge.web.appliance import Appliance
from edge.web.deps import ApplianceHere
from edge.web.errors import Problem, RequestError
from edge.web.pages import render
from edge.web.routes.api_scans import REFUSALS, ScanId, find_scan
from edge.zooscan.abundance import ClassAbundance
from edge.zooscan.counted import Refusal

router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api", tags=["scans"])

_KINDS = {Download.ECOTAXA: "application/zip", Download.CSV: "text/csv; charset=utf-8", Download.RETIRED_IDS: "text/csv; charset=utf-8"}
_WORK_FOLDER = threading.Lock()  # one takes the memory of a whole scan
Legacy = Annotated[bool, Query(description="Derived figures as Zooprocess 8 computes them, from whole numbers.")]
Unsigned = Annotated[bool, Query(description="Also if nobody signed the check; what is written says so.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanExportAnswer:
    """What an export of a scan would be.

    Attributes:
        problems: what EcoTaxa would refuse; the scan does not leave for it while there is one.
        signed_by: null: nobody signed; it then leaves only `unsigned`.
    """

    objects: int
    multiples: int
    labelled: int
    retired: int
    signed_by: str | None
    problems: tuple[TableProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFiguresAnswer:
    """Individuals and biovolume per m3 of a scan's sample.

    Attributes:
        refused: why there are none; `rows` is empty then.
        rows: a class each; a figure that is null was not looked for, 0 was.
    """

    sample_id: str
    scans: tuple[str, ...]
    refused: tuple[Refusal, ...]
    rows: tuple[ClassAbundance, ...]


@router.get("/scans/{scan_id:int}/export")
def show_export(request: Request, appliance: ApplianceHere, scan_id: ScanId, unsigned: Unsigned = False) -> Response:
    """What would leave, what is wrong with it, and the figures of the sample."""
    with appliance.reader() as connection, snapshot(connection):
        scan = find_scan(connection, scan_id)
        look = None if scan.run_id is None else look_at_export(connection, appliance.home, scan)
        figures = _figures(connection, appliance, scan, unsigned=unsigned)
    return render(request, "scan_export.html", scan=scan, look=look, figures=figures, unsigned=unsigned)


@api_router.get("/scans/{scan_id}/export", summary="What an export of a scan would be", responses=REFUSALS)
def look(appliance: ApplianceHere, scan_id: ScanId) -> ScanExportAnswer:
    """All that EcoTaxa's importer would refuse, before anything is written."""
    with appliance.reader() as connection, snapshot(connection):
        found: ExportLook = look_at_export(connection, appliance.home, find_scan(connection, scan_id))
    return ScanExportAnswer(
        objects=found.objects,
        multiples=found.multiples,
        labelled=found.labelled,
        retired=found.retired,
        signed_by=found.signed_by,
        problems=found.problems,
    )


@api_router.get(
    "/scans/{scan_id}/export/legacy", summary="Zooprocess's work folder of a scan", response_class=FileResponse, responses=REFUSALS
)
def download_work_folder(appliance: ApplianceHere, scan_id: ScanId, legacy: Legacy = False, unsigned: Unsigned = False) -> FileResponse:
    """As a zip. It takes the memory of a whole scan, so one is written at a time; 503 while one is."""
    wish = ExportWish(format=ScanFormat.LEGACY, is_legacy=legacy, unsigned=unsigned)
    with appliance.reader() as connection:
        gathered, work = work_for(connection, appliance.home, find_scan(connection, scan_id), wish)
    with _one_work_folder():
        return _sent(lambda folder: write_work_zip(gathered, work, folder), "application/zip")


@api_router.get("/scans/{scan_id}/export/{kind}", summary="A scan as a file", response_class=FileResponse, responses=REFUSALS)
def download(appliance: ApplianceHere, scan_id: ScanId, kind: Download, legacy: Legacy = False, unsigned: Unsigned = False) -> FileResponse:
    """EcoTaxa's import zip, a table of objects, or the ids that are no more."""
    form = ScanFormat.ECOTAXA if kind is Download.ECOTAXA else ScanFormat.CSV
    with appliance.reader() as connection:
        scan = find_scan(connection, scan_id)
        gathered = gathered_for(connection, appliance.home, scan, ExportWish(format=form, is_legacy=legacy, unsigned=unsigned))
    return _sent(lambda folder: write_download(gathered, kind, folder), _KINDS[kind])


def _sent(write: Callable[[Path], Path], media_type: str) -> FileResponse:
    """What is written into a folder of its own, which goes when it was sent."""
    folder = Path(tempfile.mkdtemp(prefix="imagine-edge-export-"))
    try:
        path = write(folder)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(f"there is no room for the export in {folder.parent}") from error
        raise
    done = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(path, media_type=media_type, filename=path.name, background=done)


@api_router.get("/scans/{scan_id}/figures", summary="Individuals per m3 of a scan's sample", responses=REFUSALS)
def figures(appliance: ApplianceHere, scan_id: ScanId, unsigned: Unsigned = False) -> SampleFiguresAnswer:
    """By class; or why there are none, such as a scan of the fraction that is missing."""
    with appliance.reader() as connection, snapshot(connection):
        found = _figures(connection, appliance, find_scan(connection, scan_id), unsigned=unsigned)
    return SampleFiguresAnswer(sample_id=found.sample_id, scans=found.scans, refused=found.refused, rows=found.rows)


@contextmanager
def _one_work_folder() -> Iterator[None]:
    if not _WORK_FOLDER.acquire(blocking=False):
        advice = "It takes half a minute for a large scan; press the button again then."
        raise RequestError(503, Problem(code="busy", message="a work folder of Zooprocess is being written already", advice=advice))
    try:
        yield
    finally:
        _WORK_FOLDER.release()


def _figures(connection: Connection, appliance: Appliance, scan: ScanRow, *, unsigned: bool) -> SampleFigures:
    sample_id = standing_of(connection, scan.id).sample.sample_id
    return figures_of(connection, appliance.home, scan, sample_id, unsigned=unsigned)
