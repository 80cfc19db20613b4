"""How far counts are off: what a stock assessment rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluate.values import Floats, ImageFound, ImageTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class CountErrors:
    """Found minus true objects per image. `ccc` is Lin's concordance (1/n), None where both series are constant and equal."""

    n_images: int
    mean_true: float
    mean_found: float
    bias: float
    mae: float
    rmse: float
    ccc: float | None


def true_counts(truths: Sequence[ImageTruth]) -> Floats:
    """Objects per image (n,), crowd boxes left out."""
    return np.array([int((~truth.crowd).sum()) for truth in truths], np.float64)


def found_counts(founds: Sequence[ImageFound], threshold: float) -> Floats:
    """Detections per image (n,) with a score of at least `threshold`."""
    # In double precision, as the store compares: 0.7 as float32 is a little less than 0.7.
    return np.array([int((one.score.astype(np.float64) >= threshold).sum()) for one in founds], np.float64)


def count_errors(truths: Sequence[ImageTruth], founds: Sequence[ImageFound], threshold: float) -> CountErrors:
    """Compare the number of objects per image, crowd boxes left out."""
    return errors_of(true_counts(truths), found_counts(founds, threshold))


def errors_of(true: Floats, found: Floats) -> CountErrors:
    """Compare two series of counts (n,).

    Raises:
        ValueError: they are empty or differ in length.
    """
    if not true.size or true.size != found.size:
        raise ValueError(f"{true.size} images with truth and {found.size} with detections cannot be compared")
    error = found - true
    return CountErrors(
        n_images=int(true.size),
        mean_true=float(true.mean()),
        mean_found=float(found.mean()),
        bias=float(error.mean()),
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt((error**2).mean())),
        ccc=lin_ccc(true, found),
    )


def lin_ccc(x: Floats, y: Floats) -> float | None:
    """Lin's concordance correlation coefficient with variances over n; None where it is 0/0.

    Lin, L. I. (1989): A concordance correlation coefficient to evaluate reproducibility. Biometrics 45, 255-268.
    """
    scale = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    if scale == 0.0:
        return None
    return 2.0 * float(((x - x.mean()) * (y - y.mean())).mean()) / scale


def unbiased_threshold(truths: Sequence[ImageTruth], founds: Sequence[ImageFound]) -> float | None:
    """The threshold at which as many objects are found as there are, over all images; None where even the lowest finds fewer.

    The counts of single images may be far off all the same: too many in one, too few in the other.
    """
    wanted = int(true_counts(truths).sum())
    score = np.sort(np.concatenate([np.zeros(0, np.float32), *(one.score for one in founds)]))[::-1]
    if not wanted or score.size < wanted:
        return None
    # Scores that are equal are counted together or not at all: take the side that is nearer.
    value = score[wanted - 1]
    above, with_it = int((score > value).sum()), int((score >= value).sum())
    if wanted - above < with_it - wanted and above:
        value = score[above - 1]
    return float(value)
