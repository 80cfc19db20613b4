"""`shore refresh`: the weekly signature, and whatever got enough signatures since."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, err, told
from edge.commands.shore_common import KeysOption, PassphraseOption, RepositoryArgument, asked_for, now_utc, tell_outcome


class Renewed(StrEnum):
    """What holders sign anew."""

    ROOT = "root"
    TARGETS = "targets"
    MODELS = "models"


def refresh_command(
    repository: RepositoryArgument,
    keys: KeysOption = None,
    renew: Annotated[
        list[Renewed] | None,
        typer.Option(help="Also begin a draft with a new date of end, to be signed by its holders; may be repeated."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign timestamp and snapshot anew, so that ships can tell that nothing is held back from them. For a weekly timer."""
    from sync.updates.shore import rotate
    from sync.updates.shore.golive import go_live
    from sync.updates.shore.keys import load_signers
    from sync.updates.shore.repository import Repository
    from sync.updates.shore.told import repository_status

    with told(as_json=as_json):
        place = Repository(repository)
        signers = load_signers(keys or (), asked_for(passphrase_file))
        rotate.renew(place, [one.value for one in renew or ()], now_utc())
        outcome = go_live(place, signers, now_utc())
        ending = [role for role in repository_status(place, now_utc()).roles if role.needs_renewal]
    if as_json:
        answer({"outcome": outcome, "needs_renewal": [role.role for role in ending]})
    else:
        tell_outcome(outcome)
        for role in ending:
            err.print(
                f"{role.role} ends in {role.days_left} days: sign it anew (--renew, or give its key).", style="bold red", markup=False
            )
    if not outcome.is_live:
        raise typer.Exit(1)  # a timer shall notice
