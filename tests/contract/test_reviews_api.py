"""Reviews over HTTP: what the page calls, who may, what a blind tow tells, and chips that show the right frames of a real clip."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edge.cli import app
from edge.store.analyses import record_analysis
from edge.store.connection import immediate
from edge.web.routes.api_reviews import TILE_PX
from tests.helpers.clips import WIDTH_PX, number_in
from tests.helpers.counted import make_blind_survey
from tests.helpers.people import browser, make_people
from tests.helpers.reviewable import Reviewable, make_analysis, make_opening, make_reviewable
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    of: Reviewable
    client: httpx.Client

    @property
    def api(self) -> str:
        return f"/api/tows/{self.of.tow_id}"


@pytest.fixture
def review(tmp_path: Path) -> Iterator[Review]:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance)
    make_people(appliance)
    with serving(appliance) as client:
        yield Review(of=of, client=client)
        appliance.close()


def test_a_review_from_the_order_to_the_count(review: Review) -> None:
    with browser(review.client, "rita") as rita:
        order = rita.get(f"{review.api}/openings/order", params={"sort": "along"}).json()
        assert order["order"] == list(review.of.opening_ids)
        assert (order["tally"]["openings"], order["tally"]["undecided"]) == (6, 6)
        named = rita.get(f"{review.api}/openings", params={"ids": f"{order['order'][3]},{order['order'][0]},999"}).json()
        assert [one["ordinal"] for one in named["openings"]] == [4, 1]
        page = rita.get(f"{review.api}/openings", params={"sort": "along", "page": 2, "size": 4}).json()
        assert ([one["ordinal"] for one in page["openings"]], page["total"]) == ([5, 6], 6)
        done = rita.post(f"{review.api}/decisions", json={"openings": order["order"][:2], "decision": "rejected"}).json()
        assert [one["decision"] for one in done["openings"]] == ["rejected", "rejected"]
        assert done["openings"][0]["decided_by"].startswith("rita ")
        assert done["tally"]["counted"]["model_openings"] == 4
        assert (done["tally"]["counted"]["openings"], done["tally"]["undecided"]) == (2, 4)
        rita.post(f"{review.api}/groups", json={"openings": order["order"][3:6]})
        left = rita.get(f"{review.api}/review").json()
        assert left["counted"]["systems"] == 1
        undone = rita.post(f"{review.api}/review/undo", json={}).json()
        assert [one["system"] for one in undone["openings"]] == [2, 2, 3]
        told = rita.get(f"/api/stations/{review.of.station_id}/result").json()
        assert told["sources"]["model"]["reviewed"]["openings"] == 2
        assert "2 of 6" not in told["sources"]["model"]["what"]
        assert "after review" in rita.get(f"/stations/{review.of.station_id}/result").text


def test_who_may_decide_and_who_may_look(review: Review) -> None:
    body = {"openings": [review.of.opening_ids[0]], "decision": "accepted"}
    for name in ("jd", "vera"):
        with browser(review.client, name) as somebody:
            for path, content in (("decisions", body), ("groups", {"openings": body["openings"], "split": True}), ("review/undo", {})):
                assert somebody.post(f"{review.api}/{path}", json=content).status_code == 403
            page = somebody.get(f"/tows/{review.of.tow_id}/review")
            assert page.status_code == 200
            assert "Looking only" in page.text
            assert somebody.get(f"/api/openings/{review.of.opening_ids[0]}/chips").status_code == 200
    assert review.client.get(f"{review.api}/openings").status_code == 401
    with browser(review.client, "rita") as rita:
        assert 'data-do="accepted"' in rita.get(f"/tows/{review.of.tow_id}/review").text


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("decisions", {"openings": [], "decision": "accepted"}, 422),
        ("decisions", {"openings": [1], "decision": "perhaps"}, 409),
        ("decisions", {"openings": [10**9], "decision": "accepted"}, 409),
        ("decisions", {"openings": [10**30], "decision": "accepted"}, 422),
        ("groups", {"openings": [1]}, 409),
        ("review/undo", {}, 409),
    ],
)
def test_what_cannot_be_done_is_refused(review: Review, path: str, content: dict[str, object], status: int) -> None:
    with browser(review.client, "rita") as rita:
        answer = rita.post(f"{review.api}/{path}", json=content)
        assert answer.status_code == status
        assert set(answer.json()) == {"code", "message", "advice"}
        assert rita.get(f"{review.api}/openings", params={"ids": "1;drop"}).status_code == 422
        assert rita.post("/api/tows/77/decisions", json={"openings": [1], "decision": "accepted"}).status_code == 409
        assert rita.get("/api/tows/77/openings").status_code == 404
        assert rita.get("/tows/77/review").status_code == 404


def test_chips_show_the_frames_of_the_opening(review: Review) -> None:
    opening = review.of.opening_ids[1]  # seen from 0.8 to 1.4 s: frames 20 to 35 of 25 a second
    with browser(review.client, "vera") as vera:
        answer = vera.get(f"/api/openings/{opening}/chips")
        strip = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
        assert strip.shape == (TILE_PX, 9 * TILE_PX, 3)
        shown = [_number(strip[:, place * TILE_PX : (place + 1) * TILE_PX]) for place in range(9)]
        assert shown == [20, 21, 23, 25, 27, 29, 31, 33, 35]
        kept = list((review.of.appliance.home / "cache" / "pictures").glob("*-strip*.jpg"))
        assert len(kept) == 1
        (review.of.appliance.home / "footage" / "tow" / "tow.mp4").unlink()
        assert vera.get(f"/api/openings/{opening}/chips").content == answer.content
        gone = vera.get(f"/api/openings/{review.of.opening_ids[2]}/chips")
        assert (gone.status_code, gone.json()["code"]) == (410, "original_gone")


def test_a_whole_frame_and_its_box(review: Review) -> None:
    opening = review.of.opening_ids[1]
    with browser(review.client, "vera") as vera:
        facts = vera.get(f"/api/openings/{opening}/frames").json()
        assert (facts["width_px"], facts["height_px"], len(facts["boxes"])) == (128, 96, 4)
        corners = {"x_min_px": 32, "y_min_px": 16, "x_max_px": 96, "y_max_px": 80}
        assert facts["boxes"][2] == {"at_s": pytest.approx(1.2), "score": 0.5, **corners}
        picture = vera.get(f"/api/openings/{opening}/frames/2")
        assert number_in(np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGB"))) == 30
        assert vera.get(f"/api/openings/{opening}/frames/4").status_code == 404
        assert vera.get("/api/openings/777/chips").status_code == 404


def test_files_that_moved_on_the_clock_show_no_wrong_picture(review: Review) -> None:
    review.of.appliance.writer.execute("UPDATE images SET capture_time_utc = '2026-07-14T12:00:00.000Z'")
    with browser(review.client, "vera") as vera:
        answer = vera.get(f"/api/openings/{review.of.opening_ids[0]}/chips")
    assert (answer.status_code, answer.json()["code"]) == (409, "review_refused")
    assert "have changed since it was analysed" in answer.json()["message"]


def test_a_blind_tow_tells_nobody_what_is_on_it(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=4)
    with immediate(appliance.writer):  # plain rows: as of an analysis that people had worked on before the first protocol
        found = make_analysis([make_opening(1), make_opening(2)])
        record_analysis(appliance.writer, appliance.seal, blind.tow_id, found, is_sealed=False)
    opening = appliance.writer.execute("SELECT min(id) FROM tow_openings").fetchone()[0]
    with serving(appliance) as client, browser(client, "anna") as anna:
        for path in ("openings", "openings/order", "review"):
            answer = anna.get(f"/api/tows/{blind.tow_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "review_refused")
        for path in ("chips", "frames", "frames/0"):
            assert anna.get(f"/api/openings/{opening}/{path}").status_code == 404
        for page in ("review", "footage"):
            text = anna.get(f"/tows/{blind.tow_id}/{page}").text
            assert "sealed until they have signed" in text
            assert "crossed the line" not in text.lower()
        told = anna.get(f"/api/surveys/{blind.survey_id}/model").json()
        assert [one["model_systems"] for one in told["stations"]] == [None]
    appliance.close()


def test_footage_tells_what_was_read_and_what_it_came_to(review: Review) -> None:
    with browser(review.client, "vera") as vera:
        text = vera.get(f"/tows/{review.of.tow_id}/footage").text
    assert "h264 in mp4, 128 \N{MULTIPLICATION SIGN} 96" in text
    assert "a damaged part at 3.1 s" in text
    assert "1 of 4 seconds proposed as not countable" in text
    assert "seconds count from the first file" in text


def test_a_tow_without_footage_says_so(review: Review) -> None:
    with browser(review.client, "rita") as rita:
        station = rita.post(f"/api/surveys/{review.of.survey_id}/stations", json={"name": "102"}).json()["id"]
        (tow_id,) = review.of.appliance.writer.execute("SELECT id FROM tows WHERE station_id = ?", (station,)).fetchone()
        for page in ("review", "footage"):
            assert "no still and no clip is attached" in rita.get(f"/tows/{tow_id}/{page}").text


def test_the_model_beside_people(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=240)
    with immediate(appliance.writer):
        found = make_analysis([make_opening(place, crossing_s=place * 4.0) for place in range(1, 8)])
        record_analysis(appliance.writer, appliance.seal, blind.tow_id, found, is_sealed=True)
    for name in ("jd", "cl"):
        blind.sign(name, [5.0, 15.0, 25.0, 35.0, 45.0, 65.0, 75.0, 85.0])
    with serving(appliance) as client, browser(client, "rita") as rita:
        told = rita.get(f"/api/surveys/{blind.survey_id}/model").json()
        (station,) = told["as_made"]["stations"]
        assert (station["model_total"], station["people_total"], station["minutes"]) == (7, 5, [1])
        assert (told["as_made"]["totals"]["bias"], told["as_made"]["verdict"]) == (2, "too_few")
        ids = [row[0] for row in appliance.writer.execute("SELECT id FROM tow_openings ORDER BY ordinal")]
        rita.post(f"/api/tows/{blind.tow_id}/decisions", json={"openings": ids[:2], "decision": "rejected"})
        told = rita.get(f"/api/surveys/{blind.survey_id}/model").json()
        assert (told["as_made"]["totals"]["bias"], told["reviewed"]["totals"]["bias"]) == (2, 0)
        page = rita.get(f"/surveys/{blind.survey_id}/model").text
        assert "no verdict: fewer than 20 stations" in page
    appliance.close()
    result = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), "survey", "model", "CV26001", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["reviewed"]["totals"]["mae"] == 0
    missing = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), "survey", "model", "NONE", "--json"])
    assert missing.exit_code == 2


def _number(tile: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    """The number that a tile of the clip's width shows; the square reaches 16 px over the frame's upper edge."""
    square = np.asarray(Image.fromarray(tile).resize((WIDTH_PX, WIDTH_PX)))
    assert square[:12].max() < 60, "black over the frame's edge"
    return number_in(square[16:112])
