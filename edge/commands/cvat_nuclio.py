"""`cvat nuclio`: folders of functions for a real Nuclio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, told
from edge.units import bytes_to_mib


def nuclio_command(
    context: typer.Context,
    functions: Annotated[list[str], typer.Argument(help="Functions: names of packs, seabed-tracker, outline-interactor, seabed-reid.")],
    folder: Annotated[Path, typer.Option("--out", help="Where the folders are made, each under its function's name.")],
    as_json: JsonOption = False,
) -> None:
    """Make folders that a real Nuclio deploys: function.yaml, main.py, the pack and the code it needs."""
    from annotator_bridge.nuclio.folder import make_folder

    home = home_of(context)
    made = []
    with told(as_json=as_json):
        for name in dict.fromkeys(functions):
            made.append(make_folder(home, name, folder.expanduser().absolute()))  # noqa: PERF401 (those made stay, whatever comes after)
    if as_json:
        answer({"made": made})
        return
    table = make_table("function", "kind", "modules", "MiB", "folder", numbers=("modules", "MiB"))
    for one in made:
        table.add_row(one.id, one.kind, str(one.modules), f"{bytes_to_mib(one.size_bytes):.1f}", str(one.folder))
    out.print(table)
