"""Stations of a survey in a real database: a sheet, a track, counts and a width, as tests want them.

sea = Sea(tmp_path / "home")
tow = sea.station("S1", ground="Smalls")
sea.counts(tow, {"A": [4, 5, 6, 4, 3, 5, 6], "B": [4, 6, 5, 4, 3, 5, 7]})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from edge.store import surveys
from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME, immediate, migrate, open_reader, open_writer
from edge.store.counts import add_imported
from edge.store.reads.counts import CountedMinute
from edge.store.seal import open_seal
from edge.store.sqlite import Connection
from edge.store.surveys import NewProtocol
from edge.survey.result import StationResult, station_result
from edge.survey.track_desk import TrackDesk, TrackFile
from edge.survey.width import fixed_width
from tests.simulators import navigation as sim

T = TypeVar("T")
START = datetime(2026, 7, 14, 10, 0, 0, tzinfo=UTC)
TOW_S = 600


def protocol(**changes: Any) -> NewProtocol:
    """Minutes 2 to 8 under `drop_minute`, two counters, CF 1.30; any of it may be changed."""
    values: dict[str, Any] = {
        "first_minute": 2,
        "last_minute": 8,
        "minute_rule": "drop_minute",
        "line_height": 0.83,
        "edge_rule": "any_opening_inside",
        "counters": 2,
        "min_mean_per_minute": 1.5,
        "ccc_limit": 0.5,
        "correction_factor": 1.3,
        "correction_source": "FU20-21, benchmark table",
        **changes,
    }
    return NewProtocol(**values)


class Sea:
    """A home folder with a survey in it. Works beside an appliance of the same home, over a connection of its own."""

    def __init__(self, home: Path, *, connection: Connection | None = None, **rules: Any) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.connection = connection or open_writer(home / DATABASE_NAME)
        if connection is None:
            migrate(self.connection)
        self.seal = open_seal(home)
        self.desk = TrackDesk(self, self.reader)
        self.survey_id = self.call(lambda c: surveys.add_survey(c, "T2026", actor="test", functional_unit="22", year=2026))
        self.protocol_id = self.protocol(**rules)

    def call(self, work: Callable[[Connection], T], *, quiet: bool = False) -> T:
        with immediate(self.connection) as connection:
            return work(connection)

    def reader(self) -> Any:
        from contextlib import closing

        return closing(open_reader(self.home / DATABASE_NAME))

    def protocol(self, **rules: Any) -> int:
        return self.call(lambda c: surveys.add_protocol(c, self.survey_id, protocol(**rules), reason="test", actor="test"))

    def ground(self, name: str, area_km2: float | None = None, planned: int | None = None) -> int:
        source = "test" if area_km2 else ""
        return self.call(
            lambda c: surveys.add_ground(
                c, self.survey_id, name, area_km2=area_km2, area_source=source, stations_planned=planned, actor="test"
            )
        )

    def station(self, name: str, *, ground: str | None = None, start: datetime = START, at: tuple[float, float] = sim.ORIGIN) -> int:
        """A station with its sheet; returns the tow."""

        def work(connection: Connection) -> int:
            ground_id = None if ground is None else surveys.find_ground(connection, self.survey_id, ground)
            station_id = surveys.add_station(connection, self.survey_id, name, ground_id=ground_id, actor="test")
            row = connection.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
            fields = {
                "start_utc": utc_text(start),
                "end_utc": utc_text(start + timedelta(seconds=TOW_S)),
                "start_latitude_deg": at[0],
                "start_longitude_deg": at[1],
                "end_latitude_deg": at[0] + 0.0018,
                "end_longitude_deg": at[1] + 0.0020,
                "is_valid": 1,
            }
            surveys.set_tow_fields(connection, int(row[0]), fields, actor="test")
            return int(row[0])

        return self.call(work)

    def counts(
        self,
        tow_id: int,
        by_counter: Mapping[str, Sequence[float]],
        *,
        lost_s: Mapping[tuple[str, int], float] | None = None,
        first_minute: int = 2,
        protocol_id: int | None = None,
        signed_utc: str = "2026-07-14T12:00:00.000Z",
        origin: str = "imported",
    ) -> None:
        """Revealed counts, a value a minute from `first_minute` on."""

        def work(connection: Connection) -> None:
            for counter, values in by_counter.items():
                minutes = [
                    CountedMinute(minute, float(value), (lost_s or {}).get((counter, minute), 0.0), None, None, "")
                    for minute, value in enumerate(values, start=first_minute)
                ]
                count_id = add_imported(
                    connection,
                    self.seal,
                    tow_id=tow_id,
                    protocol_id=protocol_id or self.protocol_id,
                    counter=counter,
                    minutes=minutes,
                    signed_utc=signed_utc,
                    actor="test",
                )
                connection.execute("UPDATE counts SET origin = ? WHERE id = ?", (origin, count_id))

        self.call(work)

    def width(self, tow_id: int, width_m: float = 0.75, row_height: float = 0.83) -> int:
        return self.desk.set_width(tow_id, fixed_width(width_m, row_height, "tank, test"), "test")

    def result(self, tow_id: int) -> StationResult:
        with self.reader() as connection:
            return station_result(connection, tow_id)

    def close(self) -> None:
        self.connection.close()


def usbl_log(folder: Path, *, gap: range = range(0), noise_m: float = 1.0, name: str = "usbl.log", seconds: int = TOW_S) -> Path:
    places, _ = sim.walk(seconds, start=START)
    path = folder / name
    path.write_bytes(b"".join(sim.ptsag(place) for second, place in enumerate(sim.scattered(places, noise_m)) if second not in gap))
    return path


def usbl(path: Path, **changes: Any) -> TrackFile:
    return TrackFile(path=path, name=path.name, source="usbl", **changes)
