"""One request: which servers are talked to, what is sent to the byte, and how much memory that takes."""

from __future__ import annotations

import email.parser
import email.policy
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from edge.errors import LinkDownError, ServerFailedError, SettingsError
from edge.zooscan.ecotaxa.address import checked_server
from edge.zooscan.ecotaxa.body import FormBody
from edge.zooscan.ecotaxa.link import Link
from edge.zooscan.ecotaxa.tools import StoppedError

MIB = 1024**2


@pytest.mark.parametrize(
    "address", ["https://ecotaxa.obs-vlfr.fr/api", "http://127.0.0.1:8000/api", "http://localhost/api", "http://[::1]:8/api"]
)
def test_https_and_the_machine_itself_are_talked_to(address: str) -> None:
    assert checked_server(f" {address}/ ") == address


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://ecotaxa.obs-vlfr.fr/api", "plain http"),
        ("http://localhost.evil.example/api", "plain http"),
        ("http://10.0.0.5/api", "plain http"),
        ("ecotaxa.obs-vlfr.fr/api", "no address"),
        ("ftp://ecotaxa.obs-vlfr.fr", "no address"),
        ("https://rita:secret@ecotaxa.obs-vlfr.fr", "no address"),
        ("https://", "no address"),
        ("https://host:99999/", "no address"),
        ("https://[::1/api", "no address"),
    ],
)
def test_other_servers_are_not(address: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        checked_server(address)


def test_plain_http_only_where_somebody_allowed_it() -> None:
    assert checked_server("http://10.0.0.5/api", plain_allowed=True) == "http://10.0.0.5/api"


def test_the_form_is_one_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / 'a "quoted" näme.zip'
    path.write_bytes(bytes(range(256)) * 1000)
    told: list[tuple[int, int]] = []
    body = FormBody(path, name="name.zip", fields={"path": "/folder/name.zip"}, sent=lambda out, of: told.append((out, of)))
    content = b"".join(body.pieces())
    assert len(content) == int(body.headers["Content-Length"])
    head = f"Content-Type: {body.headers['Content-Type']}\r\n\r\n".encode()
    text, file = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + content).iter_parts()
    assert (text.get_param("name", header="content-disposition"), text.get_content()) == ("path", "/folder/name.zip")
    assert (file.get_param("name", header="content-disposition"), file.get_filename()) == ("file", "name.zip")
    assert file.get_payload(decode=True) == path.read_bytes()
    assert told == [(131_072, 256_000), (256_000, 256_000)]


class _Sink(BaseHTTPRequestHandler):
    taken: ClassVar[list[int]] = []
    elsewhere: ClassVar[str] = ""
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        self.taken.append(left)
        while left > 0 and (piece := self.rfile.read(min(left, MIB))):
            left -= len(piece)
        self.send_response(307 if self.elsewhere and self.path == "/first" else 200)
        self.send_header("Location", self.elsewhere)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b'"ok"')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""


@contextmanager
def sink(context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    with sink() as server:
        link = Link(server, wait=lambda _: False)
        body = FormBody(path, name="large.zip", fields={"path": "/f/large.zip"}, sent=lambda out, of: None)
        tracemalloc.start()
        answer = link.send("/user_files/", token="t", body=body.pieces(), headers=body.headers)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        link.close()
    assert answer == "ok"
    assert peak_bytes < 8 * MIB


def test_a_sending_ends_where_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    path.write_bytes(bytes(4 * MIB))

    def stop(out: int, of: int) -> None:
        if out > MIB:
            raise StoppedError("it was cancelled")

    with sink() as server:
        link = Link(server, wait=lambda _: False)
        body = FormBody(path, name="large.zip", fields={}, sent=stop)
        with pytest.raises(StoppedError):
            link.send("/user_files/", token="t", body=body.pieces(), headers=body.headers)
        link.close()


def test_a_certificate_that_nobody_vouches_for_is_not_talked_to(tmp_path: Path) -> None:
    from edge.web.tls import own_certificate

    made = own_certificate(tmp_path, ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate_path, made.key_path)
    _Sink.taken.clear()
    with sink(context) as server:
        link = Link(server, wait=lambda _: False)
        with pytest.raises(LinkDownError, match=r"certificate of .* is not trusted"):
            link.ask("POST", "/login", body={"username": "rita", "password": "secret"})
        link.close()
    assert _Sink.taken == []


def test_a_password_does_not_follow_a_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    _Sink.taken.clear()
    with sink() as server:
        monkeypatch.setattr(_Sink, "elsewhere", f"{server}/second")
        link = Link(server, wait=lambda _: False)
        with pytest.raises(ServerFailedError, match="a redirect"):
            link.ask("POST", "/first", body={"username": "rita", "password": "secret"})
        link.close()
    assert len(_Sink.taken) == 1
