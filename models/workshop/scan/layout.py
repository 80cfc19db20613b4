"""Where things lie on the glass: none over another, none at the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scan.brush import GLASS_LEVELS
from models.workshop.scan.drawing import Drawing, UInt8Array, draw_animal, draw_touching
from models.workshop.scan.glass import margins_of
from models.workshop.scan.lifeless import speck

FULL_WIDTH_PX, FULL_HEIGHT_PX = 25_000, 15_000
SPECKS_OF_A_FULL_SCAN = 20_000
TRIPLES = 0.2
_LONGEST_OBJECT = 0.25
_CELL_PX = 16
_TRIES = 400
_APART_PX = 24
_FROM_FRAME_PX = 40
_LARGEST_SPECK_PX = 330.0
_SMALLEST_SPECK_PX = 6.0
_STEEP = 1.1
_FORMS_OF_SPECKS = 600


class LayoutError(ValueError):
    """There is no room for so many things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOrder:
    """What is to be rendered.

    Attributes:
        seed: everything follows from it and from what stands below.
        objects: on the glass; each is found as one by a segmenter, touching ones together.
        width_px, height_px: of the upright scan at 2400 dpi.
        touching: share of the objects that are two or three which touch.
        specks: of dust; None for as many as lie on a full glass, by area.
        noise_levels: standard deviation of the sensor's noise, 8-bit levels.
    """

    seed: int
    objects: int
    width_px: int = FULL_WIDTH_PX
    height_px: int = FULL_HEIGHT_PX
    touching: float = 0.05
    specks: int | None = None
    noise_levels: float = 1.4

    @property
    def speck_count(self) -> int:
        """Specks of dust."""
        if self.specks is not None:
            return self.specks
        return round(SPECKS_OF_A_FULL_SCAN * self.width_px * self.height_px / (FULL_WIDTH_PX * FULL_HEIGHT_PX))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A thing on the glass.

    Attributes:
        x_px, y_px: left and top of its box in the upright scan.
        drawing: what is seen of it.
    """

    x_px: int
    y_px: int
    drawing: Drawing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speck:
    """A speck of dust: too small for an object."""

    x_px: int
    y_px: int
    darkness: UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Everything on the glass, objects by the row and column of their boxes."""

    objects: tuple[Placed, ...]
    specks: tuple[Speck, ...]


class _Room:
    """Which cells of the glass are free."""

    def __init__(self, width_px: int, height_px: int) -> None:
        margins = margins_of(width_px, height_px)
        away = margins.ramp_px // 2 + _FROM_FRAME_PX
        self.left, self.top = margins.left + away, margins.top + away
        self.right, self.bottom = width_px - margins.right - away, height_px - margins.bottom - away
        self._taken = np.zeros((height_px // _CELL_PX + 2, width_px // _CELL_PX + 2), np.bool_)
        self._search = _searched(width_px, height_px)

    def cells(self, x: int, y: int, shape: tuple[int, int], apart_px: int) -> npt.NDArray[np.bool_]:
        """The cells of a box and around it; a view."""
        top, bottom = max(0, y - apart_px) // _CELL_PX, (y + shape[0] + apart_px) // _CELL_PX + 1
        left, right = max(0, x - apart_px) // _CELL_PX, (x + shape[1] + apart_px) // _CELL_PX + 1
        return self._taken[top:bottom, left:right]

    def find(self, rng: np.random.Generator, shape: tuple[int, int], apart_px: int) -> tuple[int, int]:
        """A free place for a box; it is then taken.

        Raises:
            LayoutError: none was found.
        """
        for _ in range(_TRIES):
            if self.right - shape[1] <= self.left or self.bottom - shape[0] <= self.top:
                break
            x, y = int(rng.integers(self.left, self.right - shape[1])), int(rng.integers(self.top, self.bottom - shape[0]))
            cells = self.cells(x, y, shape, apart_px)
            if not cells.any() and not self._would_be_a_frame(x, y, shape):
                self.cells(x, y, shape, 0)[:] = True
                return x, y
        raise LayoutError("there is no room left on the glass for so many objects")

    def _would_be_a_frame(self, x: int, y: int, shape: tuple[int, int]) -> bool:
        """Whether a search for the frame would come upon a large thing and take it for one."""
        return any(
            x < right
            and x + shape[1] > left
            and y < bottom
            and y + shape[0] > top
            and shape[axis] > 0.05 * (bottom - top if axis == 0 else right - left)
            for left, top, right, bottom, axis in self._search
        )


def lay_out(order: ScanOrder) -> Layout:
    """Draw everything and find a place for it.

    Raises:
        LayoutError: there is no room for so many objects.
    """
    rng = np.random.default_rng([order.seed, 1])
    room = _Room(order.width_px, order.height_px)
    together = round(order.touching * order.objects)
    longest_px = int(_LONGEST_OBJECT * min(order.width_px, order.height_px))
    drawings = [_drawn(rng, longest_px, is_touching=number < together) for number in range(order.objects)]
    # The largest first, as nothing else would find them a place; the order in which they were drawn is of no account.
    placed = []
    for drawing in sorted(drawings, key=lambda one: -one.darkness.size):
        x, y = room.find(rng, (drawing.darkness.shape[0], drawing.darkness.shape[1]), _APART_PX)
        placed.append(Placed(x_px=x, y_px=y, drawing=drawing))
    specks = tuple(_lay_dust(rng, room, order.speck_count))
    return Layout(objects=tuple(sorted(placed, key=lambda one: (one.y_px, one.x_px))), specks=specks)


def _drawn(rng: np.random.Generator, longest_px: int, *, is_touching: bool) -> Drawing:
    """A thing that a scan of this size has room for."""
    while True:
        drawing = draw_touching(rng, animals=3 if rng.random() < TRIPLES else 2) if is_touching else draw_animal(rng)
        if max(drawing.darkness.shape) <= longest_px:
            return drawing


def paint(layout: Layout, left: int, right: int, height_px: int) -> UInt8Array:
    """(height, right - left) uint8: darkness of columns of the upright scan."""
    canvas = np.zeros((height_px, right - left), np.uint8)
    for thing in layout.specks:
        _lay(canvas, thing.darkness, thing.x_px - left, thing.y_px)
    for one in layout.objects:
        _lay(canvas, one.drawing.darkness, one.x_px - left, one.y_px)
    return canvas


def _lay(canvas: UInt8Array, darkness: UInt8Array, x: int, y: int) -> None:
    begin, end = max(x, 0), min(x + darkness.shape[1], canvas.shape[1])
    if begin < end:
        under = canvas[y : y + darkness.shape[0], begin:end]
        np.maximum(under, darkness[:, begin - x : end - x], out=under)


def _lay_dust(rng: np.random.Generator, room: _Room, count: int) -> Iterator[Speck]:
    """Specks where nothing lies: some hundred forms, each turned and mirrored by chance."""
    forms = [_speck(rng) for _ in range(min(count, _FORMS_OF_SPECKS))]
    for _ in range(count):
        form = forms[int(rng.integers(len(forms)))]
        turned = np.rot90(form if rng.random() < 0.5 else form[:, ::-1], int(rng.integers(4)))
        x, y = room.find(rng, (turned.shape[0], turned.shape[1]), _CELL_PX)
        yield Speck(x_px=x, y_px=y, darkness=turned)


def _speck(rng: np.random.Generator) -> UInt8Array:
    """A speck in its box; small ones are many (areas by a power law)."""
    share = rng.random()
    area_px = _SMALLEST_SPECK_PX * (1.0 - share * (1.0 - (_SMALLEST_SPECK_PX / _LARGEST_SPECK_PX) ** _STEEP)) ** (-1 / _STEEP)
    dark = speck(rng, area_px).darkness()
    left, top, width, height = cv2.boundingRect((dark > 1).astype(np.uint8))
    return np.ascontiguousarray(np.minimum(dark[top : top + max(height, 1), left : left + max(width, 1)], int(GLASS_LEVELS)))


def _searched(width_px: int, height_px: int) -> list[tuple[float, float, float, float, int]]:
    """Boxes in which Zooprocess looks for the frame, and the side along which it takes means: 0 upright, 1 lying."""
    w, h = width_px, height_px
    return [
        (max(0.75 * w, w - 1200.0), h / 4, w, h / 2, 0),
        (0.0, h * 0.375, 0.05 * w + 100, h * 0.625, 0),
        (w / 6, 0.95 * h, w / 6 + 0.15 * w, h, 1),
        (w / 4, 0.0, w / 4 + 0.2 * w, 0.05 * h + 100, 1),
    ]
