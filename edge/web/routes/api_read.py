"""The JSON API, what can be read. `docs/api.md` describes it for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from edge.errors import Reason
from edge.store.connection import snapshot
from edge.store.reads import condition, failures, files, overview, packs, results
from edge.store.reads.files import FileFilter, FilePage, FileRow, FileState
from edge.store.sqlite import Connection
from edge.web.appliance import CheckStatus, LiveStatus
from edge.web.deps import DEFAULT_LIMIT, MAX_ID, After, ApplianceHere, FileId, Filter, Limit
from edge.web.errors import Problem, RequestError, no_such
from edge.web.text import reason_advice

router = APIRouter(prefix="/api", tags=["read"])

FileRef = Annotated[str, Query(min_length=1, max_length=8000, description="A file's id, its path, or the SHA-256 of its content.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """What is happening now, and the totals over all recipes and of each."""

    live: LiveStatus
    totals: overview.RecipeTotals
    recipes: tuple[overview.RecipeTotals, ...]
    open_issues: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """One file, its runs (newest first) and every name under which the same bytes were seen."""

    file: FileRow
    runs: tuple[results.RunRow, ...]
    sightings: tuple[FileRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsAnswer:
    """Every run of the bytes of a file, newest first; empty if it was never processed."""

    sha256: str | None
    runs: tuple[results.RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsAnswer:
    """What was found. An empty list of objects means: looked, and found nothing.

    `count` is the number of objects that are counted: their score reaches the run's threshold.
    """

    file_id: int | None
    path: str | None
    sha256: str
    runs: tuple[results.RunRow, ...]
    count: int
    objects: tuple[results.ObjectRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonAnswer:
    """A reason, how many files share it, and what to do."""

    reason: str
    files: int
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailuresAnswer:
    """Quarantined files by reason, a page of them, and reprocessing that failed."""

    reasons: tuple[ReasonAnswer, ...]
    files: tuple[FileRow, ...]
    next_after: int | None
    reprocess_failures: tuple[failures.ReprocessFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuesAnswer:
    """What needs a person, what was resolved last, and the checks."""

    open: tuple[condition.IssueRow, ...]
    resolved: tuple[condition.IssueRow, ...]
    checks: tuple[CheckStatus, ...]
    database: condition.DatabaseFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsAnswer:
    """Installed packs, the active one of each recipe, and what each variant showed on this machine."""

    active: tuple[packs.ActiveModel, ...]
    installed: tuple[packs.InstalledModel, ...]
    variants: tuple[packs.VariantRow, ...]


@router.get("/status", summary="What is happening now")
def status(appliance: ApplianceHere) -> StatusAnswer:
    """Live figures, totals by state, and how many issues are open by severity."""
    with appliance.reader() as connection:
        recipes = overview.totals_by_recipe(connection)
        issues = condition.open_issue_counts(connection)
    return StatusAnswer(live=appliance.live(), totals=overview.sum_totals(recipes), recipes=recipes, open_issues=issues)


@router.get("/files", summary="Files, newest first")
def list_files(appliance: ApplianceHere, which: Filter, limit: Limit = None, after: After = None) -> FilePage:
    """Files that pass the filter. Follow `next_after` until it is null; a page before that may be short or empty."""
    with appliance.reader() as connection:
        return files.list_files(connection, which, limit=limit or DEFAULT_LIMIT, after=after)


@router.get("/files/{file_id}", summary="One file", responses={404: {"model": Problem}})
def one_file(appliance: ApplianceHere, file_id: FileId) -> FileAnswer:
    """A file with its runs and the other names of the same bytes."""
    with appliance.reader() as connection, snapshot(connection):
        file = files.get_file(connection, file_id)
        if file is None:
            raise no_such("file", file_id)
        if file.sha256 is None:
            return FileAnswer(file=file, runs=(), sightings=(file,))
        return FileAnswer(
            file=file, runs=results.runs_of_image(connection, file.sha256), sightings=files.sightings_of(connection, file.sha256)
        )


@router.get("/runs", summary="Runs of a file", responses={404: {"model": Problem}})
def list_runs(appliance: ApplianceHere, file: FileRef) -> RunsAnswer:
    """Every processing of the bytes of a file, reprocessing included."""
    with appliance.reader() as connection, snapshot(connection):
        found, sha256 = _resolve(connection, file)
        if sha256 is None:
            return RunsAnswer(sha256=None, runs=())
        return RunsAnswer(sha256=sha256, runs=results.runs_of_image(connection, sha256, recipe=found.recipe if found else None))


@router.get("/objects", summary="Objects found in a file", responses={404: {"model": Problem}, 409: {"model": Problem}})
def list_objects(
    appliance: ApplianceHere,
    file: FileRef,
    candidates: Annotated[bool, Query(description="Also objects below the counting threshold, with `counted` false.")] = False,
    run: Annotated[str | None, Query(max_length=36, description="The uuid of a run; the current one if not given.")] = None,
) -> ObjectsAnswer:
    """Objects of the current result. A file without a result, or with a sealed one, is answered with 409, never with an empty list."""
    with appliance.reader() as connection, snapshot(connection):
        found, sha256 = _resolve(connection, file)
        runs = results.runs_of_image(connection, sha256, recipe=found.recipe if found else None) if sha256 else ()
        chosen = tuple(one for one in runs if (one.is_current if run is None else one.run_uuid == run))
        if run is not None and not chosen:
            raise no_such("run of this file with the uuid", run)
        if sha256 is None or not chosen:
            raise _not_processed(found)
        if sealed := next((one for one in chosen if one.is_sealed), None):
            raise _sealed(sealed.sealed_station)
        objects = tuple(one for each in chosen for one in results.objects_of_run(connection, each.run_uuid, candidates=candidates))
    return ObjectsAnswer(
        file_id=found.file_id if found else None,
        path=found.path if found else None,
        sha256=sha256,
        runs=chosen,
        count=sum(one.counted for one in objects),
        objects=objects,
    )


@router.get("/failures", summary="Files that became no result")
def list_failures(
    appliance: ApplianceHere,
    reason: Annotated[Reason | None, Query(description="Only files with this reason.")] = None,
    limit: Limit = None,
    after: After = None,
) -> FailuresAnswer:
    """Quarantined files, by reason with advice."""
    which = FileFilter(state=FileState.QUARANTINED, reason=reason)
    with appliance.reader() as connection, snapshot(connection):
        counts = failures.quarantined_by_reason(connection)
        page = files.list_files(connection, which, limit=limit or DEFAULT_LIMIT, after=after)
        again = failures.reprocess_failures(connection, limit=limit or DEFAULT_LIMIT)
    reasons = tuple(ReasonAnswer(reason=one.reason, files=one.files, advice=reason_advice(one.reason)) for one in counts)
    return FailuresAnswer(reasons=reasons, files=page.files, next_after=page.next_after, reprocess_failures=again)


@router.get("/issues", summary="What needs a person")
def list_issues(appliance: ApplianceHere) -> IssuesAnswer:
    """Open issues with advice, those resolved last, the health checks and the database."""
    with appliance.reader() as connection:
        return IssuesAnswer(
            open=condition.open_issues(connection),
            resolved=condition.resolved_issues(connection),
            checks=tuple(appliance.checks()),
            database=condition.database_facts(connection),
        )


@router.get("/models", summary="Installed models")
def list_models(appliance: ApplianceHere) -> ModelsAnswer:
    """Packs, the active one of each recipe, and why each variant is offered or not."""
    with appliance.reader() as connection:
        return ModelsAnswer(
            active=packs.active_models(connection), installed=packs.installed_models(connection), variants=packs.variants(connection)
        )


def _sealed(station: str | None) -> RequestError:
    if station is None:
        message = "what models found on this image is sealed: it has not come to a station that is counted"
        advice = "The survey's Media page says why it belongs to no tow; an administrator can say that it belongs to no survey."
        return RequestError(409, Problem(code="sealed", message=message, advice=advice))
    message = f"what models found on this image is sealed until the counts of station {station} are signed"
    return RequestError(409, Problem(code="sealed", message=message, advice="The Counts page of the station says who is missing."))


def _resolve(connection: Connection, reference: str) -> tuple[FileRow | None, str | None]:
    """The file (None for a hash) and the hash of its content (None before it was read) that a reference means."""
    if re.fullmatch(r"[0-9a-f]{64}", reference):
        if not files.sightings_of(connection, reference, limit=1):
            raise no_such("file with the SHA-256", reference)
        return None, reference
    if reference.isascii() and reference.isdecimal():
        file_id = int(reference) if len(reference) < 20 else MAX_ID
    else:
        file_id = files.file_id_of_path(connection, reference) or 0
    found = files.get_file(connection, min(file_id, MAX_ID))
    if found is None:
        raise no_such("file", reference)
    return found, found.sha256


def _not_processed(file: FileRow | None) -> RequestError:
    state = f"the file is {file.state}" + (f" ({file.reason})" if file.reason else "") if file else "the file is waiting"
    advice = reason_advice(file.reason) if file and file.reason else "Ask again when it is done; GET /api/files/{id} tells its state."
    return RequestError(409, Problem(code="not_processed", message=f"there is no result yet: {state}", advice=advice))
