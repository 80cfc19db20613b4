"""The JSON API of comparisons: two models on the same files, apart from the results of record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.cells import columns_of, to_cell
from edge.recipes.choices import MAX_COMPARED_FILES, FilesChoice, VariantChoice, WhichFiles
from edge.store.connection import snapshot
from edge.store.reads.comparisons import (
    ComparedBoxes,
    ComparedFile,
    ComparisonRow,
    FileOrder,
    compared_boxes,
    compared_files,
    get_comparison,
    list_comparisons,
)
from edge.store.sqlite import Connection
from edge.web.deps import MAX_ID, Actor, ApplianceHere, FileId
from edge.web.errors import Problem, RequestError, no_such
from models.compare import CompareFigures, CountedFile, sum_up

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api/comparisons", tags=["comparisons"], responses=REFUSALS)

Name = Annotated[str, Field(min_length=1, max_length=100)]
ComparisonId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the comparison.")]
Order = Annotated[
    FileOrder, Query(description="`disagreement`: failed files, then those with the most boxes without a partner, come first.")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SideBody(_Body):
    """An installed pack; without a variant the one that would serve on this machine."""

    model: Name
    version: Name
    variant: Name | None = None

    def choice(self) -> VariantChoice:
        """The same for the desk."""
        return VariantChoice(name=self.model, version=self.version, variant=self.variant)


class CompareBody(_Body):
    """A and B, and the files: the newest of a recipe, some drawn by chance, or the newest of one folder (a tow)."""

    recipe: Name
    a: SideBody
    b: SideBody
    files: WhichFiles = "newest"
    folder: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_COMPARED_FILES)] = 100

    @model_validator(mode="after")
    def _folder_is_named(self) -> CompareBody:
        if (self.files == "folder") != (self.folder is not None):
            raise ValueError('send `folder` with `"files": "folder"`, and only then')
        return self

    def choice(self) -> FilesChoice:
        """The files, for the desk."""
        return FilesChoice(recipe=self.recipe, which=self.files, limit=self.limit, folder_id=self.folder)


class Asked(BaseModel):
    """The comparison that begins."""

    comparison_id: int


class Accepted(BaseModel):
    """It was done."""

    accepted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonAnswer:
    """A comparison, its figures so far, and whether it waits until the real queue is empty."""

    comparison: ComparisonRow
    figures: CompareFigures
    waits_for_queue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedFileAnswer:
    """One file with the boxes of both models, or without where it failed."""

    file: ComparedFile
    boxes: ComparedBoxes | None


@router.post("", summary="Compare two models on the same files", status_code=202)
def ask_for(appliance: ApplianceHere, actor: Actor, body: CompareBody) -> Asked:
    """Begins when no comparison before it is left, and goes on whenever the real queue is empty. Nothing becomes a result."""
    return Asked(comparison_id=appliance.desk.compare(body.a.choice(), body.b.choice(), body.choice(), actor))


@router.get("", summary="The last comparisons")
def all_kept(appliance: ApplianceHere) -> list[ComparisonRow]:
    """The last 20, newest first."""
    with appliance.reader() as connection:
        return list(list_comparisons(connection))


@router.get("/{comparison_id}", summary="One comparison")
def one(appliance: ApplianceHere, comparison_id: ComparisonId) -> ComparisonAnswer:
    """How far it is, and its figures so far. A difference is always B minus A."""
    with appliance.reader() as connection, snapshot(connection):
        row = find_comparison(connection, comparison_id)
        figures = figures_of(compared_files(connection, comparison_id))
    return ComparisonAnswer(comparison=row, figures=figures, waits_for_queue=appliance.desk.yielding_comparison() == comparison_id)


@router.get("/{comparison_id}/files", summary="The files of a comparison")
def files_of(appliance: ApplianceHere, comparison_id: ComparisonId, order: Order = "disagreement") -> list[ComparedFile]:
    """What A and B count in each file, and how their boxes agree."""
    with appliance.reader() as connection, snapshot(connection):
        find_comparison(connection, comparison_id)
        return list(compared_files(connection, comparison_id, order=order))


@router.get("/{comparison_id}/files/{file_id}", summary="The boxes of both models in one file")
def boxes_of(appliance: ApplianceHere, comparison_id: ComparisonId, file_id: FileId) -> ComparedFileAnswer:
    """Each box as [x_min, y_min, x_max, y_max, score, label, partner], pixels; the partner is its place in the other list, or null."""
    with appliance.reader() as connection, snapshot(connection):
        file = next((one for one in compared_files(connection, comparison_id) if one.file_id == file_id), None)
        if file is None:
            raise no_such("file of this comparison with the id", file_id)
        return ComparedFileAnswer(file=file, boxes=compared_boxes(connection, comparison_id, file_id))


@router.get("/{comparison_id}/csv", summary="A comparison as CSV", response_class=Response)
def as_csv(appliance: ApplianceHere, comparison_id: ComparisonId) -> Response:
    """One row for each file, in order of their paths."""
    with appliance.reader() as connection, snapshot(connection):
        row = find_comparison(connection, comparison_id)
        text = csv_text(row, compared_files(connection, comparison_id, order="name"))
    headers = {"content-disposition": f'attachment; filename="comparison-{comparison_id}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/{comparison_id}/cancel", summary="End a comparison now")
def cancel(appliance: ApplianceHere, actor: Actor, comparison_id: ComparisonId) -> Accepted:
    """What was compared until then stays."""
    with appliance.reader() as connection:
        find_comparison(connection, comparison_id)
    appliance.desk.cancel_comparison(comparison_id, actor)
    return Accepted()


@router.post("/{comparison_id}/delete", summary="Forget a comparison")
def delete(appliance: ApplianceHere, actor: Actor, comparison_id: ComparisonId) -> Accepted:
    """One that has not ended must be cancelled first."""
    with appliance.reader() as connection:
        row = find_comparison(connection, comparison_id)
    if row.is_open:
        raise RequestError(409, Problem(code="not_ended", message="the comparison has not ended", advice="Cancel it first."))
    appliance.desk.delete_comparison(comparison_id, actor)
    return Accepted()


def find_comparison(connection: Connection, comparison_id: int) -> ComparisonRow:
    """A comparison that is kept.

    Raises:
        RequestError: 404, there is none with that id.
    """
    row = get_comparison(connection, comparison_id)
    if row is None:
        advice = "Only the last 20 are kept; the Models page lists them."
        raise RequestError(404, Problem(code="not_found", message=f"there is no comparison {comparison_id}", advice=advice))
    return row


def figures_of(files: Iterable[ComparedFile]) -> CompareFigures:
    """The figures over the files that both models could process."""
    return sum_up(
        [
            CountedFile(
                a_count=file.a_count or 0,
                b_count=file.b_count or 0,
                matched=file.matched or 0,
                a_infer_ms=file.a_infer_ms or 0.0,
                b_infer_ms=file.b_infer_ms or 0.0,
            )
            for file in files
            if file.state == "done"
        ]
    )


_SIDE_COLUMNS = ("a_model", "a_version", "a_variant", "b_model", "b_version", "b_variant")


def csv_text(row: ComparisonRow, files: Iterable[ComparedFile]) -> str:
    """A table of the files, each with what A and B were."""
    columns = columns_of(ComparedFile)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*columns, *_SIDE_COLUMNS))
    sides = [to_cell(getattr(row, column)) for column in _SIDE_COLUMNS]
    for file in files:
        writer.writerow([*(to_cell(getattr(file, column)) for column in columns), *sides])
    return out.getvalue()
