"""`cvat`: people annotate in a CVAT nearby, with the appliance's models, and their work comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _CvatCommands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "serve": "edge.commands.cvat_serve:serve_command",
        "push": "edge.commands.cvat_push:push_command",
        "pull": "edge.commands.cvat_pull:pull_command",
        "status": "edge.commands.cvat_status:status_command",
        "conflicts": "edge.commands.cvat_status:conflicts_command",
        "login": "edge.commands.cvat_login:login_command",
        "doctor": "edge.commands.cvat_doctor:doctor_command",
        "kit": "edge.commands.cvat_doctor:kit_command",
        "nuclio": "edge.commands.cvat_nuclio:nuclio_command",
    }


cvat_app = typer.Typer(cls=_CvatCommands, help="A CVAT nearby: models for it, tasks out, annotations in.", no_args_is_help=True)


@cvat_app.callback()
def _group() -> None:
    pass
