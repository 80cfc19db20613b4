"""Sync: where everything stands that goes ashore, and the buttons for it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from edge.web.deps import Actor, ApplianceHere
from edge.web.errors import invalid
from edge.web.pages import render
from edge.web.routes.actions import PostedForm

router = APIRouter(include_in_schema=False)

MARKS = {
    "good": "good",
    "new": "unknown",
    "sending": "processing",
    "waits": "warning",
    "closed": "paused",
    "paused": "paused",
    "away": "warning",
    "trouble": "error",
    "refused": "error",
}
COLOURS = {"good": "good", "sending": "good", "waits": "warning", "away": "warning", "trouble": "error", "refused": "error"}
WORDS = {
    "good": "in touch",
    "new": "not reached yet",
    "sending": "sending",
    "waits": "waits, tried again",
    "closed": "closed at this hour",
    "paused": "paused",
    "away": "away",
    "trouble": "trouble",
    "refused": "refused bundles",
}
HOURS = (1, 6, 24)


@router.get("/sync")
def show_sync(request: Request, appliance: ApplianceHere) -> Response:
    """Far sides, backlog, failures, bundles. Nobody is asked."""
    return render(request, "sync.html", standing=appliance.sync.status(), marks=MARKS, colours=COLOURS, words=WORDS, hours=HOURS)


@router.post("/actions/sync/now")
def now(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Try every far side at once."""
    appliance.sync.now(actor)
    return form.back("sync_now")


@router.post("/actions/sync/retry")
def retry(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Try again what was refused or failed."""
    return form.back("sync_retried", appliance.sync.retry(actor, form.optional("sink") or None))


@router.post("/actions/sync/pause")
def pause(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """For some hours, or until somebody resumes it."""
    text = form.optional("hours")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise invalid(f"{text!r} is no number of hours", "Type a whole number, or leave it empty.")
    appliance.sync.pause(actor, float(text) if text else None)
    return form.back("sync_paused")


@router.post("/actions/sync/resume")
def resume(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Let it go on."""
    appliance.sync.resume(actor)
    return form.back("sync_resumed")


@router.post("/actions/sync/usb")
def usb(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Fill a stick; answered when everything is on it."""
    done = appliance.sync.usb_export(_folder(form.text("folder")), actor)
    return form.back("usb_own_disk" if done.bundles and done.on_own_disk else "usb_filled", done.bundles)


def _folder(text: str) -> Path:
    path = Path(text.strip())
    if "\0" in text or len(text) > 4000 or not path.is_absolute():
        raise invalid("this is no whole path of a folder", "Type it from its beginning, such as /media/me/STICK.")
    return path
