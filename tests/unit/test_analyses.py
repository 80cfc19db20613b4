"""Analyses of tows in the store: plain where nobody counts blind, sealed whole where somebody does, back row for row at the reveal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.store.analyses import (
    FoundMinute,
    FoundOpening,
    FoundSystem,
    NewAnalysis,
    SeenSecond,
    open_analyses,
    record_analysis,
    seal_analyses,
)
from edge.store.connection import immediate
from edge.store.reads.footage import analysed_minutes, analysis_of_tow, seconds_of
from edge.store.seal import Seal
from edge.store.sealed_runs import open_tow, seal_tow
from edge.survey.tow_width import width_of_footage
from tests.helpers.counted import BlindSurvey, make_blind_survey
from tests.simulators.appliance import SimulatedAppliance

TABLES = ("tow_openings", "tow_systems", "tow_minutes", "tow_seconds")
SECRET = 1234.5678


def made(**changes: Any) -> NewAnalysis:
    opening = FoundOpening(
        ordinal=1,
        system=1,
        first_s=1.0,
        last_s=2.5,
        crossing_s=2.25,
        along_px=SECRET,
        across_px=600.0,
        along_sd_px=3.0,
        along_m=None,
        across_m=None,
        score=0.9,
        confidence=0.97,
        frames=2,
        missed=1,
        is_extrapolated=0,
        label_index=1,
        boxes=np.array([[1.0, 5, 6, 7, 8, 0.9], [2.5, 5, 16, 7, 18, 0.8]]).tobytes(),
    )
    return replace(
        NewAnalysis(
            made_from="{}",
            made_from_sha256="aa",
            model_id=None,
            tracker="seabed 1",
            state="done",
            frames=100,
            seen_s=16.5,
            openings=2.0,
            openings_sd=0.5,
            systems=1.0,
            systems_sd=0.25,
            found_systems=[FoundSystem(1, 2.25, 2, 0.8)],
            found_openings=[opening, opening._replace(ordinal=2, system=None, crossing_s=None)],
            minutes=[FoundMinute(1, 2.0, 0.5, 1.0, 0.25, 3.0)],
            seconds=[SeenSecond(0, 6, 512.5, None, None, 90.0, 20.0, 55.0, 0.1, 0.0, 0)],
        ),
        **changes,
    )


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[BlindSurvey]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield make_blind_survey(appliance, stills=4)
    appliance.close()


def rows_of(blind: BlindSurvey) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the analyses without the numbers and identities that are given anew."""
    db = blind.appliance.writer
    left_out = {"tow_openings": "id, uuid, system_id", "tow_systems": "id", "tow_minutes": "", "tow_seconds": ""}
    found = {}
    for table in TABLES:
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] not in left_out[table].split(", ")]
        found[table] = [tuple(row) for row in db.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2")]
    return found


def record(blind: BlindSurvey, analysis: NewAnalysis, *, is_sealed: bool) -> int:
    db = blind.appliance.writer
    with immediate(db):
        return record_analysis(db, blind.appliance.seal, blind.tow_id, analysis, is_sealed=is_sealed)


def test_a_plain_analysis_is_what_was_found(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=False)
    with blind.appliance.reader() as connection:
        row = analysis_of_tow(connection, blind.tow_id)
        assert row is not None
        assert (row.openings, row.systems, row.is_sealed, row.state) == (2.0, 1.0, 0, "done")
        assert [one.hidden_s for one in analysed_minutes(connection, row.id)] == [3.0]
        assert [one.speed_px_per_s for one in seconds_of(connection, row.id)] == [512.5]
    systems = blind.appliance.writer.execute(
        "SELECT o.ordinal, s.ordinal FROM tow_openings AS o LEFT JOIN tow_systems AS s ON s.id = o.system_id ORDER BY 1"
    )
    assert [tuple(row) for row in systems] == [(1, 1), (2, None)]


def test_sealed_it_tells_nothing_and_comes_back_row_for_row(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=False)
    plain = rows_of(blind)
    db = blind.appliance.writer
    with immediate(db):
        assert seal_analyses(db, blind.appliance.seal, blind.tow_id) == 1
    assert rows_of(blind) == {table: [] for table in TABLES}
    with blind.appliance.reader() as connection:
        row = analysis_of_tow(connection, blind.tow_id)
        assert row is not None
        assert (row.openings, row.openings_sd, row.systems, row.systems_sd, row.is_sealed) == (None, None, None, None, 1)
    (sealed,) = db.execute("SELECT sealed FROM tow_analyses").fetchone()
    assert b"found_openings" not in sealed
    with immediate(db):
        assert open_analyses(db, Seal(b"x" * 32), blind.tow_id) == 0, "without its key it stays sealed, and holds nothing up"
        assert open_analyses(db, blind.appliance.seal, blind.tow_id) == 1
    assert rows_of(blind) == plain


def test_seals_of_all_tows_are_of_one_length(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=True)
    record(blind, made(openings=0.0, systems=0.0, found_openings=[], found_systems=[], minutes=[], seconds=[]), is_sealed=True)
    lengths = [row[0] for row in blind.appliance.writer.execute("SELECT length(sealed) FROM tow_analyses")]
    assert len(lengths) == 2
    assert lengths[0] == lengths[1]


def test_it_is_sealed_and_opened_with_the_runs_of_its_tow(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=False)
    db = blind.appliance.writer
    with immediate(db):
        seal_tow(db, blind.appliance.seal, blind.tow_id)
    assert rows_of(blind)["tow_openings"] == []
    with immediate(db):
        open_tow(db, blind.appliance.seal, blind.tow_id)
    assert len(rows_of(blind)["tow_openings"]) == 2


def test_an_analysis_that_people_have_worked_on_is_not_sealed_again(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=False)
    db = blind.appliance.writer
    with immediate(db):
        db.execute(
            "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc) "
            "SELECT min(id), 'accepted', 'jd', 'now' FROM tow_openings"
        )
        assert seal_analyses(db, blind.appliance.seal, blind.tow_id) == 0
    assert len(rows_of(blind)["tow_openings"]) == 2


def test_the_newest_analysis_is_the_current_one_and_the_old_ones_stay(blind: BlindSurvey) -> None:
    record(blind, made(), is_sealed=False)
    record(
        blind, made(state="refused", reason="its stills are 2.0 s apart", openings=None, systems=None, found_openings=[]), is_sealed=False
    )
    with blind.appliance.reader() as connection:
        row = analysis_of_tow(connection, blind.tow_id)
    assert row is not None
    assert (row.state, row.reason, row.openings) == ("refused", "its stills are 2.0 s apart", None)
    states = blind.appliance.writer.execute("SELECT state, is_current FROM tow_analyses ORDER BY id")
    assert [tuple(one) for one in states] == [("done", 0), ("refused", 1)]
    kinds = blind.appliance.writer.execute("SELECT count(*) FROM outbox WHERE kind = 'tow_analysis'").fetchone()
    assert kinds[0] == 2


def test_the_lasers_of_the_footage_propose_a_width_that_a_person_may_take(blind: BlindSurvey) -> None:
    seconds = [SeenSecond(second, 6, 500.0, 1.0 + 0.01 * (second % 3), 0.006, None, None, None, None, None, 0) for second in range(12)]
    text = json.dumps({"line_height": 0.83, "laser_gap_m": 0.6})
    record(blind, made(made_from=text, seconds=seconds), is_sealed=False)
    with blind.appliance.reader() as connection:
        found = width_of_footage(connection, blind.tow_id)
    assert found is not None
    assert found.width_m == pytest.approx(1.01)
    assert found.row_height == 0.83
    assert found.uncertainty_m == pytest.approx(0.0065, abs=0.0002), "what all seconds share does not average out"
    assert found.source == "lasers of the footage, 12 of 12 seconds, gap 0.6 m"
    record(blind, made(made_from=text, seconds=seconds[:9]), is_sealed=False)
    record_sealed = made(made_from=text, seconds=seconds)
    with blind.appliance.reader() as connection:
        assert width_of_footage(connection, blind.tow_id) is None, "nine seconds are too few"
    record(blind, record_sealed, is_sealed=True)
    with blind.appliance.reader() as connection:
        assert width_of_footage(connection, blind.tow_id) is None, "sealed"
