"""Stations with short clips whose openings were followed: every frame of the clips shows its own number."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.store import surveys
from edge.store.analyses import FoundOpening, FoundSystem, NewAnalysis, SeenSecond, record_analysis
from edge.store.connection import immediate
from edge.store.jobs import lease_jobs
from edge.store.packs import PackRow
from edge.store.readings import add_part, finish_reading
from edge.store.reads.footage import clips_of_tow, stills_of_tow
from edge.store.reads.surveys import tow
from edge.store.seal import open_seal
from edge.store.sqlite import Connection
from edge.survey.tow_desk import sources_of
from tests.helpers import seed
from tests.helpers.clips import CLOCK, HEIGHT_PX, WIDTH_PX, Recipe, numbered, write_clip
from tests.helpers.footage import CLIP, context_of, make_part

FRAMES = 40
BEGIN_S = 5.0  # a clip begins so long behind the start of line
UTC = "2026-11-21T12:00:00.000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An opening as a test wants it. `frames`: numbers of the frames that it was found in, 10 px further down each."""

    frames: Sequence[int]
    decision: str | None = None
    x_px: float = 20.0
    system: int | None = None
    label_index: int = 0


def uneven_times(count: int = FRAMES) -> list[int]:
    """Presentation times that no rate gives: every third frame comes late."""
    return [round(Fraction(number, 25) / CLOCK) + (700 if number % 3 == 2 else 0) for number in range(count)]


class Ship:
    """A home with a survey whose stations have a clip each."""

    def __init__(self, home: Path, labels: Sequence[tuple[str, int | None]] = (("burrow opening", 107254),)) -> None:
        self.home = home
        self.connection: Connection = seed.open_database(home)
        self.seal = open_seal(home)
        self.pack: PackRow = seed.add_model(self.connection, labels=labels)
        with immediate(self.connection):
            self.survey_id = surveys.add_survey(self.connection, "CV26001", actor="test")
        self.folder = seed.add_station(self.connection, home.parent / "footage", b"clips", make=True)
        self.clips: dict[str, Path] = {}

    def add(
        self, station: str, openings: Sequence[Opening], *, speed_px_per_s: float | None = 500.0, times: list[int] | None = None
    ) -> int:
        """A station with a clip and its analysis. Returns the tow."""
        times = times or uneven_times()
        path = Path(self.folder.path_bytes.decode()) / f"{station}.mp4"
        write_clip(path, Recipe(), times, pictures=[_seabed(station, number) for number in range(len(times))])
        self.clips[station] = path
        image_id = self._read(path)
        with immediate(self.connection):
            station_id = surveys.add_station(self.connection, self.survey_id, station, actor="test")
            (tow_id,) = self.connection.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
            surveys.set_tow_fields(self.connection, tow_id, {"start_utc": UTC}, actor="test")
            attached = surveys.Attachment(image_id=image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=BEGIN_S)
            surveys.attach_images(self.connection, [attached], actor="test")
            self._analyse(int(tow_id), openings, [float(pts * CLOCK) for pts in times], speed_px_per_s)
        return int(tow_id)

    def add_stills(self, station: str, count: int, openings: Sequence[Opening]) -> int:
        """A station with stills five times a second and its analysis; frames of openings are places of stills. Returns the tow."""
        for number in range(count):
            seed.done(self.connection, self.folder, b"still %d.jpg" % number, self.pack, size_px=(WIDTH_PX, HEIGHT_PX))
        ids = [row[0] for row in self.connection.execute("SELECT i.image_id FROM sightings AS i WHERE i.name LIKE 'still %' ORDER BY i.id")]
        times_s = [number / 5 for number in range(count)]
        with immediate(self.connection):
            station_id = surveys.add_station(self.connection, self.survey_id, station, actor="test")
            (tow_id,) = self.connection.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
            surveys.set_tow_fields(self.connection, tow_id, {"start_utc": UTC}, actor="test")
            attached = [
                surveys.Attachment(image_id=image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=BEGIN_S + at_s)
                for image_id, at_s in zip(ids, times_s, strict=True)
            ]
            surveys.attach_images(self.connection, attached, actor="test")
            self._analyse(int(tow_id), openings, times_s, 500.0)
        return int(tow_id)

    def decide(self, tow_id: int, decisions: Mapping[int, str], actor: str = "jd") -> None:
        """Decide about openings of the current analysis by their ordinal."""
        self.connection.executemany(
            "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc) SELECT o.id, ?, ?, ? FROM tow_openings AS o "
            "JOIN tow_analyses AS a ON a.id = o.analysis_id WHERE a.tow_id = ? AND a.is_current = 1 AND o.ordinal = ?",
            [(decision, actor, UTC, tow_id, ordinal) for ordinal, decision in decisions.items()],
        )

    def _read(self, path: Path) -> int:
        seed.queued(self.connection, self.folder, path.name.encode(), path.read_bytes())
        (job,) = lease_jobs(self.connection, "burrows", owner="test", limit=1)
        context = context_of(job, self.pack.model_id)
        with immediate(self.connection):
            facts = replace(CLIP, width_px=WIDTH_PX, height_px=HEIGHT_PX, duration_s=FRAMES / 25)
            assert add_part(self.connection, self.seal, context, replace(make_part(0, b"", to_s=FRAMES / 25), facts=facts))
            assert finish_reading(self.connection, context, parts=1, faults=[])
        return job.image_id

    def _analyse(self, tow_id: int, openings: Sequence[Opening], times_s: Sequence[float], speed: float | None) -> None:
        of = tow(self.connection, tow_id)
        assert of is not None
        sources = {
            **sources_of(of, clips_of_tow(self.connection, tow_id), stills_of_tow(self.connection, tow_id)),
            "clock": "start of line",
        }
        systems = sorted({one.system for one in openings if one.system is not None})
        made = NewAnalysis(
            made_from=json.dumps(sources),
            made_from_sha256="aa",
            model_id=self.pack.model_id,
            tracker="seabed 1",
            state="done",
            frames=FRAMES,
            seen_s=2.0,
            openings=float(len(openings)),
            openings_sd=0.5,
            systems=1.0,
            systems_sd=0.5,
            found_systems=[FoundSystem(one, None, 1, 0.8) for one in systems],
            found_openings=[_found(place, one, times_s) for place, one in enumerate(openings, start=1)],
            seconds=[SeenSecond(second, 6, speed, None, None, 90.0, 20.0, 55.0, 0.1, 0.0, 0) for second in range(5, 8)],
        )
        record_analysis(self.connection, self.seal, tow_id, made, is_sealed=False)
        decided = {place: one.decision for place, one in enumerate(openings, start=1) if one.decision is not None}
        self.decide(tow_id, decided)


def _seabed(station: str, number: int) -> NDArray[np.uint8]:
    """A picture that no other station has, with its number in it."""
    picture = numbered(number)
    chance = np.random.default_rng(zlib.crc32(station.encode()))
    picture[40:] = np.roll(chance.integers(60, 196, (HEIGHT_PX - 40, WIDTH_PX, 1), np.uint8), 2 * number, axis=0)
    return picture


def _found(ordinal: int, one: Opening, times_s: Sequence[float]) -> FoundOpening:
    rows = np.array(
        [
            (BEGIN_S + times_s[frame], one.x_px, 10.0 + 2 * place, one.x_px + 15.5, 22.25 + 2 * place, 0.5)
            for place, frame in enumerate(one.frames)
        ],
        "<f8",
    )
    return FoundOpening(
        ordinal=ordinal,
        system=one.system,
        first_s=float(rows[0, 0]),
        last_s=float(rows[-1, 0]),
        crossing_s=float(rows[-1, 0]),
        along_px=100.0 * ordinal,
        across_px=60.0,
        along_sd_px=3.0,
        along_m=None,
        across_m=None,
        score=0.9,
        confidence=0.75,
        frames=len(rows),
        missed=0,
        is_extrapolated=0,
        label_index=one.label_index,
        boxes=rows.tobytes(),
    )
