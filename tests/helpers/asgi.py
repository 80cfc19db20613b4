"""Calls of an ASGI application in this process, from an address that the test chooses, and without a thread or a socket."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx


class AsgiClient:
    """Like `httpx.Client`, for an application. A loop of its own lives as long as the block."""

    def __init__(self, app: Any, *, base_url: str = "http://127.0.0.1", address: str = "127.0.0.1") -> None:
        self._app = app
        self._base_url = base_url
        self._address = address

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner().__enter__()
        transport = httpx.ASGITransport(self._app, client=(self._address, 50000), raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=self._base_url, timeout=300)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._runner.run(self._client.aclose())
        self._runner.__exit__(kind, error, traceback)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, url, **options))

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)
