"""`ingest --station`: the files belong to the station, known or not, and what was found is sealed where it is counted blind."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.service import Service
from edge.settings import load_settings
from tests.contract.test_ingest_command import ingest
from tests.contract.test_survey_commands import call, call_json
from tests.contract.test_survey_pages import RULES
from tests.helpers.tiny_home import make_tiny_home, query, write_picture


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    for number in range(3):
        write_picture(tmp_path / "stills" / "deeper", f"2020-07-16_00-50-0{number}.png", number)
    return tmp_path / "stills"


def test_an_unknown_station_becomes_a_draft_that_has_the_files(tmp_path: Path, stills: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    ended = ingest(home, stills, "--station", "7")
    assert ended.exit_code == 0, ended.answer
    assert (ended.answer["station"], ended.answer["survey"], ended.answer["images_of_station"]) == ("7", None, 3)
    assert ended.answer["objects"] is not None
    assert query(home, "SELECT how, count(*), count(at_s) FROM tow_images GROUP BY how") == [("station", 3, 0)]
    again = ingest(home, stills, "--station", "7")
    assert (again.answer["unchanged"], again.answer["images_of_station"]) == (3, 3)
    assert query(home, "SELECT name, is_draft FROM stations") == [("7", 1)]


def test_what_was_found_on_a_station_that_is_counted_blind_is_sealed(edge_command: list[str], tmp_path: Path, stills: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    call(edge_command, home, "survey", "create", "CV20017")
    service = Service(home, load_settings(home))
    service.open()
    service.sheets.set_protocol(1, {key: str(value) for key, value in RULES.items()}, reason="manual", actor="mary")
    service.close()
    ended = ingest(home, stills, "--station", "7")
    assert ended.exit_code == 0, ended.answer
    assert (ended.answer["survey"], ended.answer["done"]) == ("CV20017", 3)
    assert ended.answer["objects"] is None
    assert query(home, "SELECT count(*) FROM objects") == [(0,)]
    assert query(home, "SELECT count(object_count) FROM runs") == [(0,)]
    assert call_json(edge_command, home, "survey", "status")[0]["drafts"] == 1


def test_a_survey_that_is_not_there_is_said_before_anything_is_taken(tmp_path: Path, stills: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    ended = ingest(home, stills, "--station", "7", "--survey", "X")
    assert ended.exit_code == 2
    assert "no survey X" in ended.answer["error"]["message"]
    assert query(home, "SELECT count(*) FROM images") == [(0,)]
