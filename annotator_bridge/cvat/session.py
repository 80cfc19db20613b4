"""A CVAT server for as long as it is needed, by the way that fits it; loads what speaks HTTP only then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from annotator_bridge.cvat.link import Link, Wait
from annotator_bridge.cvat.rest import RestServer
from annotator_bridge.cvat.sdk import SdkServer, sdk_generation
from edge.zooscan.ecotaxa.address import is_own_machine

if TYPE_CHECKING:
    from annotator_bridge.cvat.login import Login
    from annotator_bridge.cvat.server import CvatServer, ServerAbout

log = structlog.get_logger()

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@contextmanager
def open_server(login: Login, *, wait: Wait) -> Iterator[CvatServer]:
    """A server as the account of a login sees it; its connections are closed at the end.

    Raises:
        TransportError: it does not say what it is.
    """
    link = Link(login.server, authorization=login.authorization)
    try:
        rest = RestServer(link, wait=wait)
        if not sdk_fits(rest.about(), login.server):
            yield rest
            return
        try:
            sdk = SdkServer(login, link, wait=wait)
        except ImportError as error:  # it is there, and what it needs is not
            log.warning("cvat_sdk_not_loaded", reason=str(error))
            yield rest
            return
        try:
            yield sdk
        finally:
            sdk.close()
    finally:
        link.close()


@contextmanager
def open_anonymously(server: str, *, wait: Wait) -> Iterator[tuple[Link, RestServer]]:
    """A server without a login, for what needs none and for signing in."""
    link = Link(server)
    try:
        yield link, RestServer(link, wait=wait)
    finally:
        link.close()


def sdk_fits(about: ServerAbout, server: str) -> bool:
    """Whether the installed package fits the server. It knows nothing of a ship's proxy, so that REST goes through one."""
    own = is_own_machine(urlsplit(server).hostname or "")
    if about.generation is None or about.generation != sdk_generation():
        return False
    return own or not any(os.environ.get(name) for name in _PROXIES)
