"""What commands about CVAT ask the running appliance while they wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.commands.common import or_running
from edge.errors import TransportError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.errors import BusyError


def check_reached(error: BusyError, home: Path, title: str, *, since_utc: str) -> None:
    """Look whether the appliance reached CVAT since it was asked to.

    Raises:
        TransportError: it tried, and CVAT does not answer, or not to us; what was asked for waits.
    """
    server = or_running(error, home, "GET", "/api/annotate", {})["server"]
    if server["answers"] is False and (server["asked_utc"] or "") >= since_utc:
        raise TransportError(f"{title}: {server['trouble'] or server['words']}", advice="It goes on by itself when CVAT answers.")
