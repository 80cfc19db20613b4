"""`zooscan push`, `zooscan pull`, `zooscan uploads` and `zooscan login`: scans go to EcoTaxa, their categories come back."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, home_of, or_running, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, ImportFailedError, LoginNeededError, SettingsError
from edge.store.reads import zooscan_uploads as reads

if TYPE_CHECKING:
    from edge.zooscan.ecotaxa.desk import EcotaxaDesk

ACTOR = "cli"
LOOK_S = 0.5
_ENDED = ("done", "failed", "cancelled")
_SHOWN = 20
_WORDS = {
    "reset": "were set back there: they have no category here any more",
    "older": "are not taken: what stands here was said later",
    "retired": "belong to objects that are no more",
    "unclassified": "have no category",
    "numbered": "end in a number: which object of ours that is cannot be told",
    "unknown": "are of a scan of ours, but of no object that it ever had",
    "foreign": "are of no scan here",
    "contradictory": "are called several things",
    "absent": "stand here and are not in the table",
}

ProjectOption = Annotated[int | None, typer.Option("--project", min=1, metavar="ID", help="The EcoTaxa project, where none is configured.")]

uploads_app = typer.Typer(help="What is on its way to EcoTaxa and back.", invoke_without_command=True)


def push_command(
    context: typer.Context,
    scan: Annotated[str, typer.Argument(metavar="SCAN", help="Its name, PROJECT/NAME where several have it, or its uuid.")],
    project: ProjectOption = None,
    add: Annotated[bool, typer.Option("--add", help="Bring only objects that are not there yet, after a separation for instance.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Write the measures of objects that are there anew.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end; it goes on without.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Send a signed scan to EcoTaxa. Without a link it is queued, and goes when the appliance runs and there is one."""
    home = home_of(context)
    mode = "add" if add else "update" if update else "new"
    with told(as_json=as_json):
        if add and update:
            raise SettingsError("--add and --update are two pushes", advice="First --add, then --update.")
        body: dict[str, object] = {"scan": scan, "project_id": project, "mode": mode}
        row = _transfer(home, "push", body, wait=wait, quiet=as_json)
        _check_end(row)
    _tell(row, as_json=as_json)


def pull_command(
    context: typer.Context,
    scan: Annotated[str | None, typer.Argument(metavar="SCAN", help="The scan; with --from-file, all scans if none is named.")] = None,
    from_file: Annotated[Path | None, typer.Option("--from-file", metavar="FILE", help="A TSV or zip that EcoTaxa exported.")] = None,
    project: ProjectOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end; it goes on without.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Bring the categories of a scan's objects back from EcoTaxa, or from a table that was exported there by hand."""
    home = home_of(context)
    with told(as_json=as_json):
        if from_file is not None:
            report = _from_file(home, from_file.absolute(), scan)
        elif scan is None:
            raise SettingsError("name a scan, or a file with --from-file")
        else:
            row = _transfer(home, "pull", {"scan": scan, "project_id": project}, wait=wait, quiet=as_json)
            _check_end(row)
    if from_file is None:
        _tell(row, as_json=as_json)
    elif as_json:
        answer(report)
    else:
        _tell_report(report)


@uploads_app.callback()
def uploads_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """List pushes and pulls, newest first; `cancel`, `answer` and `retry` change one."""
    if context.invoked_subcommand is not None:
        return
    with told(as_json=as_json), reading(home_of(context)) as connection:
        rows = [row._asdict() for row in reads.uploads(connection)]
    if as_json:
        answer(rows)
        return
    if not rows:
        say("nothing was sent to EcoTaxa or fetched from there yet")
        return
    for row in rows:
        what = row["kind"] if row["mode"] == "new" else f"{row['kind']} --{row['mode']}"
        share = "" if row["progress"] is None or row["state"] in _ENDED else f" {100 * row['progress']:.0f} %"
        again = f", again at {row['not_before_utc'][:16]} UTC" if row["not_before_utc"] and row["attempts"] else ""
        asked = f"asked for {row['asked_utc'][:16]} by {row['actor']}"
        say(f"{row['id']} {what} {row['scan']}, project {row['ecotaxa_project_id']}: {row['state'].upper()}{share}{again}; {asked}")
        if row["detail"]:
            say(f"  {row['detail']}")


@uploads_app.command("cancel")
def cancel_command(
    context: typer.Context, transfer: Annotated[int, typer.Argument(metavar="ID", min=1)], as_json: JsonOption = False
) -> None:
    """End a push or a pull that EcoTaxa is not importing yet."""
    home = home_of(context)
    with told(as_json=as_json):
        row = _done(home, transfer, "cancel", {}, lambda desk: desk.cancel(transfer, ACTOR))
    _tell(row, as_json=as_json)


@uploads_app.command("answer")
def answer_command(
    context: typer.Context,
    transfer: Annotated[int, typer.Argument(metavar="ID", min=1)],
    taxon: Annotated[
        list[str] | None, typer.Option("--taxon", metavar="NAME=NUMBER", help="EcoTaxa's number of a taxon; repeat it.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="NAME=NUMBER", help="EcoTaxa's number of a person; repeat it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer what EcoTaxa asks about an import: who and what the names are that it does not know."""
    home = home_of(context)
    with told(as_json=as_json):
        taxa, users = _numbers(taxon or []), _numbers(user or [])
        row = _done(
            home,
            transfer,
            "answer",
            {"taxa": taxa, "users": users},
            lambda desk: desk.answer(transfer, ACTOR, taxa=taxa, users=users),
        )
    _tell(row, as_json=as_json)


@uploads_app.command("retry")
def retry_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Try again now what waits for its next attempt."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with _desk(home) as desk:
                count = desk.retry()
                _work(desk, home)
        except BusyError as error:
            count = int(or_running(error, home, "POST", "/api/ecotaxa/retry", {})["retried"])
    if as_json:
        answer({"retried": count})
    else:
        say(f"{count} waited; `imagine-edge zooscan uploads` shows where each is now")


def login_command(
    context: typer.Context,
    username: Annotated[
        str | None, typer.Option("--user", metavar="EMAIL", help="The account's e-mail address; asked for if not given.")
    ] = None,
    keep_password: Annotated[
        bool, typer.Option("--keep-password", help="Keep the password too, so that the sign-in never ends; EcoTaxa's token lasts 31 days.")
    ] = False,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file that holds the password; - reads it from stdin.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget token and password instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign in at EcoTaxa. What is kept lies in the home folder, in a file that only the appliance's account can read."""
    home = home_of(context)
    with told(as_json=as_json):
        if forget:
            result = _logged_out(home)
        else:
            name = username or _asked_name()
            body: dict[str, object] = {"username": name, "password": _secret(password_file), "keep_password": keep_password}
            result = _logged_in(home, body)
    if as_json:
        answer(result)
    elif forget:
        say("nothing of an EcoTaxa account is kept any more" if result["forgotten"] else "nothing was kept")
    elif result["name"] is None:
        say(f"{result['server']} was not reached: name and password are kept, and tried when there is a link")
    else:
        say(f"signed in at {result['server']} as {result['name']}" + ("" if keep_password else "; the sign-in lasts 31 days"))


@contextmanager
def _desk(home: Path) -> Iterator[EcotaxaDesk]:
    """The desk of a home folder whose appliance does not run.

    Raises:
        BusyError: it runs.
    """
    from edge.scan_work import ecotaxa_desk
    from edge.settings import load_settings

    settings = load_settings(home)
    with held_store(home) as writer:
        yield ecotaxa_desk(home, settings, writer, partial(reading, home))


def _transfer(home: Path, kind: str, body: dict[str, object], *, wait: bool, quiet: bool) -> dict[str, Any]:
    """Queue a push or a pull and follow it as far as it goes."""
    show = _show(quiet=quiet or not err.is_terminal)
    try:
        with _desk(home) as desk:
            asked: dict[str, Any] = {**body}
            transfer_id = getattr(desk, kind)(asked.pop("scan"), ACTOR, **asked)
            if wait:
                _work(desk, home, transfer_id, show)
            return _row(home, transfer_id)
    except BusyError as error:
        row: dict[str, Any] = or_running(error, home, "POST", f"/api/ecotaxa/{kind}", body)
        while wait and row["state"] not in (*_ENDED, "asking") and not row["attempts"]:
            time.sleep(LOOK_S)
            row = or_running(error, home, "GET", f"/api/ecotaxa/transfers/{row['id']}", {})
            show(row)
        return row


def _work(desk: EcotaxaDesk, home: Path, transfer_id: int | None = None, show: Callable[[Mapping[str, Any]], None] | None = None) -> None:
    """Work until a transfer (or everything) is at its end, asks, or waits for a link."""
    while True:
        left_s = desk.step()
        with reading(home) as connection:
            rows = [row for row in reads.open_uploads(connection) if transfer_id in (None, row.id) and row.state != "asking"]
        if show is not None:
            for row in rows:
                show(row._asdict())
        if all(row.attempts for row in rows):
            return
        time.sleep(min(left_s, LOOK_S))


def _done(home: Path, transfer: int, what: str, body: dict[str, object], act: Callable[[EcotaxaDesk], None]) -> dict[str, Any]:
    try:
        with _desk(home) as desk:
            act(desk)
            if what == "answer":
                _work(desk, home, transfer)
            return _row(home, transfer)
    except BusyError as error:
        row: dict[str, Any] = or_running(error, home, "POST", f"/api/ecotaxa/transfers/{transfer}/{what}", body)
        return row


def _from_file(home: Path, path: Path, scan: str | None) -> dict[str, Any]:
    try:
        with _desk(home) as desk:
            return desk.pull_file(path, ACTOR, scan=scan)
    except BusyError as error:
        report: dict[str, Any] = or_running(error, home, "POST", "/api/ecotaxa/pull-file", {"path": str(path), "scan": scan})
        return report


def _logged_in(home: Path, body: dict[str, object]) -> dict[str, Any]:
    try:
        with _desk(home) as desk:
            name = desk.sign_in(str(body["username"]), str(body["password"]), keep_password=bool(body["keep_password"]))
            return {**plain(desk.login_state()), "name": name}
    except BusyError as error:
        result: dict[str, Any] = or_running(error, home, "POST", "/api/ecotaxa/login", body)
        return result


def _logged_out(home: Path) -> dict[str, Any]:
    try:
        with _desk(home) as desk:
            return {"forgotten": desk.sign_out()}
    except BusyError as error:
        result: dict[str, Any] = or_running(error, home, "POST", "/api/ecotaxa/logout", {})
        return result


def _asked_name() -> str:
    """The account's name, typed.

    Raises:
        LoginNeededError: nobody is there to type it.
    """
    if not sys.stdin.isatty():
        raise LoginNeededError("no account is named", advice="Name it with --user, and its password with --password-file.")
    return input("EcoTaxa account (e-mail address): ").strip()


def _secret(file: Path | None) -> str:
    """The password: from a file, from stdin, or typed; never from the command line, where others see it.

    Raises:
        SettingsError: there is none.
    """
    try:
        if file is not None and str(file) != "-":
            text = file.read_text(encoding="utf-8")
        elif file is not None or not sys.stdin.isatty():
            text = sys.stdin.readline()
        else:
            text = getpass.getpass("Password: ")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file or 'stdin'} cannot be read: {error}", advice="Name a text file that holds nothing else.") from error
    secret = text.split("\n")[0].removesuffix("\r")
    if not secret:
        raise SettingsError("no password was given", advice="Type it, or name a file with --password-file.")
    return secret


def _numbers(given: list[str]) -> dict[str, int]:
    """NAME=NUMBER as a dictionary.

    Raises:
        SettingsError: one is not of that form.
    """
    numbers = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        if not equals or not name.strip() or not number.strip().isdecimal():
            raise SettingsError(f"{text} is no NAME=NUMBER", advice="Such as --taxon 'calanus=45074'; EcoTaxa's pages show the numbers.")
        numbers[name.strip()] = int(number)
    return numbers


def _row(home: Path, transfer_id: int) -> dict[str, Any]:
    with reading(home) as connection:
        row = reads.upload_by_id(connection, transfer_id)
    assert row is not None  # it was written before
    return row._asdict()


def _check_end(row: Mapping[str, Any]) -> None:
    if row["state"] == "failed":
        raise ImportFailedError(row["detail"], advice=f"Transfer {row['id']}; `imagine-edge zooscan uploads` lists them all.")


def _show(*, quiet: bool) -> Callable[[Mapping[str, Any]], None]:
    """Tells each new state on the terminal."""
    last = ""

    def show(row: Mapping[str, Any]) -> None:
        nonlocal last
        share = "" if row["progress"] is None else f" {100 * row['progress']:.0f} %"
        text = f"{row['state']}{share} {row['detail']}".strip()
        if not quiet and text != last:
            last = text
            err.print(text, markup=False)

    return show


def _tell(row: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer(row)
        return
    has_report = row["state"] == "done" and row["kind"] == "pull"
    say(f"{row['kind']} {row['id']} of {row['scan']}: {row['state']}" + (f"; {row['detail']}" if row["detail"] and not has_report else ""))
    if row["state"] == "asking":
        say(f"Answer with `imagine-edge zooscan uploads answer {row['id']} --taxon NAME=NUMBER --user NAME=NUMBER`.")
    elif row["state"] not in _ENDED:
        say("It goes on while the appliance runs.")
    if has_report:
        _tell_report(row["report"])


def _tell_report(report: Mapping[str, Any]) -> None:
    states = ", ".join(f"{count} {status}" for status, count in report["by_status"].items())
    told = f"{report['objects']} objects have a category ({states}); {report['new_labels']} of them are new here"
    say(told if states else "no object has a category")
    for name, words in _WORDS.items():
        found = report[name]
        if found["count"]:
            say(f"{found['count']} {words}:")
            for object_id in found["ids"][:_SHOWN]:
                say(f"  {object_id}")
            if found["count"] > _SHOWN:
                say(f"  and {found['count'] - _SHOWN} more (--json lists them)")
