"""Signing in on the pages, and everything that must end a sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge.store.backup import BackupKind, make_backup
from edge.store.reads.people import sign_ins
from edge.store.restore import restore
from edge.web.app import create_app
from edge.web.callers import Entrance
from edge.web.routes.sign_in import local_path
from tests.contract.test_pages import Outline
from tests.helpers.crew import COOKIE, Crew, as_if_from, serving_crew, serving_nobody, sign_in
from tests.helpers.people import PASSWORD, make_people
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    with serving_crew(tmp_path / "home") as crew:
        yield crew


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Crew]:
    with serving_nobody(tmp_path / "home") as crew:
        yield crew


# Open until there is an account


def test_without_accounts_this_machine_works_as_before(empty: Crew) -> None:
    for address in ("/", "/files", "/api/status", "/api/files", "/healthz", "/metrics", "/api/me", "/audit", "/people"):
        assert empty.client.get(address).status_code == 200, address
    assert empty.client.post("/api/rescan").status_code == 202
    assert empty.client.post("/actions/rescan", data={"back": "/"}).status_code == 303
    page = empty.client.get("/").text
    assert 'href="/sign-in"' in page
    assert "csrf" not in page
    assert empty.client.get("/account").headers["location"] == "/sign-in?next=%2Faccount"


def test_the_first_administrator_is_made_on_the_page_and_closes_the_door(empty: Crew) -> None:
    stranger = httpx.Client(base_url=empty.client.base_url, trust_env=False)
    fields = {"name": "anna", "full_name": "Anna B.", "password": PASSWORD, "password_again": PASSWORD}
    assert "The first administrator" in empty.client.get("/sign-in").text
    for wrong in ({"password": "short", "password_again": "short"}, {"password_again": "another"}, {"name": "a b"}):
        answer = empty.client.post("/actions/people/first", data={**fields, **wrong})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    made = empty.client.post("/actions/people/first", data=fields)
    assert made.headers["location"] == "/people?notice=first_account"
    assert "Anna B." in empty.client.get("/people").text
    assert stranger.get("/").status_code == 303
    assert stranger.get("/api/status").status_code == 401
    again = stranger.post("/actions/people/first", data={**fields, "name": "eve"})
    assert again.status_code == 422
    assert "There are accounts already" in again.text
    assert empty.client.get("/api/me").json()["name"] == "anna"
    stranger.close()


def test_the_first_administrator_is_not_made_from_the_ships_network(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    fields = {"name": "eve", "password": PASSWORD, "password_again": PASSWORD}

    async def attempt(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/actions/people/first", data=fields)

    for entrance, address in ((Entrance(), "192.168.7.9"), (Entrance(is_loopback=False, is_tls=True), "127.0.0.1")):
        assert as_if_from(create_app(appliance, entrance=entrance), address, attempt).status_code == 403
        assert not appliance.people.has_accounts()
    appliance.close()


def test_without_accounts_nobody_on_the_ships_network_gets_in(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")

    async def attempts(client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).status_code == 303
        assert (await client.get("/api/status")).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.post("/api/rescan")).status_code == 401
        assert "imagine-edge people add" in (await client.get("/sign-in")).text

    as_if_from(create_app(appliance, entrance=Entrance(is_loopback=False, is_tls=True)), "192.168.7.9", attempts)
    appliance.close()


# In and out


def test_in_by_the_form_and_on_to_where_one_wanted(crew: Crew) -> None:
    asked = crew.client.get("/files?state=done&q=a%26b")
    assert asked.status_code == 303
    form = crew.client.get(asked.headers["location"])
    outline = Outline(form.text)
    assert (outline.faults, outline.headings) == ([], 1)
    wanted = re.search(r'name="next" value="([^"]*)"', form.text)
    assert wanted is not None
    answer = sign_in(crew.client, next=wanted.group(1).replace("&amp;", "&"))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/files?state=done&q=a%26b"
    page = crew.client.get("/files")
    assert page.status_code == 200
    assert "jd</a>" in page.text
    assert crew.client.get("/sign-in").headers["location"] == "/"


def test_the_cookie_is_for_this_site_and_no_script(crew: Crew) -> None:
    cookie = sign_in(crew.client).headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/"):
        assert part in cookie
    for part in ("domain", "expires", "max-age", "secure"):
        assert part not in cookie


def test_under_tls_the_cookie_is_the_hosts_own(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_people(appliance)

    async def attempts(client: httpx.AsyncClient) -> None:
        form = (await client.get("/sign-in")).text
        assert "imagine-edge people fingerprint" in form
        assert "AB:CD" not in form, "whoever stood between would show his own"
        cookie = (await client.post("/actions/sign-in", data={"name": "jd", "password": PASSWORD})).headers["set-cookie"]
        assert cookie.startswith("__Host-edge-sign-in=")
        assert "secure" in cookie.lower()
        assert (await client.get("/files")).status_code == 200
        client.cookies.clear()
        by_another_host = {"cookie": f"{COOKIE}={cookie.split('=', 1)[1].split(';')[0]}"}
        assert (await client.get("/api/me", headers=by_another_host)).status_code == 401

    as_if_from(create_app(appliance, entrance=Entrance(is_loopback=False, is_tls=True, fingerprint="AB:CD")), "192.168.7.9", attempts)
    appliance.close()


@pytest.mark.parametrize(("name", "password"), [("jd", "wrong"), ("nobody-here", PASSWORD), ("", ""), ("jd", ""), ("jd\n", "x" * 2000)])
def test_a_refusal_tells_neither_which_is_wrong_nor_anything_of_the_appliance(crew: Crew, name: str, password: str) -> None:
    answer = sign_in(crew.client, name, password)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "the name or the password is wrong" in answer.text.lower()
    assert "quarantined" not in answer.text
    assert 'href="/files"' not in answer.text


def test_a_lock_out_is_told_plainly(crew: Crew) -> None:
    for _ in range(5):
        answer = sign_in(crew.client, password="wrong")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"
    assert "30 s" in answer.text
    told = crew.client.post("/api/sign-in", json={"name": "jd", "password": PASSWORD})
    assert told.status_code == 429
    assert told.json()["code"] == "locked_out"
    assert int(told.headers["retry-after"]) <= 30
    crew.appliance.people.unlock(crew.ids["jd"], actor="test")
    assert sign_in(crew.client).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "evil",
        "/a\r\nb",
        "/\t/evil.example",
        "/sign-in",
    ],
)
def test_nobody_is_led_elsewhere(crew: Crew, wanted: str) -> None:
    assert local_path(wanted) == "/"
    assert sign_in(crew.client, next=wanted).headers["location"] == "/"


# Sign-ins that must not work


def test_a_cookie_that_somebody_planted_is_never_taken(crew: Crew) -> None:
    planted = "a" * 43
    crew.client.cookies.set(COOKIE, planted)
    assert crew.client.get("/api/me").status_code == 401
    answer = sign_in(crew.client)
    assert planted not in answer.headers["set-cookie"]
    assert httpx.get(f"{crew.client.base_url}/api/me", headers={"cookie": f"{COOKIE}={planted}"}, trust_env=False).status_code == 401


def test_a_stolen_cookie_ends_with_the_sign_in(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        stolen = jd.cookies[COOKIE]
        thief = httpx.Client(base_url=jd.base_url, cookies={COOKIE: stolen}, trust_env=False)
        assert thief.get("/api/me").json()["name"] == "jd"
        out = jd.post("/actions/sign-out")
        assert out.headers["location"] == "/sign-in?notice=signed_out"
        assert 'edge-sign-in=""' in out.headers["set-cookie"]
        assert thief.get("/api/me").status_code == 401
        assert thief.get("/").status_code == 303
        thief.close()


def test_out_everywhere(crew: Crew) -> None:
    with crew.browser("jd") as here, crew.browser("jd") as there, crew.browser("cl") as other:
        assert here.post("/actions/sign-out/everywhere").status_code == 303
        assert there.get("/api/me").status_code == 401
        assert other.get("/api/me").status_code == 200


def test_signing_in_again_in_the_same_browser_ends_the_sign_in_before(crew: Crew) -> None:
    sign_in(crew.client)
    first = crew.client.cookies[COOKIE]
    crew.client.post("/actions/sign-in", data={"name": "cl", "password": PASSWORD})
    assert crew.client.get("/api/me").json()["name"] == "cl"
    assert httpx.get(f"{crew.client.base_url}/api/me", headers={"cookie": f"{COOKIE}={first}"}, trust_env=False).status_code == 401


def test_retiring_holds_at_once(crew: Crew) -> None:
    with crew.browser("jd") as jd, crew.browser("anna") as anna:
        assert anna.post(f"/actions/people/{crew.ids['jd']}/retire").status_code == 303
        assert jd.get("/api/status").status_code == 401
        assert sign_in(crew.client).status_code == 401


def test_a_lowered_role_holds_at_once(crew: Crew) -> None:
    with crew.browser("rita") as rita, crew.browser("anna") as anna:
        assert rita.post("/api/pause").status_code == 200
        assert anna.post(f"/api/people/{'rita'}/role", json={"role": "view"}).json()["person"]["role"] == "view"
        refused = rita.post("/api/pause")
        assert refused.status_code == 403
        assert refused.json()["code"] == "role_needed"
        assert "/actions/pause" not in rita.get("/").text


def test_a_restored_database_brings_no_sign_in_back(crew: Crew) -> None:
    home = crew.appliance.home
    with crew.browser("jd") as early:
        backup, stolen = make_backup(home, BackupKind.MANUAL), early.cookies[COOKIE]
        with crew.browser("jd") as late:
            early.post("/actions/sign-out")
            crew.appliance.writer.close()
            restore(home, backup.path)
            crew.appliance.forget_readers()
            assert early.get("/api/me", headers={"cookie": f"{COOKIE}={stolen}"}).status_code == 401, "it had been signed out"
            assert late.get("/api/me").status_code == 401, "signed in after the backup was made"
    with crew.appliance.reader() as connection:
        assert all(row.ended_utc for row in sign_ins(connection, crew.ids["jd"]))
    crew.appliance.reopen()
    assert sign_in(crew.client).status_code == 303
