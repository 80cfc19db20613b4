"""The pages of counting over HTTP: a watch of two counters and a chief scientist, and a reference set."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from edge.store import surveys
from edge.store.connection import immediate
from edge.survey.counting.content import as_json
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey, make_content, make_protocol
from tests.helpers.people import browser
from tests.helpers.web import MTIME_NS, serving
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    blind: BlindSurvey
    client: httpx.Client

    def count(self, name: str, seconds: list[float]) -> None:
        """Begin, save and sign as the page does."""
        with browser(self.client, name) as counter:
            begun = counter.post(f"/actions/tows/{self.blind.tow_id}/count")
            assert (begun.status_code, begun.headers["location"]) == (303, f"/tows/{self.blind.tow_id}/count")
            page = counter.get(f"/tows/{self.blind.tow_id}/count").text
            count_id = int(page.split('data-count="')[1].split('"')[0])
            own = counter.get(f"/api/counts/{count_id}").json()
            content = as_json(make_content(seconds, revision=own["content"]["revision"]))
            saved = counter.post(f"/api/counts/{count_id}", json=content)
            assert saved.status_code == 200, saved.text
            signed = counter.post(f"/api/counts/{count_id}/sign", json={"pin": PIN, "revision": saved.json()["revision"]})
            assert signed.status_code == 200, signed.text


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    yield from _watch(tmp_path)


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Watch]:
    yield from _watch(tmp_path, kind="reference")


def _watch(tmp_path: Path, kind: str = "survey") -> Iterator[Watch]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, kind="reference" if kind == "reference" else "survey")
    with serving(appliance) as client:
        yield Watch(blind=blind, client=client)
        appliance.close()


def test_a_station_from_the_first_look_to_the_comparison(watch: Watch) -> None:
    blind = watch.blind
    with browser(watch.client, "anna") as chief:
        assert "nobody has begun" in chief.get(f"/stations/{blind.station_id}/counts").text
        watch.count("jd", [5.0, 15, 25, 70, 75])
        page = chief.get(f"/stations/{blind.station_id}/counts").text
        assert "a counter is missing" in page
        assert "Sealed until the counts of station 101 are signed" in chief.get(f"/stations/{blind.station_id}/compare").text
        watch.count("cl", [5.5, 15.5, 26, 40, 71])
        compared = chief.get(f"/stations/{blind.station_id}/compare").text
        assert "CCC" in compared
        assert "<svg" in compared
        assert 'class="row differs"' in compared
        agreed = chief.get(f"/surveys/{blind.survey_id}/agreement").text
        assert "revealed" in agreed
    with browser(watch.client, "jd") as counter:
        mine = counter.get(f"/tows/{blind.tow_id}/count").text
        assert "The counts are revealed" in mine
        names = counter.get(f"/api/surveys/{blind.survey_id}/agreement").json()["counters"]
        assert sorted(str(one["counter"]) for one in names) == ["None", "jd"]


def test_one_sees_ones_own_signed_minutes_and_nobody_elses(watch: Watch) -> None:
    watch.count("jd", [5.0, 15, 25, 70, 75])
    with browser(watch.client, "jd") as counter:
        page = counter.get(f"/tows/{watch.blind.tow_id}/count").text
        assert "What you counted is sealed" in page
        assert '<td class="n strong">3</td>' in page
    with browser(watch.client, "rita") as other:
        page = other.get(f"/tows/{watch.blind.tow_id}/count").text
        assert "Begin my count" in page
        assert '<td class="n strong">' not in page


def test_frames_come_in_the_order_of_their_times(watch: Watch) -> None:
    blind = watch.blind
    file = blind.appliance.home / "footage" / "tow" / "0003.jpg"
    Image.new("RGB", (64, 36), (90, 80, 70)).save(file)

    os.utime(file, ns=(MTIME_NS, MTIME_NS))
    blind.appliance.writer.execute("UPDATE sightings SET size_bytes = ? WHERE id = ?", (file.stat().st_size, blind.file_ids[3]))
    blind.appliance.writer.execute("UPDATE images SET width_px = 64, height_px = 36 WHERE id = ?", (blind.image_ids[3],))
    with browser(watch.client, "jd") as counter:
        listed = counter.get(f"/api/tows/{blind.tow_id}/frames").json()
        assert [one[1] for one in listed["frames"]] == [place * 0.5 for place in range(len(blind.image_ids))]
        picture = counter.get(f"/api/tows/{blind.tow_id}/frames/{blind.image_ids[3]}")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert picture.content == file.read_bytes()
        assert "immutable" in picture.headers["cache-control"]
        assert counter.get(f"/api/tows/{blind.tow_id}/frames/{blind.image_ids[4]}").status_code == 410
        assert counter.get(f"/api/tows/{blind.tow_id + 1}/frames/{blind.image_ids[3]}").status_code == 404


def test_content_that_is_none_is_refused_with_its_fault(watch: Watch) -> None:
    with browser(watch.client, "jd") as counter:
        count_id = counter.post(f"/api/tows/{watch.blind.tow_id}/count").json()["count_id"]
        content = counter.get(f"/api/counts/{count_id}").json()["content"]
        refused = counter.post(f"/api/counts/{count_id}", json={**content, "marks": [[-5, None, "system", 0.5, 0.5, "x"]]})
        assert (refused.status_code, refused.json()["code"]) == (409, "count_refused")
        assert "-5" in refused.json()["message"]
        assert counter.get(f"/api/counts/{count_id}").json()["content"] == content


def test_the_administrators_buttons_need_a_reason(watch: Watch) -> None:
    blind = watch.blind
    watch.count("jd", [5.0, 15])
    with browser(watch.client, "anna") as chief:
        back = {"back": f"/stations/{blind.station_id}/counts"}
        assert "Break the seal" in chief.get(back["back"]).text
        assert chief.post(f"/actions/tows/{blind.tow_id}/break-seal", data=back).status_code == 409
        done = chief.post(f"/actions/tows/{blind.tow_id}/break-seal", data={**back, "reason": "alone aboard"})
        assert done.headers["location"] == f"{back['back']}?notice=seal_broken"
        assert "one counter alone" in chief.get(f"/stations/{blind.station_id}/compare").text


def test_a_tow_whose_counts_can_give_no_result_is_counted_anew(watch: Watch) -> None:
    """A broken seal and a count that is not blind: no result, until an administrator begins a new round."""
    blind = watch.blind
    watch.count("jd", [5.0, 15])
    page = f"/stations/{blind.station_id}/counts"
    with browser(watch.client, "anna") as chief:
        assert "Begin a new round" not in chief.get(page).text
        assert chief.post(f"/api/tows/{blind.tow_id}/new-round", json={"reason": "too early"}).status_code == 409
        chief.post(f"/actions/tows/{blind.tow_id}/break-seal", data={"back": page, "reason": "alone aboard"})
    watch.count("cl", [5.0, 15])
    with browser(watch.client, "rita") as other:
        assert other.post(f"/actions/tows/{blind.tow_id}/new-round", data={"back": page, "reason": "mine"}).status_code == 403
    with browser(watch.client, "anna") as chief:
        assert "protocol version 2" not in chief.get(page).text
        with immediate(blind.appliance.writer) as db:
            surveys.add_protocol(db, blind.survey_id, make_protocol(ccc_limit=0.6), reason="the manual of 2027", actor="rita")
        assert "It will be counted under <b>protocol version 2</b>" in chief.get(page).text
        assert chief.get(f"/api/stations/{blind.station_id}/result").json()["systems"] is None
        done = chief.post(f"/actions/tows/{blind.tow_id}/new-round", data={"back": page, "reason": "crew changed"})
        assert done.headers["location"].startswith(f"{page}?notice=new_round")
        assert "crew changed" in chief.get(page).text
        shown = chief.get(f"/api/tows/{blind.tow_id}/counts").json()["counts"]
        assert {(one["state"], one["revealed_utc"], len(one["minutes"])) for one in shown} == {("set_aside", None, 0)}
    for name in ("cl", "rita"):
        watch.count(name, [5.0, 15])
    with browser(watch.client, "anna") as chief:
        found = chief.get(f"/api/stations/{blind.station_id}/result").json()
        assert found["systems"] == 2.0
        assert any("counted anew" in one and "cl had counted it before" in one for one in found["flags"])


def test_a_reference_set_is_given_counted_and_judged(reference: Watch) -> None:
    blind = reference.blind
    back = {"back": f"/stations/{blind.station_id}/counts"}
    with browser(reference.client, "anna") as chief:
        for wrong in ("", "1", "1 x", "0 3", "1 3\n1 4", "1 -3", "1 nan"):
            answer = chief.post(f"/actions/tows/{blind.tow_id}/reference", data={**back, "minutes": wrong, "source": "readers"})
            assert answer.status_code == 409, wrong
        answer = chief.post(f"/actions/tows/{blind.tow_id}/reference", data={**back, "minutes": "1 3\r\n2 2.0\r\n", "source": "readers"})
        assert answer.headers["location"].endswith("notice=reference_set")
        rule = {"back": f"/surveys/{blind.survey_id}/agreement", "ccc_limit": "0.6", "reason": "working group"}
        assert chief.post(f"/actions/surveys/{blind.survey_id}/qualification-rule", data=rule).status_code == 303
    reference.count("jd", [5.0, 15, 25, 70, 75])
    with browser(reference.client, "jd") as counter:
        assert "Your count beside the reference" in counter.get(f"/stations/{blind.station_id}/compare").text
        assert "qualified" in counter.get(f"/surveys/{blind.survey_id}/agreement").text
    with browser(reference.client, "cl") as other:
        hidden = other.get(f"/stations/{blind.station_id}/compare").text
        assert "Your count beside the reference" not in hidden
        assert "stays sealed" in hidden
        assert not re.search(r"\bjd\b", other.get(f"/surveys/{blind.survey_id}/agreement").text)
