"""Tables of the Marine Institute for tests: a sea with surveys to take them into, and small tables of our own in their shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from edge.store import surveys
from edge.survey.exchange.methods import ANY, Choice
from edge.survey.exchange.run import ExportReport, ExportRequest, export
from edge.survey.mi.dialects import CLICKS, FU2021, RECOUNTS
from edge.survey.tables_desk import ImportReport, TablesDesk
from tests.helpers.stations import Sea, protocol

RECOUNTS_HEADER = ",".join(f'"{name}"' for name in RECOUNTS.columns)
CLICKS_HEADER = ",".join(f'"{name}"' for name in CLICKS.columns)
FU2021_HEADER = ",".join(FU2021.columns)


class Tables(Sea):
    """A home folder with the survey T2026, and the desk of tables."""

    def __init__(self, home: Path, **rules: Any) -> None:
        super().__init__(home, **rules)
        self.tables = TablesDesk(self, self.reader, self.seal)

    def survey(self, name: str, *, kind: Literal["survey", "reference"] = "survey", **rules: Any) -> int:
        """Another survey with its protocol."""
        survey_id = self.call(lambda c: surveys.add_survey(c, name, actor="test", kind=kind))
        self.call(lambda c: surveys.add_protocol(c, survey_id, protocol(**rules), reason="test", actor="test"))
        return survey_id

    def take(self, path: Path, table_format: str, survey: str = "T2026", **options: Any) -> ImportReport:
        """Take a table."""
        return self.tables.import_table(path, table_format, survey, actor="test", **options)

    def write(
        self,
        out: Path,
        table_format: str,
        survey: str = "T2026",
        station: str | None = None,
        *,
        choice: Choice = ANY,
        sees_tables: bool = True,
    ) -> ExportReport:
        """Write a table, as somebody who administers."""
        request = ExportRequest(survey=survey, format=table_format, station=station, choice=choice, sees_tables=sees_tables)
        with self.reader() as connection:
            return export(connection, request, out)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query of the database says now."""
        with self.reader() as connection:
            return [tuple(row) for row in connection.execute(query, values)]


def table(folder: Path, header: str, *rows: str, name: str = "table.csv", end: str = "\n") -> Path:
    """A table of our own."""
    path = folder / name
    path.write_text(end.join((header, *rows)) + end, encoding="utf-8", newline="")
    return path


def recounts(folder: Path, *rows: str, name: str = "Recounts.csv") -> Path:
    """A Recounts table."""
    return table(folder, RECOUNTS_HEADER, *rows, name=name)


def two_counters(station: str = "7", survey: str = "T2026", first: int = 1) -> list[str]:
    """Rows of a station that two counters agree on, minutes 2 to 8."""
    counted = {"8": (16, 10, 13, 10, 12, 9, 15), "1": (15, 11, 13, 9, 12, 10, 16)}
    return [
        f'{first + 7 * place + at},{station},"{survey}",{counter},{minute},{systems},0,0,NA,NA,NA'
        for place, (counter, values) in enumerate(counted.items())
        for at, (minute, systems) in enumerate(zip(range(2, 9), values, strict=True))
    ]


def real(shared_data: Path, *parts: str) -> Path:
    """A file of the real data, or the test is skipped."""
    path = shared_data.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path}")
    return path


def real_clicks(shared_data: Path) -> list[Path]:
    """The click tables of the five reference stations."""
    return sorted(real(shared_data, "uwtv_mi_2020", "reference_footage").glob("*.csv"))
