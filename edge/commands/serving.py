"""How `run` and `demo` serve the pages: on which address, encrypted or not, and who may come in."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from edge.commands.common import say
from edge.commands.running import TOKEN_NAME, remove_address, write_address
from edge.errors import EdgeError, SettingsError
from edge.settings import Settings
from edge.store.keys import KEY_BYTES, PAGES_KEY_NAME, read_or_make_key, write_private
from edge.web.callers import Entrance
from edge.web.plain_http import TlsDoor
from edge.web.tls import Certificate, is_any, is_loopback, own_certificate, own_names, ships_certificate, url_host

if TYPE_CHECKING:
    import uvicorn

    from edge.service import Service

log = structlog.get_logger()

_STOP_GRACE_S = 5
_LOOK_AT_CERTIFICATE_S = 3600
_NO_ADMINISTRATOR = (
    "Make the first account on this machine: `imagine-edge people add NAME --role administer`. Or leave `host` at 127.0.0.1: "
    "then the pages are for this machine only."
)


@contextmanager
def serving(service: Service, *, quiet: bool = False) -> Iterator[tuple[uvicorn.Server, str]]:
    """A server on a port that is bound already, so that a taken port is told before any work begins.

    Raises:
        SettingsError: the address cannot be served on, others can reach it and nobody administers, or the certificate will not do.
    """
    import uvicorn

    from edge.web.app import create_app

    settings = service.settings
    certificate = _certificate(service)
    listening = _bind(settings.host, settings.port, socket.socket if certificate is None else TlsDoor)
    entrance = _entrance(service.home, settings, certificate)
    shown, near = _hosts(settings.host)
    port = listening.getsockname()[1]
    scheme = "http" if certificate is None else "https"
    url = f"{scheme}://{url_host(shown)}:{port}"
    config = uvicorn.Config(
        create_app(service, allowed_hosts=allowed_hosts(settings), entrance=entrance),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_STOP_GRACE_S,
        server_header=False,
        proxy_headers=False,  # the audit trail names the address that really asked
        ssl_certfile=None if certificate is None else certificate.certificate_path,
        ssl_keyfile=None if certificate is None else str(certificate.key_path),
        callback_notify=None if certificate is None else renewal(service.home, settings, certificate, lambda: config.ssl),
        timeout_notify=_LOOK_AT_CERTIFICATE_S,
    )
    server = _bound_server(config, listening, service)
    write_address(service.home, f"{scheme}://{url_host(near)}:{port}", sha256=entrance.fingerprint)
    if certificate is not None and not quiet:
        say(f"Certificate SHA-256: {certificate.sha256}")
        say("Whoever opens the pages for the first time compares this with what the browser shows.")
    try:
        yield server, url
    finally:
        remove_address(service.home)
        listening.close()


def allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """Names under which a browser may call: those of the settings, or else loopback's, and the machine's own if others reach it."""
    shown = () if is_any(settings.host) else (url_host(settings.host),)
    if is_loopback(settings.host) or "allowed_hosts" in settings.model_fields_set:
        return (*settings.allowed_hosts, *shown)
    return tuple(dict.fromkeys([*settings.allowed_hosts, *map(url_host, own_names()), *shown]))


def certificate_of(home: Path, settings: Settings, *, names: Sequence[str] | None = None) -> Certificate:
    """The certificate that the pages have when others reach them; it covers `names`, the machine's own if None.

    Raises:
        SettingsError: it cannot be used or made.
    """
    if settings.tls_certificate is not None:
        return ships_certificate(settings.tls_certificate, settings.tls_key)
    extra = () if is_any(settings.host) or is_loopback(settings.host) else (settings.host,)
    return own_certificate(home, [*own_names(), *extra] if names is None else names)


def _certificate(service: Service) -> Certificate | None:
    """The certificate, where others reach the pages; there, somebody must administer before anybody can come in."""
    settings = service.settings
    if is_loopback(settings.host):
        return certificate_of(service.home, settings) if settings.tls_certificate is not None else None
    if not service.people.has_administrator():
        raise SettingsError(
            f"the pages would be served on {settings.host or 'every address'}, and there is no account", advice=_NO_ADMINISTRATOR
        )
    return certificate_of(service.home, settings)


def _entrance(home: Path, settings: Settings, certificate: Certificate | None) -> Entrance:
    token = secrets.token_urlsafe(KEY_BYTES)
    try:
        write_private(home / TOKEN_NAME, f"{token}\n".encode())
    except OSError as error:
        advice = "Check the permissions of the folder keys in the home folder."
        raise SettingsError(f"{error.filename or home} cannot be used: {error.strerror}", advice=advice) from error
    return Entrance(
        is_loopback=is_loopback(settings.host),
        is_tls=certificate is not None,
        local_token=token,
        csrf_key=read_or_make_key(home / PAGES_KEY_NAME),  # kept over a restart: what is typed meanwhile can still be sent
        fingerprint="" if certificate is None else certificate.sha256,
        certificate_until_utc="" if certificate is None else certificate.until_utc,
    )


def _hosts(host: str) -> tuple[str, str]:
    """The name to show to people, and the one that the commands of this machine use."""
    if is_any(host):
        return socket.gethostname(), "::1" if ":" in host else "127.0.0.1"
    return host, host


def renewal(
    home: Path, settings: Settings, first: Certificate, context_of: Callable[[], ssl.SSLContext | None]
) -> Callable[[], Awaitable[None]]:
    """Look at the certificate once an hour: a new one serves from the next connection on, without a restart."""
    present = first

    async def look() -> None:
        nonlocal present
        try:
            found = certificate_of(home, settings, names=())
        except EdgeError as error:
            log.error("certificate_not_renewed", error=str(error))  # noqa: TRY400 (told, not a bug)
            return
        context = context_of()
        if found.sha256 != present.sha256 and context is not None:
            context.load_cert_chain(found.certificate_path, found.key_path)
            log.warning("certificate_changed", sha256=found.sha256, until_utc=found.until_utc)
            present = found

    return look


def _bind(host: str, port: int, kind: type[socket.socket]) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = kind(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)  # who reads the address may call at once
    except OSError as error:
        listening.close()
        advice = "Choose another port with --port, or 0 for a free one."
        raise SettingsError(f"the pages cannot be served on {host}:{port}: {error.strerror}", advice=advice) from error
    return listening


def _bound_server(config: uvicorn.Config, listening: socket.socket, service: Service) -> uvicorn.Server:
    import uvicorn

    class BoundServer(uvicorn.Server):
        """Serves on the socket that is bound already; tells the pages before it goes, so that their streams end."""

        def run(self, sockets: list[socket.socket] | None = None) -> None:
            super().run(sockets=sockets or [listening])

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            service.announce_stop()
            super().handle_exit(sig, frame)

    return BoundServer(config)
