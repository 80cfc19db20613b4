"""`cvat push`: a station, a scan or a selection of stills becomes a task in CVAT."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edge.commands.common import JsonOption, answer, err, home_of, or_running, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import (
    BusyError,
    DiskFullError,
    EdgeError,
    LinkDownError,
    LoginNeededError,
    ServerFailedError,
    SettingsError,
    TransportError,
)

if TYPE_CHECKING:
    from annotator_bridge.cvat.tools import PushTools
    from annotator_bridge.cvat.values import Progress, PushRequest
    from edge.settings import Settings
    from edge.store.writer import Writer

ACTOR = "cli"
LOOK_S = 1.0
_SHOWN = 20
_LATER = (LinkDownError, ServerFailedError, LoginNeededError, DiskFullError)  # it goes on by itself when the appliance runs
_WORDS = {
    "planned": "planned; it goes when the appliance runs and CVAT answers",
    "created": "its files are on their way",
    "uploaded": "CVAT makes frames of its files",
    "ready": "what a model found is on its way",
    "sent": "sent",
}


def push_command(
    context: typer.Context,
    station: Annotated[str | None, typer.Option(metavar="NAME", help="A station: the stills of its tow, or its clip.")] = None,
    survey: Annotated[str | None, typer.Option(metavar="NAME", help="Its survey, where several have a station of that name.")] = None,
    tow: Annotated[int | None, typer.Option(metavar="N", min=1, help="The tow, where a station has several.")] = None,
    clip: Annotated[str | None, typer.Option(metavar="NAME", help="A clip of the tow, by its name or uuid, as a video.")] = None,
    media: Annotated[str | None, typer.Option(metavar="images|clip", help="Stills or clip, where a tow has both.")] = None,
    scan: Annotated[str | None, typer.Option(metavar="SCAN", help="A ZooScan scan: its vignettes, tagged multiple or single.")] = None,
    folder: Annotated[str | None, typer.Option(metavar="FOLDER", help="The stills of a folder of an inbox.")] = None,
    image: Annotated[list[str] | None, typer.Option(metavar="UUID", help="A still by its uuid; repeat it.")] = None,
    with_model: Annotated[bool, typer.Option("--model/--no-model", help="What a model found goes along.")] = True,
    job_frames: Annotated[int | None, typer.Option(metavar="N", min=1, help="Frames of a job; else the setting cvat_job_frames.")] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="What it is called in CVAT; else named after what it is.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Make another task although one of the same stands.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end; the running appliance goes on without.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Make a task in CVAT. A station that is counted blind goes without what a model found. Asked for twice, it is sent once."""
    home = home_of(context)
    with told(as_json=as_json):
        body = {
            **_source(station=station, scan=scan, folder=folder, images=tuple(image or ())),
            "survey": survey,
            "tow": tow,
            "clip": clip,
            "media": _media(media, clip),
            "with_model": with_model,
            "job_frames": job_frames,
            "title": title,
            "again": again,
        }
        result = _push(home, body, wait=wait, quiet=as_json or not err.is_terminal)
    if as_json:
        answer(result)
    else:
        _tell(result)


def _source(*, station: str | None, scan: str | None, folder: str | None, images: tuple[str, ...]) -> dict[str, Any]:
    named = [name for name, value in (("station", station), ("scan", scan), ("folder", folder), ("image", images)) if value]
    if len(named) != 1:
        told_of = "nothing" if not named else " and ".join(f"--{name}" for name in named)
        raise SettingsError(f"{told_of} is named", advice="Name one of --station, --scan, --folder and --image.")
    source: Literal["station", "scan", "selection"] = "station" if station else "scan" if scan else "selection"
    return {"source": source, "station": station, "scan": scan, "folder": folder, "images": images}


def _media(media: str | None, clip: str | None) -> str | None:
    if media not in (None, "images", "clip"):
        raise SettingsError(f"--media is images or clip, not {media!r}")
    return "clip" if clip else media


def _push(home: Path, body: dict[str, Any], *, wait: bool, quiet: bool) -> dict[str, Any]:
    from annotator_bridge.cvat.values import PushRequest
    from edge.settings import load_settings
    from edge.store.clock import utc_now

    settings = load_settings(home)
    try:
        with held_store(home) as writer:
            return _push_here(home, settings, writer, PushRequest(**body), wait=wait, quiet=quiet)
    except BusyError as error:
        asked = {name: list(value) if isinstance(value, tuple) else value for name, value in body.items()}
        begin_utc = utc_now()
        planned = or_running(error, home, "POST", "/api/annotate/tasks", asked)
        return _followed(error, home, planned, begin_utc, wait=wait)


def _push_here(home: Path, settings: Settings, writer: Writer, request: PushRequest, *, wait: bool, quiet: bool) -> dict[str, Any]:
    from annotator_bridge.cvat.plan import plan
    from annotator_bridge.cvat.tools import PushTools
    from edge.recipes.footage_hands import footage_hands
    from edge.store import cvat as store
    from edge.store.clock import utc_now

    tools = PushTools(
        home=home,
        settings=settings,
        writer=writer,
        reader=partial(reading, home),
        hands=partial(footage_hands, settings),
        wait=_waited,
        tell=_teller(quiet=quiet),
    )
    planned = plan(tools, request, ACTOR)
    if wait:
        try:
            _to_the_end(tools, settings.cvat_url, planned.task_id)
        except EdgeError as error:
            words, code = f"{error}. {error.advice()}", error.code
            again_utc = utc_now() if isinstance(error, _LATER) else None
            writer.call(partial(store.note_trouble, task_id=planned.task_id, code=code, words=words, next_try_utc=again_utc))
            raise
    return {**plain(planned), **_state(home, planned.task_id)}


def _to_the_end(tools: PushTools, address: str, task_id: int) -> None:
    from annotator_bridge.cvat.address import checked_address
    from annotator_bridge.cvat.login import needed_login
    from annotator_bridge.cvat.push import advance
    from annotator_bridge.cvat.session import open_server

    server = checked_address(address, plain_allowed=tools.settings.cvat_plain_http)
    with open_server(needed_login(tools.home, server), wait=tools.wait) as opened:
        row = advance(tools, opened, task_id)
        while row.step != "sent" and not row.cancelled_utc and not row.gone_utc:
            row = advance(tools, opened, task_id)  # the server still makes frames


def _followed(error: BusyError, home: Path, planned: Mapping[str, Any], begin_utc: str, *, wait: bool) -> dict[str, Any]:
    """The running appliance does it: its task, at the end or as soon as there is trouble."""
    from edge.commands.cvat_running import check_reached

    path = f"/api/annotate/tasks/{planned['task_uuid']}"
    while True:
        row = or_running(error, home, "GET", path, {})
        if row["trouble"]:
            raise TransportError(
                f"{row['title']}: {row['trouble']}", advice="It goes on by itself, or when you retry it on the Annotate page."
            )
        if not wait or row["step"] == "sent" or row["cancelled_utc"] or row["gone_utc"]:
            about = {"title": row["title"], "step": row["step"], "frames": row["images"], "jobs": row["jobs"]}
            about |= {"with_model": row["with_model"], "withheld": row["withheld"]}  # it may have become blind on its way
            return {**planned, **about, "remote_id": row["remote_id"], "url": row["address"]}
        check_reached(error, home, row["title"], since_utc=begin_utc)
        time.sleep(LOOK_S)


def _state(home: Path, task_id: int) -> dict[str, Any]:
    from edge.store.reads.cvat import task_by_id

    with reading(home) as connection:
        row = task_by_id(connection, task_id)
    assert row is not None  # it was written before
    url = "" if row.remote_id is None else f"{row.server_url}/tasks/{row.remote_id}"
    return {
        "title": row.title,
        "step": row.step,
        "frames": row.frames,
        "jobs": row.jobs,
        "with_model": row.with_model,
        "withheld": row.withheld,
        "remote_id": row.remote_id,
        "url": url,
    }


def _waited(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _teller(*, quiet: bool) -> Callable[[Progress], None]:
    """Tells each new state on the terminal."""
    last = ""

    def tell(progress: Progress) -> None:
        nonlocal last
        share = ""
        if progress.step == "created" and progress.bytes_total:
            share = f" {100 * progress.bytes_sent / progress.bytes_total:.0f} %"
        elif progress.step == "ready" and progress.frames_total:
            share = f" {100 * progress.frames_sent / progress.frames_total:.0f} %"
        text = f"{_WORDS[progress.step]}{share}"
        if not quiet and text != last:
            last = text
            err.print(text, markup=False)

    return tell


def _tell(result: Mapping[str, Any]) -> None:
    before = "stood already: " if result["stood"] else ""
    jobs = f"{result['jobs']} job{'' if result['jobs'] == 1 else 's'}"
    say(f"{before}{result['title']}: {_WORDS[result['step']]}; {result['frames']} frames in {jobs}")
    if result["url"]:
        say(f"  {result['url']}")
    if result["withheld"]:
        say(f"  without what a model found: {result['withheld']}")
    left_out = result["left_out"]
    if left_out:
        say(f"{len(left_out)} files are left out:")
        for one in left_out[:_SHOWN]:
            say(f"  {one['name']}: {one['reason']}")
        if len(left_out) > _SHOWN:
            say(f"  and {len(left_out) - _SHOWN} more (--json lists them)")
