"""`selftest`: does everything that the program brought along work on this machine?"""

from __future__ import annotations

import typer

from edge.commands.common import JsonOption
from edge.logs import configure_logs


def selftest(as_json: JsonOption = False) -> None:
    """Try every part on this machine: runtimes, image reading, database, watcher, pages, one detection."""
    from installer.selftest import selftest as try_every_part

    configure_logs(None)  # its answer is all that it prints
    raise typer.Exit(try_every_part(as_json=as_json))
