"""A clip on the pages: its picture and facts, its frames on the counting page, and what is told when it cannot be shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from edge.store import surveys
from edge.store.connection import immediate
from edge.store.readings import add_part, finish_reading
from edge.store.surveys import Attachment
from models.runtime.vision import cv2
from tests.contract.conftest import Served
from tests.helpers import seed
from tests.helpers.clips import Recipe, even_times, number_in, write_clip
from tests.helpers.footage import CLIP, context_of, make_part, queue_clip

SECONDS, RATE = 4, 25
FIRST_OF_CLIPS = 1 << 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A tow whose footage is one clip of four seconds that began a second before the line."""

    served: Served
    clip: Path
    image_id: int
    file_id: int
    tow_id: int

    def get(self, path: str) -> httpx.Response:
        return self.served.client.get(path)


@pytest.fixture
def shown(served_anew: Served) -> Shown:
    served = served_anew
    db = served.appliance.writer
    station = seed.add_station(db, served.appliance.home / "footage", b"tow", make=True)
    clip = write_clip(served.appliance.home / "footage" / "tow" / "a.mp4", Recipe(), even_times(SECONDS * RATE, RATE), rate=RATE)
    job = queue_clip(db, station, b"a.mp4")
    model_id = seed.add_model(db, name="tow-model", serves=None).model_id
    status = clip.stat()
    with immediate(db):
        part = make_part(0, b"frames", to_s=3.84, frames=24)
        facts = replace(CLIP, duration_s=float(SECONDS), width_px=128, height_px=96)
        add_part(db, seed.SEAL, context_of(job, model_id), replace(part, facts=facts))
        finish_reading(db, context_of(job, model_id), parts=1, faults=["a damaged part at 3.1 s"])
        db.execute(
            "UPDATE sightings SET size_bytes = ?, mtime_ns = ? WHERE image_id = ?", (status.st_size, status.st_mtime_ns, job.image_id)
        )
        survey_id = surveys.add_survey(db, "CLIPS", actor="test")
        surveys.add_station(db, survey_id, "S1", actor="test")
        (tow_id,) = db.execute("SELECT max(id) FROM tows").fetchone()
        db.execute("UPDATE tows SET start_utc = '2026-06-14T09:00:00.000Z' WHERE id = ?", (tow_id,))
        surveys.attach_images(db, [Attachment(image_id=job.image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=-1.0)], actor="test")
    (file_id,) = db.execute("SELECT id FROM sightings WHERE image_id = ?", (job.image_id,)).fetchone()
    return Shown(served=served, clip=clip, image_id=job.image_id, file_id=file_id, tow_id=tow_id)


def picture(answer: httpx.Response) -> int:
    """The number that the frame shows."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text
    return number_in(np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR), np.uint8))


def test_the_page_of_a_clip_shows_a_frame_its_facts_and_its_faults(shown: Shown) -> None:
    page = shown.get(f"/files/{shown.file_id}").text
    for words in ("h264 in mp4", "24 frames looked at", "a damaged part at 3.1 s", f'href="/tows/{shown.tow_id}/footage"', "S1"):
        assert words in page
    assert "None" not in page
    assert picture(shown.get(f"/api/files/{shown.file_id}/picture")) == RATE, "the frame at one second"
    assert shown.get(f"/api/files/{shown.file_id}/thumbnail").status_code == 200


def test_frames_of_a_clip_are_listed_by_their_time_and_shown_by_their_number(shown: Shown) -> None:
    listed = shown.get(f"/api/tows/{shown.tow_id}/frames").json()
    frames = listed["frames"]
    assert frames[0][0] > FIRST_OF_CLIPS
    assert [at_s for _, at_s in frames[:3]] == [0.04, 0.12, 0.2], "from the start of line on, at 12.5 a second"
    assert frames[-1][1] <= 2.84
    assert listed["untimed"] == 0
    for number, at_s in (frames[0], frames[10], frames[-1]):
        in_clip_s = at_s + 1.0
        assert picture(shown.get(f"/api/tows/{shown.tow_id}/frames/{number}")) == int(in_clip_s * RATE + 1e-6)
    assert shown.get(f"/api/tows/{shown.tow_id}/frames/{FIRST_OF_CLIPS + 1}").status_code == 404, "a clip of no tow"


def test_a_clip_that_is_gone_or_another_is_told(shown: Shown) -> None:
    content = shown.clip.read_bytes()
    shown.clip.write_bytes(content + b"more")
    answer = shown.get(f"/api/files/{shown.file_id}/picture")
    assert (answer.status_code, answer.json()["code"]) == (410, "original_changed")
    shown.clip.unlink()
    assert shown.get(f"/api/files/{shown.file_id}/picture").json()["code"] == "original_gone"
