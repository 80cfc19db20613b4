"""`sync`: results go ashore, signed models come aboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import typer

from edge.commands.lazy import LazyGroup


class _SyncGroup(LazyGroup):
    where: ClassVar[Mapping[str, str]] = {
        "now": "edge.commands.sync_agent:now_command",
        "status": "edge.commands.sync_agent:status_command",
        "pause": "edge.commands.sync_agent:pause_command",
        "resume": "edge.commands.sync_agent:resume_command",
        "retry": "edge.commands.sync_agent:retry_command",
        "login": "edge.commands.sync_login:login_command",
        "setup": "edge.commands.sync_agent:setup_command",
        "usb": "edge.commands.sync_agent:usb_app",
        "read": "edge.commands.sync_read:read_command",
        "trust": "edge.commands.sync_updates:trust_command",
        "updates": "edge.commands.sync_updates:updates_command",
        "install": "edge.commands.sync_updates:install_command",
    }


sync_app = typer.Typer(cls=_SyncGroup, help="Results ashore over a bad link.", no_args_is_help=True)


@sync_app.callback()
def _group() -> None:
    pass
