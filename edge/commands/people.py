"""`people`: accounts and the certificate's fingerprint. `audit`: who did what, when."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, or_running, out, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import AccountError, BusyError, SettingsError
from edge.logs import configure_logs
from edge.settings import load_settings
from edge.store.reads.audit_trail import AuditFilter, all_audit_rows
from edge.store.reads.people import PersonRow, people
from edge.survey.audit_file import csv_parts, plain_row
from edge.survey.people import COMMAND_LINE, Role
from edge.survey.people_desk import PeopleDesk, open_people

people_app = typer.Typer(help="Accounts: who may sign in to the pages, and what each may do.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The account's name, as it is typed to sign in.")]
RoleOption = Annotated[Role, typer.Option(help="What the person may do; each role includes the ones before it.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Read the password from the first line of this file; - is stdin.")
]
PinFile = Annotated[
    Path | None, typer.Option("--pin-file", metavar="FILE", help="Read the PIN from the first line of this file; - is stdin.")
]
Change = Callable[[PeopleDesk, int], None]


@people_app.command("add")
def add(
    context: typer.Context,
    name: NameArgument,
    role: RoleOption,
    full_name: Annotated[str, typer.Option(help="For people to read.")] = "",
    password_file: PasswordFile = None,
    as_json: JsonOption = False,
) -> None:
    """Make an account. The first one has the role administer; from then on everybody signs in."""
    home = home_of(context)
    with told(as_json=as_json):
        password = _secret(password_file, "Password")
        try:
            with _desk(home) as desk:
                desk.add(name, role, password, full_name=full_name, actor=COMMAND_LINE.name)
                row = plain(desk.find(name))
        except BusyError as error:
            body: dict[str, object] = {"name": name, "role": role.value, "password": password, "full_name": full_name}
            row = or_running(error, home, "POST", "/api/people", body)["person"]
    _tell(row, f"{row['name']} may sign in, with the role {row['role']}", as_json=as_json)


@people_app.command("list")
def list_people(context: typer.Context, as_json: JsonOption = False) -> None:
    """Accounts by name, retired ones last."""
    with told(as_json=as_json), reading(home_of(context)) as connection:
        rows = people(connection)
    if as_json:
        answer([plain(row) for row in rows])
        return
    table = make_table("name", "full name", "role", "PIN", "state", "last seen (UTC)")
    for row in rows:
        table.add_row(row.name, row.full_name, row.role, "set" if row.has_pin else "", _state(row), row.last_seen_utc or "")
    out.print(table if rows else "There is no account yet: the pages are open to whoever uses this machine.")


@people_app.command("role")
def role(
    context: typer.Context, name: NameArgument, role: Annotated[Role, typer.Argument(help="The new role.")], as_json: JsonOption = False
) -> None:
    """Give another role; it holds at once. The last administrator stays one."""
    done = f"{name} has the role {role}"
    _change(context, name, partial(_set_role, role=role), "role", {"role": role.value}, done=done, as_json=as_json)


@people_app.command("password")
def password(context: typer.Context, name: NameArgument, password_file: PasswordFile = None, as_json: JsonOption = False) -> None:
    """Give a new password; the person's sign-ins end, and a lock-out too."""
    with told(as_json=as_json):
        secret = _secret(password_file, "New password")
    done = f"{name} has a new password; every sign-in of theirs has ended"
    _change(context, name, partial(_set_password, secret=secret), "password", {"password": secret}, done=done, as_json=as_json)


@people_app.command("pin")
def pin(
    context: typer.Context,
    name: NameArgument,
    pin_file: PinFile = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the PIN.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Set or remove the PIN that signs a person's counts."""
    with told(as_json=as_json):
        secret = None if remove else _secret(pin_file, "New PIN")
    done = f"{name} has {'no PIN any more' if remove else 'a new PIN'}"
    _change(context, name, partial(_set_pin, secret=secret), "pin", {"pin": secret}, done=done, as_json=as_json)


@people_app.command("unlock")
def unlock(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Lift a lock-out after wrong passwords or PINs."""
    _change(context, name, _unlock, "unlock", {}, done=f"{name} may try again", as_json=as_json)


@people_app.command("retire")
def retire(context: typer.Context, name: NameArgument, as_json: JsonOption = False) -> None:
    """Close an account. What was done under the name stays; nobody else gets it."""
    _change(context, name, _retire, "retire", {}, done=f"{name} is retired", as_json=as_json)


@people_app.command("fingerprint")
def fingerprint(context: typer.Context, as_json: JsonOption = False) -> None:
    """The SHA-256 of the certificate that the pages have on the ship's network."""
    from edge.commands.serving import certificate_of

    home = home_of(context)
    with told(as_json=as_json):
        if home.is_dir():
            configure_logs(home)
        certificate = certificate_of(home, load_settings(home))
    if as_json:
        answer({"sha256": certificate.sha256, "until_utc": certificate.until_utc, "certificate": certificate.certificate_path})
        return
    say(certificate.sha256)
    say(f"{certificate.certificate_path}, until {certificate.until_utc}")


def audit(
    context: typer.Context,
    person: Annotated[str, typer.Option(help="Who did it: a name, or an actor such as cli.")] = "",
    action: Annotated[str, typer.Option(help="The verb, such as sign_in_refused.")] = "",
    subject: Annotated[str, typer.Option(help="How the subject begins, such as person/.")] = "",
    since: Annotated[str, typer.Option(metavar="DAY", help="Not before this day or time, UTC, such as 2026-06-03.")] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="Not after this day or time, UTC.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Answer with CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Who did what, when: newest first, times in UTC."""
    with told(as_json=as_json), reading(home_of(context)) as connection:
        if as_csv and as_json:
            raise SettingsError("--csv and --json exclude each other", advice="Give one of the two.")
        rows = all_audit_rows(connection, AuditFilter(person=person, action=action, subject=subject, since_utc=since, until_utc=until))
        if as_csv:
            for part in csv_parts(rows):
                sys.stdout.write(part)
            return
        if as_json:
            answer([plain_row(row) for row in rows])
            return
        table = make_table("at (UTC)", "who", "action", "subject", "detail")
        for row in rows:
            table.add_row(row.at_utc, row.actor, row.action, row.subject, "" if row.detail_json == "{}" else row.detail_json)
    out.print(table, markup=False)


def _set_role(desk: PeopleDesk, person_id: int, *, role: Role) -> None:
    desk.set_role(person_id, role, actor=COMMAND_LINE.name)


def _set_password(desk: PeopleDesk, person_id: int, *, secret: str) -> None:
    desk.set_password(person_id, secret, actor=COMMAND_LINE.name)


def _set_pin(desk: PeopleDesk, person_id: int, *, secret: str | None) -> None:
    desk.set_pin(person_id, secret, actor=COMMAND_LINE.name)


def _unlock(desk: PeopleDesk, person_id: int) -> None:
    desk.unlock(person_id, actor=COMMAND_LINE.name)


def _retire(desk: PeopleDesk, person_id: int) -> None:
    desk.retire(person_id, actor=COMMAND_LINE.name)


def _change(context: typer.Context, name: str, change: Change, what: str, body: dict[str, object], *, done: str, as_json: bool) -> None:
    """Do it in the database, or let the running appliance do it."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                change(desk, desk.find(name).person_id)
                row = plain(desk.find(name))
        except BusyError as error:
            row = or_running(error, home, "POST", f"/api/people/{quote(name, safe='')}/{what}", body)["person"]
    _tell(row, done, as_json=as_json)


@contextmanager
def _desk(home: Path) -> Iterator[PeopleDesk]:
    """The accounts of a home folder whose appliance does not run.

    Raises:
        BusyError: it runs.
    """
    settings = load_settings(home)
    with held_store(home) as writer:
        yield open_people(home, writer, partial(reading, home), settings)


def _secret(file: Path | None, what: str) -> str:
    """A password or PIN: from a file, from stdin, or typed twice; never from the command line, where others see it."""
    try:
        if file is not None and str(file) != "-":
            text = file.read_text(encoding="utf-8")
        elif file is not None or not sys.stdin.isatty():
            text = sys.stdin.readline()
        else:
            text = getpass.getpass(f"{what}: ")
            if getpass.getpass("The same again: ") != text:
                raise AccountError("the two entries differ", advice="Run the command again.")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file or 'stdin'} cannot be read: {error}", advice="Name a text file that holds nothing else.") from error
    secret = text.split("\n")[0].removesuffix("\r")
    if not secret:
        raise AccountError(f"no {what.lower()} was given", advice="Type it, or name a file with --password-file or --pin-file.")
    return secret


def _state(row: PersonRow) -> str:
    return "retired" if row.retired_utc else f"{row.failures} wrong in a row" if row.failures else "active"


def _tell(row: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        answer(row)
    else:
        say(text)
