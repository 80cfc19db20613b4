"""What the buttons of the Models pages do: forms that work without script, answered by going back with a notice."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from edge.recipes.choices import MAX_COMPARED_FILES, FilesChoice, VariantChoice
from edge.web.deps import Actor, ApplianceHere
from edge.web.errors import RequestError, invalid
from edge.web.routes.actions import Form, PostedForm

router = APIRouter(prefix="/actions", include_in_schema=False)


@router.post("/models/install")
def install(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Bring a pack in from a path on the machine."""
    appliance.desk.install(Path(form.text("path").strip()), actor)
    return form.back("installing")


@router.post("/models/prove")
def prove(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Run goldens and speed of a pack again."""
    appliance.desk.prove(form.text("model"), form.text("version"), actor)
    return form.back("proving")


@router.post("/models/remove")
def remove(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Delete the files of a version."""
    appliance.desk.remove(form.text("model"), form.text("version"), actor)
    return form.back("removed")


@router.post("/comparisons/start")
def compare(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Begin a comparison and show it."""
    a, b = _side(form, "a"), _side(form, "b")
    comparison_id = appliance.desk.compare(a, b, _files(form), actor)
    return RedirectResponse(f"/models/comparisons/{comparison_id}", status_code=303)


@router.post("/comparisons/cancel")
def cancel(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """End a comparison now."""
    appliance.desk.cancel_comparison(_number(form, "comparison"), actor)
    return form.back("comparison_cancelled")


@router.post("/comparisons/delete")
def delete(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Forget a comparison."""
    appliance.desk.delete_comparison(_number(form, "comparison"), actor)
    return form.back("comparison_deleted")


def _side(form: Form, name: str) -> VariantChoice:
    model, _, rest = form.text(name).partition("@")
    version, _, variant = rest.partition("@")
    if not version:
        raise _unclear(f"side {name.upper()} names no version")
    return VariantChoice(name=model, version=version, variant=variant or None)


def _files(form: Form) -> FilesChoice:
    which, _, folder = form.text("files").partition(":")
    limit, recipe = _number(form, "limit"), form.text("recipe")
    if not 1 <= limit <= MAX_COMPARED_FILES:
        raise invalid(f"{limit} files cannot be compared", f"Choose 1 to {MAX_COMPARED_FILES} files.")
    if which == "folder" and folder.isascii() and folder.isdecimal() and len(folder) < 19:
        return FilesChoice(recipe=recipe, which="folder", limit=limit, folder_id=int(folder))
    if which == "newest":
        return FilesChoice(recipe=recipe, which="newest", limit=limit)
    if which == "random":
        return FilesChoice(recipe=recipe, which="random", limit=limit)
    raise _unclear("the choice of files is none that the page offers")


def _number(form: Form, name: str) -> int:
    value = form.text(name)
    if not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise _unclear(f"the field {name} is no number")
    return int(value)


def _unclear(message: str) -> RequestError:
    return invalid(message, "Reload the page and press the button again.")
