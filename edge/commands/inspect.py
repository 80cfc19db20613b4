"""`status` and `doctor`: what the database says, whether or not the appliance runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, plain, reading, say, told
from edge.commands.running import read_address
from edge.errors import SettingsError
from edge.recipes import EVERY_RECIPE
from edge.settings import load_settings
from edge.store import packs
from edge.store.reads.overview import RecipeTotals, totals_by_recipe
from edge.store.reads.zooscan import count_scans

if TYPE_CHECKING:
    from edge.health.doctor import Finding


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Files by state, objects, active models, and where the pages are if the appliance runs."""
    home = home_of(context)
    with told(as_json=as_json), reading(home) as connection:
        totals = totals_by_recipe(connection)
        scans = count_scans(connection)
        models = {name: row.label for name in EVERY_RECIPE if (row := packs.active_pack(connection, name)) is not None}
    url, fault = read_address(home), _settings_fault(home)
    if as_json:
        answer(
            {
                "home": home,
                "url": url,
                "recipes": [_counts(one) for one in totals],
                "models": models,
                "scans": scans,
                "settings_fault": fault,
            }
        )
        return
    say(f"{home}: {'pages at ' + url if url else 'the appliance is not running'}")
    figures_of = ("files", "seen", "queued", "in hand", "done", "failed", "objects")
    table = make_table("recipe", *figures_of, numbers=figures_of)
    for one in totals:
        words = [] if one.objects is None else [str(one.objects)]
        objects = " and ".join(words + ([f"{one.sealed} results sealed"] if one.sealed else []))
        figures = (one.files, one.seen, one.queued, one.leased, one.done, one.quarantined, objects)
        table.add_row(one.recipe, *(str(figure) for figure in figures))
    out.print(table if totals else f"No file was seen yet. Drop stills into {home / 'inbox' / 'burrows'}.")
    if scans:
        say(f"ZooScan scans: {', '.join(f'{count} {state}' for state, count in sorted(scans.items()))}")
    for recipe, label in models.items():
        say(f"{label} serves {recipe}")
    if fault is not None:
        err.print(f"The settings cannot be used, the appliance will not start with them: {fault}", style="bold red", markup=False)


def _settings_fault(home: Path) -> str | None:
    """What is wrong with the settings; the database can be read whatever they are."""
    try:
        load_settings(home)
    except SettingsError as error:
        return str(error)
    return None


def _counts(totals: RecipeTotals) -> dict[str, object]:
    return {**plain(totals), "files": totals.files}


def doctor(context: typer.Context, as_json: JsonOption = False) -> None:
    """Check the home folder, the database, the disk, the folders and this machine; say what to do about each fault."""
    from edge.health.doctor import examine

    home = home_of(context)
    with told(as_json=as_json):
        findings = examine(home, load_settings(home))
    faults = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        answer({"findings": findings, "errors": len(faults)})
    else:
        for finding in findings:
            _show_finding(finding)
    raise typer.Exit(3 if faults else 0)


def _show_finding(finding: Finding) -> None:
    style = {"ok": "green", "notice": "cyan", "warning": "yellow", "error": "bold red"}[finding.severity]
    out.print(f"[{style}]{finding.severity:<8}[/] ", end="")
    out.print(finding.message, markup=False)
    if finding.advice:
        out.print(f"         {finding.advice}", markup=False)
