"""`survey create`, `survey import` and `survey status`, called as a person calls them, with and without a running appliance."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.store import counts, surveys
from edge.store.reads import surveys as reads
from edge.store.seal import open_seal
from edge.store.surveys import Attachment
from tests.contract.test_survey_pages import SHEET
from tests.helpers.seed import add_model, add_station, done, open_database
from tests.unit.test_surveys_store import RULES as COUNTING_RULES


def call(command: list[str], home: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run([*command, "--home", str(home), *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def call_json(command: list[str], home: Path, *words: str, code: int = 0) -> Any:
    return json.loads(call(command, home, *words, "--json", code=code).splitlines()[-1])


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.csv"
    path.write_text(SHEET)
    return path


def test_a_survey_is_made_filled_and_told(edge_command: list[str], home: Path, sheet: Path) -> None:
    made = call_json(edge_command, home, "survey", "create", "CV20017", "--functional-unit", "FU22", "--year", "2020")
    assert made == {"id": 1, "name": "CV20017"}
    dry = call_json(edge_command, home, "survey", "import", str(sheet), "--dry-run")
    assert (dry["outcome"]["new_stations"], dry["dry_run"]) == (["125", "130"], True)
    assert call_json(edge_command, home, "survey", "status")[0]["stations"] == []
    assert call_json(edge_command, home, "survey", "import", str(sheet))["outcome"]["stations"] == 2
    assert call_json(edge_command, home, "survey", "import", str(sheet))["outcome"]["unchanged"] == 2
    (status,) = call_json(edge_command, home, "survey", "status", "CV20017")
    assert [(one["station"], one["ground"], one["counts"]) for one in status["stations"]] == [
        ("125", "Smalls", "not_begun"),
        ("130", "Smalls", "not_begun"),
    ]
    assert "2 stations, 0 counted, 0 faults" in call(edge_command, home, "survey", "status")


def test_a_refused_sheet_ends_with_the_code_of_an_input_and_lists_why(edge_command: list[str], home: Path, sheet: Path) -> None:
    call(edge_command, home, "survey", "create", "CV20017")
    sheet.write_text(SHEET.replace("2020-07-15", "15/07/2020").replace("2020-07-16,00:49:01", "07/16/2020,00:49:01"))
    said = call(edge_command, home, "survey", "import", str(sheet), "--dry-run", code=4)
    assert "REFUSES" in said
    assert "nothing was written" in said
    error = call_json(edge_command, home, "survey", "import", str(sheet), code=4)["error"]
    assert "row 2, Date SOL" in error["message"]
    call(edge_command, home, "survey", "import", str(sheet), "--date-order", "dmy")


def test_what_cannot_be_is_said_with_its_code(edge_command: list[str], home: Path, sheet: Path, tmp_path: Path) -> None:
    call(edge_command, home, "survey", "create", "CV20017")
    assert "CV20017 already" in call_json(edge_command, home, "survey", "create", "CV20017", code=2)["error"]["message"]
    assert "no survey X" in call_json(edge_command, home, "survey", "import", str(sheet), "--survey", "X", code=2)["error"]["message"]
    assert "no survey X" in call_json(edge_command, home, "survey", "status", "X", code=2)["error"]["message"]
    assert "cannot be read" in call_json(edge_command, home, "survey", "import", str(tmp_path / "none.csv"), code=4)["error"]["message"]
    assert (
        "needs its survey"
        in call_json(edge_command, home, "survey", "import", str(sheet), "--format", "mi-recounts", code=2)["error"]["message"]
    )


def test_a_running_appliance_does_it(edge_command: list[str], home: Path, sheet: Path) -> None:
    with subprocess.Popen(
        [*edge_command, "--home", str(home), "run", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as service:
        try:
            assert service.stdout is not None
            for line in service.stdout:
                if "http" in line:
                    break
            assert (home / "service.json").exists()
            assert call_json(edge_command, home, "survey", "create", "CV20017")["name"] == "CV20017"
            assert call_json(edge_command, home, "survey", "import", str(sheet))["outcome"]["stations"] == 2
            assert call_json(edge_command, home, "survey", "status")[0]["stations"][0]["station"] == "125"
        finally:
            service.terminate()


def test_a_second_copy_is_made_and_told(edge_command: list[str], home: Path, tmp_path: Path) -> None:
    db = open_database(home)
    survey_id = surveys.add_survey(db, "CV20017", actor="mary")
    (tow,) = reads.tows(db, surveys.add_station(db, survey_id, "125", actor="mary"))
    folder, pack = add_station(db, tmp_path / "card", b"125", make=True), add_model(db)
    (tmp_path / "card" / "125" / "a.jpg").write_bytes(b"picture")
    image_id = done(db, folder, b"a.jpg", pack, content=b"picture").image_id
    surveys.attach_images(db, [Attachment(image_id=image_id, tow_id=tow.id, camera_id=None, how="hand", at_s=None)], actor="mary")
    db.close()
    made = call_json(edge_command, home, "survey", "copy-raw", "125", "--to", str(tmp_path / "usb"))
    assert (made["state"], made["files"], made["size_bytes"]) == ("done", 1, 7)
    manifest = Path(made["destination"]) / "manifest.json"
    assert hashlib.sha256(manifest.read_bytes()).hexdigest() == made["manifest_sha256"]
    (tmp_path / "card" / "125" / "a.jpg").unlink()
    assert "1 files (7 bytes)" in call(edge_command, home, "survey", "copy-raw", "125", "--to", str(tmp_path / "usb"))
    place = str(tmp_path / "usb" / "CV20017" / "125" / "tow-1")
    checked = call_json(edge_command, home, "survey", "verify-copy", place)
    assert (checked["state"], checked["files"], checked["faults"]) == ("complete", 1, [])
    next(path for path in Path(place).iterdir() if path.suffix == ".jpg").write_bytes(b"rotten!")
    assert call_json(edge_command, home, "survey", "verify-copy", place, code=1)["state"] == "damaged"
    assert call_json(edge_command, home, "survey", "verify-copy", str(tmp_path), code=1)["state"] == "none"
    error = call_json(edge_command, home, "survey", "copy-raw", "125", "--to", str(tmp_path / "other"), code=1)["error"]
    assert (error["code"], "a.jpg: " in error["message"]) == ("raw_copy_stopped", True)
    assert "no station 7" in call_json(edge_command, home, "survey", "copy-raw", "7", "--to", str(tmp_path), code=2)["error"]["message"]


def test_a_sheet_that_moves_a_counted_line_asks_for_a_reason(edge_command: list[str], home: Path, sheet: Path) -> None:
    call(edge_command, home, "survey", "create", "CV20017")
    call(edge_command, home, "survey", "import", str(sheet))
    db = open_database(home)
    (tow_id,) = db.execute("SELECT t.id FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE s.name = '130'").fetchone()
    rules = surveys.add_protocol(db, 1, COUNTING_RULES, reason="manual", actor="mary")
    new = counts.NewCount(tow_id=tow_id, protocol_id=rules, person_id=None, counter="jd", content=b"")
    counts.open_count(db, open_seal(home), new, actor="jd")
    db.close()
    sheet.write_text(SHEET.replace("00:49:01", "00:50:01"))
    error = call_json(edge_command, home, "survey", "import", str(sheet), code=2)["error"]
    assert error["code"] == "reason_needed"
    assert "the start of line of station 130 is what counts by jd were made by" in error["message"]
    call(edge_command, home, "survey", "import", str(sheet), "--reason", "the clock was a minute off")
    trail = call(edge_command, home, "audit", "--action", "counted_tow_change", "--csv")
    assert "the clock was a minute off" in trail
