"""A comparison of two models: figures, the files by disagreement, and both sets of boxes on the picture."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads.comparisons import FileOrder, compared_boxes, compared_files
from edge.store.reads.files import get_file
from edge.web.deps import ApplianceHere
from edge.web.errors import no_such
from edge.web.pages import render
from edge.web.routes.api_comparisons import figures_of, find_comparison

router = APIRouter(include_in_schema=False)

SHOWN_FILES = 300

Order = Annotated[FileOrder, Query()]
Everything = Annotated[bool, Query(alias="all")]


@router.get("/models/comparisons/{comparison_id:int}")
def show_comparison(
    request: Request, appliance: ApplianceHere, comparison_id: int, order: Order = "disagreement", everything: Everything = False
) -> Response:
    """Figures over all files, and the first files, or all."""
    with appliance.reader() as connection, snapshot(connection):
        row = find_comparison(connection, comparison_id)
        files = compared_files(connection, comparison_id, order=order)
    yielding = appliance.desk.yielding_comparison() == comparison_id
    return render(
        request,
        "comparison.html",
        row=row,
        files=files if everything else files[:SHOWN_FILES],
        figures=figures_of(files),
        order=order,
        yielding=yielding,
    )


@router.get("/models/comparisons/{comparison_id:int}/{file_id:int}")
def show_compared_file(
    request: Request, appliance: ApplianceHere, comparison_id: int, file_id: int, order: Order = "disagreement"
) -> Response:
    """One file with the boxes of both; the order of the list says what comes before and after."""
    with appliance.reader() as connection, snapshot(connection):
        row = find_comparison(connection, comparison_id)
        files = compared_files(connection, comparison_id, order=order)
        place = next((at for at, one in enumerate(files) if one.file_id == file_id), None)
        file = get_file(connection, file_id)
        if place is None or file is None:
            raise no_such("file of this comparison with the id", file_id)
        boxes = compared_boxes(connection, comparison_id, file_id)
    return render(
        request,
        "compared_file.html",
        row=row,
        compared=files[place],
        file=file,
        boxes=boxes,
        position=place + 1,
        count=len(files),
        before=files[place - 1].file_id if place else None,
        after=files[place + 1].file_id if place + 1 < len(files) else None,
        order=order,
    )
