"""`vignettes`: crops of single particles that an imager made itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, reading, say, told

vignettes_app = typer.Typer(help="Crops that an imager such as a FlowCam made.", no_args_is_help=True)


@vignettes_app.callback()
def _group() -> None:
    pass


@vignettes_app.command("table")
def table_command(
    context: typer.Context,
    table: Annotated[Path, typer.Option("--out", help="The CSV file to write.")],
    pixel_um: Annotated[
        float | None, typer.Option(min=1e-6, help="Side of a pixel, micrometres: lengths and areas are then told in micrometres as well.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one row for each crop: its classes with AphiaIDs and scores, and what was measured of its particle.

    Crops are taken in with `ingest FOLDER --recipe vignettes`, or from a watched folder with that recipe.
    """
    from edge.recipes.crop_table import write_crop_table
    from edge.store.crops import measured_crops

    home = home_of(context)
    with told(as_json=as_json), reading(home) as connection:
        count = write_crop_table(table, measured_crops(connection, "vignettes"), pixel_um=pixel_um)
    if as_json:
        answer({"crops": count, "table": str(table)})
    else:
        say(f"{count} crops: {table}" if count else f"No crop has a result yet; {table} has a heading only.")
