"""Models: what is installed, what serves, what each variant can do here; and the question before each change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from edge.recipes import may_serve
from edge.store.connection import snapshot
from edge.store.reads import files, overview, packs
from edge.store.reads.comparisons import list_comparisons
from edge.store.reads.pack_details import PackDetails, golden_outcomes, pack_sizes, variants_of
from edge.web.appliance import Appliance
from edge.web.deps import ApplianceHere
from edge.web.errors import RequestError
from edge.web.machine import this_machine
from edge.web.markdown import render_markdown
from edge.web.model_questions import QUESTIONS, Asked, QuestionName
from edge.web.pack_files import expected_boxes, picture_size_px, read_file
from edge.web.pages import render
from edge.web.routes.api_models import find_pack

router = APIRouter(include_in_schema=False)

SHOWN_COMPARISONS = 8
FOLDERS_OFFERED = 60

Short = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideOption:
    """A pack or one of its variants, as a choice for a comparison."""

    value: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenShown:
    """A golden image with its boxes: (x_min, y_min, x_max, y_max, ..) in pixels. `fault` says why it cannot be shown."""

    index: int
    path: str
    width_px: int
    height_px: int
    expected: tuple[tuple[float, ...], ...]
    fault: str


@router.get("/models")
def show_models(request: Request, appliance: ApplianceHere) -> Response:
    """What serves each recipe, work on packs, installed packs, and comparisons."""
    live = appliance.live()
    with appliance.reader() as connection, snapshot(connection):
        installed = packs.installed_models(connection)
        active = packs.active_models(connection)
        labels = packs.label_names(connection)
        variants = packs.variants(connection)
        sizes = pack_sizes(connection)
        comparisons = list_comparisons(connection, limit=SHOWN_COMPARISONS)
        folders = files.recent_folders(connection, limit=FOLDERS_OFFERED)
        recipes = {one.recipe for one in overview.totals_by_recipe(connection)} | {one.recipe for one in active}
    here = [one for one in variants if one.machine == this_machine()]
    present = [one for one in installed if one.removed_utc is None]
    recipes |= {root.recipe for root in live.roots}
    return render(
        request,
        "models.html",
        installed=present,
        removed=[one for one in installed if one.removed_utc is not None],
        active=active,
        fastest={one.model_id: next((v for v in _by_speed(here) if v.model_id == one.model_id and v.offered), None) for one in present},
        tried={one.model_id for one in here},
        sizes=sizes,
        recipes=sorted(recipes),
        fits={
            one.model_id: [name for name in sorted(recipes) if may_serve(name, one.task, labels.get(one.model_id, ()))] for one in present
        },
        serving={one.recipe: one for one in active},
        loaded={one.recipe: one for one in live.models},
        tasks=appliance.desk.tasks(),
        comparisons=comparisons,
        yielding=appliance.desk.yielding_comparison(),
        folders=folders,
        options=_side_options(present, here),
        chosen=_usual_sides(active, present),
    )


@router.get("/models/confirm")
def confirm(
    request: Request, appliance: ApplianceHere, action: QuestionName, *, model: Short = "", version: Short = "", recipe: Short = ""
) -> Response:
    """What a change will do, before it is done."""
    asked = Asked(model=model, version=version, recipe=recipe)
    return render(request, "model_confirm.html", question=QUESTIONS[action](appliance, asked))


@router.get("/models/{model}/{version}")
def show_pack(
    request: Request,
    appliance: ApplianceHere,
    model: Annotated[str, Path(max_length=100)],
    version: Annotated[str, Path(max_length=100)],
    variant: Short = "",
) -> Response:
    """One pack: its variants with speed and accuracy, goldens, card, documents, hashes."""
    pack = find_pack(appliance, model, version)
    with appliance.reader() as connection, snapshot(connection):
        variants = variants_of(connection, pack.model_id)
        outcomes = golden_outcomes(connection, pack.model_id, this_machine())
        active = packs.active_models(connection)
    live = appliance.live()
    serves = [one.recipe for one in active if (one.model, one.version) == (model, version)]
    here = {one.name: one for one in variants if one.machine == this_machine()}
    fastest = next((one.name for one in _by_speed(here.values()) if one.offered), "")
    return render(
        request,
        "model.html",
        pack=pack,
        manifest=pack.manifest,
        measured=here,
        elsewhere=[one for one in variants if one.machine != this_machine()],
        fastest=fastest,
        metrics=list(dict.fromkeys([*pack.manifest.metrics, *(name for one in pack.manifest.variants for name in one.metrics)])),
        serves=serves,
        returns=[one.recipe for one in active if (one.previous_model, one.previous_version) == (model, version)],
        recipes=[
            recipe
            for recipe in sorted({root.recipe for root in live.roots} | {one.recipe for one in active})
            if may_serve(recipe, pack.manifest.task, {label.name for label in pack.manifest.labels})
        ],
        tasks=[task for task in appliance.desk.tasks() if (task.model, task.version) == (model, version)],
        outcomes=outcomes,
        shown_variant=variant if variant in outcomes else fastest,
        goldens=_goldens(appliance, pack),
        card=_card(appliance, pack),
    )


def _by_speed(variants: Iterable[packs.VariantRow]) -> list[packs.VariantRow]:
    return sorted(variants, key=lambda one: -(one.images_per_s or 0.0))


def _side_options(present: list[packs.InstalledModel], here: list[packs.VariantRow]) -> list[SideOption]:
    options = []
    for model in present:
        if model.task == "classify":
            continue
        options.append(SideOption(value=f"{model.name}@{model.version}", words=f"{model.name} {model.version}, as it would serve"))
        options += [
            SideOption(value=f"{model.name}@{model.version}@{one.name}", words=f"{model.name} {model.version}, {one.name}")
            for one in here
            if one.model_id == model.model_id and one.device
        ]
    return options


def _usual_sides(active: tuple[packs.ActiveModel, ...], present: list[packs.InstalledModel]) -> tuple[str, str]:
    """What stands in the form at first: the model that serves, and the newest other one."""
    first = f"{active[0].model}@{active[0].version}" if active else ""
    others = [f"{one.name}@{one.version}" for one in present if f"{one.name}@{one.version}" != first and one.task != "classify"]
    return first, others[0] if others else ""


def _goldens(appliance: Appliance, pack: PackDetails) -> list[GoldenShown]:
    return [_golden(appliance, pack, index) for index in range(len(pack.manifest.goldens))]


def _golden(appliance: Appliance, pack: PackDetails, index: int) -> GoldenShown:
    file = pack.manifest.goldens[index].image
    try:
        width_px, height_px = picture_size_px(read_file(appliance.home, pack, file))
        expected, fault = expected_boxes(appliance.home, pack, index), ""
    except RequestError as error:
        width_px, height_px, expected, fault = 0, 0, (), str(error)
    return GoldenShown(index=index, path=file.path, width_px=width_px, height_px=height_px, expected=expected, fault=fault)


def _card(appliance: Appliance, pack: PackDetails) -> object:
    """The card as HTML, or a sentence why it cannot be shown."""
    try:
        return render_markdown(read_file(appliance.home, pack, pack.manifest.card).decode("utf-8", errors="replace"))
    except RequestError as error:
        return f"The card cannot be shown: {error}."
