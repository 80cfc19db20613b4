"""Signed files from a web server, over a link that breaks: small ones in one piece, models from where the last attempt ended.

A model's address holds its hash, so what lies behind it never changes; a part of it can wait on the disk for weeks. Nothing of a part is
believed: the whole is hashed against what was signed.
"""

from __future__ import annotations

import hashlib
import io
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError
from tuf.ngclient import FetcherInterface

from edge import __version__
from sync.sinks.sink import Spend
from sync.updates.source import is_own_network

CONNECT_S = 20.0
READ_S = 90.0
_WAITS_S = (2.0, 8.0, 30.0)  # after attempts that brought nothing at all
_MAX_METADATA_BYTES = 5_000_000
_MAX_REFUSAL_BYTES = 4096
_ROOT = re.compile(r"/[0-9]+\.root\.json$")
_NO_HEAD = {405, 501}
_ON_TOP_BYTES = 320  # of a request: its line and headers

Progress = Callable[[int, int], None]
"""Is told bytes that are here, and bytes in all, while a model is fetched."""


class HttpFetcher(FetcherInterface):
    """Requests to one server. For one thread at a time; `close` it."""

    def __init__(
        self,
        base: str,
        spool: Path,
        spend: Spend,
        *,
        wait: Callable[[float], object] = time.sleep,
        on_progress: Progress = lambda _, __: None,
    ) -> None:
        """Nothing is contacted yet.

        Args:
            base: address of the folder that holds `metadata` and `targets`, with a slash at its end.
            spool: where parts wait.
            spend: counts and slows what passes.
            wait: between attempts that failed.
            on_progress: see `Progress`.
        """
        self.base, self._spool, self._spend, self._wait, self._on_progress = base, spool, spend, wait, on_progress
        parts = urlsplit(base)
        empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: plain http needs no authorities, and reading them takes time
        self._client = httpx.Client(
            verify=True if parts.scheme == "https" else empty,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=CONNECT_S),
            follow_redirects=False,
            trust_env=not is_own_network(parts.hostname or ""),  # a ship's proxy, and its own certificates
            headers={"User-Agent": f"imagine-edge/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    def begin(self) -> None:
        """Nothing is asked before it is needed: a costly link is never probed."""

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def drop(self, url: str) -> None:
        """Forget what is here of a file."""
        for path in (self._part(url), self._tag(url)):
            path.unlink(missing_ok=True)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """See `FetcherInterface`. For a model `max_length` is its exact size, and its part stays until it is dropped."""
        if url.startswith(f"{self.base}targets/"):
            self._spool_whole(url, max_length)
            with self._part(url).open("rb") as file:
                yield file
        else:
            yield io.BytesIO(self._small(url, max_length))

    def _fetch(self, url: str) -> Iterator[bytes]:
        """See `FetcherInterface`."""
        yield self._small(url, _MAX_METADATA_BYTES)

    def _small(self, url: str, max_length: int) -> bytes:
        failures = 0
        while True:
            try:
                if _ROOT.search(urlsplit(url).path):
                    self._must_be_there(url)
                return self._read(url, max_length)
            except httpx.TransportError as error:
                if failures == len(_WAITS_S) or _is_no_use(error) or self._wait(_WAITS_S[failures]):
                    raise _broken(url, error) from error
                failures += 1

    def _must_be_there(self, url: str) -> None:
        """Whether there is a newer root is asked at each check, mostly in vain: the answer to HEAD has no body that costs."""
        self._spend.sent(len(url) + _ON_TOP_BYTES)
        answer = self._client.head(url)
        self._spend.received(_head_bytes(answer))
        if answer.status_code not in {httpx.codes.OK, *_NO_HEAD}:
            raise _refusal(url, answer)

    def _read(self, url: str, max_length: int) -> bytes:
        content = bytearray()
        with self._asked(url, {}) as answer:
            for piece in self._pieces(answer):
                content += piece
                if len(content) > max_length:
                    raise DownloadLengthMismatchError(f"{url} is longer than {max_length} bytes")
        return bytes(content)

    def _spool_whole(self, url: str, size_bytes: int) -> None:
        """Bring the part of a model to its full size, over as many breaks as it takes, while each attempt brings something.

        Raises:
            DownloadError: nothing came any more, or too much.
        """
        self._spool.mkdir(parents=True, exist_ok=True)
        failures = 0
        while (have := self._have(url)) < size_bytes:
            broken: httpx.TransportError | None = None
            try:
                self._add(url, have, size_bytes)
            except httpx.TransportError as error:
                broken = error
            is_whole, has_gained = self._have(url) >= size_bytes, self._have(url) > have
            failures = 0 if has_gained else failures + 1
            if not is_whole and (failures > len(_WAITS_S) or _is_no_use(broken) or self._wait(_WAITS_S[max(0, failures - 1)])):
                raise _broken(url, broken)
        if have > size_bytes:
            self.drop(url)
            raise DownloadLengthMismatchError(f"{url} is longer than {size_bytes} bytes")

    def _add(self, url: str, have: int, size_bytes: int) -> None:
        tag = self._tag(url)
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and tag.is_file():
            headers["If-Range"] = tag.read_text(encoding="ascii")
        with self._asked(url, headers) as answer:
            goes_on = answer.status_code == httpx.codes.PARTIAL_CONTENT and answer.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            )
            if answer.status_code == httpx.codes.PARTIAL_CONTENT and not goes_on:
                self.drop(url)
                raise DownloadError(f"{url} answers with another part than was asked for")
            strong = answer.headers.get("ETag", "")
            if re.fullmatch(r'"[!#-~]{1,200}"', strong):
                tag.write_text(strong, encoding="ascii")
            else:
                tag.unlink(missing_ok=True)
            with self._part(url).open("ab" if goes_on else "wb") as file:
                for piece in self._pieces(answer):
                    if file.tell() + len(piece) > size_bytes:
                        self._must_not_grow(url, size_bytes)
                    file.write(piece)
                    self._on_progress(file.tell(), size_bytes)

    def _must_not_grow(self, url: str, size_bytes: int) -> None:
        self.drop(url)
        raise DownloadLengthMismatchError(f"{url} is longer than {size_bytes} bytes")

    @contextmanager
    def _asked(self, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        self._spend.sent(len(url) + _ON_TOP_BYTES)
        with self._client.stream("GET", url, headers=headers) as answer:
            self._spend.received(_head_bytes(answer))
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.drop(url)
            if answer.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
                self._read_refusal(answer)
                raise _refusal(url, answer)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise DownloadError(f"{url} comes packed, which was not asked for")
            yield answer

    def _pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        for piece in answer.iter_raw():  # as it comes: pieces of one size would wait for bytes that a break loses
            self._spend.received(len(piece))
            yield piece

    def _read_refusal(self, answer: httpx.Response) -> None:
        """A short page of a refusal is read, so that the connection can be used again; a long one is not worth its bytes."""
        if int(answer.headers.get("Content-Length") or _MAX_REFUSAL_BYTES + 1) <= _MAX_REFUSAL_BYTES:
            for _ in self._pieces(answer):
                pass

    def _have(self, url: str) -> int:
        try:
            return self._part(url).stat().st_size
        except FileNotFoundError:
            return 0

    def _part(self, url: str) -> Path:
        return self._spool / f"{hashlib.sha256(url.encode()).hexdigest()}.part"

    def _tag(self, url: str) -> Path:
        return self._part(url).with_suffix(".etag")


def _head_bytes(answer: httpx.Response) -> int:
    return sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) + 17


def _is_no_use(error: httpx.TransportError | None) -> bool:
    """A certificate that is not trusted now will not be in a minute."""
    return error is not None and "CERTIFICATE_VERIFY_FAILED" in str(error)


def _refusal(url: str, answer: httpx.Response) -> DownloadHTTPError:
    return DownloadHTTPError(f"{url} is answered with {answer.status_code}", answer.status_code)


def _broken(url: str, error: httpx.TransportError | None) -> DownloadError:
    host = urlsplit(url).netloc
    if _is_no_use(error):
        likely = "is the clock right, and is nobody in between, such as a sign-in page of the ship's network?"
        return DownloadError(f"the certificate of {host} is not trusted: {likely}")
    words = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else str(error or "") or "the connection broke"
    return DownloadError(f"{host} cannot be reached: {words}")
