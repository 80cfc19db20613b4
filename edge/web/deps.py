"""What routes ask for by type: the appliance, and who is calling."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, Field

from edge.errors import Reason
from edge.store.reads.files import FileFilter, FileState, Original
from edge.survey.people import COMMAND_LINE, Person, Role
from edge.web.appliance import Appliance
from edge.web.callers import Caller, address_of
from edge.web.errors import Problem, RequestError
from edge.web.text import reason_words

MAX_ID = (1 << 62) - 1


def _appliance(request: Request) -> Appliance:
    appliance: Appliance = request.app.state.appliance
    return appliance


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope.get("state", {}).get("caller") or Caller()
    return caller


def _actor(request: Request) -> str:
    """Who asked, for the audit trail: the person's name and the address; the door and the address while there are no accounts."""
    person, address = _caller(request).person, address_of(request.scope)
    if person == COMMAND_LINE:
        return person.name
    door = "api" if request.url.path.startswith("/api/") else "page"
    return f"{person.name if person else door} {address}"


def _address(request: Request) -> str:
    return address_of(request.scope)


def _viewer(request: Request) -> Person | None:
    return _caller(request).person


def sees_tables(viewer: Person | None) -> bool:
    """Whether somebody may see what tables of others say of stations that wait for blind counts; all may while there are no accounts."""
    return viewer is None or viewer.may(Role.ADMINISTER)


def _signed_in(request: Request) -> Person:
    """Whoever is signed in.

    Raises:
        RequestError: 401 where nobody is, 403 for the command line, which is no person.
    """
    person = _caller(request).person
    if person is None:
        advice = "Sign in. While there are no accounts, make the first one on the page Sign in or with `imagine-edge people add`."
        raise RequestError(401, Problem(code="sign_in_needed", message="This is done in somebody's name.", advice=advice))
    if not person.has_account:
        advice = "Sign in on the pages, or with POST /api/sign-in."
        raise RequestError(403, Problem(code="person_needed", message="This is done in a person's name.", advice=advice))
    return person


def _blank_is_none(value: object) -> object:
    return None if value == "" else value


_Id = Annotated[int, Field(ge=1, le=MAX_ID)]
_Short = Annotated[str, Field(max_length=100)]
_Text = Annotated[str, Field(max_length=500)]
_Blank = BeforeValidator(_blank_is_none)  # a form sends the fields that were left empty


def _file_filter(
    *,
    state: Annotated[FileState | None, _Blank, Query(description="Only files in this state.")] = None,
    recipe: Annotated[_Short | None, _Blank, Query(description="Only files of this recipe.")] = None,
    folder: Annotated[_Id | None, _Blank, Query(description="Only files of the folder with this id.")] = None,
    q: Annotated[_Text | None, _Blank, Query(description="Only files with this text in their path.")] = None,
    original: Annotated[Original | None, _Blank, Query(description="Only files whose original is present, gone or changed.")] = None,
    reason: Annotated[
        Reason | Literal["any"] | None, _Blank, Query(description='Only files with this reason code; "any": with one.')
    ] = None,
) -> FileFilter:
    return FileFilter(state=state, recipe=recipe, folder_id=folder, text=q, original=original, reason=reason)


def filter_query(which: FileFilter) -> dict[str, object]:
    """The query parameters that stand for a filter."""
    return {
        "state": which.state,
        "recipe": which.recipe,
        "folder": which.folder_id,
        "q": which.text,
        "original": which.original,
        "reason": which.reason,
    }


def filter_words(which: FileFilter) -> str:
    """A filter as words, empty for none."""
    words = [str(which.state) if which.state else "", f"recipe {which.recipe}" if which.recipe else ""]
    words += [f"original {which.original}" if which.original else "", reason_words(which.reason) if which.reason else ""]
    words += ["one folder" if which.folder_id else "", f'"{which.text}"' if which.text else ""]
    return ", ".join(word for word in words if word)


ApplianceHere = Annotated[Appliance, Depends(_appliance)]
Actor = Annotated[str, Depends(_actor)]
CallerHere = Annotated[Caller, Depends(_caller)]
Address = Annotated[str, Depends(_address)]
# Who is signed in; None only while the appliance has no accounts. The machine's command line is COMMAND_LINE, an administrator.
Viewer = Annotated[Person | None, Depends(_viewer)]
SignedIn = Annotated[Person, Depends(_signed_in)]  # for what is done in somebody's name: a person with an account, or 401
Filter = Annotated[FileFilter, Depends(_file_filter)]
FileId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the file.")]
Limit = Annotated[Annotated[int, Field(ge=1, le=500)] | None, _Blank, Query(description="How many to return at most; 50 if not given.")]
After = Annotated[_Id | None, _Blank, Query(description="`next_after` of the answer before.")]
DEFAULT_LIMIT = 50
