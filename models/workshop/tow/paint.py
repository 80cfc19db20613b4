"""Paints the strip of a tow, block by block: mud, what only looks like openings, trawl marks, openings, animals.

A block is painted once, at the scale of the counting line, and then seen from every pose. Textures of neighbouring blocks fade into
each other over `2 * _FADE_PX` rows, so that there is no seam. Textures are drawn once for the first `_TEXTURES` blocks and then come
again, mirrored in one of four ways; what is counted never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene.animals import blend
from models.workshop.scene.lookalikes import add_lookalikes
from models.workshop.scene.noise import Field, fractal, value_noise
from models.workshop.tow.world import BLOCK_PX, FIRST_BLOCK, PX_PER_M, STRIP_PX, Block, Drawing, Mark, World

Picture = npt.NDArray[np.uint8]

PLAIN_MUD = 110
"""What plain mud is painted as: its grey level before any light falls on it."""

_TEXTURES = 20
_FADE_PX = 64
_TALL_PX = BLOCK_PX + 2 * _FADE_PX
# Shadow in water is bluish: blue light scatters in from all sides (as scene.camera).
_SHADES = np.array([0.93, 1.0, 1.02], np.float32)
_DARKEST, _PALEST = -1.4, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mud:
    """What stays the same along a tow: how grainy the mud is, how large its bumps are and how they are lit; how clear the water is."""

    grain: float
    bump_px: float
    light_px: tuple[int, int]
    clear: float
    blur_px: float


class Ground:
    """The painted strip: `canvas` hands out the part that the camera may see.

    Args:
        veil: share of the contrast that the water takes.
        blur_px: of the lens, standard deviation at the scale of the strip.
        littered: strength of what only looks like openings, 1 as on the real stills.
    """

    def __init__(self, world: World, *, seed: int, veil: float, blur_px: float, littered: float = 1.0) -> None:
        rng = np.random.default_rng([seed, 30])
        self._world = world
        self._seed = seed
        self._littered = littered
        self._mud = _Mud(
            grain=float(rng.uniform(0.7, 1.6)),
            bump_px=float(rng.uniform(5.0, 9.0)),
            light_px=(int(rng.integers(1, 4)), int(rng.integers(-3, 4))),
            clear=1.0 - veil,
            blur_px=blur_px,
        )
        self._textures: dict[int, npt.NDArray[np.float16]] = {}
        self._painted: dict[int, Picture] = {}
        self._canvas: tuple[range, Picture] | None = None

    def canvas(self, first: int, last: int) -> tuple[Picture, float]:
        """Blocks `first` to `last`, the last on top: (H, W, 3) uint8 and how far ahead its upper edge lies, strip pixels."""
        wanted = range(first, last + 1)
        if self._canvas is None or self._canvas[0] != wanted:
            # The lens also sinks and rises: a block that has just left the view may come back.
            self._painted = {number: picture for number, picture in self._painted.items() if first - 1 <= number <= last + 1}
            for number in wanted:
                if number not in self._painted:
                    self._painted[number] = self._paint(number)
            self._canvas = (wanted, np.vstack([self._painted[number] for number in reversed(wanted)]))
        return self._canvas[1], float((last + 1) * BLOCK_PX)

    def _paint(self, number: int) -> Picture:
        """Block `number`, (BLOCK_PX, STRIP_PX, 3) uint8 BGR."""
        relief = self._relief(number)
        top_px = (number + 1) * BLOCK_PX
        near = [self._world.block(other) for other in range(max(number - 1, FIRST_BLOCK), number + 2)]
        for mark in _marks(near):
            _furrow(relief, mark, top_px)
        for drawing in _drawings(near):
            lay(relief, drawing, top_px)
        colour = np.exp(np.clip(relief * np.float32(self._mud.clear), _DARKEST, _PALEST)[..., None] * _SHADES)
        sprites = tuple(replace(sprite, y=top_px - sprite.y) for block in near for sprite in block.sprites)
        blend(colour, sprites, 0)
        colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), self._mud.blur_px), np.float32)
        return np.clip(np.round(colour * PLAIN_MUD), 0, 255).astype(np.uint8)

    def _relief(self, number: int) -> Field:
        """Textures of the block and its neighbours, faded into each other: log reflectance (BLOCK_PX, STRIP_PX)."""
        relief = self._texture(number)[_FADE_PX:-_FADE_PX].copy()
        relief[:_FADE_PX] += self._texture(number + 1)[-_FADE_PX:]
        if number > FIRST_BLOCK:
            relief[-_FADE_PX:] += self._texture(number - 1)[:_FADE_PX]
        return relief

    def _texture(self, number: int) -> Field:
        """Texture of one block and a fade on either side, (_TALL_PX, STRIP_PX) float32."""
        turn, place = divmod(number - FIRST_BLOCK, _TEXTURES)
        if place not in self._textures:
            self._textures[place] = self._make_texture(place).astype(np.float16)
        texture = self._textures[place]
        turn %= 4
        return np.asarray(texture[:: -1 if turn in {1, 2} else 1, :: -1 if turn in {1, 3} else 1], np.float32)

    def _make_texture(self, place: int) -> Field:
        """Mud and lookalikes, fading at both ends."""
        rng = np.random.default_rng([self._seed, 31, place])
        ramp = np.ones(_TALL_PX, np.float32)
        ramp[: 2 * _FADE_PX] = (np.arange(2 * _FADE_PX) + 0.5) / (2 * _FADE_PX)
        ramp[-2 * _FADE_PX :] = ramp[: 2 * _FADE_PX][::-1]
        # The scene strews by height for a strip of 1,229 px: lying on its side the field gets what its area should have.
        lying = np.zeros((STRIP_PX, _TALL_PX), np.float32)
        add_lookalikes(lying, rng)
        marks = np.ascontiguousarray(lying.T) * np.float32(self._littered)
        # Noises that fade into each other keep their strength by the squares of their shares.
        return np.asarray(_mud_noise(self._mud, rng) * np.sqrt(ramp)[:, None] + marks * ramp[:, None], np.float32)


def _mud_noise(mud: _Mud, rng: np.random.Generator) -> Field:
    """Mud by the weights of `scene.seabed`, bumps lit from one side; log reflectance (_TALL_PX, STRIP_PX)."""
    shape = (_TALL_PX, STRIP_PX)
    weights = [0.016 * mud.grain, 0.014 * mud.grain, 0.012, 0.012, 0.013, 0.014, 0.018]
    field = fractal(shape, [1.6, 3.0, 6.0, 12.0, 26.0, 60.0, 140.0], weights, rng)
    height = value_noise(shape, mud.bump_px, rng)
    patchy = np.clip(0.5 + 0.5 * value_noise(shape, 180.0, rng), 0.1, 1.6)
    field += np.float32(0.014 * mud.grain) * patchy * (height - np.roll(height, mud.light_px, (0, 1)))
    return field


def _furrow(relief: Field, mark: Mark, top_px: int) -> None:
    """Draw a trawl mark: a shallow trough with a thrown-up rim on either side, worn away in places."""
    rows = (top_px - 0.5 - np.arange(relief.shape[0], dtype=np.float32))[:, None] / np.float32(PX_PER_M)
    columns = (np.arange(relief.shape[1], dtype=np.float32) + 0.5 - STRIP_PX / 2)[None, :] / np.float32(PX_PER_M)
    across = (rows - np.float32(mark.along_m) - np.float32(mark.slope) * columns) / np.float32(np.hypot(1.0, mark.slope) * mark.width_m / 2)
    if np.abs(across).min() > 2.5:
        return
    profile = np.exp(-(across**4)) - 0.7 * np.exp(-(((np.abs(across) - 1.25) / 0.3) ** 2))
    worn = value_noise(relief.shape, 90.0, np.random.default_rng([mark.mark_id, top_px % 65_521]))
    relief -= np.float32(mark.depth) * profile * np.clip(0.7 + 0.35 * worn, 0.0, 1.3)


def lay(relief: Field, drawing: Drawing, top_px: int) -> None:
    """Darken `relief`, whose first row lies `top_px` ahead, by a drawing; what reaches beyond it falls away."""
    height, width = drawing.darkness.shape
    left, top = round(drawing.x_px) - width // 2, top_px - (round(drawing.along_px) + height // 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, relief.shape[1]), min(top + height, relief.shape[0])
    if x0 < x1 and y0 < y1:
        relief[y0:y1, x0:x1] -= drawing.darkness[y0 - top : y1 - top, x0 - left : x1 - left]


def _marks(blocks: list[Block]) -> Iterator[Mark]:
    for block in blocks:
        yield from block.marks


def _drawings(blocks: list[Block]) -> Iterator[Drawing]:
    for block in blocks:
        yield from block.drawings
