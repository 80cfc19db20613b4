"""What the commands of those ashore share: keys, passphrases, and how it stands with signatures."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import say
from edge.errors import SettingsError

if TYPE_CHECKING:
    from sync.updates.shore.golive import Outcome
    from sync.updates.shore.signing import Wanted

PASSPHRASE_VARIABLE = "IMAGINE_EDGE_SHORE_PASSPHRASE"  # noqa: S105 (the name of a variable)

RepositoryArgument = Annotated[Path, typer.Argument(metavar="REPOSITORY", help="The folder that `shore init` made.")]
KeysOption = Annotated[list[Path] | None, typer.Option("--key", metavar="KEY", help="A key that is here and shall sign; may be repeated.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help=f"Its first line opens the keys. Without it ${PASSPHRASE_VARIABLE} does, or you are asked for each.",
    ),
]


def asked_for(file: Path | None, *, confirm: bool = False) -> Callable[[Path], str]:
    """How the passphrase of a key is learned: from a file, the environment, or whoever sits here."""

    def ask(key: Path) -> str:
        if file is not None:
            try:
                return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(
                    f"{file} cannot be read: {error}", advice="Give the file whose first line is the passphrase."
                ) from error
        named = os.environ.get(PASSPHRASE_VARIABLE)
        if named is not None:
            return named
        return str(typer.prompt(f"Passphrase of {key}", hide_input=True, confirmation_prompt=confirm, err=True))

    return ask


def now_utc() -> datetime:
    """The time that signatures are counted from."""
    return datetime.now(UTC)


def tell_outcome(outcome: Outcome) -> None:
    """What ships get now, and what still waits."""
    if outcome.is_live:
        say("Ships get: " + ", ".join(f"{role} {version}" for role, version in outcome.versions.items()))
    elif outcome.lacking:
        say(f"Nothing went to ships: no key of {' and '.join(outcome.lacking)} was given (`shore refresh` does it later).")
    else:
        say("Nothing goes to ships yet: signatures are missing.")
    tell_waiting(outcome.waiting)


def tell_waiting(waiting: tuple[Wanted, ...]) -> None:
    """Which signatures are missing, and who can give them."""
    for one in waiting:
        who = f"; signed by {', '.join(one.signed_by)}" if one.signed_by else ""
        if one.missing:
            say(f"  drafts/{one.version}.{one.role}.json needs {one.missing} more, of {', '.join(one.may_sign)}{who}")
        else:
            say(f"  drafts/{one.version}.{one.role}.json is signed and waits for what belongs to it{who}")
