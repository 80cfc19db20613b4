"""Interlaced clips as cameras make them: of two moments in a frame the earlier one is shown, at the frame's time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.pipeline.video import ClipFrames, ClipReader, probe_clip
from edge.pipeline.video.frame_index import list_frame_times

FRAMES = 24
TOP, BOTTOM, STEP = 50, 140, 3  # grey levels of the two fields of frame 0, and how much brighter those of the next frame are
PAL, NTSC = Fraction(25), Fraction(30000, 1001)
FIELDS = "+ildct+ilme"
PICTURE_CODING = b"\x00\x00\x01\xb5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What is encoded, and which of its two fields is the earlier one."""

    suffix: str
    codec: str
    earlier: int
    options: dict[str, str] = field(default_factory=dict)
    size_px: tuple[int, int] = (128, 96)
    shown_px: tuple[int, int] = (128, 96)
    pix_fmt: str = "yuv420p"
    rate: Fraction = PAL
    b_frames: int = 2


def x264(fields: str) -> dict[str, str]:
    """x264 codes interlaced frames macroblock-adaptively (MBAFF)."""
    return {"preset": "veryfast", "flags": FIELDS, "x264-params": f"{fields}=1:interlaced=1", "crf": "14"}


CAMERAS = {
    "h264 mbaff, top first": Camera(suffix=".mp4", codec="libx264", earlier=TOP, options=x264("tff")),
    "h264 mbaff, bottom first": Camera(suffix=".mp4", codec="libx264", earlier=BOTTOM, options=x264("bff")),
    "avchd, top first": Camera(suffix=".mts", codec="libx264", earlier=TOP, options=x264("tff")),
    "avchd, bottom first": Camera(suffix=".mts", codec="libx264", earlier=BOTTOM, options=x264("bff"), rate=NTSC),
    "h264 mbaff in mkv": Camera(suffix=".mkv", codec="libx264", earlier=BOTTOM, options=x264("bff")),
    "mpeg-2, bottom first": Camera(suffix=".mpg", codec="mpeg2video", earlier=BOTTOM, options={"flags": FIELDS}),
    "dv pal in avi": Camera(suffix=".avi", codec="dvvideo", earlier=BOTTOM, size_px=(720, 576), shown_px=(768, 576)),
    "dv pal in mov": Camera(suffix=".mov", codec="dvvideo", earlier=BOTTOM, size_px=(720, 576), shown_px=(768, 576)),
    "dv ntsc in avi": Camera(
        suffix=".avi", codec="dvvideo", earlier=BOTTOM, size_px=(720, 480), shown_px=(640, 480), pix_fmt="yuv411p", rate=NTSC
    ),
}


def two_moments(number: int, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Frame of two fields, each of one grey."""
    picture = np.empty((height_px, width_px, 3), np.uint8)
    picture[0::2], picture[1::2] = TOP + STEP * number, BOTTOM + STEP * number
    return picture


def film(path: Path, camera: Camera) -> Path:
    width_px, height_px = camera.size_px
    with av.open(str(path), "w", format="mpegts" if camera.suffix == ".mts" else None) as container:
        stream: Any = container.add_stream(camera.codec, rate=camera.rate, options=dict(camera.options))
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, camera.pix_fmt
        if camera.codec != "dvvideo":
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = 8, camera.b_frames
        if camera.codec == "mpeg2video":
            stream.codec_context.bit_rate = 8_000_000
        for number in range(FRAMES):
            picture = av.VideoFrame.from_ndarray(two_moments(number, width_px, height_px), format="bgr24")
            frame = picture.reformat(format=camera.pix_fmt, src_color_range="JPEG", dst_color_range="JPEG")
            frame.pts, frame.time_base = number, 1 / camera.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module", params=list(CAMERAS))
def filmed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Camera, Path]:
    camera = CAMERAS[request.param]
    return camera, film(tmp_path_factory.mktemp("fields") / f"tow{camera.suffix}", camera)


def steps_of(greys: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(greys)]


def assert_earlier(greys: list[float], earlier: int) -> None:
    """All of one field, that one, and each brighter than the one before: none twice, none of another frame."""
    other = BOTTOM if earlier == TOP else TOP
    assert all(abs(grey - (earlier + STEP * number)) < abs(grey - (other + STEP * number)) - 60 for number, grey in enumerate(greys)), greys
    assert min(steps_of(greys)) > 0.5, greys


def test_the_earlier_field_is_shown_at_the_frames_time(filmed: tuple[Camera, Path]) -> None:
    camera, path = filmed
    facts = probe_clip(path)
    assert facts.is_interlaced
    assert (facts.width_px, facts.height_px) == camera.shown_px
    with ClipReader(path, rate_hz=1000.0, threads=2) as reader:
        frames = list(reader.frames())
    assert reader.faults == ()
    assert [frame.at_s for frame in frames] == pytest.approx([float(number / camera.rate) for number in range(FRAMES)], abs=0.0011)
    assert_earlier([float(frame.pixels.mean()) for frame in frames], camera.earlier)
    assert all(float(frame.pixels.std()) < 12 for frame in frames), "nothing of the other field is woven in"


def test_frames_for_pages_and_their_numbers_say_the_same(filmed: tuple[Camera, Path]) -> None:
    camera, path = filmed
    assert list_frame_times(path) == pytest.approx([float(number / camera.rate) for number in range(FRAMES)], abs=0.0011)
    frames = ClipFrames()
    greys = [float(frames.frame_at(path, float((number + Fraction(1, 2)) / camera.rate)).pixels.mean()) for number in range(FRAMES)]
    frames.close()
    assert_earlier(greys, camera.earlier)


def test_sampling_takes_the_first_frame_of_each_tick(filmed: tuple[Camera, Path]) -> None:
    camera, path = filmed
    with ClipReader(path, rate_hz=6.0, threads=1) as reader:
        times = [frame.at_s for frame in reader.frames()]
    expected, tick = list[float](), -1
    for number in range(FRAMES):
        if int(number / camera.rate * 6) > tick:
            tick = int(number / camera.rate * 6)
            expected.append(float(number / camera.rate))
    assert times == pytest.approx(expected, abs=0.0011)


def _top_first(content: bytes) -> bytes:
    """Say of every picture of an MPEG-2 stream that its top field is the earlier one (ISO/IEC 13818-2, 6.2.3.1)."""
    changed, at = bytearray(content), -1
    while (at := content.find(PICTURE_CODING, at + 1)) >= 0:
        if content[at + 4] >> 4 == 8:
            changed[at + 7] |= 0x80
    return bytes(changed)


@pytest.mark.parametrize(("change", "earlier"), [(_top_first, TOP), (bytes, BOTTOM)])
def test_mpeg2_says_in_each_picture_which_field_is_first(change: Callable[[bytes], bytes], earlier: int, tmp_path: Path) -> None:
    camera = Camera(suffix=".m2v", codec="mpeg2video", earlier=earlier, options={"flags": FIELDS}, b_frames=0)
    path = film(tmp_path / "tow.m2v", camera)
    path.write_bytes(change(path.read_bytes()))
    with ClipReader(path, rate_hz=1000.0, threads=1) as reader:
        assert_earlier([float(frame.pixels.mean()) for frame in reader.frames()], earlier)
