"""`survey count` and `survey track`: the contract's fields, over a home at rest and over a running appliance."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.commands.running import write_address
from edge.store.lock import HomeLock
from edge.survey.track_desk import TrackFile
from tests.helpers.seed import add_model, add_station, done
from tests.helpers.stations import START, Sea
from tests.helpers.web import make_survey, serving
from tests.simulators import navigation as sim
from tests.simulators.appliance import SimulatedAppliance

FIELDS = ("openings", "systems", "per_minute", "distance_m", "area_m2", "density_raw_per_m2", "density_adjusted_per_m2", "sources")
A = [4, 5, 6, 4, 3, 5, 6]


def ask(edge_command: list[str], home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*edge_command, "--home", str(home), *words], capture_output=True, text=True, check=False, timeout=120)


def last(answer: subprocess.CompletedProcess[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return found


def usbl(folder: Path) -> Path:
    path = folder / "usbl.log"
    path.write_bytes(b"".join(sim.ptsag(place) for place in sim.scattered(sim.walk(600, start=START)[0], 1.0)))
    return path


def test_an_unknown_station_becomes_a_draft_once(edge_command: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, second = (ask(edge_command, home, "survey", "count", "S7", "--json") for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    found = last(first)
    assert found == last(second)
    assert set(FIELDS) <= set(found)
    assert (found["state"], found["systems"], found["per_minute"]) == ("draft", None, [])
    assert isinstance(found["sources"], dict)
    assert found["reasons"]


def test_a_home_that_cannot_be_made_is_one_clear_error(edge_command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = ask(edge_command, tmp_path / "file" / "home", "survey", "count", "S7", "--json")
    assert (answer.returncode, last(answer)["error"]["code"]) == (2, "settings_invalid")  # type: ignore[index]


def test_a_counted_station_gives_plain_numbers(edge_command: list[str], tmp_path: Path) -> None:
    with closing(Sea(tmp_path / "home")) as sea:
        tow = sea.station("S1")
        sea.counts(tow, {"A": A, "B": A})
        sea.width(tow)
    imported = ask(edge_command, sea.home, "survey", "track", "S1", str(usbl(tmp_path)), "--json")
    assert imported.returncode == 0, imported.stdout + imported.stderr
    assert last(imported)["is_chosen"] is True
    found = last(ask(edge_command, sea.home, "survey", "count", "S1", "--survey", "T2026", "--json"))
    assert found["systems"] == 33.0
    assert found["distance_m"] == pytest.approx(0.41 * 420, rel=0.01)
    assert found["density_raw_per_m2"] == pytest.approx(33 / (0.75 * float(str(found["distance_m"]))))
    told = ask(edge_command, sea.home, "survey", "count", "S1")
    for expected in ("station S1, survey T2026: counted", "33.00", "density, adjusted"):
        assert expected in told.stdout
    again = ask(edge_command, sea.home, "survey", "track", "S1", str(usbl(tmp_path)), "--json")
    assert (again.returncode, last(again)["error"]["code"]) == (2, "settings_invalid")  # type: ignore[index]
    wrong = ask(edge_command, sea.home, "survey", "track", "S1", str(sea.home / "edge.db"), "--json")
    assert (wrong.returncode, last(wrong)["error"]["code"]) == (4, "log_invalid")  # type: ignore[index]
    none = ask(edge_command, sea.home, "survey", "track", "S9", str(usbl(tmp_path)))
    assert none.returncode == 2
    assert "no station S9" in none.stderr


def test_both_work_while_the_appliance_runs(edge_command: list[str], tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    lock = HomeLock(appliance.home)
    lock.acquire()
    with closing(Sea(appliance.home)) as sea, serving(appliance) as client:
        sea.station("S1")
        write_address(appliance.home, str(client.base_url).rstrip("/"))
        assert last(ask(edge_command, appliance.home, "survey", "count", "S1", "--json"))["state"] == "not_counted"
        drafted = last(ask(edge_command, appliance.home, "survey", "count", "DRAFT", "--survey", "T2026", "--json"))
        assert (drafted["state"], drafted["survey"]) == ("draft", "T2026")
        imported = ask(edge_command, appliance.home, "survey", "track", "S1", str(usbl(tmp_path)))
        assert imported.returncode == 0, imported.stdout + imported.stderr
        assert "601 positions of beacon 1 (usbl)" in imported.stdout
        assert "It is the tow's distance now." in imported.stdout
        wrong = ask(edge_command, appliance.home, "survey", "track", "S1", str(appliance.home / "edge.db"), "--json")
        assert (wrong.returncode, last(wrong)["error"]["code"]) == (4, "log_invalid")  # type: ignore[index]
        (tmp_path / "empty.csv").touch()
        empty = ask(edge_command, appliance.home, "survey", "import", str(tmp_path / "empty.csv"), "--survey", "T2026", "--json")
        assert (empty.returncode, last(empty)["error"]["code"]) == (4, "input_invalid")  # type: ignore[index]
    lock.release()
    appliance.close()


def test_a_drafts_openings_are_those_of_its_folder(edge_command: list[str], tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_survey(appliance)
    appliance.close()
    found = last(ask(edge_command, tmp_path / "home", "survey", "count", "station-011", "--json"))
    assert found["state"] == "draft"
    assert isinstance(found["openings"], int)
    assert found["openings"] > 0


def test_a_log_of_a_whole_leg_is_read_for_its_tow_only(tmp_path: Path) -> None:
    """Two days of a bridge at 1 Hz: what is kept is the tow's, by the dates that pass within the log."""
    with closing(Sea(tmp_path / "home")) as sea:
        tow = sea.station("S1")
        away = sim.walk(0, start=START)[0][0]
        path = tmp_path / "leg.log"
        with path.open("wb") as file:
            for hours in range(-30, 18):
                second = START.timestamp() + hours * 3600
                for minute in range(1, 60):
                    at = datetime.fromtimestamp(second, UTC) + timedelta(minutes=minute)
                    if abs((at - START).total_seconds()) > 1200:
                        file.write(sim.gga(sim.Place(**{**vars(away), "at": at})))
                if hours == -30:
                    file.write(sim.zda(datetime.fromtimestamp(second, UTC) + timedelta(minutes=59)))
                if hours == -1:
                    file.write(b"".join(sim.gga(place) for place in sim.walk(600, start=START)[0]))
        imported = sea.desk.import_track(tow, TrackFile(path=path, name=path.name, source="ship"), "test")
        assert imported.points == 601
        assert imported.distance_m == pytest.approx(0.41 * 600, rel=0.01)


def test_openings_are_told_of_how_many_stills(edge_command: list[str], tmp_path: Path) -> None:
    """Two of three stills have a result: three openings are not those of the tow."""
    with closing(Sea(tmp_path / "home")) as sea:
        tow = sea.station("S1")
        folder = add_station(sea.connection, sea.home / "inbox", b"S1")
        pack = add_model(sea.connection)
        for name, boxes in ((b"a.jpg", 1), (b"b.jpg", 2), (b"c.jpg", 1)):
            done(sea.connection, folder, name, pack, boxes=[(1, 1, 9, 9, 0.9, 0)] * boxes)
        attach = "INSERT INTO tow_images (image_id, tow_id, how, attached_by, attached_utc) SELECT id, ?, 'hand', 'test', 'now' FROM images"
        sea.connection.execute(attach, (tow,))
        sea.connection.execute("UPDATE runs SET is_current = 0 WHERE id = 3")
    told = ask(edge_command, sea.home, "survey", "count", "S1").stdout
    assert "on 2 of 3 stills" in " ".join(told.split())
