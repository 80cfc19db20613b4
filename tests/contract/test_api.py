"""The JSON API over a real server and a real database."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.web.app import create_app
from tests.contract.conftest import Served
from tests.helpers.web import HOSTILE_NAMES


def problem(answer: httpx.Response, status: int) -> dict[str, str]:
    body: dict[str, str] = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"code", "message", "advice"}
    assert all(body.values())
    return body


def test_status_tells_what_is_happening(served: Served) -> None:
    body = served.client.get("/api/status").json()
    assert body["live"]["phase"] == "watching"
    assert body["totals"] == {
        "recipe": "",
        "seen": 1,
        "queued": 1,
        "leased": 0,
        "done": 5,
        "quarantined": 1 + len(HOSTILE_NAMES),
        "objects": 8,
        "sealed": 0,
    }
    assert body["open_issues"] == {"error": 1}


def test_files_are_listed_newest_first_and_paged_by_key(served: Served) -> None:
    seen: list[int] = []
    after = None
    for _ in range(20):
        body = served.client.get("/api/files", params={"limit": 4, "after": after} if after else {"limit": 4}).json()
        assert len(body["files"]) <= 4
        seen += [file["file_id"] for file in body["files"]]
        after = body["next_after"]
        if after is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 8 + len(HOSTILE_NAMES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=done&limit=", 5),
        ("state=&limit=", 8 + len(HOSTILE_NAMES)),
        ("state=queued", 1),
        ("recipe=burrows&state=done", 5),
        ("recipe=burrows", 8 + len(HOSTILE_NAMES)),
        ("recipe=other", 0),
        ("q=COUNTED", 1),
        ("q=%25", 0),
        ("reason=truncated", 1),
        ("state=quarantined&reason=truncated", 1),
        ("reason=any&state=seen", 1),
        ("original=gone", 0),
        ("original=present&state=done", 5),
        ("folder=1", 8 + len(HOSTILE_NAMES)),
        ("folder=99", 0),
    ],
)
def test_filters(served: Served, query: str, expected: int) -> None:
    body = served.client.get(f"/api/files?{query}").json()
    assert len(body["files"]) == expected
    assert body["next_after"] is None


@pytest.mark.parametrize(
    "query",
    ["state=finished", "limit=0", "limit=501", "limit=x", "after=-1", f"after={1 << 64}", "original=lost", "reason=bad", "folder=0"],
)
def test_a_wrong_value_is_422_and_never_an_empty_list(served: Served, query: str) -> None:
    body = problem(served.client.get(f"/api/files?{query}"), 422)
    assert query.split("=", maxsplit=1)[0] in body["message"]


def test_one_file_with_its_runs(served: Served) -> None:
    body = served.client.get(f"/api/files/{served.survey.reprocessed}").json()
    assert body["file"]["state"] == "done"
    assert [run["is_current"] for run in body["runs"]] == [True, False]
    assert [run["object_count"] for run in body["runs"]] == [2, 1]
    assert body["runs"][0]["score_floor"] == 0.05
    assert [name["file_id"] for name in body["sightings"]] == [served.survey.reprocessed]


def test_objects_by_id_hash_and_path(served: Served) -> None:
    file = served.client.get(f"/api/files/{served.survey.counted}").json()["file"]
    for reference in (served.survey.counted, file["sha256"], file["path"]):
        body = served.client.get("/api/objects", params={"file": reference}).json()
        assert body["count"] == len(body["objects"]) == 2
        assert body["sha256"] == file["sha256"]
        assert body["objects"][0]["x_min_px"] == 10.0
        assert body["objects"][0]["aphia_id"] == 107254


def test_candidates_only_when_asked_for(served: Served) -> None:
    body = served.client.get("/api/objects", params={"file": served.survey.counted, "candidates": True}).json()
    assert [found["counted"] for found in body["objects"]] == [True, True, False]
    assert body["count"] == 2


def test_a_reprocessed_file_answers_with_its_current_result_only(served: Served) -> None:
    body = served.client.get("/api/objects", params={"file": served.survey.reprocessed}).json()
    assert [run["is_current"] for run in body["runs"]] == [True]
    assert body["count"] == len(body["objects"]) == 2


def test_objects_of_an_earlier_run(served: Served) -> None:
    runs = served.client.get("/api/runs", params={"file": served.survey.reprocessed}).json()["runs"]
    body = served.client.get("/api/objects", params={"file": served.survey.reprocessed, "run": runs[1]["run_uuid"]}).json()
    assert body["count"] == 1
    problem(served.client.get("/api/objects", params={"file": served.survey.counted, "run": runs[1]["run_uuid"]}), 404)


def test_nothing_found_is_not_the_same_as_not_looked(served: Served) -> None:
    found = served.client.get("/api/objects", params={"file": served.survey.nothing_found})
    assert found.json()["objects"] == []
    for file_id, reason in ((served.survey.queued, "queued"), (served.survey.truncated, "truncated"), (served.survey.settling, "seen")):
        body = problem(served.client.get("/api/objects", params={"file": file_id}), 409)
        assert body["code"] == "not_processed"
        assert reason in body["message"]


@pytest.mark.parametrize("reference", ["999999", "0", "f" * 64, "/nowhere/x.jpg", "9" * 30, "\u0661", "../../etc/passwd", "a\0b"])
def test_an_unknown_file_is_404(served: Served, reference: str) -> None:
    problem(served.client.get("/api/objects", params={"file": reference}), 404)
    problem(served.client.get("/api/runs", params={"file": reference}), 404)


def test_a_path_that_is_no_utf8_is_found_as_it_is_shown(served: Served) -> None:
    file_id = served.survey.hostile[HOSTILE_NAMES.index(b"\xff\xfe not utf-8.jpg")]
    path = served.client.get(f"/api/files/{file_id}").json()["file"]["path"]
    assert r"\xff\xfe" in path
    assert r"quarantined" in problem(served.client.get("/api/objects", params={"file": path}), 409)["message"]


def test_failures_by_reason_with_advice(served: Served) -> None:
    body = served.client.get("/api/failures").json()
    assert [(one["reason"], one["files"]) for one in body["reasons"]] == [("corrupt", len(HOSTILE_NAMES)), ("truncated", 1)]
    assert all(one["advice"] for one in body["reasons"])
    assert len(served.client.get("/api/failures?reason=truncated").json()["files"]) == 1
    problem(served.client.get("/api/failures?reason=tired"), 422)


def test_issues_checks_and_models(served: Served) -> None:
    issues = served.client.get("/api/issues").json()
    assert [issue["code"] for issue in issues["open"]] == ["root_gone"]
    assert issues["database"]["journal_mode"] == "wal"
    assert issues["checks"][0]["holds"] is True
    models = served.client.get("/api/models").json()
    assert models["active"][0]["version"] == "1.1.0"
    assert models["active"][0]["previous_version"] == "1.0.0"
    assert [model["version"] for model in models["installed"]] == ["1.1.0", "1.0.0"]


def test_retry_of_some_of_a_reason_and_of_all(served_anew: Served) -> None:
    client, survey = served_anew.client, served_anew.survey
    assert client.post("/api/files/retry", json={"file_ids": [survey.truncated]}).json() == {"queued": 1}
    assert client.get(f"/api/files/{survey.truncated}").json()["file"]["state"] == "queued"
    assert client.post("/api/files/retry", json={"all": True, "reason": "corrupt"}).json() == {"queued": len(HOSTILE_NAMES)}
    assert client.post("/api/files/retry", json={"all": True}).json() == {"queued": 0}
    assert served_anew.appliance.asked[0] == ("retry", [survey.truncated], None, "api 127.0.0.1")


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("files/retry", {}),
        ("files/retry", {"file_ids": [], "all": False}),
        ("files/retry", {"file_ids": [1], "all": True}),
        ("files/retry", {"file_ids": ["x"]}),
        ("files/retry", {"file_ids": [1], "reason": "corrupt"}),
        ("files/retry", {"all": True, "reason": "tired"}),
        ("files/retry", {"all": True, "unknown": 1}),
        ("reprocess", {"all": True}),
        ("reprocess", {"recipe": "burrows"}),
        ("models/activate", {"recipe": "burrows"}),
        ("models/rollback", {}),
    ],
)
def test_a_wrong_request_to_change_is_422(served: Served, address: str, body: dict[str, Any]) -> None:
    asked = len(served.appliance.asked)
    problem(served.client.post(f"/api/{address}", json=body), 422)
    assert len(served.appliance.asked) == asked


def test_reprocess_queues_and_keeps_the_result(served_anew: Served) -> None:
    client, survey = served_anew.client, served_anew.survey
    assert client.post("/api/reprocess", json={"recipe": "burrows", "file_ids": [survey.counted]}).json() == {"queued": 1}
    assert client.get("/api/objects", params={"file": survey.counted}).json()["count"] == 2
    assert client.post("/api/reprocess", json={"recipe": "burrows", "all": True}).json() == {"queued": 4}


def test_models_are_activated_and_rolled_back(served_anew: Served) -> None:
    client = served_anew.client
    assert client.post("/api/models/rollback", json={"recipe": "burrows"}).json() == {"accepted": True}
    assert client.get("/api/models").json()["active"][0]["version"] == "1.0.0"
    client.post("/api/models/activate", json={"recipe": "burrows", "model": "openings", "version": "1.1.0"})
    assert client.get("/api/models").json()["active"][0]["version"] == "1.1.0"
    problem(client.post("/api/models/activate", json={"recipe": "burrows", "model": "openings", "version": "9.9.9"}), 409)


def test_pause_resume_and_rescan(served_anew: Served) -> None:
    client = served_anew.client
    assert client.post("/api/pause").status_code == 200
    assert client.get("/api/status").json()["live"]["phase"] == "paused"
    client.post("/api/resume")
    assert client.get("/api/status").json()["live"]["phase"] == "watching"
    assert client.post("/api/rescan").status_code == 202
    assert served_anew.appliance.asked[-1] == ("rescan", "api 127.0.0.1")


def test_healthz_is_well_only_when_it_is(served_anew: Served) -> None:
    assert served_anew.client.get("/healthz").json()["status"] == "ok"
    served_anew.appliance.fail_model("golden 2 differs")
    assert "golden 2 differs" in problem(served_anew.client.get("/healthz"), 503)["message"]


def test_healthz_fails_when_a_part_of_the_appliance_has_ended(served_anew: Served) -> None:
    served_anew.appliance.set_live(faults=("intake: it has ended",))
    assert "intake: it has ended" in problem(served_anew.client.get("/healthz"), 503)["message"]


def test_healthz_fails_when_the_database_does(served_anew: Served) -> None:
    database = served_anew.appliance.home / "edge.db"
    database.rename(database.with_suffix(".away"))
    served_anew.appliance.forget_readers()
    assert problem(served_anew.client.get("/healthz"), 503)["code"] == "store_failed"
    page = served_anew.client.get("/files")
    assert page.status_code == 503
    assert "The database does not answer" in page.text
    database.with_suffix(".away").rename(database)


def test_metrics_are_prometheus_text(served: Served) -> None:
    text = served.client.get("/metrics").text
    assert 'imagine_edge_files{recipe="burrows",state="done"} 5.0' in text
    assert 'imagine_edge_phase{phase="watching"} 1.0' in text
    assert "imagine_edge_disk_free_bytes" in text


def test_events_tell_of_a_change_and_end_with_the_service(served_anew: Served) -> None:
    changes: list[int] = []
    with served_anew.client.stream("GET", "/api/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                changes.append(json.loads(line[6:])["change"])
                if len(changes) == 1:
                    served_anew.appliance.touch()
                elif len(changes) == 2:
                    served_anew.appliance.set_live(phase="stopping")
    assert changes == [changes[0], changes[0] + 1]


def test_jpeg_and_png_are_served_as_they_are(served: Served) -> None:
    for file_id, name, kind in (
        (served.survey.counted, "counted.jpg", "image/jpeg"),
        (served.survey.nothing_found, "nothing.png", "image/png"),
    ):
        answer = served.client.get(f"/api/files/{file_id}/picture")
        assert answer.headers["content-type"] == kind
        assert answer.content == (served.survey.inbox / "station-011" / name).read_bytes()
        assert "sandbox" in answer.headers["content-security-policy"]
        again = served.client.get(f"/api/files/{file_id}/picture", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""


def test_a_tiff_of_16_bits_is_converted(served: Served) -> None:
    for what in ("picture", "thumbnail"):
        answer = served.client.get(f"/api/files/{served.survey.tiff}/{what}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8\xff")


def test_a_file_that_is_not_what_was_processed_is_not_shown(served: Served) -> None:
    assert problem(served.client.get(f"/api/files/{served.survey.overwritten}/picture"), 410)["code"] == "original_changed"
    assert problem(served.client.get(f"/api/files/{served.survey.queued}/picture"), 410)["code"] == "original_gone"
    problem(served.client.get("/api/files/999999/picture"), 404)


def test_what_no_worker_decoded_is_not_converted(served: Served) -> None:
    assert problem(served.client.get(f"/api/files/{served.survey.truncated}/thumbnail"), 409)["code"] == "not_decoded"
    assert served.client.get(f"/api/files/{served.survey.truncated}/picture").headers["content-type"] == "image/jpeg"


def test_links_are_never_followed(served_anew: Served, tmp_path: Path) -> None:
    original = served_anew.survey.inbox / "station-011" / "counted.jpg"
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(original.read_bytes())
    os.utime(secret, ns=(original.stat().st_atime_ns, original.stat().st_mtime_ns))
    address = f"/api/files/{served_anew.survey.counted}/picture"
    assert served_anew.client.get(address).status_code == 200
    original.unlink()
    original.symlink_to(secret)
    assert problem(served_anew.client.get(address), 410)["code"] == "original_gone"
    original.unlink()
    secret.rename(original)
    station = original.parent
    station.rename(tmp_path / "elsewhere")
    station.symlink_to(tmp_path / "elsewhere")
    assert problem(served_anew.client.get(address), 410)["code"] == "original_gone"


def test_a_pipe_does_not_hang_the_pages(served_anew: Served) -> None:
    original = served_anew.survey.inbox / "station-011" / "counted.jpg"
    original.unlink()
    os.mkfifo(original)
    began_s = time.monotonic()
    problem(served_anew.client.get(f"/api/files/{served_anew.survey.counted}/picture"), 410)
    assert time.monotonic() - began_s < 30


def test_the_document_describes_every_answer(served: Served) -> None:
    document = served.client.get("/api/openapi.json").json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], path
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            content = good.get("content", {})
            if path.startswith("/api/") and method == "get" and "application/json" in content:
                assert content["application/json"]["schema"], path


def test_every_route_is_documented(served: Served, checkout: Path) -> None:
    text = (checkout / "docs" / "api.md").read_text(encoding="utf-8")
    app = create_app(served.appliance)
    document = app.openapi()
    routes = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert len(routes) >= 20
    assert [route for route in routes if f"`{route}`" not in text] == []
    described = set(re.findall(r"`((?:GET|POST) /[^`?]*)`", text))
    assert described <= {*routes, "GET /api/openapi.json", "GET /api"}
