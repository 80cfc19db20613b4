"""`run`: watch the folders and serve the pages until Ctrl-C. `demo`: the same with a rendered tow, or just a tow in a folder."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands import demo_tow as tows
from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, say, service_of, told
from edge.errors import SettingsError

if TYPE_CHECKING:
    import uvicorn

    from edge.service import Service

DEMO_FOLDER = "demo-tow"
_LOOK_S = 0.1

HostOption = Annotated[str | None, typer.Option(help="Address to serve the pages on.")]
PortOption = Annotated[int | None, typer.Option(help="Port to serve the pages on; 0 takes a free one.")]


def run(context: typer.Context, host: HostOption = None, port: PortOption = None) -> None:
    """Watch the folders and serve the pages, until Ctrl-C."""
    from annotator_bridge.facade.listen import bridge_beside
    from edge.commands.serving import serving

    home = home_of(context)
    with (
        told(as_json=False),
        service_of(home, options=_options(host, port)) as service,
        serving(service) as (server, url),
        bridge_beside(home, service.settings) as bridge,
    ):
        service.watch_all()
        say(f"iMagine Edge watches {service.home / 'inbox'}")
        for watched in service.settings.watched:
            say(f"  and {watched.path} (recipe {watched.recipe})")
        if bridge is not None:
            say(f"Models for CVAT: {bridge.url}")
        say(f"Pages: {url}   (Ctrl-C ends)")
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly end
            server.run()


def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="End when the demo tow is processed.")] = False,
    stills: Annotated[int, typer.Option(min=1, max=10_000, help="Stills of the rendered tow.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another seabed.")] = 1,
    host: HostOption = None,
    port: PortOption = None,
    tow: tows.TowOption = None,
    to: tows.OutOption = None,
    density: tows.DensityOption = None,
    silt_every: tows.SiltOption = None,
    container: tows.ContainerOption = None,
    codec: tows.CodecOption = None,
    size: tows.SizeOption = None,
    rate: tows.RateOption = None,
    interlaced: tows.InterlacedOption = False,
    start: tows.StartOption = None,
    as_json: JsonOption = False,
) -> None:
    """Render a tow into the watched folder, show what is found in it, and serve the pages; or, with --tow, render one to a folder."""
    asked = tows.TowAsked(
        tow=tow,
        out=to,
        seed=seed,
        density=density,
        silt_every=silt_every,
        container=container,
        codec=codec,
        size=size,
        rate=rate,
        interlaced=interlaced,
        start=start,
    )
    if asked.is_any:
        with told(as_json=as_json):
            tows.refuse_options_of_pages(context)
            tows.render_into_folder(asked, as_json=as_json)
        return
    _show_demo(context, seed=seed, stills=stills, once=once, options=_options(host, port), as_json=as_json)


def _show_demo(context: typer.Context, *, seed: int, stills: int, once: bool, options: dict[str, object], as_json: bool) -> None:
    from edge.commands.serving import serving

    home = home_of(context)
    with told(as_json=as_json), service_of(home, options=options) as service, serving(service, quiet=as_json) as (server, url):
        folder = service.home / "inbox" / "burrows" / f"{DEMO_FOLDER}-{seed}"
        service.watch_all()
        thread = threading.Thread(target=server.run, name="pages", daemon=True)
        thread.start()
        if not as_json:
            say(f"Pages: {url}")
        _render(folder, seed=seed, stills=stills)
        _follow(service, folder, stills, quiet=as_json)
        _show_results(service, folder, as_json=as_json)
        if once:
            server.should_exit = True
            thread.join()
            return
        say(f"Drop stills into {service.home / 'inbox' / 'burrows'} and watch {url}   (Ctrl-C ends)")
        _wait_for_end(server, thread)


def _options(host: str | None, port: int | None) -> dict[str, object]:
    return {name: value for name, value in (("host", host), ("port", port)) if value is not None}


def _render(folder: Path, *, seed: int, stills: int) -> None:
    """Draw the tow in a process of its own: this one stays free of the image libraries."""
    if folder.is_dir() and sum(1 for _ in folder.glob("*.jpg")) >= stills:
        return
    process = multiprocessing.get_context("spawn").Process(target=_render_tow, args=(folder, seed, stills), daemon=True)
    process.start()
    process.join()
    if process.exitcode != 0:
        advice = "Check that the home folder has room and can be written."
        raise SettingsError(f"the demo tow could not be drawn into {folder}", advice=advice)


def _render_tow(folder: Path, seed: int, stills: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from models.workshop.synthetic import write_tow

    folder.mkdir(parents=True, exist_ok=True)
    write_tow(folder, seed=seed, n_stills=stills)


def _follow(service: Service, folder: Path, stills: int, *, quiet: bool) -> None:
    """Show progress until every still of the tow has ended as a result or a listed failure."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from edge.store.reads.tow import ended_below

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        bar = progress.add_task("demo tow", total=stills)
        ended = 0
        while ended < stills:
            time.sleep(0.2)
            with service.reader() as connection:
                ended = ended_below(connection, str(folder))
            live = service.live()
            failed = [model for model in live.models if model.state == "failed"]
            if failed:
                raise SettingsError(f"the model of the demo is not usable: {failed[0].detail}")
            preparing = [model for model in live.models if model.state == "preparing"]
            progress.update(bar, completed=ended, description="checking the model on this machine" if preparing else "demo tow")


def _show_results(service: Service, folder: Path, *, as_json: bool) -> None:
    from edge.store.reads.tow import results_below

    with service.reader() as connection:
        rows = results_below(connection, str(folder))
    if as_json:
        answer([row._asdict() for row in rows])
        return
    figures_of = ("openings", "luminance", "ms")
    table = make_table("still", "state", *figures_of, numbers=figures_of, title=f"Demo tow: {len(rows)} stills")
    for row in rows:
        figures = [f"{row.mean_luminance:.1f}", f"{row.infer_ms:.0f}"] if row.mean_luminance is not None else ["", ""]
        unseen = "" if row.mean_luminance is None else "sealed"  # a home with a survey shows nothing of files that wait for a station
        table.add_row(row.name, row.reason or row.state, unseen if row.object_count is None else str(row.object_count), *figures)
    out.print(table)


def _wait_for_end(server: uvicorn.Server, thread: threading.Thread) -> None:
    try:
        while thread.is_alive():
            time.sleep(_LOOK_S)  # not join: one that Ctrl-C interrupts takes the thread for ended (Python 3.11)
    except KeyboardInterrupt:
        server.should_exit = True
        while thread.is_alive():
            time.sleep(_LOOK_S)
