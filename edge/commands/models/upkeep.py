"""Bring a pack in, prove one again, remove an old one: by this process, or by the appliance that runs on the home folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, or_running, reading, say, service_of, told
from edge.commands.models.group import progress_bar
from edge.errors import BusyError, EdgeError
from edge.store import packs
from models.runtime.prove import ProofStep
from models.workbench import OnProgress, Step

_ACTOR = "command line"
_LOOK_S = 0.5

VersionArgument = Annotated[str, typer.Argument(help="Version of the pack.")]


def install_model(
    context: typer.Context, source: Annotated[Path, typer.Argument(help="A pack folder, or a zip of it.")], as_json: JsonOption = False
) -> None:
    """Bring a pack in once it has proven itself on this machine. It serves nothing before `activate`.

    Works while the appliance runs. Of each name the newest two versions stay, and any that serves or that a roll back returns to.
    """
    home = home_of(context)
    with told(as_json=as_json), progress_bar(as_json=as_json) as show:
        try:
            with service_of(home) as service:
                row = service.keeper.install(source, on_step=_shown_by(show))
        except BusyError as error:
            task = or_running(error, home, "POST", "/api/models/install", {"path": str(source.absolute())})
            ended = _follow(home, task, error, show)
            row = _installed(home, ended["model"], ended["version"])
    if as_json:
        answer({"name": row.name, "version": row.version})
    else:
        say(f"{row.label} is installed; `imagine-edge models activate {row.name} {row.version}` lets it serve")


def prove_model(context: typer.Context, name: str, version: VersionArgument, as_json: JsonOption = False) -> None:
    """Run the goldens of an installed pack and measure its speed on this machine again."""
    home = home_of(context)
    with told(as_json=as_json), progress_bar(as_json=as_json) as show:
        try:
            with service_of(home) as service:
                row = service.writer.call(lambda connection: packs.get_installed(connection, name, version))
                service.keeper.prove(row, on_step=_shown_by(show))
        except BusyError as error:
            task = or_running(error, home, "POST", "/api/models/prove", {"model": name, "version": version})
            _follow(home, task, error, show)
            row = _installed(home, name, version)
    if as_json:
        answer({"name": row.name, "version": row.version})
    else:
        say(f"{row.label} was proven again; `imagine-edge models show {row.name} {row.version}` tells how each variant did")


def remove_model(context: typer.Context, name: str, version: VersionArgument, as_json: JsonOption = False) -> None:
    """Delete the files of an installed version that serves nothing. What it found stays."""
    home = home_of(context)
    with told(as_json=as_json):
        try:
            with service_of(home) as service:
                service.keeper.remove(name, version, actor=_ACTOR)
        except BusyError as error:
            or_running(error, home, "POST", "/api/models/remove", {"model": name, "version": version})
    if as_json:
        answer({"name": name, "version": version, "removed": True})
    else:
        say(f"the files of {name} {version} are gone; what it found stays")


class _TaskFailedError(EdgeError):
    """What the running appliance said of a task that failed; with its code and the exit code of that family."""

    def __init__(self, task: dict[str, Any]) -> None:
        from edge.commands.running import family_of

        super().__init__(task["detail"], advice=task["advice"])
        self.code = task["code"]  # type: ignore[misc]  # the appliance names it
        self.exit_code = family_of(task["code"]).exit_code  # type: ignore[misc]


def _follow(home: Path, task: dict[str, Any], busy: BusyError, show: OnProgress) -> dict[str, Any]:
    """The task of the running appliance when it has ended."""
    while task["state"] in {"waiting", "running"}:
        if task["of"]:
            show(Step(name=task["detail"], done=task["place"] - 1, of=task["of"]))
        time.sleep(_LOOK_S)
        task = or_running(busy, home, "GET", f"/api/models/tasks/{task['task_id']}", {})
    if task["state"] == "failed":
        raise _TaskFailedError(task)
    return task


def _installed(home: Path, name: str, version: str) -> packs.PackRow:
    with reading(home) as connection:
        return packs.get_installed(connection, name, version)


def _shown_by(show: OnProgress) -> Callable[[ProofStep], None]:
    def on_step(step: ProofStep) -> None:
        show(Step(name="goldens and speed", done=step.place - 1, of=step.of, note=f"{step.variant} on {step.device}"))

    return on_step
