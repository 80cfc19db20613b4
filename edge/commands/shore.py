"""`shore`: what the people ashore do with bundles, and with models that go aboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _ShoreGroup(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "merge": "edge.commands.sync_read:merge_command",
        "key": "edge.commands.shore_key:key_command",
        "init": "edge.commands.shore_init:init_command",
        "sign": "edge.commands.shore_sign:sign_command",
        "publish": "edge.commands.shore_publish:publish_command",
        "rotate": "edge.commands.shore_rotate:rotate_command",
        "refresh": "edge.commands.shore_refresh:refresh_command",
        "status": "edge.commands.shore_status:status_command",
    }


shore_app = typer.Typer(cls=_ShoreGroup, help="For those ashore.", no_args_is_help=True)


@shore_app.callback()
def _group() -> None:
    pass
