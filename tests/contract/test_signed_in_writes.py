"""What a signed-in browser, or a program of the machine, sends: tokens for writes, streams, idle time."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.web.app import create_app
from edge.web.callers import Entrance
from tests.helpers.crew import Crew, as_if_from, csrf_in, serving_crew, sign_in
from tests.helpers.people import PASSWORD, make_people
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    with serving_crew(tmp_path / "home") as crew:
        yield crew


# Writes


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
def test_another_site_changes_nothing_though_the_cookie_is_sent(crew: Crew, headers: dict[str, str]) -> None:
    with crew.browser("jd") as jd:
        before = crew.asked()
        assert jd.post("/api/rescan", headers=headers).status_code == 403
        assert crew.asked() == before


def test_a_write_needs_the_pages_token(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        token = jd.headers.pop("x-csrf-token")
        before = crew.asked()
        attempts: list[dict[str, Any]] = [
            {},
            {"data": {"back": "/"}},
            {"data": {"csrf": ""}},
            {"data": {"csrf": "0" * 64}},
            {"data": {"csrf": "ü"}},
            {"headers": {"x-csrf-token": token[:-1]}},
            {"params": {"csrf": token}},
            {"content": f"csrf={token}", "headers": {"content-type": "text/plain"}},
            {"json": {"csrf": token}},
        ]
        for attempt in attempts:
            answer = jd.post("/actions/rescan", **attempt)
            assert answer.status_code == 403, attempt
            assert "load the page again" in answer.text
        assert jd.post("/api/rescan").json()["code"] == "csrf_refused"
        assert crew.asked() == before
        assert jd.post("/actions/rescan", data={"csrf": token, "back": "/"}).status_code == 303
        assert jd.post("/api/rescan", headers={"x-csrf-token": token}).status_code == 202
        assert crew.asked() == before + 2


def test_every_form_and_every_page_carries_the_token(crew: Crew) -> None:
    with crew.browser("anna") as anna:
        token = anna.headers["x-csrf-token"]
        for page in ("/", "/files", "/failures", "/models", "/people", f"/people/{crew.ids['jd']}", "/account", "/files/1", "/surveys"):
            answer = anna.get(page)
            assert csrf_in(answer) == token
            forms = re.findall(r'<form [^>]*method="post"[^>]*>(.{0,60})', answer.text)
            assert forms, page
            assert all(form.startswith('<input type="hidden" name="csrf"') for form in forms), page


def test_the_token_of_one_is_not_anothers(crew: Crew) -> None:
    """Two tabs of one browser: somebody else signs in in the other one, and the first one's form must not act in their name."""
    sign_in(crew.client)
    token = csrf_in(crew.client.get("/"))
    crew.client.post("/actions/sign-in", data={"name": "cl", "password": PASSWORD})
    answer = crew.client.post("/actions/rescan", data={"csrf": token})
    assert answer.status_code == 403
    assert "somebody else signed in" in answer.text


def test_what_was_typed_can_still_be_sent_after_signing_in_again(crew: Crew) -> None:
    """Two tabs of one browser: the sign-in ended, and the same person signs in in the other one."""
    sign_in(crew.client)
    token = csrf_in(crew.client.get("/"))
    crew.appliance.people.sign_out_everywhere(crew.ids["jd"], actor="test")
    typed = crew.client.post("/actions/rescan", data={"csrf": token})
    assert typed.status_code == 401
    sign_in(crew.client)
    assert crew.client.post("/actions/rescan", data={"csrf": token, "back": "/"}).status_code == 303


def test_a_large_form_arrives_whole(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        token = jd.headers.pop("x-csrf-token")
        jd.post("/actions/retry", data={"csrf": token, "file": [str(number) for number in range(1, 9000)], "back": "/files"})
        assert len(crew.appliance.asked[-1][1]) == 8999


def test_the_actor_is_the_person(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        jd.post("/api/rescan")
    assert crew.appliance.asked[-1] == ("rescan", "jd 127.0.0.1")


# Programs of this machine


def test_the_command_lines_token_administers_and_no_other_does(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_people(appliance)

    async def attempts(client: httpx.AsyncClient) -> None:
        good = {"authorization": "Bearer t0ken"}
        assert (await client.get("/api/me", headers=good)).json()["name"] == "cli"
        assert (await client.post("/api/rescan", headers=good)).status_code == 202
        assert appliance.asked[-1] == ("rescan", "cli")
        assert (await client.get("/api/people", headers=good)).status_code == 200
        assert (await client.get("/account", headers=good)).status_code == 403, "it is no person"
        for wrong in (b"Bearer t0kem", b"Bearer ", b"Bearer", b"Basic t0ken", "Bearer tökén".encode()):
            assert (await client.get("/api/me", headers=[(b"authorization", wrong)])).status_code == 401

    async def no_token(client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/me", headers={"authorization": "Bearer "})).status_code == 401, "no token is no key"

    as_if_from(create_app(appliance, entrance=Entrance(local_token="t0ken")), "127.0.0.1", attempts)
    as_if_from(create_app(appliance), "127.0.0.1", no_token)
    appliance.close()


# Streams, idle time, and pages that must not wait


def test_the_stream_of_whoever_is_signed_out_ends(crew: Crew) -> None:
    with crew.browser("jd") as jd, jd.stream("GET", "/api/events", timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        assert any(line.startswith("event: change") for line in lines)
        crew.appliance.people.sign_out_everywhere(crew.ids["jd"], actor="test")
        crew.appliance.touch()
        assert [line for line in lines if line.startswith("event:")] == []
    assert crew.client.get("/api/events").status_code == 401


def test_the_stream_goes_on_for_the_others(crew: Crew) -> None:
    with crew.browser("cl") as cl, cl.stream("GET", "/api/events", timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        crew.appliance.people.sign_out_everywhere(crew.ids["jd"], actor="test")
        for _ in range(2):
            crew.appliance.touch()
            assert any(line.startswith("event: change") for line in lines)


def test_only_what_a_person_does_keeps_a_sign_in_alive(crew: Crew) -> None:
    desk = crew.appliance.people
    seen: list[str] = []
    desk.saw = lambda signed_in: seen.append(signed_in.person.name)  # type: ignore[method-assign]
    with crew.browser("jd") as jd:
        jd.get("/", headers={"x-live": "1"})
        jd.get("/api/files/1/thumbnail", headers={"sec-fetch-dest": "image"})
        assert seen == []
        jd.get("/")
        jd.get("/api/status", headers={"sec-fetch-dest": "empty"})
        jd.post("/api/rescan")
        assert seen == ["jd"] * 3


def test_an_idle_sign_in_ends_on_the_pages_too(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        now = crew.appliance.people._now()
        crew.appliance.people._now = lambda: now + timedelta(hours=3)
        assert jd.get("/").status_code == 303


def test_no_page_waits_for_passwords_to_be_compared(crew: Crew) -> None:
    """However many try to sign in at once, whoever works is not held up, and who comes too late is told so."""
    desk, go_on, begun = crew.appliance.people, threading.Event(), threading.Semaphore(0)
    real = desk.sign_in

    def slow(*words: Any, **named: Any) -> Any:
        begun.release()
        go_on.wait(60)
        return real(*words, **named)

    with crew.browser("jd") as jd:
        desk.sign_in = slow  # type: ignore[method-assign]
        statuses: list[int] = []

        def attempt() -> None:
            with httpx.Client(base_url=crew.client.base_url, timeout=60, trust_env=False) as one:
                statuses.append(one.post("/api/sign-in", json={"name": "vera", "password": PASSWORD}).status_code)

        threads = [threading.Thread(target=attempt) for _ in range(60)]
        for thread in threads:
            thread.start()
        begun.acquire(timeout=60)
        for _ in range(5):
            assert jd.get("/files").status_code == 200
            assert jd.get("/healthz").status_code == 200
        while statuses.count(503) < 20:
            assert jd.get("/healthz").status_code == 200
        go_on.set()
        for thread in threads:
            thread.join()
        assert sorted(set(statuses)) == [200, 503]
        assert statuses.count(503) == 20


def test_a_database_that_does_not_answer_opens_nothing(crew: Crew) -> None:
    with crew.browser("jd") as jd:
        database = crew.appliance.home / "edge.db"
        database.rename(database.with_suffix(".away"))
        crew.appliance.forget_readers()
        for client in (jd, crew.client):
            answer = client.get("/api/status")
            assert answer.status_code == 503
            assert answer.json()["code"] == "store_failed"
        assert crew.client.get("/static/edge.css").status_code == 200
        database.with_suffix(".away").rename(database)
        assert jd.get("/api/status").status_code == 200
