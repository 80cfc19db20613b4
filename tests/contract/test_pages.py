"""The pages over a real server and a real database: every one answers, escapes what it shows, and works without script."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from tests.contract.conftest import Served
from tests.helpers.web import HOSTILE_NAMES, serving
from tests.simulators.appliance import SimulatedAppliance

PAGES = ("/", "/files", "/failures", "/health", "/models", "/api")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Outline(HTMLParser):
    """What a page is made of; `faults` lists tags that do not match, ids used twice and anything inline."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.faults: list[str] = []
        self.addresses: set[str] = set()
        self.headings = 0
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.headings += tag == "h1"
        if tag not in VOID and tag not in {"path", "rect", "circle"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"<{tag} {name}> is inline")
            if name == "title":
                self.faults.append(f"<{tag} title> makes a tooltip that is white in red mode")
            if name == "id":
                self.faults += [f"id {value} is used twice"] if value in self.ids else []
                self.ids.add(value or "")
            if name in {"href", "src", "action", "formaction"}:
                self.addresses.add(value or "")
        if tag == "script" and "src" not in dict(attrs):
            self.faults.append("a script is inline")
        if tag == "style":
            self.faults.append("a style is inline")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"path", "rect", "circle"}:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes another tag")


def image_pages(served: Served) -> list[str]:
    survey = served.survey
    ids = (survey.counted, survey.nothing_found, survey.reprocessed, survey.tiff, survey.queued, survey.settling, survey.truncated)
    return [f"/files/{file_id}" for file_id in (*ids, survey.overwritten, *survey.hostile)]


def test_every_page_is_sound(served: Served) -> None:
    for address in (*PAGES, *image_pages(served), "/nothing-here", "/files?q=nothing-like-it", "/files?pictures=true"):
        answer = served.client.get(address)
        assert answer.status_code == (404 if address == "/nothing-here" else 200), address
        outline = Outline(answer.text)
        assert outline.faults == [], address
        assert outline.headings == 1, address
        assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in outline.addresses), address


def test_the_outline_sees_faults() -> None:
    page = '<p id="a"><b id="a" style="x" onclick="y">z</p><script>1</script><style></style><i title="t"></i><em>'
    assert len(Outline(page).faults) >= 8


def test_links_lead_somewhere(served: Served) -> None:
    links: set[str] = set()
    for address in (*PAGES, *image_pages(served)[:4]):
        links |= Outline(served.client.get(address).text).addresses
    for link in sorted(links):
        if not link.startswith(("/actions/", "#", "/api/files")):
            assert served.client.get(html.unescape(link)).status_code == 200, link


def test_hostile_names_are_shown_and_never_obeyed(served: Served) -> None:
    for address in ("/files?state=quarantined", "/failures", *(f"/files/{file_id}" for file_id in served.survey.hostile)):
        page = served.client.get(address).text
        assert "<script>alert" not in page
        assert not re.search(r'<[^>]*\sonmouseover="', page)
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
        assert "{{ 7 * 7 }}" in page or "{{" not in page
    page = html.unescape(served.client.get("/files?state=quarantined").text)
    for shown in ("<script>alert(1)</script>.jpg", r"line\nbreak.jpg", r"evil\u202egpj.exe", r"\xff\xfe not utf-8.jpg", "{{ 7 * 7 }}.jpg"):
        assert shown in page
    assert served.survey.hostile[HOSTILE_NAMES.index(b"{{ 7 * 7 }}.jpg")]


def test_what_is_asked_for_is_escaped_too(served: Served) -> None:
    for address in ("/files?q=%22%3E%3Cscript%3Ealert(2)%3C/script%3E", "/files?recipe=%3Cb%3E&q=%27", "/%3Cscript%3Ealert(2)"):
        page = served.client.get(address).text
        assert "<script>alert" not in page
        assert "<b>&#39;" not in page
    assert "&lt;usb&gt;" in served.client.get("/health").text


def test_home_says_what_is_happening(served: Served) -> None:
    page = served.client.get("/").text
    for expected in ("watching", "counted.jpg", "412 GiB free", "int8 on openvino, CPU", "reachable", "as of"):
        assert expected in page
    assert "Begin here" not in page


def test_home_of_an_empty_appliance_says_where_to_drop_files(served: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    appliance = SimulatedAppliance(tmp_path_factory.mktemp("empty") / "home")
    with serving(appliance) as client:
        page = client.get("/").text
        assert "Begin here" in page
        assert str(appliance.home / "inbox" / "burrows") in page
        for address in PAGES:
            assert client.get(address).status_code == 200
        appliance.close()


def test_figures_that_are_not_of_now_say_so(served_anew: Served) -> None:
    assert "figures of" not in served_anew.client.get("/").text
    served_anew.appliance.frozen_as_of_utc = "2026-06-03T16:26:07.584Z"
    assert "figures of 16:26:07Z" in served_anew.client.get("/").text


def test_the_image_page_shows_official_and_floor(served: Served) -> None:
    page = served.client.get(f"/files/{served.survey.counted}").text
    assert 'min="0.050" max="1" step="any" value="0.25"' in page
    assert "<b>2</b> counted; candidates below: 1" in page
    assert "2026-06-03 16:26:07Z" in page
    assert "0123456789abcdef" * 4 in page


def test_reprocessed_images_offer_both_results(served: Served) -> None:
    page = served.client.get(f"/files/{served.survey.reprocessed}").text
    assert page.count("data-compare=") == 2
    assert "Current result" in page
    assert "Earlier result" in page


def test_neighbours_stay_inside_the_filter(served: Served) -> None:
    page = served.client.get(f"/files/{served.survey.reprocessed}?state=done").text
    assert f'href="/files/{served.survey.nothing_found}?state=done"' in page
    assert f'href="/files/{served.survey.tiff}?state=done"' in page
    assert 'href="/files?state=done"' in page


def test_a_failed_file_says_why_and_what_to_do(served: Served) -> None:
    page = served.client.get(f"/files/{served.survey.truncated}").text
    assert "truncated" in page
    assert "Copy it again from the camera" in page


def test_buttons_work_without_script(served_anew: Served) -> None:
    client, survey, asked = served_anew.client, served_anew.survey, served_anew.appliance.asked
    answer = client.post("/actions/retry", data={"back": "/files?state=quarantined", "file": [survey.truncated, survey.hostile[0]]})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/files?state=quarantined&notice=retried&n=2"
    assert "Queued again: 2." in client.get(answer.headers["location"]).text
    assert asked[-1] == ("retry", [survey.truncated, survey.hostile[0]], None, "page 127.0.0.1")
    assert client.post("/actions/retry", data={"scope": "all", "reason": "corrupt"}).headers["location"] == "/?notice=retried&n=6"
    assert client.post("/actions/retry", data={}).headers["location"] == "/?notice=none_chosen"
    assert client.post("/actions/reprocess", data={"recipe": "burrows", "file": survey.counted}).headers["location"].endswith("n=1")
    assert client.post("/actions/pause").status_code == 303
    assert "paused: by a person" in client.get("/").text
    assert client.post("/actions/resume").status_code == 303
    assert client.post("/actions/rescan").status_code == 303
    assert (
        client.post("/actions/rollback", data={"recipe": "burrows", "back": "/models"}).headers["location"] == "/models?notice=rolled_back"
    )
    activated = client.post("/actions/activate", data={"recipe": "burrows", "model": "openings", "version": "1.1.0"})
    assert activated.status_code == 303


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("//evil.example/x", "/x"),
        ("https://evil.example/files", "/files"),
        ("/\\evil", "/"),
        ("javascript:alert(1)", "/"),
        ("/%0d%0aX: y", "/"),
    ],
)
def test_a_button_never_leads_off_the_appliance(served: Served, back: str, expected: str) -> None:
    location = served.client.post("/actions/retry", data={"back": back}).headers["location"]
    assert location == f"{expected}?notice=none_chosen"


@pytest.mark.parametrize("data", [{"file": "x"}, {"file": "9" * 30}, {"scope": "all", "reason": "tired"}, {"file": "\u0661"}])
def test_a_wrong_form_is_refused_with_a_page(served: Served, data: dict[str, str]) -> None:
    answer = served.client.post("/actions/retry", data=data)
    assert answer.status_code == 422
    assert "Reload the page" in answer.text


def test_a_refused_action_is_a_page_with_advice(served: Served) -> None:
    answer = served.client.post("/actions/activate", data={"recipe": "burrows", "model": "openings", "version": "9.9.9"})
    assert answer.status_code == 409
    assert "imagine-edge models list" in answer.text


def test_an_unknown_address_is_a_page_that_says_what_to_do(served: Served) -> None:
    for address, status in (("/nowhere", 404), ("/files/999999", 404), ("/files/x", 422), ("/files?state=odd", 422)):
        answer = served.client.get(address)
        assert answer.status_code == status
        assert 'href="/files"' in answer.text
        assert answer.headers["content-type"].startswith("text/html")


def test_a_bug_is_a_page_without_a_trace(served_anew: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(served_anew.appliance, "machine", broken)
    answer = served_anew.client.get("/health")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Processing goes on" in answer.text
    assert "imagine_edge_failed_requests_total 1.0" in served_anew.client.get("/metrics").text
