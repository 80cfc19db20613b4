"""What lies on the seabed of a tow: burrow systems with their openings, animals, trawl marks. No pixels: where, how large, whose.

The strip is `STRIP_M` wide and has no end; it is made block by block, in order, each from its seed and its number, and what was made
is never changed by what comes after. The drawings of the openings are dropped when the sledge has passed; where they lay is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.workshop.scene import facts
from models.workshop.scene.animals import Sprite, scatter_animals
from models.workshop.scene.noise import Field
from models.workshop.scene.openings import Patch
from models.workshop.tow.openings import opening_towards, raised_middle, spoil_fan
from models.workshop.tow.path import MEAN_WIDTH_M

PX_PER_M = facts.STILL_WIDTH_PX / MEAN_WIDTH_M
"""The seabed is painted at the scale of the real stills at their counting line."""
BLOCK_PX = 1024
BLOCK_M = BLOCK_PX / PX_PER_M
STRIP_PX = 1792
STRIP_M = STRIP_PX / PX_PER_M
OPENINGS_PER_SYSTEM = (0.30, 0.20, 0.19, 0.15, 0.10, 0.06)
"""Shares of systems with 1 to 6 openings."""

FIRST_BLOCK = -2
"""The view reaches into the block behind the first line, and what lies there into the view of its neighbours."""

_REACH_PX = (38.0, 130.0)
_TRAWL_MARKS_PER_M = 1 / 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An opening. Metres; `facing_deg` is where its system's middle lies (0 ahead, clockwise), None for a single one.

    `width_m` and `height_m` are the sides of the box that a person would draw, seen from straight above.
    """

    opening_id: int
    system_id: int
    across_m: float
    along_m: float
    width_m: float
    height_m: float
    facing_deg: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A burrow system: its middle in metres, and its openings."""

    system_id: int
    across_m: float
    along_m: float
    opening_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A trawl mark: a furrow across the strip through (0, along_m). `slope` is metres along per metre across."""

    mark_id: int
    along_m: float
    slope: float
    width_m: float
    depth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """What lives there and is no opening: its name and where it is, metres."""

    name: str
    across_m: float
    along_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """Darkness (h, w) float32 to lay on the strip, its centre at strip pixels (x, along_px): along_px counts ahead, not down."""

    x_px: float
    along_px: float
    darkness: Field


@dataclass(slots=True, kw_only=True)
class Block:
    """What was made of one block. `drawings` are in the order of painting."""

    systems: list[System] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    sprites: list[Sprite] = field(default_factory=list)
    animals: list[Animal] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


class World:
    """The strip of one tow, from `FIRST_BLOCK` on.

    Args:
        density_per_m2: burrow systems per square metre, single openings among them.
    """

    def __init__(self, *, seed: int, density_per_m2: float) -> None:
        self._seed = seed
        self._density_per_m2 = density_per_m2
        self._larger = float(np.random.default_rng([seed, 20]).uniform(1.0, 1.3))
        self._blocks: dict[int, Block] = {}
        self._next = FIRST_BLOCK
        self._n_openings = self._n_systems = self._n_marks = 0

    def block(self, number: int) -> Block:
        """Block `number`, which holds everything whose middle lies between number and number + 1 times `BLOCK_M` along."""
        while self._next <= number:
            self._blocks[self._next] = self._make(self._next)
            self._next += 1
        return self._blocks[number]

    def made(self) -> list[Block]:
        """The blocks there are so far, in order along."""
        return [self._blocks[number] for number in sorted(self._blocks)]

    def forget_drawings(self, before: int) -> None:
        """Let go of the drawings of blocks before this one: they are painted and passed."""
        for number in range(before - 1, FIRST_BLOCK - 1, -1):
            block = self._blocks.get(number)
            if block is None or not (block.drawings or block.sprites):
                break
            block.drawings.clear()
            block.sprites.clear()

    def _make(self, number: int) -> Block:
        rng = np.random.default_rng([self._seed, 21, number - FIRST_BLOCK])
        block = Block()
        near = [*(self._blocks[number - 1].openings if number > FIRST_BLOCK else ())]
        for _ in range(rng.poisson(self._density_per_m2 * STRIP_M * BLOCK_M)):
            across_m = float(rng.uniform(-STRIP_M / 2, STRIP_M / 2))
            along_m = float((number + rng.random()) * BLOCK_M)
            self._add_system(block, near, across_m, along_m, rng)
        for sprite in scatter_animals(BLOCK_PX * STRIP_PX // facts.STILL_WIDTH_PX, rng):
            x, along_px = rng.uniform((0, number * BLOCK_PX), (STRIP_PX, (number + 1) * BLOCK_PX))
            block.sprites.append(Sprite(name=sprite.name, x=float(x), y=float(along_px), alpha=sprite.alpha, tint=sprite.tint))
            animal = Animal(name=sprite.name, across_m=(float(x) - STRIP_PX / 2) / PX_PER_M, along_m=float(along_px) / PX_PER_M)
            block.animals.append(animal)
        for _ in range(rng.poisson(_TRAWL_MARKS_PER_M * BLOCK_M)):
            block.marks.append(self._mark(number, rng))
        return block

    def _add_system(self, block: Block, near: list[Opening], across_m: float, along_m: float, rng: np.random.Generator) -> None:
        count = int(rng.choice(len(OPENINGS_PER_SYSTEM), p=OPENINGS_PER_SYSTEM)) + 1
        reach_px = float(rng.uniform(*_REACH_PX)) if count > 1 else 0.0
        bearings = rng.uniform(0, 2 * np.pi) + (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
        drawings: list[Drawing] = []
        found: list[Opening] = []
        for bearing in bearings:
            away_px = reach_px * rng.uniform(0.75, 1.3)
            # Picture axes: x to the right, y down; along is up.
            x_m, y_m = float(np.cos(bearing) * away_px / PX_PER_M), float(np.sin(bearing) * away_px / PX_PER_M)
            made = self._opening(across_m + x_m, along_m - y_m, float(bearing) if count > 1 else None, near + found, rng)
            if made is not None:
                found.append(made[0])
                drawings.extend(made[1])
        if not found:
            return
        if len(found) > 1:
            mound = raised_middle(reach_px * 0.8, rng)
            drawings.insert(0, Drawing(x_px=_x_px(across_m), along_px=along_m * PX_PER_M, darkness=mound))
        system = System(system_id=self._n_systems + 1, across_m=across_m, along_m=along_m, opening_ids=tuple(o.opening_id for o in found))
        self._n_systems += 1
        block.systems.append(system)
        block.openings.extend(found)
        block.drawings.extend(drawings)
        near.extend(found)

    def _opening(
        self, across_m: float, along_m: float, bearing: float | None, others: list[Opening], rng: np.random.Generator
    ) -> tuple[Opening, list[Drawing]] | None:
        """An opening with its drawings; None where it would lie on another one."""
        log_side = rng.normal(0, facts.BOX_SIDE_LOG_SIGMA)
        side_px = float(np.clip(facts.BOX_SIDE_MEDIAN_PX * self._larger * np.exp(log_side), *facts.BOX_SIDE_RANGE_PX))
        facing = float(rng.uniform(0, 2 * np.pi)) if bearing is None else bearing + np.pi
        patch = opening_towards(side_px, facing, rng)
        fan = spoil_fan(side_px * float(rng.uniform(1.0, 1.8)), facing + np.pi, rng) if rng.random() < 0.45 else None
        x_px, along_px = _x_px(across_m), along_m * PX_PER_M
        left, top, right, bottom = _box_around(patch, x_px, along_px)
        number = self._n_openings + 1
        opening = Opening(
            opening_id=number,
            system_id=self._n_systems + 1,
            across_m=((left + right) / 2 - STRIP_PX / 2) / PX_PER_M,
            along_m=(top + bottom) / 2 / PX_PER_M,
            width_m=(right - left) / PX_PER_M,
            height_m=(top - bottom) / PX_PER_M,
            facing_deg=None if bearing is None else float(np.degrees(facing) + 90.0) % 360.0,
        )
        if any(_crowds(opening, other) for other in others):
            return None
        self._n_openings = number
        drawn = [Drawing(x_px=x_px, along_px=along_px, darkness=patch.darkness)]
        if fan is not None:
            drawn.insert(0, Drawing(x_px=x_px, along_px=along_px, darkness=fan))
        return opening, drawn

    def _mark(self, number: int, rng: np.random.Generator) -> Mark:
        self._n_marks += 1
        return Mark(
            mark_id=self._n_marks,
            along_m=float((number + rng.random()) * BLOCK_M),
            slope=float(rng.uniform(-0.6, 0.6)),
            width_m=float(rng.uniform(0.03, 0.12)),
            depth=float(rng.uniform(0.05, 0.12)),
        )


def _x_px(across_m: float) -> float:
    return across_m * PX_PER_M + STRIP_PX / 2


def _box_around(patch: Patch, x_px: float, along_px: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the patch's box on the strip; top and bottom count ahead. As `paint.lay` will lay it."""
    height, width = patch.darkness.shape
    left, top = round(x_px) - width // 2, round(along_px) + height // 2
    return left + patch.box[0], top - patch.box[1], left + patch.box[2], top - patch.box[3]


def _crowds(one: Opening, other: Opening) -> bool:
    """Whether two boxes share more than a third of the smaller one, as openings in the renders for training do not."""
    wide = (one.width_m + other.width_m) / 2 - abs(one.across_m - other.across_m)
    tall = (one.height_m + other.height_m) / 2 - abs(one.along_m - other.along_m)
    if wide <= 0 or tall <= 0:
        return False
    wide, tall = min(wide, one.width_m, other.width_m), min(tall, one.height_m, other.height_m)
    return wide * tall > min(one.width_m * one.height_m, other.width_m * other.height_m) / 3
