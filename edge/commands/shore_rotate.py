"""`shore rotate`: a key comes, a key goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edge.commands.common import JsonOption, answer, say, told
from edge.commands.shore_common import KeysOption, PassphraseOption, RepositoryArgument, asked_for, now_utc, tell_outcome


def rotate_command(
    repository: RepositoryArgument,
    role: Annotated[Literal["root", "targets", "models", "snapshot", "timestamp"], typer.Argument(help="Whose keys change.")],
    add: Annotated[list[Path] | None, typer.Option(metavar="KEY.pub", help="A public key that signs from now on; may be repeated.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="HOLDER|ID", help="A key that signs no longer: its holder or the beginning of its id.")
    ] = None,
    keys: KeysOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a key sign for a role, or no longer. Ships follow by themselves, however long they were away."""
    from sync.updates.shore.golive import go_live
    from sync.updates.shore.keys import load_signers, read_public
    from sync.updates.shore.repository import Repository
    from sync.updates.shore.rotate import rotate

    with told(as_json=as_json):
        signers = load_signers(keys or (), asked_for(passphrase_file))
        coming = [read_public(path) for path in add or ()]
        drafts = rotate(Repository(repository), role, add=coming, remove=remove or (), now=now_utc())
        outcome = go_live(Repository(repository), signers, now_utc())
    if as_json:
        answer({"drafts": drafts, "outcome": outcome})
    else:
        say("Changed: " + ", ".join(path.name for path in drafts))
        tell_outcome(outcome)
