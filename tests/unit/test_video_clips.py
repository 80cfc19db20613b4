"""Clips of every container and codec: each frame is known by the number drawn into it, so what is picked is proven."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge.pipeline.video import ClipFrames, ClipReader, probe_clip, sampled_frames
from tests.helpers.clips import CLOCK, HEIGHT_PX, WIDTH_PX, Recipe, even_times, number_in, numbered, write_clip

FRAMES = 32
EVERY_HZ = 1000.0
H264_B = Recipe(b_frames=3, options={"preset": "veryfast"})
H264_OPEN = Recipe(b_frames=3, options={"preset": "veryfast", "x264-params": "open-gop=1:scenecut=0"})
H264_FIELDS = Recipe(b_frames=2, options={"preset": "veryfast", "flags": "+ildct+ilme", "x264-params": "tff=1"})
HEVC_B = Recipe(codec="libx265", b_frames=3, options={"x265": "open-gop=1:b-pyramid=1"})
MPEG2_B = Recipe(codec="mpeg2video", b_frames=2)
MPEG2_FIELDS = Recipe(codec="mpeg2video", b_frames=2, options={"flags": "+ildct+ilme"})
MPEG4_B = Recipe(codec="mpeg4", b_frames=2)
MJPEG = Recipe(codec="mjpeg", pix_fmt="yuvj420p")
AVCHD = {"mpegts_m2ts_mode": "1"}
RECIPES = [
    pytest.param(replace(recipe, suffix=suffix, container_options=AVCHD if suffix == ".mts" else {}), id=f"{name}{suffix}")
    for name, recipe, suffixes in (
        ("h264", Recipe(), (".mp4", ".avi", ".mpg")),
        ("h264-b", H264_B, (".mp4", ".mov", ".avi", ".mkv", ".mpg", ".ts", ".mts")),
        ("h264-open", H264_OPEN, (".mp4", ".mkv", ".mts", ".avi")),
        ("h264-fields", H264_FIELDS, (".mp4", ".mts", ".avi")),
        ("hevc-b", HEVC_B, (".mp4", ".mkv", ".ts", ".mpg")),
        ("mpeg1-b", Recipe(codec="mpeg1video", b_frames=2), (".mpg", ".avi")),
        ("mpeg2-b", MPEG2_B, (".mpg", ".ts", ".mkv", ".m2v", ".avi")),
        ("mpeg2-fields", MPEG2_FIELDS, (".mpg", ".mts")),
        ("mpeg4-b", MPEG4_B, (".avi", ".mp4", ".mkv", ".ts")),
        ("mjpeg", MJPEG, (".avi", ".mov", ".mkv")),
        ("prores", Recipe(codec="prores_ks", pix_fmt="yuv422p10le"), (".mov",)),
        ("ffv1", Recipe(codec="ffv1"), (".mkv",)),
    )
    for suffix in suffixes
]
CODECS = {"libx264": "h264", "libx265": "hevc", "prores_ks": "prores"}


def first_of_ticks(times_s: list[Fraction], rate_hz: int) -> list[int]:
    """The first frame of each tick, as the definition says, slowly."""
    ticks = [(time_s - times_s[0]) * rate_hz // 1 for time_s in times_s]
    return [number for number, tick in enumerate(ticks) if number == 0 or tick != ticks[number - 1]]


def uneven_times() -> list[int]:
    """Thirty frames a fiftieth to a tenth of a second apart, with a gap of four seconds; none within 3 ms of a tick of 6 Hz."""
    chance = random.Random(11)
    times = [10 * 90_000]
    while len(times) < 30:
        behind = times[-1] + (4 * 90_000 if len(times) == 21 else chance.choice((1700, 3100, 3700, 9100)))
        into_tick = (behind - times[0]) % 15_000
        times.append(behind + (600 if into_tick < 300 or into_tick > 14_700 else 0))
    return times


def shown(path: Path, rate_hz: float, *, from_s: float = 0.0, threads: int = 1) -> list[tuple[int, float]]:
    with ClipReader(path, rate_hz=rate_hz, from_s=from_s, threads=threads) as reader:
        found = [(number_in(frame.pixels), frame.at_s) for frame in reader.frames()]
        assert reader.faults == ()
        assert reader.end.kind == "complete"
    return found


@pytest.fixture(scope="module", params=RECIPES)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """A recipe, and a clip of 25 frames a second made by it."""
    recipe: Recipe = request.param
    return recipe, write_clip(tmp_path_factory.mktemp("clip") / f"clip{recipe.suffix}", recipe, even_times(FRAMES))


def test_every_frame_has_its_time(recorded: tuple[Recipe, Path]) -> None:
    recipe, clip = recorded
    facts = probe_clip(clip)
    assert (facts.codec, facts.width_px, facts.height_px) == (CODECS.get(recipe.codec, recipe.codec), WIDTH_PX, HEIGHT_PX)
    assert facts.is_interlaced == ("flags" in recipe.options)
    assert not facts.is_variable_rate
    if facts.duration_s is not None:
        assert facts.duration_s == pytest.approx(FRAMES / 25, abs=0.15)
    found = shown(clip, EVERY_HZ, threads=2)
    assert [number for number, _ in found] == list(range(FRAMES))
    assert [at_s for _, at_s in found] == pytest.approx([number / 25 for number in range(FRAMES)], abs=0.0011)


def test_what_is_not_decoded_changes_nothing(recorded: tuple[Recipe, Path]) -> None:
    """At 6 Hz the same frames come, with the same pixels, as if all were decoded; also when reading begins in the middle."""
    _, clip = recorded
    whole = {frame.number: frame for frame in sampled_frames(clip, rate_hz=EVERY_HZ, threads=1)}
    picked = list(sampled_frames(clip, rate_hz=6, threads=2))
    assert [number_in(frame.pixels) for frame in picked] == first_of_ticks([Fraction(number, 25) for number in range(FRAMES)], 6)
    assert [frame.number for frame in picked] == list(range(len(picked)))
    for frame in picked:
        twin = next(other for other in whole.values() if other.at_s == frame.at_s)
        assert np.array_equal(frame.pixels, twin.pixels)
    for before in (2, 5):
        rest = list(sampled_frames(clip, rate_hz=6, from_s=picked[before].at_s, threads=1))
        assert [(frame.number, frame.at_s) for frame in rest] == [(frame.number, frame.at_s) for frame in picked[before:]]
        assert all(np.array_equal(frame.pixels, twin.pixels) for frame, twin in zip(rest, picked[before:], strict=True))


def test_any_frame_can_be_asked_for(recorded: tuple[Recipe, Path]) -> None:
    _, clip = recorded
    frames = ClipFrames()
    chance = random.Random(5)
    for number in chance.sample(range(FRAMES), FRAMES):
        frames.close()  # what is open already would hide a place that was not found
        assert number_in(frames.frame_at(clip, number / 25 + 0.02).pixels) == number
    for number in [0, FRAMES - 1, *(chance.randrange(FRAMES) for _ in range(5))]:
        found = frames.frame_at(clip, number / 25 + 0.02)
        assert number_in(found.pixels) == number
        assert found.at_s == pytest.approx(number / 25, abs=0.0011)
        for step in (-1, 1, -3):
            beside = frames.frame_at(clip, found.at_s, step=step)
            assert number_in(beside.pixels) == min(max(0, number + step), FRAMES - 1)
    frames.close()


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001), Fraction(50)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_uneven_rates_keep_their_own_times(rate: Fraction, suffix: str, tmp_path: Path) -> None:
    """Never a frame's number over a rounded rate: after 60 frames of 59.94 Hz a second and a millisecond have gone."""
    clip = write_clip(tmp_path / f"clip{suffix}", replace(H264_B, suffix=suffix), even_times(64, rate), rate=rate)
    found = shown(clip, EVERY_HZ)
    assert [at_s for _, at_s in found] == pytest.approx([float(number / rate) for number in range(64)], abs=0.0011)
    assert [number for number, _ in shown(clip, 6, threads=2)] == first_of_ticks([number / rate for number in range(64)], 6)


@pytest.mark.parametrize(("recipe", "suffix"), [(H264_B, ".mp4"), (H264_B, ".mkv"), (H264_B, ".ts"), (HEVC_B, ".mp4"), (MJPEG, ".mov")])
def test_variable_rates_and_gaps(recipe: Recipe, suffix: str, tmp_path: Path) -> None:
    """Frames come when they come; ticks without a frame are left out, and a long gap is told."""
    times = uneven_times()
    clip = write_clip(tmp_path / f"clip{suffix}", replace(recipe, suffix=suffix), times)
    expected_s = [float((pts - times[0]) * CLOCK) for pts in times]
    found = shown(clip, EVERY_HZ)
    assert [number for number, _ in found] == list(range(30))
    assert [at_s for _, at_s in found] == pytest.approx(expected_s, abs=0.0021)
    picked = list(sampled_frames(clip, rate_hz=6))
    numbers = [number_in(frame.pixels) for frame in picked]
    assert numbers == first_of_ticks([(pts - times[0]) * CLOCK for pts in times], 6)
    assert [number for frame, number in zip(picked, numbers, strict=True) if frame.follows_break] == [21]
    assert [frame.number for frame in picked] == [int(time_s * 6 + 0.006) for time_s in (expected_s[number] for number in numbers)]
    if suffix in {".mp4", ".mov"}:
        assert probe_clip(clip).is_variable_rate


def test_the_clock_of_a_container_may_begin_anywhere(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", replace(H264_B, suffix=".ts"), even_times(FRAMES, first=10 * 90_000))
    assert probe_clip(clip).first_pts_s == pytest.approx(10.08, abs=0.1)
    assert shown(clip, EVERY_HZ)[0] == (0, 0.0)
    frames = ClipFrames()
    assert number_in(frames.frame_at(clip, 0.5).pixels) == 12
    frames.close()


@pytest.mark.parametrize(("turn_deg", "suffix"), [(90, ".mp4"), (-90, ".mov"), (180, ".mp4")])
def test_clips_stand_upright(turn_deg: int, suffix: str, tmp_path: Path) -> None:
    """A camera mounted on its side says by how much; what is given is turned as a player would show it."""
    picture = numbered(5)
    stored = np.ascontiguousarray(np.rot90(picture, -turn_deg // 90))
    clip = write_clip(
        tmp_path / f"clip{suffix}", replace(MJPEG, suffix=suffix), even_times(3), pictures=[stored] * 3, rotation_deg=turn_deg
    )
    facts = probe_clip(clip)
    assert (facts.width_px, facts.height_px) == (WIDTH_PX, HEIGHT_PX)
    frame = next(sampled_frames(clip, rate_hz=6))
    assert frame.pixels.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert number_in(frame.pixels) == 5
    small = next(sampled_frames(clip, rate_hz=6, size_px=(WIDTH_PX // 2, HEIGHT_PX // 2)))
    assert small.pixels.shape == (HEIGHT_PX // 2, WIDTH_PX // 2, 3)


def test_pixels_are_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", Recipe(suffix=".mkv"), even_times(3), aspect=Fraction(4, 3))
    assert (probe_clip(clip).width_px, probe_clip(clip).height_px) == (round(WIDTH_PX * 4 / 3), HEIGHT_PX)
    assert next(sampled_frames(clip, rate_hz=6)).pixels.shape == (HEIGHT_PX, round(WIDTH_PX * 4 / 3), 3)


@pytest.mark.parametrize(("recipe", "suffix", "first_row"), [(H264_FIELDS, ".mp4", 0), (MPEG2_FIELDS, ".mpg", 1)])
def test_one_field_of_two_is_shown(recipe: Recipe, suffix: str, first_row: int, tmp_path: Path) -> None:
    """Two fields of a moving scene together show combs; the earlier one alone is what was there at the time of the frame."""
    earlier, later = np.full((HEIGHT_PX, WIDTH_PX, 3), 60, np.uint8), np.full((HEIGHT_PX, WIDTH_PX, 3), 60, np.uint8)
    earlier[:, 20:60], later[:, 60:100] = 220, 220
    woven = later.copy()
    woven[first_row::2] = earlier[first_row::2]
    clip = write_clip(tmp_path / f"clip{suffix}", replace(recipe, suffix=suffix), even_times(4), pictures=[woven] * 4)
    pixels = next(sampled_frames(clip, rate_hz=6)).pixels.astype(int)
    assert pixels.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert np.abs(pixels - earlier)[4:-4, 24:56].mean() < 12
    assert np.abs(pixels - earlier)[4:-4, 64:96].mean() < 12


@pytest.mark.parametrize(("height_px", "recipe"), [(96, Recipe()), (720, Recipe()), (96, MJPEG)])
def test_colours_are_those_of_the_scene(height_px: int, recipe: Recipe, tmp_path: Path) -> None:
    """A clip that does not name its matrix has the one of its size: a red laser must not turn orange."""
    colours = [(30, 30, 200), (40, 160, 40), (180, 60, 30), (128, 128, 128)]
    picture = np.zeros((height_px, 128, 3), np.uint8)
    for column, colour in enumerate(colours):
        picture[:, column * 32 : (column + 1) * 32] = colour
    matrix = "ITU709" if height_px >= 720 else "ITU601"
    clip = write_clip(tmp_path / "clip.mkv", replace(recipe, suffix=".mkv"), even_times(2), pictures=[picture] * 2, matrix=matrix)
    pixels = next(sampled_frames(clip, rate_hz=6)).pixels
    for column, colour in enumerate(colours):
        assert pixels[20:-20, column * 32 + 8 : column * 32 + 24].reshape(-1, 3).mean(0) == pytest.approx(colour, abs=5)


def test_the_real_clips_are_read(shared_data: Path) -> None:
    clips = sorted(path for path in (shared_data / "video").rglob("*") if path.suffix.lower() == ".mp4")
    if not clips:
        pytest.skip("no clips in the real data")
    exact = ClipFrames()
    for clip in clips:
        facts = probe_clip(clip)
        with ClipReader(clip, rate_hz=6, size_px=(64, 36), threads=2) as reader:
            picked = list(reader.frames())
            assert reader.faults == ()
        assert [int(frame.at_s * 6 + 0.006) for frame in picked] == list(range(len(picked)))
        assert facts.duration_s is not None
        assert len(picked) == pytest.approx(facts.duration_s * 6, abs=1)
        assert np.array_equal(exact.frame_at(clip, picked[1].at_s, size_px=(64, 36)).pixels, picked[1].pixels)
    exact.close()


@pytest.mark.parametrize("folder", ["crabs_burrows", "deepsea_detector", "mbari_deepsea_ai"])
def test_every_frame_of_a_real_clip_is_found(folder: str, shared_data: Path) -> None:
    clip = next((path for path in sorted((shared_data / "video" / folder).glob("*")) if path.suffix.lower() == ".mp4"), None)
    if clip is None:
        pytest.skip(f"no clip in {folder}")
    facts = probe_clip(clip)
    times_s = [frame.at_s for frame in sampled_frames(clip, rate_hz=EVERY_HZ, size_px=(64, 36), threads=2)]
    assert len(times_s) == facts.frames_declared
    assert facts.average_rate_hz is not None
    assert np.diff(times_s).min() == pytest.approx(1 / facts.average_rate_hz, abs=0.001)
