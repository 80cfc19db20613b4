"""The objects that stand: found, cut along lines that people drew, told single or multiple, cut along a separator's lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.values import Int32Array, UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY, Particle
from edge.zooscan.process.keys import Box, box_of, box_of_key, key_of
from edge.zooscan.process.resegment import resegment
from edge.zooscan.process.values import FoundLine
from edge.zooscan.segment import LeftOut, SegmentSettings, find_particles


@dataclass(slots=True, kw_only=True, eq=False)
class Candidate:
    """An object on its way.

    Attributes:
        key: its name.
        particle: its pixels.
        cut_from: name of what it was a part of.
        score: of the classifier, 0..1.
        stands: whether it was not cut.
    """

    key: str
    particle: Particle
    cut_from: str | None = None
    score: float | None = None
    stands: bool = True


@dataclass(slots=True, eq=False)
class Standing:
    """All objects of a scan, those that were cut among them, and the lines that cut them."""

    everyone: list[Candidate] = field(default_factory=list)
    lines: list[FoundLine] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def add(self, particle: Particle, cut_from: str | None = None) -> Candidate:
        """One more object, under a name of its own."""
        one = Candidate(key=key_of(particle, self.keys), particle=particle, cut_from=cut_from)
        self.keys.add(one.key)
        self.everyone.append(one)
        return one


def found_objects(
    image: UInt8Array, human_lines: Int32Array, settings: SegmentSettings, *, threads: int = 1, left_out: LeftOut | None = None
) -> Standing:
    """The objects of a clean picture after people cut some.

    The lines are white for a moment, then the picture is as before. What was found without them and is not found with them, was cut.

    Args:
        image: (H, W) uint8; is written to and restored.
        human_lines: (N, 2) int32, x and y in the picture; what lies outside of it is ignored.
        settings: what is an object.
        threads: how many look at a time.
        left_out: is told what is no object.
    """
    standing = Standing()
    for particle in find_particles(image, settings, threads=threads, left_out=left_out):
        standing.add(particle)
    lines = _inside(human_lines, image)
    if not len(lines):
        return standing
    x, y = lines[:, 0], lines[:, 1]
    before = image[y, x]
    image[y, x] = BACKGROUND_GREY
    try:
        after = list(find_particles(image, settings, threads=threads))
    finally:
        image[y, x] = before
    _replace_cut(standing, after)
    return standing


def _replace_cut(standing: Standing, after: list[Particle]) -> None:
    """Objects that were not found again stand no more; those that were not found before are new."""
    whole = {_outline(one.particle): one for one in standing.everyone}
    again = {_outline(particle): particle for particle in after}
    cut = [one for outline, one in whole.items() if outline not in again]
    for one in cut:
        one.stands = False
    for outline, particle in again.items():
        if outline in whole:
            whole[outline].particle = particle  # a line may have made holes in it
        else:
            standing.add(particle, _whole_of(particle, cut))


def _outline(particle: Particle) -> tuple[int, int, bytes]:
    return particle.x_px, particle.y_px, particle.chain.tobytes()


def _whole_of(part: Particle, cut: Iterable[Candidate]) -> str | None:
    """The name of the object that a part's first pixel belonged to; None for what was none, such as a thing that touched the frame."""
    x, y = part.x_px + int(part.chain[0, 0]), part.y_px + int(part.chain[0, 1])
    for one in cut:
        box = box_of(one.particle)
        if box.holds(Box(x_px=x, y_px=y, width_px=1, height_px=1)) and one.particle.filled[y - box.y_px, x - box.x_px]:
            return one.key
    return None


def separate(
    standing: Standing,
    candidates: Sequence[Candidate],
    image: UInt8Array,
    settings: SegmentSettings,
    lines_of: Callable[[Particle], tuple[Int32Array, float]],
) -> list[Candidate]:
    """Cut objects along a separator's lines. One that would not become two or more is left as it is, and the line is dropped.

    Args:
        standing: all objects; parts are added.
        candidates: what is to be cut.
        image: (H, W) uint8, the clean picture.
        settings: what is an object.
        lines_of: gives (N, 2) int32 x and y of a line's pixels in the object's box, and a score.

    Returns:
        The parts.
    """
    parts: list[Candidate] = []
    for one in candidates:
        pixels, score = lines_of(one.particle)
        if not len(pixels):
            continue
        box = box_of(one.particle)
        line = pixels + np.array((box.x_px, box.y_px), np.int32)
        pieces = resegment(image, box, one.particle.chain, line, settings)
        if len(pieces) < 2:
            continue
        one.stands = False
        standing.lines.append(FoundLine(object_key=one.key, pixels=line, score=score))
        parts += [standing.add(piece, one.key) for piece in pieces]
    return parts


def to_separate(
    candidates: Iterable[Candidate], threshold: float, most_box_px2: int, spared: Iterable[str], wanted: Iterable[str]
) -> list[Candidate]:
    """The objects that a separator is asked about.

    Args:
        candidates: that stand.
        threshold: a score above it says multiple.
        most_box_px2: of a box; larger ones are never asked about.
        spared: keys; what lies in their boxes is left whole, whatever its score.
        wanted: keys of what a person called multiple.
    """
    boxes = [box_of_key(key) for key in spared]
    named = set(wanted)
    return [
        one
        for one in candidates
        if (one.key in named or (one.score is not None and one.score > threshold))
        and one.particle.width_px * one.particle.height_px < most_box_px2
        and not any(box.holds(box_of(one.particle)) for box in boxes)
    ]


def _inside(pixels: Int32Array, image: UInt8Array) -> Int32Array:
    """Each pixel that lies in the picture, once: what is restored must have been there."""
    height, width = image.shape
    inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < width) & (pixels[:, 1] >= 0) & (pixels[:, 1] < height)
    return np.asarray(np.unique(pixels[inside], axis=0), np.int32).reshape(-1, 2)
