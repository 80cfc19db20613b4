"""Files that wait for a station: sealed from the start where blind surveys are kept, opened by their station or by an administrator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import CountRefusedError, DecisionRefusedError, ReasonNeededError, StoreError
from edge.store import surveys
from edge.store.analyses import record_analysis
from edge.store.comparisons import ComparedSide, NewComparison, add_comparison
from edge.store.connection import DATABASE_NAME, immediate
from edge.store.count_rounds import rounds_of
from edge.store.counts import why_not_blind
from edge.store.decisions import Decision
from edge.store.export_rows import ExportFilter, iter_files
from edge.store.jobs import lease_jobs, reprocess
from edge.store.media import detach_images
from edge.store.reads.counts import counts_of_tow
from edge.store.reads.overview import totals_by_recipe
from edge.store.runs import RunContext, record_run
from edge.store.sealed_runs import blind_tow_of_image, empty_log, seal_tow
from edge.store.waiting import late_files, seen_before, tows_seen_before, waits
from edge.survey.result import station_result
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_blind_survey
from tests.helpers.reviewable import make_analysis, make_opening
from tests.helpers.waiting import AGREEING, BOXES, VALUES, Loose, drop, reveal, tow_of
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_sealed_runs import places_of


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[BlindSurvey]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_blind_survey(appliance)
    appliance.close()


@pytest.fixture
def loose(blind: BlindSurvey) -> Loose:
    return drop(blind)


def test_what_is_found_on_files_of_no_tow_is_sealed_from_the_start(loose: Loose) -> None:
    assert loose.seen() == 0
    assert [(one.is_sealed, one.sealed_station, one.object_count) for one in loose.told()] == [(True, None, None)] * 2
    (totals,) = totals_by_recipe(loose.blind.appliance.writer)
    assert (totals.objects, totals.sealed) == (None, 240 + 2)
    listed = {one.name: (one.reason, one.detail, one.object_count) for one in iter_files(loose.blind.appliance.writer, ExportFilter())}
    assert listed["0.jpg"] == ("sealed", "until the file has come to a station", None)


def test_nothing_of_it_stands_in_the_database_file(loose: Loose) -> None:
    empty_log(loose.blind.appliance.writer)
    for path in loose.blind.appliance.home.glob("edge.db*"):
        assert places_of(VALUES, path) == 0, path
    loose.blind.appliance.waiting.free(loose.folder.folder_id, "a test of the tank", "anna")
    loose.blind.appliance.waiting.resume()
    loose.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert places_of(VALUES, loose.blind.appliance.home / DATABASE_NAME) > 0, "this is what the search would have found"


def test_without_a_protocol_everything_shows_as_before(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    folder = seed.add_station(appliance.writer, appliance.home / "drop", b"a", make=True)
    pack = seed.add_model(appliance.writer)
    with immediate(appliance.writer) as db:
        surveys.add_survey(db, "CV26009", actor="test")
        seed.done(db, folder, b"1.jpg", pack, boxes=BOXES)
    assert appliance.writer.execute("SELECT object_count FROM runs").fetchone()[0] == 2
    appliance.close()


def test_a_result_without_a_seal_is_refused(loose: Loose) -> None:
    db = loose.blind.appliance.writer
    seed.queued(db, loose.folder, b"late.jpg")
    (job,) = lease_jobs(db, seed.RECIPE, owner="test", limit=1)
    pack = seed.add_model(db, version="2.0.0")
    context = RunContext(job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id)
    with pytest.raises(StoreError, match="wait for a station"), immediate(db):
        record_run(db, context, seed.make_result(pack, BOXES), None)


def test_with_their_station_they_are_blind_and_come_back_at_its_reveal(loose: Loose) -> None:
    blind = loose.blind
    assert loose.attach(blind.tow_id) == 2
    assert loose.seen() == 0
    assert {one.sealed_station for one in loose.told()} == {"101"}
    assert why_not_blind(blind.appliance.writer, blind.tow_id) == ""
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert loose.seen() == 4
    assert [one.object_count for one in loose.told()] == [2, 2]
    rows = loose.db.execute("SELECT x_min_px, score FROM objects WHERE x_min_px IN (101.125, 11.3125) ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [(101.125, 0.6875), (11.3125, 0.53125)] * 2
    assert station_result(blind.appliance.writer, blind.tow_id).systems == 4.0


def test_a_tow_that_was_shown_shows_nothing_that_comes_later(loose: Loose) -> None:
    """Nobody reads a file by lending it to a station whose counts are open, and giving it to its own afterwards."""
    blind = loose.blind
    shown, own = tow_of(blind, "102"), tow_of(blind, "103")
    reveal(blind, shown)
    assert loose.attach(shown) == 2
    assert loose.seen() == 0
    assert late_files(blind.appliance.writer, shown) == 2
    assert station_result(blind.appliance.writer, shown).openings is None
    loose.attach(own)
    assert loose.seen() == 0
    assert {one.sealed_station for one in loose.told()} == {"103"}
    assert why_not_blind(blind.appliance.writer, own) == ""
    assert blind_tow_of_image(blind.appliance.writer, loose.image_ids[0]) is not None


def test_an_administrator_shows_files_that_came_later_with_a_reason(loose: Loose) -> None:
    blind = loose.blind
    shown = tow_of(blind, "102")
    reveal(blind, shown)
    loose.attach(shown)
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.release(shown, blind.person("rita"), "to see it")
    with pytest.raises(CountRefusedError, match="needs a reason"):
        blind.desk.release(shown, blind.person("anna"), " ")
    assert blind.desk.release(shown, blind.person("anna"), "the second card of the same tow") == 2
    assert loose.seen() == 4
    assert late_files(blind.appliance.writer, shown) == 0
    (told,) = blind.appliance.writer.execute("SELECT detail_json FROM audit WHERE action = 'late_files_release'").fetchone()
    assert "the second card of the same tow" in told
    assert blind.appliance.writer.execute("SELECT count(*) FROM releases").fetchone()[0] == 0, "its counts were blind and stay so"


def test_later_counts_of_a_shown_tow_open_nothing_that_came_later(loose: Loose) -> None:
    """A reviewer who lends files to a station, counts it once more and signs, sees nothing."""
    blind = loose.blind
    blind.sign("jd", AGREEING)
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    loose.attach(blind.tow_id, reason="they are of this station")
    blind.sign("rita", AGREEING)
    assert loose.seen() == 0


def test_in_a_new_round_late_files_are_as_blind_as_the_others(loose: Loose) -> None:
    blind = loose.blind
    shown = tow_of(blind, "102")
    reveal(blind, shown)
    loose.attach(shown)
    blind.desk.new_round(shown, blind.person("anna"), "counted anew")
    assert {one.sealed_station for one in loose.told()} == {"102"}
    blind.desk.release(shown, blind.person("anna"), "an invalid station")
    assert loose.seen() == 4


def test_a_tow_of_a_survey_without_rules_shows_nothing_until_rules_came_and_counts_were_shown(loose: Loose) -> None:
    blind = loose.blind
    tow_id = tow_of(blind, "900", survey="NEXT", rules=False)
    loose.attach(tow_id)
    assert (loose.seen(), {one.sealed_station for one in loose.told()}) == (0, {None})
    (survey_id,) = loose.db.execute("SELECT id FROM surveys WHERE name = 'NEXT'").fetchone()
    rules = {name: str(value) for name, value in RULES.items()}
    blind.appliance.sheets.set_protocol(survey_id, rules, reason="manual", actor="rita")
    assert {one.sealed_station for one in loose.told()} == {"900"}
    blind.desk.release(tow_id, blind.person("anna"), "an invalid station")
    assert loose.seen() == 4


RULES = {
    "first_minute": 1,
    "last_minute": 2,
    "minute_rule": "drop_minute",
    "line_height": 0.83,
    "edge_rule": "any_opening_inside",
    "counters": 2,
    "min_mean_per_minute": 0.5,
    "ccc_limit": 0.5,
}


def test_files_that_the_machines_own_command_names_go_with_a_shown_station(loose: Loose) -> None:
    shown = tow_of(loose.blind, "102")
    reveal(loose.blind, shown)
    media = loose.blind.appliance.media
    media.take_folder_for(loose.folder.path_bytes.decode(), shown)
    media.step()
    assert loose.seen() == 4


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Loose]:
    """Files that were processed before there was any survey, and a station of the first survey."""
    appliance = SimulatedAppliance(tmp_path / "home")
    folder = seed.add_station(appliance.writer, appliance.home / "drop", b"early", make=True)
    pack = seed.add_model(appliance.writer)
    with immediate(appliance.writer) as db:
        found = [seed.done(db, folder, b"%d.jpg" % number, pack, boxes=BOXES).image_id for number in range(2)]
    ids = [row[0] for row in appliance.writer.execute("SELECT id FROM sightings ORDER BY id")]
    blind = make_blind_survey(appliance)
    yield Loose(blind=blind, folder=folder, file_ids=tuple(ids), image_ids=tuple(found))
    appliance.close()


def test_what_was_seen_before_the_first_rules_shows_until_it_belongs_to_a_station(seen: Loose) -> None:
    db = seen.blind.appliance.writer
    assert seen.seen() == 4
    with immediate(db):
        reprocess(db, seed.RECIPE, sighting_ids=list(seen.file_ids[:1]))
        (job,) = lease_jobs(db, seed.RECIPE, owner="test", limit=1)
        (model_id,) = db.execute("SELECT min(id) FROM models").fetchone()
    pack = seed.add_model(db, version="3.0.0")
    context = RunContext(job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=model_id)
    with immediate(db):
        record_run(db, context, seed.make_result(pack, BOXES), None, seal=seen.blind.appliance.seal)
    assert seen.seen() == 6
    seen.attach(seen.blind.tow_id)
    assert seen.seen() == 0


def test_counts_of_a_station_with_files_that_were_seen_are_not_blind(seen: Loose) -> None:
    blind, db = seen.blind, seen.blind.appliance.writer
    seen.attach(blind.tow_id)
    found = seen_before(db, blind.tow_id)
    assert found is not None
    assert found.files == 2
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert all("what models found on 2 files of the tow could be read until" in one.not_blind for one in counts_of_tow(db, blind.tow_id))
    result = station_result(db, blind.tow_id)
    assert (result.systems, result.density_raw_per_m2) == (None, None)


def test_a_new_round_lets_a_station_that_was_seen_be_counted_and_says_so(seen: Loose) -> None:
    blind, db = seen.blind, seen.blind.appliance.writer
    seen.attach(blind.tow_id)
    assert blind.desk.new_round(blind.tow_id, blind.person("anna"), "nobody has looked at them") == 0
    assert seen_before(db, blind.tow_id) is None
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    result = station_result(db, blind.tow_id)
    assert result.systems == 4.0
    assert any("nobody has looked at them" in one for one in result.flags)


def test_a_review_from_before_a_new_round_does_not_make_later_files_seen(loose: Loose) -> None:
    """What people had decided about stays as it was; the round says that it was seen."""
    blind, db = loose.blind, loose.blind.appliance.writer
    with immediate(db):
        record_analysis(db, blind.appliance.seal, blind.tow_id, make_analysis([make_opening(1)]), is_sealed=True)
    blind.desk.release(blind.tow_id, blind.person("anna"), "by mistake")
    blind.appliance.reviews.decide(blind.tow_id, [row[0] for row in db.execute("SELECT id FROM tow_openings")], "accepted", "rita")
    blind.desk.new_round(blind.tow_id, blind.person("anna"), "nobody has looked")
    assert db.execute("SELECT count(*) FROM tow_openings").fetchone()[0] == 1
    loose.attach(blind.tow_id)
    assert why_not_blind(db, blind.tow_id) == ""


def test_a_reviewed_analysis_from_before_the_rules_makes_counts_not_blind(loose: Loose) -> None:
    blind, db = loose.blind, loose.blind.appliance.writer
    with immediate(db):
        record_analysis(db, blind.appliance.seal, blind.tow_id, make_analysis([make_opening(1)]), is_sealed=False)
        seal_tow(db, blind.appliance.seal, blind.tow_id)
    assert "240 files" in why_not_blind(db, blind.tow_id)


def test_all_tows_of_a_survey_that_were_seen_are_counted_blind_at_once_but_not_those_that_somebody_counts(seen: Loose) -> None:
    blind, db = seen.blind, seen.blind.appliance.writer
    other = tow_of(blind, "102")
    media = blind.appliance.media
    media.attach_files(blind.tow_id, list(seen.file_ids[:1]), "rita")
    media.attach_files(other, list(seen.file_ids[1:]), "rita")
    blind.save("jd", AGREEING)
    assert tows_seen_before(db, blind.survey_id) == [other]
    with pytest.raises(CountRefusedError, match="only an administrator"):
        blind.desk.new_rounds(blind.survey_id, blind.person("rita"), "they have not looked")
    assert blind.desk.new_rounds(blind.survey_id, blind.person("anna"), "they have not looked") == 1
    assert (why_not_blind(db, other), len(rounds_of(db, other)), len(rounds_of(db, blind.tow_id))) == ("", 1, 0)
    with pytest.raises(CountRefusedError, match="no tow of this survey"):
        blind.desk.new_rounds(blind.survey_id, blind.person("anna"), "again")


def test_that_files_were_seen_goes_with_them_to_another_station(seen: Loose) -> None:
    other = tow_of(seen.blind, "102")
    seen.attach(seen.blind.tow_id)
    seen.attach(other)
    assert why_not_blind(seen.blind.appliance.writer, seen.blind.tow_id) == ""
    assert "2 files" in why_not_blind(seen.blind.appliance.writer, other)


def test_a_count_that_is_open_when_seen_files_come_is_not_blind_any_more(seen: Loose) -> None:
    blind, db = seen.blind, seen.blind.appliance.writer
    blind.save("jd", AGREEING)
    with pytest.raises(ReasonNeededError):
        seen.attach(blind.tow_id)
    seen.attach(blind.tow_id, reason="the first card")
    (mine,) = counts_of_tow(db, blind.tow_id)
    assert "could be read before they were attached" in mine.not_blind


def test_two_models_are_not_compared_on_waiting_files(loose: Loose) -> None:
    side = ComparedSide(model_id=1, variant="onnx-fp32", device="CPU", score_threshold=0.25)
    new = NewComparison(recipe=seed.RECIPE, a=side, b=side, files_chosen="these", file_ids=loose.file_ids, actor="rita")
    with pytest.raises(CountRefusedError, match="blind"), immediate(loose.blind.appliance.writer) as db:
        add_comparison(db, new)


def test_nothing_is_decided_about_waiting_files(loose: Loose) -> None:
    run = loose.told()[0].run_uuid
    assert run is not None
    decision = Decision(uuid="0" * 32, object_id=1, added_uuid=None, decision="confirmed", label=None, box=None)
    with pytest.raises(DecisionRefusedError):
        loose.blind.appliance.boxes.decide(run, [decision], revision=0, reviewed=False, decided_by="rita", actor="rita")


def test_sealing_a_tow_twice_remembers_nothing_new(loose: Loose) -> None:
    db, blind = loose.blind.appliance.writer, loose.blind
    loose.attach(blind.tow_id)
    with immediate(db):
        assert seal_tow(db, blind.appliance.seal, blind.tow_id) == 0
    assert seen_before(db, blind.tow_id) is None


def lend_and_lend_on(loose: Loose) -> None:
    """A reviewer moves them on to a survey that has no rules."""
    loose.attach(loose.blind.tow_id, reason="they are of this one")
    loose.attach(tow_of(loose.blind, "900", survey="NEXT", rules=False), reason="they are not")


def correct_the_clock(loose: Loose) -> None:
    """They are of no tow any more, as where a camera's offset or folders are put right."""
    loose.attach(loose.blind.tow_id, reason="they are of this one")
    with immediate(loose.db):
        assert detach_by_rule(loose) == 2


def lend_and_give_to_a_shown_one(loose: Loose) -> None:
    """They come late to a tow whose counts were shown."""
    loose.attach(loose.blind.tow_id, reason="they are of this one")
    shown = tow_of(loose.blind, "102")
    reveal(loose.blind, shown)
    loose.attach(shown, reason="of that one")


def detach_by_rule(loose: Loose) -> int:
    loose.db.execute("UPDATE tow_images SET how = 'time' WHERE how = 'hand'")
    return detach_images(loose.db, list(loose.image_ids), actor="media")


@pytest.mark.parametrize("leave", [lend_and_lend_on, correct_the_clock, lend_and_give_to_a_shown_one])
def test_the_reveal_of_a_tow_that_they_left_opens_nothing_of_files_that_wait(loose: Loose, leave: Callable[[Loose], None]) -> None:
    """Their own station is not counted yet; its counts are blind, and at its reveal they come back."""
    blind = loose.blind
    leave(loose)
    blind.sign("jd", AGREEING)
    blind.sign("cl", AGREEING)
    assert (loose.seen(), {(one.is_sealed, one.sealed_station) for one in loose.told()}) == (0, {(True, None)})
    own = tow_of(blind, "103")
    loose.attach(own, reason="their own station")
    assert why_not_blind(blind.appliance.writer, own) == ""
    assert (loose.seen(), {one.sealed_station for one in loose.told()}) == (0, {"103"})
    blind.desk.release(own, blind.person("anna"), "an invalid station")
    assert loose.seen() == 4


def test_what_is_found_on_them_after_that_reveal_is_sealed_too(loose: Loose) -> None:
    lend_and_lend_on(loose)
    loose.blind.sign("jd", AGREEING)
    loose.blind.sign("cl", AGREEING)
    look_again(loose)
    assert (loose.seen(), loose.db.execute("SELECT count(*) FROM sealed_runs WHERE tow_id IS NULL").fetchone()[0]) == (0, 4)


def look_again(loose: Loose) -> None:
    """The next model looks at them."""
    pack = seed.add_model(loose.db, version="4.0.0")
    with immediate(loose.db):
        reprocess(loose.db, seed.RECIPE, sighting_ids=list(loose.file_ids))
        for job in lease_jobs(loose.db, seed.RECIPE, owner="test", limit=20):
            context = RunContext(
                job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id
            )
            assert record_run(loose.db, context, seed.make_result(pack, BOXES), None, seal=loose.blind.appliance.seal)


def test_a_result_of_another_recipe_does_not_end_the_waiting(blind: BlindSurvey) -> None:
    db = blind.appliance.writer
    folder = seed.add_station(db, blind.appliance.home / "drop", b"fish", recipe="fish", make=True)
    with immediate(db):
        image_id = seed.done(db, folder, b"1.jpg", seed.add_model(db, version="1.0.1"), boxes=BOXES).image_id
    assert db.execute("SELECT object_count FROM runs WHERE image_id = ?", (image_id,)).fetchone()[0] == 2
    assert waits(db, image_id)
