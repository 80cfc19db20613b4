"""Which boxes of two lists are the same object: greedily by score, one partner each, as COCO's evaluation has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

IOU_OF_A_PAIR = 0.5
_CLOSE = 1e-10  # COCO takes an overlap of the limit itself, whatever rounding makes of it


class LabelledBox(NamedTuple):
    """A box in pixels, half open, with what it is. `score`: the surest come first; of people's boxes it is 1."""

    label: str
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    score: float = 1.0


def iou(one: LabelledBox, other: LabelledBox) -> float:
    """Intersection over union; 0 of boxes without an area."""
    width_px = min(one.x_max_px, other.x_max_px) - max(one.x_min_px, other.x_min_px)
    height_px = min(one.y_max_px, other.y_max_px) - max(one.y_min_px, other.y_min_px)
    if width_px <= 0 or height_px <= 0:
        return 0.0
    both = width_px * height_px
    return both / (_area_px2(one) + _area_px2(other) - both)


def matched_boxes(found: Sequence[LabelledBox], truth: Sequence[LabelledBox], *, limit: float = IOU_OF_A_PAIR) -> list[tuple[int, int]]:
    """Pairs of indices, found and truth, of one label that overlap by `limit` at least.

    Each of `found`, the surest first, gets the one of `truth` that it overlaps most of those that are left (pycocotools, `evaluateImg`).
    """
    pairs: list[tuple[int, int]] = []
    taken: set[int] = set()
    for index in sorted(range(len(found)), key=lambda place: -found[place].score):
        best, best_iou = None, min(limit, 1 - _CLOSE)
        for other, one in enumerate(truth):
            if other in taken or one.label != found[index].label:
                continue
            overlap = iou(found[index], one)
            if overlap >= best_iou:
                best, best_iou = other, overlap
        if best is not None:
            taken.add(best)
            pairs.append((index, best))
    return pairs


def _area_px2(one: LabelledBox) -> float:
    return (one.x_max_px - one.x_min_px) * (one.y_max_px - one.y_min_px)
