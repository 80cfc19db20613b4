"""`sync now|status|pause|resume|retry` and `sync usb`: what goes ashore, asked of the running appliance, or done here where none runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, SettingsError
from edge.web.text import duration, size

if TYPE_CHECKING:
    from sync.desk import SyncDesk

ACTOR = "cli"
LOOK_S, STILL_S = 1.0, 120.0
_IDLE = {"away", "closed", "paused", "refused", "trouble"}  # nothing goes before somebody or the hour lets it

usb_app = typer.Typer(help="Results ashore in a pocket, models aboard by the same way.", no_args_is_help=True)


def now_command(
    context: typer.Context,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until everything has arrived, or nothing goes on without a person or a link.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bundle what waits and try every far side at once, in its windows and its budget. Without an appliance that runs it is done here."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                desk.now(ACTOR)
                desk.drain()
                found = plain(desk.status(bundles=1))
        except BusyError as error:
            or_running(error, home, "POST", "/api/sync/now", {})
            found = _followed(error, home) if wait else or_running(error, home, "GET", "/api/sync", {})
    _tell(found, as_json=as_json)


def status_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Tell what waits to go ashore, and how each far side stands. Nobody is asked for it."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                desk.look()
                found = plain(desk.status(bundles=1))
        except BusyError as error:
            found = or_running(error, home, "GET", "/api/sync", {})
    _tell(found, as_json=as_json)


def pause_command(
    context: typer.Context,
    hours: Annotated[float | None, typer.Option("--for", metavar="HOURS", help="And go on by itself after so many hours.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Let nothing go ashore until `sync resume`. It outlives a restart; results wait, and none is lost."""
    found = _asked(context, "pause", {"hours": hours}, lambda desk: desk.pause(ACTOR, hours), as_json=as_json)
    if as_json:
        answer(found)
    else:
        say(
            "paused"
            + (f" until {found['until_utc'][:16].replace('T', ' ')} UTC" if found["until_utc"] else ": `imagine-edge sync resume` ends it")
        )


def resume_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Let it go on after a pause."""
    found = _asked(context, "resume", {}, lambda desk: {"was_paused": desk.resume(ACTOR)}, as_json=as_json)
    if as_json:
        answer(found)
    else:
        say("what waits goes on" if found["was_paused"] else "it was not paused")


def retry_command(
    context: typer.Context,
    sink: Annotated[str | None, typer.Argument(metavar="NAME", help="The far side; all if none is named.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Try again what a far side refused, once the reason is corrected."""

    def work(desk: SyncDesk) -> dict[str, Any]:
        count = desk.retry(ACTOR, sink)
        desk.drain()
        return {"tried": count}

    found = _asked(context, "retry", {"sink": sink}, work, as_json=as_json)
    if as_json:
        answer(found)
    else:
        say(f"{found['tried']} bundles are tried again; `imagine-edge sync status` tells how it goes")


def setup_command(
    context: typer.Context,
    sink: Annotated[str, typer.Argument(metavar="NAME", help="A far side of the kind `directory`.")],
    as_json: JsonOption = False,
) -> None:
    """Mark the folder of a stick or a share as the one for bundles, once. An empty mount point is then never taken for it."""
    from edge.settings import load_settings
    from sync.sinks.directory import DirectorySink

    with told(as_json=as_json):
        found = next((one for one in load_settings(home_of(context)).sinks if one.name == sink and one.path is not None), None)
        if found is None or found.path is None:
            raise SettingsError(f"the settings name no folder {sink}", advice='Its table is [[sinks]] with `kind = "directory"`.')
        DirectorySink(sink, found.path).set_up()
    if as_json:
        answer({"name": sink, "path": str(found.path)})
    else:
        say(f"{found.path} is the folder of {sink}; what waits goes there by itself")


@usb_app.command("export")
def usb_export_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The stick, or a folder on it.")],
    as_json: JsonOption = False,
) -> None:
    """Bring everything that no stick has yet to a stick. When this ends well, all of it is on the medium and can be pulled out."""
    path = folder.absolute()
    found = _asked(context, "usb/export", {"path": str(path)}, lambda desk: desk.usb_export(path, ACTOR), as_json=as_json)
    if as_json:
        answer(found)
    elif not found["bundles"]:
        say("nothing new: earlier sticks have all of it")
    else:
        count = "1 bundle" if found["bundles"] == 1 else f"{found['bundles']} bundles"
        say(f"{count}, {size(found['size_bytes'])}: written to {found['path']} and read back. The stick can go ashore.")
    if not as_json and found["bundles"] and found["on_own_disk"]:
        say("that folder lies on the same disk as the home folder: is the stick mounted there?")


@usb_app.command("import")
def usb_import_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The stick, or a folder on it.")],
    as_json: JsonOption = False,
) -> None:
    """Tell what a stick brought: models that shore signed are checked and remembered; nothing is installed by this."""
    path = folder.absolute()
    found = _asked(context, "usb/import", {"path": str(path)}, lambda desk: desk.usb_import(path, ACTOR), as_json=as_json)
    if as_json:
        answer(found)
        return
    say(found["words"])
    for one in found.get("offers", ()):
        say(f"  {one['name']} {one['version']}: {one['title']}")
    if found.get("next"):
        say(found["next"])


@contextmanager
def _desk(home: Path) -> Iterator[SyncDesk]:
    """The desk of a home folder whose appliance does not run.

    Raises:
        BusyError: it runs.
    """
    from edge.settings import load_settings
    from edge.sync_work import sync_desk

    settings = load_settings(home)
    with held_store(home) as writer:
        desk = sync_desk(home, settings, writer, partial(reading, home))
        try:
            yield desk
        finally:
            desk.stop()


def _asked(context: typer.Context, what: str, body: dict[str, object], work: Callable[[SyncDesk], Any], *, as_json: bool) -> dict[str, Any]:
    """Done here, or by the appliance that runs."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                found: dict[str, Any] = plain(work(desk))
        except BusyError as error:
            found = or_running(error, home, "POST", f"/api/sync/{what}", body)
    return found


def _followed(error: BusyError, home: Path) -> dict[str, Any]:
    """Look until everything has arrived, or nothing goes on without a person or a link."""
    failed_before, moved_s, last = None, time.monotonic(), None
    while True:
        time.sleep(LOOK_S)
        found: dict[str, Any] = or_running(error, home, "GET", "/api/sync", {})
        failed = {one["name"]: one["failed_utc"] for one in found["sides"]}
        failed_before = failed_before or failed
        waits = [one for one in found["sides"] if one["waiting"] or any(one["name"] in line["taken_by"] for line in _unbundled(found))]
        if all(one["state"] in _IDLE or failed[one["name"]] != failed_before[one["name"]] for one in waits):
            return found
        state = [(one["name"], one["waiting"]) for one in found["sides"]], [one["results"] for one in found["backlog"]]
        moved_s, last = (moved_s, last) if state == last else (time.monotonic(), state)
        if time.monotonic() - moved_s > STILL_S:
            return found


def _unbundled(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in found["backlog"] if line["results"] > line["unfit"]]


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer({name: value for name, value in found.items() if name != "history"})
        return
    if found["paused"]:
        until = found["paused"]["until_utc"]
        say(f"PAUSED by {found['paused']['by']}" + (f" until {until[:16].replace('T', ' ')} UTC" if until else ""))
    if found["no_room"]:
        say(found["no_room"])
    _tell_backlog(found)
    if not found["sides"]:
        say("no far side: add a [[sinks]] table to settings.toml (docs/sync.md), or `imagine-edge sync usb export DIR`")
        return
    table = make_table(
        "far side", "state", "waits", "bytes", "takes about", "today", "last contact (UTC)", numbers=("waits", "bytes", "today")
    )
    for one in found["sides"]:
        spent = size(one["day_bytes"]) + (f" of {size(one['daily_bytes'])}" if one["daily_bytes"] else "")
        about = "not known yet" if one["about_s"] is None else duration(one["about_s"]) if one["about_bytes"] else ""
        contact = (one["reached_utc"] or "never")[:16].replace("T", " ")
        table.add_row(one["name"], one["state"].upper(), str(one["waiting"]), size(one["about_bytes"]), about, spent, contact)
    out.print(table)
    for one in found["sides"]:
        if one["state"] != "good":
            say(f"{one['name']}: {one['words']}. {one['advice']}".strip())
    for one in found["failures"]:
        if one["state"] == "refused":
            say(f"  {one['sha256'][:12]} was refused by {one['sink']}: {one['words']}")


def _tell_backlog(found: dict[str, Any]) -> None:
    if not found["backlog"]:
        say("nothing waits: everything has arrived")
        return
    table = make_table("waits", "results", "bundles", "since (UTC)", "goes to", numbers=("results", "bundles"))
    for one in found["backlog"]:
        since = (one["oldest_utc"] or "")[:16].replace("T", " ")
        table.add_row(one["words"], str(one["results"]), str(one["bundles"]), since, ", ".join(one["taken_by"]) or "nobody takes it")
    out.print(table)
    if found["sealed"]:
        say(f"{found['sealed']} results are sealed until blind counts are signed")
