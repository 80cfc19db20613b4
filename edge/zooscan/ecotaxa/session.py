"""A client of EcoTaxa for as long as it is needed; loads what speaks HTTP only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.zooscan.ecotaxa.client import EcoTaxa
from edge.zooscan.ecotaxa.link import Link, Wait
from edge.zooscan.ecotaxa.login import Login


@contextmanager
def open_client(login: Login, *, keep: Callable[[Login], None], wait: Wait) -> Iterator[EcoTaxa]:
    """A client; its connections are closed at the end."""
    link = Link(login.server, wait=wait)
    try:
        yield EcoTaxa(link, login, keep=keep)
    finally:
        link.close()
