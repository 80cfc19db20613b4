"""The main path of one clip: from a file to the frames of a tow, part by part.

Frames are decoded in order by one thread, which also watches how the seabed moves; other threads look for openings meanwhile.
What was read so far is handed over every few seconds, so that a power cut or a stop costs no more than the last of these parts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.footage import ClipFacts, FootageFrame, StripTile
from edge.footage_pack import pack_frames
from edge.pipeline.mask import MaskedArea, masked_areas, outside, paint
from edge.pipeline.plan import ClipSettings, DetectSettings
from edge.pipeline.seabed.lasers import LOOK_WIDTH_PX
from edge.pipeline.seabed.observer import SeabedObserver, Seen
from edge.pipeline.seabed.strip import StripBuilder
from edge.pipeline.video import ClipReader, SampledFrame, probe_clip
from edge.values import Detections, ImageFacts, UInt8Array
from models.runtime.predict import LoadedModel, detect
from models.runtime.tiling import plan_views

PART_WALL_S = 10.0
PART_FRAMES = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Frames of a clip, packed; see `edge.pipeline.messages.ClipPart`."""

    ordinal: int
    frames: int
    to_s: float
    content: bytes
    faults: tuple[str, ...]
    wall_s: float
    strip: tuple[StripTile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeClip:
    """How many parts a clip has, earlier attempts included, and what was wrong on the way, in words."""

    parts: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSoFar:
    """How many parts of a clip were handed over by an earlier attempt, the time of the last frame in them, and what was wrong there."""

    parts: int
    to_s: float
    faults: tuple[str, ...] = ()


def read_clip(
    path: Path,
    model: LoadedModel,
    detect_settings: DetectSettings,
    settings: ClipSettings,
    *,
    so_far: ReadSoFar | None,
    threads: int,
    on_facts: Callable[[ClipFacts], None],
    on_part: Callable[[Part], None],
    cancelled: Callable[[], bool],
) -> WholeClip | None:
    """Read a clip from where an earlier attempt ended, or from its beginning.

    Args:
        on_facts: told once, before the first part.
        on_part: told of each part, in order.
        cancelled: looked at after each frame; then what was read is handed over and nothing more.

    Returns:
        How it ended; None if it was cancelled.

    Raises:
        InputError: the clip cannot be read, or has no frame at all.
        ModelError: the model failed.
    """
    facts = probe_clip(path, max_pixels=detect_settings.max_pixels)
    on_facts(facts)
    with (
        ClipReader(
            path,
            rate_hz=settings.rate_hz,
            from_s=0.0 if so_far is None else so_far.to_s,
            size_px=reading_size_px(facts, model, detect_settings),
            threads=threads,
            max_pixels=detect_settings.max_pixels,
        ) as reader,
        ThreadPoolExecutor(max_workers=threads, thread_name_prefix="clip-look") as lookers,
    ):
        before = () if so_far is None else so_far.faults
        eye = _Eye(facts, model, detect_settings, settings)
        parts = _Parts(so_far, on_part, lambda: tuple(dict.fromkeys((*before, *reader.faults))), eye.strip.take)
        for frame in _in_order(reader.frames(), eye, lookers, depth=2 * threads, skip_first=so_far is not None):
            parts.add(frame)
            if cancelled():
                parts.close()
                return None
        parts.close()
        return WholeClip(parts=parts.handed_over, faults=parts.faults())


def reading_size_px(facts: ClipFacts, model: LoadedModel, settings: DetectSettings) -> tuple[int, int]:
    """Width and height at which frames are decoded: what the model sees of a whole frame, but enough for lasers and motion.

    A decoder that makes smaller pictures at once saves a tenth of a frame's time.
    """
    views = plan_views(facts.width_px, facts.height_px, model.manifest.input, fit=settings.fit)
    if len(views) > 1 or views[0].part.xyxy != (0, 0, facts.width_px, facts.height_px):
        return facts.width_px, facts.height_px
    scale = min(1.0, max(views[0].placement.content_width_px, LOOK_WIDTH_PX) / facts.width_px)
    return round(facts.width_px * scale), round(facts.height_px * scale)


class _Eye:
    """Looks at the frames of one clip."""

    def __init__(self, facts: ClipFacts, model: LoadedModel, detect_settings: DetectSettings, settings: ClipSettings) -> None:
        self._facts = facts
        self._model = model
        self._settings = detect_settings
        self._image_facts = ImageFacts(
            format=facts.container, width_px=facts.width_px, height_px=facts.height_px, bits_per_channel=8, channels=3, exif_time_local=None
        )
        self._areas: tuple[MaskedArea, ...] = masked_areas(detect_settings.masks, self._image_facts)
        self._observer = SeabedObserver(
            facts.width_px,
            facts.height_px,
            masks=detect_settings.masks,
            line_height=settings.line_height,
            rate_hz=settings.rate_hz,
        )
        self.strip = StripBuilder(facts.width_px, facts.height_px, line_height=settings.line_height)

    def observe(self, frame: SampledFrame) -> Seen:
        """How the seabed moved, where the lasers are, what can be seen; frames come in their order."""
        if frame.follows_break:
            self._observer.break_()
        return self._observer.observe(frame.pixels, frame.at_s)

    def openings(self, pixels: UInt8Array) -> Detections:
        """What the model finds. May be called from several threads."""
        paint(pixels, self._areas, self._image_facts)
        found = detect(pixels, self._model, fit=self._settings.fit)
        scale = np.array([self._facts.width_px / pixels.shape[1], self._facts.height_px / pixels.shape[0]], np.float32)
        return outside(replace(found, xyxy=found.xyxy * np.tile(scale, 2)), self._areas)

    def assemble(self, frame: SampledFrame, seen: Seen, found: Detections) -> FootageFrame:
        """A frame with all that is known of it; frames come in their order."""
        self.strip.add(frame.pixels, seen.motion, frame.at_s)
        return FootageFrame(
            at_s=frame.at_s,
            width_px=self._facts.width_px,
            height_px=self._facts.height_px,
            detections=found,
            motion=seen.motion,
            lasers=seen.lasers,
            visibility=seen.visibility,
        )


def _in_order(
    frames: Iterator[SampledFrame], eye: _Eye, lookers: ThreadPoolExecutor, *, depth: int, skip_first: bool
) -> Iterator[FootageFrame]:
    """The frames with what was found in them, in their order; never more than `depth` are in hand.

    `skip_first`: the first frame is the last one of an earlier attempt; the motion of the next is measured from it.
    """
    waiting: deque[tuple[SampledFrame, Seen, Future[Detections]]] = deque()
    try:
        for frame in frames:
            seen = eye.observe(frame)
            if skip_first:
                skip_first = False
                eye.strip.begin_behind(frame.pixels)
                continue
            waiting.append((frame, seen, lookers.submit(eye.openings, frame.pixels)))
            if len(waiting) >= depth:
                yield eye.assemble(*_looked_at(waiting.popleft()))
        while waiting:
            yield eye.assemble(*_looked_at(waiting.popleft()))
    finally:
        for _, _, found in waiting:
            found.cancel()


def _looked_at(one: tuple[SampledFrame, Seen, Future[Detections]]) -> tuple[SampledFrame, Seen, Detections]:
    return one[0], one[1], one[2].result()


class _Parts:
    """Gathers frames and hands them over as parts."""

    def __init__(
        self,
        so_far: ReadSoFar | None,
        on_part: Callable[[Part], None],
        faults: Callable[[], tuple[str, ...]],
        strip: Callable[[], tuple[StripTile, ...]],
    ) -> None:
        """`faults` says what was wrong up to now, earlier attempts included; `strip` gives what was laid down since the last part."""
        self.handed_over = 0 if so_far is None else so_far.parts
        self.faults = faults
        self._strip = strip
        self._on_part = on_part
        self._frames: list[FootageFrame] = []
        self._since_s = time.monotonic()

    def add(self, frame: FootageFrame) -> None:
        """One more frame."""
        self._frames.append(frame)
        if len(self._frames) >= PART_FRAMES or time.monotonic() - self._since_s >= PART_WALL_S:
            self.close()

    def close(self) -> None:
        """Hand over what is gathered."""
        if not self._frames:
            return
        now_s = time.monotonic()
        content = pack_frames(self._frames)
        self._on_part(
            Part(
                ordinal=self.handed_over,
                frames=len(self._frames),
                to_s=self._frames[-1].at_s,
                content=content,
                faults=self.faults(),
                wall_s=now_s - self._since_s,
                strip=self._strip(),
            )
        )
        self.handed_over += 1
        self._frames = []
        self._since_s = now_s
