"""A clip in the queue: killed in the middle it goes on behind its last part; put down when asked; cut and false ones are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.footage_pack import unpack_frames
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.readings import open_parts
from edge.store.seal import open_seal
from edge.store.strips import tiles_of_readings
from tests.helpers.clips import Recipe, even_times, write_clip
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query, states, wait_until

SECONDS, RATE_HZ = 220, 5
SAMPLED_HZ = 4.0


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    return write_clip(path, Recipe(gop=25), even_times(SECONDS * RATE_HZ, RATE_HZ), rate=RATE_HZ).read_bytes()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    make_tiny_home(folder, tmp_path / "pack")
    with (folder / "settings.toml").open("a") as settings:
        settings.write(f"clip_rate_hz = {SAMPLED_HZ}\nclip_settle_s = 0.5\n")
    return folder


def drop(home: Path, name: str, content: bytes) -> Path:
    inbox = home / "inbox" / "burrows"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / f".{name}").write_bytes(content)
    return (inbox / f".{name}").rename(inbox / name)


def times_read(home: Path) -> list[float]:
    """The times of the frames of the one reading that is done, as they are kept."""
    connection = open_reader(home / DATABASE_NAME)
    try:
        (reading_id,) = connection.execute("SELECT id FROM readings WHERE is_current = 1 AND state = 'done'").fetchone()
        parts = list(open_parts(connection, open_seal(home), reading_id))
        return [frame.at_s for part in parts for frame in unpack_frames(part)]
    finally:
        connection.close()


def strip_times(home: Path) -> list[float]:
    """The times of the frames in the frame strip of the only reading."""
    connection = open_reader(home / DATABASE_NAME)
    try:
        (reading_id,) = connection.execute("SELECT id FROM readings").fetchone()
        (tiles,) = tiles_of_readings(connection, [reading_id]).values()
        return [one.at_s for tile in tiles for one in tile.moments]
    finally:
        connection.close()


def assert_read_whole(home: Path) -> None:
    wait_until(lambda: states(home) == {"done": 1}, "the clip is read")
    times = times_read(home)
    expected = [round(tick / RATE_HZ, 6) for tick in range(SECONDS * RATE_HZ)]
    ticks = {int(at_s * SAMPLED_HZ + 1e-9): at_s for at_s in reversed(expected)}
    assert [round(at_s, 6) for at_s in times] == sorted(ticks.values()), "every tick's frame once, in order"
    assert strip_times(home) == times, "the frame strip has each of them once"
    assert query(home, "SELECT state, is_current, frames FROM readings") == [("done", 1, len(times))]
    assert query(home, "SELECT kind, count(*) FROM outbox WHERE kind = 'reading'") == [("reading", 1)]


@pytest.mark.timeout(300)
def test_a_kill_in_the_middle_costs_no_part_and_no_frame_twice(home: Path, long_clip: bytes) -> None:
    drop(home, "tow.mp4", long_clip)
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: query(home, "SELECT count(*) FROM reading_parts") >= [(1,)], "a part is kept")
    appliance.kill()
    (before,) = query(home, "SELECT count(*), max(to_s) FROM reading_parts")
    assert query(home, "SELECT state FROM readings") == [("reading",)], "the clip is too short for this test"
    again = RunningAppliance(home)
    again.wait_ready()
    assert_read_whole(home)
    kept = query(home, f"SELECT count(*), max(to_s) FROM reading_parts WHERE ordinal < {before[0]}")
    assert kept == [before], "what was kept before the kill is kept"
    assert again.stop() == 0


@pytest.mark.timeout(300)
def test_a_stop_puts_a_clip_down_without_an_attempt(home: Path, long_clip: bytes) -> None:
    drop(home, "tow.mp4", long_clip)
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: query(home, "SELECT count(*) FROM reading_parts") >= [(1,)], "a part is kept")
    assert appliance.stop() == 0
    assert query(home, "SELECT state, attempts FROM jobs") == [("queued", 0)]
    again = RunningAppliance(home)
    again.wait_ready()
    assert_read_whole(home)
    assert again.stop() == 0


@pytest.mark.timeout(300)
def test_files_that_are_no_whole_clips_are_told_and_the_others_go_on(home: Path, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", Recipe(suffix=".mkv"), even_times(50)).read_bytes()
    drop(home, "whole.mkv", whole)
    drop(home, "cut.mkv", whole[: len(whole) * 2 // 3])
    drop(home, "words.mp4", b"these are words, not a clip" * 100)
    drop(home, "picture.mp4", b"\xff\xd8\xff\xe0" + bytes(500))
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: sum(states(home).values()) == 4 and set(states(home)) <= {"done", "quarantined"}, "every file has ended")
    found = dict(query(home, "SELECT name, coalesce(reason, 'done') FROM v_files"))
    assert found["whole.mkv"] == found["cut.mkv"] == "done"
    assert (found["words.mp4"], found["picture.mp4"]) == ("unknown_format", "extension_mismatch")
    faults = dict(query(home, "SELECT f.name, c.faults_json FROM clips AS c JOIN sightings AS f ON f.image_id = c.image_id"))
    assert faults["whole.mkv"] == "[]"
    assert "ends in the middle" in faults["cut.mkv"]
    assert appliance.stop() == 0
