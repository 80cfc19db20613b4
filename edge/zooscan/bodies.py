"""Which parts of an object are bodies: the parts of a watershed, joined until only narrow places lie between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.values import Float32Array, Int32Array
from edge.zooscan.watershed import passes


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySettings:
    """When a narrow place is taken for the contact of two animals.

    Attributes:
        neck: a place is narrow when its half width is below this share of that of the slimmer of the two bodies.
        slimmest: a body's half width is at least this share of the stoutest one's: what is slimmer is an appendage.
        smallest_share: and so is what has less than this share of the object's pixels.
    """

    neck: float = 0.6
    slimmest: float = 0.3
    smallest_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bodies:
    """The bodies of an object.

    Attributes:
        labels: (H, W) int32, the body of each pixel from 1; 0 is no body: outside, or an appendage that hangs on nothing.
        count: how many.
        score: how narrow the widest place between two of them is: 1 is no width at all, 0 that of the slimmer body.
    """

    labels: Int32Array
    count: int
    score: float


class _Part:
    """One part while parts are joined: half width, pixels, and the ways to others, each with its half width."""

    def __init__(self, half_width: float, size: int) -> None:
        self.half_width = half_width
        self.size = size
        self.ways: dict[int, float] = {}


def find_bodies(height: Float32Array, parts: Int32Array, settings: BodySettings, *, least_px: float) -> Bodies:
    """Join parts across every place that is not narrow, then what is no body to what it hangs on.

    Args:
        height: (H, W) float32, distance from the edge; 0 is outside.
        parts: (H, W) int32, the part of each pixel, numbered from 1; 0 is outside.
        settings: what is narrow.
        least_px: pixels of the smallest body.
    """
    graph = _graph(height, parts)
    names = np.arange(int(parts.max()) + 1)
    while (pair := _widest(graph, settings.neck)) is not None:
        _join(graph, names, *pair)
    stoutest = max((part.half_width for part in graph.values()), default=0.0)
    total = sum(part.size for part in graph.values())
    smallest = max(least_px, settings.smallest_share * total)
    while (slight := _slight(graph, settings.slimmest * stoutest, smallest)) is not None:
        ways = graph[slight].ways
        if ways:
            _join(graph, names, max(ways, key=lambda other: (ways[other], -other)), slight)
        else:  # so thin where it hangs together that the picture does not show it
            del graph[slight]
            names[names == slight] = 0
    numbers = np.zeros(len(names), np.int32)
    numbers[sorted(graph)] = np.arange(1, len(graph) + 1)
    widest = max((_ratio(graph, one, other) for one in graph for other in graph[one].ways), default=0.0)
    return Bodies(labels=numbers[names][parts], count=len(graph), score=1.0 - min(widest, 1.0))


def _graph(height: Float32Array, parts: Int32Array) -> dict[int, _Part]:
    count = int(parts.max())
    half_widths = np.zeros(count + 1, np.float32)
    np.maximum.at(half_widths, parts.ravel(), height.ravel())
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    graph = {number: _Part(float(half_widths[number]), int(sizes[number])) for number in range(1, count + 1) if sizes[number]}
    for (one, other), way in passes(height, parts).items():
        graph[one].ways[other] = graph[other].ways[one] = way
    return graph


def _ratio(graph: dict[int, _Part], one: int, other: int) -> float:
    """Half width of the way between two parts over that of the slimmer one."""
    return graph[one].ways[other] / min(graph[one].half_width, graph[other].half_width)


def _widest(graph: dict[int, _Part], neck: float) -> tuple[int, int] | None:
    """The two parts with the least narrow place between them, or None if all are narrow."""
    pairs = ((_ratio(graph, one, other), -one, -other) for one in graph for other in graph[one].ways if one < other)
    widest = max(pairs, default=(0.0, 0, 0))
    return (-widest[1], -widest[2]) if widest[0] >= neck else None


def _slight(graph: dict[int, _Part], half_width: float, size: float) -> int | None:
    """The smallest part that is too slim or too small for a body, or None."""
    slight = [(part.size, number) for number, part in graph.items() if part.half_width < half_width or part.size < size]
    return min(slight)[1] if slight else None


def _join(graph: dict[int, _Part], names: np.ndarray[tuple[int], np.dtype[np.intp]], kept: int, gone: int) -> None:
    """Let a part be one with another."""
    part, other = graph[kept], graph.pop(gone)
    part.half_width = max(part.half_width, other.half_width)
    part.size += other.size
    del part.ways[gone]
    for number, way in other.ways.items():
        if number != kept:
            widest = max(way, part.ways.get(number, 0.0))
            del graph[number].ways[gone]
            part.ways[number] = graph[number].ways[kept] = widest
    names[names == gone] = kept
