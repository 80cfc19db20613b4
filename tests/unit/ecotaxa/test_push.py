"""A scan's way to EcoTaxa: once and whole, whatever the link, the server and the power do; every end is told."""

from __future__ import annotations

import errno
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.store.reads.zooscan_uploads import UploadRow
from edge.store.zooscan.uploads import Mode
from edge.zooscan.ecotaxa import push
from edge.zooscan.ecotaxa.client import EcoTaxa
from edge.zooscan.ecotaxa.desk import AGAIN_S
from edge.zooscan.ecotaxa.link import _refusal
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import KEYS, SAMPLE, SCAN
from tests.simulators.ecotaxa import Server
from tests.simulators.ecotaxa_world import PROJECT, USER, World

IDS = {f"{SCAN}_{key}" for key in KEYS}
IMPORT = r"POST /file_import/"
UPLOAD = r"POST /user_files/$"


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


def test_a_name_that_no_server_expects_goes_there_under_plain_letters(ship: EcotaxaHome, world: World, server: Server) -> None:
    scan = 'œuf "d1.2" 1'
    ship.add_scan(scan)
    server.breaks(UPLOAD, "lose_answer")
    row = ship.run(ship.desk.push(scan, "rita"))
    assert row.state == "done", row.detail
    assert server.count(UPLOAD) == 1


def test_a_server_that_does_not_answer_holds_up_no_end(ship: EcotaxaHome, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.zooscan.ecotaxa.desk.STOP_S", 0.01)
    asked, go_on = threading.Event(), threading.Event()

    def hang(username: str, password: str) -> str:
        asked.set()
        go_on.wait(20)
        return "never heard of"

    monkeypatch.setattr(world, "login", hang)
    ship.add_scan()
    ship.desk.push(SCAN, "rita")
    ship.desk.start()
    assert asked.wait(20)
    ship.desk.stop()
    assert ship.desk._thread.is_alive()
    go_on.set()
    ship.desk._thread.join()


NEW_KEYS = ("x9y9w9h9", "x10y20w30h40")


@pytest.mark.parametrize("broken", [r"GET /user_files/imagine", IMPORT])
@pytest.mark.parametrize("how", ["processed", "signed_anew"])
def test_what_waited_for_weeks_goes_as_the_scan_is_then(ship: EcotaxaHome, server: Server, world: World, broken: str, how: str) -> None:
    scan_id = ship.add_scan()
    ship.sign(scan_id)
    upload_id = ship.desk.push(SCAN, "rita")
    server.breaks(broken, "status", times=3)
    ship.desk.step()
    assert (ship.row(upload_id).state, ship.archives) == ("importing" if broken == IMPORT else "sending", 1)
    ship.withdraw(scan_id)
    if how == "processed":
        ship.add_run(scan_id, NEW_KEYS)
    ship.keys[scan_id] = (SCAN, NEW_KEYS, SAMPLE)
    ship.sign(scan_id)
    server.faults.clear()
    ship.later(30 * 86400)
    row = ship.run(upload_id)
    assert (row.state, ship.archives) == ("done", 2), row.detail
    assert imported(world) == {f"{SCAN}_{key}" for key in NEW_KEYS}
    assert [job.state for job in world.jobs.values()] == ["F"]


@pytest.mark.parametrize("broken", [r"GET /user_files/imagine", IMPORT])
def test_what_waited_and_is_signed_no_more_does_not_go(ship: EcotaxaHome, server: Server, world: World, broken: str) -> None:
    scan_id = ship.add_scan()
    ship.sign(scan_id)
    upload_id = ship.desk.push(SCAN, "rita")
    server.breaks(broken, "status", times=3)
    ship.desk.step()
    ship.withdraw(scan_id)
    server.faults.clear()
    ship.later(30 * 86400)
    row = ship.run(upload_id)
    assert (row.state, imported(world), dict(world.jobs)) == ("failed", set(), {})
    assert "nobody signed the check" in row.detail


def test_a_server_that_asks_for_ages_is_asked_again_after_an_hour(ship: EcotaxaHome, monkeypatch: pytest.MonkeyPatch) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    right = EcoTaxa.right

    def busy(client: EcoTaxa, project_id: int) -> str:
        raise _refusal("server", 503, b"{}", "9" * 400)

    monkeypatch.setattr(EcoTaxa, "right", busy)
    ship.desk.step()
    row = ship.row(upload_id)
    assert row.not_before_utc is not None
    assert datetime.fromisoformat(row.not_before_utc) - ship.moment == timedelta(hours=1)
    monkeypatch.setattr(EcoTaxa, "right", right)
    assert ship.run(upload_id).state == "done"


def test_a_transfer_of_which_not_even_its_trouble_can_be_noted_stops_no_other(ship: EcotaxaHome, monkeypatch: pytest.MonkeyPatch) -> None:
    ship.add_scan()
    ship.add_scan("b_1", ("x1y2w3h4",))
    bad, good = ship.desk.push(SCAN, "rita"), ship.desk.push("b_1", "rita")
    work = ship.desk._work

    def lose(row: UploadRow) -> None:
        if row.id == bad:
            raise OverflowError("date value out of range")
        work(row)

    monkeypatch.setattr(ship.desk, "_work", lose)
    for _ in range(20):
        ship.later(max(1.0, ship.desk.step()))
    assert (ship.row(bad).state, ship.row(good).state) == ("queued", "done")
    assert ship.desk.step() == AGAIN_S


@pytest.mark.parametrize("mode", ["new", "add"])
def test_a_scan_does_not_join_another_ones_of_its_name(ship: EcotaxaHome, world: World, server: Server, mode: Mode) -> None:
    ship.add_scan()
    ship.run(ship.desk.push(SCAN, "rita"))
    ship.add_scan(keys=("x1y2w33h44",), project="twin")
    row = ship.run(ship.desk.push(f"twin/{SCAN}", "rita", mode=mode))
    assert row.state == "failed"
    assert "3 objects of the scan of the same name in apero are in project 42: EcoTaxa would take both for one" in row.detail
    assert "ecotaxa_project.txt" in row.detail
    assert imported(world) == IDS
    assert server.count(UPLOAD) == 1
