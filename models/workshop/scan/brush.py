"""What animals are drawn with: bodies that absorb light by their thickness, limbs, and texture.

A drawing is a field of optical depth. Only at the end does it become the darkness that a scan shows, softened as the scanner's lens does;
so parts that lie on each other are darker, and an edge is as faint as it is thin.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene.noise import Field, fractal

Points = npt.NDArray[np.float64]

# 8-bit grey of the glass: what an opaque thing is darker than it.
GLASS_LEVELS = 222.0
_LENS_PX = 0.85
_SHIFT = 4
_DEPTH_OF_255 = 2.0
_LEAST_LINE_PX = 2


class Canvas:
    """A square on which one thing is drawn; the origin is its middle, y runs down."""

    def __init__(self, reach_px: float) -> None:
        """Take a reach.

        Args:
            reach_px: how far the thing reaches from the middle at most.
        """
        half = int(np.ceil(reach_px)) + 6
        side = 2 * half + 1
        self.half = half
        self.depth: Field = np.zeros((side, side), np.float32)
        self._lines: npt.NDArray[np.uint8] = np.zeros((side, side), np.uint8)
        line = np.arange(-half, half + 1, dtype=np.float32)
        self.x: Field = np.broadcast_to(line, (side, side))
        self.y: Field = np.broadcast_to(line[:, None], (side, side))

    def frame(self, at: Points, angle: float) -> tuple[Field, Field]:
        """Coordinates of every pixel along and across an axis."""
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        dx, dy = self.x - np.float32(at[0]), self.y - np.float32(at[1])
        return dx * cos + dy * sin, dy * cos - dx * sin

    def body(
        self,
        at: Points,
        angle: float,
        length_px: float,
        half_widths_px: Sequence[float] | Points,
        *,
        depth: float,
        bend: float = 0.0,
        wall: float = 0.0,
    ) -> tuple[Field, Field]:
        """Add a body of round section.

        Args:
            at: (2,) its middle.
            angle: of its axis, from its head to its tail.
            length_px: of it.
            half_widths_px: at even steps from head to tail.
            depth: optical depth through the middle of the widest place.
            bend: how far the axis leaves the straight one at both ends, as a share of half the length.
            wall: 0 for a solid body; else the share of the half width that its wall takes, with nothing inside.

        Returns:
            Where each pixel lies along (-1 head, 1 tail) and across (-1 to 1 within; large values outside).
        """
        along, across = self.frame(at, angle)
        along = along * np.float32(2.0 / length_px)
        if bend:
            across = across - np.float32(bend * length_px / 2) * along * along
        steps = np.linspace(-1.0, 1.0, len(half_widths_px))
        half = np.interp(along, steps, half_widths_px, left=0.0, right=0.0).astype(np.float32)
        thick = np.sqrt(np.maximum(half * half - across * across, 0.0))
        if wall:
            inner = half * np.float32(1.0 - wall)
            thick = thick - np.sqrt(np.maximum(inner * inner - across * across, 0.0))
        self.depth += thick * np.float32(depth / max(half_widths_px))
        return along, np.asarray(across / np.maximum(half, np.float32(1e-3)), np.float32)

    def spot(self, at: Points, radius_px: float, depth: float) -> None:
        """Add a ball with soft edges, or take depth away (negative)."""
        along, across = self.frame(at, 0.0)
        self.depth += np.float32(depth) * np.exp(-(along * along + across * across) / np.float32(radius_px**2))

    def limb(self, points: Points, width_px: tuple[float, float], depth: float) -> None:
        """Draw a limb along points (N, 2), from one width to another."""
        middle = self.half
        places = np.round((points + middle) * 2**_SHIFT).astype(np.int64)
        widths = np.linspace(*width_px, max(len(points) - 1, 1))
        colour = min(255.0, 255.0 * depth / _DEPTH_OF_255)
        for (x0, y0), (x1, y1), width in zip(places[:-1], places[1:], widths, strict=True):
            thickness = max(1, round(float(width)))
            faint = min(1.0, max(float(width), 0.6) / thickness)
            ends = (int(x0), int(y0)), (int(x1), int(y1))
            cv2.line(self._lines, *ends, color=colour * faint, thickness=thickness, lineType=cv2.LINE_AA, shift=_SHIFT)

    def mottle(self, rng: np.random.Generator, cell_px: float, amount: float) -> None:
        """Make what was drawn so far uneven: tissue, not glass."""
        cells = [max(cell_px, 2.0), max(cell_px / 3, 1.5)]
        field = fractal(self.depth.shape, cells, [0.75, 0.5], rng)
        self.depth *= np.clip(1.0 + np.float32(amount) * field, 0.15, 2.5)

    def darkness(self) -> npt.NDArray[np.uint8]:
        """(S, S) uint8: by how many 8-bit levels a scan shows each pixel darker than the glass."""
        lines = self._lines.astype(np.float32) * np.float32(_DEPTH_OF_255 / 255.0)
        absorbed = np.float32(1.0) - np.exp(-np.maximum(self.depth, 0.0) - lines)
        return np.asarray(np.clip(np.rint(cv2.GaussianBlur(absorbed, (0, 0), _LENS_PX) * GLASS_LEVELS), 0, 255), np.uint8)


def direction(angle: float) -> Points:
    """The unit vector at an angle."""
    return np.array([np.cos(angle), np.sin(angle)])


def curve(
    start: Points, angle: float, length_px: float, *, curl: float, rng: np.random.Generator | None = None, wander: float = 0.0
) -> Points:
    """Points (N, 2) along a line that turns evenly by `curl` radians over its length, and wanders besides.

    Args:
        start: (2,) where it begins.
        angle: where it sets out to.
        length_px: of it.
        curl: how far it turns in all.
        rng: chance, for wandering.
        wander: how many radians it turns by chance from one point to the next, as a standard deviation.
    """
    count = max(4, min(120, int(length_px / 6) + 2))
    turns = np.full(count, curl / count)
    if rng is not None and wander:
        turns = turns + rng.normal(0.0, wander, count)
    headings = angle + np.cumsum(turns)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * (length_px / count)
    return np.concatenate([start[None], start + np.cumsum(steps, axis=0)])


def smooth_widths(knots: Sequence[float], half_width_px: float, count: int = 33) -> Points:
    """Half widths through knots at even steps, eased so that no corner is seen."""
    steps = np.linspace(0.0, 1.0, len(knots))
    fine = np.linspace(0.0, 1.0, count)
    widths = np.interp(fine, steps, knots)
    eased = np.convolve(np.pad(widths, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    # The ends of a body are round: what easing took from them is given back as an ellipse's end.
    round_end = np.sqrt(np.clip(1.0 - (2.0 * fine - 1.0) ** 16, 0.0, 1.0))
    return eased * round_end * half_width_px
