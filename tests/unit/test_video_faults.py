"""Clips that are cut, damaged, empty or something else: each is read as far as it goes or refused, with a reason that is right."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import REASON_ADVICE, InputError, Reason
from edge.pipeline.video import ClipEnd, ClipFrames, ClipReader, probe_clip, sampled_frames
from tests.helpers.clips import Recipe, even_times, number_in, numbered, write_clip, write_sound

FRAMES = 48
H264 = Recipe(b_frames=2, options={"preset": "veryfast"})
FASTSTART = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


def read(clip: Path, *, threads: int = 2) -> tuple[list[tuple[int, float]], ClipEnd]:
    """Number and time of each frame, and how the clip ended."""
    with ClipReader(clip, rate_hz=1000, threads=threads) as reader:
        frames = [(number_in(frame.pixels), frame.at_s) for frame in reader.frames()]
    return frames, reader.end


def refused(clip: Path, *, max_pixels: int = 10_000_000) -> InputError:
    with pytest.raises(InputError) as caught:
        probe_clip(clip, max_pixels=max_pixels)
    with pytest.raises(InputError) as again:
        ClipReader(clip, rate_hz=6, max_pixels=max_pixels)
    assert again.value.reason is caught.value.reason
    assert caught.value.advice() == REASON_ADVICE[caught.value.reason]
    return caught.value


@pytest.mark.parametrize("share", [0.5, 0.75, 0.97])
@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(
            replace(recipe, suffix=suffix, container_options=options), id=f"{recipe.codec}{suffix}{'-fragments' * (options == FRAGMENTED)}"
        )
        for recipe, suffix, options in (
            (H264, ".mp4", FASTSTART),
            (H264, ".mp4", FRAGMENTED),
            (H264, ".mkv", {}),
            (H264, ".ts", {}),
            (H264, ".avi", {}),
            (Recipe(codec="libx265", b_frames=2), ".mp4", FASTSTART),
            (Recipe(codec="mpeg2video", b_frames=2), ".mpg", {}),
            (Recipe(codec="mpeg4", b_frames=2), ".avi", {}),
            (Recipe(codec="mjpeg", pix_fmt="yuvj420p"), ".mov", FASTSTART),
        )
    ],
)
def test_a_clip_that_ends_in_the_middle_is_read_up_to_there(recipe: Recipe, share: float, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / f"whole{recipe.suffix}", recipe, even_times(FRAMES)).read_bytes()
    clip = tmp_path / f"clip{recipe.suffix}"
    clip.write_bytes(whole[: int(len(whole) * share) | 1])
    frames, end = read(clip)
    assert frames
    assert len(frames) < FRAMES or recipe.suffix == ".avi"  # behind an AVI's pictures lies only its index
    assert [at_s for _, at_s in frames] == pytest.approx([number / 25 for number, _ in frames], abs=0.0011), (frames, end)
    if recipe.suffix != ".mpg":  # a program stream may end anywhere
        assert end.kind == "cut"
        assert "ends in the middle" in end.faults[-1]
    assert probe_clip(clip).codec


def test_a_clip_that_its_recorder_did_not_finish_is_told_apart(tmp_path: Path) -> None:
    """Without moov nothing can be read of an MP4, which is not the same as damage, and has a way out."""
    whole = write_clip(tmp_path / "whole.mp4", H264, even_times(FRAMES)).read_bytes()
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(whole[: len(whole) // 2])
    error = refused(clip)
    assert error.reason is Reason.UNFINISHED
    assert "untrunc" in error.advice()
    for length in (20, 8, 44):
        clip.write_bytes(whole[:length])
        assert refused(clip).reason in {Reason.UNFINISHED, Reason.TRUNCATED, Reason.CORRUPT, Reason.NO_VIDEO_STREAM}


@pytest.mark.parametrize(
    ("codec", "suffix"), [("mpeg2video", ".mpg"), ("mpeg2video", ".ts"), ("mpeg4", ".avi"), ("mjpeg", ".mkv"), ("libx264", ".avi")]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_damage_is_left_out_up_to_the_next_key_frame(codec: str, suffix: str, threads: int, tmp_path: Path) -> None:
    recipe = Recipe(
        codec=codec, suffix=suffix, b_frames=0 if codec == "mjpeg" else 2, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    whole = bytearray(write_clip(tmp_path / f"whole{suffix}", recipe, even_times(FRAMES)).read_bytes())
    chance = random.Random(1)
    middle = len(whole) // 2
    whole[middle : middle + 400] = chance.randbytes(400)
    clip = tmp_path / f"clip{suffix}"
    clip.write_bytes(whole)
    frames, end = read(clip, threads=threads)
    assert len(frames) < FRAMES
    assert all(at_s == pytest.approx(number / 25, abs=0.0011) for number, at_s in frames)
    assert frames[-1][0] == FRAMES - 1
    assert end.damaged_s
    (begun_s, ended_s), *_ = end.damaged_s
    assert begun_s is not None
    assert ended_s is not None
    assert 0.3 < begun_s < ended_s < 1.7
    assert "damaged" in end.faults[0]
    whole_numbers = [number for number, _ in frames]
    lost = sorted(set(range(FRAMES)) - set(whole_numbers))
    assert codec == "mjpeg" or (max(lost) + 1) % 12 == 0  # the next one is a key frame
    breaks = [frame for frame in sampled_frames(clip, rate_hz=1000, threads=threads) if frame.follows_break]
    assert breaks
    frames_at = ClipFrames()
    before = frames_at.frame_at(clip, lost[0] / 25)
    assert number_in(before.pixels) == lost[0] - 1  # what is shown while the clip is damaged is the last sound frame
    frames_at.close()


@pytest.mark.parametrize(
    ("recipe", "suffix"), [(H264, ".ts"), (Recipe(codec="mpeg2video", b_frames=2), ".mpg"), (Recipe(codec="mpeg4"), ".ts")]
)
def test_reading_ends_where_the_clock_jumps_back(recipe: Recipe, suffix: str, tmp_path: Path) -> None:
    """Two recordings in one file: when the second was taken nobody knows, so its frames have no place on the time of the first."""
    first = write_clip(tmp_path / f"first{suffix}", replace(recipe, suffix=suffix), even_times(FRAMES))
    second = write_clip(tmp_path / f"second{suffix}", replace(recipe, suffix=suffix), even_times(30))
    clip = tmp_path / f"clip{suffix}"
    clip.write_bytes(first.read_bytes() + second.read_bytes())
    frames, end = read(clip)
    last = frames[-1][0]
    assert [number for number, _ in frames] == list(range(last + 1))
    assert last >= FRAMES - 4  # a transport stream that breaks off does not tell whether its last frame is whole
    assert end.kind == "jumped_back"
    assert "jumps back" in end.faults[-1]
    picked = list(sampled_frames(clip, rate_hz=6))
    assert [frame.at_s for frame in picked] == sorted(frame.at_s for frame in picked)
    with ClipReader(clip, rate_hz=6) as sampling:
        assert sum(1 for _ in sampling.frames()) == len(picked)
        assert sampling.end.kind == "jumped_back"
    frames_at = ClipFrames()
    assert [number_in(frames_at.frame_at(clip, number / 25).pixels) for number in (3, 40, 43, 20, 60)] == [3, 40, 43, 20, last]
    frames_at.close()
    with ClipReader(clip, rate_hz=6, from_s=1.0) as rest:
        assert [frame.number for frame in rest.frames()] == [frame.number for frame in picked if frame.at_s >= 1.0]


@pytest.mark.parametrize(("frames_in_first", "frames_in_second"), [(40, 150), (150, 40)])
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_no_picture_from_behind_a_jump_is_shown(frames_in_first: int, frames_in_second: int, suffix: str, tmp_path: Path) -> None:
    """A search by time may end in either part; the second begins with number 100."""
    recipe = Recipe(codec="mpeg2video", suffix=suffix)
    first = write_clip(tmp_path / f"first{suffix}", recipe, even_times(frames_in_first))
    later = [numbered(100 + number % 100) for number in range(frames_in_second)]
    second = write_clip(tmp_path / f"second{suffix}", recipe, even_times(frames_in_second), pictures=later)
    clip = tmp_path / f"clip{suffix}"
    clip.write_bytes(first.read_bytes() + second.read_bytes())
    frames = ClipFrames()
    for number in random.Random(2).sample(range(min(frames_in_first, 90) - 4), 12):
        frames.close()
        assert number_in(frames.frame_at(clip, number / 25 + 0.01).pixels) == number
    frames.close()


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_frames_of_one_time_are_given_once(suffix: str, tmp_path: Path) -> None:
    """A recorder that stamps two frames alike: the second has no time of its own."""
    times = even_times(20)
    copies = write_clip(tmp_path / f"copies{suffix}", Recipe(suffix=suffix), times, repeat_times={8, 9})
    frames, end = read(copies)
    numbers = [number for number, _ in frames]
    assert numbers == sorted(set(numbers))
    assert len(numbers) in {18, 20}  # the muxer may move the second aside
    assert (len(numbers) == 20) == (end.faults == ())


def test_a_clip_cut_out_of_a_stream_begins_at_its_first_key_frame(tmp_path: Path) -> None:
    """What a stream begins with leans on frames that were cut off; grey pictures must not pass for the seabed."""
    for codec in ("mpeg4", "mpeg2video", "libx264"):
        whole = write_clip(tmp_path / f"{codec}.ts", Recipe(codec=codec, suffix=".ts", b_frames=2), even_times(FRAMES)).read_bytes()
        clip = tmp_path / f"{codec}-cut.ts"
        clip.write_bytes(whole[188 * (len(whole) // 188 // 3) :])
        frames, _ = read(clip)
        first = frames[0][0]
        assert first % 12 == 0
        assert first > 0
        assert [number for number, _ in frames] == list(range(first, FRAMES))
        assert frames[0][1] == 0.0


def test_what_is_no_clip_is_refused_with_its_reason(tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    Image.new("RGB", (64, 48)).save(picture)
    film = write_clip(tmp_path / "film.mp4", H264, even_times(4))
    sound = write_sound(tmp_path / "sound.mp4")
    cases: dict[str, tuple[bytes, Reason]] = {
        "jpeg.mp4": (picture.read_bytes(), Reason.EXTENSION_MISMATCH),
        "film.jpg": (film.read_bytes(), Reason.EXTENSION_MISMATCH),
        "film.avi": (film.read_bytes(), Reason.EXTENSION_MISMATCH),
        "sound.mp4": (sound.read_bytes(), Reason.NO_VIDEO_STREAM),
        "empty.mp4": (b"", Reason.EMPTY_FILE),
        "text.mp4": (b"This is no clip at all, but a note about one. " * 40, Reason.UNKNOWN_FORMAT),
        "zeros.ts": (bytes(4096), Reason.UNKNOWN_FORMAT),
        "noise.mkv": (random.Random(3).randbytes(4096), Reason.UNKNOWN_FORMAT),
        "head.mkv": (b"\x1a\x45\xdf\xa3" + bytes(200), Reason.CORRUPT),
    }
    for name, (content, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert refused(path).reason is reason, name
    assert refused(tmp_path / "nothing.mp4").reason is Reason.VANISHED
    (tmp_path / "folder.mp4").mkdir()
    assert refused(tmp_path / "folder.mp4").reason is Reason.NOT_A_REGULAR_FILE
    (tmp_path / "link.mp4").symlink_to(film)
    assert refused(tmp_path / "link.mp4").reason is Reason.NOT_A_REGULAR_FILE


def test_zero_frames_are_not_an_empty_result(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv", ".avi", ".ts"):
        clip = write_clip(tmp_path / f"none{suffix}", replace(H264, suffix=suffix), [])
        assert refused(clip).reason in {Reason.NO_FRAMES, Reason.NO_VIDEO_STREAM, Reason.CORRUPT, Reason.EMPTY_FILE}


def test_other_codecs_are_named(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Recipe(codec="libvpx", suffix=".mkv"), even_times(3))
    error = refused(clip)
    assert error.reason is Reason.UNSUPPORTED_CODEC
    assert "vp8" in str(error)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("libx264", ".mp4"), ("mpeg2video", ".ts"), ("mjpeg", ".avi"), ("mpeg4", ".mkv"), ("libx265", ".ts")]
)
def test_large_frames_are_refused_before_they_are_decoded(codec: str, suffix: str, tmp_path: Path) -> None:
    recipe = Recipe(codec=codec, suffix=suffix, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p")
    clip = write_clip(tmp_path / f"clip{suffix}", recipe, even_times(2), pictures=[np.full((1024, 1280, 3), 80, np.uint8)] * 2)
    assert refused(clip, max_pixels=1024 * 1280 - 1).reason is Reason.TOO_MANY_PIXELS
    assert refused(clip, max_pixels=1000).reason is Reason.TOO_MANY_PIXELS
    assert probe_clip(clip, max_pixels=1024 * 1280).width_px == 1280


def test_a_gigantic_frame_takes_no_memory(tmp_path: Path) -> None:
    """A header of 16384 x 16384 pixels over a few bytes: what is refused must not have been decoded for that."""
    clip = write_clip(tmp_path / "clip.mkv", Recipe(codec="mjpeg", suffix=".mkv", pix_fmt="yuvj420p"), even_times(1))
    data = bytearray(clip.read_bytes())
    frame_header = data.index(b"\xff\xc0")
    data[frame_header + 5 : frame_header + 9] = bytes.fromhex("40004000")
    clip.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(clip)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_a_change_of_size_ends_the_clip(tmp_path: Path) -> None:
    parts = [
        write_clip(tmp_path / f"{width}.ts", Recipe(codec="mpeg2video", suffix=".ts"), even_times(24, first=first), pictures=pictures)
        for width, first, pictures in (
            (160, 0, [np.full((96, 160, 3), 90, np.uint8)] * 24),
            (192, 90_000, [np.full((128, 192, 3), 90, np.uint8)] * 24),
        )
    ]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    with ClipReader(clip, rate_hz=6) as reader:
        sizes = {frame.pixels.shape for frame in reader.frames()}
    assert sizes == {(96, 160, 3)}
    assert reader.end.kind in {"resized", "jumped_back"}
    assert reader.faults


def test_near_black_footage_is_read(tmp_path: Path) -> None:
    """Nothing to see is for the measure of visibility to say, not for the reader."""
    dark = [np.random.default_rng(number).integers(0, 4, (96, 128, 3), np.uint8) for number in range(12)]
    clip = write_clip(tmp_path / "clip.mp4", H264, even_times(12), pictures=dark)
    with ClipReader(clip, rate_hz=6) as reader:
        frames = list(reader.frames())
    assert len(frames) == 3
    assert max(frame.pixels.mean() for frame in frames) < 10
    assert reader.faults == ()


def test_nothing_is_said_to_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = bytearray(write_clip(tmp_path / "whole.mp4", replace(H264, container_options=FASTSTART), even_times(FRAMES)).read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 900] = random.Random(2).randbytes(900)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(whole[:-300])
    capfd.readouterr()
    list(sampled_frames(clip, rate_hz=25))
    (tmp_path / "bad.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(300))
    refused(tmp_path / "bad.mkv")
    assert capfd.readouterr() == ("", "")


def test_memory_and_disk_faults_are_not_faults_of_the_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that goes away in the middle of a clip must not leave a clip that "ends" there."""
    clip = write_clip(tmp_path / "clip.ts", replace(H264, suffix=".ts"), even_times(200))
    reader = ClipReader(clip, rate_hz=1000)
    frames = reader.frames()
    next(frames)
    reader._clip.file.close()
    with pytest.raises((InputError, ValueError)) as caught:
        list(frames)
    assert not isinstance(caught.value, InputError) or caught.value.reason is Reason.UNREADABLE_FILE


def corrupted(clip: Path, chance: random.Random) -> Path:
    data = bytearray(clip.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(1, 40)] = chance.randbytes(chance.randrange(1, 40))
    if chance.random() < 0.3:
        del data[chance.randrange(1, len(data)) :]
    broken = clip.with_name(f"broken{clip.suffix}")
    broken.write_bytes(data)
    return broken


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".mpg"])
def test_whatever_a_file_holds_times_ascend_or_it_is_refused(suffix: str, tmp_path: Path) -> None:
    recipe = Recipe(
        codec="mpeg2video" if suffix == ".mpg" else "libx264",
        suffix=suffix,
        b_frames=2,
        container_options=FASTSTART if suffix == ".mp4" else {},
    )
    clip = write_clip(tmp_path / f"clip{suffix}", recipe, even_times(30))
    for seed in range(12):
        broken = corrupted(clip, random.Random(seed))
        try:
            with ClipReader(broken, rate_hz=12, max_pixels=1_000_000) as reader:
                times_s = [frame.at_s for frame in reader.frames()]
        except InputError:
            continue
        assert times_s == sorted(set(times_s))
        assert times_s
        assert min(times_s) >= 0


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_clip_that_is_exchanged_while_it_is_looked_at(change: Callable[[Path], object], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", H264, even_times(10))
    frames = ClipFrames()
    assert number_in(frames.frame_at(clip, 0.2).pixels) == 5
    change(clip)
    with pytest.raises(InputError) as caught:
        frames.frame_at(clip, 0.2)
    assert caught.value.reason in {Reason.VANISHED, Reason.EMPTY_FILE}
    write_clip(clip, replace(H264, codec="mpeg4", options={}), even_times(10))
    assert number_in(frames.frame_at(clip, 0.2).pixels) == 5
    assert len(frames._open) == 1
    frames.close()
