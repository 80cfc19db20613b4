"""Who may call what: the table against every route, every role and every trick with an address."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from edge.survey.people import Role
from edge.web import access
from edge.web.access import LOCAL, OPEN, RULES, need_of
from edge.web.app import ROUTERS, create_app
from tests.helpers.people import PEOPLE, browser, make_people
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

BROWSERS = {Role.VIEW: "vera", Role.COUNT: "jd", Role.REVIEW: "rita", Role.ADMINISTER: "anna"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A served appliance with accounts, a browser for each role, and one of nobody."""

    appliance: SimulatedAppliance
    nobody: httpx.Client
    by_role: dict[Role, httpx.Client]


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    appliance = SimulatedAppliance(tmp_path_factory.mktemp("crew") / "home")
    make_survey(appliance)
    make_people(appliance)
    with serving(appliance) as client:
        browsers = {role: browser(client, name) for role, name in BROWSERS.items()}
        yield Crew(appliance=appliance, nobody=client, by_role=browsers)
        for one in browsers.values():
            one.close()
        appliance.close()


def lines_of(app: FastAPI) -> list[str]:
    """A line for each method and address that the application answers."""
    lines = []
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, Route), route
            lines += [f"{method} {route.path}" for method in sorted(route.methods or ()) if method not in {"HEAD", "OPTIONS"}]
    ours = {id(route) for router in ROUTERS for route in router.routes}
    for route in app.router.routes:
        if id(route) in ours:
            continue
        if isinstance(route, Mount):
            lines.append(f"GET {route.path}/{{path:path}}")
        elif isinstance(route, Route):
            lines += [f"{method} {route.path}" for method in sorted(route.methods or ()) if method not in {"HEAD", "OPTIONS"}]
    return lines


def filled(line: str) -> tuple[str, str]:
    """A request that fits a line."""
    method, _, path = line.partition(" ")
    return method, re.sub(r"\{\w+(:\w+)?\}", "1", path)


def test_exactly_one_line_stands_for_each_route(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    app = create_app(appliance)
    lines = lines_of(app)
    appliance.close()
    assert len(lines) > 60, "the walk no longer finds the routes"
    assert len(app.router.routes) == sum(len(router.routes) for router in ROUTERS) + 2, (
        "a route that is in no router: the walk must see it too"
    )
    assert sorted(set(lines)) == sorted(lines)
    assert sorted(set(lines) - set(RULES)) == [], "routes without a line in edge/web/access.py"
    assert sorted(set(RULES) - set(lines)) == [], "lines in edge/web/access.py without a route"


@pytest.mark.parametrize("line", RULES)
def test_a_line_means_what_it_says(line: str) -> None:
    """No other line makes a route stricter than its own says."""
    assert need_of(*filled(line)) == RULES[line]


def test_of_several_lines_that_fit_the_strictest_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edge.web.access.RULES", {"GET /a/{x}": Role.VIEW, "GET /a/new": Role.REVIEW, "GET /{x}/{y}": OPEN, "GET /b": LOCAL}
    )
    access._patterns.cache_clear()
    try:
        assert [need_of("GET", path) for path in ("/a/1", "/a/new", "/c/d", "/b", "/c", "/a/1/")] == [
            Role.VIEW,
            Role.REVIEW,
            OPEN,
            LOCAL,
            None,
            None,
        ]
        assert need_of("HEAD", "/a/new") is Role.REVIEW
        assert need_of("POST", "/a/new") is None
    finally:
        access._patterns.cache_clear()


def test_only_what_signing_in_needs_is_open() -> None:
    assert {line for line, need in RULES.items() if need is OPEN} == {
        "GET /static/{path:path}",
        "GET /healthz",
        "GET /sign-in",
        "POST /actions/sign-in",
        "POST /api/sign-in",
        "POST /actions/people/first",
    }
    assert {line for line, need in RULES.items() if need is LOCAL} == {"GET /metrics"}


def test_nothing_is_changed_by_looking() -> None:
    writes = [line for line in RULES if not line.startswith("GET ")]
    assert all(line.startswith("POST ") for line in writes)
    assert all(RULES[line] is not Role.VIEW or "/account/" in line or "sign-out" in line for line in writes)


@pytest.mark.parametrize("line", [line for line, need in RULES.items() if isinstance(need, Role)])
def test_nobody_gets_nothing(crew: Crew, line: str) -> None:
    method, path = filled(line)
    answer = crew.nobody.request(method, path)
    if method == "GET" and not path.startswith("/api/"):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    else:
        assert answer.status_code == 401
        assert "You are signed out" in answer.text
    if path.startswith("/api/"):
        assert set(answer.json()) == {"code", "message", "advice"}


@pytest.mark.parametrize("line", [line for line, need in RULES.items() if isinstance(need, Role) and need is not Role.VIEW])
def test_a_lower_role_is_told_which_it_needs(crew: Crew, line: str) -> None:
    method, path = filled(line)
    need = RULES[line]
    assert isinstance(need, Role)
    for role, client in crew.by_role.items():
        if not role.includes(need):
            answer = client.request(method, path)
            assert answer.status_code == 403, (role, answer.text)
            assert f"the role {need}" in answer.text


@pytest.mark.parametrize("line", [line for line, need in RULES.items() if line.startswith("GET ") and need is not OPEN])
def test_whoever_may_gets_past_the_door(crew: Crew, line: str) -> None:
    if line == "GET /api/events":
        return  # endless; it has a test of its own
    method, path = filled(line)
    need = RULES[line]
    for role, client in crew.by_role.items():
        if not isinstance(need, Role) or role.includes(need):
            assert client.request(method, path).status_code not in {401, 403, 405, 500}, (role, path)


TRICKS = (
    "//people",
    "/people/",
    "/People",
    "/PEOPLE",
    "/%70eople",
    "/people%2f",
    "/people%00",
    "/people;x=1",
    "/./people",
    "/static/../people",
    "/static/..%2fpeople",
    "/static/%2e%2e/people",
    "/sign-in/../people",
    "/sign-in%2f..%2fpeople",
    "/healthz/../people",
    "/api/../people",
    "/api//people",
    "/api/people/",
    "/api/people?x=/healthz",
    "/api/people#/static/",
    "http://127.0.0.1/people",
)


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "get", "TRACE"])
def test_no_spelling_of_an_address_gets_around_the_table(crew: Crew, method: str, path: str) -> None:
    url = httpx.URL(str(crew.nobody.base_url))
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    status = int(answer.split(b" ")[1])
    assert status in {303, 307, 400, 401, 403, 404, 405}, answer[:300]
    assert b"full_name" not in answer
    assert b"Vera" not in answer
    assert b"rita" not in answer


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_need_a_sign_in_too(crew: Crew, method: str) -> None:
    assert crew.nobody.request(method, "/api/people").status_code in {303, 401}
    assert crew.by_role[Role.VIEW].request(method, "/api/people").status_code in {403, 404, 405}


def test_what_is_not_there_is_told_to_those_who_are_signed_in_only(crew: Crew) -> None:
    assert crew.nobody.get("/api/nothing").status_code == 401
    assert crew.nobody.get("/nothing").headers["location"] == "/sign-in?next=%2Fnothing"
    for client in crew.by_role.values():
        assert client.get("/api/nothing").status_code == 404
        assert client.get("/nothing").status_code == 404


def test_a_route_that_was_forgotten_is_for_administrators(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.web.guard.need_of", lambda method, path: None)
    for role, client in crew.by_role.items():
        for method, path in (("GET", "/api/status"), ("GET", "/files"), ("GET", "/healthz"), ("POST", "/api/rescan")):
            assert client.request(method, path).status_code in ({200, 202} if role is Role.ADMINISTER else {404}), (role, path)
    assert crew.nobody.get("/healthz").status_code == 401


def test_a_page_offers_only_what_one_may_do(crew: Crew) -> None:
    pages = ("/", "/files", "/failures", "/files/1", "/files/7", "/health", "/models", "/models/openings/1.0.0", "/account")
    for role, client in crew.by_role.items():
        for page in pages:
            text = client.get(page).text
            for method, target in re.findall(r'<form method="(post)" action="([^"]+)"', text) + re.findall(r'form(a)ction="([^"]+)"', text):
                need = need_of("POST", target)
                assert isinstance(need, Role), (page, method, target)
                assert role.includes(need), (role, page, target)
            for link in re.findall(r'href="(/[^"?#]*)', text):
                linked = need_of("GET", link)
                assert linked is None or not isinstance(linked, Role) or role.includes(linked), (role, page, link)


def test_an_administrator_is_offered_everything(crew: Crew) -> None:
    text = "".join(crew.by_role[Role.ADMINISTER].get(page).text for page in ("/", "/files", "/failures", "/models"))
    for target in ("retry", "reprocess", "rescan", "pause", "models/install"):
        assert f"/actions/{target}" in text
    assert 'href="/people"' in text
    assert 'href="/audit"' in text


def test_every_role_is_tried() -> None:
    assert set(BROWSERS) == set(Role) == set(PEOPLE.values())


def test_figures_for_the_ships_network_need_a_sign_in_from_elsewhere(crew: Crew) -> None:
    assert crew.nobody.get("/metrics").status_code == 200, "from this machine"
    from edge.web.callers import is_local

    assert is_local({"client": ("127.0.0.1", 1)})
    assert is_local({"client": ("::1", 1)})
    assert not any(is_local({"client": client}) for client in (("192.168.7.2", 1), ("fe80::1", 1), None, ("testclient", 1)))
