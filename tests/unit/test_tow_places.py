"""Where the clips of a tow lie is part of what an analysis is made from: what moves them is noticed, and nothing is shown meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import ReviewRefusedError
from edge.store.connection import immediate
from edge.store.reads.footage import analysis_of_tow, clips_of_tow, footage_states, stills_of_tow
from edge.store.reads.surveys import tow
from edge.survey.miss_gate import footage_key
from edge.survey.review_places import places_of
from edge.survey.tow_desk import sources_of
from tests.helpers.reviewable import Reviewable, make_reviewable, see_again
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def of(tmp_path: Path) -> Iterator[Reviewable]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_reviewable(appliance)
    appliance.close()


def another_camera(of: Reviewable) -> None:
    db = of.appliance.writer
    db.execute("INSERT INTO cameras (survey_id, name) VALUES (?, 'SD')", (of.survey_id,))
    db.execute("UPDATE tow_images SET camera_id = (SELECT max(id) FROM cameras)")


def another_end(of: Reviewable) -> None:
    of.appliance.writer.execute("UPDATE tows SET end_utc = '2026-11-21T12:10:00.000Z' WHERE id = ?", (of.tow_id,))


def another_name(of: Reviewable) -> None:
    see_again(of.appliance.writer, of.tow_id, "GX020042.MP4")


@pytest.mark.parametrize("change", [another_camera, another_end, another_name])
def test_what_may_move_a_clip_is_noticed_and_nothing_is_shown_meanwhile(of: Reviewable, change: Callable[[Reviewable], None]) -> None:
    db = of.appliance.writer
    before = footage_states(db, of.tow_id)
    analysis = analysis_of_tow(db, of.tow_id)
    assert analysis is not None
    assert places_of(db, of.tow_id, analysis).pieces
    with immediate(db):
        change(of)
    assert footage_states(db, of.tow_id) != before, "the desk looks at the tow again"
    with pytest.raises(ReviewRefusedError, match="changed since it was analysed"):
        places_of(db, of.tow_id, analysis)


def test_another_place_is_another_source_and_other_minutes(of: Reviewable) -> None:
    """Two chapters; then the first is found to be of another camera: the second has no place any more."""
    db = of.appliance.writer
    line = tow(db, of.tow_id)
    assert line is not None
    (one,) = clips_of_tow(db, of.tow_id)
    begun = line._replace(start_utc="2026-11-21T12:00:00.000Z")
    first = one._replace(name="GX010042.MP4", seen_json="[]", at_s=0.0, image_id=101)
    second = first._replace(name="GX020042.MP4", image_id=102)
    assert stills_of_tow(db, of.tow_id) == ()
    told = sources_of(begun, (first, second), ())
    apart = sources_of(begun, (first._replace(folder_id=99), second), ())
    assert told["places"] == [[None, 0, 0.0], [None, 0, pytest.approx(4.0, abs=0.2)]]
    assert apart["places"][1][1:] == [1, None]
    assert {**told, "places": None} == {**apart, "places": None}
    assert footage_key(json.dumps(told)) != footage_key(json.dumps(apart))


def test_every_file_of_a_clip_is_told_wherever_it_lies(of: Reviewable) -> None:
    db = of.appliance.writer
    (one,) = clips_of_tow(db, of.tow_id)
    see_again(db, of.tow_id, "a copy.mp4")
    (again,) = clips_of_tow(db, of.tow_id)
    assert json.loads(one.seen_json) == [[one.folder_id, "tow.mp4"]]
    assert sorted(json.loads(again.seen_json)) == [[one.folder_id, "a copy.mp4"], [one.folder_id, "tow.mp4"]]
    line = tow(db, of.tow_id)
    assert line is not None
    other = again._replace(image_id=102, name="tow_002.mp4", seen_json="[]", camera_id=None)
    assert sources_of(line, (again, other), ())["places"][1][1] == 0, "one folder is enough, whichever file was seen last"
