"""The command `imagine-edge`."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from edge import __version__
from edge.commands.common import HOME_VARIABLE, default_home
from edge.commands.lazy import LazyGroup


class _Commands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "run": "edge.commands.run:run",
        "demo": "edge.commands.run:demo",
        "ingest": "edge.commands.ingest:ingest",
        "reprocess": "edge.commands.ingest:reprocess",
        "status": "edge.commands.inspect:status",
        "doctor": "edge.commands.inspect:doctor",
        "export": "edge.commands.export:export_command",
        "backup": "edge.commands.store:backup",
        "restore": "edge.commands.store:restore",
        "selftest": "edge.commands.selftest:selftest",
        "audit": "edge.commands.people:audit",
        "models": "edge.commands.models:models_app",
        "dataset": "edge.commands.dataset:dataset_app",
        "people": "edge.commands.people:people_app",
        "survey": "edge.commands.survey:survey_app",
        "zooscan": "edge.commands.zooscan:zooscan_app",
        "vignettes": "edge.commands.vignettes:vignettes_app",
        "cvat": "edge.commands.cvat:cvat_app",
        "sync": "edge.commands.sync:sync_app",
        "shore": "edge.commands.shore:shore_app",
        "api": "edge.commands.api:api_app",
    }


app = typer.Typer(
    cls=_Commands,
    help="Images dropped in a folder become measured, reviewed, defensible results. Works without any network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(envvar=HOME_VARIABLE, help="The folder of database, settings, inboxes and models.")] = None,
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")] = False,
) -> None:
    context.obj = (home or default_home()).expanduser().absolute()


def main() -> None:
    """The console script; also the entry of the frozen program."""
    multiprocessing.freeze_support()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an orderly end, as with Ctrl-C
    app()


if __name__ == "__main__":
    main()
