"""`shore key`: a pair of keys for one person and one role."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, say, told
from edge.commands.shore_common import PassphraseOption, asked_for


def key_command(
    file: Annotated[Path, typer.Argument(metavar="KEY", help="The file of the key; its public half goes to KEY.pub.")],
    holder: Annotated[str | None, typer.Option(help="Who keeps it; everybody can read that. Default: the name of the file.")] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. The file is encrypted and stays with its holder; the .pub goes to whoever keeps the repository."""
    from sync.updates.shore.keys import PUBLIC_SUFFIX, holder_of, make_key

    with told(as_json=as_json):
        key = make_key(file, holder=holder or file.stem, passphrase=asked_for(passphrase_file, confirm=True)(file))
    if as_json:
        answer({"key": file, "public": f"{file}{PUBLIC_SUFFIX}", "keyid": key.keyid, "holder": holder_of(key)})
    else:
        say(f"{file} is the key of {holder_of(key)} ({key.keyid[:8]}): keep it where no network reaches, and a copy in a safe.")
        say(f"{file}{PUBLIC_SUFFIX} goes to whoever keeps the repository.")
