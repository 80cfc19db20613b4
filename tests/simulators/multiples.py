"""Classifiers and networks of ZooScan that answer what a test wants, and remember what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge.values import Float32Array, UInt8Array
from edge.zooscan.separate_network import NETWORK_SIDE_PX, Segments


class SimulatedClassifier:
    """Scores a crop by what the test says of it; keeps the crops."""

    def __init__(self, score: Callable[[UInt8Array], float] | float = 0.0) -> None:
        self._score = score
        self.seen: list[UInt8Array] = []

    def scores(self, crops: Sequence[UInt8Array]) -> Float32Array:
        self.seen.extend(crops)
        return np.array([self._score(crop) if callable(self._score) else self._score for crop in crops], np.float32)


class SimulatedMaskNetwork:
    """Marks the same segments in every picture; keeps the pictures."""

    name = "simulated-network-1"

    def __init__(self, *parts: tuple[slice, slice], score: float = 0.95, label: int = 1) -> None:
        self.seen: list[Float32Array] = []
        masks = np.zeros((len(parts), NETWORK_SIDE_PX, NETWORK_SIDE_PX), np.bool_)
        for mask, part in zip(masks, parts, strict=True):
            mask[part] = True
        self.answer = Segments(masks=masks, label=np.full(len(parts), label, np.int32), score=np.full(len(parts), score, np.float32))

    def segments(self, tensor: Float32Array) -> Segments:
        self.seen.append(tensor)
        return self.answer
