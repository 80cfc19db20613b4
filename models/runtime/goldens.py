"""The golden images of a pack: what a model must find in them on any machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError, PackInvalidError
from edge.values import Detections, Float32Array, UInt8Array
from models.manifest import Golden, Manifest
from models.pack import Pack
from models.runtime.negotiate import GoldenProof
from models.runtime.predict import LoadedModel, classify, detect
from models.runtime.vision import cv2


def read_golden_images(pack: Pack) -> list[UInt8Array]:
    """The golden images of a pack, (H, W, 3) uint8 BGR each.

    Raises:
        PackInvalidError: one cannot be decoded.
    """
    return [_read_image(pack.file_path(golden.image)) for golden in pack.manifest.goldens]


def check_goldens(model: LoadedModel, images: Sequence[UInt8Array]) -> tuple[GoldenProof, ...]:
    """Run every golden image and compare with what is expected of it.

    Raises:
        ModelError: the model failed, or an expectation cannot be read.
    """
    return tuple(_check(model, golden, image) for golden, image in zip(model.manifest.goldens, images, strict=True))


def write_expected(model: LoadedModel, image_path: Path, expected_path: Path) -> None:
    """Write what a model, the fp32 variant, finds in a golden image, as the expectation of that golden.

    Raises:
        ModelError: the model failed.
        PackInvalidError: the image cannot be decoded.
    """
    image = _read_image(image_path)
    if model.manifest.task == "classify":
        document: dict[str, Any] = {"score": _rounded(classify(image, model))}
    else:
        found = detect(image, model)
        document = {"xyxy": _rounded(found.xyxy), "score": _rounded(found.score), "label_index": found.label_index.tolist()}
    expected_path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def compare_detections(found: Detections, expected: Detections, golden: Golden, *, score_threshold: float) -> str:
    """Why `found` does not hold against `expected`; empty if it does.

    An expected object well above the counting threshold must be found, and a found one well above it must be expected: the
    same label, an overlap of `iou_min`, a score within `score_tolerance`. Those nearer to the threshold may come and go.
    """
    matched = _match(found, expected, golden)
    clear = score_threshold + golden.score_tolerance
    for index in np.flatnonzero(expected.score >= clear).tolist():
        if not matched[index].any():
            return f"the object expected at {_place(expected, index)} was not found"
    for index in np.flatnonzero(found.score >= clear).tolist():
        if not matched[:, index].any():
            return f"an object that nobody expects was found at {_place(found, index)}"
    return ""


def _check(model: LoadedModel, golden: Golden, image: UInt8Array) -> GoldenProof:
    document = _read_document(model.pack.file_path(golden.expected))
    if model.manifest.task == "classify":
        scores, wanted = classify(image, model), np.asarray(document["score"], np.float32)
        return GoldenProof(image=golden.image.path, expected_count=1, found_count=1, fault=_class_fault(scores, wanted, golden))
    expected = _read_detections(document, model.manifest)
    found = detect(image, model)
    threshold = model.manifest.thresholds.score
    return GoldenProof(
        image=golden.image.path,
        expected_count=int((expected.score >= threshold).sum()),
        found_count=int((found.score >= threshold).sum()),
        fault=compare_detections(found, expected, golden, score_threshold=threshold),
        found=_rows(found.select(found.score >= threshold)),
    )


def _rows(found: Detections) -> tuple[tuple[float, ...], ...]:
    boxes = np.column_stack([found.xyxy, found.score, found.label_index]).astype(np.float64)
    return tuple(tuple(row) for row in np.round(boxes, 3).tolist())


def _class_fault(scores: Float32Array, expected: Float32Array, golden: Golden) -> str:
    if scores.shape != expected.shape:
        return f"{len(scores)} class scores, {len(expected)} expected"
    largest = float(np.abs(scores - expected).max())
    return f"a class score is off by {largest:.3f}" if largest > golden.score_tolerance else ""


def _match(found: Detections, expected: Detections, golden: Golden) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(E, F) bool: same label, enough overlap, nearly the same score."""
    low = np.maximum(expected.xyxy[:, None, :2], found.xyxy[None, :, :2])
    high = np.minimum(expected.xyxy[:, None, 2:], found.xyxy[None, :, 2:])
    overlap = np.prod(np.maximum(high - low, 0), axis=-1)
    area_expected, area_found = (np.prod(d.xyxy[:, 2:] - d.xyxy[:, :2], axis=-1) for d in (expected, found))
    union = area_expected[:, None] + area_found[None, :] - overlap
    near = np.abs(expected.score[:, None] - found.score[None, :]) <= golden.score_tolerance
    same = expected.label_index[:, None] == found.label_index[None, :]
    return np.asarray(near & same & (overlap >= golden.iou_min * union), np.bool_)


def _place(detections: Detections, index: int) -> str:
    box = ", ".join(f"{side:.0f}" for side in detections.xyxy[index])
    return f"({box}) px with score {detections.score[index]:.2f}"


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackInvalidError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(document, dict) or "score" not in document:
        raise PackInvalidError(f"{path.name} is no expectation of a golden")
    return document


def _read_detections(document: dict[str, Any], manifest: Manifest) -> Detections:
    try:
        expected = Detections(
            xyxy=np.asarray(document["xyxy"], np.float32).reshape(-1, 4),
            score=np.asarray(document["score"], np.float32),
            label_index=np.asarray(document["label_index"], np.int32),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise PackInvalidError(f"an expectation of a golden is not valid: {error}") from error
    if len(expected) and expected.label_index.max() >= len(manifest.labels):
        raise PackInvalidError("a golden expects a label that the manifest does not have")
    return expected


def _read_image(path: Path) -> UInt8Array:
    try:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise ModelError(f"golden image {path.name} cannot be read: {error}") from error
    if image is None:
        raise PackInvalidError(f"golden image {path.name} cannot be decoded")
    return np.asarray(image, np.uint8)


def _rounded(values: Float32Array) -> list[Any]:
    rounded: list[Any] = np.round(values.astype(np.float64), 4).tolist()
    return rounded
