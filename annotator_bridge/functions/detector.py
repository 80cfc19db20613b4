"""A model pack as a detector: boxes where it detects or segments, one tag for the whole image where it classifies.

CVAT stores what it is answered, unchecked: so boxes are cut to the image, empty ones are dropped, and a model that returns what is no
number is an error, never an empty list. The recipe's masks do not apply: who annotates sees the burnt-in text, and what is found
there can be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from annotator_bridge.functions.checked import clip_box, confidence_attributes, number
from annotator_bridge.functions.function import BadCallError, FunctionInfo
from annotator_bridge.functions.images import SentImage, read_image
from edge.errors import InputError, ModelError
from edge.values import Detections, Float32Array, UInt8Array
from edge.zooscan.multiples import FOOTER_PX, MULTIPLE, MULTIPLE_SCORE, SINGLE, PackClassifier
from models.runtime.predict import LoadedModel, class_scores, look, merge
from models.runtime.tiling import plan_views
from models.runtime.vision import cv2

_WHITE, _DARK = 245, 128  # greys: a JPEG's white is not quite white
_BAR_ROWS = slice(-5, -3)  # of a vignette's scale bar, 2 pixels thick
_BAR_LEFT_PX, _BAR_LEAST_PX = 9, 20


class PackDetector:
    """See `Function`. May be called from as many threads as the model was loaded for, and from more."""

    def __init__(self, info: FunctionInfo, model: LoadedModel, *, max_pixels: int) -> None:
        self._info = info
        self._model = model
        self._max_pixels = max_pixels
        self._multiples = PackClassifier(model) if _tells_multiples(model) else None

    @property
    def info(self) -> FunctionInfo:
        """See `Function.info`."""
        return self._info

    def invoke(self, payload: Mapping[str, Any]) -> list[dict[str, Any]]:
        """See `Function.invoke`.

        Args:
            payload: `image`, base64; `threshold`, 0..1, or left out: the pack's own. Nothing below the pack's `score_floor` is known.

        Raises:
            BadCallError: no image that can be read, or no threshold.
            ModelError: the model failed, or returned what its manifest does not promise.
        """
        threshold = payload.get("threshold")
        least = None if threshold is None else number(threshold, "the threshold", least=0.0, greatest=1.0)
        image = read_image(payload.get("image"), max_pixels=self._max_pixels)
        try:
            if self._multiples is not None:
                return self._tag(*self._as_multiple(image), least)
            if self._model.manifest.task == "classify":
                return self._tag(*self._best_class(image), least)
            return self._boxes(self._found(image), image, self._model.manifest.thresholds.score if least is None else least)
        except ValueError as error:  # the values of a detection that its own class refuses
            raise ModelError(f"the model returned what is no detection: {error}") from error

    def _found(self, image: SentImage) -> Detections:
        views = plan_views(image.width_px, image.height_px, self._model.manifest.input)
        pixels = image.pixels_for(views)
        found = [look(view, view.cut(pixels), self._model) for view in views]
        return merge(views, found, self._model, width_px=image.width_px, height_px=image.height_px)

    def _boxes(self, found: Detections, image: SentImage, least: float) -> list[dict[str, Any]]:
        shapes = []
        for xyxy, score, index in zip(found.xyxy.tolist(), found.score.tolist(), found.label_index.tolist(), strict=True):
            box = clip_box(xyxy, image.width_px, image.height_px)
            if score < least or box is None:
                continue
            shapes.append({"label": self._model.labels[index], "type": "rectangle", "points": list(box), **_scored(score)})
        return shapes

    def _best_class(self, image: SentImage) -> tuple[str, float]:
        views = plan_views(image.width_px, image.height_px, self._model.manifest.input)
        if len(views) != 1:
            raise ModelError("a classification sees the whole image; its fit must not be tiles")
        scores: Float32Array = class_scores(views[0], views[0].cut(image.pixels_for(views)), self._model)
        best = int(scores.argmax())
        return self._model.labels[best], float(scores[best])

    def _as_multiple(self, image: SentImage) -> tuple[str, float]:
        """`multi` above the score from which on a scan's objects are taken for several animals, else `single`."""
        assert self._multiples is not None
        grey = np.asarray(cv2.cvtColor(image.pixels(), cv2.COLOR_BGR2GRAY), np.uint8)
        try:
            score = float(self._multiples.scores([without_bar(grey)])[0])
        except InputError as error:
            raise BadCallError(f"the image of the call is not usable ({error.reason}): {error}") from error
        return (MULTIPLE, score) if score > MULTIPLE_SCORE else (SINGLE, 1.0 - score)

    def _tag(self, label: str, score: float, least: float | None) -> list[dict[str, Any]]:
        """The tag, unless the call asked for more certainty than there is."""
        return [] if least is not None and score < least else [{"label": label, "type": "tag", **_scored(score)}]


def without_bar(grey: UInt8Array) -> UInt8Array:
    """A vignette (H, W) uint8 without the scale bar that the appliance and Zooprocess draw below it; anything else as it is."""
    if grey.shape[0] <= FOOTER_PX or grey.shape[1] <= _BAR_LEFT_PX + _BAR_LEAST_PX:
        return grey
    bar = grey[_BAR_ROWS, _BAR_LEFT_PX : _BAR_LEFT_PX + _BAR_LEAST_PX]
    around = np.concatenate([grey[-3:, :].ravel(), grey[-5:-3, : _BAR_LEFT_PX - 1].ravel()])
    has_bar = bool((bar < _DARK).all() and (around > _WHITE).all())
    return grey[:-FOOTER_PX] if has_bar else grey


def _tells_multiples(model: LoadedModel) -> bool:
    return model.manifest.task == "classify" and set(model.labels) == {MULTIPLE, SINGLE}


def _scored(score: float) -> dict[str, Any]:
    return {"confidence": f"{score:.2f}", "attributes": confidence_attributes(score)}
