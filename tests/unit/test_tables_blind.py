"""Tables and what must stay unseen: a model's finds on reference footage, and figures of a reference in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.counted import make_blind_survey
from tests.helpers.tables import CLICKS_HEADER, recounts, table
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield appliance
    appliance.close()


def names(appliance: SimulatedAppliance, survey_id: int) -> tuple[str, str]:
    row = appliance.writer.execute(
        "SELECT v.name, s.name FROM stations AS s JOIN surveys AS v ON v.id = s.survey_id WHERE v.id = ?", (survey_id,)
    ).fetchone()
    return str(row[0]), str(row[1])


def objects(appliance: SimulatedAppliance) -> int:
    return int(appliance.writer.execute("SELECT count(*) FROM v_objects").fetchone()[0])


def test_a_table_of_reference_footage_shows_nothing_of_the_model(appliance: SimulatedAppliance, tmp_path: Path) -> None:
    blind = make_blind_survey(appliance, kind="reference", stills=4)
    survey, station = names(appliance, blind.survey_id)
    clicks = [
        f'"{survey}","{station}","{counter}","00:0{second}","{second}","BURROW","595","553.5","29-Jul-2020 17:14:33","1","1"'
        for counter in ("A", "REF")
        for second in range(1, 8)
    ]
    report = appliance.tables.import_table(table(tmp_path, CLICKS_HEADER, *clicks), "mi-clicks", survey, actor="test")
    assert (report.counts, report.references, report.new_stations) == (1, 1, ())
    assert objects(appliance) == 0
    details = [row[0] for row in appliance.writer.execute("SELECT detail_json FROM audit WHERE action = 'reference_set'")]
    assert len(details) == 1
    assert "7" not in details[0]


def test_a_table_of_a_survey_ends_the_blindness_of_its_tow(appliance: SimulatedAppliance, tmp_path: Path) -> None:
    blind = make_blind_survey(appliance, stills=4)
    survey, station = names(appliance, blind.survey_id)
    assert objects(appliance) == 0
    rows = [f'{place},"{station}","{survey}",{counter},1,5,0,0,NA,NA,NA' for place, counter in enumerate((8, 1), start=1)]
    appliance.tables.import_table(recounts(tmp_path, *rows), "mi-recounts", survey, actor="test")
    assert objects(appliance) == 12
