"""Which shape of one frame is which of the next: by its place on the moving seabed, and by its look.

The protocol is that of CVAT's re-identification: `image0`, `image1`, `boxes0`, `boxes1` (shapes as CVAT keeps them) and, if the
person set them, `threshold` ("minimum similarity value for shapes that can be merged", 0.01 to 1, in the form 0.5) and `max_distance`
("maximum distance between shapes that can be merged", pixels, in the form 50). Back goes a list as long as `boxes0`: the index into
`boxes1`, or -1.

A distance is taken after the seabed's motion was: between where the shape's ground went and where the other one lies. At six frames
a second the ground itself moves by a hundred pixels, which says nothing of whether two shapes are one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotator_bridge.functions.checked import Box, number, numbers, sent_list
from annotator_bridge.functions.function import BadCallError, FunctionInfo
from annotator_bridge.functions.geometry import around, box_at, centre_of, clipped, sides_of
from annotator_bridge.functions.ground import GroundMotion, carried, ground_motion, thumbnail
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.methods import REID
from annotator_bridge.functions.views import best_place, view, view_size
from edge.footage import Float64Array
from edge.survey.tow.assign import assigned
from edge.values import UInt8Array
from models.runtime.vision import cv2

THRESHOLD = 0.5
MAX_DISTANCE_PX = 50.0
MOST_SHAPES = 2000
FURTHEST_PX = 1e6
LEAST_SIDE_PX = 4.0  # of the box around a point or a line
NO_MATCH = -1
PLACE_WIDTH, PLACE_SIDE = 0.008, 0.35  # standard deviation of a place, of the picture's width and of the shape's side
PLACE_WITHOUT_MOTION = 0.05
SIZE_SPREAD = 0.7  # standard deviation of the logarithm of a side's ratio
LOOK_SHARE = 0.5  # of the similarity that the look decides where the ground's motion is known
LEAST_PLACE = 1e-3  # below that the look is not asked
JITTER = 0.2  # of the box's sides: where a look is searched for around a shape


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A shape of a call: the box around it, and its label as the caller names it."""

    box: Box
    label: object


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """Two pictures: their greys, how the ground moved from the first to the second, and the scale from the first to the second."""

    before: UInt8Array
    now: UInt8Array
    motion: GroundMotion | None


class SeabedReid:
    """The function `seabed-reid`; holds nothing between calls."""

    def __init__(self, *, max_pixels: int = 100_000_000) -> None:
        self._max_pixels = max_pixels

    @property
    def info(self) -> FunctionInfo:
        """See `Function.info`."""
        return REID

    def invoke(self, payload: Mapping[str, Any]) -> list[int]:
        """See `Function.invoke`: for each of `boxes0` the index of the same one in `boxes1`, or -1; never one twice."""
        before, now = (_shapes(payload, name) for name in ("boxes0", "boxes1"))
        threshold = _setting(payload, "threshold", THRESHOLD, greatest=1)
        reach_px = _setting(payload, "max_distance", MAX_DISTANCE_PX, greatest=FURTHEST_PX)
        images = [decode_image(payload.get(name), max_pixels=self._max_pixels) for name in ("image0", "image1")]
        matches = [NO_MATCH] * len(before)
        if not before or not now:
            return matches
        pair = _pair(images[0], images[1])
        i, j, similarity = _similar(pair, before, now, reach_px)
        # What is as alike as asked is a match, however little more it is.
        for first, second in zip(*assigned(i, j, threshold - similarity - 1e-9), strict=True):
            matches[int(first)] = int(second)
        return matches


def _setting(payload: Mapping[str, Any], name: str, usual: float, *, greatest: float) -> float:
    """A number that may be left out; 0 and null are as good as left out, for CVAT sends neither."""
    value = payload.get(name)
    return number(value, name, least=0, greatest=greatest) or usual if value is not None else usual


def _shapes(payload: Mapping[str, Any], name: str) -> list[_Shape]:
    return [_shape(given, f"{name}[{place}]") for place, given in enumerate(sent_list(payload, name, at_most=MOST_SHAPES))]


def _shape(given: object, what: str) -> _Shape:
    if not isinstance(given, Mapping):
        raise BadCallError(f"{what} is no shape")
    label = given.get("label_id", given.get("label"))
    flat = _flat(given, what)
    kind = given.get("type")
    if kind == "ellipse" and len(flat) == 4:  # middle, its right end and its upper end
        x, y, right, top = flat
        flat = [x - abs(right - x), y - abs(y - top), x + abs(right - x), y + abs(y - top)]
    elif kind == "mask":  # runs of pixels, then the corners of the part that they fill
        flat = [*flat[-4:-2], flat[-2] + 1, flat[-1] + 1]
    if len(flat) < 2 or len(flat) % 2:
        raise BadCallError(f"{what} has {len(flat)} numbers, which are no points")
    if max(map(abs, flat)) > FURTHEST_PX:
        raise BadCallError(f"{what} has a point that lies in no picture")
    box = around(flat)
    return _Shape(box=box_at(centre_of(box), np.maximum(sides_of(box), LEAST_SIDE_PX)), label=label)


def _flat(given: Mapping[str, Any], what: str) -> list[float]:
    """The points of a shape, of a skeleton those of its elements."""
    elements = given.get("elements")
    if given.get("type") == "skeleton" and isinstance(elements, list):
        return [value for place, one in enumerate(elements) for value in _flat(_mapping(one, what), f"{what}.elements[{place}]")]
    flat = list(numbers(given.get("points"), f"{what}.points"))
    if given.get("type") == "mask" and len(flat) < 4:
        raise BadCallError(f"{what} is a mask without its corners")
    return flat


def _mapping(given: object, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadCallError(f"{what} has an element that is no shape")
    return given


def _pair(before: UInt8Array, now: UInt8Array) -> _Pair:
    """The two pictures; the first is brought to the size of the second, as CVAT's frames of one task are of one size anyway."""
    greys = [np.asarray(cv2.extractChannel(image, 1), np.uint8) for image in (before, now)]
    return _Pair(before=greys[0], now=greys[1], motion=ground_motion(thumbnail(before), thumbnail(now)))


def _similar(pair: _Pair, before: Sequence[_Shape], now: Sequence[_Shape], reach_px: float) -> tuple[Any, Any, Float64Array]:
    """Pairs of shapes that may be one, two index arrays (K,), and how alike they are, (K,) 0..1."""
    height, width = pair.now.shape
    scale = np.array([width / pair.before.shape[1], height / pair.before.shape[0]])
    there = []
    for shape in before:
        scaled = box_at(centre_of(shape.box) * scale, sides_of(shape.box) * scale)
        moved = scaled if pair.motion is None else carried(scaled, pair.motion.values, width, height)
        # Of what leaves the picture, the other shape is the part that is left.
        there.append(clipped(moved, width, height) or moved)
    centres0, centres1 = np.array([centre_of(box) for box in there]), np.array([centre_of(shape.box) for shape in now])
    apart = np.hypot(*(centres0[:, None] - centres1[None]).transpose(2, 0, 1))
    alike = np.array([[one.label == other.label for other in now] for one in before])
    i, j = np.nonzero((apart <= reach_px) & alike)
    similarity = [
        _similarity(pair, before[a].box, there[a], now[b].box, float(apart[a, b])) for a, b in zip(i.tolist(), j.tolist(), strict=True)
    ]
    return i, j, np.array(similarity, np.float64)


def _similarity(pair: _Pair, given: Box, there: Box, other: Box, apart_px: float) -> float:
    """How alike a shape that should now be `there` and another one are, 0..1: place and size, and the look."""
    side = float(np.sqrt(np.prod(sides_of(there))))
    width = PLACE_WIDTH if pair.motion is not None else PLACE_WITHOUT_MOTION
    spread = float(np.hypot(width * pair.now.shape[1], PLACE_SIDE * side))
    grown = np.log(sides_of(other) / sides_of(there)) / SIZE_SPREAD
    place = float(np.exp(-0.5 * ((apart_px / spread) ** 2 + np.square(grown).sum())))
    share = LOOK_SHARE if pair.motion is not None else 1.0
    if place < LEAST_PLACE:
        return 0.0
    return place * (1 - share + share * _look(pair, given, other))


def _look(pair: _Pair, given: Box, other: Box) -> float:
    """Correlation, 0..1, of what a shape shows with its surroundings in the first picture and the best place at the other one."""
    size = view_size(given)
    margin = (max(1, round(JITTER * size[0] / 2)), max(1, round(JITTER * size[1] / 2)))
    known, area = view(pair.before, given, size, (0, 0)), view(pair.now, other, size, margin)
    return max(0.0, best_place(area, known, np.array(margin, np.float64))[1])
