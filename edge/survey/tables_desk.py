"""What may be done with tables: taking one of others into a survey, and writing the survey's own.

Every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.counting.qualify import judge_everybody
from edge.survey.mi.dialects import find_dialect
from edge.survey.mi.import_plan import apply_plan
from edge.survey.mi.taking import Plan, plan_import, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What taking a table did, or would do.

    Attributes:
        is_dry_run: nothing was written.
        rows: of the table that belong to the survey; `rows_of_others` are not taken.
        counts, references, stations: how many are new.
        unchanged: how many counts, references or stations were there already, in the same words.
        new_stations: made for this table.
        notes: sentences; what a person should know.
    """

    file: str
    format: str
    survey: str
    sha256: str
    is_dry_run: bool
    rows: int
    rows_of_others: Mapping[str, int]
    new_stations: tuple[str, ...]
    counts: int
    references: int
    stations: int
    unchanged: int
    notes: tuple[str, ...]


class TablesDesk:
    """Tables of one home folder."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]], seal: Seal) -> None:
        """Take who writes and who reads; `seal` opens what models found on a tow that a table reveals."""
        self._writer = writer
        self._reader = reader
        self._seal = seal

    def import_table(
        self,
        path: Path,
        format_name: str,
        survey: str,
        *,
        actor: str,
        of: str | None = None,
        is_dry_run: bool = False,
        name: str | None = None,
    ) -> ImportReport:
        """Take a table of others into a survey, all of it or nothing; the same table twice changes nothing.

        Args:
            path: the file.
            format_name: its dialect, such as "mi-recounts".
            survey: the survey's name here.
            actor: who asks.
            of: the survey's name in the table, where that differs.
            is_dry_run: only say what would be taken.
            name: what people call the file, where that is not the path's.

        Raises:
            TableError: the table cannot be taken; its faults are named by row and column.
            SettingsError: there is no such format or survey, or the survey has no protocol.
            CountRefusedError: one of its tows is being counted blind.
        """
        table = read_table(path, find_dialect(format_name), name=name)
        with self._reader() as connection:  # what contradicts the survey is found here, without holding up the writer and its log
            plan = plan_import(connection, table, survey, of=of)
        if is_dry_run:
            return _report(plan, is_dry_run=True)

        def work(connection: Connection) -> ImportReport:
            plan = plan_import(connection, table, survey, of=of)  # again: another table may have come in between
            report = _report(plan, is_dry_run=False)
            apply_plan(connection, self._seal, plan, actor)
            if plan.references:
                judge_everybody(connection, self._seal, plan.survey.id, actor=actor)
            return report

        return self._writer.call(work)


def _report(plan: Plan, *, is_dry_run: bool) -> ImportReport:
    return ImportReport(
        file=plan.file_name,
        format=plan.dialect.name,
        survey=plan.survey.name,
        sha256=plan.sha256,
        is_dry_run=is_dry_run,
        rows=plan.rows,
        rows_of_others=dict(plan.others),
        new_stations=tuple(plan.new_stations),
        counts=len(plan.counts),
        references=len(plan.references),
        stations=len(plan.records),
        unchanged=plan.unchanged,
        notes=tuple(plan.notes),
    )
