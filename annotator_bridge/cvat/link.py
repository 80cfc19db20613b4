"""One request to a CVAT server, and what can go wrong with it.

Redirects are not followed: a token goes to the server that gave it, and nowhere else. What a captive portal, a proxy or Traefik in front
of CVAT answers instead is told as such. CVAT renders `application/vnd.cvat+json` and refuses to render anything else (406).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from annotator_bridge.cvat.login import LOGIN_ADVICE
from edge import __version__
from edge.errors import LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError
from edge.zooscan.ecotaxa.address import is_own_machine

CONNECT_S = 10.0
ANSWER_S = 120.0
LONGEST_WAIT_S = 3600.0
MAX_ANSWER_BYTES = 256 * 1024**2
PIECE_BYTES = 64 * 1024
ACCEPT = "application/vnd.cvat+json"
_DELAYS_S = (1.0, 4.0)
_SHOWN = 500
_AGAIN = "Is the address right, and has the ship's network a sign-in page in between? It is tried again by itself."

Wait = Callable[[float], bool]
"""Waits for so many seconds, or until the work shall stop. Returns whether it shall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whatever its status. `headers` by their names in lower case; `content` is empty where nothing came."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Carrier(Protocol):
    """Carries one request there and one reply back."""

    @property
    def server(self) -> str:
        """Its address."""

    def carry(self, method: str, path: str, *, headers: Mapping[str, str] = {}, body: bytes | None = None) -> Reply:
        """Ask once.

        Args:
            method: of HTTP.
            path: below the server's address, with its query.
            headers: besides those that every request has.
            body: of the request.

        Raises:
            LinkDownError: nobody answers, or the connection broke.
            ServerFailedError: the reply has no end.
        """


class Link:
    """A carrier over httpx. For one thread at a time; `close` it."""

    def __init__(self, server: str, *, authorization: str | None = None) -> None:
        """`server` was checked."""
        self.server = server
        self._authorization = authorization
        parts = urlsplit(server)
        own = is_own_machine(parts.hostname or "")
        empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: plain http needs no authorities, and reading them takes time
        self._client = httpx.Client(
            verify=True if parts.scheme == "https" else empty,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=CONNECT_S),
            follow_redirects=False,
            trust_env=not own,  # a ship's proxy, and its own certificates
            headers={"User-Agent": f"imagine-edge/{__version__}", "Accept": ACCEPT},
        )

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def carry(self, method: str, path: str, *, headers: Mapping[str, str] = {}, body: bytes | None = None) -> Reply:
        """See `Carrier`."""
        sent = {"Origin": self.server, **headers}  # without it CVAT cannot make an upload's address where no proxy stands in front
        if self._authorization is not None:
            sent["Authorization"] = self._authorization
        self._client.cookies.clear()  # with a cookie of the sign-in CVAT wants another token, against forged requests
        try:
            with self._client.stream(method, self.server + path, headers=sent, content=body) as answer:
                content = bytearray()
                for piece in answer.iter_bytes(PIECE_BYTES):
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        raise ServerFailedError(f"{self.server} answers with more than {MAX_ANSWER_BYTES} bytes")
                told = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(status=answer.status_code, headers=told, content=bytes(content))
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError) as error:
            raise _told(self.server, error) from error


def ask(
    carrier: Carrier,
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: Mapping[str, str] = {},
    wait: Wait | None = None,
) -> Any:
    """A request whose answer is JSON, or nothing.

    Args:
        carrier: carries it.
        method: of HTTP.
        path: below the server's address, with its query.
        body: goes as JSON; None: without a body.
        headers: besides those that every request has.
        wait: where to wait between attempts, if asking twice does what asking once does: then it is tried three times.

    Returns:
        What the JSON of the answer says; None for an empty one.

    Raises:
        LinkDownError: nobody answers, or the connection broke.
        ServerFailedError: it cannot now, or the answer is none of its own.
        LoginNeededError: it does not know the token.
        ServerRefusedError: it does not do that.
    """
    delays = list(_DELAYS_S) if wait is not None else []
    content = None if body is None else json.dumps(body, allow_nan=False).encode()
    sent = {**headers, "Content-Type": "application/json"} if content is not None else dict(headers)
    while True:
        try:
            return answer_of(carrier.server, carrier.carry(method, path, headers=sent, body=content))
        except (LinkDownError, ServerFailedError) as error:
            asked_s = getattr(error, "after_s", None) or 0.0
            if not delays or wait is None or asked_s > ANSWER_S or wait(max(delays.pop(0), asked_s)):
                raise


def answer_of(server: str, reply: Reply) -> Any:
    """What the JSON of a reply says; None for an empty one.

    Raises:
        TransportError: as `ask` says.
    """
    if not httpx.codes.is_success(reply.status):
        raise refusal(server, reply)
    if not reply.content:
        return None
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError) as error:
        raise ServerFailedError(f"{server} answers with a page instead of an answer", advice=_AGAIN) from error


def refusal(server: str, reply: Reply) -> Exception:
    """A reply that is no success, as an error of ours."""
    status, told = reply.status, _detail(reply.content)
    if status == httpx.codes.UNAUTHORIZED:
        return LoginNeededError(f"{server} does not know this sign-in (any more)", advice=LOGIN_ADVICE)
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        after = reply.headers.get("retry-after", "")
        after_s = min(LONGEST_WAIT_S, float(after)) if after.isdecimal() else None
        return ServerFailedError(f"{server} cannot do it now ({status}{told})", after_s=after_s)
    if status < 400:
        return ServerFailedError(f"{server} answers with a redirect ({status})", advice=_AGAIN)
    if status == httpx.codes.NOT_FOUND and not _is_json(reply.content):
        advice = "CVAT's proxy answers only to the name that it was started with (CVAT_HOST): use that very name in `cvat_url`."
        return ServerRefusedError(f"{server} is no CVAT, or answers to another name only (404)", status=None, advice=advice)
    barred = "The account may not do that in CVAT, or has reached a limit there: ask who runs it, or sign in as somebody else."
    is_barred = status == httpx.codes.FORBIDDEN
    return ServerRefusedError(f"{server} refuses it ({status}{told})", status=status, advice=barred if is_barred else None)


def _told(server: str, error: Exception) -> Exception:
    """What httpx raises, as an error of ours."""
    if isinstance(error, httpx.DecodingError):
        return ServerFailedError(f"{server} answers with something that cannot be unpacked", advice=_AGAIN)
    words = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in words:
        advice = "Is the clock of this machine right, and is nobody in between, such as a sign-in page of the ship's network?"
        return LinkDownError(f"the certificate of {server} is not trusted", advice=advice)
    return LinkDownError(f"{server} cannot be reached: {words.rstrip('.')}")


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _detail(content: bytes) -> str:
    """What the JSON of an error says, as text behind a comma; nothing of a page."""
    try:
        words = _words(json.loads(content))
    except (ValueError, RecursionError):
        return ""
    line = "".join(letter if letter.isprintable() else " " for letter in words)
    return f", {line[:_SHOWN]}" if line else ""


def _words(found: Any) -> str:
    """Django's ways to say what is wrong: a text, a list, or lists by the name of a field."""
    if isinstance(found, dict):
        parts = [
            _words(value) if name in ("detail", "message", "non_field_errors") else f"{name}: {_words(value)}"
            for name, value in found.items()
        ]
        return "; ".join(parts)
    if isinstance(found, list):
        return "; ".join(_words(one) for one in found)
    return "" if found is None else str(found)
