"""Labels of a simulated CVAT, with the rules of cvat/apps/engine/serializers.py (LabelSerializer, AttributeSerializer)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulators.cvat_refusal import RefusedError

INPUT_TYPES = ("checkbox", "radio", "number", "text", "select")
LABEL_TYPES = ("any", "cuboid", "ellipse", "mask", "points", "polygon", "polyline", "rectangle", "skeleton", "tag")


@dataclass(slots=True, kw_only=True)
class AttributeSpec:
    """An attribute of a label."""

    id: int
    name: str
    mutable: bool
    input_type: str
    default_value: str
    values: list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "mutable": self.mutable,
            "input_type": self.input_type,
            "default_value": self.default_value,
            "values": self.values,
        }


@dataclass(slots=True, kw_only=True)
class LabelSpec:
    """A label of a task."""

    id: int
    name: str
    type: str
    attributes: list[AttributeSpec] = field(default_factory=list)

    def as_json(self, task_id: int) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "color": "#33ddff",
            "attributes": [one.as_json() for one in self.attributes],
            "type": self.type,
            "sublabels": [],
            "task_id": task_id,
            "parent_id": None,
            "has_parent": False,
        }


def read_labels(given: Any, new_id: Callable[[], int]) -> list[LabelSpec]:
    """The labels of a request that makes a task.

    Raises:
        RefusedError: as the server refuses them.
    """
    if not isinstance(given, list) or not given:
        raise _bad("Label set or project_id must be present")
    labels = []
    for one in given:
        name = one.get("name")
        name = name.strip() if isinstance(name, str) else name  # as Django REST framework reads texts
        if not isinstance(name, str) or not name or len(name) > 64:
            raise _bad("Ensure this field has between 1 and 64 characters.")
        if one.get("type", "any") not in LABEL_TYPES:
            raise _bad(f'"{one.get("type")}" is not a valid choice.')
        attributes = [_attribute(each, new_id()) for each in one.get("attributes", [])]
        if len({each.name for each in attributes}) != len(attributes):
            raise _bad("All attribute names of a label must be unique")
        labels.append(LabelSpec(id=new_id(), name=name, type=one.get("type", "any"), attributes=attributes))
    if len({label.name for label in labels}) != len(labels):
        raise _bad("All label names must be unique")
    return labels


def _attribute(given: dict[str, Any], number: int) -> AttributeSpec:
    missing = [name for name in ("name", "mutable", "input_type", "values") if name not in given]
    if missing:
        raise _bad(f"{missing[0]}: This field is required.")
    default = given.get("default_value", "")
    if given["input_type"] not in INPUT_TYPES:
        raise _bad(f'"{given["input_type"]}" is not a valid choice.')
    if not isinstance(given["values"], list) or not all(isinstance(one, str) and len(one) <= 200 for one in given["values"]):
        raise _bad("values: Not a valid string.")
    if not isinstance(default, str) or len(default) > 128:
        raise _bad("default_value: Not a valid string.")
    if given["input_type"] == "number" and len(given["values"]) != 3:
        raise _bad("values: a number has its least, its greatest and its step")
    return AttributeSpec(
        id=number,
        name=str(given["name"]),
        mutable=bool(given["mutable"]),
        input_type=given["input_type"],
        default_value=default,
        values=list(given["values"]),
    )


def _bad(text: str) -> RefusedError:
    return RefusedError(400, {"labels": [text]})
