"""A function as Nuclio tells of it and as CVAT reads it; every text a text, for one that is none breaks CVAT's whole list."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from annotator_bridge.functions.function import FunctionInfo

# The browser refuses to start an interactor of a lower one ("obsolete").
_VERSIONS = {"interactor": "2"}


def function_document(info: FunctionInfo, *, port: int) -> dict[str, Any]:
    """The answer to `GET /api/functions/{id}`.

    `startswith_box` is left out, because CVAT takes any text there for yes and then begins with a box always: newer servers let people
    choose (`startswith_box_optional`), 2.15 begins with a click. A browser that may send a box alone must not wait for clicks,
    hence 0 of them. `supported_shape_types` is left out: then servers of every version send flat rectangles to a tracker.
    """
    annotations = {
        "name": info.title,
        "type": info.kind,
        "spec": json.dumps(_labels(info), ensure_ascii=False),
        "version": _VERSIONS.get(info.kind, "1"),
        "help_message": info.help,
        "animated_gif": "",
    }
    if info.kind == "interactor":
        least = 0 if info.starts_with_box else info.min_pos_points
        annotations |= {"min_pos_points": str(least), "min_neg_points": str(info.min_neg_points)}
        if info.starts_with_box:
            annotations |= {"startswith_box_optional": "true"}
    return {
        "metadata": {"name": info.id, "namespace": "nuclio", "labels": {"nuclio.io/project-name": "cvat"}, "annotations": annotations},
        "spec": {"description": info.description},
        "status": {"state": "ready", "httpPort": port},
    }


def list_document(infos: Iterable[FunctionInfo], *, port: int) -> dict[str, Any]:
    """The answer to `GET /api/functions`: an object, whatever its keys."""
    return {info.id: function_document(info, port=port) for info in infos}


def _labels(info: FunctionInfo) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "name": label.name,
            "type": label.shape,
            "attributes": [
                {"name": attribute.name, "input_type": attribute.input_type, "values": list(attribute.values)}
                for attribute in label.attributes
            ],
        }
        for number, label in enumerate(info.labels)
    ]
