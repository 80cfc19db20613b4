"""A tow that can be reviewed: a small real clip, read, and an analysis of it with openings.

tow = make_reviewable(appliance)
appliance.reviews.decide(tow.tow_id, tow.opening_ids[:2], "accepted", "rita")
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge.footage_pack import pack_frames
from edge.store import surveys
from edge.store.analyses import FoundMinute, FoundOpening, FoundSystem, NewAnalysis, SeenSecond, record_analysis
from edge.store.connection import immediate
from edge.store.jobs import lease_jobs
from edge.store.readings import add_part, finish_reading
from edge.store.reads.footage import clips_of_tow, stills_of_tow
from edge.store.reads.surveys import tow
from edge.store.sqlite import Connection
from edge.store.surveys import Attachment
from edge.survey.tow.tracks import TrackSettings
from edge.survey.tow_analysis import made_from
from edge.survey.tow_desk import sources_of
from edge.survey.tow_footage import Clock
from tests.helpers import seed
from tests.helpers.clips import HEIGHT_PX, WIDTH_PX, Recipe, even_times, write_clip
from tests.helpers.footage import CLIP, context_of, make_frame, make_part
from tests.helpers.web import MTIME_NS
from tests.simulators.appliance import SimulatedAppliance

CLIP_S = 4.0
BOX = (32.0, 16.0, 96.0, 80.0)  # 64 px: a chip of it is as wide as the clip
CONFIDENCES = (0.55, 0.97, 0.30, 0.90, 0.62, 0.99)
CROSSINGS_S: tuple[float | None, ...] = (0.5, 1.0, 1.5, 2.0, None, 3.5)
SYSTEMS: tuple[int | None, ...] = (1, 1, None, 2, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewable:
    """What `make_reviewable` made; `opening_ids` in the order of the tow."""

    appliance: SimulatedAppliance
    survey_id: int
    station_id: int
    tow_id: int
    analysis_id: int
    opening_ids: tuple[int, ...]


def boxes_at(times_s: Sequence[float], box: tuple[float, float, float, float] = BOX) -> bytes:
    """Boxes of an opening that stays where it is, packed."""
    return np.array([[at_s, *box, 0.5] for at_s in times_s], "<f8").tobytes()


def make_opening(ordinal: int, **changes: object) -> FoundOpening:
    """An opening that was in view for 0.6 s."""
    first_s = 0.4 * ordinal
    found = FoundOpening(
        ordinal=ordinal,
        system=None,
        first_s=first_s,
        last_s=first_s + 0.6,
        crossing_s=first_s + 0.5,
        along_px=100.0 * ordinal,
        across_px=64.0,
        along_sd_px=2.0,
        along_m=None,
        across_m=None,
        score=0.9,
        confidence=0.9,
        frames=4,
        missed=0,
        is_extrapolated=0,
        label_index=0,
        boxes=boxes_at([first_s, first_s + 0.2, first_s + 0.4, first_s + 0.6]),
    )
    return found._replace(**changes)  # type: ignore[arg-type]


def make_analysis(openings: Sequence[FoundOpening], **changes: object) -> NewAnalysis:
    """An analysis with these openings and their systems, whose figures are those of the openings."""
    systems = sorted({one.system for one in openings if one.system is not None})
    counted = [one for one in openings if one.crossing_s is not None and one.confidence >= 0.5]
    n_systems = len({one.system for one in counted if one.system is not None}) + sum(one.system is None for one in counted)
    found = NewAnalysis(
        made_from="{}",
        made_from_sha256="aa",
        model_id=None,
        tracker="seabed 1",
        state="done",
        frames=24,
        seen_s=CLIP_S,
        openings=float(len(counted)),
        openings_sd=0.5,
        systems=float(n_systems),
        systems_sd=0.5,
        found_systems=[FoundSystem(one, 1.0, sum(opening.system == one for opening in openings), 0.8) for one in systems],
        found_openings=list(openings),
        minutes=[FoundMinute(1, float(len(counted)), 0.5, float(n_systems), 0.5, 1.0)],
        seconds=seconds_of(CLIP_S),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def make_reviewable(appliance: SimulatedAppliance, *, openings: Sequence[FoundOpening] | None = None, clip_s: float = CLIP_S) -> Reviewable:
    """A survey without rules (so nobody counts blind), a station, a clip of 4 s and an analysis of six openings.

    Of a clip of 20 s or more there are minutes to be counted blind to the model first.
    """
    db = appliance.writer
    survey_id = surveys.add_survey(db, "CV26001", kind="survey", actor="test")
    station_id = surveys.add_station(db, survey_id, "101", actor="test")
    (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    _attach_clip(appliance, tow_id, clip_s)
    found = list(openings) if openings is not None else default_openings()
    with immediate(db):
        made = make_analysis(found, **told_of(db, tow_id), seconds=seconds_of(clip_s), seen_s=clip_s)
        analysis_id = record_analysis(db, appliance.seal, tow_id, made, is_sealed=False)
    return Reviewable(
        appliance=appliance,
        survey_id=survey_id,
        station_id=station_id,
        tow_id=tow_id,
        analysis_id=analysis_id,
        opening_ids=ids_of(db, analysis_id),
    )


def analyse_again(of: Reviewable, openings: Sequence[FoundOpening], **changes: object) -> Reviewable:
    """Another analysis of the same footage, as the current one; `changes` are those of `make_analysis`."""
    db = of.appliance.writer
    told: dict[str, object] = {**told_of(db, of.tow_id), "made_from_sha256": f"again {of.analysis_id}"}
    with immediate(db):
        (last,) = db.execute("SELECT count(*) FROM tow_seconds WHERE analysis_id = ?", (of.analysis_id,)).fetchone()
        made = make_analysis(openings, **{**told, "seconds": seconds_of(last), **changes})
        analysis_id = record_analysis(db, of.appliance.seal, of.tow_id, made, is_sealed=False)
    return replace(of, analysis_id=analysis_id, opening_ids=ids_of(db, analysis_id))


def ids_of(db: Connection, analysis_id: int) -> tuple[int, ...]:
    """The openings of an analysis in the order of the tow."""
    rows = db.execute("SELECT id FROM tow_openings WHERE analysis_id = ? ORDER BY ordinal", (analysis_id,))
    return tuple(row[0] for row in rows)


def seconds_of(length_s: float) -> list[SeenSecond]:
    """The seconds of a tow; the third cannot be counted."""
    return [
        SeenSecond(second, 6, 500.0 + second, None, None, 90.0, 20.0, 55.0, 0.1, 0.0, int(second == 2)) for second in range(int(length_s))
    ]


def default_openings() -> list[FoundOpening]:
    """Six openings, of which four count: one is too doubtful, one did not cross."""
    return [
        make_opening(place + 1, confidence=confidence, crossing_s=crossing_s, system=system)
        for place, (confidence, crossing_s, system) in enumerate(zip(CONFIDENCES, CROSSINGS_S, SYSTEMS, strict=True))
    ]


def told_of(db: Connection, tow_id: int) -> dict[str, str]:
    """What an analysis of a tow is made from, as its files lie now."""
    of = tow(db, tow_id)
    assert of is not None
    sources = sources_of(of, clips_of_tow(db, tow_id), stills_of_tow(db, tow_id))
    text, sha256 = made_from(sources, line_height=0.83, settings=TrackSettings())
    return {"made_from": json.dumps({**json.loads(text), "clock": str(Clock.ORDER), "left_out": []}), "made_from_sha256": sha256}


def see_again(db: Connection, tow_id: int, name: str) -> None:
    """Let the clip of a tow be found once more, the same bytes under another name: its newest name from now on."""
    row = db.execute(
        "SELECT s.* FROM sightings AS s JOIN tow_images AS a ON a.image_id = s.image_id WHERE a.tow_id = ?", (tow_id,)
    ).fetchone()
    values = {key: row[key] for key in row.keys() if key != "id"}  # noqa: SIM118 - a Row iterates over its values
    values |= {"name": name, "name_bytes": name.encode(), "path": os.path.join(os.path.dirname(values["path"]), name)}
    columns, marks = ", ".join(values), ", ".join("?" * len(values))
    db.execute(f"INSERT INTO sightings ({columns}) VALUES ({marks})", tuple(values.values()))


def _attach_clip(appliance: SimulatedAppliance, tow_id: int, clip_s: float) -> None:
    db = appliance.writer
    folder = seed.add_station(db, appliance.home / "footage", b"tow", make=True)
    path = appliance.home / "footage" / "tow" / "tow.mp4"
    path.write_bytes(_clip_content(clip_s))
    os.utime(path, ns=(MTIME_NS, MTIME_NS))
    model_id = seed.add_model(db, serves=None).model_id
    seed.queued(db, folder, b"tow.mp4", path.read_bytes())
    (job,) = lease_jobs(db, "burrows", owner="test", limit=1)
    context = context_of(job, model_id)
    frames = [make_frame(at_s) for at_s in np.arange(0.0, clip_s, 0.2)]
    part = make_part(0, pack_frames(frames), to_s=clip_s, frames=len(frames))
    with immediate(db):
        add_part(db, appliance.seal, context, replace(part, facts=replace(CLIP, width_px=WIDTH_PX, height_px=HEIGHT_PX, duration_s=clip_s)))
        finish_reading(db, context, parts=1, faults=["a damaged part at 3.1 s"])
        attached = Attachment(image_id=job.image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=None)
        surveys.attach_images(db, [attached], actor="test")


@cache
def _clip_content(clip_s: float) -> bytes:
    """Written once: many tests review the same clip."""
    every = 1 if clip_s < 20 else 5  # a long one has fewer frames to write
    with TemporaryDirectory() as folder:
        return write_clip(Path(folder) / "tow.mp4", Recipe(), even_times(int(clip_s * 25))[::every]).read_bytes()
