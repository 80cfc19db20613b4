"""From the files of a call to the answer of a model: the shapes of the YOLO base module and of the FlowCam module.

    detection and segmentation   a list per image of {"name", "class", "confidence", "box": {"x1", "y1", "x2", "y2"}}, in its pixels
    classification, field `files`            a list of {"file_name", "top5_prediction": {class: score}}
    classification, field `image` or `zip`   {"filenames", "pred_lab", "pred_prob", "aphia_ids"}, five classes each, best first

This module loads OpenCV and a runtime: it is imported where a model runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from annotator_bridge.deepaas.arguments import ArgumentsError, PredictArguments, Shape, Upload
from annotator_bridge.functions.detector import without_bar
from edge.errors import InputError
from edge.formats import HEAD_BYTES, is_clip_format, sniff
from edge.pipeline.decode import check_pixels, check_whole, decode, read_facts
from edge.values import Detections, UInt8Array
from edge.zooscan.multiples import MULTIPLE, SINGLE, PackClassifier
from models.runtime.predict import LoadedModel, classify, detect
from models.runtime.protocols import Float32Array
from models.runtime.vision import cv2

_TOP = 5
_NO_CLIPS = "clips are not looked at here. Drop it into a watched folder of the appliance: there its frames get times, tracks and counts."
_DECIMALS = 5  # as ultralytics writes them
_LINE_PX = 2
_COLOURS = ((0, 128, 255), (255, 128, 0), (0, 200, 0), (200, 0, 200), (0, 200, 200), (200, 200, 0))  # BGR, by class


def predict(
    uploads: Sequence[Upload], load: Callable[[], LoadedModel], arguments: PredictArguments, *, shape: Shape, max_pixels: int
) -> Any:
    """What a model says of images: a document, or the bytes of a PNG where `arguments.media` asks for it.

    Args:
        uploads: looked at one by one, so that the pixels of one are in memory at a time.
        load: gives the model; called once the first file is known to be an image.

    Raises:
        ArgumentsError: one of them is no image that is read; nothing is answered then.
        ModelError: the model cannot be loaded, failed, or returned something that its manifest does not promise.
    """
    scores: list[Float32Array] = []
    frames: list[list[dict[str, Any]]] = []
    for upload in uploads:
        image = _decoded(upload, max_pixels)
        model = load()
        if model.manifest.task == "classify":
            scores.append(_class_scores(image, model))
            continue
        found = _found(image, model, arguments)
        if arguments.media == "image/png":
            return picture(image, found, model, arguments)
        frames.append(frame_document(found, model))
    if not scores:
        return frames
    names = [upload.name for upload in uploads]
    return flowcam_document(names, scores, load()) if shape == "flowcam" else top5_document(names, scores, load())


def frame_document(found: Detections, model: LoadedModel) -> list[dict[str, Any]]:
    """The objects of one image as ultralytics' `Results.to_json` tells them, best score first."""
    names = model.labels
    return [
        {
            "name": names[label],
            "class": label,
            "confidence": round(score, _DECIMALS),
            "box": {key: round(value, _DECIMALS) for key, value in zip(("x1", "y1", "x2", "y2"), xyxy, strict=True)},
        }
        for xyxy, score, label in zip(found.xyxy.tolist(), found.score.tolist(), found.label_index.tolist(), strict=True)
    ]


def top5_document(names: Sequence[str], scores: Sequence[Float32Array], model: LoadedModel) -> list[dict[str, Any]]:
    """Five best classes of each image, as the YOLO base module tells a classification."""
    return [
        {"file_name": name, "top5_prediction": {model.labels[index]: round(float(row[index]), _DECIMALS) for index in _best(row)}}
        for name, row in zip(names, scores, strict=True)
    ]


def flowcam_document(names: Sequence[str], scores: Sequence[Float32Array], model: LoadedModel) -> dict[str, Any]:
    """Five best classes of each image with their AphiaIDs (None where the pack knows none), as the FlowCam module tells them."""
    best = [_best(row) for row in scores]
    labels = model.manifest.labels
    return {
        "filenames": list(names),
        "pred_lab": [[labels[index].name for index in row] for row in best],
        "pred_prob": [[round(float(values[index]), _DECIMALS) for index in row] for row, values in zip(best, scores, strict=True)],
        "aphia_ids": [[labels[index].aphia_id for index in row] for row in best],
    }


def picture(image: UInt8Array, found: Detections, model: LoadedModel, arguments: PredictArguments) -> bytes:
    """A PNG of the image with what was found drawn into it."""
    drawn = image.copy()
    scale = max(0.4, max(image.shape[:2]) / 2400)
    for xyxy, score, label in zip(found.xyxy.round().astype(int).tolist(), found.score.tolist(), found.label_index.tolist(), strict=True):
        colour = _COLOURS[label % len(_COLOURS)]
        if arguments.show_boxes:
            cv2.rectangle(drawn, (xyxy[0], xyxy[1]), (xyxy[2], xyxy[3]), colour, _LINE_PX)
        if arguments.show_labels:
            text = f"{model.labels[label]} {score:.2f}" if arguments.show_conf else model.labels[label]
            _write(drawn, text, (xyxy[0], xyxy[1]), scale, colour)
    encoded, data = cv2.imencode(".png", drawn)
    assert encoded
    return bytes(data)


def _write(drawn: UInt8Array, text: str, corner: tuple[int, int], scale: float, colour: tuple[int, int, int]) -> None:
    """Text on a dark ground, above a corner or, at an edge of the image, as near to it as it can be read."""
    (width_px, height_px), below_px = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = max(0, min(corner[0], drawn.shape[1] - width_px))
    y = max(height_px + 2, corner[1] - below_px - 1)
    cv2.rectangle(drawn, (x, y - height_px - 1), (x + width_px, y + below_px), (0, 0, 0), cv2.FILLED)
    cv2.putText(drawn, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _class_scores(image: UInt8Array, model: LoadedModel) -> Float32Array:
    """Score per class, (C,) float32. What tells multiples sees a vignette as on the scans that it was made for."""
    if {MULTIPLE, SINGLE} != set(model.labels):
        return classify(image, model)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    score = float(PackClassifier(model).scores([without_bar(grey)])[0])
    return np.array([score if label == MULTIPLE else 1.0 - score for label in model.labels], np.float32)


def _found(image: UInt8Array, model: LoadedModel, arguments: PredictArguments) -> Detections:
    """Objects at or above the score asked for, which may lie below the floor that the appliance keeps candidates from."""
    thresholds = model.manifest.thresholds.model_copy(
        update={"score": arguments.score, "score_floor": arguments.score, "nms_iou": arguments.iou}
    )
    asked = replace(model, pack=replace(model.pack, manifest=model.manifest.model_copy(update={"thresholds": thresholds})))
    found = detect(image, asked)
    if arguments.classes is not None:
        found = found.select(np.flatnonzero(np.isin(found.label_index, sorted(arguments.classes))))
    return found


def _decoded(upload: Upload, max_pixels: int) -> UInt8Array:
    try:
        if is_clip_format(sniff(upload.data[:HEAD_BYTES])):
            raise ArgumentsError({upload.argument: [f"{upload.name or 'the file'}: {_NO_CLIPS}"]})
        facts = read_facts(upload.data, "")  # the content decides, as for the modules ashore
        check_pixels(facts, max_pixels)
        check_whole(upload.data, facts)
        return decode(upload.data, facts)
    except InputError as error:
        raise ArgumentsError({upload.argument: [f"{upload.name or 'the file'}: {error}. {error.advice()}"]}) from error
    except MemoryError as error:
        raise ArgumentsError({upload.argument: [f"{upload.name or 'the file'}: no room in memory for its pixels"]}) from error


def _best(scores: Float32Array) -> list[int]:
    """Indices of the best classes, best first; of equal scores the first class."""
    order: list[int] = np.argsort(-scores, kind="stable")[:_TOP].tolist()
    return order
