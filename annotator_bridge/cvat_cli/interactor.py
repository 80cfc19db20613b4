"""Interactors as interaction functions of cvat-sdk (2.71 and later), for agents: `cvat-cli function run-agent`.

CVAT has agents in its Enterprise and Cloud editions only; within the Community edition interactors are reached through the facade.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from annotator_bridge.cvat_cli.calling import open_function, sdk_module, sent
from annotator_bridge.functions.function import Function, RawJson
from edge.errors import ModelError, SettingsError


def create(function: str = "outline-interactor", *, home: str = "") -> Interactor:
    """What cvat-cli calls.

    Raises:
        UnknownFunctionError: there is no function of that name.
        SettingsError: it is no interactor, or the SDK that is installed knows none.
    """
    sdk = sdk_module("cvat_sdk.auto_annotation")
    if not hasattr(sdk, "InteractionFunctionSpec"):
        raise SettingsError("the cvat-sdk installed here knows no interaction functions", advice="They came with cvat-sdk 2.71.")
    return Interactor(open_function(home, function, "interactor", threads=1), sdk, sdk_module("cvat_sdk.masks").encode_mask)


class Interactor:
    """See `cvat_sdk.auto_annotation.InteractionFunction`."""

    def __init__(self, function: Function, sdk: Any, encode_mask: Any) -> None:
        """`sdk`: the module `cvat_sdk.auto_annotation`; `encode_mask`: that of `cvat_sdk.masks`."""
        info = function.info
        self._function = function
        self._sdk = sdk
        self._encode_mask = encode_mask
        self._spec = sdk.InteractionFunctionSpec(
            min_pos_points=0 if info.starts_with_box else max(info.min_pos_points, 0),
            min_neg_points=None if info.min_neg_points < 0 else info.min_neg_points,
            min_bounding_boxes=0 if info.starts_with_box else None,
        )

    @property
    def spec(self) -> Any:
        """What it takes: `InteractionFunctionSpec`."""
        return self._spec

    def preprocess_image(self, _context: Any, image: Image.Image) -> str:
        """The image as a call carries it."""
        return sent(image)

    def detect(self, _context: Any, pp_image: str, prompts: Any) -> list[Any]:
        """The outline of what was clicked or boxed, as one mask.

        Raises:
            BadCallError: there is neither a click nor a box.
            ModelError: what came back is no mask.
        """
        box = prompts.bounding_box
        told = self._function.invoke(
            {
                "image": pp_image,
                "pos_points": _pairs(prompts.pos_points),
                "neg_points": _pairs(prompts.neg_points),
                "obj_bbox": None if box is None else _pairs(box),
            }
        )
        document = told.document() if isinstance(told, RawJson) else told
        mask = np.asarray(document["mask"])
        if mask.ndim != 2:
            raise ModelError(f"a mask of {mask.ndim} dimensions came out of {self._function.info.id}")
        if not mask.any():
            return []
        return [self._sdk.InteractionResultShape(type="mask", points=self._encode_mask(mask.astype(np.bool_)))]


def _pairs(points: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in points]
