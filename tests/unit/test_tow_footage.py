"""The frames of a tow on one clock: pieces in their places, what overlaps or does not fit left out with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.footage import FootageFrame
from edge.footage_pack import pack_frames
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.readings import add_part, finish_reading
from edge.store.reads.footage import TowClipRow, TowStillRow, clips_of_tow, unfinished_of_tow
from edge.store.reads.surveys import TowRow, tow
from edge.store.surveys import Attachment
from edge.survey.tow_footage import Clock, frames_of_clips, frames_of_stills, place_clips
from edge.values import Detections
from tests.helpers import seed
from tests.helpers.footage import context_of, make_frame, make_part, queue_clip


@pytest.fixture
def of(tmp_path: Path) -> TowRow:
    db = seed.open_database(tmp_path / "home")
    survey_id = surveys.add_survey(db, "T2026", actor="test")
    station_id = surveys.add_station(db, survey_id, "S1", actor="test")
    found = tow(db, db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()[0])
    db.close()
    assert found is not None
    return found._replace(start_utc="2026-06-14T09:00:00.000Z", end_utc="2026-06-14T09:10:00.000Z")


def clip(name: str, at_s: float | None, seconds: float, **changes: Any) -> TowClipRow:
    values: dict[str, Any] = {
        "image_id": hash(name) % 1000,
        "name": name,
        "at_s": at_s,
        "capture_time_utc": None,
        "camera_id": None,
        "duration_s": seconds,
        "faults_json": "[]",
        "reading_id": 1,
        "reading_uuid": name,
        "model_id": 1,
        "rate_hz": 6.0,
        "frames": 10,
        "read_to_s": seconds,
    }
    return TowClipRow(**{**values, **changes})


def test_clips_lie_where_the_sheet_and_their_times_say(of: TowRow) -> None:
    pieces, left_out, clock = place_clips([clip("b.mp4", 300.0, 300.0), clip("a.mp4", -20.0, 320.0)], of)
    assert [(one.clip.name, one.from_s, one.to_s) for one in pieces] == [("a.mp4", -20.0, 300.0), ("b.mp4", 300.0, 600.0)]
    assert (left_out, clock) == ([], Clock.SHEET)


def test_of_two_cameras_the_longer_footage_is_used_and_the_other_is_told(of: TowRow) -> None:
    pieces, left_out, _ = place_clips([clip("side.mp4", 0.0, 200.0), clip("main.mp4", 1.0, 590.0)], of)
    assert [one.clip.name for one in pieces] == ["main.mp4"]
    assert left_out == ["side.mp4: main.mp4 shows the same time; a second camera, or the same footage twice"]


def test_without_a_start_of_line_the_first_file_begins_the_clock(of: TowRow) -> None:
    draft = of._replace(start_utc=None)
    timed = [
        clip("b", None, 60.0, capture_time_utc="2026-06-14T09:05:00.000Z"),
        clip("a", None, 60.0, capture_time_utc="2026-06-14T09:01:00.000Z"),
    ]
    pieces, _, clock = place_clips(timed, draft)
    assert [(one.clip.name, one.from_s) for one in pieces] == [("a", 0.0), ("b", 240.0)]
    assert clock is Clock.FILES
    pieces, _, clock = place_clips([clip("2.mp4", None, 30.0), clip("1.mp4", None, 60.0)], draft)
    assert [(one.clip.name, one.from_s) for one in pieces] == [("1.mp4", 0.0), ("2.mp4", pytest.approx(60.0, abs=0.2))]
    assert clock is Clock.ORDER


def test_a_clip_that_is_not_read_yet_is_named(of: TowRow) -> None:
    pieces, left_out, _ = place_clips([clip("late.mp4", 0.0, 60.0, reading_id=None, read_to_s=None)], of)
    assert (pieces, left_out) == ([], ["late.mp4: not read yet"])


def test_frames_of_two_clips_are_cut_to_the_line(tmp_path: Path, of: TowRow) -> None:
    db = seed.open_database(tmp_path / "home2")
    model_id = seed.add_model(db).model_id
    station = seed.add_station(db, tmp_path / "footage", b"tow")
    survey_id = surveys.add_survey(db, "T2026", actor="test")
    surveys.add_station(db, survey_id, "S1", actor="test")
    (tow_id,) = db.execute("SELECT id FROM tows").fetchone()
    for name, at_s in ((b"1.mp4", -1.0), (b"2.mp4", 598.0)):
        job = queue_clip(db, station, name)
        context = context_of(job, model_id)
        frames = [make_frame(second) for second in (0.0, 1.0, 2.0, 3.0)]
        with immediate(db):
            add_part(db, seed.SEAL, context, make_part(0, pack_frames(frames), to_s=3.0, frames=4))
            surveys.attach_images(
                db, [Attachment(image_id=job.image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=at_s)], actor="test"
            )
        assert unfinished_of_tow(db, tow_id) == 1
        with immediate(db):
            finish_reading(db, context, parts=1, faults=[])
    assert unfinished_of_tow(db, tow_id) == 0
    found = frames_of_clips(db, seed.SEAL, of, clips_of_tow(db, tow_id))
    assert [frame.at_s for frame in found.frames] == [0.0, 1.0, 2.0, 598.0, 599.0, 600.0]
    assert (found.model_id, found.left_out, found.clock) == (model_id, (), Clock.SHEET)
    backwards = frames_of_clips(db, seed.SEAL, of._replace(end_utc="2026-06-14T08:59:59.000Z"), clips_of_tow(db, tow_id))
    assert backwards.frames == ()
    assert backwards.left_out[0].startswith("none of its footage lies between start and end of line")
    db.close()


def stills(count: int, step_s: float) -> list[TowStillRow]:
    return [
        TowStillRow(
            image_id=number,
            at_s=number * step_s,
            capture_time_utc=None,
            camera_id=None,
            sha256=f"{number}",
            width_px=1920,
            height_px=1080,
            run_id=number,
            model_id=3,
        )
        for number in range(1, count + 1)
    ]


def watched(timed: Sequence[tuple[int, float]]) -> list[FootageFrame | None]:
    return [None if image_id == 2 else make_frame(at_s, 0) for image_id, at_s in timed]


def found(still: TowStillRow) -> Detections | None:
    return None if still.run_id is None else make_frame(0.0, 1).detections


def test_dense_stills_become_frames_and_what_is_missing_is_told(of: TowRow) -> None:
    some = stills(6, 0.08)
    some[4] = some[4]._replace(run_id=None)
    footage = frames_of_stills(some, of, found, watched)
    assert [round(frame.at_s, 2) for frame in footage.frames] == [0.08, 0.24, 0.32, 0.48]
    assert [len(frame.detections) for frame in footage.frames] == [1, 1, 1, 1]
    assert footage.left_out == ("1 stills have no result", "1 stills can no longer be read")
    assert footage.model_id == 3


@pytest.mark.parametrize(("count", "step_s", "why"), [(30, 2.0, "its stills are 2.0 s apart"), (1, 1.0, "fewer than two stills")])
def test_stills_too_far_apart_give_no_count_but_a_reason(of: TowRow, count: int, step_s: float, why: str) -> None:
    footage = frames_of_stills(stills(count, step_s), of, found, watched)
    assert footage.frames == ()
    assert why in footage.left_out[-1]


def test_one_still_twice_and_stills_without_a_time(of: TowRow) -> None:
    some = stills(4, 0.1)
    some += [some[0]._replace(image_id=9), some[1]._replace(image_id=10, at_s=None)]
    footage = frames_of_stills(some, of, found, lambda timed: [make_frame(at_s, 0) for _, at_s in timed])
    assert len(footage.frames) == 4
    assert len(footage.left_out) == 2
    assert np.all(np.diff([frame.at_s for frame in footage.frames]) > 0)
