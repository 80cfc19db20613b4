"""`sync login`: what a far side knows us by, kept in a file that nobody else may read."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, say, told
from edge.errors import SettingsError

_ASKED = {"s3": ("Access key: ", "Secret key: "), "webdav": ("Name: ", "Password (of an app, if the cloud makes such): ")}


def login_command(
    context: typer.Context,
    sink: Annotated[str, typer.Argument(metavar="SINK", help="Its name in the settings.")],
    name: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="The account's name, or the access key; asked for if not given.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the password, or the secret key; - reads it from stdin.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget it instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the keys of a bucket, or name and password of a cloud, for the appliance's account alone. The far side is not asked."""
    home = home_of(context)
    with told(as_json=as_json):
        kept = _forget(home, sink) if forget else _keep(home, sink, name, password_file)
    if as_json:
        answer({"sink": sink, "kept": kept})
    else:
        say(f"kept for {sink}; the next attempt uses it" if kept else f"nothing is kept for {sink} any more")


def _forget(home: Path, sink: str) -> bool:
    from sync.sinks.secrets import forget_secret

    forget_secret(home, _kind_of(home, sink)[0])
    return False


def _keep(home: Path, sink: str, name: str | None, password_file: Path | None) -> bool:
    from sync.sinks.secrets import Secret, keep_secret, secret_path

    _, kind = _kind_of(home, sink)
    asked_name, asked_word = _ASKED[kind]
    if name is None and not sys.stdin.isatty():
        raise SettingsError("no account is named", advice="Name it with --user, and its password with --password-file.")
    secret = Secret(name=name or input(asked_name).strip(), word=_word(password_file, asked_word))
    if not secret.name:
        raise SettingsError("no account is named")
    keep_secret(home, sink, secret)
    owner = home.stat()
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # whoever is not root is the appliance's account
            for path in (secret_path(home, sink).parent, secret_path(home, sink)):
                os.chown(path, owner.st_uid, owner.st_gid)
    return True


def _kind_of(home: Path, sink: str) -> tuple[str, str]:
    """Name and kind of a far side of the settings.

    Raises:
        SettingsError: there is none of that name, or it needs no sign-in.
    """
    from edge.settings import load_settings

    sinks = {one.name: one for one in load_settings(home).sinks}
    if sink not in sinks:
        named = ", ".join(sinks) or "none"
        raise SettingsError(f"the settings have no sink {sink}", advice=f"Those that they have: {named}. docs/sync.md has some to copy.")
    if sinks[sink].kind == "directory":
        raise SettingsError(f"{sink} is a folder, which knows nobody", advice="Whoever may write there is a matter of the system's.")
    return sink, sinks[sink].kind


def _word(file: Path | None, prompt: str) -> str:
    """A secret from a file, from stdin, or typed; never from the command line, where others see it."""
    try:
        if file is not None and str(file) != "-":
            text = file.read_text(encoding="utf-8")
        elif file is not None or not sys.stdin.isatty():
            text = sys.stdin.readline()
        else:
            text = getpass.getpass(prompt)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file or 'stdin'} cannot be read: {error}", advice="Name a text file that holds nothing else.") from error
    word = text.split("\n")[0].removesuffix("\r")
    if not word:
        raise SettingsError(f"{file or 'stdin'} holds no password", advice="Its first line is the password.")
    return word
