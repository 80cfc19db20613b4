"""A recorder at work in a watched folder: its clip is taken once it has ended, not in a pause, and what was taken too early comes again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import InputError, Reason
from edge.pipeline.video import ClipReader, probe_clip
from tests.helpers.clips import Recipe, even_times, write_clip
from tests.helpers.watching import Watching, wait_until

FRAMES = 40


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Watching]:
    root = tmp_path / "inbox"
    root.mkdir()
    watching = Watching(tmp_path / "home", root, clip_settle_s=2.0)
    watching.start()
    try:
        yield watching
    finally:
        watching.close()


def frames_of(clip: Path) -> int:
    with ClipReader(clip, rate_hz=1000) as reader:
        return sum(1 for _ in reader.frames())


@pytest.mark.parametrize("suffix", [".mp4", ".ts"])
def test_a_recorder_that_pauses_is_waited_for(suffix: str, patient: Watching, tmp_path: Path) -> None:
    """Pauses of several settle times; nothing of the clip is stored before its end is there."""
    content = write_clip(tmp_path / f"made{suffix}", replace(Recipe(), suffix=suffix), even_times(FRAMES)).read_bytes()
    clip = patient.root / f"00001{suffix}"
    pieces = [content[start : start + len(content) // 4 + 1] for start in range(0, len(content), len(content) // 4 + 1)]
    with clip.open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
            end_s = time.monotonic() + 0.8  # four times `settle_s`
            while time.monotonic() < end_s:
                assert set(patient.states().values()) <= {"seen"}
                time.sleep(0.05)
    wait_until(lambda: patient.states() == {clip.name: "queued"})
    assert len(patient.rows()) == 1
    assert frames_of(clip) == FRAMES


def test_finished_clips_are_not_waited_for(patient: Watching, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "made.mp4", Recipe(), even_times(4))
    long_ago_s = time.time() - 3600
    os.utime(clip, (long_ago_s, long_ago_s))
    clip.rename(patient.root / "card.mp4")
    begun_s = time.monotonic()
    wait_until(lambda: patient.states() == {"card.mp4": "queued"})
    assert patient.settings.clip_settle_s > patient.settings.settle_s
    assert begun_s > 0


def test_a_clip_that_was_taken_in_a_long_pause_comes_again(patient: Watching, tmp_path: Path) -> None:
    """Longer than any patience: what was read of the unfinished file is refused with its reason, the finished one is read."""
    content = write_clip(tmp_path / "made.mp4", Recipe(), even_times(FRAMES)).read_bytes()
    clip = patient.root / "long.mp4"
    with clip.open("wb", buffering=0) as file:
        file.write(content[: len(content) // 2])
        wait_until(lambda: patient.states() == {"long.mp4": "queued"})
        with pytest.raises(InputError) as caught:
            probe_clip(clip)
        assert caught.value.reason is Reason.UNFINISHED
        file.write(content[len(content) // 2 :])
    wait_until(lambda: [row["original"] for row in patient.rows()] == ["changed", "present"])
    wait_until(lambda: patient.states() == {"long.mp4": "queued"})
    old, new = patient.rows()
    assert (old["state"], old["reason"]) == ("quarantined", "changed_while_read")
    assert old["replaced_by_sha256"] == new["sha256"]
    assert frames_of(clip) == FRAMES
