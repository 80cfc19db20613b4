"""What the buttons of the pages do: forms that work without script, answered by going back with a notice."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse

from edge.errors import AccountError, Reason
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import invalid
from edge.web.pages import query

router = APIRouter(prefix="/actions", include_in_schema=False)


class Form:
    """The fields of a posted form (`application/x-www-form-urlencoded`)."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """A field that must be there."""
        value = self._fields.get(name, [""])[0]
        if not value:
            raise invalid(f"the field {name} is missing", "Reload the page and press the button again.")
        return value

    def optional(self, name: str) -> str:
        """A field that may be missing or empty."""
        return self._fields.get(name, [""])[0]

    def check_twice(self, name: str) -> None:
        """What cannot be seen is typed twice, in fields `name` and `name_again`.

        Raises:
            AccountError: the two differ.
        """
        if self.optional(name) != self.optional(f"{name}_again"):
            raise AccountError("the two new entries differ", advice="Type the same in both fields.")

    def file_ids(self) -> list[int]:
        """The ticked files."""
        values = self._fields.get("file", [])
        if not all(value.isascii() and value.isdecimal() and 0 < len(value) < 19 and int(value) <= MAX_ID for value in values):
            raise invalid("a file id is no number", "Reload the page and press the button again.")
        return [int(value) for value in values]

    def reason(self) -> Reason | None:
        """A reason code, or None for every reason."""
        value = self._fields.get("reason", [""])[0]
        try:
            return Reason(value) if value else None
        except ValueError as error:
            raise invalid(f"there is no reason {value!r}", "Reload the page and press the button again.") from error

    @property
    def everything(self) -> bool:
        """Whether all are meant, not the ticked ones."""
        return self._fields.get("scope", [""])[0] == "all"

    def back(self, notice: str, amount: int | None = None) -> RedirectResponse:
        """To the page that the button was on, which shows the notice."""
        wanted = urlsplit(self._fields.get("back", ["/"])[0])
        path = wanted.path if re.fullmatch(r"/[A-Za-z0-9/_-]*", wanted.path) and not wanted.path.startswith("//") else "/"
        kept = {name: values[-1] for name, values in parse_qs(wanted.query).items() if name not in {"notice", "n"}}
        return RedirectResponse(f"{path}?{query(**{**kept, 'notice': notice, 'n': amount})}", status_code=303)


async def _form(request: Request) -> Form:
    body = await request.body()
    return Form(parse_qs(body.decode("utf-8", errors="replace"), max_num_fields=20_000))


PostedForm = Annotated[Form, Depends(_form)]


@router.post("/retry")
def retry(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Queue quarantined files again: the ticked ones, or all, or all of one reason."""
    if form.everything:
        return form.back("retried", appliance.retry(None, actor, reason=form.reason()))
    file_ids = form.file_ids()
    return form.back("retried", appliance.retry(file_ids, actor)) if file_ids else form.back("none_chosen")


@router.post("/reprocess")
def reprocess(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Run the active model again on the ticked files, or on all of a recipe."""
    recipe = form.text("recipe")
    if form.everything:
        return form.back("reprocess", appliance.reprocess(None, recipe, actor))
    file_ids = form.file_ids()
    return form.back("reprocess", appliance.reprocess(file_ids, recipe, actor)) if file_ids else form.back("none_chosen")


@router.post("/rescan")
def rescan(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Look through every watched folder now."""
    appliance.rescan(actor)
    return form.back("rescan")


@router.post("/activate")
def activate(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Let a model serve a recipe."""
    appliance.activate(form.text("model"), form.text("version"), form.text("recipe"), actor)
    return form.back("activated")


@router.post("/rollback")
def rollback(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Go back to the model before."""
    appliance.rollback(form.text("recipe"), actor)
    return form.back("rolled_back")


@router.post("/pause")
def pause(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Take nothing new."""
    appliance.pause(actor)
    return form.back("paused")


@router.post("/resume")
def resume(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Go on."""
    appliance.resume(actor)
    return form.back("resumed")
