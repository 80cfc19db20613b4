"""`zooscan status`: where one scan stands, its rescan light, its result and what happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, plain, reading, say, told

if TYPE_CHECKING:
    from edge.store.reads.zooscan import RunRow, ScanRow
    from edge.zooscan.light import Light

_LAST = 10


def status_command(
    context: typer.Context,
    scan: Annotated[str, typer.Argument(metavar="SCAN", help="The scan, by its name or its uuid.")],
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Its project, where two have a scan of this name.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Where a scan stands: whether to scan it again while the sample is in the tray, its result, and what happened to it."""
    from edge.errors import SettingsError
    from edge.store.reads.zooscan import current_run, find_scan, history
    from edge.zooscan.desk.lighting import Lighting

    with told(as_json=as_json), reading(home_of(context)) as connection:
        found = find_scan(connection, scan, project=project)
        if not found:
            raise SettingsError(f"there is no scan {scan}", advice="`imagine-edge zooscan list` names those that there are.")
        if len(found) > 1:
            named = ", ".join(row.project for row in found)
            raise SettingsError(f"several projects have a scan {scan}: {named}", advice="Name one of them with --project.")
        (row,) = found
        light, run, happened = (
            Lighting.scan_light(connection, row),
            current_run(connection, row.id),
            history(connection, row.id, limit=_LAST),
        )
    if as_json:
        result = None if run is None else {key: value for key, value in plain(run).items() if key not in ("id", "scan_id")}
        told_of = {key: value for key, value in plain(row).items() if key not in ("id", "project_id", "run_id")}
        answer({"scan": told_of, "light": light, "run": result, "history": [one._asdict() for one in happened]})
        return
    _show(row, light, run)
    table = make_table("when", "who", "what", "more")
    for one in happened:
        table.add_row(one.at_utc[:16].replace("T", " "), one.actor, one.what, one.detail)
    if happened:
        out.print(table)


def _show(row: ScanRow, light: Light | None, run: RunRow | None) -> None:
    say(f"{row.name} of {row.project}: {row.state}")
    for lack in row.lacks if row.state == "waiting" else ():
        say(f"  waits for {lack}")
    if row.project_trouble:
        say(f"  its folder is away: {row.project_trouble}")
    if row.state == "failed":
        say(f"  {row.reason.replace('_', ' ')}: {row.detail}")
    if light is not None:
        say(f"  light {light.colour}: {light.words}")
        for sign in light.signs:
            say(f"    {sign.colour:<6} {sign.words}{'. ' + sign.advice if sign.advice else ''}")
    if run is not None:
        say(f"  {_figures(row)}; {run.width_px} x {run.height_px} px, {run.pixel_mm:.4f} mm per pixel, background {run.background}")
    if row.original != "present":
        say(f"  its picture is {row.original} since {row.original_utc}")
    if row.signed_by is not None:
        say(f"  signed by {row.signed_by}")


def _figures(row: ScanRow) -> str:
    figures: dict[str, Any] = {
        "objects": row.objects,
        "multiples": row.multiples,
        "not looked at": row.undecided,
        "validated": row.validated,
    }
    return ", ".join(f"{value} {name}" for name, value in figures.items() if value is not None)
