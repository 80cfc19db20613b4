"""Schemathesis over the descriptions of our three APIs: no failure of the server, and every answer is one that is described.

Few examples of each operation with a fixed seed, so that it stays cheap; what they found once is held by tests of its own at the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from annotator_bridge.deepaas.app import create_app as create_deepaas
from annotator_bridge.deepaas.models import ServedModels
from edge.settings import Settings
from tests.helpers.bridge import bridge, make_home
from tests.helpers.crew import Crew, serving_crew
from tests.helpers.fuzzed import fuzz
from tests.helpers.reviewable import make_reviewable
from tests.unit.tiny_models import classifier_onnx, make_tiny_pack

IDS = 4  # there are that few of anything in the survey of the tests
ENDLESS = "/api/events"  # ends with the page that listens
REASON = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
NUCLIO_FUNCTION = {
    "type": "object",
    "required": ["metadata", "spec", "status"],
    "properties": {
        "metadata": {
            "type": "object",
            "required": ["name", "annotations"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9_.-]+$"},
                "annotations": {
                    "type": "object",
                    "required": ["name", "type", "spec"],
                    "properties": {"type": {"enum": ["detector", "tracker", "interactor", "reid"]}},
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "spec": {"type": "object", "required": ["description"]},
        "status": {"type": "object", "required": ["state"], "properties": {"state": {"const": "ready"}}},
    },
}


def told(description: str, schema: Any = None) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema if schema is not None else {}}}}


def nuclio_description(functions: list[str]) -> dict[str, Any]:
    """The requests that CVAT makes (domain/cvat.md a), as OpenAPI: nobody publishes one."""
    failures = {str(status): told("refused", {"type": "object", "required": ["error"]}) for status in (400, 404, 413, 500, 503, 504)}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[a-zA-Z0-9_.-]+$"}}
    by_name = {"name": "x-nuclio-function-name", "in": "header", "required": True, "schema": {"enum": [*functions, "nowhere"]}}
    numbers = {"type": "array", "items": {"type": "number"}, "maxItems": 6}
    call = {
        "type": "object",
        "properties": {
            "image": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
            "threshold": {"type": "number"},
            "shapes": {"type": "array", "items": {"anyOf": [numbers, {"type": "null"}, {"type": "object"}]}, "maxItems": 3},
            "states": {"type": "array", "items": {"anyOf": [{"type": "null"}, {"type": "object"}]}, "maxItems": 3},
            "pos_points": {"type": "array", "items": numbers, "maxItems": 3},
            "boxes0": {"type": "array", "items": {"type": "object"}, "maxItems": 3},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Nuclio's dashboard as CVAT calls it", "version": "2.15"},
        "paths": {
            "/api/functions": {
                "get": {"responses": {"200": told("functions", {"type": "object", "additionalProperties": NUCLIO_FUNCTION})}}
            },
            "/api/functions/{name}": {"get": {"parameters": [name], "responses": {"200": told("one", NUCLIO_FUNCTION), **failures}}},
            "/api/function_invocations": {
                "post": {
                    "parameters": [by_name],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": call}}},
                    "responses": {"200": told("an answer"), **failures},
                }
            },
        },
    }


@contextmanager
def served(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", timeout_graceful_shutdown=3))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    with serving_crew(tmp_path_factory.mktemp("fuzzed") / "home") as crew:
        make_reviewable(crew.appliance)
        yield crew


@pytest.fixture(scope="module")
def anna(crew: Crew) -> Iterator[httpx.Client]:
    """An administrator who signed in before anybody tried wrong passwords, of which there will be many."""
    with crew.browser("anna") as anna:
        yield anna


@pytest.fixture(scope="module")
def description(anna: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = anna.get("/api/openapi.json").json()
    return document


def headers_of(browser: httpx.Client) -> dict[str, str]:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return {"cookie": cookies, "x-csrf-token": browser.headers["x-csrf-token"]}


def near(case: Any) -> None:
    """Half of the ids are of things that there are; the others are whatever was drawn."""
    for name, value in (case.path_parameters or {}).items():
        if isinstance(value, int) and value % 2:
            case.path_parameters[name] = value % IDS


def test_the_appliance_answers_an_administrator_as_it_describes(anna: httpx.Client, description: dict[str, Any]) -> None:
    leave_out = (ENDLESS, "/api/sign-out")
    url = str(anna.base_url).rstrip("/")
    found = fuzz(description, url, examples=6, headers=headers_of(anna), leave_out=leave_out, change=near)
    assert found.faults == {}
    assert anna.get("/api/me").json()["name"] == "anna"  # she was signed in all the time
    assert found.operations > 150
    assert found.statuses[200] > 150  # much of it reached what it asks for


def test_the_appliance_lets_nobody_in_and_says_so(crew: Crew, anna: httpx.Client, description: dict[str, Any]) -> None:
    before = crew.asked()
    found = fuzz(description, str(anna.base_url).rstrip("/"), examples=2, leave_out=(ENDLESS,), change=near)
    faults = {label: fault for label, fault in found.faults.items() if "Undocumented status code\n\nReceived: 401" not in fault}
    assert faults == {}  # 401 is described once for all, in docs/api.md
    assert set(found.statuses) <= {200, 401, 403, 422, 429}
    assert found.statuses[401] + found.statuses.get(403, 0) > 200
    assert crew.asked() == before  # nothing was done for nobody


def test_the_models_for_cvat_answer_as_cvat_reads_them(tmp_path: Path) -> None:
    with bridge(make_home(tmp_path / "home")) as listener:
        functions = list(httpx.get(f"{listener.url}/api/functions", trust_env=False).json())
        found = fuzz(nuclio_description(functions), listener.url, examples=15)
    assert found.faults == {}
    assert found.operations == 3
    assert found.statuses[400] > 5  # calls of functions that there are


def test_deepaas_routes_answer_as_their_swagger_document_says(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    make_tiny_pack(packs / "tiny" / "1.0.0", name="tiny", version="1.0.0", ir=False)
    flat = {"width_px": 64, "height_px": 64, "fit": "stretch"}
    scores = {"score": [0.0, 0.0, 0.0]}
    classes: dict[str, Any] = {"task": "classify", "head": "classify", "expected": scores, "input": flat}
    make_tiny_pack(packs / "classes" / "1.0.0", name="classes", version="1.0.0", ir=False, onnx=classifier_onnx(), **classes)
    app = create_deepaas(ServedModels(tmp_path, threads=1), Settings(), allowed_hosts=("127.0.0.1",), threads=1)
    with served(app) as url:
        document = httpx.get(f"{url}/swagger.json", trust_env=False).json()
        found = fuzz(document, url, examples=6)
    assert found.faults == {}
    assert found.operations > 20
    assert {200, 204, 402, 422} <= set(found.statuses)


# What was found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/survey-tables", {"survey": "x", "format": "mi-analysis", "path": "a\0b"}),
        ("/api/tows/1/tracks", {"path": "a\0b", "source": "usbl"}),
    ],
)
def test_a_path_with_a_nul_in_it_is_refused(anna: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = anna.post(path, json=body)
    assert (answer.status_code, answer.json()["message"]) == (409, "a path with a NUL in it is none")


@pytest.mark.parametrize("path", ["/api/ecotaxa/login", "/api/annotate/login"])
def test_half_of_a_surrogate_pair_is_no_password(anna: httpx.Client, path: str) -> None:
    body = b'{"username": "jd", "password": "\\ud800"}'
    answer = anna.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "surrogate" in answer.text
