"""`ingest`: one pass over a folder. `reprocess`: the active model once more over what has a result."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from edge.commands.common import JsonOption, answer, err, home_of, or_running, say, service_of, told
from edge.errors import BusyError, DiskFullError, InputError, ModelError, Reason, SettingsError, StoreError
from edge.health.disk import DiskLevel
from edge.store import jobs, passes
from edge.store.connection import snapshot
from edge.store.files import shown
from edge.store.reads.surveys import TowRow, main_tow, tow_images, tows

if TYPE_CHECKING:
    from edge.service import Service

_LOOK_S = 0.1
_FAULT_LIMIT_S = 60.0
_NAME_A_FOLDER = "Name the folder that holds the files."
_CHECK_FOLDER = "Check the folder, its permissions and its medium, then run the command again."


def ingest(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder to take files from, subfolders included.")],
    recipe: Annotated[str, typer.Option(help="What happens to the files.")] = "burrows",
    station: Annotated[
        str | None,
        typer.Option("--station", metavar="S", help="All of it is footage of this station; one that nobody knows becomes a draft."),
    ] = None,
    survey: Annotated[str | None, typer.Option("--survey", metavar="NAME", help="The station's survey, where that is not clear.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Keep a verified copy in the home folder (removable media).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Process a folder once and end: what is new gets a result, what is known stays as it is."""
    with told(as_json=as_json):
        if not folder.is_dir():
            raise InputError(Reason.UNREADABLE_FILE, f"{folder} is no folder", advice=_NAME_A_FOLDER)
        with service_of(home_of(context), patient=False) as service:
            tow = None if station is None else _tow_of(service, station, survey)
            root = service.take_from(folder, recipe, "copy" if copy else "in_place", watch=False)
            if tow is not None:
                service.media.take_folder_for(shown(os.fsencode(folder.absolute())), tow.id)
            summary: dict[str, Any] = dict(run_pass(service, root.root_id, folder, quiet=as_json))
            if tow is not None:
                summary |= _attached(service, tow)
    if as_json:
        answer(summary)
    else:
        say("{files} files: {done} processed, {quarantined} quarantined, {unchanged} unchanged".format(**summary))
        if summary.get("sealed"):
            say(f"{summary['sealed']} results are sealed until the counts of their stations are signed")
        objects = "no" if summary["objects"] is None else summary["objects"]
        say(f"{objects} objects in {summary['elapsed_s']} s ({summary['images_per_s']} images/s)")
        if tow is not None:
            say(f"Station {tow.station} ({tow.survey or 'a draft of no survey'}) has {summary['images_of_station']} images")
        if summary["waiting"]:
            say(f"{summary['waiting']} files still grow or are not there any more; run the command again")


def _tow_of(service: Service, station: str, survey: str | None) -> TowRow:
    """The tow that a station's files go to: its first in the analysis."""
    station_id = service.sheets.ensure_station(station, survey, "command line")
    with service.reader() as connection:
        tow = main_tow(connection, station_id) or next(iter(tows(connection, station_id)), None)
    if tow is None:
        raise SettingsError(f"station {station} has no tow", advice="Add one on its page.")
    return tow


def _attached(service: Service, tow: TowRow) -> dict[str, Any]:
    """What `--station` adds to the summary."""
    with service.reader() as connection:
        images = len(tow_images(connection, tow.id))
    return {"station": tow.station, "survey": tow.survey, "images_of_station": images}


def run_pass(service: Service, root_id: int, folder: Path, *, quiet: bool) -> dict[str, float | int | None]:
    """Take and process everything below a folder; returns the summary that `--json` prints."""
    begun_s = time.monotonic()
    with service.reader() as connection:
        before = passes.mark(connection, root_id, folder)
    service.start_single_pass()
    _until_done(service, quiet=quiet)
    service.media.step()  # what was found on a tow that is counted blind is sealed before it is summed
    service.tows.step()
    with service.reader() as connection:
        counted = passes.count_since(connection, before)
    elapsed_s = time.monotonic() - begun_s
    trouble = next((trouble for root in service.intake.status() if root.root_id == root_id for trouble in root.troubles), None)
    if trouble is not None:
        raise InputError(Reason.UNREADABLE_FILE, trouble, advice=_CHECK_FOLDER)
    return {
        "files": counted.files,
        "done": counted.done,
        "quarantined": counted.quarantined,
        "unchanged": counted.unchanged,
        "waiting": counted.waiting,
        "objects": counted.objects,
        **({"clips": counted.clips} if counted.clips else {}),
        **({"sealed": counted.sealed} if counted.sealed else {}),
        "elapsed_s": round(elapsed_s, 3),
        "images_per_s": round(counted.done / elapsed_s, 3),
    }


def _until_done(service: Service, *, quiet: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal, transient=True) as progress:
        bar = progress.add_task("looking", total=None)
        well_s = time.monotonic()
        while not _is_done(service):
            done = sum(dispatcher.tally.done + dispatcher.tally.quarantined for dispatcher in service.dispatchers.values())
            live = service.live()
            left = live.queue_length + len(live.in_flight) + service.intake.waiting
            clips = [clip.told for dispatcher in service.dispatchers.values() for clip in dispatcher.clips if clip.read_to_s > 0]
            doing = clips[0] if clips else live.phase_detail or live.phase
            progress.update(bar, description=doing, completed=done, total=(done + left) or None)
            _check_able(service)
            well_s = well_s if live.faults else time.monotonic()
            if time.monotonic() - well_s > _FAULT_LIMIT_S:
                raise StoreError("; ".join(live.faults))
            time.sleep(_LOOK_S)


def _is_done(service: Service) -> bool:
    """The inventory has ended, nothing settles, and every job whose file can be read has ended."""
    if service.intake.inventories == 0 or not service.intake.idle:
        return False
    if any(dispatcher.in_flight for dispatcher in service.dispatchers.values()):
        return False
    with service.reader() as connection, snapshot(connection):
        return not any(jobs.has_open_jobs(connection, recipe) for recipe in service.dispatchers)


def _check_able(service: Service) -> None:
    """End with the reason rather than wait for ever."""
    live = service.live()
    failed = [model for model in live.models if model.state == "failed"]
    if failed and not live.in_flight:
        raise ModelError(f"{failed[0].name or failed[0].recipe}: {failed[0].detail}")
    if service.disk.level is not DiskLevel.OK and not live.in_flight:
        raise DiskFullError(f"only {live.disk.free_bytes} bytes are free; nothing is taken below {live.disk.floor_bytes}")


def reprocess(
    context: typer.Context,
    recipe: Annotated[str, typer.Option(help="Whose files.")] = "burrows",
    file_id: Annotated[list[int] | None, typer.Option("--file", help="Only these files, by id; may be repeated.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the active model again on files that have a result; both results stay."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            queued = _reprocess_here(home, recipe, file_id, quiet=as_json)
        except BusyError as error:
            chosen = {"all": True} if file_id is None else {"file_ids": file_id}
            queued = or_running(error, home, "POST", "/api/reprocess", {"recipe": recipe, **chosen})["queued"]
    if as_json:
        answer({"reprocessed": queued})
    else:
        say(f"{queued} images processed again")


def _reprocess_here(home: Path, recipe: str, file_ids: list[int] | None, *, quiet: bool) -> int:
    with service_of(home, patient=False) as service:
        queued: int = service.reprocess(file_ids, recipe, "command line")
        service.start_single_pass()
        _until_done(service, quiet=quiet)
    return queued
