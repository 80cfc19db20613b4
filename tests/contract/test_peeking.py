"""Blind means blind: while A has signed and B counts, B and everybody else try every route to A's count and to the model's."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.export import export
from edge.store.backup import BackupKind, make_backup
from edge.store.connection import DATABASE_NAME
from edge.store.sealed_runs import empty_log
from edge.web.app import ROUTERS
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey, make_content
from tests.helpers.people import browser
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_sealed_runs import places_of

SECRET_SECONDS = [7.125, 23.375, 41.625, 58.875, 77.125, 96.375, 111.625]
SECRET_NOTE = "a crab of unmistakable colour"
CLOCK = re.compile(rb"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+")  # the seconds of a clock are nobody's secret
PEEKERS = ("cl", "vera", "rita")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    blind: BlindSurvey
    client: httpx.Client
    count_id: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """jd has signed, cl has begun; the model's results are there and sealed."""
    appliance = SimulatedAppliance(tmp_path_factory.mktemp("peeking") / "home")
    blind = make_blind_survey(appliance)
    count_id = blind.sign("jd", SECRET_SECONDS, notes={1: SECRET_NOTE})
    blind.save("cl", [5.0])
    empty_log(appliance.writer)
    with serving(appliance) as client:
        yield Served(blind=blind, client=client, count_id=count_id)
        appliance.close()


def addresses(served: Served) -> list[str]:
    """Every route that can be read, with the ids of what is sealed."""
    blind = served.blind
    with blind.appliance.reader() as connection:
        run_uuid, sha256 = connection.execute(
            "SELECT r.uuid, i.sha256 FROM runs AS r JOIN images AS i ON i.id = r.image_id WHERE i.id = ?", (blind.image_ids[9],)
        ).fetchone()
    values = {
        "file_id": blind.file_ids[9],
        "tow_id": blind.tow_id,
        "station_id": blind.station_id,
        "survey_id": blind.survey_id,
        "count_id": served.count_id,
        "number": blind.image_ids[9],
    }
    found = []
    for route in (route for router in ROUTERS for route in router.routes):
        if "GET" in getattr(route, "methods", ()) and "{path:path}" not in (path := str(getattr(route, "path", ""))):
            filled = re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: str(values.get(match[1], 1)), path)
            found.append(filled)
    found += [
        f"/api/objects?file={blind.file_ids[9]}&candidates=true",
        f"/api/objects?file={sha256}&run={run_uuid}&candidates=true",
        f"/api/runs?file={sha256}",
        "/files?limit=200",
        "/api/files?limit=200",
        f"/stations/{blind.station_id}/compare?tow={blind.tow_id}",
    ]
    return [one for one in found if one != "/api/events"]


def spellings(value: float) -> set[str]:
    return {repr(value), f"{value:.3f}", f"{value:.6f}"}


def secrets_in(served: Served, text: str) -> set[str]:
    """What of jd's clicks and note, and of the model's boxes and scores, stands in a text."""
    secret = {SECRET_NOTE} | {words for value in SECRET_SECONDS for words in spellings(value)}
    secret |= {words for value in served.blind.values for words in spellings(value) if len(words) > 6}
    text = re.sub(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]+", "", text)  # the seconds of a clock are nobody's secret
    words = set(re.findall(r"[0-9]+\.[0-9]+", text))
    return (secret & words) | ({SECRET_NOTE} if SECRET_NOTE in text else set())


@pytest.mark.parametrize("name", [*PEEKERS, "anna"])
def test_no_page_and_no_answer_tells(served: Served, name: str) -> None:
    """An administrator may break the seal, with a reason; by reading alone not even they see anything."""
    with browser(served.client, name) as peeker:
        read = 0
        for address in addresses(served):
            answer = peeker.get(address, follow_redirects=True)
            assert answer.status_code < 500, address
            read += answer.status_code == 200
            assert secrets_in(served, answer.text) == set(), address
        assert read > 20


def test_the_sealed_state_is_said_in_words(served: Served) -> None:
    with browser(served.client, "cl") as peeker:
        for address in (f"/files/{served.blind.file_ids[9]}", "/files", f"/stations/{served.blind.station_id}/compare"):
            assert "sealed" in peeker.get(address).text.lower(), address
        told = peeker.get(f"/api/objects?file={served.blind.file_ids[9]}")
        assert (told.status_code, told.json()["code"]) == (409, "sealed")
        assert "station 101" in told.json()["message"]
        assert peeker.get("/api/status").json()["totals"]["sealed"] == len(served.blind.image_ids)
        result = peeker.get(f"/api/stations/{served.blind.station_id}/result").json()
        assert (result["openings"], result["systems"]) == (None, None), "a sealed count is no zero"
        figures = peeker.get("/metrics").text
        assert 'imagine_edge_objects{recipe="burrows"}' not in figures
        assert f'imagine_edge_sealed_results{{recipe="burrows"}} {len(served.blind.image_ids)}.0' in figures


@pytest.mark.parametrize("name", PEEKERS)
def test_anothers_count_is_no_address(served: Served, name: str) -> None:
    with browser(served.client, name) as peeker:
        whole = {"revision": 0, "way": "frames", "marks": [], "lost": [], "seen": [], "notes": {}, "typed": {}, "position_s": None}
        for answer in (
            peeker.get(f"/api/counts/{served.count_id}"),
            peeker.post(f"/api/counts/{served.count_id}", json=whole),
            peeker.post(f"/api/counts/{served.count_id}/sign", json={"pin": PIN, "revision": 1}),
            peeker.post(f"/actions/counts/{served.count_id}/set-aside", data={"reason": "x"}),
            peeker.post(f"/actions/tows/{served.blind.tow_id}/break-seal", data={"reason": "x"}),
        ):
            assert answer.status_code in {403, 409}, answer.text
        listed = peeker.get(f"/api/tows/{served.blind.tow_id}/counts").json()
        assert [(one["counter"], one["minutes"]) for one in listed["counts"]] == [("jd", []), ("cl", [])]
        assert peeker.get(f"/api/stations/{served.blind.station_id}/compare").json()["minutes"] == []


def test_two_models_are_not_compared_on_sealed_images(served: Served) -> None:
    with browser(served.client, "rita") as peeker:
        side = {"name": "openings", "version": "1.0.0"}
        answer = peeker.post("/api/comparisons", json={"a": side, "b": side, "recipe": "burrows", "limit": 5})
        assert (
            answer.status_code >= 400 or served.blind.appliance.writer.execute("SELECT count(*) FROM comparison_files").fetchone()[0] == 0
        )


def test_exports_leave_sealed_results_out_and_say_so(served: Served, tmp_path: Path) -> None:
    for form in ("csv", "coco", "yolo"):
        with served.blind.appliance.reader() as connection:
            summary = export(connection, format=form, out_dir=tmp_path / form, min_score=0.0)
        assert (summary.results, summary.objects, summary.sealed) == (0, 0, len(served.blind.image_ids))
        for path in (tmp_path / form).rglob("*"):
            if path.is_file():
                assert secrets_in(served, path.read_text(errors="replace")) == set(), path
        assert "until the counts of station 101 are signed" in (tmp_path / form / "failures.csv").read_text()


def test_the_files_of_the_home_folder_tell_nothing(served: Served) -> None:
    """Database, its log, backups, caches and logs; whoever reads keys/ is the machine's administrator."""
    home = served.blind.appliance.home
    make_backup(home, BackupKind.MANUAL)
    doubles = served.blind.values | frozenset(SECRET_SECONDS)
    looked = 0
    for path in home.rglob("*"):
        if path.is_file() and "keys" not in path.parts and path.suffix != ".jpg":
            looked += 1
            assert places_of(doubles, path) == 0, path
            content = path.read_bytes()
            assert SECRET_NOTE.encode() not in content, path
            without_clocks = CLOCK.sub(b"", content)
            for second in SECRET_SECONDS:
                assert repr(second).encode() not in without_clocks, path
                assert struct.pack("<d", second) not in content, path
    assert looked >= 2
    plain = sqlite3.connect(f"file:{home / DATABASE_NAME}?mode=ro", uri=True)
    for table in ("count_minutes", "count_marks", "objects", "v_objects"):
        assert plain.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table
    plain.close()


def test_saving_leaves_no_sign(tmp_path: Path) -> None:
    """Not in the change counter, not in the audit trail, not in the length of what is sealed, not in any other row."""
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=4)
    person = blind.person("jd")
    count_id, revision = blind.save("jd", [])

    def outside() -> tuple[object, ...]:
        db = appliance.writer
        rows = [
            [tuple(row) for row in db.execute(f'SELECT * FROM "{table}"')]
            for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'counts'").fetchall()
        ]
        (length,) = db.execute("SELECT length(sealed) FROM counts").fetchone()
        others = [tuple(row) for row in db.execute("SELECT id, uuid, state, opened_utc, signed_utc, revealed_utc FROM counts")]
        return appliance.change_count(), rows, length, others, db.execute("PRAGMA page_count").fetchone()[0]

    before = outside()
    for clicks in ([], [3.0], [3.0] * 40, [float(one % 120) for one in range(800)]):
        revision = blind.desk.save(count_id, person, make_content(clicks, revision=revision))
        assert outside() == before
    appliance.close()


def test_a_third_counter_sees_nothing_either(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance)
    blind.sign("jd", SECRET_SECONDS, notes={1: SECRET_NOTE})
    count_id = blind.sign("cl", [62.0, 63, 64, 65, 66])
    with serving(appliance) as client, browser(client, "rita") as third:
        served = Served(blind=blind, client=client, count_id=count_id)
        assert third.get(f"/api/tows/{blind.tow_id}/counts").json()["progress"]["state"] == "third_count"
        for address in addresses(served):
            assert secrets_in(served, third.get(address, follow_redirects=True).text) == set(), address
        blind.sign("rita", SECRET_SECONDS)
        compared = third.get(f"/api/stations/{blind.station_id}/compare").json()
        assert compared["counters"] == ["jd", "cl", "rita"]
        assert SECRET_NOTE in third.get(f"/stations/{blind.station_id}/compare").text
        opened = third.get(f"/api/objects?file={blind.file_ids[9]}")
        assert opened.json()["count"] == 3
        assert secrets_in(served, opened.text) != set(), "this is what the search would have found"
    appliance.close()
