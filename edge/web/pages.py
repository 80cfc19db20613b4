"""Render a page: the frame around each, with what is happening now in its head."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edge import __version__
from edge.errors import StoreError
from edge.store.clock import utc_now
from edge.store.reads import condition, overview
from edge.store.sqlite import sqlite3
from edge.survey.counting.reference import qualification_words
from edge.web import text
from edge.web.appliance import Appliance, LiveStatus
from edge.web.callers import Caller, Entrance
from edge.web.offers import CsrfFields, may_call

OLD_AFTER_S = 15.0
FOLDER = Path(__file__).parent

NOTICES = {
    "retried": "Queued again: {n}.",
    "rescan": "Every watched folder is being compared with the database.",
    "reprocess": "Queued for reprocessing: {n}. The present results stay until the new ones are there, and after.",
    "activated": "The model serves from now on. Results that exist stay as they are; reprocess to make new ones.",
    "rolled_back": "The model before serves again.",
    "installing": "The pack is being checked; it is listed when a variant of it has proven itself here.",
    "proving": "Goldens and speed are being run again.",
    "removed": "The files of that version are gone. What it found stays.",
    "comparison_cancelled": "The comparison ends now. What was compared until then stays.",
    "comparison_deleted": "The comparison is forgotten.",
    "paused": "Paused. What is in work is finished; nothing new is taken until you resume.",
    "resumed": "Resumed.",
    "first_account": "The first account is made, and you are signed in. Everybody signs in from now on.",
    "signed_out": "You are signed out.",
    "password_changed": "The password is changed. Your other sign-ins have ended.",
    "pin_set": "The PIN is set. It signs counts, for nobody but you.",
    "pin_removed": "The PIN is removed.",
    "person_added": "The account is made. Tell the password in person.",
    "person_changed": "Done. It holds at once.",
    "track_imported": "The track is imported. What could not be used of it is listed below it.",
    "distance_set": "The distance is in force. The one before stays as history.",
    "width_set": "The width is in force. The one before stays as history.",
    "withdrawn": "Withdrawn; nothing was deleted. The page says what is in force now; Restore brings it back.",
    "restored": "Restored. Of what stands, the newest is in force.",
    "survey_made": "The survey is made. State its protocol, then import its sheet or add stations.",
    "ground_set": "The ground is set. Sheets that name it were read again.",
    "protocol_set": "The rules are stated. New counts are made under them.",
    "sheet_kept": "The sheet is kept.",
    "camera_set": "The camera is set. Its files are attached again by themselves.",
    "attached": "Images that belong to another tow now: {n}.",
    "copying": "The copy has begun. Every file is read back; only then it is a second copy.",
    "copy_cancelled": "The copy ends now. What is there stays; another copy goes on from it.",
    "station_adopted": "The station belongs to the survey.",
    "count_set_aside": "The count is set aside. What is in it stays, with the reason.",
    "folder_freed": "What models find in this folder is shown from now on. What is sealed there is opened now, which may take minutes.",
    "folder_taken_back": "What models find in this folder from now on is sealed.",
    "new_round": "A new round is begun. Counts that were set aside and sealed again: {n}.",
    "new_rounds": "New rounds are begun: {n}. These tows are counted blind, and their results say that they could be seen before.",
    "released": "Released. Results of models that everybody can see now: {n}.",
    "seal_broken": "The seal is broken: what was signed can be read by everybody now.",
    "reference_set": "The known counts are kept. Nobody sees them before their own signature.",
    "rule_set": "What is asked of counters is set. Results that exist stay as they were judged.",
    "scan_queued": "Processing was asked for: {n}. The state of the scan says how far it is; what was decided and drawn stays.",
    "scan_sent": "The scan is on its way to EcoTaxa. Without a link it waits here.",
    "scan_fetched": "The categories of the scan are fetched. Without a link that waits here.",
    "transfer_cancelled": "The transfer ends.",
    "none_chosen": "No file was chosen: tick the boxes of the files first (key x).",
    "transfer_answered": "Answered; the import goes on.",
    "transfers_retried": "Tried again now: {n}.",
    "ecotaxa_signed_in": "Signed in at EcoTaxa; what waits goes on.",
    "ecotaxa_kept": "EcoTaxa was not reached: name and password are kept, and tried when there is a link.",
    "ecotaxa_forgotten": "Token and password are forgotten.",
    "cvat_queued": "The task is queued. It goes as soon as CVAT answers; this page says how far it is.",
    "cvat_stood": "A task of this stands already: it is this one. Nothing was sent again.",
    "cvat_pulls": "Asked for what people made, of tasks: {n}. It comes as soon as CVAT answers.",
    "cvat_retried": "Tried again now: {n}.",
    "cvat_cancelled": "The task is cancelled. What came back stays.",
    "cvat_signed_in": "Signed in at CVAT; what waits goes on.",
    "sync_now": "Every far side is tried now, in its windows and its budget.",
    "sync_retried": "Tried again now: {n}.",
    "sync_paused": "Nothing goes ashore until it is resumed. Results wait; none is lost.",
    "sync_resumed": "What waits goes on.",
    "usb_filled": "Bundles that are on the stick now, and were read back: {n}. It can be pulled out.",
    "usb_own_disk": "Bundles written and read back: {n}. But that folder lies on the appliance's own disk: is the stick mounted there?",
    "cvat_forgotten": "The sign-in at CVAT is forgotten.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the top of every page says. The totals are None when the database does not answer.

    `old`: the part that does the work has not reported for a while, so its figures are not of now.
    """

    live: LiveStatus
    totals: overview.RecipeTotals | None
    issues: dict[str, int]
    old: bool


@cache
def make_environment() -> Environment:
    """Templates that escape everything and fail on a name that does not exist. One for all: each template is compiled once."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[CsrfFields],
    )
    filters = (
        text.shown,
        text.prose,
        text.shell_word,
        text.number,
        text.size,
        text.duration,
        text.utc,
        text.clock,
        text.reason_words,
        text.reason_advice,
        text.metric_words,
        text.signed,
    )
    environment.filters.update({one.__name__: one for one in filters})
    environment.globals.update(state_words=text.STATE_WORDS, version=__version__, nothing=text.NOTHING)
    environment.globals.update(may=_may, csrf_field=_csrf_field)
    environment.globals.update(qualification_words=qualification_words)
    return environment


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page inside the frame."""
    environment: Environment = request.app.state.templates
    entrance: Entrance = request.app.state.entrance
    caller: Caller = request.scope.get("state", {}).get("caller") or Caller()
    for_whom = _FOR_WHOM.set((caller, entrance.csrf_token(caller.person) if caller.person else ""))
    try:
        html = environment.get_template(template).render(
            head=_head(request.app.state.appliance) if caller.is_free or caller.person else None,
            path=request.url.path,
            here=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
            notice=_notice(request),
            now_utc=utc_now(),
            who=caller.person,
            is_free=caller.is_free,
            csrf_token=_FOR_WHOM.get()[1],
            **values,
        )
    finally:
        _FOR_WHOM.reset(for_whom)
    return HTMLResponse(html, status_code=status)


_FOR_WHOM: ContextVar[tuple[Caller, str]] = ContextVar("for_whom", default=(Caller(), ""))  # macros have no context of their own


def _may(line: str) -> bool:
    """For templates: whether whoever looks may call this, such as `may("POST /actions/retry")`."""
    return may_call(_FOR_WHOM.get()[0], line)


def _csrf_field() -> Markup:
    """For templates: the hidden field that a form's write needs. `CsrfFields` puts it into every form by itself."""
    token = _FOR_WHOM.get()[1]
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token) if token else Markup()


def query(**values: object) -> str:
    """A query string of those values that are set."""
    return urlencode({name: str(value) for name, value in values.items() if value not in {None, ""}})


def _head(appliance: Appliance) -> Head:
    live = appliance.live()
    old = _age_s(live.as_of_utc) > OLD_AFTER_S
    try:
        with appliance.reader() as connection:
            totals = overview.sum_totals(overview.totals_by_recipe(connection))
            return Head(live=live, totals=totals, issues=condition.open_issue_counts(connection), old=old)
    except (sqlite3.Error, StoreError):  # the page that says so still needs its frame
        return Head(live=live, totals=None, issues={}, old=old)


def _age_s(moment_utc: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment_utc)).total_seconds()


def _notice(request: Request) -> str | None:
    template = NOTICES.get(request.query_params.get("notice", ""))
    if template is None:
        return None
    amount = request.query_params.get("n", "0")
    return template.format(n=text.number(int(amount)) if amount.isdecimal() and len(amount) < 12 else "0")
