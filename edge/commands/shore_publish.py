"""`shore publish`: a pack goes to the ships."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge import __version__
from edge.commands.common import JsonOption, answer, say, told
from edge.commands.shore_common import KeysOption, PassphraseOption, RepositoryArgument, asked_for, now_utc, tell_outcome


def publish_command(
    repository: RepositoryArgument,
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="A pack folder, or a zip of one; measured and sound.")],
    keys: KeysOption = None,
    min_app: Annotated[str, typer.Option(help="The oldest version of the appliance that may take it.")] = __version__,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a pack. With the keys of models, snapshot and timestamp ships get it at once; else it waits for them."""
    from sync.updates.shore.golive import go_live
    from sync.updates.shore.keys import load_signers
    from sync.updates.shore.publish import add_pack
    from sync.updates.shore.repository import Repository

    with told(as_json=as_json):
        signers = load_signers(keys or (), asked_for(passphrase_file))
        added = add_pack(Repository(repository), pack, min_app=min_app, now=now_utc())
        outcome = go_live(Repository(repository), signers, now_utc())
    if as_json:
        answer({"added": added, "outcome": outcome})
    else:
        say(f"{added.name} {added.version} lies in the repository: {added.size_bytes / 1e6:.1f} MB, SHA-256 {added.sha256}")
        tell_outcome(outcome)
