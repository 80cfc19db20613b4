"""The frame on the screen at a time: any order of asking, many who ask, clips that come and go."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge.pipeline.video import ClipFrames, exact, probe_clip, sampled_frames
from tests.helpers.clips import CLOCK, Recipe, even_times, number_in, write_clip

H264 = Recipe(b_frames=2, options={"preset": "veryfast"})
FRAMES = 60


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".avi"])
def test_steps_back_through_a_long_group(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key frame at the beginning, and room for a few frames only: each step back still finds its frame."""
    monkeypatch.setattr(exact, "_KEPT_BYTES", 6 * 128 * 96 * 2)
    clip = write_clip(tmp_path / f"clip{suffix}", replace(H264, suffix=suffix, gop=250), even_times(FRAMES))
    frames = ClipFrames()
    at_s = frames.frame_at(clip, 99.0).at_s
    for number in range(FRAMES - 2, FRAMES - 20, -1):
        found = frames.frame_at(clip, at_s, step=-1)
        assert number_in(found.pixels) == number
        at_s = found.at_s
    assert number_in(frames.frame_at(clip, at_s, step=-999).pixels) == 0
    assert number_in(frames.frame_at(clip, -5.0, step=7).pixels) == 7
    assert number_in(frames.frame_at(clip, 0.0, step=999).pixels) == FRAMES - 1
    frames.close()


def test_what_is_on_the_screen_between_two_frames(tmp_path: Path) -> None:
    """A frame stays until the next one comes, however long that takes; the time that was told for it finds it again."""
    times = [0, 3600, 90_000, 93_600, 400_000]
    clip = write_clip(tmp_path / "clip.mkv", Recipe(codec="mjpeg", suffix=".mkv", pix_fmt="yuvj420p"), times)
    frames = ClipFrames()
    for at_s, number in ((0.0, 0), (0.0399, 0), (0.04, 1), (0.99, 1), (1.0, 2), (1.03, 2), (4.4, 3), (4.45, 4), (100.0, 4), (-1.0, 0)):
        found = frames.frame_at(clip, at_s)
        assert number_in(found.pixels) == number
        assert number_in(frames.frame_at(clip, found.at_s).pixels) == number
        assert found.at_s == pytest.approx(float(times[number] * CLOCK), abs=0.001)
    frames.close()


def test_sampled_frames_are_found_again_at_their_times(tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "clip.ts", replace(H264, suffix=".ts"), even_times(FRAMES, Fraction(30000, 1001)), rate=Fraction(30000, 1001)
    )
    frames = ClipFrames()
    for sampled in sampled_frames(clip, rate_hz=6):
        found = frames.frame_at(clip, sampled.at_s)
        assert found.at_s == sampled.at_s
        assert np.array_equal(found.pixels, sampled.pixels)
    frames.close()


@pytest.mark.parametrize("options", [{"movflags": "negative_cts_offsets"}, {"use_editlist": "0"}, {}])
def test_a_clock_that_begins_below_zero(options: dict[str, str], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", replace(H264, container_options=options), even_times(30))
    frames = ClipFrames()
    for number in (0, 17, 4, 29, 11):
        assert number_in(frames.frame_at(clip, number / 25 + 0.001).pixels) == number
    frames.close()
    assert [number_in(frame.pixels) for frame in sampled_frames(clip, rate_hz=1000)] == list(range(30))


def test_many_ask_at_once(tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"clip{index}.mp4", H264, even_times(30)) for index in range(4)]
    frames = ClipFrames(most_open=2)
    chance = random.Random(3)
    asked = [(chance.choice(clips), chance.randrange(30)) for _ in range(120)]

    def ask(wanted: tuple[Path, int]) -> int:
        return number_in(frames.frame_at(wanted[0], wanted[1] / 25 + 0.01).pixels)

    with ThreadPoolExecutor(max_workers=6) as pool:
        assert list(pool.map(ask, asked)) == [number for _, number in asked]
    assert len(frames._open) <= 2
    frames.close()
    assert not frames._open


def test_what_nobody_asks_for_is_closed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", H264, even_times(5))
    frames = ClipFrames(idle_s=0.0)
    frames.frame_at(clip, 0.1)
    (shelf,) = frames._open.values()
    shelf.used_s -= 1
    frames.close_idle()
    assert shelf.is_closed
    assert not frames._open
    assert number_in(frames.frame_at(clip, 0.1).pixels) == 2
    frames.close()


def test_the_clock_in_the_pictures_of_an_avchd_camera(tmp_path: Path) -> None:
    """A camera's clip has no date in its container: a message in front of its key frames says it."""
    message = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM" + bytes.fromhex("02 18 02 20 23 06 19 03 16 26 10")
    unit = b"\x00\x00\x00\x01\x06\x05" + bytes([len(message)]) + message + b"\x80"
    plain = write_clip(tmp_path / "plain.ts", replace(H264, suffix=".ts"), even_times(10))
    clip = tmp_path / "00001.MTS"
    with av.open(str(plain)) as source, av.open(str(clip), "w", format="mpegts", options={"mpegts_m2ts_mode": "1"}) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                written: Any = av.Packet(unit + bytes(packet))
                written.pts, written.dts, written.time_base = packet.pts, packet.dts, packet.time_base
                written.is_keyframe = packet.is_keyframe
                written.stream = stream
                output.mux(written)
    facts = probe_clip(clip)
    assert (facts.start_utc, facts.start_local) == (None, "2023-06-03T16:26:10.000")
    assert probe_clip(plain).start_local is None
