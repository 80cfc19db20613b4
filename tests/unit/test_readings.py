"""Readings of clips: kept part by part, gone on with where they ended, never half of two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreError, StoreRefusedError
from edge.footage import StripMoment, StripTile
from edge.footage_pack import pack_frames, unpack_frames
from edge.store.connection import immediate
from edge.store.jobs import Job, reclaim_leases
from edge.store.readings import Unfinished, add_part, finish_reading, open_parts, unfinished_reading
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.store.strips import tiles_of_readings
from tests.helpers import seed
from tests.helpers.footage import MODEL, context_of, make_frame, make_part, queue_clip


class Reading:
    """A clip in the queue of a new database."""

    def __init__(self, home: Path) -> None:
        self.db: Connection = seed.open_database(home)
        self.model_id = seed.add_model(self.db).model_id
        self.job: Job = queue_clip(self.db, seed.add_station(self.db, home / "footage", b"tow"))
        self.context = context_of(self.job, self.model_id)

    def add(self, ordinal: int, content: bytes = b"frames", *, to_s: float = 1.0, **changes: object) -> bool:
        with immediate(self.db):
            return add_part(self.db, seed.SEAL, self.context, replace(make_part(ordinal, content, to_s=to_s), **changes))  # type: ignore[arg-type]

    def finish(self, parts: int) -> bool:
        with immediate(self.db):
            return finish_reading(self.db, self.context, parts=parts, faults=["a damaged part at 3.1 s"])

    def one(self, query: str) -> tuple[object, ...]:
        return tuple(self.db.execute(query).fetchone())


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    made = Reading(tmp_path / "home")
    yield made
    made.db.close()


def test_what_was_read_comes_back_frame_by_frame(reading: Reading) -> None:
    frames = [make_frame(0.0, 0, moved=False, lasers=False), make_frame(0.17, 4), make_frame(0.34, 1)]
    assert reading.add(0, pack_frames(frames[:2]), to_s=0.17)
    assert reading.add(1, pack_frames(frames[2:]), to_s=0.34, frames=1)
    assert reading.finish(2)
    (reading_id,) = reading.one("SELECT id FROM readings WHERE is_current = 1 AND state = 'done' AND frames = 3 AND read_to_s = 0.34")
    back = [frame for part in open_parts(reading.db, seed.SEAL, int(str(reading_id))) for frame in unpack_frames(part)]
    for before, after in zip(frames, back, strict=True):
        assert (before.at_s, before.width_px, before.height_px) == (after.at_s, after.width_px, after.height_px)
        assert (before.detections.xyxy == after.detections.xyxy).all()
        assert (before.detections.score == after.detections.score).all()
        assert (before.lasers, before.visibility) == (after.lasers, after.visibility)
        assert (before.motion is None) == (after.motion is None)
        if before.motion is not None and after.motion is not None:
            assert (before.motion.homography == after.motion.homography).all()
            assert (before.motion.sd_px, before.motion.source) == (after.motion.sd_px, after.motion.source)
    assert reading.one("SELECT state FROM jobs") == ("done",)
    assert reading.one("SELECT kind, count(*) FROM outbox") == ("reading", 1)
    assert reading.one("SELECT faults_json, codec, duration_s FROM clips") == ('["a damaged part at 3.1 s"]', "h264", 600.0)
    assert reading.one("SELECT format, width_px, height_px FROM images") == ("mp4", 1920, 1080)


def test_a_part_tells_nothing_at_rest_and_opens_only_in_its_place(reading: Reading) -> None:
    content = pack_frames([make_frame(0.0)])
    reading.add(0, content)
    reading.add(1, content)
    sealed = [row[0] for row in reading.db.execute("SELECT sealed FROM reading_parts ORDER BY ordinal")]
    assert content not in sealed[0]
    assert sealed[0] != sealed[1]
    reading.db.execute("UPDATE reading_parts SET sealed = ? WHERE ordinal = 0", (sealed[1],))
    with pytest.raises(StoreError):
        next(open_parts(reading.db, seed.SEAL, 1))
    with pytest.raises(StoreError):
        next(open_parts(reading.db, Seal(b"k" * 32), 1))


def test_an_interrupted_reading_goes_on_behind_its_last_part(reading: Reading) -> None:
    assert unfinished_reading(reading.db, reading.context) is None
    reading.add(0, to_s=10.0)
    reading.add(1, to_s=20.0, faults=("a damaged part at 12.0 s",))
    reclaim_leases(reading.db, owner="another", max_attempts=3)
    left = unfinished_reading(reading.db, reading.context)
    assert left == Unfinished(2, 20.0, ("a damaged part at 12.0 s",)), "what was wrong before the interruption is not forgotten"
    assert not reading.add(2), "the job is not leased: somebody else may be at it"
    reading.db.execute("UPDATE jobs SET state = 'leased', lease_owner = 'another'")
    assert reading.add(2, to_s=30.0)
    assert reading.finish(3)
    assert reading.one("SELECT count(*), max(to_s) FROM reading_parts") == (3, 30.0)


@pytest.mark.parametrize("other", ["model", "recipe"])
def test_another_model_or_setting_begins_anew_and_the_rest_of_the_old_goes(reading: Reading, other: str) -> None:
    reading.add(0, to_s=10.0)
    if other == "model":
        reading.context = context_of(reading.job, seed.add_model(reading.db, name="second").model_id)
    else:
        reading.context = context_of(reading.job, reading.model_id, recipe_sha256="changed")
    assert unfinished_reading(reading.db, reading.context) is None
    reading.add(0, to_s=5.0)
    assert reading.finish(1)
    assert [tuple(row) for row in reading.db.execute("SELECT state, is_current FROM readings ORDER BY id")] == [
        ("abandoned", 0),
        ("done", 1),
    ]
    assert reading.one("SELECT count(*), max(to_s) FROM reading_parts") == (1, 5.0)


def test_a_missing_part_is_refused_and_never_called_done(reading: Reading) -> None:
    reading.add(0)
    with pytest.raises(StoreRefusedError, match="part 2 of a clip came, and 1 parts are kept"):
        reading.add(2)
    with pytest.raises(StoreRefusedError, match="read in 3 parts, and 1 of them"):
        reading.finish(3)
    with pytest.raises(StoreRefusedError):
        reading.add(1, model=replace(MODEL, sha256="cd" * 32))
    assert reading.one("SELECT state FROM jobs") == ("leased",)
    assert reading.finish(1)


def test_bytes_that_are_no_part_are_told(reading: Reading) -> None:
    for content in (b"", b"PK\x03\x04 cut", pack_frames([make_frame(1.0)])[:100]):
        with pytest.raises(StoreError, match="cannot be unpacked"):
            unpack_frames(content)


def test_a_strip_is_kept_with_its_part_and_goes_when_a_newer_reading_is_done(reading: Reading) -> None:
    def tile(number: int) -> StripTile:
        moments = (
            StripMoment(number + 0.5, 3.25, None),
            StripMoment(number + 0.75, 9.5, "registered"),
            StripMoment(number + 1.0, 9.0, "carried"),
        )
        return StripTile(columns=10, width_px=480, px_per_column=4.0, jpeg=b"jpeg%d" % number, moments=moments)

    def kept() -> list[tuple[object, ...]]:
        return [tuple(row) for row in reading.db.execute("SELECT reading_id, part, number, jpeg FROM strip_tiles ORDER BY id")]

    assert reading.add(0, strip=(tile(0), tile(1)))
    assert reading.add(1, to_s=2.0, strip=(tile(2),))
    assert reading.finish(2)
    (first,) = reading.one("SELECT id FROM readings")
    assert kept() == [(first, 0, 0, b"jpeg0"), (first, 0, 1, b"jpeg1"), (first, 1, 0, b"jpeg2")]
    (back,) = tiles_of_readings(reading.db, [int(str(first))]).values()
    assert [one.moments for one in back] == [tile(number).moments for number in range(3)]
    assert [(one.columns, one.width_px, one.px_per_column) for one in back] == [(10, 480, 4.0)] * 3

    reading.db.execute("UPDATE jobs SET state = 'leased'")
    assert reading.add(0, strip=(tile(7),))
    assert len(kept()) == 4, "the old strip is shown until the new one is whole"
    assert reading.add(0, strip=(tile(8),)), "begun anew: what was left unfinished goes"
    assert [row[3] for row in kept()][3:] == [b"jpeg8"]
    assert reading.finish(1)
    assert [row[3] for row in kept()] == [b"jpeg8"]
