"""`api serve`: DEEPaaS' V2 routes over the installed packs, on a port of their own, until Ctrl-C."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import home_of, say, told
from edge.errors import SettingsError

if TYPE_CHECKING:
    from edge.settings import Settings

_STOP_GRACE_S = 5
_WAITING = 16  # calls at once, each with a body in memory; one more is answered 503


def serve_command(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to serve on; callers from other machines must lie in `cvat_allowed_from`.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 takes a free one.")] = 5000,
    threads: Annotated[int, typer.Option(min=0, max=256, help="Predictions at once; 0: one per core.")] = 0,
) -> None:
    """Answer clients of the iMagine modules with this appliance's models, until Ctrl-C."""
    import uvicorn

    from annotator_bridge.deepaas.app import create_app
    from annotator_bridge.deepaas.models import ServedModels
    from edge.logs import configure_logs
    from edge.settings import load_settings
    from edge.web.tls import url_host
    from models.runtime.machine import usable_cores

    home = home_of(context)
    with told(as_json=False):
        settings = load_settings(home)
        home.mkdir(parents=True, exist_ok=True)
        configure_logs(home)
        at_once = threads or usable_cores()
        models = ServedModels(home, threads=at_once)
        app = create_app(models, settings, allowed_hosts=_names(settings, host), threads=at_once)
        listening = _bind(host, port)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # an address that a header claims is no address
            limit_concurrency=_WAITING,
            timeout_graceful_shutdown=_STOP_GRACE_S,
        )
        say(f"DEEPaaS API: http://{url_host(host)}:{listening.getsockname()[1]}/v2/   (Ctrl-C ends)")
        for pack in models.all():
            say(f"  /v2/models/{pack.manifest.name}/   {pack.manifest.title}, {pack.manifest.version}")
        with listening, suppress(KeyboardInterrupt):  # uvicorn raises it again after an orderly end
            uvicorn.Server(config).run(sockets=[listening])


def _names(settings: Settings, host: str) -> tuple[str, ...]:
    from edge.commands.serving import allowed_hosts

    return allowed_hosts(settings.model_copy(update={"host": host}))


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # who reads the address below may call at once
    except OSError as error:
        listening.close()
        advice = "Choose another port with --port, or 0 for a free one."
        raise SettingsError(f"the models cannot be served on {host}:{port}: {error.strerror}", advice=advice) from error
    return listening
