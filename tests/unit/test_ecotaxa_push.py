"""A scan's way to EcoTaxa: once and whole, whatever the link, the server and the power do; every end is told."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.zooscan.ecotaxa import push
from edge.zooscan.ecotaxa.login import PASSWORD_VARIABLE
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import KEYS, SAMPLE, SCAN, rows_of, table, write_zip
from tests.simulators.ecotaxa import Server, ecotaxa
from tests.simulators.ecotaxa_world import FOREIGN_PROJECT, PROJECT, USER, World

IDS = {f"{SCAN}_{key}" for key in KEYS}
IMPORT = r"POST /file_import/"
UPLOAD = r"POST /user_files/$"


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "server"
    folder.mkdir()
    return World(folder)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with ecotaxa(world) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.zooscan.ecotaxa.link._DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr("edge.zooscan.ecotaxa.link.MAX_ANSWER_BYTES", 1_000_000)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def ship(tmp_path: Path, server: Server) -> Iterator[EcotaxaHome]:
    home = EcotaxaHome(tmp_path / "home", server.url)
    home.sign_in()
    yield home
    home.close()


def imported(world: World) -> set[str]:
    return set(world.projects[PROJECT].objects)


def test_a_scan_is_sent_imported_and_found_there(ship: EcotaxaHome, server: Server, world: World) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    row = ship.run(upload_id)
    assert (row.state, row.detail) == ("done", "3 objects are in project 42"), row.detail
    assert imported(world) == IDS
    assert row.report is not None
    assert row.report["missing"]["count"] == row.report["older"]["count"] == 0
    assert server.count(UPLOAD) == server.count(IMPORT) == 1
    assert world.listing(USER, "/") == [{"name": "trash", "type": "D", "size": 0, "mtime": ""}]
    assert not (ship.home / "zooscan" / "ecotaxa" / row.uuid).exists()
    assert row.archive_sha256 is not None


def test_nothing_is_asked_of_the_server_while_nothing_is_queued(ship: EcotaxaHome, server: Server) -> None:
    ship.add_scan()
    assert ship.desk.step() > 10
    assert server.asked == []


def test_an_older_server_takes_it_too(ship: EcotaxaHome, world: World) -> None:
    world.is_old = True
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "done", row.detail
    assert imported(world) == IDS


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("POST /login", "status"),
        ("GET /users/me", "cut_answer"),
        ("GET /user_files/$", "page"),
        (r"GET /user_files/imagine", "redirect"),
        ("GET /samples/search", "long"),
        (UPLOAD, "cut_body"),
        (UPLOAD, "lose_answer"),
        (UPLOAD, "status"),
        (UPLOAD, "page"),
        ("GET /jobs/$", "status"),
        (IMPORT, "lose_answer"),
        (IMPORT, "cut_answer"),
        (IMPORT, "status"),
        (r"GET /jobs/\d+/", "lose_answer"),
        (r"GET /jobs/\d+/", "page"),
        ("POST /object_set/", "cut_answer"),
    ],
)
def test_whatever_breaks_it_is_imported_once(ship: EcotaxaHome, server: Server, world: World, where: str, how: str) -> None:
    server.breaks(where, how, times=3)  # type: ignore[arg-type]
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "done", row.detail
    assert imported(world) == IDS
    assert [job.state for job in world.jobs.values()] == ["F"]
    assert all(fault.times < 3 for fault in server.faults)


def test_an_archive_that_arrived_without_an_answer_is_not_sent_again(ship: EcotaxaHome, server: Server) -> None:
    server.breaks(UPLOAD, "lose_answer")
    ship.add_scan()
    assert ship.run(ship.desk.push(SCAN, "rita")).state == "done"
    assert server.count(UPLOAD) == 1


def test_a_part_that_lies_there_is_sent_again_under_another_name(ship: EcotaxaHome, server: Server, world: World) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    server.breaks(UPLOAD, "status")
    ship.desk.step()
    row = ship.row(upload_id)
    assert row.state == "sending"
    part = world.root(USER) / (row.remote_path or "").strip("/") / f"ecotaxa_{SCAN}"
    part.mkdir(parents=True)
    (part / "half.png").write_bytes(b"")
    row = ship.run(upload_id)
    assert row.state == "done", row.detail
    assert (row.remote_path or "").endswith("-2/")


def test_offline_for_a_while_then_online(ship: EcotaxaHome, server: Server) -> None:
    ship.add_scan()
    away = ship.new_desk(server="http://127.0.0.1:9/api")
    upload_id = away.push(SCAN, "rita")
    ship.server = "http://127.0.0.1:9/api"
    ship.sign_in()
    waits = []
    for _ in range(8):
        left_s = away.step()
        waits.append(left_s)
        row = ship.row(upload_id)
        assert row.state in ("queued", "sending")
        assert "cannot be reached" in row.detail
        ship.later(left_s)
    assert waits == sorted(waits)
    assert 0 < waits[0] < waits[-1] <= 900
    assert row.attempts == 8
    assert server.asked == []


def test_a_transfer_that_waits_is_tried_at_once_when_asked(ship: EcotaxaHome, server: Server) -> None:
    ship.add_scan()
    server.breaks("POST /login", "status", times=1)
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    assert ship.row(upload_id).not_before_utc is not None
    assert ship.desk.retry() == 1
    ship.desk.step()
    assert ship.row(upload_id).state == "importing"


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(ship: EcotaxaHome, server: Server) -> None:
    ship.add_scan()
    server.breaks("POST /login", "status", status=429, after_s=333)
    ship.desk.push(SCAN, "rita")
    assert ship.desk.step() == pytest.approx(333)


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


def archive_with(ship: EcotaxaHome, **changes: str) -> None:
    """The export makes an archive with these values in every row."""

    def make(scan_id: int, folder: Path) -> Path:
        made = ship.make_archive(scan_id, folder)
        rows = [{**row, **changes} for row in rows_of()]

        with zipfile.ZipFile(made) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        return write_zip(made, {**files, f"ecotaxa_{SCAN}.tsv": table(rows)})

    ship.desk = ship.new_desk(make_archive=make)


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


def test_cancelled_before_it_goes_or_while_it_goes_nothing_comes(ship: EcotaxaHome, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.cancel(upload_id, "rita")
    assert ship.run(upload_id).state == "cancelled"
    monkeypatch.setattr(push, "TELL_EVERY_S", -1.0)
    second = ship.desk.push(SCAN, "rita")
    watched = ship.desk._tools.go_on

    def cancel_in_between(row: object, to: object = None, **values: object) -> object:
        if values.get("progress") == 1.0 and to is None:
            ship.desk.cancel(second, "rita")
        return watched(row, to, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(
        "edge.zooscan.ecotaxa.tools.Tools.go_on", lambda tools, row, to=None, **values: cancel_in_between(row, to, **values)
    )
    row = ship.run(second)
    assert row.state == "cancelled"
    assert imported(world) == set()
    assert world.jobs == {}
    assert not (ship.home / "zooscan" / "ecotaxa" / row.uuid).exists()


def test_an_import_that_has_begun_cannot_be_cancelled_here(ship: EcotaxaHome) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    with pytest.raises(SettingsError, match="is importing"):
        ship.desk.cancel(upload_id, "rita")
    assert ship.run(upload_id).state == "done"


def test_one_push_at_a_time_of_one_scan(ship: EcotaxaHome) -> None:
    ship.add_scan()
    ship.desk.push(SCAN, "rita")
    with pytest.raises(SettingsError, match="is under way"):
        ship.desk.push(SCAN, "rita")


def test_a_full_disk_while_the_archive_is_made_waits(ship: EcotaxaHome, world: World) -> None:
    full = True

    def make(scan_id: int, folder: Path) -> Path:
        if full:
            (folder / "half.zip").write_bytes(b"PK")
            raise OSError(errno.ENOSPC, "No space left on device")
        return ship.make_archive(scan_id, folder)

    ship.desk = ship.new_desk(make_archive=make)
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.later(ship.desk.step())
    row = ship.row(upload_id)
    assert (row.state, row.attempts) == ("queued", 1)
    assert "no room for the archive" in row.detail
    full = False
    assert ship.run(upload_id).state == "done"
    assert imported(world) == IDS


def test_an_archive_that_was_changed_is_made_again(ship: EcotaxaHome, server: Server, world: World) -> None:
    ship.add_scan()
    server.breaks(UPLOAD, "status")
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    archive = ship.home / (ship.row(upload_id).archive or "")
    archive.write_bytes(archive.read_bytes()[:-7])
    assert ship.run(upload_id).state == "done"
    assert ship.archives == 2
    assert imported(world) == IDS


def test_a_scan_that_cannot_be_exported_fails_with_the_reason(ship: EcotaxaHome, server: Server) -> None:
    def make(scan_id: int, folder: Path) -> Path:
        raise SettingsError("the scan is not signed", advice="Sign it.")

    ship.desk = ship.new_desk(make_archive=make)
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert (row.state, row.detail) == ("failed", "the scan is not signed. Sign it.")
    assert server.count(UPLOAD) == 0


def test_the_project_is_named_by_whoever_asks_the_folder_or_the_setting(ship: EcotaxaHome, tmp_path: Path) -> None:
    folder = tmp_path / "Zooscan_x_sn1"
    (folder / "Zooscan_config").mkdir(parents=True)
    (folder / "Zooscan_config" / "ecotaxa_project.txt").write_text("77\r\n")
    ship.add_scan("a", project="x", folder=folder)
    ship.add_scan("b", project="y")
    desk = ship.new_desk(project_id=None)
    assert ship.row(desk.push("a", "rita")).ecotaxa_project_id == 77
    assert ship.row(desk.pull("a", "rita", project_id=5)).ecotaxa_project_id == 5
    assert ship.row(ship.desk.push("b", "rita")).ecotaxa_project_id == PROJECT
    with pytest.raises(SettingsError, match="no EcoTaxa project is named for b"):
        desk.pull("b", "rita")


def test_scans_of_one_name_are_told_apart_by_their_project(ship: EcotaxaHome) -> None:
    ship.add_scan("a", project="x")
    ship.add_scan("a", project="y")
    with pytest.raises(SettingsError, match="x/a, y/a"):
        ship.desk.push("a", "rita")
    assert ship.row(ship.desk.push("y/a", "rita")).project == "y"
    with pytest.raises(SettingsError, match="there is no scan q"):
        ship.desk.push("q", "rita")
