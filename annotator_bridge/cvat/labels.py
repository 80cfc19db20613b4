"""The labels of a task: the classes of the model that serves, what people called things besides, and the attributes of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from annotator_bridge.cvat.server import RemoteLabel
from annotator_bridge.cvat.tools import FramesDifferError
from annotator_bridge.cvat.values import CONFIDENCE, CONFIDENCE_PERCENT, EDGE_ID
from annotator_bridge.functions.function import Attribute, Label, ShapeType

ATTRIBUTES = (
    Attribute(name=EDGE_ID, input_type="text", values=("",)),
    Attribute(name=CONFIDENCE, input_type="text", values=("",)),
    Attribute(name=CONFIDENCE_PERCENT, input_type="number", values=("0", "100", "1")),
)
"""Of every label: which proposal it is, how sure the model was ("0.91", and 0 to 100 so that CVAT can filter by it)."""

LONGEST_NAME = 64
UNNAMED = "unnamed"
MULTIPLE, SINGLE = "multiple", "single"


def label_name(name: str) -> str:
    """What a class is called in CVAT, which takes away spaces around a name, keeps 64 letters of it, and has none that is empty."""
    return name.strip()[:LONGEST_NAME].strip() or UNNAMED


def make_labels(names: Iterable[str], shape: ShapeType) -> tuple[Label, ...]:
    """A label for each name as CVAT has it, once, in their order; what is the same there is one label."""
    return tuple(Label(name=name, shape=shape, attributes=ATTRIBUTES) for name in dict.fromkeys(map(label_name, names)))


def labels_to_json(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """As they are kept in the database."""
    return [
        {
            "name": label.name,
            "shape": label.shape,
            "attributes": [{"name": one.name, "input_type": one.input_type, "values": list(one.values)} for one in label.attributes],
        }
        for label in labels
    ]


def labels_from_json(found: Sequence[Mapping[str, Any]]) -> tuple[Label, ...]:
    """As they were kept."""
    return tuple(
        Label(
            name=label["name"],
            shape=label["shape"],
            attributes=tuple(
                Attribute(name=one["name"], input_type=one["input_type"], values=tuple(one["values"])) for one in label["attributes"]
            ),
        )
        for label in found
    )


def attribute_values(edge_id: str, score: float | None) -> dict[str, str]:
    """The attributes of something that goes along; texts, always. What a person said instead of the model has no confidence, and 100 %."""
    percent = 100 if score is None else min(100, max(0, round(100 * score)))
    return {EDGE_ID: edge_id, CONFIDENCE: "" if score is None else f"{score:.2f}", CONFIDENCE_PERCENT: str(percent)}


class Vocabulary:
    """The labels of a task as the server numbered them."""

    def __init__(self, remote: Sequence[RemoteLabel]) -> None:
        self._labels = {label.name: label for label in remote}

    def label_id(self, name: str) -> int:
        """The server's number of a label.

        Raises:
            FramesDifferError: the task has it no more.
        """
        return self._label(name).id

    def attributes(self, name: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
        """Attributes of something with that label, by the server's numbers.

        Raises:
            FramesDifferError: the task has one of them no more.
        """
        known = {one.name: one.id for one in self._label(name).attributes}
        if missing := [one for one in values if one not in known]:
            raise FramesDifferError(f"label {name!r} of the task in CVAT has no attribute {missing[0]!r} (any more)")
        return [{"spec_id": known[one], "value": value} for one, value in values.items()]

    def edge_ids(self) -> frozenset[int]:
        """The server's numbers of the attribute that names a proposal."""
        return frozenset(one.id for label in self._labels.values() for one in label.attributes if one.name == EDGE_ID)

    def _label(self, name: str) -> RemoteLabel:
        label = self._labels.get(label_name(name))
        if label is None:
            raise FramesDifferError(f"the task in CVAT has no label {name!r} (any more)")
        return label
