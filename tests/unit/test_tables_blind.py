"""Tables and what must stay unseen: a model's finds on reference footage, and figures of a reference in the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.survey.exchange.run import FORMATS, ExportReport, ExportRequest, export
from edge.survey.mi.clicks import click_rows
from edge.survey.mi.reading import Faults
from edge.survey.mi.recounts import recount_rows
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


def test_what_two_people_count_here_comes_out_after_the_second_signature(appliance: SimulatedAppliance, tmp_path: Path) -> None:
    blind = make_blind_survey(appliance)
    survey, station = names(appliance, blind.survey_id)

    def write(table_format: str) -> ExportReport:
        with appliance.reader() as connection:
            return export(connection, ExportRequest(survey=survey, format=table_format), tmp_path / "out")

    blind.sign("jd", [3.2, 10.0, 59.9, 61.5, 70.0, 90.0])
    for name in FORMATS:
        report = write(name)
        assert b"jd" not in report.file.read_bytes() or name == "workbook"  # a zip may hold any two bytes
        assert [one.station for one in report.left_out] in ([station], [])
    assert write("mi-clicks").rows == write("mi-recounts").rows == 0
    blind.sign("cl", [3.4, 10.1, 59.5, 61.7, 70.1, 91.0])
    clicks, recounted = write("mi-clicks"), write("mi-recounts")
    assert (clicks.rows, recounted.rows) == (12, 4)
    faults = Faults()
    read = [one for one in click_rows(clicks.file, faults) if one.counter == "jd"]
    assert faults.found == []
    assert [(one.at_s, one.minute, one.still_number) for one in read[:4]] == [(3.0, 1, 8), (10.0, 1, 21), (59.0, 1, 121), (61.0, 2, 124)]
    assert {(one.feature, one.x_px, one.y_px, one.annotated) for one in read} == {("BURROW", 614.5, 573.53, "21-Nov-2026 12:00:00")}
    by_minute = {(one.counter, one.minute): one.systems for one in recount_rows(recounted.file, faults)}
    assert by_minute == {("jd", 1): 3, ("jd", 2): 3, ("cl", 1): 3, ("cl", 2): 3}
    assert faults.found == []


def test_a_table_of_a_survey_ends_the_blindness_of_its_tow(appliance: SimulatedAppliance, tmp_path: Path) -> None:
    blind = make_blind_survey(appliance, stills=4)
    survey, station = names(appliance, blind.survey_id)
    assert objects(appliance) == 0
    rows = [f'{place},"{station}","{survey}",{counter},1,5,0,0,NA,NA,NA' for place, counter in enumerate((8, 1), start=1)]
    appliance.tables.import_table(recounts(tmp_path, *rows), "mi-recounts", survey, actor="test")
    assert objects(appliance) == 12
