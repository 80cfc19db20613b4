"""`cvat login`: sign in at CVAT; only a token is kept."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, or_running, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, LoginNeededError, SettingsError

ACTOR = "cli"


def login_command(
    context: typer.Context,
    username: Annotated[str | None, typer.Option("--user", metavar="NAME", help="The account's name; asked for if not given.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the password; - reads it from stdin.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds a token of CVAT instead; - reads it from stdin.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget the token instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign in at CVAT. The password is not kept; the token is, in a file of the home folder that only the appliance's account can read."""
    home = home_of(context)
    with told(as_json=as_json):
        if forget:
            result = _forgotten(home)
        elif token_file is not None:
            result = _signed_in(home, {"token": _secret(token_file, "Token: ")})
        else:
            name = username or _asked_name()
            result = _signed_in(home, {"username": name, "password": _secret(password_file, "Password: ")})
    if as_json:
        answer(result)
    elif forget:
        say("no token of CVAT is kept any more" if result["forgotten"] else "nothing was kept")
    else:
        say(f"signed in at {result['server']} as {result['username']}")


def _signed_in(home: Path, body: dict[str, object]) -> dict[str, Any]:
    from annotator_bridge.cvat.address import checked_address
    from annotator_bridge.cvat.signing import log_in
    from edge.settings import load_settings
    from edge.store import audit

    settings = load_settings(home)
    server = checked_address(settings.cvat_url, plain_allowed=settings.cvat_plain_http)
    try:
        with held_store(home) as writer:
            login = log_in(home, server, **{name: str(value) for name, value in body.items()}, wait=lambda _: False)
            about = {"server": server, "username": login.username}
            writer.call(lambda connection: audit.append(connection, ACTOR, "cvat_login", "cvat", about))
            return about
    except BusyError as error:
        result: dict[str, Any] = or_running(error, home, "POST", "/api/annotate/login", body)
        return result


def _forgotten(home: Path) -> dict[str, Any]:
    from annotator_bridge.cvat.login import forget_login
    from edge.store import audit

    try:
        with held_store(home) as writer:
            had = forget_login(home)
            if had:
                writer.call(lambda connection: audit.append(connection, ACTOR, "cvat_logout", "cvat", {}))
            return {"forgotten": had}
    except BusyError as error:
        result: dict[str, Any] = or_running(error, home, "POST", "/api/annotate/logout", {})
        return result


def _asked_name() -> str:
    """The account's name, typed.

    Raises:
        LoginNeededError: nobody is there to type it.
    """
    if not sys.stdin.isatty():
        raise LoginNeededError("no account is named", advice="Name it with --user, and its password with --password-file.")
    return input("CVAT account: ").strip()


def _secret(file: Path | None, prompt: str) -> str:
    """A secret from a file, from stdin, or typed; never from the command line, where others see it.

    Raises:
        SettingsError: there is none.
    """
    try:
        if file is not None and str(file) != "-":
            text = file.read_text(encoding="utf-8")
        elif file is not None or not sys.stdin.isatty():
            text = sys.stdin.readline()
        else:
            text = getpass.getpass(prompt)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file or 'stdin'} cannot be read: {error}", advice="Name a text file that holds nothing else.") from error
    secret = text.split("\n")[0].removesuffix("\r")
    if not secret:
        raise SettingsError("nothing was given to sign in with", advice="Type it, or name a file that holds it.")
    return secret
