"""`demo --tow SECONDS --out DIR`: render a burrow tow of known truth into a folder and end; no appliance is started."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import answer, err, say
from edge.errors import DiskFullError, SettingsError, StoreError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from models.workshop.tow.film import Order

_PANEL = "A tow of known truth (with --tow)"
_MOST_S = 6 * 3600
_MOST_DENSITY_PER_M2 = 40.0
_INTERRUPTED = 130
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TELL_EVERY = 5
_OF_PAGES = ("once", "stills", "host", "port")

TowOption = Annotated[
    float | None,
    typer.Option("--tow", metavar="SECONDS", help="Render a tow of so many seconds into a folder, and end.", rich_help_panel=_PANEL),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where to: a new folder, or an empty one.", rich_help_panel=_PANEL)
]
DensityOption = Annotated[
    float | None,
    typer.Option(
        metavar="PER_M2", help="Burrow systems per square metre: 0.4 is usual; 17 as in the stills of 2023.", rich_help_panel=_PANEL
    ),
]
SiltOption = Annotated[
    float | None, typer.Option("--silt-every", metavar="SECONDS", help="Mean time between clouds of silt; 0: none.", rich_help_panel=_PANEL)
]
ContainerOption = Annotated[
    str | None, typer.Option(metavar="KIND", help="mp4 (usual), mov, mkv, avi, mpg, ts, mts, or stills.", rich_help_panel=_PANEL)
]
CodecOption = Annotated[
    str | None, typer.Option(metavar="CODEC", help="h264, hevc, mpeg2, mpeg4 or mjpeg; what is usual for KIND.", rich_help_panel=_PANEL)
]
SizeOption = Annotated[str | None, typer.Option(metavar="WxH", help="Frame size, 1920x1080.", rich_help_panel=_PANEL)]
RateOption = Annotated[
    str | None, typer.Option(metavar="HZ", help="Frames per second, 25; or vfr for a variable rate.", rich_help_panel=_PANEL)
]
InterlacedOption = Annotated[bool, typer.Option("--interlaced", help="Two fields of two moments in each frame.", rich_help_panel=_PANEL)]
StartOption = Annotated[
    str | None, typer.Option("--start", metavar="UTC", help="Time of the first frame, 2026-06-14T09:40:00.", rich_help_panel=_PANEL)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TowAsked:
    """The tow's options as they were typed; None where nothing was."""

    tow: float | None
    out: Path | None
    seed: int
    density: float | None
    silt_every: float | None
    container: str | None
    codec: str | None
    size: str | None
    rate: str | None
    interlaced: bool
    start: str | None

    @property
    def is_any(self) -> bool:
        """Whether anything was said about a tow."""
        words = (self.tow, self.out, self.density, self.silt_every, self.container, self.codec, self.size, self.rate, self.start)
        return self.interlaced or any(word is not None for word in words)


def refuse_options_of_pages(context: typer.Context) -> None:
    """A rendered tow starts no appliance: what is said about one would be of no effect.

    Raises:
        SettingsError: --once, --stills, --host or --port was named.
    """
    sources = {name: context.get_parameter_source(name) for name in _OF_PAGES}
    named = [f"--{name}" for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if named:
        advice = "Leave it out; or leave out what is said about the tow, and the pages are served with a demo of stills."
        raise SettingsError(
            f"no pages are served when a tow is rendered into a folder: {' and '.join(named)} cannot be used", advice=advice
        )


def render_into_folder(asked: TowAsked, *, as_json: bool) -> None:
    """Render what was asked for, with a bar; tell what is true of it.

    Raises:
        SettingsError: an option cannot be used, or the folder is not empty.
        DiskFullError: there is no room.
        StoreError: the folder cannot be written.
    """
    if asked.tow is None or asked.out is None:
        raise SettingsError("a rendered tow needs --tow SECONDS and --out DIR", advice="Name both; `imagine-edge demo --help` tells more.")
    order, out = _order(asked, asked.tow), asked.out
    _check_folder(out, order)
    truth = _rendered(out, order, quiet=as_json)
    media = truth["media"]
    if as_json:
        numbers = {name: truth[name] for name in ("openings", "systems", "start_utc", "end_utc", "distance_m", "viewed_area_m2")}
        answer({"out": out, "file": media["file"], "frames": media["frames"], "truth": out / "truth.json", **numbers})
        return
    say(f"{out / media['file']}: {media['frames']} frames, {truth['distance_m']:.0f} m of seabed")
    say(f"Counted over the whole tow: openings {truth['openings']}, burrow systems {truth['systems']} ({out / 'truth.json'})")
    say(f"Nothing of it was filmed at sea; {out / 'README.txt'} tells what each file is.")


def _order(asked: TowAsked, seconds: float) -> Order:
    from models.workshop.tow.film import FilmError, Order, film_of

    if not 1 <= seconds <= _MOST_S:
        raise SettingsError(f"a tow of {seconds:g} s cannot be rendered", advice=f"It takes 1 to {_MOST_S} seconds; a station is 600.")
    density = 0.4 if asked.density is None else asked.density
    if not 0 <= density <= _MOST_DENSITY_PER_M2:
        raise SettingsError(f"{density:g} burrow systems per square metre cannot be rendered", advice="0 to 40; at sea 0 to 3 were seen.")
    silt_every_s = 50.0 if asked.silt_every is None else asked.silt_every
    if not (silt_every_s == 0 or silt_every_s >= 1):
        raise SettingsError("silt cannot come more often than once a second", advice="Name the mean seconds between clouds, or 0 for none.")
    words = {"container": asked.container or "mp4", "size": asked.size or "1920x1080", "rate": asked.rate or "25"}
    if words["container"] == "stills" and asked.size is None:
        words["size"] = "1229x691"
    try:
        film = film_of(codec=asked.codec, is_interlaced=asked.interlaced, **words)
    except FilmError as error:
        raise SettingsError(str(error), advice=error.advice) from error
    start_utc = _start_of(asked.start)
    return Order(
        seed=asked.seed, seconds=seconds, density_per_m2=density, silt_every_s=silt_every_s or None, start_utc=start_utc, film=film
    )


def _start_of(text: str | None) -> datetime:
    try:
        start = datetime.fromisoformat(text or "2026-06-14T09:40:00")
    except ValueError:
        raise SettingsError(f"{text} is no time", advice="Write it in UTC as 2026-06-14T09:40:00.") from None
    return start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)


def _check_folder(out: Path, order: Order) -> None:
    """A folder with anything in it is left alone, but for what an interrupted rendering left there."""
    from models.workshop.tow.film import UNFINISHED

    try:
        if out.exists() and (not out.is_dir() or any(path.name != UNFINISHED for path in out.iterdir())):
            raise SettingsError(f"{out} is not empty", advice="Name a new folder, or an empty one: nothing is overwritten.")
        there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
        if not (there.is_dir() and os.access(there, os.W_OK)):
            raise SettingsError(f"{there} is no folder that can be written", advice="Name a folder in another place.")
        free_bytes, wanted_bytes = shutil.disk_usage(there).free, order.film.about_bytes(order.seconds)
    except OSError as error:
        raise SettingsError(f"{out} cannot be used: {error.strerror or error}", advice="Name a folder that can be written.") from error
    if free_bytes < wanted_bytes:
        raise _full(out, f"the tow takes about {wanted_bytes / 1e6:.0f} MB, {free_bytes / 1e6:.0f} MB are free")


def _rendered(out: Path, order: Order, *, quiet: bool) -> dict[str, Any]:
    """Render in a process of its own, which holds the image libraries; this one shows how far it is. Ctrl-C leaves nothing."""
    from models.workshop.tow.film import discard

    has_made = not out.exists()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, out, order), daemon=True)
    try:
        process.start()
        theirs.close()
        with _bar(quiet=quiet) as show:
            return _listen(ours, out, show)
    except BaseException as error:
        process.terminate()
        process.join()
        discard(out, has_made=has_made)
        if isinstance(error, KeyboardInterrupt):
            err.print("Interrupted: nothing of the tow was left.", markup=False)
            raise typer.Exit(_INTERRUPTED) from None
        raise
    finally:
        process.join()


def _listen(ours: Connection, out: Path, show: Any) -> dict[str, Any]:
    while True:
        try:
            word, value = ours.recv()
        except EOFError:
            raise StoreError(
                f"the tow could not be rendered into {out}", advice="The process that drew it ended; is there memory?"
            ) from None
        if word == "frames":
            show(*value)
        elif word == "truth":
            found: dict[str, Any] = value
            return found
        elif word == "full":
            raise _full(out, value)
        else:
            raise StoreError(f"{out} cannot be written: {value}", advice="Name a folder that can be written.")


def _full(out: Path, why: str) -> DiskFullError:
    advice = "Free space, or name a folder on another disk. A smaller --size or fewer seconds take less. Nothing of the tow was left."
    return DiskFullError(f"no room for the tow in {out}: {why}", advice=advice)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("frames, left"), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        task = progress.add_task("rendering", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _work(theirs: Connection, out: Path, order: Order) -> None:
    """The child: draws, and tells; Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from models.workshop.tow.write import write_tow

    def on_frames(done: int, total: int) -> None:
        if done % _TELL_EVERY == 0 or done == total:
            theirs.send(("frames", (done, total)))

    try:
        theirs.send(("truth", write_tow(out, order, on_frames=on_frames)))
    except BrokenPipeError:
        return  # nobody waits for it any more
    except OSError as error:
        theirs.send(("full" if error.errno in _FULL else "failed", error.strerror or str(error)))
