"""Packs as detection functions of cvat-sdk: boxes, or a tag of the whole image, with the model's score as attributes.

    cvat-cli task auto-annotate ID --function-module annotator_bridge.cvat_cli.detector \
        -p pack=str:burrow-openings-starter [-p home=str:/home/ship/imagine-edge] [-p attributes=bool:false]

The task needs labels of the names that the pack has and, where the SDK knows attributes, those attributes; `--allow-unmatched-labels` or
`attributes=bool:false` goes without them. The SDK of 2.15 knows no attributes and no tags: boxes only. Later ones know a score of a shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from annotator_bridge.cvat_cli.calling import open_function, sdk_module, sent
from annotator_bridge.functions.function import Function, Label
from edge.errors import SettingsError

Ids = Mapping[str, tuple[int, Mapping[str, int]]]


def create(pack: str, *, home: str = "", attributes: bool = True, threads: int = 1) -> Detector:
    """What cvat-cli calls, with its `--function-parameter`s.

    Args:
        pack: name of an installed pack.
        home: the appliance's home folder; its usual one if empty.
        attributes: whether each annotation carries `confidence` and `confidence_percent`.
        threads: how many agents' threads call at once.

    Raises:
        UnknownFunctionError: there is no pack of that name.
        SettingsError: the SDK that is installed cannot hold what the pack answers.
        ModelError: the pack is damaged, or no variant of it works on this machine.
    """
    sdk = sdk_module("cvat_sdk.auto_annotation")
    function = open_function(home, pack, "detector", threads=threads)
    return Detector(function, sdk, sdk_module("cvat_sdk.models"), attributes=attributes)


class Detector:
    """See `cvat_sdk.auto_annotation.DetectionFunction`."""

    def __init__(self, function: Function, sdk: Any, models: Any, *, attributes: bool) -> None:
        """`sdk`, `models`: the modules `cvat_sdk.auto_annotation` and `cvat_sdk.models`.

        Raises:
            SettingsError: the SDK knows no tags, and the function answers with them.
        """
        labels = function.info.labels
        if any(label.shape == "tag" for label in labels) and not hasattr(sdk, "tag"):
            advice = "Use the appliance's models within CVAT instead: `imagine-edge cvat serve`."
            raise SettingsError(f"{function.info.id} gives tags, which the cvat-sdk installed here does not know", advice=advice)
        self._function = function
        self._sdk = sdk
        self._models = models
        self._has_attributes = attributes and hasattr(sdk, "attribute_spec")  # before, the SDK refuses a label that has any
        self._ids: Ids = {label.name: (number, self._attribute_ids(label)) for number, label in enumerate(labels)}
        self._spec = sdk.DetectionFunctionSpec(labels=[self._label_spec(label) for label in labels])

    @property
    def spec(self) -> Any:
        """The labels: `DetectionFunctionSpec`."""
        return self._spec

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """What is in an image.

        Args:
            context: `DetectionFunctionContext`; its `conf_threshold` (since 2.23) overrules the pack's.

        Returns:
            Rectangles and tags of the SDK, which the caller may change.

        Raises:
            BadCallError: the image cannot be looked at.
            ModelError: the model failed. The whole task stays without annotations then; none would look like an empty seabed.
        """
        payload: dict[str, Any] = {"image": sent(image)}
        threshold = getattr(context, "conf_threshold", None)
        if threshold is not None:
            payload["threshold"] = float(threshold)
        return [self._annotation(found) for found in self._function.invoke(payload)]

    def _annotation(self, found: Mapping[str, Any]) -> Any:
        label_id, attribute_ids = self._ids[found["label"]]
        told: dict[str, Any] = {}
        if self._has_attributes:
            told["attributes"] = [
                self._models.AttributeValRequest(spec_id=attribute_ids[one["name"]], value=one["value"]) for one in found["attributes"]
            ]
        kind = "LabeledImageRequest" if found["type"] == "tag" else "LabeledShapeRequest"
        if "score" in getattr(getattr(self._models, kind), "attribute_map", {}):  # left out, it would count as 1
            told["score"] = float(found["confidence"])
        if found["type"] == "tag":
            return self._sdk.tag(label_id, **told)
        return self._sdk.rectangle(label_id, list(found["points"]), **told)

    def _label_spec(self, label: Label) -> Any:
        told: dict[str, Any] = {"type": label.shape}
        if self._has_attributes:
            ids = self._attribute_ids(label)
            told["attributes"] = [
                self._sdk.attribute_spec(one.name, ids[one.name], one.input_type, _values(one.input_type, one.values))
                for one in label.attributes
            ]
        return self._sdk.label_spec(label.name, self._label_id(label), **told)

    def _label_id(self, label: Label) -> int:
        return self._ids[label.name][0]

    @staticmethod
    def _attribute_ids(label: Label) -> dict[str, int]:
        return {attribute.name: number for number, attribute in enumerate(label.attributes)}


def _values(input_type: str, values: Sequence[str]) -> list[str]:
    """Of a text, none: its one value in a Nuclio function is the text that it begins with."""
    return [] if input_type == "text" else list(values)
