"""Home: what is happening now."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import overview, results
from edge.web.deps import ApplianceHere
from edge.web.pages import render

router = APIRouter(include_in_schema=False)

LAST_FILES = 14


@router.get("/")
def home(request: Request, appliance: ApplianceHere) -> Response:
    """Phase, throughput, queue, disk, model, totals and the files that came last."""
    with appliance.reader() as connection, snapshot(connection):
        recipes = overview.totals_by_recipe(connection)
        last = results.last_finished(connection, limit=LAST_FILES)
    return render(request, "home.html", recipes=recipes, last=last)
