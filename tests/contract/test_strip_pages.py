"""The frame strip over HTTP: the page with its marks, what a blind tow shows of it, its tiles, the frame of a moment, one picture."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import numpy as np
import pytest
from PIL import Image

from edge.footage import StripMoment, StripTile
from edge.store.analyses import record_analysis
from edge.store.connection import immediate
from edge.store.strips import add_strip
from models.runtime.vision import cv2
from tests.helpers.clips import number_in
from tests.helpers.counted import make_blind_survey
from tests.helpers.people import browser, make_people
from tests.helpers.reviewable import Reviewable, make_analysis, make_opening, make_reviewable
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

COLUMNS, HEIGHT = 100, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    of: Reviewable
    client: httpx.Client

    @property
    def api(self) -> str:
        return f"/api/tows/{self.of.tow_id}/strip"


def _tile(first_s: float, source: Literal["registered", "carried"] = "registered") -> StripTile:
    """Two seconds of seabed, 50 columns in each; grey as bright as its first second."""
    jpeg = cv2.imencode(".jpg", np.full((HEIGHT, COLUMNS, 3), 60 + round(20 * first_s), np.uint8))[1].tobytes()
    moments = tuple(StripMoment(first_s + step / 6, COLUMNS * step / 12, source) for step in range(12))
    return StripTile(columns=COLUMNS, width_px=HEIGHT, px_per_column=2.0, jpeg=jpeg, moments=moments)


@pytest.fixture
def stripped(tmp_path: Path) -> Iterator[Stripped]:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance)
    make_people(appliance)
    _lay_strip(appliance)
    with serving(appliance) as client:
        yield Stripped(of=of, client=client)
        appliance.close()


def _lay_strip(appliance: SimulatedAppliance) -> None:
    with immediate(appliance.writer):
        (reading_id,) = appliance.writer.execute("SELECT id FROM readings WHERE is_current = 1").fetchone()
        add_strip(appliance.writer, reading_id, 0, [_tile(0.0), _tile(2.0, "carried")])


def test_the_page_shows_moments_and_marks_where_they_may_be_seen(stripped: Stripped) -> None:
    with browser(stripped.client, "vera") as vera:
        page = vera.get(f"/tows/{stripped.of.tow_id}/strip").text
        footage = vera.get(f"/tows/{stripped.of.tow_id}/footage").text
    assert f'href="/tows/{stripped.of.tow_id}/strip"' in footage
    assert page.count('class="strip-tile"') == 2
    assert "minute 1" in page
    assert page.count('class="strip-hidden"') == 2, "the second proposed as not countable, and the key"
    assert page.count('class="strip-opening undecided" d="M') == 2 + 1, "in both tiles, and in the key"
    assert page.count('class="strip-opening doubtful" d="M') == 1 + 1, "the one of 0.30"
    assert "the 5 openings that crossed the line" in page
    assert "the motion before is carried on" in page
    assert "None" not in page


def test_marks_lie_at_the_moment_and_place_of_the_crossing(stripped: Stripped) -> None:
    with browser(stripped.client, "rita") as rita:
        rita.post(f"/api/tows/{stripped.of.tow_id}/decisions", json={"openings": [stripped.of.opening_ids[0]], "decision": "rejected"})
        page = rita.get(f"/tows/{stripped.of.tow_id}/strip").text
    path = re.findall(r'class="strip-opening rejected" d="([^"]*)"', page)[0]
    ((x, y),) = [(float(one), float(other)) for one, other in re.findall(r"^M(-?\d+) (-?\d+)a", path)]
    assert x + 20 == pytest.approx(0.5 * 50, abs=1), "it crossed at 0.5 s"
    assert y == pytest.approx(64 / 2, abs=1), "64 px of the frame, 2 px to a column"


def test_marks_of_another_clock_are_not_drawn(stripped: Stripped) -> None:
    """Another line on the sheet: until the tow is analysed anew its marks would lie on other seabed."""
    with immediate(stripped.of.appliance.writer) as db:
        db.execute("UPDATE tows SET start_utc = '2026-11-21T12:00:00.000Z' WHERE id = ?", (stripped.of.tow_id,))
        db.execute("UPDATE tow_images SET at_s = 0.5")
    with browser(stripped.client, "vera") as vera:
        page = vera.get(f"/tows/{stripped.of.tow_id}/strip").text
    assert page.count('class="strip-tile"') == 2
    assert "strip-opening" not in page
    assert "strip-hidden" not in page
    assert "have changed since it was analysed: it is analysed anew by itself" in page


def test_the_api_tells_which_moment_a_column_shows(stripped: Stripped) -> None:
    with browser(stripped.client, "vera") as vera:
        told = vera.get(stripped.api).json()
        tiles = [vera.get(f"{stripped.api}/tiles/{one['id']}") for one in told["tiles"]]
        nothing = vera.get(f"{stripped.api}/tiles/999")
        elsewhere = vera.get(f"/api/tows/99/strip/tiles/{told['tiles'][0]['id']}")
    assert (told["columns"], [one["from_column"] for one in told["tiles"]]) == (200, [0, 100])
    assert told["tiles"][1]["from_s"] == pytest.approx(2.0)
    assert dict(map(tuple, told["times"]))[3.0] == 150
    assert [(one[0], one[1]) for one in told["stretches"]] == [("motion carried on", pytest.approx(11 / 6))]
    assert [Image.open(io.BytesIO(one.content)).size for one in tiles] == [(COLUMNS, HEIGHT)] * 2
    assert (nothing.status_code, elsewhere.status_code) == (404, 404)


def test_a_moment_gives_its_frame(stripped: Stripped) -> None:
    with browser(stripped.client, "vera") as vera:
        answers = {at_s: vera.get(f"{stripped.api}/frame", params={"at_s": at_s}) for at_s in (0.0, 2.0, 3.4)}
        outside = vera.get(f"{stripped.api}/frame", params={"at_s": 60})
    for at_s, answer in answers.items():
        assert answer.status_code == 200, answer.text
        shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert number_in(np.asarray(shown, np.uint8)) == round(at_s * 25)
    assert outside.status_code == 404


@pytest.mark.parametrize(("kind", "media"), [("jpeg", "image/jpeg"), ("png", "image/png")])
def test_the_strip_goes_out_as_one_picture(stripped: Stripped, kind: str, media: str) -> None:
    with browser(stripped.client, "vera") as vera:
        answer = vera.get(f"{stripped.api}/picture", params={"kind": kind})
        refused = vera.get(f"{stripped.api}/picture", params={"kind": "gif"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))
    line = picture[44 + 24 + 10]
    assert (line[10:30].mean(), line[40:60].mean()) == (pytest.approx(60, abs=3), pytest.approx(100, abs=3))
    assert line[80:].mean() > 250, "behind the end of the tow it is white"
    assert refused.status_code == 422


def test_a_tow_that_is_counted_blind_shows_its_strip_and_no_mark(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_reviewable(appliance)
    _lay_strip(appliance)
    appliance.writer.execute("UPDATE surveys SET name = 'OTHER'")
    blind = make_blind_survey(appliance, stills=4)
    with immediate(appliance.writer):
        appliance.writer.execute("UPDATE tow_images SET tow_id = ? WHERE image_id IN (SELECT image_id FROM clips)", (blind.tow_id,))
        record_analysis(appliance.writer, appliance.seal, blind.tow_id, make_analysis([make_opening(1)]), is_sealed=False)
    with serving(appliance) as client, browser(client, "jd") as jd:
        page = jd.get(f"/tows/{blind.tow_id}/strip").text
        told = jd.get(f"/api/tows/{blind.tow_id}/strip").json()
    appliance.close()
    assert page.count('class="strip-tile"') == 2
    assert len(told["tiles"]) == 2
    assert "strip-opening" not in page
    assert "strip-hidden" not in page
    assert "No marks of the analysis" in page


def test_a_tow_without_a_strip_says_why(stripped: Stripped) -> None:
    appliance = stripped.of.appliance
    with immediate(appliance.writer):
        appliance.writer.execute("DELETE FROM strip_tiles")
    with browser(stripped.client, "vera") as vera:
        page = vera.get(f"/tows/{stripped.of.tow_id}/strip").text
        picture = vera.get(f"{stripped.api}/picture")
        assert vera.get("/tows/99/strip").status_code == 404
    assert "reprocess it" in page
    assert (picture.status_code, picture.json()["code"]) == (409, "review_refused")
