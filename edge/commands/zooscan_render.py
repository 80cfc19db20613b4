"""`zooscan render`: a project folder whose one scan a program drew, with everything that is true of it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, err, say, told
from edge.errors import DiskFullError, SettingsError, StoreError

if TYPE_CHECKING:
    from models.workshop.scan.render import RenderedProject, ScanOrder

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_INTERRUPTED = 130
_MOST_OBJECTS, _MOST_SIDE_PX = 10_000, 40_000


def render_command(
    out: Annotated[Path, typer.Option("--out", help="Where to: the project folder is made in it.")],
    objects: Annotated[int, typer.Option(min=0, max=_MOST_OBJECTS, help="Objects on the glass.")] = 1700,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    width_px: Annotated[int, typer.Option(min=800, max=_MOST_SIDE_PX, help="Width of the upright scan at 2400 dpi.")] = 25_000,
    height_px: Annotated[int, typer.Option(min=800, max=_MOST_SIDE_PX, help="Its height.")] = 15_000,
    touching: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Share of the objects that are two or three which touch.")
    ] = 0.05,
    as_json: JsonOption = False,
) -> None:
    """Render a ZooScan project of known truth, for trying and testing: raw scan, backgrounds, texts, truth.csv.

    A full scan has 750 MB and takes about half a minute. Nothing of it was caught at sea.
    """
    from models.workshop.scan.render import ScanOrder

    order = ScanOrder(seed=seed, objects=objects, width_px=width_px, height_px=height_px, touching=touching)
    with told(as_json=as_json):
        rendered = _rendered(out, order, quiet=as_json)
    if as_json:
        answer(_summary(rendered))
        return
    say(f"{rendered.folder}: {len(rendered.truth)} objects, {_touching(rendered)} of them touching ones; {rendered.specks} specks of dust")
    say(f"What is true of each stands in {rendered.folder / 'truth.csv'}; README.txt tells what the files are.")


def _rendered(out: Path, order: ScanOrder, *, quiet: bool) -> RenderedProject:
    """Render it; Ctrl-C leaves nothing.

    Raises:
        SettingsError: it cannot be rendered so, or is there already.
        DiskFullError: there is no room.
        StoreError: it could not be written.
    """
    from models.workshop.scan.render import LayoutError, render_project

    _check_room(out, order)
    try:
        with _bar(quiet=quiet) as on_rows:
            return render_project(out, order, on_rows=on_rows)
    except FileExistsError as error:
        raise SettingsError(str(error), advice="Name another folder: nothing is overwritten.") from error
    except LayoutError as error:
        raise SettingsError(str(error), advice="Ask for fewer objects, or for a larger scan.") from error
    except ValueError as error:
        raise SettingsError(str(error), advice="`imagine-edge zooscan render --help` tells what can be asked for.") from error
    except OSError as error:
        if error.errno in _FULL:
            raise _full(out, "the disk is full") from error
        advice = "Name a folder that can be written. Nothing of the project was left."
        raise StoreError(f"{out} cannot be written: {error.strerror or error}", advice=advice) from error
    except KeyboardInterrupt:
        err.print("Interrupted: nothing of the project was left.", markup=False)
        raise typer.Exit(_INTERRUPTED) from None


def _check_room(out: Path, order: ScanOrder) -> None:
    try:
        there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
        if not there.is_dir():
            raise SettingsError(f"{there} is no folder", advice="Name a folder in another place.")
        free_bytes, wanted_bytes = shutil.disk_usage(there).free, order.width_px * order.height_px * 2
    except OSError as error:
        raise SettingsError(f"{out} cannot be used: {error.strerror or error}", advice="Name a folder that can be written.") from error
    if free_bytes < 1.1 * wanted_bytes:
        raise _full(out, f"the scan takes {wanted_bytes / 1e6:.0f} MB, {free_bytes / 1e6:.0f} MB are free")


def _full(out: Path, why: str) -> DiskFullError:
    advice = "Free space, or name a folder on another disk. Nothing of the project was left."
    return DiskFullError(f"no room for the project in {out}: {why}", advice=advice)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %, left"), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        task = progress.add_task("rendering", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _touching(rendered: RenderedProject) -> int:
    return sum(one.animals > 1 for one in rendered.truth)


def _summary(rendered: RenderedProject) -> dict[str, object]:
    return {
        "project": rendered.folder,
        "scan": rendered.scan,
        "raw": rendered.raw,
        "objects": len(rendered.truth),
        "touching": _touching(rendered),
        "specks": rendered.specks,
        "truth": rendered.folder / "truth.csv",
    }
