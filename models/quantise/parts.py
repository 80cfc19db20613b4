"""Which images calibrate and which judge: never the same, and where the data set allows never of the same tow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.errors import DatasetError

LEAST_CALIBRATION = 16
LEAST_VALIDATION = 16
FEW_CALIBRATION = 100  # NNCF itself takes 300 where it has them
FEW_OBJECTS = 200  # one object is then half a point of recall
_CALIBRATION_SHARE = 0.4
_IGNORED = "the data set's own parts are too small and were not used, so images that the model learned from may judge"


class CalibrationTooSmallError(DatasetError):
    """There are too few images to calibrate on, or to judge by."""

    code = "calibration_too_small"
    default_advice = "Label more images, best of several tows; a few hundred that differ make a good calibration."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A data set in two. `how` says in words how it was divided; `warnings` what that means for the figures."""

    calibration: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    how: str
    warnings: tuple[str, ...]


def divide(dataset: Dataset) -> Parts:
    """Divide a data set for calibrating and judging; the same data set is always divided in the same way.

    Its own parts are taken where it has them (`train`, and `val` or `test` or both); else whole tows, as near to 40 % of the
    images as they allow; else, with one tow or too small ones, the first 40 % of the images in order of their names.

    Raises:
        CalibrationTooSmallError: one of the two would have fewer than 16 images.
    """
    images = sorted(dataset.images, key=lambda image: image.name)
    parts = _by_split(images) or _by_tow(images) or _by_order(images)
    ignored = not parts.how.startswith("the data set's own") and any(image.split is not None for image in images)
    _refuse_small(parts, len(images))
    warnings = (*parts.warnings, *([_IGNORED] if ignored else []), *_cautions(parts))
    return replace(parts, warnings=warnings)


def _by_split(images: Sequence[LabelledImage]) -> Parts | None:
    """The data set's own parts: `val` judges, or `test` where there is no `val`, or both where `val` is too small."""
    calibration = tuple(image for image in images if image.split == "train")
    for judges in (("val",), ("test",), ("val", "test")):
        validation = tuple(image for image in images if image.split in judges)
        if _are_enough(calibration, validation) and (judges != ("test",) or not any(image.split == "val" for image in images)):
            shared = {image.tow for image in calibration} & {image.tow for image in validation} - {None}
            told = f"{len(shared)} tows are in both parts of the data set, so the loss may look smaller than it is"
            how = f"the data set's own train and {' and '.join(judges)}"
            return Parts(calibration=calibration, validation=validation, how=how, warnings=(told,) if shared else ())
    return None


def _by_tow(images: Sequence[LabelledImage]) -> Parts | None:
    tows: dict[str | None, list[LabelledImage]] = defaultdict(list)
    for image in images:
        tows[image.tow].append(image)
    names = sorted(tows, key=lambda name: (name is None, name or ""))
    sizes = [len(tows[name]) for name in names]
    chosen = {names[place] for place in nearest_sum(sizes, round(len(images) * _CALIBRATION_SHARE))}
    calibration = tuple(image for image in images if image.tow in chosen)
    validation = tuple(image for image in images if image.tow not in chosen)
    if not _are_enough(calibration, validation):
        return None
    how = f"whole tows: {len(chosen)} calibrate, {len(names) - len(chosen)} judge"
    return Parts(calibration=calibration, validation=validation, how=how, warnings=())


def _by_order(images: Sequence[LabelledImage]) -> Parts:
    count = round(len(images) * _CALIBRATION_SHARE)
    return Parts(
        calibration=tuple(images[:count]),
        validation=tuple(images[count:]),
        how="by image: the first 40 % by name calibrate, the others judge",
        warnings=("too few tows to keep them apart: stills of one tow calibrate and judge, so the loss may look smaller than it is",),
    )


def nearest_sum(sizes: Sequence[int], target: int) -> tuple[int, ...]:
    """Places in `sizes` whose sum comes nearest to `target` from either side; of two equally near the smaller sum."""
    reachable = [1]  # bit n of the k-th: the first k sizes can make n
    for size in sizes:
        reachable.append(reachable[-1] | reachable[-1] << size)
    total = min(range(sum(sizes) + 1), key=lambda n: (not reachable[-1] >> n & 1, abs(n - target), n))
    chosen = []
    for place in range(len(sizes) - 1, -1, -1):
        if not reachable[place] >> total & 1:
            chosen.append(place)
            total -= sizes[place]
    return tuple(reversed(chosen))


def _are_enough(calibration: Sequence[LabelledImage], validation: Sequence[LabelledImage]) -> bool:
    return len(calibration) >= LEAST_CALIBRATION and len(validation) >= LEAST_VALIDATION


def _refuse_small(parts: Parts, total: int) -> None:
    for images, least, purpose in (
        (parts.calibration, LEAST_CALIBRATION, "to calibrate on"),
        (parts.validation, LEAST_VALIDATION, "to judge by"),
    ):
        if len(images) < least:
            raise CalibrationTooSmallError(f"{total} labelled images leave {len(images)} {purpose}; at least {least} are needed")
    if not any(len(image.truth.label_index) for image in parts.validation):
        raise CalibrationTooSmallError(
            f"none of the {len(parts.validation)} images to judge by has an object, so accuracy cannot be measured"
        )


def _cautions(parts: Parts) -> tuple[str, ...]:
    told = []
    if len(parts.calibration) < FEW_CALIBRATION:
        told.append(f"only {len(parts.calibration)} images to calibrate on; some hundreds cover more of what a survey sees")
    objects = sum(int((~image.truth.crowd).sum()) for image in parts.validation)
    if objects < FEW_OBJECTS:
        told.append(f"only {objects} labelled objects to judge by: a difference of one point may be chance")
    return tuple(told)
