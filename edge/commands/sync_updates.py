"""`sync trust`, `sync updates` and `sync install`: signed models come aboard, over a link or from a stick."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, fail, home_of, make_table, out, reading, say, service_of, told
from edge.errors import EdgeError, SettingsError

if TYPE_CHECKING:
    from edge.service import Service
    from edge.store.packs import PackRow
    from sync.updates.client import Aboard
    from sync.updates.standing import UpdatesStanding

_ACTOR = "command line"
_STATES = {
    "new": "new",
    "installed": "installed",
    "older": "older than one that was installed",
    "needs_newer_program": "needs a newer imagine-edge",
}

FromOption = Annotated[
    Path | None, typer.Option("--from", metavar="DIR", help="A stick or a share with the same folder, instead of `updates_url`.")
]


def trust_command(
    context: typer.Context,
    root: Annotated[Path, typer.Argument(metavar="ROOT.json", help="The root of the repository ashore, brought by hand.")],
    forget_time: Annotated[
        bool, typer.Option("--forget-time", help="The clock ran ahead once and is right now: judge dates by it again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say once whose models this appliance may take. Without it nothing is ever fetched."""
    from edge.commands.holding import held_store
    from sync.updates.client import trust
    from sync.updates.places import MAX_ROOT_BYTES

    with told(as_json=as_json):
        try:
            with root.open("rb") as file:
                content = file.read(MAX_ROOT_BYTES + 1)
        except OSError as error:
            raise SettingsError(f"{root} cannot be read: {error.strerror}", advice="Give the file root.json from shore.") from error
        with held_store(home_of(context)) as writer:
            sha256 = trust(home_of(context), writer, content, actor=_ACTOR, forget_time=forget_time)
    if as_json:
        answer({"sha256": sha256})
    else:
        say(f"Trusted. Compare this with what shore says on the telephone, SHA-256: {sha256}")


def updates_command(
    context: typer.Context,
    folder: FromOption = None,
    remembered: Annotated[bool, typer.Option("--remembered", help="Ask nobody; show what the last check found.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Also show the model cards.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what shore offers, and list it with what was measured. Nothing is installed."""
    home, trouble = home_of(context), None
    with told(as_json=as_json):
        if not remembered:
            try:
                _check(home, folder)
            except EdgeError as error:
                trouble = error
                if error.code in {"no_trusted_root", "home_in_use"} or isinstance(error, SettingsError):
                    raise
        standing = _standing(home, folder)
    if as_json:
        answer(standing)
    else:
        _tell(standing, with_cards=card)
    if trouble is not None:
        _fail_quietly(trouble, as_json=as_json)


def install_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of an offered model.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
    folder: FromOption = None,
    serve: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="Let it serve this recipe at once; if it fails in place, the one before serves again."),
    ] = None,
    downgrade: Annotated[
        bool, typer.Option("--downgrade", help="Take it although a newer version was installed; kept in the audit trail.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch an offered model, verify and prove it here, install it. It serves nothing before it is let."""
    from sync.updates.client import bring, brought_before, install
    from sync.updates.standing import is_installed

    home = home_of(context)
    with told(as_json=as_json), service_of(home) as service, _progress(as_json=as_json) as on_progress:
        aboard = _aboard(home, service.writer, folder, on_progress)
        brought = brought_before(aboard, name, version)
        if brought is None or (brought.is_downgrade and not downgrade):
            brought = bring(aboard, name, version, downgrade=downgrade)
        if service.writer.call(partial(is_installed, offer=brought.offer)):
            row = service.writer.call(lambda connection: _row(connection, name, version))
        else:
            row = install(aboard, brought, service.keeper, actor=_ACTOR)
        if serve is not None:
            _let_serve(service, row, serve)
    if as_json:
        answer({"name": row.name, "version": row.version, "serves": serve})
    else:
        typed = f"imagine-edge models activate {row.name} {row.version}"
        say(f"{row.label} is installed" + (f" and serves {serve}" if serve else f"; let it serve: {typed}"))


def _check(home: Path, folder: Path | None) -> None:
    from edge.commands.holding import held_store
    from sync.updates.client import check

    with held_store(home) as writer:
        check(_aboard(home, writer, folder, lambda _, __: None))


def _aboard(home: Path, writer: Any, folder: Path | None, on_progress: Any) -> Aboard:
    from edge.settings import load_settings
    from sync.updates.client import Aboard

    source = str(folder.absolute()) if folder else load_settings(home).updates_url
    return Aboard(home=home, writer=writer, source=source, on_progress=on_progress)


def _standing(home: Path, folder: Path | None) -> UpdatesStanding:
    from edge.settings import load_settings
    from sync.updates.standing import updates_standing

    with reading(home) as connection:
        return updates_standing(connection, home, str(folder or load_settings(home).updates_url), datetime.now(UTC))


def _row(connection: Any, name: str, version: str) -> PackRow:
    from edge.store import packs

    return packs.get_installed(connection, name, version)


def _let_serve(service: Service, row: PackRow, recipe: str) -> None:
    from edge.recipes import find_served
    from sync.updates.client import let_serve

    one = find_served(recipe)
    service.keeper.install_bundled()  # what the recipe falls back to

    def activate() -> None:
        service.keeper.activate(recipe, row.name, row.version, tasks=one.tasks, labels=one.labels, foreign=one.foreign, actor=_ACTOR)

    def roll_back() -> None:
        service.keeper.roll_back(recipe, actor=_ACTOR)

    let_serve(row, service.keeper, activate=activate, roll_back=roll_back, writer=service.writer, actor=_ACTOR)


def _progress(*, as_json: bool) -> Any:
    """A bar on stderr, where a person sits."""
    if as_json or not err.is_terminal:
        return nullcontext(lambda _, __: None)
    return _Bar()


class _Bar:
    def __enter__(self) -> Any:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=err)
        self._task = self._progress.add_task("fetching", total=None, visible=False)
        self._progress.start()
        return lambda done, of: self._progress.update(self._task, completed=done, total=of, visible=True)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _tell(standing: UpdatesStanding, *, with_cards: bool) -> None:
    if standing.verified_utc:
        say(f"Signatures last verified {standing.verified_utc[:16].replace('T', ' ')} UTC.")
    if standing.stale_since_utc:
        since = standing.stale_since_utc[:10]
        err.print(
            f"Update metadata stale since {since}: installed models go on, new ones need fresh signatures.", style="bold", markup=False
        )
    for path in standing.unread:
        err.print(f"{path} is offered too, in a form that this program cannot read: a newer one may.", markup=False)
    if not standing.offers:
        say("Nothing is offered.")
        return
    table = make_table("model", "version", "MB", "what it is here", "measured", "title", numbers=("MB",))
    for one in standing.offers:
        offer = one.offer
        state = f"serves {', '.join(one.recipes)}" if one.state == "serves" else _STATES[one.state]
        measured = ", ".join(f"{name} {value:g}" for name, value in offer.metrics.items())
        table.add_row(offer.name, offer.version, f"{offer.size_bytes / 1e6:.1f}", state, measured, offer.title)
    out.print(table)
    for one in standing.offers if with_cards else ():
        say(f"\n{one.offer.name} {one.offer.version}, {one.offer.licence}\n\n{one.offer.card}")


def _fail_quietly(error: EdgeError, *, as_json: bool) -> None:
    """The answer was given, from memory; what went wrong is in it, and is the exit code."""
    if as_json:
        raise typer.Exit(error.exit_code)
    fail(error, as_json=False)
