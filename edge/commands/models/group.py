"""What the commands of `models` share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge.commands.common import err
from edge.errors import SettingsError
from edge.pipeline.keeper import BUNDLED_PACKS, PACKS_FOLDER
from models.registry import Registry
from models.sources import PackSource, open_pack
from models.workbench import OnProgress, Step

PackArgument = Annotated[str, typer.Argument(metavar="PACK", help="A pack folder, a zip of one, or NAME[@VERSION] of an installed pack.")]


@contextmanager
def pack_of(home: Path, pack: str) -> Iterator[PackSource]:
    """The pack that a person named, verified; a zip is unpacked until the block ends.

    Raises:
        PackInvalidError: there is none, or it is damaged.
    """
    with open_pack(pack, Registry(home / PACKS_FOLDER), BUNDLED_PACKS) as source:
        yield source


@contextmanager
def progress_bar(*, as_json: bool) -> Iterator[OnProgress]:
    """Show `Step`s as bars on stderr, where a person sits; silent with `--json` or in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=err, disable=as_json or not err.is_terminal) as progress:
        tasks = {}

        def show(step: Step) -> None:
            if step.name not in tasks:
                tasks[step.name] = progress.add_task(step.name, total=step.of, note="")
            progress.update(tasks[step.name], completed=step.done, total=step.of, note=step.note)

        yield show


def renamed_labels(pairs: Sequence[str]) -> dict[str, str]:
    """What `--labels-map THEIRS=OURS` says: name in the data set -> name in the pack.

    Raises:
        SettingsError: one is no pair.
    """
    renamed = {}
    for pair in pairs:
        theirs, equals, ours = pair.partition("=")
        if not (theirs and equals and ours):
            raise SettingsError(f"--labels-map {pair} is not THEIRS=OURS", advice="Such as --labels-map 'hole=burrow opening'.")
        renamed[theirs] = ours
    return renamed
