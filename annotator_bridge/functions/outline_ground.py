"""The outline of an opening, or of anything roundish, on ground that is nowhere plain.

An opening is a dark place whose edge is soft: its walls go down gradually, and mud is uneven everywhere. A threshold that follows it on
one side leaks out on the other. So the outline is searched as one closed line around the click: on a fan of rays, whose steps grow with
the distance, each place is worth how much darker it is just inside than just outside, in units of what the ground does anyway; the
line of the greatest worth that bends gradually is found by dynamic programming (Amini et al. 1990). A click tells nothing of the size,
so what openings measure weighs in (a prior on the radius); with a box the box tells, and the fan is stretched to its shape.

Clicks bind: a ray that passes a place inside ends beyond it, one that passes a place outside ends before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator_bridge.functions.clicks import Clicks, Point
from edge.footage import Float64Array
from edge.values import Float32Array, UInt8Array
from models.runtime.vision import cv2

Index = NDArray[np.intp]

USUAL_WIDTH_PX = 1229.0  # of the stills on which all was measured; what follows is in parts of the picture's width
RAYS, STEPS = 48, 64
LEAST_RADIUS, MOST_RADIUS = 0.004, 0.1
USUAL_RADIUS = 0.0165  # median of 2,429 boxes drawn by people
USUAL_SPREAD = 0.5  # standard deviation of the logarithm of the radius
PRIOR = 0.5  # its weight against the picture
BLUR = 0.0037
EDGE_STEPS = 5  # of a ray on either side of an edge
BEND = 0.4  # cost of a step nearer or further from one ray to the next
MOST_BEND = 2
LEAST_NOISE = 0.3  # grey levels
MOST_WORTH = 4.0  # of one place: a single stone is no edge
FOOT = 1.12  # people draw an opening where its slope begins, not where it is steepest
# In a box: parts of its half sides.
BOX_LEAST, BOX_MOST, BOX_USUAL, BOX_SPREAD = 0.25, 1.0, 0.9, 0.25
BRIGHT_MARGIN = 0.3  # by so much worth per ray a bright object is one: most of what people click is dark
CLICK_SLACK = 1.06
_FORBIDDEN = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fan:
    """Rays around a middle. `radii` (STEPS,) go with the half axes `reach` (2,): a place is middle + radius * reach * direction."""

    middle: Float64Array
    reach: Float64Array
    radii: Float64Array
    prior: Float64Array

    def directions(self) -> Float64Array:
        """(RAYS, 2) unit circle."""
        turn = np.arange(RAYS) * (2 * np.pi / RAYS)
        return np.stack([np.cos(turn), np.sin(turn)], axis=1)

    def places(self) -> Float64Array:
        """(RAYS, STEPS, 2) pixels of the picture."""
        return np.asarray(self.middle + self.directions()[:, None] * self.radii[:, None] * self.reach, np.float64)


def ground_outline(image: UInt8Array, clicks: Clicks) -> Float64Array:
    """The outline (RAYS, 2) float64 around what was clicked, pixels of the picture (H, W, 3) BGR; may reach beyond it."""
    if clicks.box is not None:
        return _line_on(image, _box_fan(clicks), clicks)
    return _line_on(image, _click_fan(clicks, image.shape[1]), clicks)


def _line_on(image: UInt8Array, fan: _Fan, clicks: Clicks) -> Float64Array:
    """The best closed line on a fan, (RAYS, 2) pixels of the picture."""
    edges, noise = _edges(image, fan)
    allowed = _allowed(fan, clicks)
    dark_line, dark_worth = _closed_line(_worth(edges, noise, fan) + allowed)
    line = dark_line
    if _is_bright(image, fan):
        bright_line, bright_worth = _closed_line(_worth(-edges, noise, fan) + allowed)
        line = bright_line if bright_worth > dark_worth + BRIGHT_MARGIN * RAYS else dark_line
    radii = np.minimum(fan.radii[line] * FOOT, fan.radii[-1])
    return np.asarray(fan.middle + fan.directions() * radii[:, None] * fan.reach, np.float64)


def _click_fan(clicks: Clicks, width_px: int) -> _Fan:
    inside = np.array(clicks.inside)
    middle = inside.mean(axis=0)
    apart = float(np.hypot(*(inside - middle).T).max())
    # Clicks far apart tell the size themselves.
    usual = max(USUAL_RADIUS * width_px, CLICK_SLACK * apart)
    radii = np.geomspace(LEAST_RADIUS * width_px, max(MOST_RADIUS * width_px, 2 * usual), STEPS)
    prior = -PRIOR * np.square(np.log(radii / usual) / USUAL_SPREAD) / 2
    return _Fan(middle=middle, reach=np.ones(2), radii=radii, prior=prior)


def _box_fan(clicks: Clicks) -> _Fan:
    assert clicks.box is not None
    low, high = np.array(clicks.box[:2]), np.array(clicks.box[2:])
    radii = np.geomspace(BOX_LEAST, BOX_MOST, STEPS)
    prior = -PRIOR * np.square(np.log(radii / BOX_USUAL) / BOX_SPREAD) / 2
    return _Fan(middle=(low + high) / 2, reach=(high - low) / 2, radii=radii, prior=prior)


def _edges(image: UInt8Array, fan: _Fan) -> tuple[Float32Array, float]:
    """How much darker each place of the fan is inside than outside (RAYS, STEPS), and what the ground does anyway, grey levels."""
    levels = _levels(image, fan)
    sums = np.cumsum(np.pad(levels, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    at = np.arange(STEPS)
    before, after = np.maximum(0, at - EDGE_STEPS), np.minimum(STEPS, at + EDGE_STEPS)
    inner = (sums[:, at] - sums[:, before]) / np.maximum(1, at - before)
    inner[:, 0] = levels[:, 0]
    outer = (sums[:, after] - sums[:, at]) / np.maximum(1, after - at)
    edges = (outer - inner).astype(np.float32)
    return edges, float(1.4826 * np.median(np.abs(edges - np.median(edges)))) + LEAST_NOISE


def _levels(image: UInt8Array, fan: _Fan) -> Float32Array:
    """Grey levels along the rays, (RAYS, STEPS), of the part of the picture that they reach, at the scale of the usual stills."""
    height, width = image.shape[:2]
    places = fan.places()
    shrink = max(1.0, width / USUAL_WIDTH_PX)
    blur_px = BLUR * width
    if fan.reach.max() > 1:  # a small thing in a box must not be blurred away
        blur_px = min(blur_px, 0.15 * float(fan.reach.min()))
    room = 3 * blur_px + 2
    low = np.clip(np.floor(places.min(axis=(0, 1)) - room), 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(places.max(axis=(0, 1)) + room), low + 1, [width, height]).astype(int)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0], 1])
    size = tuple(max(1, round(side / shrink)) for side in (part.shape[1], part.shape[0]))
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA) if shrink > 1 else part, np.float32)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.3, blur_px / shrink)), np.float32)
    scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    at = ((places - low) * scale - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(small, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _worth(edges: Float32Array, noise: float, fan: _Fan) -> Float64Array:
    return np.asarray(np.clip(edges / noise, -MOST_WORTH, MOST_WORTH) + fan.prior, np.float64)


def _allowed(fan: _Fan, clicks: Clicks) -> Float64Array:
    """(RAYS, STEPS): 0 where the outline may run, very negative where a click forbids it."""
    allowed = np.zeros((RAYS, STEPS))
    for point in clicks.inside:
        ray, radius = _seen_from(fan, point)
        for near in (-1, 0, 1):
            allowed[(ray + near) % RAYS, fan.radii < radius * CLICK_SLACK] -= _FORBIDDEN
    for point in clicks.outside:
        ray, radius = _seen_from(fan, point)
        for near in (-1, 0, 1):
            allowed[(ray + near) % RAYS, fan.radii > radius / (CLICK_SLACK * FOOT)] -= _FORBIDDEN
    return allowed


def _seen_from(fan: _Fan, point: Point) -> tuple[int, float]:
    """The ray on which a place lies, and at which radius."""
    off = (np.array(point) - fan.middle) / fan.reach
    return round(float(np.arctan2(off[1], off[0])) / (2 * np.pi) * RAYS) % RAYS, float(np.hypot(*off))


def _closed_line(worth: Float64Array) -> tuple[Index, float]:
    """The step on each ray, (RAYS,), of the line of the greatest worth around, and that worth.

    Three times around by dynamic programming: the middle one closes.
    """
    costs = [BEND * abs(bend) for bend in range(-MOST_BEND, MOST_BEND + 1)]
    total, came = worth[0].copy(), np.zeros((3 * RAYS, STEPS), np.intp)
    steps = np.arange(STEPS)
    for turn in range(1, 3 * RAYS):
        padded = np.pad(total, MOST_BEND, constant_values=-np.inf)
        ways = np.stack([padded[number : number + STEPS] - cost for number, cost in enumerate(costs)])
        best = ways.argmax(axis=0)
        came[turn] = steps + best - MOST_BEND
        total = worth[turn % RAYS] + ways[best, steps]
    line = np.zeros(3 * RAYS, np.intp)
    line[-1] = int(total.argmax())
    for turn in range(3 * RAYS - 1, 0, -1):
        line[turn - 1] = came[turn, line[turn]]
    middle = line[RAYS : 2 * RAYS]
    return middle, float(worth[np.arange(RAYS), middle].sum())


def _is_bright(image: UInt8Array, fan: _Fan) -> bool:
    """The middle of the fan is brighter than what lies around it."""
    levels = _levels(image, fan)
    return float(np.median(levels[:, : STEPS // 4])) > float(np.median(levels[:, STEPS // 2 :]))
