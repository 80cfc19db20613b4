"""Accounts: the pages and the JSON API for administrators, and who one is for everybody."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import AccountError
from edge.store.reads.people import PersonRow, people, person, sign_ins
from edge.survey.people import Role
from edge.survey.people_desk import PIN_ATTEMPTS
from edge.survey.people_locks import FREE_FAILURES
from edge.web.appliance import Appliance
from edge.web.callers import Entrance
from edge.web.deps import MAX_ID, Actor, ApplianceHere, CallerHere
from edge.web.errors import Problem, edge_status, no_such
from edge.web.pages import render
from edge.web.routes.actions import Form, PostedForm
from edge.web.routes.sign_in import with_cookie

router = APIRouter(include_in_schema=False)
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 422, 429, 503)}
api_router = APIRouter(prefix="/api", tags=["people"], responses=REFUSALS)

ROLE_WORDS = {
    Role.VIEW: "sees results",
    Role.COUNT: "also counts, fills in station sheets, retries files",
    Role.REVIEW: "also leads surveys: protocols, comparing counts, reprocessing, pausing",
    Role.ADMINISTER: "also models, accounts, the audit trail",
}
PersonId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the account.")]
PersonName = Annotated[str, Path(min_length=1, max_length=64, description="The name of the account.")]
_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Secret = Annotated[str, Field(max_length=512)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInBody(_Body):
    """What one signs in with."""

    name: _Name
    password: _Secret


class NewPersonBody(_Body):
    """A new account."""

    name: _Name
    role: Role
    password: _Secret
    full_name: Annotated[str, Field(max_length=100)] = ""


class RoleBody(_Body):
    """Another role."""

    role: Role


class PasswordBody(_Body):
    """A new password."""

    password: _Secret


class PinBody(_Body):
    """A new PIN; null removes it."""

    pin: _Secret | None


class Me(BaseModel):
    """Whoever asks. `name` is null while there is no account; `csrf_token` goes into the header X-CSRF-Token of every write."""

    name: str | None
    full_name: str | None
    role: Role | None
    has_accounts: bool
    csrf_token: str | None


class Changed(BaseModel):
    """The account as it is now."""

    person: PersonRow


# Pages ---------------------------------------------------------------------------------------------------------------


@router.get("/people")
def show_people(request: Request, appliance: ApplianceHere) -> Response:
    """Every account, and the form for one more."""
    return _people(request, appliance)


@router.get("/people/{person_id:int}")
def show_person(request: Request, appliance: ApplianceHere, person_id: PersonId) -> Response:
    """One account and what may be done with it."""
    return _person(request, appliance, person_id)


@router.post("/actions/people/add")
def add(request: Request, appliance: ApplianceHere, actor: Actor, form: PostedForm) -> Response:
    """Make an account."""
    try:
        form.check_twice("password")
        person_id = appliance.people.add(
            form.optional("name").strip(),
            _role(form),
            form.optional("password"),
            full_name=form.optional("full_name"),
            actor=actor,
        )
    except AccountError as error:
        return _people(request, appliance, form=form, error=error)
    return RedirectResponse(f"/people/{person_id}?notice=person_added", status_code=303)


@router.post("/actions/people/{person_id:int}/{what}")
def change(request: Request, appliance: ApplianceHere, actor: Actor, form: PostedForm, *, person_id: PersonId, what: str) -> Response:
    """Change an account."""
    desk = appliance.people
    try:
        match what:
            case "role":
                desk.set_role(person_id, _role(form), actor=actor)
            case "password":
                form.check_twice("password")
                desk.set_password(person_id, form.optional("password"), actor=actor)
            case "pin":
                desk.set_pin(person_id, None, actor=actor)
            case "unlock":
                desk.unlock(person_id, actor=actor)
            case "sign-out":
                desk.sign_out_everywhere(person_id, actor=actor)
            case "retire":
                desk.retire(person_id, actor=actor)
            case _:
                raise no_such("change", what)
    except AccountError as error:
        return _person(request, appliance, person_id, error=error, about=what)
    return RedirectResponse(f"/people/{person_id}?notice=person_changed", status_code=303)


# JSON ----------------------------------------------------------------------------------------------------------------


@api_router.post("/sign-in", summary="Sign in", response_model=Me)
async def api_sign_in(request: Request, body: SignInBody) -> Response:
    """Sets a cookie, which later requests send; writes also send `csrf_token` in the header X-CSRF-Token."""
    token, who = await request.app.state.turnstile.sign_in(request, body.name, body.password)
    entrance: Entrance = request.app.state.entrance
    me = Me(name=who.name, full_name=who.full_name, role=who.role, has_accounts=True, csrf_token=entrance.csrf_token(who))
    return with_cookie(request, JSONResponse(me.model_dump(mode="json")), token)


@api_router.post("/sign-out", summary="Sign out")
def api_sign_out(appliance: ApplianceHere, caller: CallerHere, actor: Actor) -> Me:
    """Ends the sign-in of the cookie."""
    if caller.signed_in is not None:
        appliance.people.sign_out(caller.signed_in.sign_in_id, actor=actor)
    return Me(name=None, full_name=None, role=None, has_accounts=appliance.people.has_accounts(), csrf_token=None)


@api_router.get("/me", summary="Who am I?")
def me(request: Request, appliance: ApplianceHere, caller: CallerHere) -> Me:
    """Whose cookie it is; 401 where accounts exist and nobody is signed in."""
    who, entrance = caller.person, request.app.state.entrance
    if who is None:
        return Me(name=None, full_name=None, role=None, has_accounts=appliance.people.has_accounts(), csrf_token=None)
    return Me(name=who.name, full_name=who.full_name, role=who.role, has_accounts=True, csrf_token=entrance.csrf_token(who))


@api_router.get("/people", summary="Accounts")
def list_people(appliance: ApplianceHere) -> list[PersonRow]:
    """All, retired ones last. For administrators."""
    with appliance.reader() as connection:
        return list(people(connection))


@api_router.post("/people", summary="Add an account", status_code=201)
def api_add(appliance: ApplianceHere, actor: Actor, body: NewPersonBody) -> Changed:
    """The first one has the role `administer`. For administrators."""
    person_id = appliance.people.add(body.name, body.role, body.password, full_name=body.full_name, actor=actor)
    return _changed(appliance, person_id)


@api_router.post("/people/{name}/role", summary="Give another role")
def api_role(appliance: ApplianceHere, actor: Actor, name: PersonName, body: RoleBody) -> Changed:
    """It holds at once. For administrators."""
    person_id = appliance.people.find(name).person_id
    appliance.people.set_role(person_id, body.role, actor=actor)
    return _changed(appliance, person_id)


@api_router.post("/people/{name}/password", summary="Give a new password")
def api_password(appliance: ApplianceHere, actor: Actor, name: PersonName, body: PasswordBody) -> Changed:
    """The person's sign-ins end. For administrators."""
    person_id = appliance.people.find(name).person_id
    appliance.people.set_password(person_id, body.password, actor=actor)
    return _changed(appliance, person_id)


@api_router.post("/people/{name}/pin", summary="Set or remove a PIN")
def api_pin(appliance: ApplianceHere, actor: Actor, name: PersonName, body: PinBody) -> Changed:
    """For administrators; a person sets their own on the page Account."""
    person_id = appliance.people.find(name).person_id
    appliance.people.set_pin(person_id, body.pin, actor=actor)
    return _changed(appliance, person_id)


@api_router.post("/people/{name}/unlock", summary="Lift a lock-out")
def api_unlock(appliance: ApplianceHere, actor: Actor, name: PersonName) -> Changed:
    """Wrong passwords and PINs are forgotten, and those of every address. For administrators."""
    person_id = appliance.people.find(name).person_id
    appliance.people.unlock(person_id, actor=actor)
    return _changed(appliance, person_id)


@api_router.post("/people/{name}/retire", summary="Close an account")
def api_retire(appliance: ApplianceHere, actor: Actor, name: PersonName) -> Changed:
    """No sign-in any more; what was done under the name stays. For administrators."""
    person_id = appliance.people.find(name).person_id
    appliance.people.retire(person_id, actor=actor)
    return _changed(appliance, person_id)


# Inside --------------------------------------------------------------------------------------------------------------


def _changed(appliance: Appliance, person_id: int) -> Changed:
    with appliance.reader() as connection:
        row = person(connection, person_id)
    assert row is not None  # accounts are never deleted
    return Changed(person=row)


def _role(form: Form) -> Role:
    try:
        return Role(form.optional("role"))
    except ValueError as error:
        raise AccountError(f"there is no role {form.optional('role')!r}", advice="Choose one of the four.") from error


def _people(request: Request, appliance: Appliance, *, form: Form | None = None, error: AccountError | None = None) -> Response:
    with appliance.reader() as connection:
        rows = people(connection)
    return render(
        request,
        "people.html",
        status=200 if error is None else edge_status(error),
        rows=rows,
        roles=ROLE_WORDS,
        typed={name: form.optional(name) if form else "" for name in ("name", "full_name", "role")},
        error=error,
        advice="" if error is None else error.advice(),
        free_failures=FREE_FAILURES,
        pin_attempts=PIN_ATTEMPTS,
    )


def _person(request: Request, appliance: Appliance, person_id: int, *, error: AccountError | None = None, about: str = "") -> Response:
    with appliance.reader() as connection:
        row = person(connection, person_id)
        shown = sign_ins(connection, person_id)
    if row is None:
        raise no_such("account", person_id)
    return render(
        request,
        "person.html",
        status=200 if error is None else edge_status(error),
        row=row,
        sign_ins=shown,
        roles=ROLE_WORDS,
        error=error,
        advice="" if error is None else error.advice(),
        about=about,
        pin_attempts=PIN_ATTEMPTS,
        free_failures=FREE_FAILURES,
    )
