"""pycocotools as the oracle of average precision."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.evaluate import ImageFound, ImageTruth


def _xywh(box: npt.NDArray[np.float32]) -> list[float]:
    left, top, right, bottom = (float(v) for v in box)
    return [left, top, right - left, bottom - top]


def run_coco(truths: Sequence[ImageTruth], founds: Sequence[ImageFound], *, max_found: int | None = None) -> Any:
    """A finished COCOeval; category ids are label indexes + 1."""
    coco = pytest.importorskip("pycocotools.coco", reason="the oracle needs pycocotools, from the dev extra")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    labels = sorted({int(v) for truth in truths for v in truth.label_index} | {int(v) for found in founds for v in found.label_index})
    annotations: list[dict[str, Any]] = []
    for image_id, truth in enumerate(truths, start=1):
        for box, label, crowd in zip(truth.boxes_xyxy_px, truth.label_index, truth.crowd, strict=True):
            xywh = _xywh(box)
            annotation = {"id": len(annotations) + 1, "image_id": image_id, "category_id": int(label) + 1, "bbox": xywh}
            annotations.append({**annotation, "area": xywh[2] * xywh[3], "iscrowd": int(crowd)})
    results = [
        {"image_id": image_id, "category_id": int(label) + 1, "bbox": _xywh(box), "score": float(score)}
        for image_id, found in enumerate(founds, start=1)
        for box, label, score in zip(found.boxes_xyxy_px, found.label_index, found.score, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {
            "images": [{"id": number} for number in range(1, len(truths) + 1)],
            "annotations": annotations,
            "categories": [{"id": label + 1, "name": str(label)} for label in labels],
        }
        truth_set.createIndex()
        run = cocoeval.COCOeval(truth_set, truth_set.loadRes(results), "bbox")
        if max_found is not None:
            run.params.maxDets = [max_found]
        run.evaluate()
        run.accumulate()
        if max_found is None:
            run.summarize()
    return run


def coco_precision(run: Any, area: int = 0) -> dict[int, npt.NDArray[np.float64]]:
    """Average precision (T,) per label index at the largest maxDets; classes without a box to find are left out."""
    table = run.eval["precision"][:, :, :, area, -1]
    return {
        category - 1: table[:, :, place].mean(axis=1) for place, category in enumerate(run.params.catIds) if (table[:, :, place] > -1).all()
    }
