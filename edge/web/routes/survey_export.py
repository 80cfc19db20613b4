"""A survey's tables out, as a page and as files, and tables of others in."""

from __future__ import annotations

import io
import tempfile
import zipfile
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import urlencode

import anyio
import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import AccessError
from edge.store.connection import snapshot
from edge.store.reads import surveys
from edge.store.reads.surveys import SurveyRow
from edge.store.reads.tables import imports
from edge.store.sqlite import Connection
from edge.survey.exchange.gather import LeftOut
from edge.survey.exchange.methods import Choice, choice_of
from edge.survey.exchange.run import FORMATS, ExportReport, ExportRequest, export, preview
from edge.survey.method import CHOICES
from edge.survey.mi.dialects import DIALECTS, Format
from edge.survey.mi.reading import TableError, TableFault
from edge.survey.people import Person, Role
from edge.survey.tables_desk import ImportReport
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere, Viewer, sees_tables
from edge.web.errors import Problem, invalid, no_such
from edge.web.pages import render
from edge.web.uploads import receive

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409, 422, 503)}
router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api", tags=["survey"], responses=REFUSALS)

MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".svg": "image/svg+xml",
}
ROOM_FACTOR = 2.0
SurveyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the survey.")]
StationName = Annotated[str, Query(max_length=200, description="Only this station; empty for all.")]
ProtocolVersion = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only what was counted under this version of the protocol.")]
OriginName = Annotated[
    str, Query(max_length=20, description=f"Only what is of this origin, one of {', '.join(CHOICES)}; empty: the only one there is.")
]
EveryMethod = Annotated[bool, Query(description="All methods in one file, each named in its name.")]
EVERY = "all"
MethodName = Annotated[str, Query(max_length=40, description="A method as files name it, or `all`; empty: the only one there is.")]
FormatName = Annotated[str, Path(max_length=40, description=f"One of {', '.join(FORMATS)}.")]


class ImportBody(BaseModel):
    """A table on this machine that shall be taken into a survey."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=4096, description="The file, as this machine sees it.")]
    format: Annotated[Format, Field(description="Its dialect.")]
    survey: Annotated[str, Field(min_length=1, max_length=200, description="The survey's name here.")]
    of: Annotated[str | None, Field(max_length=200, description="What the table calls the survey, where that differs.")] = None
    is_dry_run: Annotated[bool, Field(description="Only say what would be taken.")] = False


class TableAnswer(BaseModel):
    """What taking a table did or would do; `report` is null where it is refused, and then nothing was taken."""

    report: ImportReport | None = None
    message: str = ""
    advice: str = ""
    faults: list[TableFault] = []
    fault_count: int = 0


@router.get("/surveys/{survey_id:int}/export")
def show_export(
    request: Request, appliance: ApplianceHere, viewer: Viewer, survey_id: int, *, station: StationName = "", method: MethodName = ""
) -> Response:
    """Every table that can be written, with how many rows it has and what it leaves out."""
    choice = _page_choice(method)
    with appliance.reader() as connection:
        survey = _survey(connection, survey_id, viewer)
        with snapshot(connection):
            names = [one.name for one in surveys.stations(connection, survey_id)]
        if station and station not in names:
            raise no_such("station of this survey with the name", station)
        tables = preview(connection, survey.name, station or None, choice, sees_tables=sees_tables(viewer))
        read_in = imports(connection, survey_id)
    shown = "mi-recounts", "mi-analysis"
    left_out: list[tuple[str, LeftOut]] = [(table.format, one) for table in tables if table.format in shown for one in table.left_out]
    methods = sorted({one for table in tables for one in table.methods}, key=lambda one: (one.origin, one.version or 0))
    return render(
        request,
        "survey_export.html",
        survey=survey,
        stations=names,
        station=station,
        tables=tables,
        titles={name: title for name, (_, title) in FORMATS.items()},
        methods=methods,
        method=method,
        query=_query(station, choice),
        left_out=left_out,
        imports=read_in,
        dialects=DIALECTS.values(),
    )


@api_router.get(
    "/surveys/{survey_id}/tables/{table}",
    summary="A table or map of a survey",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}, "application/zip": {}}}},
)
def get_table(
    appliance: ApplianceHere,
    viewer: Viewer,
    survey_id: SurveyId,
    table: FormatName,
    *,
    station: StationName = "",
    protocol: ProtocolVersion = None,
    origin: OriginName = "",
    all_methods: EveryMethod = False,
    with_sidecar: Annotated[bool, Query(description="A zip of the file and the text that tells about it.")] = False,
) -> Response:
    """The file as `survey export` writes it: only revealed counts, of one method; what is left out stands in the sidecar.

    Where several methods are there and none is chosen it is refused with the code `several_methods`.
    """
    if table not in FORMATS:
        raise invalid(f"there is no table format {table}", f"The formats are {', '.join(FORMATS)}.")
    with appliance.reader() as connection:
        survey = _survey(connection, survey_id, viewer)
        with tempfile.TemporaryDirectory(prefix="tables-", dir=_scratch(appliance)) as folder:
            request = ExportRequest(
                survey=survey.name,
                format=table,
                station=station or None,
                choice=choice_of(protocol, origin or None, every=all_methods),
                sees_tables=sees_tables(viewer),
            )
            report = export(connection, request, FilePath(folder))
            return _zipped(report) if with_sidecar else _plain(report)


@api_router.post("/survey-tables", summary="Take a table of others into a survey")
def post_import(appliance: ApplianceHere, actor: Actor, body: ImportBody) -> ImportReport:
    """All of it or nothing; the same table twice changes nothing. For administrators: the file is read by this machine."""
    return appliance.tables.import_table(FilePath(body.path), body.format, body.survey, actor=actor, of=body.of, is_dry_run=body.is_dry_run)


@api_router.post("/surveys/{survey_id}/tables", summary="Take a table of others that is sent into a survey")
async def post_upload(
    request: Request,
    appliance: ApplianceHere,
    actor: Actor,
    survey_id: SurveyId,
    *,
    name: Annotated[str, Query(min_length=1, max_length=200, description="What the file is called.")],
    table_format: Annotated[Format, Query(alias="format", description="Its dialect.")],
    of: Annotated[str, Query(max_length=200, description="What the table calls the survey, where that differs.")] = "",
    dry_run: Annotated[bool, Query(description="Only say what would be taken.")] = False,
) -> TableAnswer:
    """The body is the CSV file, at most 2 GiB. For administrators. A table that cannot be taken is answered with its faults."""
    with appliance.reader() as connection:
        found = surveys.survey(connection, survey_id)
    if found is None:
        raise no_such("survey with the id", survey_id)
    path = await receive(request, appliance.home, appliance.live().disk, what="a table", room_factor=ROOM_FACTOR)
    take = partial(appliance.tables.import_table, path, table_format, found.name, actor=actor, of=of or None, is_dry_run=dry_run, name=name)
    try:
        return TableAnswer(report=await anyio.to_thread.run_sync(take))
    except TableError as error:
        return TableAnswer(message=str(error), advice=error.advice(), faults=list(error.faults), fault_count=error.fault_count)
    finally:
        path.unlink(missing_ok=True)


def _survey(connection: Connection, survey_id: int, viewer: Person | None) -> SurveyRow:
    """The survey, for who may have its tables: those of reference footage would tell the next counter what is on it."""
    found = surveys.survey(connection, survey_id)
    if found is None:
        raise no_such("survey with the id", survey_id)
    if found.kind == "reference" and viewer is not None and not viewer.may(Role.ADMINISTER):
        raise AccessError(f"the tables of the reference footage {found.name} are for administrators: counters are measured on it")
    return found


def _page_choice(method: str) -> Choice:
    """What the page's list of methods says: `all`, or a method as it stands in a file's name."""
    origin, _, version = method.partition("-v")
    if method == EVERY:
        return choice_of(None, None, every=True)
    if version and not (version.isascii() and version.isdecimal()):
        raise invalid(f"there is no method {method}", "Choose one from the page's list.")
    return choice_of(int(version) if version else None, origin or None, every=False)


def _query(station: str, choice: Choice) -> str:
    """The part of a download's address that says what is chosen."""
    asked: dict[str, str | int] = {"station": station}
    if choice.every:
        asked["all_methods"] = "true"
    if choice.origin is not None:
        asked["origin"] = choice.origin
    if choice.protocol is not None:
        asked["protocol"] = choice.protocol
    return urlencode(asked)


def _scratch(appliance: Appliance) -> FilePath:
    """Beside the pictures' cache: on the disk of the home folder, never in the small /tmp of an appliance."""
    folder = appliance.home / "cache" / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain(report: ExportReport) -> Response:
    return _download(report.file.read_bytes(), report.file.name, MEDIA_TYPES[report.file.suffix])


def _zipped(report: ExportReport) -> Response:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (report.file, report.sidecar):
            archive.write(path, path.name)
    return _download(packed.getvalue(), f"{report.file.name}.zip", "application/zip")


def _download(content: bytes, name: str, media_type: str) -> Response:
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_")
    return Response(content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{ascii_name}"'})
