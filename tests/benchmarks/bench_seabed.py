"""What watching the seabed costs per sampled frame, beside decoding and inference, and how right it is: one process, one thread each.

A rendered 1080p tow whose motion, silt and lasers are known is watched, decoded from H.264 as it was recorded, and looked at by the
shipped detector. Times are processor milliseconds, medians; errors are pixels of a frame 1229 wide, as the real stills are.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge.pipeline.plan import Mask
from edge.pipeline.seabed.observer import SeabedObserver
from edge.pipeline.seabed.plane import apply
from edge.pipeline.seabed.strip import StripBuilder
from edge.values import UInt8Array
from models.runtime.predict import detect, load_model
from models.workshop.tow.render import Tow, TowFrame, times_s

WIDTH_PX, HEIGHT_PX, RATE_HZ, CAMERA_HZ = 1920, 1080, 6.0, 25
_PACK = Path(__file__).resolve().parents[2] / "models" / "packs" / "burrow-openings-starter"
_STILL_WIDTH_PX = 1229


def seabed(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Processor milliseconds per sampled frame of each stage, their ratios, and the errors of what was watched."""
    seconds = 5 if quick else 40
    tow = Tow(seed=6, seconds=float(seconds), size_px=(WIDTH_PX, HEIGHT_PX), density_per_m2=3.0, silt_every_s=12.0)
    observer = SeabedObserver(WIDTH_PX, HEIGHT_PX, masks=(Mask(y_max_px=35),), line_height=0.83, rate_hz=RATE_HZ)
    builder = StripBuilder(WIDTH_PX, HEIGHT_PX, line_height=0.83)
    watch_ms, strip_ms, errors_px, ratios, silt = list[float](), list[float](), list[float](), list[float](), list[float]()
    kept: list[UInt8Array] = []
    before: TowFrame | None = None
    for frame in tow.frames(times_s(float(seconds), RATE_HZ)):
        assert frame.image is not None
        spent, seen = _timed_ms(partial(observer.observe, frame.image, frame.at_s))
        watch_ms.append(spent)
        strip_ms.append(_timed_ms(partial(builder.add, frame.image, seen.motion, frame.at_s))[0])
        silt.append(abs(seen.visibility.silt_fraction - frame.silt_fraction))
        if before is not None and seen.motion is not None and seen.motion.source == "registered":
            point = np.array([[WIDTH_PX / 2, 0.83 * HEIGHT_PX]])
            true = frame.homography @ np.linalg.inv(before.homography)
            off = apply(seen.motion.homography, point) - apply(true, point)
            errors_px.append(float(np.hypot(*off[0])) * _STILL_WIDTH_PX / WIDTH_PX)
            ratios.extend((off[0] / seen.motion.sd_px).tolist())
        if len(kept) < 12:
            kept.append(frame.image)
        before = frame
    decode = _decode_ms(workspace, kept)
    model = load_model(_PACK, "openvino-int8", threads=1) if _PACK.is_dir() else None
    infer = None if model is None else statistics.median(_timed_ms(partial(detect, image.copy(), model))[0] for image in kept)
    watched = statistics.median(watch_ms)
    return {
        "frames": len(watch_ms),
        "watch_ms": round(watched, 1),
        "strip_ms": round(statistics.median(strip_ms), 1),
        "decode_ms_per_sampled_frame": round(decode, 1),
        "detect_ms": None if infer is None else round(infer, 1),
        "watch_over_decode": round(watched / decode, 2),
        "share_of_the_tows_length_on_2_cores": round((watched + decode + (infer or 0.0)) * RATE_HZ / 1000 / 2, 3),
        "registered": len(errors_px),
        "error_px_median": round(float(np.median(errors_px)), 2),
        "error_px_p95": round(float(np.quantile(errors_px, 0.95)), 2),
        "error_over_sd_rms": round(float(np.sqrt(np.mean(np.square(ratios)))), 2),
        "silt_mean_error": round(float(np.mean(silt)), 3),
        "limit": "watching at most 25 ms; with decoding and detecting at most 0.25 of the tow's length on 2 cores",
    }


def _timed_ms(work: Callable[[], Any]) -> tuple[float, Any]:
    begun_s = time.process_time()
    result = work()
    return 1000 * (time.process_time() - begun_s), result


def _decode_ms(workspace: Path, images: list[UInt8Array]) -> float:
    """Processor milliseconds to decode the camera's frames between two sampled ones, and to convert one: H.264 at 16 Mbit/s."""
    path = workspace / "watched.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=CAMERA_HZ, options={"preset": "ultrafast", "bf": "0", "g": "12"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH_PX, HEIGHT_PX, "yuv420p", 16_000_000
        for image in images * 4:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    begun_s, decoded = time.process_time(), 0
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for decoded, frame in enumerate(container.decode(video=0), start=1):
            if decoded % round(CAMERA_HZ / RATE_HZ) == 0:
                frame.to_ndarray(format="bgr24")
    return 1000 * (time.process_time() - begun_s) / decoded * CAMERA_HZ / RATE_HZ
