"""`shore init`: a repository of models, still without signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, say, told
from edge.commands.shore_common import RepositoryArgument, now_utc, tell_waiting


def init_command(
    repository: RepositoryArgument,
    root: Annotated[list[Path], typer.Option(metavar="KEY.pub", help="Of three or more people, two of whom sign. Offline.")],
    targets: Annotated[list[Path], typer.Option(metavar="KEY.pub", help="Of two or more people, two of whom sign. Offline.")],
    models: Annotated[list[Path], typer.Option(metavar="KEY.pub", help="Of whoever publishes models; one signs.")],
    snapshot: Annotated[list[Path], typer.Option(metavar="KEY.pub", help="Of the machine that keeps the repository.")],
    timestamp: Annotated[list[Path], typer.Option(metavar="KEY.pub", help="Of the machine that signs every week.")],
    as_json: JsonOption = False,
) -> None:
    """Make a repository from public keys. Then its three drafts are signed, and `shore refresh` lets ships have them."""
    from sync.updates.shore.begin import begin
    from sync.updates.shore.golive import waiting
    from sync.updates.shore.keys import read_public
    from sync.updates.shore.repository import Repository

    with told(as_json=as_json):
        given = {"root": root, "targets": targets, "models": models, "snapshot": snapshot, "timestamp": timestamp}
        written = begin(repository, {role: [read_public(path) for path in paths] for role, paths in given.items()}, now_utc())  # type: ignore[misc]
        lacking = waiting(Repository(repository))
    if as_json:
        answer({"drafts": written, "waiting": lacking})
    else:
        say(f"{repository} is made. These files wait for signatures (`imagine-edge shore sign`), here or carried to the holders:")
        tell_waiting(lacking)
