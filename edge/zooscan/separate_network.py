"""A separator from a network that marks each animal, such as iMagine's: everything before and after the network itself.

Weights of the iMagine separator (a panoptic Mask2Former, AGPL-3, doi.org/10.5281/zenodo.18241878) are not shipped with the appliance and
were never at hand: what surrounds them is built from its description and tried with a simulated network. Domain: Zooprocess, section c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.values import Float32Array, Int32Array, UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY, BoolArray
from edge.zooscan.segment import SegmentSettings
from edge.zooscan.separate import WHOLE, Separation, cut
from edge.zooscan.watershed import flood
from models.runtime.vision import cv2

NETWORK_SIDE_PX = 512
ANIMAL_LABEL = 1
LEAST_SCORE = 0.9
UNCOVERED_SHARE = 0.2
# Of the ADE20K pictures, for red, green and blue in 0..1: what the network's makers subtract and divide by.
_ADE_MEAN = np.array([123.675, 116.280, 103.530], np.float32) / np.float32(255)
_ADE_STD = np.array([58.395, 57.120, 57.375], np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segments:
    """What a network marks in one picture.

    Attributes:
        masks: (N, 512, 512) bool, the pixels of each.
        label: (N,) int32, 1 is an animal.
        score: (N,) float32 in 0..1.
    """

    masks: BoolArray
    label: Int32Array
    score: Float32Array


@runtime_checkable
class MaskNetwork(Protocol):
    """A network that marks animals."""

    @property
    def name(self) -> str:
        """Which network, with its version."""
        ...

    def segments(self, tensor: Float32Array) -> Segments:
        """What it marks in a (1, 3, 512, 512) float32 picture, as `network_input` makes it.

        Raises:
            ModelError: the network failed.
        """
        ...


class NetworkSeparator:
    """Cuts between what a network marks as animals."""

    def __init__(self, network: MaskNetwork, *, least_px: int | None = None) -> None:
        """`least_px`: pixels of the smallest object, holes included."""
        self._network = network
        self._least_px = SegmentSettings().min_area_px if least_px is None else least_px

    @property
    def name(self) -> str:
        """That of its network."""
        return self._network.name

    def lines(self, alone: UInt8Array, filled: BoolArray) -> Separation:
        """See `Separator.lines`.

        Raises:
            ModelError: the network failed, or returned something else than it promises.
        """
        segments = self._network.segments(network_input(alone))
        _check(segments)
        return separation_of(segments, alone, least_px=self._least_px)


def network_input(alone: UInt8Array) -> Float32Array:
    """(1, 3, 512, 512) float32: the object's box, stretched, in three equal channels less the mean of ADE20K over its deviation."""
    size = (NETWORK_SIDE_PX, NETWORK_SIDE_PX)
    grey = np.asarray(cv2.resize(alone, size, interpolation=cv2.INTER_LINEAR), np.float32) / np.float32(255)
    channels = (grey[None] - _ADE_MEAN[:, None, None]) / _ADE_STD[:, None, None]
    return np.ascontiguousarray(channels[None], np.float32)


def separation_of(segments: Segments, alone: UInt8Array, *, least_px: int) -> Separation:
    """Lines between the animals that a network marked.

    Kept are animals it is sure of; every part of the object that none of them covers and that is large enough is one more. From the
    middle of each the water spreads over the object, and the lines are where it meets.

    Args:
        segments: what was marked in the object's box, stretched to 512 x 512.
        alone: (H, W) uint8, see `Separator.lines`.
        least_px: pixels of the smallest object.
    """
    size = (NETWORK_SIDE_PX, NETWORK_SIDE_PX)
    dark = (alone < BACKGROUND_GREY).view(np.uint8)
    body = np.asarray(cv2.resize(dark, size, interpolation=cv2.INTER_NEAREST), np.uint8).view(np.bool_)
    sure = (segments.label == ANIMAL_LABEL) & (segments.score > LEAST_SCORE)
    masks = [*(segments.masks[sure] & body), *_uncovered(segments.masks[sure], body)]
    masks = [mask for mask in masks if mask.any()]
    if len(masks) < 2:
        return WHOLE
    distances = np.stack([cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for mask in masks]).astype(np.float32)
    seeds = np.zeros(body.shape, np.int32)
    for number, distance in enumerate(distances, start=1):
        seeds.flat[int(distance.argmax())] = number
    # A pixel of the object that no mask holds is the last to be reached.
    height = np.where(body, np.maximum(distances.max(axis=0), np.float32(0.5)), np.float32(0))
    labels = np.asarray(cv2.resize(flood(height, seeds).astype(np.uint16), alone.shape[::-1], interpolation=cv2.INTER_NEAREST), np.int32)
    whole = flood((alone < BACKGROUND_GREY).astype(np.float32), labels)
    return cut(whole, alone, _rescaled(segments.score[sure]), least_px)


def _uncovered(masks: BoolArray, body: BoolArray) -> list[NDArray[np.bool_]]:
    """Connected parts of the object that no mask covers, those of more than a fifth of its pixels."""
    free = body & ~masks.any(axis=0)
    count, numbered, facts, _ = cv2.connectedComponentsWithStats(free.view(np.uint8), connectivity=8)
    least = UNCOVERED_SHARE * np.count_nonzero(body)
    return [np.asarray(numbered == number, np.bool_) for number in range(1, count) if facts[number, cv2.CC_STAT_AREA] > least]


def _rescaled(scores: Float32Array) -> float:
    """The mean score, from 0 where the network is just sure enough to 1; 0 where only uncovered parts are told apart."""
    return (float(scores.mean()) - LEAST_SCORE) / (1 - LEAST_SCORE) if len(scores) else 0.0


def _check(segments: Segments) -> None:
    count = len(segments.score)
    wanted = (count, NETWORK_SIDE_PX, NETWORK_SIDE_PX)
    if segments.masks.shape != wanted or segments.masks.dtype != np.bool_:
        raise ModelError(f"the network marked {segments.masks.shape} {segments.masks.dtype}, not {wanted} bool")
    if segments.label.shape != (count,) or not np.isfinite(segments.score).all():
        raise ModelError("the network's labels and scores do not belong to its masks, or a score is not a number")
    if count and not (segments.score.min() >= 0 and segments.score.max() <= 1):
        raise ModelError("a score of the network's lies outside 0 to 1")
