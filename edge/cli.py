"""The command `imagine-edge`."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path
from typing import Annotated

import typer

from edge import __version__
from edge.commands.common import HOME_VARIABLE, default_home
from edge.commands.dataset import dataset_app
from edge.commands.export import export_command
from edge.commands.ingest import ingest, reprocess
from edge.commands.inspect import doctor, status
from edge.commands.models import models_app
from edge.commands.people import audit, people_app
from edge.commands.run import demo, run
from edge.commands.selftest import selftest
from edge.commands.store import backup, restore
from edge.commands.survey import survey_app
from edge.commands.survey_copy import copy_raw_command, verify_copy_command
from edge.commands.survey_count import count_command, track_command
from edge.commands.survey_model import model_command
from edge.commands.survey_protocol import protocol_command
from edge.commands.survey_sheet import create_command, import_command, status_command
from edge.commands.survey_tables import export_table_command, import_table_command

app = typer.Typer(
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


app.command()(run)
app.command()(demo)
app.command()(ingest)
app.command()(reprocess)
app.command()(status)
app.command()(doctor)
app.command("export")(export_command)
app.command()(backup)
app.command()(restore)
app.command()(selftest)
app.command()(audit)
app.add_typer(models_app, name="models")
app.add_typer(dataset_app, name="dataset")
survey_app.command("create")(create_command)
survey_app.command("import")(import_command)
survey_app.command("status")(status_command)
survey_app.command("copy-raw")(copy_raw_command)
survey_app.command("verify-copy")(verify_copy_command)
survey_app.command("protocol")(protocol_command)
survey_app.command("count")(count_command)
survey_app.command("model")(model_command)
survey_app.command("track")(track_command)
survey_app.command("export")(export_table_command)
survey_app.command("import-table")(import_table_command)
app.add_typer(people_app, name="people")
app.add_typer(survey_app, name="survey")


def main() -> None:
    """The console script; also the entry of the frozen program."""
    multiprocessing.freeze_support()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an orderly end, as with Ctrl-C
    app()


if __name__ == "__main__":
    main()
