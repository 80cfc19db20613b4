"""What the model does at the threshold it counts with: right, wrong and missed objects per image and class, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluate.matching import NO_TRUTH, Matcher
from models.evaluate.values import Flags, ImageFound, ImageTruth

Counts = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """At one threshold and IoU 0.5. `tp`, `fp`, `fn` (n_images,) and, per class, `label_tp`, `label_fp`, `label_fn` (n_labels,).

    `found_hit` per image (D,) bool over the detections as they came; `truth_hit` per image (G,) bool. `confusion`
    (n_labels + 1, n_labels + 1): rows are the truth, columns what was found, the last of each is the background.
    Detections that lie in a crowd box count neither way.
    """

    tp: Counts
    fp: Counts
    fn: Counts
    label_tp: Counts
    label_fp: Counts
    label_fn: Counts
    confusion: Counts
    found_hit: tuple[Flags, ...]
    truth_hit: tuple[Flags, ...]


def at_work(truths: Sequence[ImageTruth], founds: Sequence[ImageFound], threshold: float, n_labels: int) -> AtWork:
    """Match what has at least a score of `threshold`, all of it."""
    chosen = [one.score.astype(np.float64) >= threshold for one in founds]
    counted = [_select(found, flags) for found, flags in zip(founds, chosen, strict=True)]
    most = max((len(found.score) for found in counted), default=0)
    matcher = Matcher(truths, counted, max_found=max(1, most))
    assignment = matcher.assign(thresholds=np.array([0.5]))
    taken, ignored = assignment.truth_row[0], assignment.ignored[0]
    hit = (taken != NO_TRUTH) & ~ignored
    wrong = (taken == NO_TRUTH) & ~ignored
    reached = np.zeros(len(matcher.truth.label), np.bool_)
    reached[taken[hit]] = True
    missed = assignment.required & ~reached
    found, truth, n_images = matcher.found, matcher.truth, len(truths)
    return AtWork(
        tp=np.bincount(found.image[hit], minlength=n_images),
        fp=np.bincount(found.image[wrong], minlength=n_images),
        fn=np.bincount(truth.image[missed], minlength=n_images),
        label_tp=np.bincount(found.label[hit], minlength=n_labels),
        label_fp=np.bincount(found.label[wrong], minlength=n_labels),
        label_fn=np.bincount(truth.label[missed], minlength=n_labels),
        confusion=_confusion(truths, counted, n_labels),
        found_hit=_by_image(chosen, found.image[hit], found.row[hit]),
        truth_hit=_by_image([np.ones(len(one.label_index), np.bool_) for one in truths], truth.image[reached], truth.row[reached]),
    )


def _select(found: ImageFound, chosen: Flags) -> ImageFound:
    return ImageFound(boxes_xyxy_px=found.boxes_xyxy_px[chosen], score=found.score[chosen], label_index=found.label_index[chosen])


def _by_image(counted: Sequence[Flags], image: Counts, row: Counts) -> tuple[Flags, ...]:
    """Flags per image over its own list: `row` counts among those that `counted` names."""
    flags = [np.zeros(len(one), np.bool_) for one in counted]
    places = [np.flatnonzero(one) for one in counted]
    for one, within in zip(image.tolist(), row.tolist(), strict=True):
        flags[one][places[one][within]] = True
    return tuple(flags)


def _confusion(truths: Sequence[ImageTruth], counted: Sequence[ImageFound], n_labels: int) -> Counts:
    """Boxes are matched whatever their class; what is then of another class is taken for it."""
    most = max((len(found.score) for found in counted), default=0)
    matcher = Matcher(truths, counted, max_found=max(1, most), any_label=True)
    assignment = matcher.assign(thresholds=np.array([0.5]))
    taken, ignored = assignment.truth_row[0], assignment.ignored[0]
    hit, wrong = (taken != NO_TRUTH) & ~ignored, (taken == NO_TRUTH) & ~ignored
    reached = np.zeros(len(matcher.truth.label), np.bool_)
    reached[taken[hit]] = True
    matrix = np.zeros((n_labels + 1, n_labels + 1), np.intp)
    np.add.at(matrix, (matcher.truth.label[taken[hit]], matcher.found.label[hit]), 1)
    np.add.at(matrix, (np.full(int(wrong.sum()), n_labels), matcher.found.label[wrong]), 1)
    missed = matcher.truth.label[assignment.required & ~reached]
    np.add.at(matrix, (missed, np.full(len(missed), n_labels)), 1)
    return matrix
