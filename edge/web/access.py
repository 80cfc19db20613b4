"""Who may call what: one table, a line for each method and address of the application.

An address stands as its route spells it. A request that several lines fit needs the strictest of them; one that none fits
is for administrators (there is nothing there). A test walks every route and holds the two together.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from starlette.routing import compile_path

from edge.survey.people import Role


class Door(StrEnum):
    """What needs no role: `OPEN` is for everybody, `LOCAL` for programs on this machine, and for those who may view."""

    OPEN = "open"
    LOCAL = "local"


OPEN, LOCAL = Door.OPEN, Door.LOCAL
VIEW, COUNT, REVIEW, ADMINISTER = Role

Need = Role | Door

RULES: dict[str, Need] = {
    # What is needed before anybody has signed in
    "GET /static/{path:path}": OPEN,
    "GET /healthz": OPEN,
    "GET /sign-in": OPEN,
    "POST /actions/sign-in": OPEN,
    "POST /api/sign-in": OPEN,
    "POST /actions/people/first": OPEN,  # answers only while there is no account, and only on the machine itself
    "GET /metrics": LOCAL,
    # Pages
    "GET /": VIEW,
    "GET /files": VIEW,
    "GET /files/{file_id}": VIEW,
    "GET /failures": VIEW,
    "GET /health": VIEW,
    "GET /models": VIEW,
    "GET /models/confirm": VIEW,
    "GET /models/comparisons/{comparison_id:int}": VIEW,
    "GET /models/comparisons/{comparison_id:int}/{file_id:int}": VIEW,
    "GET /models/{model}/{version}": VIEW,
    "GET /api": VIEW,
    # One's own account
    "GET /account": VIEW,
    "POST /actions/account/password": VIEW,
    "POST /actions/account/pin": VIEW,
    "POST /actions/sign-out": VIEW,
    "POST /actions/sign-out/everywhere": VIEW,
    # Accounts
    "GET /people": ADMINISTER,
    "GET /people/{person_id:int}": ADMINISTER,
    "GET /audit": ADMINISTER,
    "POST /actions/people/add": ADMINISTER,
    "POST /actions/people/{person_id:int}/{what}": ADMINISTER,
    "POST /api/sign-out": VIEW,
    "GET /api/me": VIEW,
    "GET /api/people": ADMINISTER,
    "POST /api/people": ADMINISTER,
    "POST /api/people/{name}/role": ADMINISTER,
    "POST /api/people/{name}/password": ADMINISTER,
    "POST /api/people/{name}/pin": ADMINISTER,
    "POST /api/people/{name}/unlock": ADMINISTER,
    "POST /api/people/{name}/retire": ADMINISTER,
    "GET /api/audit": ADMINISTER,
    "GET /api/audit/export": ADMINISTER,
    # Surveys, protocols and station sheets
    "GET /surveys": VIEW,
    "GET /surveys/{survey_id:int}": VIEW,
    "GET /surveys/{survey_id:int}/import": COUNT,
    "GET /surveys/{survey_id:int}/protocol": VIEW,
    "GET /stations/{station_id:int}": VIEW,
    "POST /actions/surveys/create": REVIEW,
    "POST /actions/surveys/{survey_id:int}/ground": REVIEW,
    "POST /actions/surveys/{survey_id:int}/station": COUNT,
    "POST /actions/surveys/{survey_id:int}/protocol": REVIEW,
    "POST /actions/tows/{tow_id:int}/sheet": COUNT,
    "POST /actions/stations/{station_id:int}/tow": COUNT,
    "POST /actions/stations/{station_id:int}/adopt": COUNT,
    "GET /surveys/{survey_id:int}/media": VIEW,
    "POST /actions/surveys/{survey_id:int}/camera": REVIEW,
    "POST /actions/surveys/{survey_id:int}/attach": REVIEW,
    "POST /actions/folders/{folder_id:int}/of-no-survey": ADMINISTER,
    "POST /actions/folders/{folder_id:int}/of-a-survey": ADMINISTER,
    "GET /api/folders/of-no-survey": VIEW,
    "POST /api/folders/{folder_id}/of-no-survey": ADMINISTER,
    "POST /api/folders/{folder_id}/of-a-survey": ADMINISTER,
    "POST /actions/tows/{tow_id:int}/copy": REVIEW,
    "POST /actions/copies/{copy_id:int}/cancel": REVIEW,
    "GET /api/surveys/{survey_id}/cameras": VIEW,
    "POST /api/surveys/{survey_id}/cameras": REVIEW,
    "GET /api/tows/{tow_id}/images": VIEW,
    "POST /api/tows/{tow_id}/images": REVIEW,
    "GET /api/tows/{tow_id}/copies": VIEW,
    "POST /api/tows/{tow_id}/copies": REVIEW,
    "GET /api/copies/{copy_id}": VIEW,
    "POST /api/copies/{copy_id}/cancel": REVIEW,
    "GET /api/surveys": VIEW,
    "GET /api/surveys/drafts": VIEW,
    "GET /api/surveys/{survey_id}": VIEW,
    "GET /api/sheet/fields": VIEW,
    "GET /api/tows/{tow_id}/sheet": VIEW,
    "GET /api/tows/{tow_id}/sheet/history": VIEW,
    "POST /api/surveys": REVIEW,
    "POST /api/surveys/{survey_id}/grounds": REVIEW,
    "POST /api/surveys/{survey_id}/protocol": REVIEW,
    "POST /api/surveys/{survey_id}/stations": COUNT,
    "POST /api/stations/{station_id}/tows": COUNT,
    "POST /api/sheet/import": COUNT,
    "POST /api/tows/{tow_id}/sheet": COUNT,
    "POST /api/tows/{tow_id}/sheet/undo": COUNT,
    # ZooScan
    "GET /scans": VIEW,
    "GET /scans/{scan_id:int}": VIEW,
    "GET /scans/{scan_id:int}/check": VIEW,
    "GET /scans/{scan_id:int}/export": VIEW,
    "POST /actions/scans/{scan_id:int}/retry": COUNT,
    "POST /actions/scans/{scan_id:int}/reprocess": REVIEW,
    "POST /actions/scans/{scan_id:int}/push": REVIEW,
    "POST /actions/scans/{scan_id:int}/pull": REVIEW,
    "POST /actions/scans/{scan_id:int}/transfers/{transfer_id:int}/cancel": REVIEW,
    "GET /api/scans": VIEW,
    "GET /api/scans/{scan_id}": VIEW,
    "GET /api/scans/{scan_id}/objects": VIEW,
    "GET /api/scans/{scan_id}/outlines": VIEW,
    "GET /api/scans/{scan_id}/objects/{key}": VIEW,
    "GET /api/scans/{scan_id}/objects/{key}/vignette": VIEW,
    "GET /api/scans/{scan_id}/objects/{key}/crop": VIEW,
    "GET /api/scans/{scan_id}/tiles/{level}/{column}/{row}": VIEW,
    "GET /api/scans/{scan_id}/check": VIEW,
    "GET /api/scans/{scan_id}/export": VIEW,
    "GET /api/scans/{scan_id}/export/legacy": VIEW,
    "GET /api/scans/{scan_id}/export/{kind}": VIEW,
    "GET /api/scans/{scan_id}/figures": VIEW,
    "GET /api/scans/{scan_id}/form": VIEW,
    "POST /api/scans/{scan_id}/form": COUNT,
    "POST /api/scans/{scan_id}/retry": COUNT,
    "POST /api/scans/{scan_id}/reprocess": REVIEW,
    "POST /api/scans/{scan_id}/decisions": REVIEW,
    "POST /api/scans/{scan_id}/undo": REVIEW,
    "POST /api/scans/{scan_id}/lines/preview": REVIEW,
    "POST /api/scans/{scan_id}/lines/propose": REVIEW,
    "POST /api/scans/{scan_id}/lines": REVIEW,
    "POST /api/scans/{scan_id}/lines/accept": REVIEW,
    "POST /api/scans/{scan_id}/lines/erase": REVIEW,
    "POST /api/scans/{scan_id}/sign": REVIEW,
    "POST /api/scans/{scan_id}/withdraw": REVIEW,
    # EcoTaxa
    "GET /scans/ecotaxa": VIEW,
    "POST /actions/ecotaxa/{transfer_id:int}/cancel": REVIEW,
    "POST /actions/ecotaxa/{transfer_id:int}/answer": REVIEW,
    "POST /actions/ecotaxa/{transfer_id:int}/again": REVIEW,
    "POST /actions/ecotaxa/retry": REVIEW,
    "POST /actions/ecotaxa/login": ADMINISTER,
    "POST /actions/ecotaxa/logout": ADMINISTER,
    "GET /api/ecotaxa/transfers": VIEW,
    "GET /api/ecotaxa/transfers/{transfer_id}": VIEW,
    "GET /api/ecotaxa/login": REVIEW,
    "POST /api/ecotaxa/push": REVIEW,
    "POST /api/ecotaxa/pull": REVIEW,
    "POST /api/ecotaxa/pull-file": ADMINISTER,  # this machine reads the file
    "POST /api/ecotaxa/transfers/{transfer_id}/cancel": REVIEW,
    "POST /api/ecotaxa/transfers/{transfer_id}/answer": REVIEW,
    "POST /api/ecotaxa/retry": REVIEW,
    "POST /api/ecotaxa/login": ADMINISTER,
    "POST /api/ecotaxa/logout": ADMINISTER,
    # Annotation in CVAT; nothing of it tells what is found on a station that is counted blind
    "GET /annotate": VIEW,
    "GET /annotate/new": REVIEW,
    "GET /annotate/conflicts": VIEW,
    "GET /annotate/agreement": VIEW,
    "GET /annotate/doctor": REVIEW,  # it asks the server
    "GET /annotate/tasks/{task_uuid}": VIEW,
    "POST /actions/annotate/push": REVIEW,
    "POST /actions/annotate/pull": REVIEW,
    "POST /actions/annotate/retry": REVIEW,
    "POST /actions/annotate/tasks/{task_uuid}/pull": REVIEW,
    "POST /actions/annotate/tasks/{task_uuid}/retry": REVIEW,
    "POST /actions/annotate/tasks/{task_uuid}/cancel": REVIEW,
    "POST /actions/annotate/login": ADMINISTER,
    "POST /actions/annotate/logout": ADMINISTER,
    "GET /api/annotate": VIEW,
    "GET /api/annotate/tasks": VIEW,
    "GET /api/annotate/tasks/{task_uuid}": VIEW,
    "GET /api/annotate/conflicts": VIEW,
    "GET /api/annotate/agreement": VIEW,
    "GET /api/annotate/doctor": REVIEW,
    "POST /api/annotate/tasks": REVIEW,
    "POST /api/annotate/preview": REVIEW,
    "POST /api/annotate/pull": REVIEW,
    "POST /api/annotate/retry": REVIEW,
    "POST /api/annotate/tasks/{task_uuid}/pull": REVIEW,
    "POST /api/annotate/tasks/{task_uuid}/retry": REVIEW,
    "POST /api/annotate/tasks/{task_uuid}/cancel": REVIEW,
    "POST /api/annotate/login": ADMINISTER,
    "POST /api/annotate/logout": ADMINISTER,
    # What goes ashore
    "GET /sync": VIEW,
    "POST /actions/sync/now": REVIEW,
    "POST /actions/sync/retry": REVIEW,
    "POST /actions/sync/pause": REVIEW,
    "POST /actions/sync/resume": REVIEW,
    "POST /actions/sync/usb": ADMINISTER,  # this machine writes into the folder
    "GET /api/sync": VIEW,
    "GET /api/sync/bundles": VIEW,
    "POST /api/sync/now": REVIEW,
    "POST /api/sync/retry": REVIEW,
    "POST /api/sync/pause": REVIEW,
    "POST /api/sync/resume": REVIEW,
    "POST /api/sync/usb/export": ADMINISTER,  # this machine writes into the folder
    "POST /api/sync/usb/import": ADMINISTER,  # this machine reads the folder
    # What the buttons of the pages do
    "POST /actions/retry": COUNT,
    "POST /actions/rescan": COUNT,
    "POST /actions/reprocess": REVIEW,
    "POST /actions/pause": REVIEW,
    "POST /actions/resume": REVIEW,
    "POST /actions/activate": ADMINISTER,
    "POST /actions/rollback": ADMINISTER,
    "POST /actions/models/install": ADMINISTER,
    "POST /actions/models/prove": ADMINISTER,
    "POST /actions/models/remove": ADMINISTER,
    "POST /actions/comparisons/start": REVIEW,
    "POST /actions/comparisons/cancel": REVIEW,
    "POST /actions/comparisons/delete": REVIEW,
    "GET /surveys/{survey_id:int}/export": VIEW,
    "GET /api/surveys/{survey_id}/tables/{table}": VIEW,
    "POST /api/survey-tables": ADMINISTER,  # this machine reads the file
    "POST /api/surveys/{survey_id}/tables": ADMINISTER,  # it brings counts in other people's names
    # Tracks, widths, results
    "GET /stations/{station_id:int}/track": VIEW,
    "GET /stations/{station_id:int}/result": VIEW,
    "GET /stations/{station_id:int}/report": VIEW,
    "GET /surveys/{survey_id:int}/overview": VIEW,
    "POST /actions/tracks/import": ADMINISTER,  # this machine reads the file
    "POST /actions/tracks/choose": COUNT,
    "POST /actions/tracks/distance": COUNT,
    "POST /actions/tracks/width": COUNT,
    "POST /actions/tracks/withdraw": REVIEW,
    "POST /actions/tracks/restore": REVIEW,
    "GET /api/stations/{station_id}/result": VIEW,
    "GET /api/surveys/{survey_id}/estimate": VIEW,
    "GET /api/tows/{tow_id}/track": VIEW,
    "POST /api/stations/ensure": COUNT,
    "POST /api/tows/{tow_id}/tracks": ADMINISTER,  # this machine reads the file
    "POST /api/tows/{tow_id}/tracks/upload": COUNT,
    "POST /api/tows/{tow_id}/distance": COUNT,
    "POST /api/tows/{tow_id}/width": COUNT,
    "POST /api/tracks/withdraw": REVIEW,
    "POST /api/tracks/restore": REVIEW,
    # Blind counting: whose count it is, the desk says besides
    "GET /tows/{tow_id:int}/count": VIEW,
    "POST /actions/tows/{tow_id:int}/count": COUNT,
    "POST /actions/tows/{tow_id:int}/reference": ADMINISTER,
    "GET /stations/{station_id:int}/counts": VIEW,
    "POST /actions/counts/{count_id:int}/set-aside": ADMINISTER,
    "POST /actions/tows/{tow_id:int}/break-seal": ADMINISTER,
    "POST /actions/tows/{tow_id:int}/release": ADMINISTER,
    "POST /api/tows/{tow_id}/release": ADMINISTER,
    "POST /actions/tows/{tow_id:int}/new-round": ADMINISTER,
    "POST /api/tows/{tow_id}/new-round": ADMINISTER,
    "POST /actions/surveys/{survey_id:int}/new-rounds": ADMINISTER,
    "POST /api/surveys/{survey_id}/new-rounds": ADMINISTER,
    "GET /stations/{station_id:int}/compare": VIEW,
    "GET /surveys/{survey_id:int}/agreement": VIEW,
    "POST /actions/surveys/{survey_id:int}/qualification-rule": ADMINISTER,
    "GET /api/stations/{station_id}/compare": VIEW,
    "GET /api/surveys/{survey_id}/agreement": VIEW,
    "GET /api/tows/{tow_id}/frames": VIEW,
    "GET /api/tows/{tow_id}/frames/{number}": VIEW,
    "GET /api/tows/{tow_id}/counts": VIEW,
    "POST /api/tows/{tow_id}/count": COUNT,
    "GET /api/counts/{count_id}": COUNT,
    "POST /api/counts/{count_id}": COUNT,
    "POST /api/counts/{count_id}/sign": COUNT,
    # Reviews of what a model found; of a tow that is counted blind there is nothing to see
    "GET /tows/{tow_id:int}/review": VIEW,
    "GET /tows/{tow_id:int}/footage": VIEW,
    "GET /tows/{tow_id:int}/strip": VIEW,
    "GET /api/tows/{tow_id}/strip": VIEW,
    "GET /api/tows/{tow_id}/strip/tiles/{tile_id}": VIEW,
    "GET /api/tows/{tow_id}/strip/frame": VIEW,
    "GET /api/tows/{tow_id}/strip/picture": VIEW,
    "GET /surveys/{survey_id:int}/model": VIEW,
    "GET /api/tows/{tow_id}/openings": VIEW,
    "GET /api/tows/{tow_id}/openings/order": VIEW,
    "GET /api/tows/{tow_id}/review": VIEW,
    "GET /tows/{tow_id:int}/check": REVIEW,
    "GET /tows/{tow_id:int}/review/earlier": VIEW,
    "GET /api/tows/{tow_id}/check": VIEW,
    "GET /api/tows/{tow_id}/check/marks": REVIEW,
    "POST /api/tows/{tow_id}/check/marks": REVIEW,
    "POST /api/tows/{tow_id}/check/draw": REVIEW,
    "POST /api/tows/{tow_id}/check/finish": REVIEW,
    "POST /api/tows/{tow_id}/check/decline": REVIEW,
    "POST /api/tows/{tow_id}/check/take-over": ADMINISTER,
    "GET /api/tows/{tow_id}/review/earlier": VIEW,
    "POST /api/tows/{tow_id}/review/carry": REVIEW,
    "POST /api/tows/{tow_id}/decisions": REVIEW,
    "POST /api/tows/{tow_id}/groups": REVIEW,
    "POST /api/tows/{tow_id}/review/undo": REVIEW,
    "GET /api/openings/{opening_id}/chips": VIEW,
    "GET /api/openings/{opening_id}/frames": VIEW,
    "GET /api/openings/{opening_id}/frames/{number}": VIEW,
    "GET /api/surveys/{survey_id}/model": VIEW,
    # The JSON API, reading
    "GET /api/openapi.json": VIEW,
    "GET /api/status": VIEW,
    "GET /api/files": VIEW,
    "GET /api/files/{file_id}": VIEW,
    "GET /api/files/{file_id}/reviewed-objects": VIEW,
    "POST /api/files/{file_id}/decisions": REVIEW,
    "GET /api/files/{file_id}/picture": VIEW,
    "GET /api/files/{file_id}/thumbnail": VIEW,
    "GET /api/runs": VIEW,
    "GET /api/objects": VIEW,
    "GET /api/failures": VIEW,
    "GET /api/issues": VIEW,
    "GET /api/models": VIEW,
    "GET /api/models/tasks": VIEW,
    "GET /api/models/tasks/{task_id}": VIEW,
    "GET /api/models/packs/{model}/{version}": VIEW,
    "GET /api/models/packs/{model}/{version}/goldens/{index}": VIEW,
    "GET /api/models/packs/{model}/{version}/documents/{path:path}": VIEW,
    "GET /api/comparisons": VIEW,
    "GET /api/comparisons/{comparison_id}": VIEW,
    "GET /api/comparisons/{comparison_id}/files": VIEW,
    "GET /api/comparisons/{comparison_id}/files/{file_id}": VIEW,
    "GET /api/comparisons/{comparison_id}/csv": VIEW,
    "GET /api/events": VIEW,
    # The JSON API, changing
    "POST /api/files/retry": COUNT,
    "POST /api/rescan": COUNT,
    "POST /api/reprocess": REVIEW,
    "POST /api/pause": REVIEW,
    "POST /api/resume": REVIEW,
    "POST /api/models/activate": ADMINISTER,
    "POST /api/models/rollback": ADMINISTER,
    "POST /api/models/install": ADMINISTER,
    "POST /api/models/upload": ADMINISTER,
    "POST /api/models/prove": ADMINISTER,
    "POST /api/models/remove": ADMINISTER,
    "POST /api/comparisons": REVIEW,
    "POST /api/comparisons/{comparison_id}/cancel": REVIEW,
    "POST /api/comparisons/{comparison_id}/delete": REVIEW,
}

_ORDER: tuple[Need, ...] = (OPEN, LOCAL, VIEW, COUNT, REVIEW, ADMINISTER)


def need_of(method: str, path: str) -> Need | None:
    """What a request needs: the strictest line that fits, or None where there is none.

    Args:
        method: as it was sent; HEAD needs what GET needs.
        path: decoded, as the router sees it.
    """
    fitting = [need for pattern, need in _patterns("GET" if method == "HEAD" else method) if pattern.match(path)]
    return max(fitting, key=_ORDER.index, default=None)


@lru_cache(maxsize=16)
def _patterns(method: str) -> tuple[tuple[re.Pattern[str], Need], ...]:
    """The lines of a method, by the very expressions that the router makes of its routes."""
    lines = [(line.partition(" "), need) for line, need in RULES.items()]
    return tuple((compile_path(path)[0], need) for (of_method, _, path), need in lines if of_method == method)
