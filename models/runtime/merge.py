"""One list of objects from the lists of overlapping tiles.

Two tiles show the same object if, within the area that both of them saw, their boxes of one class agree. So a piece that a
tile's border cut off belongs to the whole that the next tile saw, however small the piece; and an object larger than the
overlap, cut in both, is put together again. Neighbouring objects do not agree within the shared area and stay two. A piece and
its whole that were given different classes stay two as well.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.values import Detections, Float32Array
from models.runtime.heads import suppress
from models.runtime.tiling import View

CUT_AGREEMENT_IOU = 0.4  # a piece is seen less well than a whole
BORDER_PX = 4.0  # a box that ends this close to a tile's inner border may go on behind it

Flags = NDArray[np.bool_]


def merge_views(views: Sequence[View], found: Sequence[Detections], *, iou: float, width_px: int, height_px: int) -> Detections:
    """Merge what each view showed, each object once and whole, best score first.

    Args:
        views: the plan that covers the image of `width_px` by `height_px`.
        found: per view its detections, pixels of the full image, free of duplicates in itself.
        iou: above it two boxes of one class are one object, as in class-wise suppression.
    """
    if len(views) == 1:
        return found[0]
    parts = np.array([view.part.xyxy for view in views], np.float32)
    view_index = np.repeat(np.arange(len(views)), [len(detections) for detections in found])
    every = _joined(found)
    cut = _cut_sides(every.xyxy, parts[view_index], np.array([0, 0, width_px, height_px], np.float32))
    links = _same_objects(every, cut, view_index, parts, iou)
    return suppress(_grouped(every, links, _any_side(cut)), iou)


def _joined(found: Sequence[Detections]) -> Detections:
    return Detections(
        xyxy=np.concatenate([detections.xyxy for detections in found]),
        score=np.concatenate([detections.score for detections in found]),
        label_index=np.concatenate([detections.label_index for detections in found]),
    )


def _cut_sides(xyxy: Float32Array, parts: Float32Array, image: Float32Array) -> Flags:
    """(N, 4) bool: whether a box ends at the left, top, right, bottom border of its part, where the image goes on."""
    near: Flags = np.abs(xyxy - parts) <= BORDER_PX
    inner: Flags = parts != image
    return near & inner


def _any_side(cut: Flags) -> Flags:
    is_cut: Flags = np.logical_or.reduce(cut, axis=1)
    return is_cut


def _same_objects(every: Detections, cut: Flags, view_index: NDArray[np.intp], parts: Float32Array, iou: float) -> list[list[int]]:
    """For each detection those of other views that show the same object."""
    members = [np.flatnonzero(view_index == view) for view in range(len(parts))]
    links: list[list[int]] = [[] for _ in range(len(every))]
    for first, second in itertools.combinations(range(len(parts)), 2):
        shared = _intersection(parts[first], parts[second])
        if not (len(members[first]) and len(members[second]) and (shared[2:] >= shared[:2]).all()):
            continue
        ones, others = members[first], members[second]
        agreement = _agreement(
            _within(every.xyxy[ones], cut[ones], parts[first], shared), _within(every.xyxy[others], cut[others], parts[second], shared)
        )
        has_cut = _any_side(cut[ones])[:, None] | _any_side(cut[others])[None, :]
        same_label = every.label_index[ones][:, None] == every.label_index[others][None, :]
        for one, other in zip(*np.nonzero(same_label & (agreement >= np.where(has_cut, CUT_AGREEMENT_IOU, iou))), strict=True):
            links[ones[one]].append(int(others[other]))
            links[others[other]].append(int(ones[one]))
    return links


def _within(xyxy: Float32Array, cut: Flags, part: Float32Array, shared: Float32Array) -> Float32Array:
    """What of boxes (N, 4), seen in one part, lies in the area (4,) that it shares with another.

    Across an area too thin to compare in, a box that the part's border there cuts counts as going through.
    """
    inside = _intersection(xyxy, shared)
    for axis in (0, 1):
        low, high = shared[axis], shared[axis + 2]
        if high - low >= 2 * BORDER_PX:
            continue
        cut_here = cut[:, axis] & (part[axis] == low) | cut[:, axis + 2] & (part[axis + 2] == high)
        inside[:, axis] = np.where(cut_here, low - BORDER_PX, inside[:, axis])
        inside[:, axis + 2] = np.where(cut_here, high + BORDER_PX, inside[:, axis + 2])
    return inside


def _agreement(first: Float32Array, second: Float32Array) -> Float32Array:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4)."""
    first, second = first[:, None], second[None, :]
    overlap = _area(_intersection(first, second))
    union = _area(first) + _area(second) - overlap
    agreement: Float32Array = overlap / np.maximum(union, np.float32(1e-6))
    return agreement


def _grouped(every: Detections, links: list[list[int]], is_cut: Flags) -> Detections:
    """One box per object: the best whole one, or the hull of its pieces; with the best score of all."""
    taken = np.zeros(len(every), np.bool_)
    boxes: list[Float32Array] = []
    leaders: list[int] = []
    for leader in np.argsort(-every.score, kind="stable").tolist():
        if taken[leader]:
            continue
        members = _members(leader, links, is_cut, taken)
        whole = [member for member in members if not is_cut[member]]
        boxes.append(every.xyxy[max(whole, key=lambda member: every.score[member])] if whole else _hull(every.xyxy[members]))
        leaders.append(leader)
    best = every.select(np.asarray(leaders, np.intp))
    return Detections(xyxy=np.asarray(boxes, np.float32).reshape(-1, 4), score=best.score, label_index=best.label_index)


def _members(leader: int, links: list[list[int]], is_cut: Flags, taken: Flags) -> list[int]:
    """The boxes of the leader's object, which become taken: those linked to it, and pieces that further pieces or wholes lead to."""
    taken[leader] = True
    members = [leader]
    for member in members:
        leads_on = member == leader or bool(is_cut[member])
        joined = [other for other in links[member] if not taken[other] and (leads_on or is_cut[other])]
        taken[joined] = True
        members.extend(joined)
    return members


def _hull(boxes: Float32Array) -> Float32Array:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _intersection(first: Float32Array, second: Float32Array) -> Float32Array:
    """Intersections (..., 4) of boxes (..., 4); where there is none it ends before it begins."""
    return np.concatenate(
        np.broadcast_arrays(np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])), axis=-1
    )


def _area(boxes: Float32Array) -> Float32Array:
    size = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    area: Float32Array = size[..., 0] * size[..., 1]
    return area
