"""One request to a server, and what can go wrong with it.

Redirects are not followed: a token goes to the server that
gave it, and nowhere else. What a captive portal or a proxy answers instead is told as such.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from edge import __version__
from edge.errors import LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError
from edge.zooscan.ecotaxa.address import is_own_machine
from edge.zooscan.ecotaxa.tools import LONGEST_WAIT_S

CONNECT_S = 15.0
ANSWER_S = 120.0
UNPACK_S = 1800.0  # the server unpacks an archive before it answers
MAX_ANSWER_BYTES = 64 * 1024**2
MAX_FILE_BYTES = 4 * 1024**3
PIECE_BYTES = 64 * 1024
_DELAYS_S = (1.0, 4.0)
_SHOWN = 500

Wait = Callable[[float], bool]
"""Waits for so many seconds, or until the work shall stop. Returns whether it shall."""


class Link:
    """Requests to one server. For one thread at a time; `close` it."""

    def __init__(self, server: str, *, wait: Wait) -> None:
        """`server` was checked; `wait` is where retries wait."""
        self.server = server
        self._wait = wait
        parts = urlsplit(server)
        own = is_own_machine(parts.hostname or "")
        empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: plain http needs no authorities, and reading them takes time
        self._client = httpx.Client(
            verify=True if parts.scheme == "https" else empty,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=CONNECT_S),
            follow_redirects=False,
            trust_env=not own,  # a ship's proxy, and its own certificates
            headers={"User-Agent": f"imagine-edge/{__version__}", "Accept": "application/json"},
        )

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        repeat: bool = False,
    ) -> Any:
        """A request with a small answer.

        Args:
            method: of HTTP.
            path: below the server's address.
            token: of whoever asks.
            params: of the address.
            body: goes as JSON.
            form: goes as a form, instead of a body.
            repeat: whether asking twice does what asking once does: then it is tried three times.

        Returns:
            What the JSON of the answer says.

        Raises:
            LinkDownError: nobody answers, or the connection broke.
            ServerFailedError: it cannot now, or the answer is none of its own.
            LoginNeededError: it does not know the token.
            ServerRefusedError: it does not do that.
        """
        delays = list(_DELAYS_S) if repeat else []
        while True:
            try:
                return self._ask_once(method, path, token=token, params=params, body=body, form=form)
            except (LinkDownError, ServerFailedError) as error:
                asked_s = getattr(error, "after_s", None) or 0.0
                if not delays or asked_s > ANSWER_S or self._wait(max(delays.pop(0), asked_s)):
                    raise

    def send(self, path: str, *, token: str, body: Iterator[bytes], headers: Mapping[str, str]) -> Any:
        """A request with a large body, made piece by piece; tried once.

        Raises:
            TransportError: as `ask` says.
        """
        timeout = httpx.Timeout(UNPACK_S, connect=CONNECT_S, write=ANSWER_S)
        with (
            self._told(),
            self._client.stream("POST", self.server + path, content=body, headers={**headers, **_bearer(token)}, timeout=timeout) as answer,
        ):
            return self._read(answer)

    def fetch(self, path: str, to: Path, *, token: str, room_bytes: int) -> int:
        """A file of the server's, into `to`. Returns its size.

        Raises:
            TransportError: as `ask` says; also for a file that is larger than `room_bytes`, or not as long as the server said.
            OSError: it cannot be written here.
        """
        limit = min(room_bytes, MAX_FILE_BYTES)
        with self._told(), self._client.stream("GET", self.server + path, headers=_bearer(token)) as answer:
            if answer.status_code != httpx.codes.OK:
                self._read(answer)
                raise ServerFailedError(f"{self.server} answered {answer.status_code} instead of a file")
            size = 0
            with to.open("wb") as file:
                for piece in answer.iter_bytes(PIECE_BYTES):
                    size += len(piece)
                    if size > limit:
                        raise ServerFailedError(
                            f"{self.server} sends more than {limit} bytes", advice="Free space on the disk, or pull less."
                        )
                    file.write(piece)
        return size

    def _ask_once(
        self, method: str, path: str, *, token: str | None, params: Mapping[str, str] | None, body: Any, form: Mapping[str, str] | None
    ) -> Any:
        with (
            self._told(),
            self._client.stream(method, self.server + path, params=params, json=body, data=form, headers=_bearer(token)) as answer,
        ):
            return self._read(answer)

    def _read(self, answer: httpx.Response) -> Any:
        content = bytearray()
        for piece in answer.iter_bytes(PIECE_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise ServerFailedError(f"{self.server} answers with more than {MAX_ANSWER_BYTES} bytes")
        status = answer.status_code
        if httpx.codes.is_success(status):
            try:
                return json.loads(content)
            except ValueError as error:
                raise _no_answer(self.server, "a page instead of an answer") from error
        raise _refusal(self.server, status, bytes(content), answer.headers.get("Retry-After"))

    def _told(self) -> _Told:
        return _Told(self.server)


class _Told:
    """Turns what httpx raises into errors of ours."""

    def __init__(self, server: str) -> None:
        self._server = server

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError)):
            return
        if isinstance(error, httpx.DecodingError):
            raise _no_answer(self._server, "something that cannot be unpacked") from error
        told = _words(error)
        if "CERTIFICATE_VERIFY_FAILED" in told:
            advice = "Is the clock of this machine right, and is nobody in between, such as a sign-in page of the ship's network?"
            raise LinkDownError(f"the certificate of {self._server} is not trusted", advice=advice) from error
        raise LinkDownError(f"{self._server} cannot be reached: {told}") from error


def _words(error: BaseException) -> str:
    """What an error says; those of timeouts say nothing."""
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time"
    return str(error).rstrip(".") or type(error).__name__


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _no_answer(server: str, what: str) -> ServerFailedError:
    advice = "Is the address right, and has the ship's network a sign-in page in between? It is tried again by itself."
    return ServerFailedError(f"{server} answers with {what}", advice=advice)


def _refusal(server: str, status: int, content: bytes, retry_after: str | None) -> Exception:
    """An answer that is no success, as an error of ours."""
    told = _detail(content)
    if status == httpx.codes.UNAUTHORIZED:
        return LoginNeededError(f"{server} does not know this sign-in (any more)")
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        after_s = min(LONGEST_WAIT_S, float(retry_after)) if retry_after and retry_after.isdecimal() else None
        return ServerFailedError(f"{server} cannot do it now ({status}{told})", after_s=after_s)
    if status < 400:
        return _no_answer(server, f"a redirect ({status})")
    return ServerRefusedError(f"{server} refuses it ({status}{told})", status=status)


def _detail(content: bytes) -> str:
    """What FastAPI's JSON of an error says, as text behind a comma."""
    try:
        found = json.loads(content)["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(found, list):
        found = "; ".join(str(one.get("msg", one)) if isinstance(one, dict) else str(one) for one in found)
    line = "".join(letter if letter.isprintable() else " " for letter in str(found))
    return f", {line[:_SHOWN]}"
