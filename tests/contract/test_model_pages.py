"""The Models pages and their part of the API over a real server, a real database and a pack with real files."""

from __future__ import annotations

import csv
import html
import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.web.security import MAX_BODY_BYTES, MAX_UPLOAD_BYTES, UPLOAD_PATH
from edge.web.uploads import UPLOADS_FOLDER
from models.pack_zip import zip_pack
from tests.contract.test_pages import Outline
from tests.helpers.models import add_comparison, add_real_pack, make_pack_with_report
from tests.helpers.web import Survey, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

PACK = "/models/tiny/2.0.0"
FILES = "/api/models/packs/tiny/2.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """An appliance with packs and a comparison of three files."""

    appliance: SimulatedAppliance
    survey: Survey
    client: httpx.Client
    comparison: int


@pytest.fixture(scope="module")
def still_shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """For tests that change nothing."""
    yield from make_shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """For tests that change something."""
    yield from make_shelf(tmp_path)


def make_shelf(tmp_path: Path) -> Iterator[Shelf]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    pack = make_pack_with_report(tmp_path / "home" / "packs" / "tiny" / "2.0.0")
    row = add_real_pack(appliance, pack)
    other = add_real_pack(appliance, make_pack_with_report(tmp_path / "home" / "packs" / "tiny" / "2.1.0", "2.1.0"), machine="elsewhere")
    comparison = add_comparison(appliance, row, other, [survey.counted, survey.reprocessed, survey.tiff])
    with serving(appliance) as client:
        yield Shelf(appliance=appliance, survey=survey, client=client, comparison=comparison)
        appliance.close()


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def test_every_page_is_sound(still_shelf: Shelf) -> None:
    about = "model=tiny&version=2.0.0&recipe=burrows"
    addresses = ["/models", PACK, f"{PACK}?variant=onnx-int8", "/models/openings/1.0.0", f"/models/comparisons/{still_shelf.comparison}"]
    addresses += [
        f"/models/comparisons/{still_shelf.comparison}/{still_shelf.survey.counted}",
        f"/models/comparisons/{still_shelf.comparison}?order=name",
    ]
    addresses += [f"/models/confirm?action={action}&{about}" for action in ("activate", "rollback", "prove", "remove", "reprocess")]
    for address in addresses:
        answer = still_shelf.client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        outline = Outline(answer.text)
        assert outline.faults == [], address
        assert outline.headings == 1, address
        assert all(one.startswith(("/", "#")) for one in outline.addresses), address


def test_the_list_tells_what_serves_and_what_is_fastest_here(still_shelf: Shelf) -> None:
    page = text_of(still_shelf.client.get("/models"))
    for expected in ("openings 1.1.0", "openings 1.0.0", "CUDA f32", "99.0", "not proven here yet", "Install a pack", "0.500"):
        assert expected in page
    assert "only one variant" not in page


def test_a_pack_tells_why_each_variant_is_offered_or_not(still_shelf: Shelf) -> None:
    page = text_of(still_shelf.client.get(PACK))
    for expected in ("fastest here: 99.0 images/s", "10.0 points", "mAP50", "coloured squares", "CC0-1.0", "AphiaID 107254", "0.400"):
        assert expected in page
    assert "On other machines" in text_of(still_shelf.client.get("/models/tiny/2.1.0"))


def test_the_card_says_what_it_likes_and_does_nothing(still_shelf: Shelf) -> None:
    page = still_shelf.client.get(PACK).text
    assert "<script>alert" not in page
    assert "javascript:" not in html.unescape(page).replace("link](javascript:alert(1))", "")
    assert "A tiny &lt;model&gt;" in page
    assert '<td class="n">1</td>' in page


def test_a_golden_shows_expected_and_found_boxes(still_shelf: Shelf) -> None:
    page = still_shelf.client.get(PACK).text
    assert page.count('class="box-expected"') == 2
    assert page.count('class="box-found"') == 1
    refused = text_of(still_shelf.client.get(f"{PACK}?variant=onnx-int8"))
    assert "does not hold" in refused
    assert "an object is missing" in refused
    picture = still_shelf.client.get(f"{FILES}/goldens/0")
    assert picture.headers["content-type"] == "image/png"
    assert still_shelf.client.get(f"{FILES}/goldens/9").status_code == 404


def test_a_report_is_shown_without_scripts_and_without_our_origin(still_shelf: Shelf) -> None:
    report = still_shelf.client.get(f"{FILES}/documents/reports/evaluation.html")
    policy = report.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "allow" not in policy
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert still_shelf.client.get(f"{FILES}/documents/CARD.md").headers["content-type"].startswith("text/plain")
    saved = still_shelf.client.get(f"{FILES}/documents/reports/notes.bin")
    assert saved.headers["content-disposition"] == 'attachment; filename="notes.bin"'


@pytest.mark.parametrize("path", ["model.onnx", "../../../edge.db", "%2e%2e/%2e%2e/edge.db", "/etc/passwd", "nothing"])
def test_only_listed_documents_are_shown(still_shelf: Shelf, path: str) -> None:
    url = httpx.URL(str(still_shelf.client.base_url))
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"GET {FILES}/documents/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(64).split(b" ")[1] == b"404"


def test_a_document_that_changed_or_became_a_link_is_not_shown(shelf: Shelf) -> None:
    report = shelf.appliance.home / "packs" / "tiny" / "2.0.0" / "reports" / "evaluation.html"
    report.write_text("something longer than what was installed, and so not the same")
    assert shelf.client.get(f"{FILES}/documents/reports/evaluation.html").status_code == 410
    report.unlink()
    report.symlink_to("/etc/passwd")
    assert shelf.client.get(f"{FILES}/documents/reports/evaluation.html").status_code == 410
    assert "cannot be shown" in text_of(shelf.client.get("/models/openings/1.0.0")), "a pack whose files are gone has a page"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("activate", ["in place of openings 1.1.0", "nothing is processed again by itself", "1 files that wait"]),
        ("rollback", ["openings 1.0.0 serves burrows again", "nothing is processed again by itself"]),
        ("prove", ["2 variants", "nothing is processed again by itself"]),
        ("remove", ["are deleted from this machine", "install it again"]),
        ("reprocess", ["stay beside the new ones"]),
    ],
)
def test_each_change_is_explained_before_it_is_made(still_shelf: Shelf, action: str, expected: list[str]) -> None:
    page = text_of(still_shelf.client.get(f"/models/confirm?action={action}&model=tiny&version=2.0.0&recipe=burrows"))
    for words in expected:
        assert words in page


def test_what_cannot_be_done_has_no_button(still_shelf: Shelf) -> None:
    page = text_of(still_shelf.client.get("/models/confirm?action=remove&model=openings&version=1.1.0"))
    assert "it serves burrows" in page
    assert "/actions/models/remove" not in page
    assert still_shelf.client.get("/models/confirm?action=activate&model=none&version=1.0.0&recipe=burrows").status_code == 404
    assert still_shelf.client.get("/models/confirm?action=explode").status_code == 422


def test_buttons_work_without_script(shelf: Shelf, tmp_path: Path) -> None:
    client, desk = shelf.client, shelf.appliance.desk
    about = {"model": "tiny", "version": "2.1.0", "back": "/models"}
    assert client.post("/actions/models/prove", data=about).headers["location"] == "/models?notice=proving"
    assert (
        client.post("/actions/models/install", data={"path": str(tmp_path), "back": "/models"}).headers["location"].endswith("installing")
    )
    assert [task.subject for task in desk.tasks()] == [str(tmp_path), "tiny@2.1.0"]
    page = text_of(client.get("/models"))
    assert "proving 2 of 3" in page
    desk.end(1, state="failed", detail="no variant works", advice="Ask its maker.", code="model_failed")
    assert "Ask its maker." in text_of(client.get("/models"))
    assert client.post("/actions/models/remove", data=about).headers["location"] == "/models?notice=removed"
    assert "removed" in text_of(client.get("/models/tiny/2.1.0"))
    form = {"a": "openings@1.1.0", "b": "tiny@2.0.0@onnx-fp32", "recipe": "burrows", "files": "newest", "limit": "2"}
    begun = client.post("/actions/comparisons/start", data=form).headers["location"]
    assert text_of(client.get(begun)).count("waiting") >= 2
    number = begun.rpartition("/")[2]
    assert client.post("/actions/comparisons/cancel", data={"comparison": number, "back": begun}).status_code == 303
    assert "cancelled" in text_of(client.get(begun))
    assert client.post("/actions/comparisons/delete", data={"comparison": number, "back": "/models"}).status_code == 303
    assert client.get(begun).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [{"a": "openings"}, {"files": "folder:x"}, {"files": "all"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "many"}, {"b": ""}],
)
def test_a_wrong_form_is_refused_with_a_page(still_shelf: Shelf, changes: dict[str, str]) -> None:
    form = {"a": "openings@1.1.0", "b": "tiny@2.0.0", "recipe": "burrows", "files": "newest", "limit": "2"} | changes
    answer = still_shelf.client.post("/actions/comparisons/start", data=form)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


def test_install_prove_and_remove_by_api(shelf: Shelf, tmp_path: Path) -> None:
    client = shelf.client
    task = client.post("/api/models/install", json={"path": str(tmp_path)})
    assert task.status_code == 202
    assert client.get(f"/api/models/tasks/{task.json()['task_id']}").json()["stage"] == "proving"
    assert client.get("/api/models/tasks/77").status_code == 404
    assert client.post("/api/models/install", json={"path": "/nowhere/at/all"}).status_code == 409
    assert client.post("/api/models/prove", json={"model": "tiny", "version": "2.0.0"}).status_code == 202
    assert client.post("/api/models/remove", json={"model": "openings", "version": "1.1.0"}).status_code == 409
    assert client.post("/api/models/remove", json={"model": "tiny", "version": "2.1.0"}).json() == {"removed": True}
    described = client.get(FILES).json()
    assert described["manifest"]["name"] == "tiny"
    assert described["goldens"]["onnx-fp32"][0]["found"] == [[8, 16, 16, 24, 1.0, 0]]


def test_a_sent_pack_arrives_whole_and_leaves_no_file(shelf: Shelf, tmp_path: Path) -> None:
    archive = zip_pack(make_pack_with_report(tmp_path / "pack", "3.0.0").path, tmp_path / "tiny.zip")
    content = archive.read_bytes() + bytes(MAX_BODY_BYTES)  # more than any other request may bring
    task = shelf.client.post(f"{UPLOAD_PATH}?name=tiny.zip", content=content, headers={"content-type": "application/zip"})
    assert task.status_code == 202
    assert task.json()["subject"] == "tiny.zip"
    assert shelf.appliance.desk.uploaded == [content]
    assert list((shelf.appliance.home / UPLOADS_FOLDER).iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(shelf: Shelf) -> None:
    url = httpx.URL(str(shelf.client.base_url))
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"POST {UPLOAD_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n".encode() + bytes(1_500_000))
    folder = shelf.appliance.home / UPLOADS_FOLDER
    for _ in range(200):
        if folder.is_dir() and not list(folder.iterdir()):
            break
        shelf.client.get("/healthz")
    assert list(folder.iterdir()) == []
    assert shelf.appliance.desk.uploaded == []


def test_an_upload_is_bounded_and_guarded(shelf: Shelf) -> None:
    client = shelf.client
    url = httpx.URL(str(client.base_url))
    with socket.create_connection((url.host, url.port or 80), timeout=10) as raw:
        raw.sendall(f"POST {UPLOAD_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_UPLOAD_BYTES + 1}\r\n\r\n".encode())
        assert raw.recv(64).split(b" ")[1] == b"413"
    assert client.post(UPLOAD_PATH, content=b"").status_code == 422
    assert client.post(UPLOAD_PATH, content=b"x", headers={"origin": "https://evil.example"}).status_code == 403
    disk = shelf.appliance.live().disk
    shelf.appliance.set_live(disk=type(disk)(free_bytes=disk.floor_bytes + 10, total_bytes=disk.total_bytes, floor_bytes=disk.floor_bytes))
    refused = client.post(UPLOAD_PATH, content=b"x" * 100)
    assert (refused.status_code, refused.json()["code"]) == (503, "disk_full")
    assert shelf.appliance.desk.uploaded == []


def test_a_comparison_by_api(still_shelf: Shelf) -> None:
    client, address = still_shelf.client, f"/api/comparisons/{still_shelf.comparison}"
    told = client.get(address).json()
    assert told["comparison"]["files_failed"] == 1
    figures = told["figures"]
    assert (figures["files"], figures["a_total"], figures["b_total"], figures["matched"], figures["only_b"]) == (2, 2, 7, 2, 5)
    assert figures["difference_mean"] == 2.5
    files = client.get(f"{address}/files").json()
    assert [file["state"] for file in files] == ["failed", "done", "done"]
    assert [file["only_b"] for file in files] == [None, 3, 2], "the most disagreement first"
    boxes = client.get(f"{address}/files/{still_shelf.survey.counted}").json()["boxes"]
    assert boxes["b"][0][6] == 0
    assert boxes["b"][1][6] is None
    assert client.get(f"{address}/files/{still_shelf.survey.queued}").status_code == 404
    assert client.get("/api/comparisons/99").status_code == 404
    assert [one["comparison_id"] for one in client.get("/api/comparisons").json()] == [still_shelf.comparison]


def test_a_comparison_is_exported(still_shelf: Shelf) -> None:
    answer = still_shelf.client.get(f"/api/comparisons/{still_shelf.comparison}/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 3
    assert {row["a_model"] for row in rows} == {"tiny"}
    assert {row["b_version"] for row in rows} == {"2.1.0"}
    failed = next(row for row in rows if row["state"] == "failed")
    assert (failed["a_count"], failed["detail"]) == ("", "truncated: the end is missing")


def test_a_comparison_is_asked_for_and_ended_by_api(shelf: Shelf) -> None:
    client = shelf.client
    sides = {"a": {"model": "openings", "version": "1.1.0"}, "b": {"model": "tiny", "version": "2.0.0", "variant": "onnx-fp32"}}
    begun = client.post("/api/comparisons", json={"recipe": "burrows", "limit": 2, **sides})
    assert begun.status_code == 202
    address = f"/api/comparisons/{begun.json()['comparison_id']}"
    assert client.get(address).json()["comparison"]["file_count"] == 2
    assert client.post(f"{address}/delete").status_code == 409
    assert client.post(f"{address}/cancel").json() == {"accepted": True}
    assert client.post(f"{address}/delete").json() == {"accepted": True}
    assert client.get(address).status_code == 404
    for wrong in ({"files": "folder"}, {"files": "newest", "folder": 1}, {"limit": 0}, {"files": "all"}):
        assert client.post("/api/comparisons", json={"recipe": "burrows", **sides, **wrong}).status_code == 422


def test_nothing_of_a_comparison_counts_as_a_result(still_shelf: Shelf) -> None:
    runs = still_shelf.client.get(f"/api/runs?file={still_shelf.survey.counted}").json()["runs"]
    assert len(runs) == 1
    assert still_shelf.client.get("/api/status").json()["totals"]["objects"] == sum(
        row["object_count"] for row in still_shelf.appliance.writer.execute("SELECT object_count FROM runs WHERE is_current = 1")
    )


def test_an_empty_appliance_says_what_to_do(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    with serving(appliance) as client:
        page = text_of(client.get("/models"))
        assert "No model is installed" in page
        assert "only one variant of one pack" in page
        assert client.get("/models/none/1.0.0").status_code == 404
        assert client.get("/models/comparisons/1").status_code == 404
        appliance.close()
