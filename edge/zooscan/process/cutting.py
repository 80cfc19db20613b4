"""The objects that stand: found, cut along lines that people drew, told single or multiple, cut along a separator's lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.values import Int32Array, UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY, Particle
from edge.zooscan.process.keys import Box, box_of, key_of, part_key_of
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
        is_drawn: whether it is there because of a line that people drew or kept.
    """

    key: str
    particle: Particle
    cut_from: str | None = None
    score: float | None = None
    stands: bool = True
    is_drawn: bool = False


@dataclass(slots=True, eq=False)
class Standing:
    """All objects of a scan, those that were cut among them, and the lines that cut them."""

    everyone: list[Candidate] = field(default_factory=list)
    lines: list[FoundLine] = field(default_factory=list)

    def add_found(self, particles: Iterable[Particle]) -> None:
        """What the scan shows without any line."""
        self.everyone += [Candidate(key=key_of(particle), particle=particle) for particle in particles]

    def add_part(self, particle: Particle, cut_from: str | None, *, is_drawn: bool) -> Candidate:
        """One more object, which is there because of a line."""
        one = Candidate(key=part_key_of(particle), particle=particle, cut_from=cut_from, is_drawn=is_drawn)
        self.everyone.append(one)
        return one


def found_objects(
    image: UInt8Array, human_lines: Int32Array, settings: SegmentSettings, *, threads: int = 1, left_out: LeftOut | None = None
) -> Standing:
    """The objects of a clean picture after people cut some.

    The lines are white for a moment, then the picture is as before. What was found without them and is not found with them, was cut.

    Args:
        image: (H, W) uint8; is written to and restored.
        human_lines: (N, 2) int32, x and y in the picture; what lies outside of it is ignored. Lines of a separator that people kept are
            among them.
        settings: what is an object.
        threads: how many look at a time.
        left_out: is told what is no object.
    """
    standing = Standing()
    standing.add_found(find_particles(image, settings, threads=threads, left_out=left_out))
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
            standing.add_part(particle, _whole_of(particle, cut), is_drawn=True)


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
    *,
    human_lines: Int32Array,
) -> list[Candidate]:
    """Cut objects along a separator's lines. One that would not become two or more is left as it is, and the line is dropped.

    Args:
        standing: all objects; parts are added.
        candidates: what is to be cut.
        image: (H, W) uint8, the clean picture.
        settings: what is an object.
        lines_of: gives (N, 2) int32 x and y of a line's pixels in the object's box, and a score.
        human_lines: see `found_objects`; they may have made holes in the object.

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
        pieces = resegment(image, box, one.particle.chain, np.concatenate([line, human_lines]), settings)
        if len(pieces) < 2:
            continue
        one.stands = False
        standing.lines.append(FoundLine(object_key=one.key, pixels=line, score=score))
        parts += [standing.add_part(piece, one.key, is_drawn=False) for piece in pieces]
    return parts


def to_separate(
    standing: Standing, threshold: float, most_box_px2: int, spared: Collection[str], wanted: Collection[str]
) -> list[Candidate]:
    """The objects that a separator is asked about: what is wanted, and else what its score calls multiple, nobody drew and nobody spared.

    Args:
        standing: all objects.
        threshold: a score above it says multiple.
        most_box_px2: of a box; larger ones are never asked about.
        spared: keys of what is left whole whatever its score, and all that was cut from it. What merely lies in its box is another object.
        wanted: keys of what a person called multiple.
    """
    whole_of = {one.key: one.cut_from for one in standing.everyone}

    def is_spared(one: Candidate) -> bool:
        key: str | None = one.key
        while key is not None and key not in spared:
            key = whole_of.get(key)
        return key is not None

    return [
        one
        for one in standing.everyone
        if one.stands
        and one.particle.width_px * one.particle.height_px < most_box_px2
        and (one.key in wanted or (one.score is not None and one.score > threshold and not one.is_drawn and not is_spared(one)))
    ]


def _inside(pixels: Int32Array, image: UInt8Array) -> Int32Array:
    """Each pixel that lies in the picture, once: what is restored must have been there."""
    height, width = image.shape
    inside = (pixels[:, 0] >= 0) & (pixels[:, 0] < width) & (pixels[:, 1] >= 0) & (pixels[:, 1] < height)
    return np.asarray(np.unique(pixels[inside], axis=0), np.int32).reshape(-1, 2)
