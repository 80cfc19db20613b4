"""What EcoTaxa makes of a push: collisions, additions, questions, failures; every end is told as what it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edge.errors import SettingsError
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import KEYS, SAMPLE, SCAN, rows_of, table, write_zip
from tests.simulators.ecotaxa import Server
from tests.simulators.ecotaxa_world import FOREIGN_PROJECT, PROJECT, USER, World

IDS = {f"{SCAN}_{key}" for key in KEYS}
IMPORT = r"POST /file_import/"
UPLOAD = r"POST /user_files/$"


def imported(world: World) -> set[str]:
    return set(world.projects[PROJECT].objects)


def archive_with(ship: EcotaxaHome, **changes: str) -> None:
    """The export makes an archive with these values in every row."""

    def make(scan_id: int, folder: Path) -> Path:
        made = ship.make_archive(scan_id, folder)
        rows = [{**row, **changes} for row in rows_of()]

        with zipfile.ZipFile(made) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        return write_zip(made, {**files, f"ecotaxa_{SCAN}.tsv": table(rows)})

    ship.desk = ship.new_desk(make_archive=make)


def test_a_project_without_rights_or_that_is_not_there_fails_at_once(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    foreign = ship.run(ship.desk.push(SCAN, "rita", project_id=FOREIGN_PROJECT))
    absent = ship.run(ship.desk.push(SCAN, "rita", project_id=999))
    assert (foreign.state, absent.state) == ("failed", "failed")
    assert "403" in foreign.detail
    assert "404" in absent.detail
    assert server.count(UPLOAD) == 0, "what is refused is refused before the archive goes over the link"
    assert world.logins == 1


def test_objects_that_are_there_are_never_brought_twice(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    assert ship.run(ship.desk.push(SCAN, "rita")).state == "done"
    again = ship.run(ship.desk.push(SCAN, "rita"))
    assert again.state == "failed"
    assert "3 of 3 objects" in again.detail
    assert "--update" in again.detail
    assert server.count(UPLOAD) == 1
    assert imported(world) == IDS


def test_after_a_separation_new_objects_are_added_and_old_ones_told(ship: EcotaxaHome, world: World) -> None:
    scan_id = ship.add_scan()
    assert ship.run(ship.desk.push(SCAN, "rita")).state == "done"
    parts = (*KEYS[1:], "x3A0y1F4w2Ch77", "x3CCy1F4w30h77")
    ship.keys[scan_id] = (SCAN, parts, SAMPLE)
    update = ship.run(ship.desk.push(SCAN, "rita", mode="update"))
    assert update.state == "failed"
    assert "--add first" in update.detail
    added = ship.run(ship.desk.push(SCAN, "rita", mode="add"))
    assert added.state == "done", added.detail
    assert added.detail == "4 objects are in project 42; 1 of this scan are there that it has no more"
    assert added.report is not None
    assert added.report["older"]["ids"] == [f"{SCAN}_{KEYS[0]}"]
    assert imported(world) == IDS | {f"{SCAN}_{key}" for key in parts}
    assert "nothing to add" in ship.run(ship.desk.push(SCAN, "rita", mode="add")).detail


def test_an_update_writes_measures_anew(ship: EcotaxaHome, world: World) -> None:
    ship.add_scan()
    ship.run(ship.desk.push(SCAN, "rita"))
    first = world.projects[PROJECT].objects[f"{SCAN}_{KEYS[0]}"]
    first.values = {**first.values, "object_area": "1"}
    assert ship.run(ship.desk.push(SCAN, "rita", mode="update")).state == "done"
    assert first.values["object_area"] == "700"


def test_what_the_importer_finds_is_told_in_its_words(ship: EcotaxaHome, world: World) -> None:
    archive_with(ship, object_lat="99")
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "failed"
    assert "Invalid position '99'" in row.detail
    assert imported(world) == set()


def test_a_job_that_dies_half_way_is_a_failure(ship: EcotaxaHome) -> None:
    archive_with(ship, sample_comment="c" * 251)
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "failed"
    assert "value too long" in row.detail


def test_a_server_that_dies_in_the_import_is_a_failure(ship: EcotaxaHome, world: World) -> None:
    world.die_in_import = True
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.run(upload_id, steps=4)
    world.restart()
    world.die_in_import = False
    row = ship.run(upload_id)
    assert row.state == "failed"
    assert "killed" in row.detail
    added = ship.run(ship.desk.push(SCAN, "rita", mode="add"))
    assert added.state == "done", added.detail
    assert imported(world) == IDS


def test_a_question_is_kept_until_a_person_answers_it(ship: EcotaxaHome, world: World, server: Server) -> None:
    archive_with(ship, object_annotation_status="predicted", object_annotation_category="Calanus")
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    row = ship.run(upload_id)
    assert row.state == "asking"
    assert row.question == {"missing_taxa": ["calanus"], "missing_users": []}
    assert "taxa that it does not know: calanus" in row.detail
    with pytest.raises(SettingsError, match="left unanswered: taxon calanus"):
        ship.desk.answer(upload_id, "rita", taxa={}, users={})
    server.breaks(r"POST /jobs/\d+/answer", "lose_answer", times=2)
    ship.desk.answer(upload_id, "rita", taxa={"calanus": 555}, users={})
    row = ship.run(upload_id)
    assert row.state == "done", row.detail
    assert world.projects[PROJECT].objects[f"{SCAN}_{KEYS[0]}"].category_id == 555
    with pytest.raises(SettingsError, match="asks nothing"):
        ship.desk.answer(upload_id, "rita", taxa={}, users={})


def test_a_question_that_was_answered_at_the_server_is_no_question_here(ship: EcotaxaHome, world: World) -> None:
    archive_with(ship, object_annotation_status="predicted", object_annotation_category="Calanus")
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    job_id = ship.run(upload_id).remote_job_id
    assert job_id is not None
    world.reply(USER, job_id, {"taxa": {"calanus": 7}, "users": {}})
    for _ in range(8):
        ship.later(ship.desk.step())
    assert ship.row(upload_id).state == "done"


def test_a_job_that_was_deleted_there_is_not_begun_twice_where_its_objects_are(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    server.breaks(IMPORT, "lose_answer")
    ship.desk.step()
    assert ship.row(upload_id).remote_job_id is None
    (job_id,) = world.jobs
    while world.look(USER, job_id).state != "F":
        pass
    del world.jobs[job_id]
    row = ship.run(upload_id)
    assert row.state == "done", row.detail
    assert server.count(IMPORT) == 1


def test_a_job_that_says_done_without_the_objects_is_a_failure(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    (job_id,) = world.jobs
    while world.look(USER, job_id).state != "F":
        pass
    del world.projects[PROJECT].objects[f"{SCAN}_{KEYS[0]}"]
    row = ship.run(upload_id)
    assert row.state == "failed"
    assert "1 of 3 objects are not in the project" in row.detail
    assert row.report is not None
    assert row.report["missing"]["ids"] == [f"{SCAN}_{KEYS[0]}"]


def test_an_import_that_has_begun_cannot_be_cancelled_here(ship: EcotaxaHome) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    with pytest.raises(SettingsError, match="is importing"):
        ship.desk.cancel(upload_id, "rita")
    assert ship.run(upload_id).state == "done"


def test_what_a_server_says_moves_no_cursor(ship: EcotaxaHome, world: World) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    (job,) = world.jobs.values()
    job.state, job.errors = "E", ["\x1b[2Jgone<br>\r\nfor good" + "x" * 900]
    detail = ship.run(upload_id).detail
    assert detail.isprintable()
    assert "gone;   for goodx" in detail
    assert len(detail) < 800


def test_a_project_that_may_only_be_looked_at_is_refused_before_anything_is_sent(ship: EcotaxaHome, world: World, server: Server) -> None:
    world.projects[FOREIGN_PROJECT].readers.add(USER)
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita", project_id=FOREIGN_PROJECT))
    assert row.state == "failed"
    assert "may look at project 43, but not import into it" in row.detail
    assert server.count(UPLOAD) == 0


def test_what_was_not_taken_does_not_litter_the_account(ship: EcotaxaHome, world: World) -> None:
    archive_with(ship, object_lat="99")
    ship.add_scan()
    assert ship.run(ship.desk.push(SCAN, "rita")).state == "failed"
    assert [one["name"] for one in world.listing(USER, "/")] == ["trash"]
    assert list((ship.home / "zooscan" / "ecotaxa").iterdir()) == []


def test_a_question_that_is_cancelled_is_told_to_stand_there_still(ship: EcotaxaHome) -> None:
    archive_with(ship, object_annotation_status="predicted", object_annotation_category="Calanus")
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    assert ship.run(upload_id).state == "asking"
    ship.desk.cancel(upload_id, "rita")
    row = ship.row(upload_id)
    assert (row.state, row.detail) == ("cancelled", f"cancelled by rita; EcoTaxa's job {row.remote_job_id} still asks: delete it there")


def test_an_archive_that_was_made_again_is_not_taken_for_the_one_that_lies_there(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    server.breaks(UPLOAD, "lose_answer")
    ship.desk.step()
    (ship.home / (ship.row(upload_id).archive or "")).unlink()
    archive_with(ship, object_feret="99")
    assert ship.run(upload_id).state == "done"
    assert {one.values["object_feret"] for one in world.projects[PROJECT].objects.values()} == {"99"}
