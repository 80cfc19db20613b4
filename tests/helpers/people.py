"""People with accounts, and browsers that are signed in.

make_people(appliance)
with serving(appliance) as client, browser(client, "jd") as jd:
    jd.get("/people")     # 403
    jd.post("/api/rescan")   # carries the page's token
"""

from __future__ import annotations

from typing import Any

import httpx

from edge.survey.people import Role
from tests.helpers.plain import NO_TLS
from tests.simulators.appliance import SimulatedAppliance

PASSWORD = "a long enough password"
PEOPLE = {"anna": Role.ADMINISTER, "rita": Role.REVIEW, "jd": Role.COUNT, "cl": Role.COUNT, "vera": Role.VIEW}


def make_people(appliance: SimulatedAppliance) -> dict[str, int]:
    """One of each role, and a second counter. Returns their ids."""
    return {name: appliance.people.add(name, role, PASSWORD, full_name=name.title(), actor="test") for name, role in PEOPLE.items()}


def browser(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Client:
    """A browser of its own that is signed in; its writes carry the page's token."""
    plain: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": NO_TLS}
    answer = httpx.post(f"{client.base_url}/api/sign-in", json={"name": name, "password": password}, **plain)
    assert answer.status_code == 200, answer.text
    token = answer.json()["csrf_token"]
    return httpx.Client(base_url=client.base_url, cookies=answer.cookies, headers={"x-csrf-token": token}, **plain)
