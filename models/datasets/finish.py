"""From what label files say to a data set: every image is opened, every box checked against it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import InputError
from edge.pipeline.decode import check_pixels, check_whole, decode, read_bytes, read_facts
from edge.values import ImageFacts
from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.draft import BoxDraft, DatasetDraft, ImageDraft, some
from models.datasets.errors import DatasetBoxError, DatasetDuplicateError, DatasetImageError, DatasetSizeError, DatasetUnlabelledError
from models.datasets.tow import tows_of
from models.evaluate import Floats, ImageTruth
from models.runtime.machine import usable_cores
from models.workbench import OnProgress, Step

MAX_PIXELS = 500_000_000  # a ZooScan sheet has 375 million
MAX_FILE_BYTES = 4 * 1024**3
LEAST_INSIDE = 0.5  # share of a box that must lie in the image
_ROUNDING_PX = 1.0  # labels are rounded; a box that reaches over the edge by less is cut without a word


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What the file of an image showed. `sha256` of its bytes; `fault` instead where it cannot be decoded."""

    sha256: str
    facts: ImageFacts | None
    fault: InputError | None


def finish_dataset(
    root: Path,
    draft: DatasetDraft,
    *,
    tow_pattern: re.Pattern[str] | None = None,
    skip_broken: bool = False,
    on_step: OnProgress | None = None,
) -> Dataset:
    """Open every image, bring the boxes to its pixels, and tell the tows.

    Args:
        tow_pattern: see `tow.compile_pattern`.
        skip_broken: decode every image now, and leave out, with a warning, those that cannot be.

    Raises:
        DatasetError: an image cannot be decoded, a box does not lie in its image, or nothing is left.
    """
    warnings = list(draft.warnings)
    opened = _open_all(draft.images, decode_all=skip_broken, on_step=on_step)
    kept = _without_broken(draft.images, opened, warnings, skip_broken=skip_broken)
    kept = _without_twins(kept, warnings)
    if not kept:
        raise DatasetUnlabelledError(f"no usable image is left of the {len(draft.images)} of {root}")
    tows = tows_of([image.name for image, _ in kept], draft.labels, tow_pattern)
    if tow_pattern is not None and None in tows:
        warnings.append(f"the pattern of the tow is not found in the names of {tows.count(None)} images")
    faults: Counter[str] = Counter()
    images = [_labelled(image, seen, tow, faults) for (image, seen), tow in zip(kept, tows, strict=True)]
    warnings += [f"{count} {fault}" for fault, count in faults.items()]
    digests = [_digest(image, seen.sha256) for image, (_, seen) in zip(images, kept, strict=True)]
    return Dataset(
        root=root,
        form=draft.form,
        labels=draft.labels,
        images=tuple(images),
        sha256=_joined_digest(draft.labels, digests),
        warnings=tuple(warnings),
    )


def _open_all(images: Sequence[ImageDraft], *, decode_all: bool, on_step: OnProgress | None) -> list[_Opened]:
    opened = []
    with ThreadPoolExecutor(usable_cores() + 1, thread_name_prefix="dataset") as pool:
        try:
            for one in pool.map(lambda image: _open(image.path, decode_it=decode_all), images):
                opened.append(one)
                if on_step is not None:
                    on_step(Step(name="read images", done=len(opened), of=len(images)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return opened


def _open(path: Path, *, decode_it: bool) -> _Opened:
    sha256, facts = "", None
    try:
        data = read_bytes(path.resolve(), max_file_bytes=MAX_FILE_BYTES)  # a data set may be a folder of links
        sha256 = hashlib.sha256(data).hexdigest()
        facts = read_facts(data, path.name)
        check_pixels(facts, MAX_PIXELS)
        check_whole(data, facts)
        if decode_it:
            decode(data, facts)
    except InputError as error:
        return _Opened(sha256=sha256, facts=facts, fault=error)
    return _Opened(sha256=sha256, facts=facts, fault=None)


def _without_broken(
    images: Sequence[ImageDraft], opened: Sequence[_Opened], warnings: list[str], *, skip_broken: bool
) -> list[tuple[ImageDraft, _Opened]]:
    broken = [f"{image.name} ({one.fault.reason}: {one.fault})" for image, one in zip(images, opened, strict=True) if one.fault]
    if broken and not skip_broken:
        count = f"{len(broken)} images cannot be read" if len(broken) > 1 else "an image cannot be read"
        raise DatasetImageError(f"{count}: {some(broken)}")
    if broken:
        warnings.append(f"{len(broken)} broken images were left out: {some(broken, limit=20)}")
    return [(image, one) for image, one in zip(images, opened, strict=True) if not one.fault]


def _without_twins(pairs: Sequence[tuple[ImageDraft, _Opened]], warnings: list[str]) -> list[tuple[ImageDraft, _Opened]]:
    """The same picture under two names counts once; with different labels nobody knows which are right."""
    first: dict[str, ImageDraft] = {}
    twins: list[str] = []
    kept = []
    for image, seen in pairs:
        other = first.setdefault(seen.sha256, image)
        if other is image:
            kept.append((image, seen))
        elif _content(other) == _content(image):
            twins.append(f"{image.name} (as {other.name})")
        else:
            raise DatasetDuplicateError(f"{image.name} and {other.name} are the same picture with different labels")
    if twins:
        warnings.append(f"{len(twins)} images appear twice and were taken once: {some(twins)}")
    return kept


def _content(image: ImageDraft) -> tuple[object, ...]:
    return image.whole_label, sorted((box.label_index, box.xyxy, box.crowd) for box in image.boxes)


def _labelled(image: ImageDraft, opened: _Opened, tow: str | None, faults: Counter[str]) -> LabelledImage:
    facts = opened.facts
    assert facts is not None
    if image.size_px is not None and image.size_px != (facts.width_px, facts.height_px):
        drawn = f"{image.size_px[0]} x {image.size_px[1]}"
        raise DatasetSizeError(f"{image.name} has {facts.width_px} x {facts.height_px} pixels, its labels were drawn on {drawn}")
    return LabelledImage(
        path=image.path,
        name=image.name,
        width_px=facts.width_px,
        height_px=facts.height_px,
        truth=_truth(image, facts.width_px, facts.height_px, faults),
        tow=tow,
        split=image.split,
    )


def _truth(image: ImageDraft, width_px: int, height_px: int, faults: Counter[str]) -> ImageTruth:
    if image.whole_label is not None:
        return ImageTruth(
            boxes_xyxy_px=np.array([[0, 0, width_px, height_px]], np.float32),
            label_index=np.array([image.whole_label], np.int32),
            crowd=np.zeros(1, np.bool_),
        )
    boxes = tuple({(box.label_index, box.xyxy, box.crowd): box for box in image.boxes}.values())
    if len(boxes) < len(image.boxes):
        faults["labels stand twice and were taken once"] += len(image.boxes) - len(boxes)
    size = np.array([width_px, height_px] * 2, np.float64)
    drawn = np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4) * (size if image.is_fraction else 1.0)
    clipped = np.clip(drawn, 0.0, size)
    _refuse_outside(image.name, boxes, drawn, clipped, size)
    over = int((np.abs(drawn - clipped).max(axis=1, initial=0.0) > _ROUNDING_PX).sum())
    if over:
        faults["boxes reached over the edge of their image and were cut"] += over
    return ImageTruth(
        boxes_xyxy_px=clipped.astype(np.float32),
        label_index=np.array([box.label_index for box in boxes], np.int32),
        crowd=np.array([box.crowd for box in boxes], np.bool_),
    )


def _refuse_outside(name: str, boxes: Sequence[BoxDraft], drawn: Floats, clipped: Floats, size: Floats) -> None:
    sides = drawn[:, 2:] - drawn[:, :2]
    inside = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1)
    empty = np.flatnonzero((sides <= 0).any(axis=1))
    if empty.size:
        raise DatasetBoxError(f"{boxes[empty[0]].where}: the box has no extent")
    outside = np.flatnonzero(inside < LEAST_INSIDE * np.prod(sides, axis=1))
    if outside.size:
        worst = int(outside[0])
        at = ", ".join(f"{value:.0f}" for value in drawn[worst])
        where = f"{boxes[worst].where}: the box ({at}) px"
        raise DatasetBoxError(f"{where} lies outside the image {name} of {size[0]:.0f} x {size[1]:.0f} px")


def _digest(image: LabelledImage, sha256: str) -> bytes:
    truth = image.truth
    rows = sorted(
        (int(label), tuple(float(value) for value in box), bool(crowd))
        for label, box, crowd in zip(truth.label_index, truth.boxes_xyxy_px, truth.crowd, strict=True)
    )
    return hashlib.sha256(f"{sha256}{json.dumps(rows)}".encode()).digest()


def _joined_digest(labels: Sequence[str], digests: Sequence[bytes]) -> str:
    """The same for the same pictures and labels, in whatever form and order they lie on disk."""
    digest = hashlib.sha256(json.dumps(list(labels)).encode())
    for one in sorted(digests):
        digest.update(one)
    return digest.hexdigest()
