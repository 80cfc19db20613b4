"""`zooscan`: plankton on scans, from the raw scan to EcoTaxa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _ZooscanCommands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "process": "edge.commands.zooscan_process:process_command",
        "list": "edge.commands.zooscan_process:list_command",
        "status": "edge.commands.zooscan_status:status_command",
        "measure": "edge.commands.zooscan_measure:measure_command",
        "render": "edge.commands.zooscan_render:render_command",
        "export": "edge.commands.zooscan_export:export_command",
        "abundance": "edge.commands.zooscan_export:abundance_command",
        "push": "edge.commands.zooscan_ecotaxa:push_command",
        "pull": "edge.commands.zooscan_ecotaxa:pull_command",
        "uploads": "edge.commands.zooscan_ecotaxa:uploads_app",
        "login": "edge.commands.zooscan_ecotaxa:login_command",
    }


zooscan_app = typer.Typer(cls=_ZooscanCommands, help="Plankton on ZooScan scans.", no_args_is_help=True)


@zooscan_app.callback()
def _group() -> None:
    pass
