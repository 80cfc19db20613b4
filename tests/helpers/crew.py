"""A served appliance whose crew has accounts, and ways to sign in to it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import httpx
from fastapi import FastAPI

from tests.helpers.people import PASSWORD, browser, make_people
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

COOKIE = "edge-sign-in"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A served appliance with accounts, and a browser of nobody."""

    appliance: SimulatedAppliance
    ids: dict[str, int]
    client: httpx.Client

    def browser(self, name: str) -> httpx.Client:
        return browser(self.client, name)

    def asked(self) -> int:
        return len(self.appliance.asked)


@contextmanager
def serving_crew(home: Path) -> Iterator[Crew]:
    """An appliance with a survey and one account of each role."""
    appliance = SimulatedAppliance(home)
    make_survey(appliance)
    ids = make_people(appliance)
    with serving(appliance) as client:
        yield Crew(appliance=appliance, ids=ids, client=client)
        appliance.close()


@contextmanager
def serving_nobody(home: Path) -> Iterator[Crew]:
    """An appliance without any account."""
    appliance = SimulatedAppliance(home)
    with serving(appliance) as client:
        yield Crew(appliance=appliance, ids={}, client=client)
        appliance.close()


def as_if_from(app: FastAPI, address: str, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Call the application as a browser at an address would."""

    async def call() -> T:
        transport = httpx.ASGITransport(app, client=(address, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost") as client:
            return await work(client)

    return anyio.run(call)


def sign_in(client: httpx.Client, name: str = "jd", password: str = PASSWORD, **fields: str) -> httpx.Response:
    return client.post("/actions/sign-in", data={"name": name, "password": password, **fields})


def csrf_in(page: httpx.Response) -> str:
    found = re.search(r'<meta name="csrf-token" content="([0-9a-f]{64})">', page.text)
    assert found is not None, page.text[:500]
    return found.group(1)
