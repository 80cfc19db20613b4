"""One request over a link: counted at the socket, as slow as it has to be, patient, and never led elsewhere.

Redirects are not followed: what we are known by goes to the server that it is for, and nowhere else.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from urllib.parse import unquote, urlsplit

import httpcore

from edge import __version__
from edge.errors import LinkDownError, ServerFailedError
from edge.sink_settings import is_loopback
from sync.link.answers import Answer
from sync.link.counter import PIECE_BYTES, CountingBackend, Meter
from sync.link.sockets import STALL_S, socket_options

CONNECT_S = 20.0
MAX_ANSWER_BYTES = 4 * 1024**2
_KEPT_S = 50.0  # servers hang up after a minute; setting up anew costs three round trips

Headers = Mapping[str, str]


class Wire:
    """Requests to one server over one connection that is kept. For one thread at a time; `close` it."""

    def __init__(self, server: str, meter: Meter, *, connect_s: float = CONNECT_S, stall_s: float = STALL_S) -> None:
        """`server`: its address, from settings that were checked. `stall_s`: how long nothing at all may come or go."""
        self.server = server
        self._meter = meter
        self._limits = {"connect": connect_s, "read": stall_s, "write": stall_s, "pool": connect_s}
        self._pool = _pool(server, meter)

    def close(self) -> None:
        """Let the connection go."""
        self._pool.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        body: Iterable[bytes] = (),
        size_bytes: int = 0,
        limit_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """A request, and its whole answer, whatever its status.

        Args:
            method: of HTTP.
            url: whole, and escaped.
            headers: beside those that every request carries.
            body: in pieces that together have `size_bytes`.
            size_bytes: 0 without a body.
            limit_bytes: a longer answer is none of this server's.

        Raises:
            LinkDownError: nobody answers, or the connection broke.
            ServerFailedError: the answer is too long.
            TransportError: the meter says that it may not go (on).
        """
        self._meter.may_begin(size_bytes)
        every = {"User-Agent": f"imagine-edge/{__version__}", "Host": urlsplit(url).netloc, **(headers or {})}
        if size_bytes or method in {"PUT", "POST"}:
            every["Content-Length"] = str(size_bytes)
        request = httpcore.Request(
            method, url, headers=list(every.items()), content=_pieces(body), extensions={"timeout": dict(self._limits)}
        )
        with self._told():
            answer = self._pool.handle_request(request)
            try:
                content = self._read(answer, limit_bytes)
            finally:
                answer.close()
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        return Answer(status=answer.status, headers=found, content=content)

    def _read(self, answer: httpcore.Response, limit_bytes: int) -> bytes:
        content = bytearray()
        for piece in answer.iter_stream():
            content += piece
            if len(content) > limit_bytes:
                raise ServerFailedError(f"{self.server} answers with more than {limit_bytes} bytes")
        return bytes(content)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what httpcore raises into errors of ours."""
        try:
            yield
        except httpcore.TimeoutException as error:
            raise LinkDownError(f"{self.server} cannot be reached: nothing came or went in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, ssl.SSLError, OSError) as error:
            told = str(error) or type(error).__name__
            if "CERTIFICATE_VERIFY_FAILED" in told:
                advice = "Is the clock of this machine right, and is nobody in between, such as a sign-in page of the ship's network?"
                raise LinkDownError(f"the certificate of {self.server} is not trusted", advice=advice) from error
            raise LinkDownError(f"{self.server} cannot be reached: {told}") from error


def _pieces(body: Iterable[bytes]) -> Iterator[bytes]:
    for part in body:
        for start in range(0, len(part), PIECE_BYTES):
            yield part[start : start + PIECE_BYTES]


@cache
def _authorities() -> ssl.SSLContext:
    """The system's, and what SSL_CERT_FILE names; certifi's where the system has none."""
    return httpcore.default_ssl_context()


def _pool(server: str, meter: Meter) -> httpcore.ConnectionPool:
    parts = urlsplit(server)
    host = parts.hostname or ""
    trusted = _authorities() if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading authorities takes time
    proxies = {} if is_loopback(host) or urllib.request.proxy_bypass(host) else urllib.request.getproxies()  # a ship's proxy
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return httpcore.ConnectionPool(
        ssl_context=trusted,
        proxy=_proxy(proxy) if proxy else None,
        max_connections=1,
        max_keepalive_connections=1,
        keepalive_expiry=_KEPT_S,
        network_backend=CountingBackend(meter),
        socket_options=socket_options(),
    )


def _proxy(address: str) -> httpcore.Proxy:
    parts = urlsplit(address if "://" in address else f"http://{address}")
    known_by = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    return httpcore.Proxy(f"{parts.scheme}://{where}", auth=known_by)
