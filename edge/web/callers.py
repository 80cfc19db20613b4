"""Who calls: the sign-in of a browser's cookie, the command line's token, or nobody."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from edge.survey.people import COMMAND_LINE, Person
from edge.survey.people_desk import PeopleDesk, SignIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How the pages are reached.

    Attributes:
        is_loopback: only this machine reaches them; then they are open while there is no account.
        is_tls: the browser's link is encrypted.
        local_token: what the command line of this machine sends; empty for none.
        csrf_key: what a page's token for writes is derived with.
        fingerprint: SHA-256 of the certificate, as pairs of digits; empty without TLS.
        certificate_until_utc: until when the certificate holds; empty without TLS.
    """

    is_loopback: bool = True
    is_tls: bool = False
    local_token: str = ""
    csrf_key: bytes = field(default_factory=lambda: os.urandom(32))
    fingerprint: str = ""
    certificate_until_utc: str = ""

    @property
    def cookie(self) -> str:
        """The name of the cookie; a browser lets only the very host set one that begins with `__Host-`."""
        return "__Host-edge-sign-in" if self.is_tls else "edge-sign-in"

    def csrf_token(self, person: Person) -> str:
        """What a page sends with every write. Of the person, not of the sign-in: what was typed survives signing in again."""
        return hmac.new(self.csrf_key, f"csrf/{person.id}/{person.name}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever asks.

    Attributes:
        person: who it is; None for nobody, and for everybody while there is no account.
        signed_in: the sign-in, for a browser.
        is_free: there is no account yet and only this machine can ask: everything may be done.
    """

    person: Person | None = None
    signed_in: SignIn | None = None
    is_free: bool = False


def token_of(entrance: Entrance, headers: Headers) -> str | None:
    """What the browser's cookie holds."""
    cookies = headers.get("cookie")
    return None if cookies is None else cookie_parser(cookies).get(entrance.cookie) or None


def bearer_of(headers: Headers) -> str | None:
    """What a program sends in place of a cookie."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def identify(desk: PeopleDesk, entrance: Entrance, headers: Headers) -> Caller:
    """Who asks, as the database says now. For a thread: it reads.

    Raises:
        StoreError: the database does not answer.
    """
    bearer = bearer_of(headers)
    if bearer is not None:
        is_ours = bool(entrance.local_token) and hmac.compare_digest(bearer.encode(), entrance.local_token.encode())
        return Caller(person=COMMAND_LINE if is_ours else None)
    if not desk.has_accounts():
        return Caller(is_free=entrance.is_loopback)
    token = token_of(entrance, headers)
    signed_in = None if token is None else desk.who(token)
    return Caller() if signed_in is None else Caller(person=signed_in.person, signed_in=signed_in)


def address_of(scope: Scope) -> str:
    """Where a request comes from; `local` where there is no address."""
    client = scope.get("client")
    return str(client[0]) if client else "local"


def is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, over its loopback."""
    try:
        return ip_address(address_of(scope)).is_loopback
    except ValueError:
        return False
