"""What a browser may do, and who may ask for changes."""

from __future__ import annotations

import socket

import httpx
import pytest

from edge.web.security import MAX_BODY_BYTES, POLICY
from tests.contract.conftest import Served

ADDRESSES = ("/", "/files", "/nothing", "/api/status", "/api/nothing", "/static/edge.css", "/static/nothing.css", "/healthz", "/metrics")


def test_every_answer_carries_the_headers(served: Served) -> None:
    for address in ADDRESSES:
        headers = served.client.get(address).headers
        assert headers["content-security-policy"] == POLICY, address
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"]


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8765", "", "[::2]"])
def test_a_foreign_host_name_is_refused(served: Served, host: str) -> None:
    answer = served.client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert answer.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765", "[::1]"])
def test_the_loopback_names_are_accepted(served: Served, host: str) -> None:
    assert served.client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize("address", ["/api/rescan", "/actions/rescan", "/actions/retry"])
def test_a_change_that_another_site_asks_for_is_refused(served: Served, address: str, headers: dict[str, str]) -> None:
    asked = len(served.appliance.asked)
    answer = served.client.post(address, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"
    assert len(served.appliance.asked) == asked


def test_our_own_page_and_programs_may_ask(served_anew: Served) -> None:
    own = str(served_anew.client.base_url).rstrip("/")
    for headers in ({}, {"origin": own}, {"origin": own, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert served_anew.client.post("/api/rescan", headers=headers).status_code == 202
    assert len(served_anew.appliance.asked) == 4


def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    answer = served.client.post("/api/files/retry", content=b"x" * (MAX_BODY_BYTES + 1), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_a_body_of_unknown_length_is_refused(served: Served) -> None:
    def chunks() -> object:
        yield b"{}"

    answer = served.client.post("/api/rescan", content=chunks())  # type: ignore[arg-type]  # a generator of bytes is sent in chunks
    assert answer.status_code == 411


def test_a_form_cannot_stand_in_for_json(served: Served) -> None:
    answer = served.client.post("/api/files/retry", content=b'{"all": true}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422


def test_the_viewers_that_load_from_a_cdn_are_off(served: Served) -> None:
    assert served.client.get("/docs").status_code == 404
    assert served.client.get("/redoc").status_code == 404


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"])
def test_static_files_stay_in_their_folder(served: Served, path: str) -> None:
    url = httpx.URL(str(served.client.base_url))
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(64).split(b" ")[1] in {b"404", b"400"}


def test_no_method_but_the_named_ones(served: Served) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert served.client.request(method, "/api/files/1").status_code == 405
