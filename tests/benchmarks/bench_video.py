"""Reading frames of a clip against a bare decode loop of PyAV, in one process and on the same threads.

The clip is rendered: a seabed of noise that moves down the picture, 1080p at 25 frames a second in H.264 at the bit rate of a camera.
Three ways are timed in turns, and the medians of their processor times compared: everything decoded and thrown away (bare); all
frames picked, converted and given; six a second picked, converted and given. `skipping` is the bare loop that decodes no frame from
which nothing is predicted, as `ffmpeg -skip_frame noref` does: what six a second can hope for, without saying which frames come.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from edge.pipeline.video import ClipReader

WIDTH_PX, HEIGHT_PX, RATE = 1920, 1080, 25
BIT_RATE = 16_000_000
_SPEED_PX = 36  # a frame: 600 px/s in a picture 691 px high
_THREADS = 2
_ROUNDS = 3
MB = 1e6


def video(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Ratios of processor time to the bare loop, of a camera's stream (no B frames) and of one with B frames; memory over a long clip."""
    seconds = 2 if quick else 10
    figure: dict[str, Any] = {
        "clip": f"{WIDTH_PX} x {HEIGHT_PX}, {RATE} Hz, H.264 at {BIT_RATE // 1_000_000} Mbit/s, {seconds} s",
        "threads": _THREADS,
    }
    for name, options in (("camera", {"bf": "0", "g": "12"}), ("b_frames", {"bf": "3", "b_strategy": "0", "g": "50"})):
        clip = render(workspace / f"{name}.mp4", seconds, options)
        figure[name] = compare(clip, rounds=1 if quick else _ROUNDS)
    long = lengthen(workspace / "camera.mp4", workspace / "long.mkv", times=5 if quick else 30)
    figure["memory"] = memory(long)
    figure["limit"] = "at full rate and at 6 Hz at most 1.2 times the bare loop; memory flat"
    return figure


def compare(clip: Path, *, rounds: int) -> dict[str, Any]:
    """Median processor time of each way, and its ratio to the bare loop."""
    ways: dict[str, Callable[[], int]] = {
        "bare": lambda: bare(clip, "DEFAULT"),
        "bare_converting": lambda: bare(clip, "DEFAULT", convert=True),
        "skipping": lambda: bare(clip, "NONREF"),
        "full_rate": lambda: sampled(clip, 1000.0),
        "six_hz": lambda: sampled(clip, 6.0),
        "six_hz_960": lambda: sampled(clip, 6.0, (960, 540)),
    }
    spent_s: dict[str, list[float]] = {name: [] for name in ways}
    frames: dict[str, int] = {}
    for _ in range(rounds):
        for name, way in ways.items():
            begun_s = time.process_time()
            frames[name] = way()
            spent_s[name].append(time.process_time() - begun_s)
    median_s = {name: statistics.median(times) for name, times in spent_s.items()}
    return {
        "cpu_ms_per_second_of_clip": {name: round(1000 * spent / (frames["bare"] / RATE), 1) for name, spent in median_s.items()},
        "frames": frames,
        "full_rate_ratio": round(median_s["full_rate"] / median_s["bare_converting"], 3),
        "six_hz_ratio": round(median_s["six_hz"] / median_s["bare"], 3),
    }


def bare(clip: Path, skip: Any, *, convert: bool = False) -> int:
    """Decode all frames and throw them away."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_count, stream.thread_type = _THREADS, "AUTO"
        stream.codec_context.skip_frame = skip
        count = 0
        for frame in container.decode(stream):
            if convert:
                frame.to_ndarray(format="bgr24")
            count += 1
    return count


def sampled(clip: Path, rate_hz: float, size_px: tuple[int, int] | None = None) -> int:
    """Frames as the appliance reads them."""
    with ClipReader(clip, rate_hz=rate_hz, size_px=size_px, threads=_THREADS) as reader:
        return sum(1 for _ in reader.frames())


def memory(clip: Path) -> dict[str, Any]:
    """Resident memory at a tenth and at the end of a long clip."""
    process = psutil.Process(os.getpid())
    with ClipReader(clip, rate_hz=6.0, size_px=(960, 540), threads=_THREADS) as reader:
        seen = [process.memory_info().rss for _ in reader.frames()]
    early, late = max(seen[len(seen) // 10 : len(seen) // 5]), max(seen[-len(seen) // 10 :])
    return {
        "frames": len(seen),
        "seconds": round(len(seen) / 6),
        "early_mb": round(early / MB, 1),
        "late_mb": round(late / MB, 1),
        "ratio": round(late / early, 3),
    }


def render(path: Path, seconds: int, options: dict[str, str]) -> Path:
    """A clip of a moving seabed of noise."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(70, 150, (2 * HEIGHT_PX // 8, WIDTH_PX // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    seabed = (coarse.astype(np.int16) + rng.integers(-12, 13, coarse.shape, np.int16)).clip(0, 255).astype(np.uint8)
    grey = np.full((HEIGHT_PX // 2, WIDTH_PX), 128, np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", **options})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH_PX, HEIGHT_PX, "yuv420p", BIT_RATE
        for number in range(seconds * RATE):
            luma = np.roll(seabed, number * _SPEED_PX, axis=0)[:HEIGHT_PX] + rng.integers(0, 3, (HEIGHT_PX, WIDTH_PX), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lengthen(clip: Path, path: Path, *, times: int) -> Path:
    """The packets of a clip over and over, their times counting on."""
    with av.open(str(path), "w") as output:
        with av.open(str(clip)) as source:
            stream: Any = output.add_stream_from_template(source.streams.video[0])
        for turn in range(times):
            with av.open(str(clip)) as source:
                picture = source.streams.video[0]
                packets = [packet for packet in source.demux(picture) if packet.size]
                span = sum(packet.duration or 0 for packet in packets)
                for packet in packets:
                    if packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + turn * span, packet.dts + turn * span
                        packet.stream = stream
                        output.mux(packet)
    return path
