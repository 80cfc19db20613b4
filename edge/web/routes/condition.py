"""Failures, Health and Models: what needs a person, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from edge.store.connection import snapshot
from edge.store.reads import condition, failures, files, overview, packs
from edge.store.reads.files import FileFilter, FileState
from edge.store.sqlite import Connection
from edge.web.deps import ApplianceHere
from edge.web.pages import render

router = APIRouter(include_in_schema=False)

SHOWN_PER_REASON = 8
SHOWN_WAITING = 20
MAX_CARD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonGroup:
    """Quarantined files that share a reason: how many, and the newest of them."""

    reason: str
    total: int
    newest: tuple[files.FileRow, ...]


@router.get("/failures")
def show_failures(request: Request, appliance: ApplianceHere) -> Response:
    """Quarantined files by reason with advice, files that wait with a reason, reprocessing that failed."""
    with appliance.reader() as connection, snapshot(connection):
        groups = [_group(connection, count) for count in failures.quarantined_by_reason(connection)]
        waiting = files.list_files(connection, FileFilter(state=FileState.SEEN, reason="any"), limit=SHOWN_WAITING)
        again = failures.reprocess_failures(connection, limit=50)
    return render(request, "failures.html", groups=groups, waiting=waiting, again=again)


@router.get("/health")
def show_health(request: Request, appliance: ApplianceHere) -> Response:
    """Open issues with advice, checks, disk, database, model variants and the machine."""
    with appliance.reader() as connection, snapshot(connection):
        values: dict[str, Any] = {
            "issues": condition.open_issues(connection),
            "resolved": condition.resolved_issues(connection),
            "database": condition.database_facts(connection),
            "variants": packs.variants(connection),
            "installed": {one.model_id: one for one in packs.installed_models(connection)},
            "actions": condition.last_actions(connection),
        }
    return render(request, "health.html", checks=appliance.checks(), machine=appliance.machine(), **values)


@router.get("/models")
def show_models(request: Request, appliance: ApplianceHere) -> Response:
    """Installed packs, which serves which recipe, and their cards."""
    with appliance.reader() as connection, snapshot(connection):
        installed = packs.installed_models(connection)
        active = packs.active_models(connection)
        variants = packs.variants(connection)
        recipes = {one.recipe for one in overview.totals_by_recipe(connection)} | {one.recipe for one in active}
    live = appliance.live()
    return render(
        request,
        "models.html",
        installed=installed,
        active=active,
        variants=variants,
        recipes=sorted(recipes | {root.recipe for root in live.roots}),
        serving={one.recipe: one for one in active},
        loaded={one.recipe: one for one in live.models},
        cards={one.model_id: _card_text(appliance.home, one) for one in installed},
    )


def _group(connection: Connection, count: failures.ReasonCount) -> ReasonGroup:
    which = FileFilter(state=FileState.QUARANTINED, reason=count.reason)
    return ReasonGroup(reason=count.reason, total=count.files, newest=files.list_files(connection, which, limit=SHOWN_PER_REASON).files)


def _card_text(home: Path, model: packs.InstalledModel) -> str:
    """The model card as it stands in the pack, or why it cannot be shown."""
    if model.removed_utc is not None:
        return "The files of this pack were removed."
    pack = (home / model.pack_path).resolve()
    card = (pack / (model.card_path or "")).resolve()
    if not card.is_relative_to(pack) or not card.is_file():
        return "The card of this pack is missing."
    with card.open("rb") as file:
        return file.read(MAX_CARD_BYTES).decode("utf-8", errors="replace")
