"""Files that leave a blind tow stay as blind as it is: by hand, by the sheet, by a camera, by a second survey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import CountRefusedError
from edge.store import surveys
from edge.store.analyses import NewAnalysis, record_analysis
from edge.store.comparisons import ComparedSide, NewComparison, add_comparison
from edge.store.connection import immediate
from edge.store.jobs import lease_jobs, reprocess
from edge.store.media import detach_images
from edge.store.reads.comparisons import newest_files
from edge.store.reads.files import files_by_id
from edge.store.runs import RunContext, record_run
from edge.store.sealed_runs import blind_tow_of_image, holds_blind_files, release_tow
from edge.store.waiting import waits
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_blind_survey, make_protocol
from tests.simulators.appliance import SimulatedAppliance

AGREEING = [5.0, 15.0, 65.0]


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield appliance
    appliance.close()


@pytest.fixture
def blind(appliance: SimulatedAppliance) -> BlindSurvey:
    return make_blind_survey(appliance, stills=4)


def seen(blind: BlindSurvey) -> int:
    """How many objects stand in plain rows."""
    (found,) = blind.appliance.writer.execute("SELECT count(*) FROM objects").fetchone()
    return int(found)


def other_tow(blind: BlindSurvey, name: str, *, rules: bool) -> int:
    """A tow of another survey: blind where that has rules."""
    with immediate(blind.appliance.writer) as db:
        survey_id = surveys.add_survey(db, f"SURVEY-{name}", actor="test")
        if rules:
            surveys.add_protocol(db, survey_id, make_protocol(counters=1), reason="manual", actor="test")
        station_id = surveys.add_station(db, survey_id, name, actor="test")
        (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    return int(tow_id)


def sign_both(blind: BlindSurvey) -> None:
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)


def test_moved_to_a_tow_without_rules_nothing_opens_and_the_reveal_of_the_old_one_opens_nothing(blind: BlindSurvey) -> None:
    free = other_tow(blind, "900", rules=False)
    assert blind.appliance.media.attach_files(free, list(blind.file_ids), "rita") == 4
    assert seen(blind) == 0
    found = blind_tow_of_image(blind.appliance.writer, blind.image_ids[0])
    assert found is not None
    assert found.station == "101"
    sign_both(blind)
    assert seen(blind) == 0
    assert blind_tow_of_image(blind.appliance.writer, blind.image_ids[0]) is None
    assert waits(blind.appliance.writer, blind.image_ids[0])


def test_what_is_found_later_on_files_that_left_is_sealed_too(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    with immediate(db):
        db.execute("UPDATE tow_images SET how = 'time'")
        detach_images(db, blind.image_ids, actor="media")
        reprocess(db, seed.RECIPE, sighting_ids=list(blind.file_ids[:1]))
        (job,) = lease_jobs(db, seed.RECIPE, owner="test", limit=1)
    pack = seed.add_model(db)
    context = RunContext(job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id)
    with immediate(db):
        record_run(db, context, seed.make_result(pack, [(1, 2, 30, 40, 0.7, 0)]), None, seal=blind.appliance.seal)
    assert seen(blind) == 0
    assert {one.sealed_station for one in files_by_id(db, list(blind.file_ids))} == {"101"}
    blind.appliance.media.attach_files(blind.tow_id, list(blind.file_ids), "rita")
    sign_both(blind)
    assert seen(blind) == 4 * 3 + 1


def test_two_models_are_not_compared_on_files_that_left(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    with immediate(db):
        db.execute("UPDATE tow_images SET how = 'time'")
        detach_images(db, blind.image_ids, actor="media")
    assert newest_files(db, seed.RECIPE, limit=9) == []
    side = ComparedSide(model_id=seed.add_model(db, serves=None).model_id, variant="onnx-fp32", device="CPU", score_threshold=0.25)
    new = NewComparison(recipe=seed.RECIPE, a=side, b=side, files_chosen="chosen", file_ids=blind.file_ids[:2], actor="test")
    with pytest.raises(CountRefusedError, match="2 files belong"), immediate(db):
        add_comparison(db, new)


@pytest.mark.parametrize("first", ["old", "new"])
def test_between_blind_tows_both_have_to_be_revealed(blind: BlindSurvey, first: str) -> None:
    """One counter alone signs a tow of a survey of their own: that opens nothing of the tow that the files came from."""
    appliance = blind.appliance
    theirs = other_tow(blind, "901", rules=True)
    appliance.media.attach_files(theirs, list(blind.file_ids), "rita")
    mine = BlindSurvey(
        appliance=appliance,
        survey_id=0,
        station_id=0,
        tow_id=theirs,
        image_ids=blind.image_ids,
        file_ids=blind.file_ids,
        values=blind.values,
    )
    steps: list[Callable[[], object]] = [lambda: sign_both(blind), lambda: mine.sign("rita", AGREEING)]
    for step in steps if first == "old" else reversed(steps):
        assert seen(blind) == 0
        step()
    assert seen(blind) == 4 * 3


def test_back_again_is_one_tow(blind: BlindSurvey) -> None:
    free = other_tow(blind, "902", rules=False)
    for tow_id in (free, blind.tow_id):
        blind.appliance.media.attach_files(tow_id, list(blind.file_ids), "rita")
    sign_both(blind)
    assert seen(blind) == 4 * 3


def test_rules_that_come_to_the_new_tow_keep_them_sealed(blind: BlindSurvey) -> None:
    free = other_tow(blind, "903", rules=False)
    blind.appliance.media.attach_files(free, list(blind.file_ids), "rita")
    (survey_id,) = blind.appliance.writer.execute(
        "SELECT s.survey_id FROM stations AS s JOIN tows AS t ON t.station_id = s.id WHERE t.id = ?", (free,)
    ).fetchone()
    with immediate(blind.appliance.writer) as db:
        surveys.add_protocol(db, survey_id, make_protocol(), reason="manual", actor="test")
    sign_both(blind)
    assert seen(blind) == 0
    assert {one.sealed_station for one in files_by_id(blind.appliance.writer, list(blind.file_ids))} == {"903"}


def test_a_release_opens_what_no_other_blind_tow_holds(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    theirs = other_tow(blind, "904", rules=True)
    blind.appliance.media.attach_files(theirs, list(blind.file_ids[:1]), "rita")
    with immediate(db):
        assert release_tow(db, blind.appliance.seal, blind.tow_id, "an invalid station", actor="anna") == 3
    assert seen(blind) == 3 * 3
    told = db.execute("SELECT actor, detail_json FROM audit WHERE action = 'results_release'").fetchone()
    assert told[0] == "anna"
    assert "an invalid station" in told[1]
    with immediate(db):
        assert release_tow(db, blind.appliance.seal, theirs, "a mistake", actor="anna") == 1
    assert seen(blind) == 4 * 3


def test_what_is_found_along_a_tow_waits_for_the_tows_that_its_files_came_from(blind: BlindSurvey) -> None:
    db, seal = blind.appliance.writer, blind.appliance.seal
    free = other_tow(blind, "905", rules=False)
    blind.appliance.media.attach_files(free, list(blind.file_ids[:1]), "rita")
    assert holds_blind_files(db, free)
    made = NewAnalysis(made_from="{}", made_from_sha256="0" * 64, model_id=None, tracker="test", state="done", systems=12.5, openings=40.0)
    with immediate(db):
        record_analysis(db, seal, free, made, is_sealed=holds_blind_files(db, free))
    assert tuple(db.execute("SELECT openings, systems FROM tow_analyses").fetchone()) == (None, None)
    sign_both(blind)
    assert holds_blind_files(db, free), "its files wait for a station of their own"
    assert tuple(db.execute("SELECT openings, systems FROM tow_analyses").fetchone()) == (None, None)
    (folder_id,) = db.execute("SELECT folder_id FROM sightings WHERE id = ?", (blind.file_ids[0],)).fetchone()
    blind.appliance.waiting.free(folder_id, "a test of the tank", "anna")
    blind.appliance.waiting.resume()
    assert not holds_blind_files(db, free)
    assert tuple(db.execute("SELECT openings, systems FROM tow_analyses").fetchone()) == (40.0, 12.5)


def test_a_revealed_tow_keeps_sealed_what_was_found_with_files_of_another(blind: BlindSurvey) -> None:
    db, seal = blind.appliance.writer, blind.appliance.seal
    theirs = other_tow(blind, "906", rules=True)
    blind.appliance.media.attach_files(theirs, list(blind.file_ids[:1]), "rita")
    blind.appliance.media.attach_files(blind.tow_id, list(blind.file_ids[:1]), "rita")
    made = NewAnalysis(made_from="{}", made_from_sha256="0" * 64, model_id=None, tracker="test", state="done", systems=12.5)
    with immediate(db):
        record_analysis(db, seal, blind.tow_id, made, is_sealed=holds_blind_files(db, blind.tow_id))
    sign_both(blind)
    assert db.execute("SELECT systems FROM tow_analyses").fetchone()[0] is None
    with immediate(db):
        release_tow(db, seal, theirs, "a mistake", actor="anna")
    assert db.execute("SELECT systems FROM tow_analyses").fetchone()[0] == 12.5
