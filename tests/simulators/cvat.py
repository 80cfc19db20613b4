"""CVAT on the loopback: real HTTP over `World`, and everything that goes wrong with real servers and links.

world = World(tmp_path / "server", version=OLD)
with cvat(world) as server:
    server.url, server.breaks(...), server.dies_after(n)

Addresses, headers and statuses as read in cvat/apps/engine/views.py, cvat/urls.py and the packages cvat-sdk 2.15.0 and 2.80.0.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_routes import Answer, Call, answer_of
from tests.simulators.cvat_world import World

How = Literal["status", "lose_answer", "cut_body", "cut_answer", "page", "redirect", "long", "lie"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next requests that fit.

    `lose_answer`: it is done, and nobody is told. `cut_body`: the connection goes while the body is read. `cut_answer`: the answer is
    shorter than its length says. `page`: a captive portal answers. `redirect`: somewhere else. `long`: an answer without an end. `lie`:
    `value` instead of the answer.
    """

    where: str
    how: How
    times: int = 1
    status: int = 500
    after_s: int | None = None
    after_bytes: int = 1000
    value: Any = None


class Server:
    """A running server: its address, faults to come, and what it was asked."""

    def __init__(self, world: World, host: str) -> None:
        self.world = world
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.delay_s = 0.0
        self.left: int | None = None
        self.lock = threading.RLock()
        self.http = _Http((host, 0), type("Handler", (_Handler,), {"server_of": self}))
        self.http.daemon_threads = True
        self.url = f"http://{host}:{self.http.server_port}"

    def breaks(self, where: str, how: How, **about: Any) -> None:
        """Let the next requests whose "METHOD /path" fits the expression go wrong."""
        self.faults.append(Fault(where=where, how=how, **about))

    def dies_after(self, requests: int | None) -> None:
        """So many more requests are done, the last of them without an answer; then nobody answers until it is called with None."""
        self.left = requests

    def fault_of(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.where, line):
                    fault.times -= 1
                    return fault
        return None

    def count(self, where: str) -> int:
        """How many requests so far fit the expression."""
        return sum(re.search(where, line) is not None for line in self.asked)


@contextmanager
def cvat(world: World, *, host: str = "127.0.0.1") -> Iterator[Server]:
    """A server on a free port of the loopback."""
    server = Server(world, host)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


class _Http(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is no news; anything else is a fault of the simulator."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _CutError(Exception):
    """The connection is to go without a word."""


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server = self.server_of
        parts = urlsplit(self.path)
        line = f"{self.command} {unquote(parts.path)}"
        if server.left == 0:
            self._hang_up()
            return
        server.asked.append(line)
        server.headers.append(dict(self.headers.items()))
        time.sleep(server.delay_s)
        fault = server.fault_of(line)
        try:
            body = self._body(fault)
            if fault is not None and fault.how in ("status", "page", "redirect", "long"):
                self._go_wrong(fault)
                return
            with server.lock:
                answer = self._call(unquote(parts.path), parts.query, body, is_cut=fault is not None and fault.how == "cut_body")
            if fault is not None and fault.how == "lie":
                answer = Answer(status=fault.status if fault.status != 500 else answer.status, value=fault.value, headers=answer.headers)
            self._last()
            self._tell(answer, fault)
        except (_CutError, OSError):
            self._hang_up()

    def _last(self) -> None:
        """The last request before the server dies is done, and nobody is told."""
        server = self.server_of
        with server.lock:
            if server.left is None:
                return
            server.left -= 1
            if server.left == 0:
                raise _CutError

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def _body(self, fault: Fault | None) -> bytes:
        left = int(self.headers.get("Content-Length") or 0)
        if fault is not None and fault.how == "cut_body":
            return self.rfile.read(min(left, fault.after_bytes))
        return self.rfile.read(left)

    def _go_wrong(self, fault: Fault) -> None:
        if fault.how == "long":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.close_connection = True
            for _ in range(2000):
                self.wfile.write(b'"' + b"a" * 65536)
            return
        page = b"<html>Sign in to the ship's network</html>"
        content = page if fault.how == "page" else b'{"detail": "broken on purpose"}'
        self.send_response({"page": 200, "redirect": 302}.get(fault.how, fault.status))
        if fault.how == "redirect":
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        if fault.after_s is not None:
            self.send_header("Retry-After", str(fault.after_s))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _tell(self, answer: Answer, fault: Fault | None) -> None:
        if fault is not None and fault.how in ("lose_answer", "cut_body"):
            raise _CutError
        is_page = isinstance(answer.value, bytes)
        content = answer.value if is_page else b"" if answer.status == 204 else json.dumps(answer.value).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if is_page else "application/vnd.cvat+json")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.how == "cut_answer":
            self.wfile.write(content[: len(content) // 2])
            raise _CutError
        self.wfile.write(content)

    def _call(self, path: str, query: str, body: bytes, *, is_cut: bool) -> Answer:
        params = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        call = Call(method=self.command, path=path, params=params, headers=self.headers, body=body, is_cut=is_cut)
        try:
            return answer_of(self.server_of.world, call, self.server_of.url)
        except RefusedError as refused:
            if refused.status >= 500:
                return Answer(status=refused.status, value=f"<html><h1>Server Error</h1>{refused.value}</html>".encode())
            return Answer(status=refused.status, value=refused.value)
