"""`survey copy-raw` and `survey verify-copy`: a verified second copy of a station's raw media, and whether one is whole still."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge.commands.common import JsonOption, answer, err, home_of, or_running, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, SettingsError
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import RawCopyRow, tow_totals
from edge.survey.copy_desk import CopyDesk
from edge.survey.raw_copy import CopyStoppedError, verify_copy
from edge.survey.raw_copy import Progress as CopyProgress

ACTOR = "cli"
LOOK_S = 0.5
SHOWN_FAULTS = 20


def copy_raw_command(
    context: typer.Context,
    station: Annotated[str, typer.Argument(metavar="STATION", help="The name of the station.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to; each tow gets a folder of its own below it.")],
    survey: Annotated[str | None, typer.Option("--survey", metavar="NAME", help="Its survey, where several have such a station.")] = None,
    tow: Annotated[int, typer.Option(min=1, help="Which tow of the station.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Copy a tow's raw media and read every file back; asked for again, it goes on where it was. Ctrl-C cancels."""
    home = home_of(context)
    with told(as_json=as_json):
        tow_id, files = _find(home, station, survey, tow)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, disable=as_json or not err.is_terminal, transient=True) as progress:
            bar = progress.add_task("copying", total=files)
            try:
                done = _copy_here(home, tow_id, to.absolute(), partial(_show, progress, bar))
            except BusyError as error:
                done = _copy_there(home, error, tow_id, to.absolute(), partial(progress.update, bar))
        if done["state"] != "done":
            raise CopyStoppedError(f"the copy to {done['destination']} is {done['state']}: {done['detail']}")
    if as_json:
        answer(done)
    else:
        say(f"{done['files']} files ({done['size_bytes']} bytes) are in {done['destination']}, each read back and equal")
        say(f"manifest.json has the SHA-256 {done['manifest_sha256']}")
        if done["detail"]:
            say(f"NOTE: {done['detail']}")


def verify_copy_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a tow's second copy, with its manifest.json.")],
    as_json: JsonOption = False,
) -> None:
    """Read every file of a second copy back and compare it with its manifest. Needs no home folder: any machine can do it.

    Exit code 0 only for a copy that is complete; 1 for one that is incomplete, damaged, or none.
    """
    with told(as_json=as_json):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, disable=as_json or not err.is_terminal, transient=True) as progress:
            bar = progress.add_task("reading back", total=None)
            found = verify_copy(folder.absolute(), tell=partial(_show, progress, bar))
    if as_json:
        answer(found)
    else:
        say(f"{folder}: {found.state}" + (f", {found.whose}" if found.whose else ""))
        say(f"{found.files} files ({found.size_bytes} bytes) are there and equal")
        for fault in found.faults[:SHOWN_FAULTS]:
            say(f"- {fault}")
        if len(found.faults) > SHOWN_FAULTS:
            say(f"- and {len(found.faults) - SHOWN_FAULTS} more")
    if found.state != "complete":
        raise typer.Exit(1)


def _find(home: Path, station: str, survey: str | None, ordinal: int) -> tuple[int, int]:
    """The tow's id and how many files it has."""
    with reading(home) as connection:
        row = reads.find_station(connection, station, survey)
        chosen = None if row is None else next((one for one in reads.tows(connection, row.id) if one.ordinal == ordinal), None)
        if chosen is None:
            raise SettingsError(
                f"there is no station {station} with a tow {ordinal}", advice="`imagine-edge survey status` lists them all."
            )
        return chosen.id, sum(one.images for one in tow_totals(connection, chosen.id).values())


def _copy_here(home: Path, tow_id: int, to: Path, show: Any) -> dict[str, Any]:
    with held_store(home) as writer:
        desk = CopyDesk(home, writer, partial(reading, home))
        try:
            copy_id = desk.begin(tow_id, to, ACTOR, tell=show)
            return _plain(desk.wait(copy_id))
        finally:
            desk.close()


def _copy_there(home: Path, error: BusyError, tow_id: int, to: Path, update: Any) -> dict[str, Any]:
    """Let the running appliance copy, and look how far it is; Ctrl-C cancels it there."""
    copy_id = or_running(error, home, "POST", f"/api/tows/{tow_id}/copies", {"to": str(to)})["id"]
    try:
        while True:
            found: dict[str, Any] = or_running(error, home, "GET", f"/api/copies/{copy_id}", {})
            update(completed=found["files"])
            if found["state"] != "running":
                return found
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        or_running(error, home, "POST", f"/api/copies/{copy_id}/cancel", {})
        raise


def _show(progress: Progress, bar: Any, how_far: CopyProgress) -> None:
    progress.update(bar, completed=how_far.files, description=how_far.name[:40])


def _plain(row: RawCopyRow) -> dict[str, Any]:
    return dict(row._asdict())
