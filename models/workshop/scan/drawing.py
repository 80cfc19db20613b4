"""One thing on the glass, or several that touch: its darkness, and which pixels are whose.

drawing = draw_animal(rng, "copepod", area_px=1700)
drawing = draw_touching(rng, animals=2)
vignette = drawing.alone        # as the segmenter hands it over: grey on white
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scan.brush import GLASS_LEVELS, Canvas
from models.workshop.scan.crustaceans import cladoceran, copepod, ostracod
from models.workshop.scan.lifeless import bubble, detritus, fibre
from models.workshop.scan.soft_bodies import appendicularian, bell, chaetognath, medusa, radiolarian

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Painter = Callable[[np.random.Generator, float], Canvas]

# An object's pixel has a grey of 243 or less: 12 levels of darkness, 255 being none.
WHITE = 255
DARK_ENOUGH = 12
# What the noise of a scan can neither bring above the threshold nor below it.
SURELY_DARK, SURELY_LIGHT = 19, 6
LEAST_AREA_PX = 631
_ROOM = 1.2
_AROUND = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of thing on the glass.

    Attributes:
        paint: draws one of about an area.
        share: how often it comes, of all.
        size: how much larger than others it is, as a factor of the area.
        is_animal: False for what is lifeless.
    """

    paint: Painter
    share: float
    size: float = 1.0
    is_animal: bool = True


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "copepod": Kind(paint=copepod, share=0.42),
        "cladoceran": Kind(paint=cladoceran, share=0.07),
        "ostracod": Kind(paint=ostracod, share=0.06),
        "chaetognath": Kind(paint=chaetognath, share=0.06, size=1.5),
        "appendicularian": Kind(paint=appendicularian, share=0.08),
        "bell": Kind(paint=bell, share=0.03, size=2.2),
        "medusa": Kind(paint=medusa, share=0.03, size=1.3),
        "radiolarian": Kind(paint=radiolarian, share=0.05),
        "detritus": Kind(paint=detritus, share=0.12, size=0.6, is_animal=False),
        "fibre": Kind(paint=fibre, share=0.05, size=0.55, is_animal=False),
        "bubble": Kind(paint=bubble, share=0.03, size=0.8, is_animal=False),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """What a scan shows of one object.

    Attributes:
        kinds: of each of its parts, one or several.
        darkness: (H, W) uint8, levels darker than the glass; its box is that of the pixels that are dark enough for an object.
        owner: (H, W) uint8, which part shows in a pixel that is dark enough, from 1; 0 elsewhere.
    """

    kinds: tuple[str, ...]
    darkness: UInt8Array
    owner: UInt8Array

    @property
    def animals(self) -> int:
        """Things in it: 1, or more where they touch."""
        return len(self.kinds)

    @property
    def filled(self) -> BoolArray:
        """(H, W) bool, the object's pixels with its holes."""
        return filled(self.darkness >= DARK_ENOUGH)

    @property
    def alone(self) -> UInt8Array:
        """(H, W) uint8, grey on white, its holes white: as the segmenter hands an object over."""
        return np.where(self.darkness >= DARK_ENOUGH, WHITE - self.darkness, WHITE).astype(np.uint8)


def draw_animal(rng: np.random.Generator, kind: str | None = None, area_px: float | None = None, *, animals_only: bool = False) -> Drawing:
    """One thing, large enough to be an object.

    Args:
        rng: chance; the same state draws the same.
        kind: of `KINDS`; None for one by its share.
        area_px: about its area; None for one as they come in a tow.
        animals_only: never detritus, fibres or bubbles.

    Raises:
        KeyError: there is no such kind.
    """
    name = kind if kind is not None else pick_kind(rng, animals_only=animals_only)
    wanted = area_px if area_px is not None else draw_area_px(rng) * KINDS[name].size
    while True:
        darkness, _ = _settled(_trimmed(KINDS[name].paint(rng, wanted).darkness()))
        if darkness.size and int(filled(darkness >= DARK_ENOUGH).sum()) >= _ROOM * LEAST_AREA_PX:
            break
        wanted *= 1.25
    # The drawn area is about what was asked; it is what it is.
    return Drawing(kinds=(name,), darkness=darkness, owner=(darkness >= DARK_ENOUGH).astype(np.uint8))


def draw_touching(
    rng: np.random.Generator, *, animals: int = 2, kinds: tuple[str, ...] | None = None, area_px: float | None = None
) -> Drawing:
    """Several things that lie so that their pixels hang together: one object of the segmenter's.

    Args:
        rng: chance.
        animals: how many; 2 or more.
        kinds: of each; None for animals by their shares.
        area_px: about the area of each; None for one as they come, all of a similar size.
    """
    names = kinds if kinds is not None else tuple(pick_kind(rng, animals_only=True) for _ in range(animals))
    about = area_px if area_px is not None else draw_area_px(rng)
    together = draw_animal(rng, names[0], about * KINDS[names[0]].size)
    for name in names[1:]:
        other = draw_animal(rng, name, about * KINDS[name].size * float(rng.lognormal(0.0, 0.4)))
        together = _joined(rng, together, other)
    return together


def pick_kind(rng: np.random.Generator, *, animals_only: bool = False) -> str:
    """A kind by its share."""
    names = [name for name, kind in KINDS.items() if kind.is_animal or not animals_only]
    shares = np.array([KINDS[name].share for name in names])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def draw_area_px(rng: np.random.Generator) -> float:
    """An area as they come: ln(area / 631 px) follows a gamma distribution, after the percentiles of a tow's 1,706 objects."""
    return float(min(LEAST_AREA_PX * np.exp(rng.gamma(2.2, 0.50)), 150_000.0))


def filled(dark: BoolArray) -> BoolArray:
    """The pixels within the outer borders of what is dark, 8-connected."""
    chains, _ = cv2.findContours(dark.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = np.zeros(dark.shape, np.uint8)
    cv2.drawContours(inside, chains, -1, 1, cv2.FILLED)
    return inside.astype(np.bool_)


def _settled(darkness: UInt8Array) -> tuple[UInt8Array, tuple[slice, slice]]:
    """The largest part that surely hangs together, cut to its box; what is not of it is too faint to be seen as an object.

    A scan's noise would else decide whether a faint limb belongs to an animal, and the truth with it.

    Returns:
        The part and its box; nothing (0, 0) where nothing is surely dark.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats((darkness >= SURELY_DARK).astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros((0, 0), np.uint8), (slice(0), slice(0))
    core = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    near = cv2.dilate(core.astype(np.uint8), _AROUND) > 0
    seen = np.where(near, darkness, np.minimum(darkness, SURELY_LIGHT))
    _, labels = cv2.connectedComponents((seen >= DARK_ENOUGH).astype(np.uint8), connectivity=8)
    own = labels == labels[core][0]
    # What is left of faint fringes ends near the object, not at the straight sides of its box.
    fringe = cv2.dilate(own.astype(np.uint8), _AROUND) > 0
    seen = np.where(own, seen, np.where(fringe, np.minimum(seen, SURELY_LIGHT), 0)).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(own.astype(np.uint8))
    box = slice(top, top + height), slice(left, left + width)
    return np.ascontiguousarray(seen[box]), box


def _trimmed(darkness: UInt8Array) -> UInt8Array:
    """Without what is white around it, but for a margin."""
    left, top, width, height = cv2.boundingRect((darkness >= SURELY_LIGHT).astype(np.uint8))
    return np.pad(darkness[top : top + height, left : left + width], 3)


def _joined(rng: np.random.Generator, one: Drawing, other: Drawing) -> Drawing:
    """Two drawings pushed together along a way by chance until they overlap a little."""
    most_px = max(6, int(0.06 * min((one.owner > 0).sum(), (other.owner > 0).sum())))
    (h1, w1), (h2, w2) = one.darkness.shape, other.darkness.shape
    steps = np.arange(np.hypot(w1 + w2, h1 + h2) / 2, -1.0, -1.0)
    while True:
        overlap_px, way = int(rng.integers(4, 5 + most_px)), rng.uniform(0.0, 2 * np.pi)
        columns = np.rint((w1 - w2) / 2 + steps * np.cos(way)).astype(int)
        rows = np.rint((h1 - h2) / 2 + steps * np.sin(way)).astype(int)
        for x, y in zip(columns.tolist(), rows.tolist(), strict=True):
            if _common_px(one, other, x, y) < overlap_px:
                continue
            together = _laid(one, other, x, y)
            # Where they touch with a faint hair alone, one of them would be lost again.
            if len(np.unique(together.owner[together.owner > 0])) == together.animals:
                return together


def _common_px(one: Drawing, other: Drawing, x: int, y: int) -> int:
    """Pixels that surely belong to both where the other lies at a place of the first."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + other.darkness.shape[1], one.darkness.shape[1]), min(y + other.darkness.shape[0], one.darkness.shape[0])
    if left >= right or top >= bottom:
        return 0
    ours = one.darkness[top:bottom, left:right] >= SURELY_DARK
    theirs = other.darkness[top - y : bottom - y, left - x : right - x] >= SURELY_DARK
    return int(np.count_nonzero(ours & theirs))


def _laid(one: Drawing, other: Drawing, x: int, y: int) -> Drawing:
    """Both, the other at a place of the first; light goes through both."""
    left, top = min(x, 0), min(y, 0)
    width = max(one.darkness.shape[1], x + other.darkness.shape[1]) - left
    height = max(one.darkness.shape[0], y + other.darkness.shape[0]) - top
    through = np.ones((2, height, width), np.float32)
    owner = np.zeros((height, width), np.uint8)
    first = np.s_[-top : one.darkness.shape[0] - top, -left : one.darkness.shape[1] - left]
    second = np.s_[y - top : y - top + other.darkness.shape[0], x - left : x - left + other.darkness.shape[1]]
    through[0][first] -= one.darkness / np.float32(GLASS_LEVELS)
    through[1][second] -= other.darkness / np.float32(GLASS_LEVELS)
    owner[first] = one.owner
    is_theirs = (other.owner > 0) & ((owner[second] == 0) | (through[1][second] < through[0][second]))
    owner[second] = np.where(is_theirs, other.owner + one.animals, owner[second])
    darkness = np.clip(np.rint((1.0 - through[0] * through[1]) * GLASS_LEVELS), 0, WHITE).astype(np.uint8)
    # Two faint edges together are dark enough where neither was.
    owner = np.where(owner == 0, cv2.dilate(owner, _AROUND), owner)
    darkness = np.where(owner > 0, darkness, np.minimum(darkness, SURELY_LIGHT)).astype(np.uint8)
    seen, box = _settled(darkness)
    return Drawing(kinds=(*one.kinds, *other.kinds), darkness=seen, owner=np.where(seen >= DARK_ENOUGH, owner[box], 0).astype(np.uint8))
