"""How long the pages and tables of a survey take at the end of its season: 300 stations of 10 minutes, two counters each.

Usage, from the top of the repository: python -m tests.benchmarks.survey_season [--quick] [--home FOLDER]

Every tow has its stills at 12.5 a second, a result for every second one, a USBL position a second, a sheet, a width and two counts with a
click for each system. What is timed runs in one process; `first` is with nothing kept from a call before, as after a start.
It prints one JSON document; what happens is told on standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.store import surveys
from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME, migrate, open_reader, open_writer, snapshot
from edge.store.counts import add_imported
from edge.store.reads import surveys as reads
from edge.store.reads.counts import CountedMinute, CountMark
from edge.store.seal import open_seal
from edge.store.sqlite import Connection
from edge.store.tracks import NewDistance, NewPoint, NewTrack, NewWidth, add_distance, add_track, add_width
from edge.survey import track_lines
from edge.survey.counting.overview import survey_agreement
from edge.survey.exchange.run import FORMATS, ExportRequest, export, preview
from edge.survey.overview import survey_overview
from edge.survey.sheet.status import survey_status
from tests.benchmarks.make_large_db import SCORE_THRESHOLD
from tests.helpers.web import serving
from tests.simulators import navigation as sim
from tests.simulators.appliance import SimulatedAppliance

START = datetime(2026, 6, 1, 4, 0, 0, tzinfo=UTC)
MINUTES = 10
LIMIT_S = 1.0
SURVEY = "CV26001"
SHEET = {
    "video_operator": "OP", "visibility": "Good", "speed": "OK", "ground_type": "Good", "usbl": "Operational", "marine_litter": "none",
    "start_depth_m": "98", "end_depth_m": "101", "start_cable_out_m": "240", "comments": "a line of words as people write them",
}  # fmt: skip


def make_season(home: Path, *, stations: int, stills_per_s: float) -> None:
    """Write the survey; the stills are not on disk. Durability is off meanwhile: a power cut here costs nothing."""
    home.mkdir(parents=True, exist_ok=True)
    chance, seal = random.Random(11), open_seal(home)
    with closing(open_writer(home / DATABASE_NAME)) as connection:
        migrate(connection)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = OFF")  # results without the jobs and files that they came from
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO models VALUES (1, 'starter', '1.0.0', 'Burrow openings', 'detect', ?, '{}', '/nowhere', 'now', NULL)", ("0" * 64,)
        )
        survey_id = surveys.add_survey(connection, SURVEY, actor="bench", functional_unit="22", year=2026)
        for ground in range(6):
            surveys.add_ground(
                connection, survey_id, f"Ground {ground}", area_km2=900.0 + ground, area_source="x", stations_planned=60, actor="bench"
            )
        rules = surveys.NewProtocol(
            first_minute=1, last_minute=MINUTES, minute_rule="drop_minute", line_height=0.83, edge_rule="any_opening_inside", counters=2,
            min_mean_per_minute=1.5, ccc_limit=0.5, correction_factor=1.3, correction_source="benchmark table",
        )  # fmt: skip
        protocol_id = surveys.add_protocol(connection, survey_id, rules, reason="the season's", actor="bench")
        for place in range(stations):
            tow_id = _station(connection, survey_id, place)
            images = _stills(connection, tow_id, place, stills_per_s)
            _way(connection, tow_id, START + timedelta(hours=place))
            truth = [chance.uniform(2, 14) for _ in range(MINUTES)]
            for counter in ("AB", "CD"):
                systems = [max(0, round(chance.gauss(value, 1.0))) for value in truth]
                minutes = [CountedMinute(number, float(value), 0.0, 0, 0, "") for number, value in enumerate(systems, start=1)]
                marks = [mark for number, value in enumerate(systems) for mark in _clicks(images, number, value, stills_per_s, chance)]
                add_imported(
                    connection, seal, tow_id=tow_id, protocol_id=protocol_id, counter=counter, minutes=minutes, marks=marks, actor="bench"
                )
        connection.execute("UPDATE counts SET origin = 'counted'")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _station(connection: Connection, survey_id: int, place: int) -> int:
    begin = START + timedelta(hours=place)
    ground = surveys.find_ground(connection, survey_id, f"Ground {place % 6}")
    station_id = surveys.add_station(connection, survey_id, f"{place + 1}", ground_id=ground, actor="bench")
    (tow_id,) = connection.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    latitude, longitude = 51.0 + place // 20 * 0.08, -7.5 + place % 20 * 0.1
    fields: dict[str, Any] = {
        "start_utc": utc_text(begin), "end_utc": utc_text(begin + timedelta(minutes=MINUTES)), "is_valid": 1,
        "start_latitude_deg": latitude, "start_longitude_deg": longitude,
        "end_latitude_deg": latitude + 0.0018, "end_longitude_deg": longitude + 0.002,
    }  # fmt: skip
    surveys.set_tow_fields(connection, int(tow_id), fields, actor="bench")
    connection.executemany(
        "INSERT INTO entries (tow_id, field, value, source, entered_by, entered_utc) VALUES (?, ?, ?, 'form', 'bench', 'now')",
        [(tow_id, field, value) for field, value in SHEET.items()],
    )
    return int(tow_id)


def _stills(connection: Connection, tow_id: int, place: int, stills_per_s: float) -> range:
    each = round(MINUTES * 60 * stills_per_s)
    numbers = range(place * each + 1, (place + 1) * each + 1)
    values = [(n, str(uuid.UUID(int=n)), hashlib.sha256(str(n).encode()).hexdigest()) for n in numbers]
    connection.executemany("INSERT INTO images VALUES (?, ?, ?, 400000, 'jpeg', 1229, 691, 8, 3, NULL, NULL, NULL, NULL, 'now')", values)
    connection.executemany(
        "INSERT INTO tow_images (image_id, tow_id, how, at_s, attached_by, attached_utc) VALUES (?, ?, 'folder', ?, 'bench', 'now')",
        [(n, tow_id, (n - numbers[0]) / stills_per_s) for n in numbers],
    )
    looked_at = numbers[::2]
    connection.executemany(
        "INSERT INTO runs VALUES (?, ?, ?, ?, 'burrows', 'a', 1, 'b', 'openvino', 'int8', '0', ?, 9, 3, 88, 31, 120, 2, 21, 17, 0, 'now', "
        "1)",
        [(n, str(uuid.UUID(int=(1 << 80) + n)), n, n, SCORE_THRESHOLD) for n in looked_at],
    )
    return numbers


def _clicks(images: range, minute: int, systems: int, stills_per_s: float, chance: random.Random) -> list[CountMark]:
    found = []
    for _ in range(systems):
        at = int((minute * 60 + chance.uniform(0, 59.9)) * stills_per_s)
        x, y = round(chance.random(), 4), round(chance.uniform(0.75, 0.9), 4)
        found.append(CountMark(images[at], at / stills_per_s, minute + 1, "system", x, y, "2026-07-14T12:00:00.000Z"))
    return found


def _way(connection: Connection, tow_id: int, begin: datetime) -> None:
    places, _ = sim.walk(MINUTES * 60, start=begin)
    points = [NewPoint(utc_text(one.at), one.latitude_deg, one.longitude_deg, one.depth_m, None, None, "") for one in places]
    file = f"usbl-{tow_id}.log"
    new = NewTrack(tow_id, "usbl", file, hashlib.sha256(file.encode()).hexdigest(), 0.0, len(points), 0, ())
    track_id = add_track(connection, new, points, "bench")
    add_distance(connection, tow_id, NewDistance("usbl", 246.0, "tow", track_id), "bench")
    add_width(connection, tow_id, NewWidth("fixed", 0.75, 0.01, 0.83, "tank", {}), "bench")


def measure(home: Path) -> dict[str, Any]:
    """Seconds of each piece: computed twice in this process, then the pages as a browser on the loopback gets them."""
    with closing(open_reader(home / DATABASE_NAME)) as connection, tempfile.TemporaryDirectory() as folder:
        found = reads.find_survey(connection, SURVEY)
        assert found is not None
        jobs: dict[str, Callable[[], object]] = {
            "overview": lambda: survey_overview(connection, found.id),
            "status": lambda: survey_status(connection, found),
            "agreement": lambda: survey_agreement(connection, found.id),
            "tables page": lambda: preview(connection, SURVEY, None),
        }
        for name in FORMATS:
            jobs[f"export {name}"] = lambda name=name: export(connection, ExportRequest(survey=SURVEY, format=name), Path(folder))  # type: ignore[misc]
        seconds: dict[str, Any] = {}
        for name, job in jobs.items():
            track_lines.forget()
            with snapshot(connection) if not name.startswith(("export", "tables")) else closing(_Nothing()):
                seconds[name] = _twice(job)
            print(name, seconds[name], file=sys.stderr, flush=True)
    appliance = SimulatedAppliance(home)
    with serving(appliance) as client:
        for path in ("/surveys", *(f"/surveys/{found.id}{page}" for page in ("", "/overview", "/agreement", "/export"))):
            seconds[f"GET {path}"] = _twice(lambda path=path: client.get(path, timeout=600).raise_for_status())  # type: ignore[misc]
            print(path, seconds[f"GET {path}"], file=sys.stderr, flush=True)
    appliance.close()
    slow = {name: one["first_cpu_s"] for name, one in seconds.items() if one["first_cpu_s"] > LIMIT_S}
    return {"limit_s": LIMIT_S, "seconds": seconds, "above_the_limit": slow}


class _Nothing:
    def close(self) -> None:
        """Some pieces begin a snapshot of their own."""


def _twice(job: Callable[[], object]) -> dict[str, float]:
    """Wall and processor seconds of the first call and of the next; on a busy machine only the latter can be compared."""
    took: dict[str, float] = {}
    for name in ("first", "again"):
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        job()
        took[f"{name}_s"] = round(time.perf_counter() - begun_s, 3)
        took[f"{name}_cpu_s"] = round(time.process_time() - begun_cpu_s, 3)
    return took


def main() -> None:
    """Make a season in a folder unless it is there, and measure it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="30 stations with a still a second, to try the benchmark itself")
    parser.add_argument("--home", type=Path, help="where the season is made, or lies since the last time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagine-edge-season-") as folder:
        home = options.home or Path(folder) / "home"
        if not (home / DATABASE_NAME).is_file():
            begun_s = time.monotonic()
            make_season(home, stations=30 if options.quick else 300, stills_per_s=1.0 if options.quick else 12.5)
            print(f"made in {math.ceil(time.monotonic() - begun_s)} s", file=sys.stderr, flush=True)
        print(json.dumps(measure(home), indent=2))


if __name__ == "__main__":
    main()
