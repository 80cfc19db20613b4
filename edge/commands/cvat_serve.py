"""`cvat serve`: the models of this home folder for a CVAT, without the rest of the appliance; beside a running one too."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from edge.commands.common import home_of, say, told
from edge.errors import SettingsError

LOG_NAME = "bridge.jsonl"


def serve_command(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address that CVAT calls; else the setting cvat_host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port that CVAT calls, 0 for a free one; else cvat_port.")] = None,
) -> None:
    """Answer CVAT as Nuclio would, until Ctrl-C. `run` does the same beside its pages; this needs no appliance that runs."""
    from annotator_bridge.facade.listen import Listener
    from annotator_bridge.functions.catalogue import list_functions
    from edge.logs import configure_logs
    from edge.settings import load_settings

    home = home_of(context)
    options = {name: value for name, value in (("cvat_host", host), ("cvat_port", port)) if value is not None}
    with told(as_json=False):
        settings = load_settings(home, **options)
        try:
            configure_logs(home, name=LOG_NAME)  # a file of its own: two processes must not turn over one log
        except OSError as error:
            advice = "Give --home another folder."
            raise SettingsError(f"the home folder {home} cannot be written: {error.strerror}", advice=advice) from error
        listener = Listener(home, settings)
    for function in list_functions(home):
        say(f"  {function.kind:<11} {function.id}")
    say(f"Models for CVAT: {listener.url}   (Ctrl-C ends)")
    with suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly end
        listener.run()
