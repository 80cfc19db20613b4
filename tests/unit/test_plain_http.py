"""Plain HTTP at the port of the encrypted pages: one short answer that says where to go; TLS goes on as ever."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from edge.web.plain_http import TlsDoor
from edge.web.tls import own_certificate


async def page(scope: dict[str, object], receive: object, send: object) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"the pages"})  # type: ignore[operator]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    made = own_certificate(tmp_path, ("localhost", "127.0.0.1"))
    config = uvicorn.Config(page, log_config=None, lifespan="off", ssl_certfile=made.certificate_path, ssl_keyfile=str(made.key_path))
    server = uvicorn.Server(config)
    with TlsDoor(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield door.getsockname()[1]
        server.should_exit = True
        thread.join()


def encrypted(tmp_path: Path, port: int) -> str:
    context = ssl.create_default_context(cafile=str(tmp_path / "keys" / "tls.crt"))
    with httpx.Client(verify=context, trust_env=False, timeout=60) as client:
        return client.get(f"https://127.0.0.1:{port}/").text


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="only Linux hands connections over with their first bytes")
def test_plain_http_is_told_where_to_go(port: int, tmp_path: Path) -> None:
    for _ in range(3):
        answer = httpx.get(f"http://127.0.0.1:{port}/stations/1?x=1", trust_env=False, timeout=60)
        assert (answer.status_code, answer.text) == (400, f"These pages are encrypted. Go to https://127.0.0.1:{port}/\n")
        assert encrypted(tmp_path, port) == "the pages"


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="only Linux hands connections over with their first bytes")
def test_a_host_that_is_no_name_is_not_repeated(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n")
        told = plain.makefile("rb").read()
    assert told.startswith(b"HTTP/1.1 400 ")
    assert b"script" not in told


def test_what_is_neither_and_what_says_nothing_hold_nobody_up(port: int, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)) as noise:
        noise.sendall(bytes(range(128, 200)))
        assert encrypted(tmp_path, port) == "the pages"
