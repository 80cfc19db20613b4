"""A web server of signed files on loopback that can be told to fail in every way that links and strangers do."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_PIECE_BYTES = 1024


@dataclass
class Manners:
    """How it answers.

    Attributes:
        cut_after_bytes: the connection of a model breaks after so many bytes of each answer.
        no_ranges: a model always comes from its beginning.
        wrong_range: a part is answered with another one.
        etag: of models; empty: none is sent.
        endless: names that begin so never end.
        status: names that end so are answered with this status.
        page: every name is answered with this, as a sign-in page does.
        pause_s: between pieces of a model.
    """

    cut_after_bytes: int | None = None
    no_ranges: bool = False
    wrong_range: bool = False
    etag: str = '"one"'
    endless: str = "\0"
    status: dict[str, int] = field(default_factory=dict)
    page: bytes | None = None
    pause_s: float = 0.0


@dataclass
class Asked:
    """A request: its method, its path, the range that was asked for, and how many bytes of a body went back."""

    method: str
    path: str
    asked_range: str
    if_range: str
    body_bytes: int = 0


class ModelsServer:
    """See the module. `asked` holds every request."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.manners, self.asked = folder, Manners(), list[Asked]()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                server.answer(self)

            def do_GET(self) -> None:
                server.answer(self)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def body_bytes(self) -> int:
        """Of all answers."""
        return sum(one.body_bytes for one in self.asked)

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        asked = Asked(handler.command, path, handler.headers.get("Range", ""), handler.headers.get("If-Range", ""))
        self.asked.append(asked)
        with suppress(OSError):
            self._answer(handler, path, asked)

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, path: str, asked: Asked) -> None:
        manners = self.manners
        status = next((status for end, status in manners.status.items() if path.endswith(end)), 200)
        file = self.folder / path.lstrip("/")
        if manners.page is not None:
            self._send(handler, asked, 200, manners.page)
        elif status != 200:
            self._send(handler, asked, status, b"no\n")
        elif path.startswith(manners.endless):
            self._send_for_ever(handler, asked)
        elif not file.is_file():
            self._send(handler, asked, 404, b"<html>There is nothing here, told at length.</html>")
        elif path.startswith("/targets/"):
            self._send_model(handler, asked, file.read_bytes())
        else:
            self._send(handler, asked, 200, file.read_bytes())

    def _send_model(self, handler: http.server.BaseHTTPRequestHandler, asked: Asked, content: bytes) -> None:
        manners, begin = self.manners, 0
        is_same = not asked.if_range or asked.if_range == manners.etag
        if asked.asked_range and is_same and not manners.no_ranges:
            begin = int(asked.asked_range.removeprefix("bytes=").rstrip("-"))
        headers = {"ETag": manners.etag} if manners.etag else {}
        if begin:
            shown = begin + 1 if manners.wrong_range else begin
            headers["Content-Range"] = f"bytes {shown}-{len(content) - 1}/{len(content)}"
        self._send(handler, asked, 206 if begin else 200, content[begin:], headers, cut=manners.cut_after_bytes, pause_s=manners.pause_s)

    def _send(
        self,
        handler: http.server.BaseHTTPRequestHandler,
        asked: Asked,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        cut: int | None = None,
        pause_s: float = 0.0,
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        sent = body if cut is None else body[:cut]
        step = _PIECE_BYTES if pause_s else max(1, len(sent))
        for at in range(0, len(sent), step):
            handler.wfile.write(sent[at : at + step])
            asked.body_bytes += len(sent[at : at + step])
            time.sleep(pause_s)
        if len(sent) < len(body):
            handler.wfile.flush()
            handler.close_connection = True

    def _send_for_ever(self, handler: http.server.BaseHTTPRequestHandler, asked: Asked) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while True:
            handler.wfile.write(bytes(_PIECE_BYTES * 64))
            asked.body_bytes += _PIECE_BYTES * 64

    def _run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    @contextmanager
    def serving(self) -> Iterator[ModelsServer]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
