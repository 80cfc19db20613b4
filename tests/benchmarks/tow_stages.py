"""Where the processor's time goes while a clip is read: each stage alone, in one thread, over the same frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edge.footage import FootageFrame
from edge.footage_pack import pack_frames
from edge.pipeline.clip import reading_size_px
from edge.pipeline.keeper import BUNDLED_PACKS
from edge.pipeline.plan import DetectSettings, Mask
from edge.pipeline.seabed.observer import SeabedObserver
from edge.pipeline.seabed.strip import StripBuilder
from edge.pipeline.video import ClipReader, SampledFrame, probe_clip
from models.runtime.predict import detect, load_model

RATE_HZ, LINE_HEIGHT = 6.0, 0.83
_PACK, _VARIANT = "burrow-openings-starter", "openvino-int8"
T = TypeVar("T")
_SETTINGS = DetectSettings(max_pixels=100_000_000, masks=(Mask(y_max_px=22),))


def tow_stages(clip: Path) -> dict[str, Any]:
    """Processor milliseconds per sampled frame: decoding and converting, watching the seabed, finding openings, strip, packing."""
    model = load_model(BUNDLED_PACKS / _PACK, _VARIANT, threads=1)
    facts = probe_clip(clip)
    size_px = reading_size_px(facts, model, _SETTINGS)
    decode, frames = _timed(lambda: _read(clip, size_px))
    observer = SeabedObserver(facts.width_px, facts.height_px, masks=_SETTINGS.masks, line_height=LINE_HEIGHT, rate_hz=RATE_HZ)
    watch, seen = _timed(lambda: [observer.observe(frame.pixels, frame.at_s) for frame in frames])
    builder = StripBuilder(facts.width_px, facts.height_px, line_height=LINE_HEIGHT)

    def lay() -> None:
        for frame, one in zip(frames, seen, strict=True):
            builder.add(frame.pixels, one.motion, frame.at_s)
        builder.take()

    strip, _ = _timed(lay)
    find, found = _timed(lambda: [detect(frame.pixels, model) for frame in frames])
    packed = [
        FootageFrame(
            at_s=frame.at_s,
            width_px=facts.width_px,
            height_px=facts.height_px,
            detections=openings,
            motion=one.motion,
            lasers=one.lasers,
            visibility=one.visibility,
        )
        for frame, one, openings in zip(frames, seen, found, strict=True)
    ]
    pack, _ = _timed(lambda: pack_frames(packed))
    spent_s = {"decode": decode, "watch": watch, "detect": find, "strip": strip, "pack": pack}
    told = {f"{name}_ms": round(1000 * one / len(frames), 1) for name, one in spent_s.items()}
    return {**told, "all_ms": round(1000 * sum(spent_s.values()) / len(frames), 1), "frames": len(frames), "variant": _VARIANT}


def _read(clip: Path, size_px: tuple[int, int]) -> list[SampledFrame]:
    with ClipReader(clip, rate_hz=RATE_HZ, size_px=size_px, threads=1) as reader:
        return list(reader.frames())


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun_s = time.process_time()
    result = work()
    return time.process_time() - begun_s, result
