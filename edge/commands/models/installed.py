"""Which packs are installed, what they can do on this machine, and which one serves a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, reading, say, service_of, told
from edge.errors import BusyError, ModelError
from edge.recipes import EVERY_RECIPE, find_served
from edge.store import packs
from edge.store.sqlite import Connection
from models.pack import read_pack
from models.runtime.machine import machine_fingerprint

ActivateRecipe = Annotated[str, typer.Option(help="The recipe that the model serves.")]
_ACTOR = "command line"


def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """The installed packs, and which one serves each recipe."""
    with told(as_json=as_json), reading(home_of(context)) as connection:
        rows = [_described(connection, pack) for pack in packs.list_packs(connection)]
    if as_json:
        answer(rows)
        return
    if not rows:
        say("No pack is installed yet: `imagine-edge run` installs the bundled one at its first start.")
        return
    table = make_table("model", "version", "serves", "variants offered here")
    for row in rows:
        offered = ", ".join(variant["name"] for variant in row["variants"] if variant["offered"])
        table.add_row(row["name"], row["version"], row["active_for"] or "", offered or "not checked yet")
    out.print(table)


def show_model(
    context: typer.Context, name: str, version: Annotated[str | None, typer.Argument()] = None, as_json: JsonOption = False
) -> None:
    """One pack: its card, and what each variant showed on this machine."""
    with told(as_json=as_json), reading(home_of(context)) as connection:
        row = packs.get_pack(connection, name, version)
        pack = read_pack(row.pack_path)
        described = _described(connection, row)
    if as_json:
        answer({**described, "manifest": pack.manifest.model_dump(mode="json")})
        return
    say(pack.file_path(pack.manifest.card).read_text(encoding="utf-8"))
    table = make_table(
        "variant", "runtime", "precision", "offered", "ms", "images/s", "why", numbers=("ms", "images/s"), title="Variants on this machine"
    )
    for variant in described["variants"]:
        speed = ["" if variant[key] is None else f"{variant[key]:.1f}" for key in ("latency_ms", "images_per_s")]
        offered = "yes" if variant["offered"] else "no"
        table.add_row(variant["name"], variant["runtime"], variant["precision"], offered, *speed, variant["reason"])
    out.print(table)


def activate_model(
    context: typer.Context,
    name: str,
    version: Annotated[str | None, typer.Argument()] = None,
    recipe: ActivateRecipe = "burrows",
    as_json: JsonOption = False,
) -> None:
    """Let an installed pack serve a recipe from now on. Nothing is processed again by itself."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with service_of(home) as service:
                service.keeper.install_bundled()
                served = find_served(recipe)
                row = service.keeper.activate(
                    recipe, name, version, tasks=served.tasks, labels=served.labels, foreign=served.foreign, actor=_ACTOR
                )
        except BusyError as error:
            with reading(home) as connection:
                chosen = packs.get_pack(connection, name, version)
            wanted: dict[str, object] = {"model": chosen.name, "version": chosen.version, "recipe": recipe}
            or_running(error, home, "POST", "/api/models/activate", wanted)
            row = _active(home, recipe)
    _tell(as_json, row, f"{row.label} serves {recipe}")


def roll_back_model(context: typer.Context, recipe: ActivateRecipe = "burrows", as_json: JsonOption = False) -> None:
    """Let the pack before serve a recipe again."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with service_of(home) as service:
                row = service.keeper.roll_back(recipe, actor=_ACTOR)
        except BusyError as error:
            or_running(error, home, "POST", "/api/models/rollback", {"recipe": recipe})
            row = _active(home, recipe)
    _tell(as_json, row, f"{row.label} serves {recipe} again")


def _active(home: Path, recipe: str) -> packs.PackRow:
    with reading(home) as connection:
        row = packs.active_pack(connection, recipe)
    if row is None:
        raise ModelError(f"no model serves {recipe}")
    return row


def _tell(as_json: bool, row: packs.PackRow, text: str) -> None:
    if as_json:
        answer({"name": row.name, "version": row.version})
    else:
        say(text)


def _described(connection: Connection, row: packs.PackRow) -> dict[str, Any]:
    serving = {pack.model_id: name for name in EVERY_RECIPE if (pack := packs.active_pack(connection, name)) is not None}
    return {
        "name": row.name,
        "version": row.version,
        "title": row.title,
        "active_for": serving.get(row.model_id),
        "pack_path": str(row.pack_path),
        "variants": [
            {
                "name": verdict.name,
                "runtime": verdict.runtime,
                "precision": verdict.precision,
                "device": verdict.device,
                "offered": verdict.offered,
                "reason": verdict.reason,
                "latency_ms": verdict.latency_ms,
                "images_per_s": verdict.images_per_s,
            }
            for verdict in packs.verdicts(connection, row.model_id, machine_fingerprint())
        ],
    }
