"""Crops to learn from: rendered things on the glass, one or several that touch, as the segmenter hands them over.

Each crop follows from the seed of its set and its number, so that sets can be drawn in parts and by several processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop import renders
from models.workshop.scan import brush, crustaceans, drawing, lifeless, soft_bodies
from models.workshop.scan.drawing import DARK_ENOUGH, KINDS, WHITE, Drawing, draw_animal, draw_touching
from models.workshop.scene import noise

UInt8Array = npt.NDArray[np.uint8]

LARGEST_SIDE_PX = 128
# Of the things that touch another one, some are lifeless: a fibre over a copepod is to be cut off too.
_WITH_LIFELESS = 0.12
_THREE = 0.2
_LIFELESS = ("fibre", "detritus")
_CLUMPS, _LOADED = 0.15, 0.12
_GLASSY = ("bell", "bell", "medusa", "appendicularian", "ostracod")
# So many pixels of a second thing make several of one; what has fewer is a rest of something.
_SECOND_PX = 450
_PARTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOrder:
    """Which crops are drawn.

    Attributes:
        seed: everything follows from it and from what stands below.
        singles, multiples: how many of each.
        all_kinds: half of the things are of any kind, as likely as another; without it they come as in a tow.
        fainter: greys are spread by chance, so that limbs are lost as in faint or bleached samples.
    """

    seed: int
    singles: int
    multiples: int
    all_kinds: bool = False
    fainter: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CropSet:
    """Crops and what they show.

    Attributes:
        crops: (H, W) uint8 each, dark on white, the longer side at most 128 px: what is larger was reduced.
        is_multiple: (N,) bool.
    """

    crops: tuple[UInt8Array, ...]
    is_multiple: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.crops)

    def save(self, path: Path) -> None:
        """Write all into one file."""
        sides = np.array([crop.shape for crop in self.crops], np.int32)
        pixels = np.concatenate([crop.ravel() for crop in self.crops])
        unfinished = path.with_name(f".{path.name}")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, sides=sides, pixels=pixels, is_multiple=self.is_multiple)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> CropSet:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            sides, pixels, is_multiple = kept["sides"], kept["pixels"], kept["is_multiple"]
        ends = np.cumsum(sides.prod(axis=1))
        parts = np.split(pixels, ends[:-1])
        return cls(crops=tuple(part.reshape(shape) for part, shape in zip(parts, sides.tolist(), strict=True)), is_multiple=is_multiple)


@cache
def renderer_sha256() -> str:
    """Hash of what a crop follows from besides its order: the code that draws, not its comments, and the libraries it draws with."""
    return renders.code_sha256([Path(module.__file__ or "") for module in (drawing, brush, crustaceans, soft_bodies, lifeless, noise)])


def draw_crops(order: CropOrder, *, workers: int = 1) -> CropSet:
    """Draw a set, singles first; the same order draws the same set."""
    numbers = [(False, number) for number in range(order.singles)] + [(True, number) for number in range(order.multiples)]
    parts = [numbers[begin : begin + _PARTS] for begin in range(0, len(numbers), _PARTS)]
    if workers == 1:
        drawn = [_draw_part(order, part) for part in parts]
    else:
        with ProcessPoolExecutor(workers) as pool:
            drawn = list(pool.map(_draw_part, [order] * len(parts), parts))
    crops = tuple(crop for part in drawn for crop in part)
    return CropSet(crops=crops, is_multiple=np.array([is_multiple for is_multiple, _ in numbers], np.bool_))


def _draw_part(order: CropOrder, numbers: Sequence[tuple[bool, int]]) -> list[UInt8Array]:
    cv2.setNumThreads(1)
    return [_draw_one(order, number, is_multiple=is_multiple) for is_multiple, number in numbers]


def _draw_one(order: CropOrder, number: int, *, is_multiple: bool) -> UInt8Array:
    rng = np.random.default_rng([order.seed, int(is_multiple), number])
    while True:
        drawn = _touching(rng, order) if is_multiple else _single(rng, order)
        gain = float(np.exp(rng.uniform(-0.7, 0.35))) if order.fainter else 1.0
        alone = _seen(drawn, gain, is_multiple=is_multiple)
        if alone is not None:
            return _reduced(alone)


def _single(rng: np.random.Generator, order: CropOrder) -> Drawing:
    """One thing. In sets of all kinds some are what real scans are full of: clumps of detritus, bells with something dark in them."""
    chance = rng.random() if order.all_kinds else 1.0
    if chance < _CLUMPS:
        return draw_touching(rng, kinds=("detritus", *(str(name) for name in rng.choice(_LIFELESS, int(rng.integers(1, 3))))))
    if chance < _CLUMPS + _LOADED:
        return _loaded(draw_animal(rng, str(rng.choice(_GLASSY))), rng)
    return draw_animal(rng, _kind(rng, order))


def _loaded(drawn: Drawing, rng: np.random.Generator) -> Drawing:
    """A transparent animal with dark bodies in it: a stomach, an oil drop, prey."""
    rows, columns = np.nonzero(drawn.filled)
    height, width = drawn.darkness.shape
    light = np.ones((height, width), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(rows)))
        long = np.sqrt(len(rows)) * rng.uniform(0.05, 0.22)
        slim, angle, depth = rng.uniform(0.35, 1.0), rng.uniform(0, np.pi), rng.uniform(0.2, 0.8)
        along = (x - columns[place]) * np.cos(angle) + (y - rows[place]) * np.sin(angle)
        across = (y - rows[place]) * np.cos(angle) - (x - columns[place]) * np.sin(angle)
        out = (along / long) ** 2 + (across / (slim * long)) ** 2
        light *= 1 - np.float32(depth) * np.exp(-(out**2))
    darkness = WHITE - (WHITE - drawn.darkness) * light
    return replace(drawn, darkness=np.clip(np.rint(darkness), 0, WHITE).astype(np.uint8))


def _kind(rng: np.random.Generator, order: CropOrder) -> str | None:
    return str(rng.choice(list(KINDS))) if order.all_kinds and rng.random() < 0.5 else None


def _touching(rng: np.random.Generator, order: CropOrder) -> Drawing:
    count = 3 if rng.random() < _THREE else 2
    if rng.random() < _WITH_LIFELESS:
        animals = ["copepod"] if rng.random() < 0.5 else [str(rng.choice([name for name, kind in KINDS.items() if kind.is_animal]))]
        return draw_touching(rng, kinds=(*animals, str(rng.choice(_LIFELESS))))
    if order.all_kinds and rng.random() < 0.5:
        animals = [name for name, kind in KINDS.items() if kind.is_animal]
        return draw_touching(rng, kinds=tuple(str(name) for name in rng.choice(animals, count)))
    return draw_touching(rng, animals=count)


def _seen(drawn: Drawing, gain: float, *, is_multiple: bool) -> UInt8Array | None:
    """What the segmenter would hand over with greys spread by a factor; None if that is too little, or neither one nor several."""
    darkness = np.minimum(drawn.darkness * np.float32(gain), np.float32(WHITE)).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats((darkness >= DARK_ENOUGH).view(np.uint8), connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
    own = labels == largest
    if int(own.sum()) < _SECOND_PX:
        return None
    if is_multiple:
        second_px = int(np.sort(np.bincount(drawn.owner[own], minlength=4)[1:])[-2])
        if second_px < _SECOND_PX:
            return None
    left, top, width, height = facts[largest, : cv2.CC_STAT_AREA]
    alone = np.where(own, np.uint8(WHITE) - darkness, np.uint8(WHITE))
    return np.ascontiguousarray(alone[top : top + height, left : left + width])


def _reduced(alone: UInt8Array) -> UInt8Array:
    scale = LARGEST_SIDE_PX / max(alone.shape)
    if scale >= 1:
        return alone
    size = (max(1, round(alone.shape[1] * scale)), max(1, round(alone.shape[0] * scale)))
    return np.asarray(cv2.resize(alone, size, interpolation=cv2.INTER_AREA), np.uint8)
