"""`shore`: what the people ashore do with bundles, and later with models that go aboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _ShoreGroup(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "merge": "edge.commands.sync_read:merge_command",
    }


shore_app = typer.Typer(cls=_ShoreGroup, help="For those ashore.", no_args_is_help=True)


@shore_app.callback()
def _group() -> None:
    pass
