"""`shore sign`: the signature of a holder, on whatever machine the key is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, err, say, told
from edge.commands.shore_common import PassphraseOption, asked_for, tell_waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securesystemslib.signer import CryptoSigner


def sign_command(
    path: Annotated[
        Path, typer.Argument(metavar="DRAFT|REPOSITORY", help="A draft that was carried here, or the repository with all its drafts.")
    ],
    keys: Annotated[list[Path], typer.Option("--key", metavar="KEY", help="Your key; may be repeated.")],
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read what a draft says, and sign it. Only the draft itself and the key are needed; then the draft is carried on."""
    from sync.updates.shore.keys import load_signers

    with told(as_json=as_json):
        if path.is_dir():
            _sign_all(path, load_signers(keys, asked_for(passphrase_file)), as_json=as_json)
            return
        from sync.updates.shore.signing import sign_file

        words = _words(path)
        if not as_json:
            say("\n".join(words))
        document = sign_file(path, load_signers(keys, asked_for(passphrase_file)))
    if as_json:
        answer({"file": path, "version": document.signed.version, "says": words, "signatures": list(document.signatures)})
    else:
        say(f"Signed. {path} carries {len(document.signatures)} signatures.")


def _words(path: Path) -> list[str]:
    from sync.updates.shore.repository import read_document, role_of
    from sync.updates.shore.told import words_of

    document = read_document(path)
    return words_of(role_of(document, path), document)


def _sign_all(folder: Path, signers: Sequence[CryptoSigner], *, as_json: bool) -> None:
    from sync.updates.shore.golive import waiting
    from sync.updates.shore.repository import Repository
    from sync.updates.shore.signing import sign_drafts

    repository = Repository(folder)
    repository.must_be_one()
    before = waiting(repository)
    sign_drafts(repository, signers)
    after = waiting(repository)
    if as_json:
        answer({"waiting": after})
        return
    if not before:
        err.print("There is no draft that waits for a signature.", markup=False)
    elif before == after:
        err.print("None of these keys may sign any of the drafts.", markup=False)
    tell_waiting(after)
