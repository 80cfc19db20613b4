"""Which detection is which object: greedy matching as COCO defines it, over a whole data set at once.

Within an image and a class the detections take, best score first, the free box of highest overlap; a box that need not be found
(a crowd, or outside the range of areas) only where no other fits; a crowd box is never used up. Of equal overlaps the later box
wins, of equal scores the earlier detection. Agrees with pycocotools to 1e-6 (areas of truth are those of its boxes).

Done image by image this is five nested loops. Here the best detections of all images and classes are matched together, then all
the second best, and so on: they never compete for the same box.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluate.values import ALL_AREAS_PX2, Flags, Floats, ImageFound, ImageTruth, Indexes, outside

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
MAX_FOUND_PER_IMAGE = 100  # per class, as pycocotools counts them
NO_TRUTH = -1
_PAIRS_AT_ONCE = 400_000
_NO_PAIRS: tuple[Indexes, Indexes, Floats] = (np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMatches:
    """Every detection of one class over all images, best score first.

    `score` (D,); `hit` and `ignored` (T, D) bool per IoU threshold; `n_truth` counts the boxes that had to be found.
    """

    label_index: int
    score: Floats
    hit: Flags
    ignored: Flags
    n_truth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxTable:
    """Boxes of all images in one table, ordered by class, then image, then as they came (truth) or by score (detections).

    `image` (N,) index of the image, `row` (N,) index within its list, `label` (N,), `group` (N,) a number per class and image,
    `boxes` (N, 4) float64 xyxy px; `score` (N,) of detections, `crowd` (N,) of truth; `rank` (N,) within the group.
    """

    image: Indexes
    row: Indexes
    label: Indexes
    group: Indexes
    rank: Indexes
    boxes: Floats
    score: Floats
    crowd: Flags

    def select(self, chosen: Flags | Indexes) -> BoxTable:
        """Some of the rows."""
        return BoxTable(
            image=self.image[chosen],
            row=self.row[chosen],
            label=self.label[chosen],
            group=self.group[chosen],
            rank=self.rank[chosen],
            boxes=self.boxes[chosen],
            score=self.score[chosen],
            crowd=self.crowd[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Per IoU threshold and detection (T, D): the row of the truth table it took or NO_TRUTH, and whether it counts neither way.

    `required` (G,) bool: which boxes of the truth table had to be found.
    """

    truth_row: Indexes
    ignored: Flags
    required: Flags

    @property
    def hit(self) -> Flags:
        """Whether it took a box."""
        return np.asarray(self.truth_row != NO_TRUTH, np.bool_)


class Matcher:
    """Truth and detections of a data set, compared once, to be matched for several ranges of areas."""

    def __init__(
        self, truths: Sequence[ImageTruth], founds: Sequence[ImageFound], *, max_found: int = MAX_FOUND_PER_IMAGE, any_label: bool = False
    ) -> None:
        """Compare every detection with the truth of its image.

        Args:
            max_found: detections per image and class that are considered, best first.
            any_label: whether a detection may take a box of another class.

        Raises:
            ValueError: not as many images with truth as with detections.
        """
        if len(truths) != len(founds):
            raise ValueError(f"{len(truths)} images with truth but {len(founds)} with detections")
        self.n_images = len(truths)
        counts = [len(found.score) for found in founds]
        score = _joined([found.score for found in founds]).astype(np.float64)
        found = _table(counts, founds, score, np.zeros(len(score), np.bool_), any_label=any_label)
        self.found = found.select(found.rank < max_found)
        counts = [len(truth.label_index) for truth in truths]
        crowd = _joined([truth.crowd for truth in truths]).astype(np.bool_)
        self.truth = _table(counts, truths, np.zeros(len(crowd)), crowd, any_label=any_label)
        self._pairs = _find_pairs(self.found, self.truth)

    def assign(self, area_range_px2: tuple[float, float] = ALL_AREAS_PX2, thresholds: Floats = IOU_THRESHOLDS) -> Assignment:
        """Match at several IoU thresholds, none below 0.5.

        Truth outside the range of areas need not be found; detections matched with it, or unmatched and outside too, count
        neither way.
        """
        optional = self.truth.crowd | outside(self.truth.boxes, area_range_px2)
        truth_row = _assign(self._pairs.preferring(~optional, self.found.rank), self.truth.crowd, thresholds, len(self.found.score))
        hit = truth_row != NO_TRUTH
        # The last entry stands for "no truth", which index -1 reaches.
        ignored = np.append(optional, False)[truth_row] | (~hit & outside(self.found.boxes, area_range_px2))
        return Assignment(truth_row=truth_row, ignored=ignored, required=~optional)

    def by_label(self, assignment: Assignment) -> list[LabelMatches]:
        """The detections of each class over all images, best first."""
        labels = np.union1d(self.found.label, self.truth.label)
        required = np.bincount(np.searchsorted(labels, self.truth.label[assignment.required]), minlength=len(labels))
        starts, ends = (np.searchsorted(self.found.label, labels, side=side) for side in ("left", "right"))
        matches = []
        for label, n_truth, start, end in zip(labels, required, starts, ends, strict=True):
            order = start + np.argsort(-self.found.score[start:end], kind="stable")
            matches.append(
                LabelMatches(
                    label_index=int(label),
                    score=self.found.score[order],
                    hit=assignment.hit[:, order],
                    ignored=assignment.ignored[:, order],
                    n_truth=int(n_truth),
                )
            )
        return matches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Detections and boxes of the same image (and class) that overlap by at least the lowest IoU threshold, (P,) each."""

    found: Indexes
    truth: Indexes
    iou: Floats
    rank: Indexes

    def preferring(self, required: Flags, rank: Indexes) -> _Pairs:
        """Ordered by rank of the detection, then detection; and its boxes as it would choose them."""
        of = rank[self.found]
        order = np.lexsort((-self.truth, -self.iou, ~required[self.truth], self.found, of))
        return _Pairs(found=self.found[order], truth=self.truth[order], iou=self.iou[order], rank=of[order])


def match(
    truths: Sequence[ImageTruth],
    founds: Sequence[ImageFound],
    *,
    area_range_px2: tuple[float, float] = ALL_AREAS_PX2,
    max_found: int = MAX_FOUND_PER_IMAGE,
) -> list[LabelMatches]:
    """Match detections with truth class by class, image by image.

    Truth outside `area_range_px2` and crowd boxes need not be found; detections matched with them count neither way.
    """
    matcher = Matcher(truths, founds, max_found=max_found)
    return matcher.by_label(matcher.assign(area_range_px2))


def pair_iou(found: Floats, truth: Floats, crowd: Flags) -> Floats:
    """Overlap (P,) of boxes (P, 4) with boxes (P, 4); for a crowd box the share of the detection that lies inside it."""
    # Widths first, as in the xywh of pycocotools, so that rounding is the same to the last bit.
    found_side, truth_side = found[:, 2:] - found[:, :2], truth[:, 2:] - truth[:, :2]
    end = np.minimum(found[:, :2] + found_side, truth[:, :2] + truth_side)
    shared_side = np.maximum(end - np.maximum(found[:, :2], truth[:, :2]), 0.0)
    shared = shared_side[:, 0] * shared_side[:, 1]
    found_area = found_side[:, 0] * found_side[:, 1]
    union = np.where(crowd, found_area, found_area + truth_side[:, 0] * truth_side[:, 1] - shared)
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def iou_matrix(found_xyxy: Floats, truth_xyxy: Floats, crowd: Flags) -> Floats:
    """Overlap (D, G) of boxes (D, 4) with boxes (G, 4); see `pair_iou`."""
    d, g = len(found_xyxy), len(truth_xyxy)
    return pair_iou(np.repeat(found_xyxy, g, axis=0), np.tile(truth_xyxy, (d, 1)), np.tile(crowd, d)).reshape(d, g)


def _table(
    counts: Sequence[int],
    lists: Sequence[ImageTruth] | Sequence[ImageFound],
    score: Floats,
    crowd: Flags,
    *,
    any_label: bool,
) -> BoxTable:
    image = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts, dtype=np.intp)
    row = np.arange(len(image)) - np.repeat(ends - counts, counts)
    label = _joined([one.label_index for one in lists]).astype(np.intp)
    boxes = np.concatenate([np.zeros((0, 4)), *(one.boxes_xyxy_px.reshape(-1, 4) for one in lists)]).astype(np.float64)
    group = image if any_label else label * len(counts) + image
    order = np.lexsort((-score, group))
    group = group[order]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1])) if len(group) else np.zeros(0, np.intp)
    rank = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    return BoxTable(
        image=image[order],
        row=row[order],
        label=label[order],
        group=group,
        rank=rank,
        boxes=boxes[order],
        score=score[order],
        crowd=crowd[order],
    )


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _find_pairs(found: BoxTable, truth: BoxTable) -> _Pairs:
    first = np.searchsorted(truth.group, found.group, side="left")
    count = np.searchsorted(truth.group, found.group, side="right") - first
    chunks = np.cumsum(count) // _PAIRS_AT_ONCE
    parts = [_pairs_of(found, truth, np.flatnonzero(chunks == chunk), first, count) for chunk in np.unique(chunks)]
    f, g, iou = (np.concatenate([nothing, *(part[column] for part in parts)]) for column, nothing in enumerate(_NO_PAIRS))
    return _Pairs(found=f, truth=g, iou=iou, rank=found.rank[f])


def _pairs_of(found: BoxTable, truth: BoxTable, rows: Indexes, first: Indexes, count: Indexes) -> tuple[Indexes, Indexes, Floats]:
    mine = count[rows]
    f = np.repeat(rows, mine)
    within = np.arange(len(f)) - np.repeat(np.cumsum(mine) - mine, mine)
    g = first[f] + within
    iou = pair_iou(found.boxes[f], truth.boxes[g], truth.crowd[g])
    near = iou >= IOU_THRESHOLDS[0]
    return f[near], g[near], iou[near]


def _assign(pairs: _Pairs, crowd: Flags, thresholds: Floats, n_found: int) -> Indexes:
    """The truth row (T, D) that each detection takes; `pairs` in order of preference."""
    truth_row = np.full((len(thresholds), n_found), NO_TRUTH, np.intp)
    taken = np.zeros((len(thresholds), len(crowd)), np.bool_)
    edges = np.append(np.flatnonzero(np.append(True, pairs.rank[1:] != pairs.rank[:-1])), len(pairs.rank)) if len(pairs.rank) else [0]
    for start, end in itertools.pairwise(edges):
        found, truth = pairs.found[start:end], pairs.truth[start:end]
        fits = (pairs.iou[start:end] >= thresholds[:, None]) & ~taken[:, truth]
        begins = np.flatnonzero(np.append(True, found[1:] != found[:-1]))
        # Its boxes stand in order of preference: the first that fits is the one.
        place = np.minimum.reduceat(np.where(fits, np.arange(end - start), end - start), begins, axis=1)
        t, d = np.nonzero(place < end - start)
        chosen = truth[place[t, d]]
        truth_row[t, found[begins[d]]] = chosen
        taken[t, chosen] = ~crowd[chosen]
    return truth_row
