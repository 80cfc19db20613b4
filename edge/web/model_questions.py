"""What stands on the page between a button and a change of the models: what will happen, and what will not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge.store.connection import snapshot
from edge.store.packs import needed_by
from edge.store.reads import overview, packs
from edge.store.reads.pack_details import PackDetails, pack_details, variants_of
from edge.store.reads.packs import ActiveModel, VariantRow
from edge.web.appliance import Appliance
from edge.web.errors import invalid
from edge.web.machine import this_machine
from edge.web.routes.api_models import no_pack
from edge.web.text import number, size

QuestionName = Literal["activate", "rollback", "prove", "remove", "reprocess"]

STAYS = "Results already recorded stay as they are; nothing is processed again by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the question is about; a field that does not matter is empty."""

    model: str
    version: str
    recipe: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A page's worth of consequences.

    Attributes:
        lines: what will happen, one sentence or two each.
        warning: what speaks against it; empty for nothing.
        address, fields: the form that does it; without an address it cannot be done.
        back: where "no" leads.
    """

    title: str
    lines: tuple[str, ...]
    warning: str
    button: str
    address: str
    fields: dict[str, str]
    back: str


def _activate(appliance: Appliance, asked: Asked) -> Question:
    pack, variants = _pack(appliance, asked)
    present, waiting = _recipe(appliance, asked.recipe)
    fastest = next((one for one in variants if one.machine == this_machine() and one.offered), None)
    name = f"{asked.model} {asked.version}"
    instead = f" in place of {present.model} {present.version}" if present else ""
    lines = [f"{name} serves {asked.recipe} from now on{instead}.", STAYS]
    lines.append(f"{number(waiting)} files that wait in the queue are processed with it." if waiting else "No file waits in the queue.")
    if present:
        lines.append(f"Roll back will return to {present.model} {present.version}.")
    if fastest:
        lines.append(f"Fastest here: {fastest.name} on {fastest.device}, {number(fastest.images_per_s, 1)} images/s.")
    warning = "" if fastest or not variants else "No variant of it works on this machine; activating it will be refused."
    if not variants:
        warning = "It was never proven on this machine: its goldens run first, which takes up to a minute."
    if pack.removed_utc:
        warning = "Its files were removed; install it again first."
    return _question(f"Let {name} serve {asked.recipe}?", lines, "Activate", "/actions/activate", _fields(asked), warning=warning)


def _rollback(appliance: Appliance, asked: Asked) -> Question:
    present, waiting = _recipe(appliance, asked.recipe)
    if present is None or present.previous_model is None:
        raise invalid(f"{asked.recipe} has no model before to go back to", "Activate another model on the Models page.")
    before = f"{present.previous_model} {present.previous_version}"
    lines = (
        f"{before} serves {asked.recipe} again, in place of {present.model} {present.version}.",
        STAYS,
        f"{number(waiting)} files that wait in the queue are processed with it.",
        f"Roll back once more returns to {present.model} {present.version}.",
    )
    return _question(f"Roll {asked.recipe} back to {before}?", lines, "Roll back", "/actions/rollback", {"recipe": asked.recipe})


def _prove(appliance: Appliance, asked: Asked) -> Question:
    pack, _ = _pack(appliance, asked)
    lines = (
        f"Each of its {len(pack.manifest.variants)} variants runs {len(pack.manifest.goldens)} goldens here, then shows its speed.",
        "That takes some seconds for each variant, and all cores; files that are being processed meanwhile are slower.",
        "A variant that fails is refused from then on. A worker that runs already goes on as it was started.",
        STAYS,
    )
    fields = {"model": asked.model, "version": asked.version}
    return _question(
        f"Prove {asked.model} {asked.version} again?", lines, "Prove again", "/actions/models/prove", fields, back=_page(asked)
    )


def _remove(appliance: Appliance, asked: Asked) -> Question:
    pack, _ = _pack(appliance, asked)
    with appliance.reader() as connection:
        needed = needed_by(connection, asked.model, asked.version)
    lines = [
        f"The files of {asked.model} {asked.version} are deleted from this machine ({size(pack.size_bytes)}).",
        "Results already recorded stay, with its name, version and hashes." if pack.has_results else "It has made no result here.",
        "To use it again, install it again from its source.",
    ]
    warning = f"This cannot be done: {'; '.join(needed)}." if needed else ""
    fields = {"model": asked.model, "version": asked.version}
    address = "" if needed else "/actions/models/remove"
    return _question(f"Remove {asked.model} {asked.version}?", lines, "Remove", address, fields, warning=warning, back=_page(asked))


def _reprocess(appliance: Appliance, asked: Asked) -> Question:
    present, _ = _recipe(appliance, asked.recipe)
    with appliance.reader() as connection:
        totals = overview.sum_totals(overview.totals_by_recipe(connection), asked.recipe)
    model = f"{present.model} {present.version}" if present else "the active model"
    lines = (
        f"Every file of {asked.recipe} that has a result ({number(totals.in_state('done'))}) is queued to be processed with {model}.",
        "New files go first. The present results stay beside the new ones, which then are the current ones.",
        "There is no button that takes it back.",
    )
    fields = {"recipe": asked.recipe, "scope": "all"}
    return _question(f"Process every file of {asked.recipe} again?", lines, "Reprocess every file", "/actions/reprocess", fields)


QUESTIONS: dict[QuestionName, Callable[[Appliance, Asked], Question]] = {
    "activate": _activate,
    "rollback": _rollback,
    "prove": _prove,
    "remove": _remove,
    "reprocess": _reprocess,
}


def _question(
    title: str,
    lines: list[str] | tuple[str, ...],
    button: str,
    address: str,
    fields: dict[str, str],
    *,
    warning: str = "",
    back: str = "/models",
) -> Question:
    return Question(
        title=title, lines=tuple(lines), warning=warning, button=button, address=address, fields={"back": "/models", **fields}, back=back
    )


def _pack(appliance: Appliance, asked: Asked) -> tuple[PackDetails, tuple[VariantRow, ...]]:
    with appliance.reader() as connection, snapshot(connection):
        pack = pack_details(connection, asked.model, asked.version)
        if pack is None:
            raise no_pack(asked.model, asked.version)
        return pack, variants_of(connection, pack.model_id)


def _recipe(appliance: Appliance, recipe: str) -> tuple[ActiveModel | None, int]:
    """The model that serves a recipe, and how many of its files wait."""
    if not recipe:
        raise invalid("no recipe was named", "Go back to the Models page and press the button again.")
    with appliance.reader() as connection, snapshot(connection):
        present = next((one for one in packs.active_models(connection) if one.recipe == recipe), None)
        totals = overview.sum_totals(overview.totals_by_recipe(connection), recipe)
    return present, totals.in_state("queued")


def _fields(asked: Asked) -> dict[str, str]:
    return {"model": asked.model, "version": asked.version, "recipe": asked.recipe}


def _page(asked: Asked) -> str:
    return f"/models/{asked.model}/{asked.version}"
