"""An interactor whose outline a promptable model of a pack draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from annotator_bridge.functions.clicks import BoolArray, Clicks
from annotator_bridge.functions.function import FunctionInfo, RawJson
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.interactor import answer_of, read_clicks
from annotator_bridge.functions.outline import held_to
from edge.errors import ModelError
from edge.values import UInt8Array
from models.runtime.letterbox import Placement, letterbox, resize, to_tensor
from models.runtime.predict import LoadedModel
from models.runtime.prompt import BOX_HIGH, BOX_LOW, INSIDE, OUTSIDE, PromptEngine, PromptPoint, at_input_size, read_logits
from models.runtime.vision import cv2


class PackInteractor:
    """The function of a pack of the task `prompt`.

    Args:
        info: what it says of itself.
        model: loaded, of such a pack.
    """

    def __init__(self, info: FunctionInfo, model: LoadedModel, *, max_pixels: int) -> None:
        if not isinstance(model.engine, PromptEngine):
            raise ModelError(f"{model.manifest.name} is no promptable model")
        self._info, self._model, self._engine, self._max_pixels = info, model, model.engine, max_pixels

    @property
    def info(self) -> FunctionInfo:
        """See `Function.info`."""
        return self._info

    def invoke(self, payload: Mapping[str, Any]) -> RawJson:
        """See `Function.invoke`: `{"image", "pos_points", "neg_points", "obj_bbox"}` to `{"mask", "points"}`."""
        image = decode_image(payload.get("image"), max_pixels=self._max_pixels)
        height, width = image.shape[:2]
        clicks = read_clicks(payload, width_px=width, height_px=height)
        return answer_of(held_to(clicks, self._mask(image, clicks)), clicks)

    def _mask(self, image: UInt8Array, clicks: Clicks) -> BoolArray:
        """What the model takes for the object, (H, W) bool; may be empty."""
        spec = self._model.manifest.input
        height, width = image.shape[:2]
        placed = letterbox(width, height, spec)
        content = resize(image, placed.content_width_px, placed.content_height_px)
        tensor = to_tensor(content, spec, left_px=placed.left_px, top_px=placed.top_px)
        logits = read_logits((self._engine.infer_prompt(tensor, _prompt(clicks, placed)),))
        whole = at_input_size(logits, spec.width_px, spec.height_px)
        top, left = placed.top_px, placed.left_px
        part = np.ascontiguousarray(whole[top : top + placed.content_height_px, left : left + placed.content_width_px])
        return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.float32) > 0


def _prompt(clicks: Clicks, placed: Placement) -> list[PromptPoint]:
    """The clicks in pixels of the network's input."""
    across, down = placed.content_width_px / placed.source_width_px, placed.content_height_px / placed.source_height_px
    said = [(point, INSIDE) for point in clicks.inside] + [(point, OUTSIDE) for point in clicks.outside]
    if clicks.box is not None:
        said += [(clicks.box[:2], BOX_LOW), (clicks.box[2:], BOX_HIGH)]
    return [PromptPoint(x_px=placed.left_px + x * across, y_px=placed.top_px + y * down, label=label) for (x, y), label in said]
