"""Files: the list, and one image with what was found in it."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from edge.errors import Reason
from edge.store.connection import snapshot
from edge.store.crops import crops_of_image
from edge.store.reads import decisions, files, footage, overview, results
from edge.store.reads.files import FileState, Original
from edge.web.deps import DEFAULT_LIMIT, After, ApplianceHere, FileId, Filter, Limit, filter_query, filter_words
from edge.web.errors import no_such
from edge.web.pages import query, render

router = APIRouter(include_in_schema=False)


@router.get("/files")
def list_files(
    request: Request,
    appliance: ApplianceHere,
    which: Filter,
    limit: Limit = None,
    after: After = None,
    *,
    pictures: Annotated[bool, Query()] = False,
) -> Response:
    """Files that pass the filter, newest first."""
    with appliance.reader() as connection, snapshot(connection):
        page = files.list_files(connection, which, limit=limit or DEFAULT_LIMIT, after=after)
        recipes = overview.totals_by_recipe(connection)
        folders = files.recent_folders(connection)
    chosen = {**filter_query(which), "limit": limit, "pictures": pictures or None}
    return render(
        request,
        "files.html",
        page=page,
        which=which,
        totals=overview.sum_totals(recipes, which.recipe),
        recipes=[one.recipe for one in recipes],
        folders=folders,
        pictures=pictures,
        first=after is None,
        states=list(FileState),
        originals=list(Original),
        reasons=list(Reason),
        words=filter_words(which),
        kept=query(**filter_query(which)),
        link=lambda **changes: "/files?" + query(**{**chosen, **changes}),
    )


@router.get("/files/{file_id}")
def image(request: Request, appliance: ApplianceHere, file_id: FileId, which: Filter) -> Response:
    """One image with its objects, facts and runs; the filter of the list says what comes before and after."""
    with appliance.reader() as connection, snapshot(connection):
        file = files.get_file(connection, file_id)
        if file is None:
            raise no_such("file", file_id)
        runs = results.runs_of_image(connection, file.sha256) if file.sha256 else ()
        sightings = files.sightings_of(connection, file.sha256, limit=20) if file.sha256 else (file,)
        around = files.neighbours(connection, which, file_id)
        older = files.get_file(connection, around.older_id) if around.older_id else None
        clip = footage.clip_of_content(connection, file.sha256) if file.sha256 else None
        crops = crops_of_image(connection, file.sha256) if file.sha256 else {}
        review = decisions.review_of_file(connection, file.sha256, file.recipe) if file.sha256 else None
    current = next((run for run in runs if run.run_uuid == file.run_uuid), None)
    return render(
        request,
        "image.html",
        file=file,
        runs=runs,
        crops=crops,
        current=current,
        review=review,
        clip=clip,
        clip_faults=json.loads(clip.faults_json) if clip else [],
        sightings=sightings,
        around=around,
        words=filter_words(which),
        kept=query(**filter_query(which)),
        picture_expected=file.reason not in {Reason.TOO_MANY_PIXELS, Reason.TOO_MANY_BYTES, Reason.NOT_A_REGULAR_FILE},
        next_picture_id=older.file_id if older and older.state is FileState.DONE and older.original is Original.PRESENT else None,
    )
