"""`api`: the models over the interface of the iMagine modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _ApiCommands(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "serve": "edge.commands.api_serve:serve_command",
    }


api_app = typer.Typer(cls=_ApiCommands, help="Models as DEEPaaS serves them, for clients of the iMagine modules.", no_args_is_help=True)


@api_app.callback()
def _group() -> None:
    pass
