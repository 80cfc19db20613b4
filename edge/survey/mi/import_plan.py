"""Do what a plan says, in one transaction of the writer: all of a table or nothing of it."""

from __future__ import annotations

from edge.store import audit, counts, surveys, tables, tracks
from edge.store.reads import surveys as survey_reads
from edge.store.reads import tracks as track_reads
from edge.store.seal import Seal
from edge.store.sealed_runs import seal_tow
from edge.store.sqlite import Connection
from edge.survey.mi.dialects import VIEW
from edge.survey.mi.stations import StationRecord
from edge.survey.mi.taking import Plan, cells_json


def apply_plan(connection: Connection, seal: Seal, plan: Plan, actor: str) -> None:
    """Write what is new. A plan without news writes nothing, not even that it was looked at.

    Raises:
        CountRefusedError: somebody began to count one of its tows blind.
        StoreError: a seal does not open.
    """
    if plan.is_empty():
        return
    import_id = tables.add_import(connection, plan.survey.id, plan.dialect.name, plan.file_name, plan.sha256, actor=actor)
    _add_stations(connection, plan, actor)
    if plan.counts or plan.references:
        surveys.lock_protocol(connection, plan.protocol.id, actor=actor)
    _add_counts(connection, seal, plan, import_id, actor)
    _add_references(connection, plan, import_id, actor)
    _add_records(connection, plan, import_id, actor)


def _add_stations(connection: Connection, plan: Plan, actor: str) -> None:
    for name in plan.new_stations:
        station_id = surveys.add_station(connection, plan.survey.id, name, actor=actor)
        plan.tows[name] = tow_id = survey_reads.tows(connection, station_id)[0].id
        if not plan.dialect.is_by_station:  # there a station's name is that of its video line
            surveys.set_tow_fields(connection, tow_id, {"line_name": name}, actor=actor)


def _add_counts(connection: Connection, seal: Seal, plan: Plan, import_id: int, actor: str) -> None:
    for planned in plan.counts:
        count_id = counts.add_imported(
            connection,
            seal,
            tow_id=plan.tows[planned.station],
            protocol_id=plan.protocol.id,
            counter=planned.counter,
            minutes=planned.minutes,
            actor=actor,
        )
        tables.note_count(connection, count_id, import_id, planned.operator, planned.kept_minutes)
        tables.add_marks(connection, count_id, planned.marks)
    if plan.survey.kind == "reference":  # the next person is measured on this footage: what a model found there stays sealed
        for tow_id in {plan.tows[planned.station] for planned in plan.counts}:
            seal_tow(connection, seal, tow_id)


def _add_references(connection: Connection, plan: Plan, import_id: int, actor: str) -> None:
    source = f"{plan.file_name}, imported by {actor}"
    for planned in plan.references:
        tow_id = plan.tows[planned.station]
        tables.add_reference(
            connection, tow_id, import_id, operator=planned.operator, source=source, minutes=planned.minutes, marks=planned.marks
        )
        detail = {"file": plan.file_name, "minutes": sorted(planned.minutes)}  # where from, not how many
        audit.append(connection, actor, "reference_set", f"tow/{tow_id}", detail)


def _add_records(connection: Connection, plan: Plan, import_id: int, actor: str) -> None:
    if not plan.records:
        return
    first = plan.records[0]
    tables.fill_survey(connection, plan.survey.id, functional_unit=first.functional_unit, vessel=first.vessel, year=first.year, actor=actor)
    grounds: dict[str, int] = {}
    rows: list[tables.NewTableRow] = []
    for record in plan.records:
        tow_id = plan.tows[record.station]
        if record.ground:
            if record.ground not in grounds:
                grounds[record.ground] = _ground(connection, plan, record, actor)
            _set_ground(connection, tow_id, grounds[record.ground], actor)
        rows.append(_row(tow_id, plan, record))
        _add_measures(connection, plan, tow_id, record, actor)
    tables.add_rows(connection, import_id, rows)


def _ground(connection: Connection, plan: Plan, record: StationRecord, actor: str) -> int:
    found = surveys.find_ground(connection, plan.survey.id, record.ground)
    if found is not None:
        return found
    source = "" if record.ground_area_km2 is None else f"Area_km2 of {plan.file_name}"
    return surveys.add_ground(connection, plan.survey.id, record.ground, actor=actor, area_km2=record.ground_area_km2, area_source=source)


def _set_ground(connection: Connection, tow_id: int, ground_id: int, actor: str) -> None:
    tow = survey_reads.tow(connection, tow_id)
    assert tow is not None  # it was found or made in this transaction
    tables.set_station_ground(connection, tow.station_id, ground_id, actor=actor)


def _row(tow_id: int, plan: Plan, record: StationRecord) -> tables.NewTableRow:
    return tables.NewTableRow(
        tow_id=tow_id,
        format=plan.dialect.name,
        row_number=record.row,
        systems=record.systems,
        distance_m=record.distance_m,
        width_m=record.width_m,
        raw_per_m2=record.raw_per_m2,
        adjusted_per_m2=record.adjusted_per_m2,
        latitude_deg=record.latitude_deg,
        longitude_deg=record.longitude_deg,
        cells_json=cells_json(record),
    )


def _add_measures(connection: Connection, plan: Plan, tow_id: int, record: StationRecord, actor: str) -> None:
    """A distance and a width from the table, where the tow has none of its own yet: what was measured here is not replaced."""
    if record.distance_m is not None and track_reads.distance_in_force(connection, tow_id) is None:
        note = f"{plan.file_name}, row {record.row}"
        if record.distance_source is None:
            note += ": the table names no source"
        new = tracks.NewDistance(record.distance_source or "estimated", record.distance_m, covers="counted", note=note)
        tracks.add_distance(connection, tow_id, new, actor)
    if record.width_m is not None and track_reads.width_in_force(connection, tow_id) is None:
        how = "FOVMultiplier, taken for the width in metres" if plan.dialect is VIEW else "area divided by distance"
        width = tracks.NewWidth(
            method="table",
            width_m=record.width_m,
            uncertainty_m=None,
            row_height=plan.protocol.line_height,
            source=f"{plan.file_name}, row {record.row}: {how}",
            detail={"table": plan.file_name, "sha256": plan.sha256, "row": record.row, "how": how},
        )
        tracks.add_width(connection, tow_id, width, actor)
