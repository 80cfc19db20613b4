"""Signing in and out, and one's own account: password, PIN, sign-ins."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import anyio
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from edge.errors import AccessError, AccountError, LockedOutError
from edge.store.reads.people import sign_ins
from edge.survey.people import Person, Role
from edge.web.callers import Entrance, address_of, is_local, token_of
from edge.web.deps import Actor, Address, ApplianceHere, CallerHere, SignedIn
from edge.web.errors import Problem, RequestError, edge_status
from edge.web.pages import render
from edge.web.routes.actions import PostedForm

router = APIRouter(include_in_schema=False)

COMPARISONS_AT_ONCE = 2
WAITING_AT_MOST = 40
SHOWN_SIGN_INS = 12


class Turnstile:
    """Passwords are compared in two threads of their own: however many are tried, no other page waits for it."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(COMPARISONS_AT_ONCE)
        self._waiting = 0

    async def sign_in(self, request: Request, name: str, password: str) -> tuple[str, Person]:
        """A new sign-in for the browser that asks.

        Raises:
            AccessError: the password is wrong, or too many were.
            RequestError: too many wait.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise RequestError(503, Problem(code="busy", message="Too many are signing in at once.", advice="Try again in a minute."))
        desk, entrance = request.app.state.appliance.people, _entrance(request)
        before, address = token_of(entrance, request.headers), address_of(request.scope)
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(
                lambda: desk.sign_in(name, password, address=address, replaces=before), limiter=self._limiter
            )
        finally:
            self._waiting -= 1


@router.get("/sign-in")
def show_sign_in(
    request: Request, appliance: ApplianceHere, caller: CallerHere, next_: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """The form; while there is no account, the form for the first administrator."""
    if caller.person is not None:
        return RedirectResponse(local_path(next_), status_code=303)
    return _form(request, appliance.people.has_accounts(), next_=local_path(next_))


@router.post("/actions/sign-in")
async def sign_in(request: Request, form: PostedForm) -> Response:
    """Compare the password, set the cookie, go where one wanted to."""
    name, wanted = form.optional("name").strip(), local_path(form.optional("next") or "/")
    try:
        token, _ = await request.app.state.turnstile.sign_in(request, name, form.optional("password"))
    except AccessError as error:
        return _form(request, has_accounts=True, next_=wanted, name=name, error=error)
    return with_cookie(request, RedirectResponse(wanted, status_code=303), token)


@router.post("/actions/sign-out")
def sign_out(request: Request, appliance: ApplianceHere, caller: CallerHere, actor: Actor) -> Response:
    """End this sign-in."""
    if caller.signed_in is not None:
        appliance.people.sign_out(caller.signed_in.sign_in_id, actor=actor)
    return _without_cookie(request)


@router.post("/actions/sign-out/everywhere")
def sign_out_everywhere(request: Request, appliance: ApplianceHere, person: SignedIn, actor: Actor) -> Response:
    """End all of one's sign-ins."""
    appliance.people.sign_out_everywhere(person.id, actor=actor)
    return _without_cookie(request)


@router.post("/actions/people/first")
def add_first(request: Request, appliance: ApplianceHere, form: PostedForm, address: Address) -> Response:
    """The first administrator: only from the machine itself, only while there is no account."""
    if not (_entrance(request).is_loopback and is_local(request.scope)):
        advice = "Make it on the machine: imagine-edge people add NAME --role administer."
        raise RequestError(403, Problem(code="local_only", message="The first account is made on the machine itself.", advice=advice))
    desk, name = appliance.people, form.optional("name").strip()
    try:
        form.check_twice("password")
        desk.add(
            name, Role.ADMINISTER, form.optional("password"), full_name=form.optional("full_name"), actor=f"page {address}", first=True
        )
    except AccountError as error:
        return _form(request, desk.has_accounts(), next_="/people", name=name, error=error)
    token, _ = desk.sign_in(name, form.optional("password"), address=address)
    return with_cookie(request, RedirectResponse("/people?notice=first_account", status_code=303), token)


@router.get("/account")
def show_account(request: Request, appliance: ApplianceHere, person: SignedIn, caller: CallerHere) -> Response:
    """One's own password, PIN and sign-ins."""
    return _account(request, appliance, person, caller)


@router.post("/actions/account/password")
def change_password(request: Request, appliance: ApplianceHere, person: SignedIn, caller: CallerHere, form: PostedForm) -> Response:
    """A new password; all other sign-ins end."""
    assert caller.signed_in is not None  # a person with an account came by a sign-in
    try:
        form.check_twice("password")
        appliance.people.change_own_password(
            caller.signed_in, form.optional("old"), form.optional("password"), address=address_of(request.scope)
        )
    except (AccessError, AccountError) as error:
        return _account(request, appliance, person, caller, error=error, about="password")
    return RedirectResponse("/account?notice=password_changed", status_code=303)


@router.post("/actions/account/pin")
def change_pin(request: Request, appliance: ApplianceHere, person: SignedIn, caller: CallerHere, form: PostedForm) -> Response:
    """A new PIN, or none."""
    pin = form.optional("pin") or None
    try:
        form.check_twice("pin")
        appliance.people.set_own_pin(person, form.optional("old"), pin, address=address_of(request.scope))
    except (AccessError, AccountError) as error:
        return _account(request, appliance, person, caller, error=error, about="pin")
    return RedirectResponse(f"/account?notice={'pin_set' if pin else 'pin_removed'}", status_code=303)


def local_path(wanted: str) -> str:
    """An address of ours, or Home: nobody is led elsewhere by a link to the sign-in."""
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    is_plain = all(letter > " " and letter != "\\" for letter in wanted)
    return wanted if is_ours and is_plain and parts.path != "/sign-in" else "/"


def with_cookie(request: Request, response: Response, token: str) -> Response:
    """Let the browser keep the sign-in: no script reads it, no other site sends it."""
    entrance = _entrance(request)
    response.set_cookie(entrance.cookie, token, path="/", secure=entrance.is_tls, httponly=True, samesite="strict")
    return response


def _without_cookie(request: Request) -> Response:
    entrance = _entrance(request)
    response = RedirectResponse("/sign-in?notice=signed_out", status_code=303)
    response.delete_cookie(entrance.cookie, path="/", secure=entrance.is_tls, httponly=True, samesite="strict")
    return response


def _entrance(request: Request) -> Entrance:
    entrance: Entrance = request.app.state.entrance
    return entrance


def _form(request: Request, has_accounts: bool, *, next_: str, name: str = "", error: AccessError | AccountError | None = None) -> Response:
    entrance = _entrance(request)
    response = render(
        request,
        "sign_in.html",
        status=200 if error is None else edge_status(error),
        has_accounts=has_accounts,
        is_here=entrance.is_loopback and is_local(request.scope),
        is_tls=entrance.is_tls,  # never the fingerprint itself: whoever stood between would show his own
        next=next_,
        name=name,
        error=error,
        advice="" if error is None else error.advice(),
    )
    if isinstance(error, LockedOutError):
        response.headers["retry-after"] = str(error.left_s)
    return response


def _account(
    request: Request,
    appliance: ApplianceHere,
    person: Person,
    caller: CallerHere,
    *,
    error: AccessError | AccountError | None = None,
    about: str = "",
) -> Response:
    with appliance.reader() as connection:
        own = sign_ins(connection, person.id, limit=SHOWN_SIGN_INS)
    return render(
        request,
        "account.html",
        status=200 if error is None else edge_status(error),
        sign_ins=own,
        this=caller.signed_in.sign_in_id if caller.signed_in else None,
        limits=appliance.people.limits,
        error=error,
        advice="" if error is None else error.advice(),
        about=about,
    )
