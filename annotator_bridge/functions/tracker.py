"""Follows what somebody drew a box around, from one frame to the next, over a seabed that moves.

The protocol is that of CVAT's trackers (cvat/apps/lambda_manager and cvat-ui, read at two points of 2023 and 2025): a call has
`image`, `shapes` and `states`, all that is known of an object is in its state, and nothing says which frame this is. Up to 2.30
shapes are flat lists of four numbers; where a function declares its shapes they are objects with `type` and `points`. An item
with a state is a step, whatever stands in `shapes`; one without begins with its shape.

A lost object is null where shapes are objects. In the flat form there is no way to say so (the browser reads every item, and one
null would throw away the step of all objects): the box goes on where the seabed takes it, and is never put on something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotator_bridge.functions.checked import Box, sent_box, sent_list
from annotator_bridge.functions.function import BadCallError, FunctionInfo
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.methods import TRACKER
from annotator_bridge.functions.tracker_state import Form, ThumbText, TrackState, read, written
from annotator_bridge.functions.tracker_step import Scene, begin, follow

MOST_OBJECTS = 500
LEAST_SHOWN_PX = 4.0  # CVAT keeps no shape of less than 3 px a side or 9 px in area: a box at the edge stays a box


class SeabedTracker:
    """The function `seabed-tracker`; holds nothing between calls."""

    def __init__(self, *, max_pixels: int = 100_000_000) -> None:
        self._max_pixels = max_pixels

    @property
    def info(self) -> FunctionInfo:
        """See `Function.info`."""
        return TRACKER

    def invoke(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """See `Function.invoke`: `{"image", "shapes", "states"}` to `{"shapes", "states"}`."""
        shapes, states = (sent_list(payload, name, at_most=MOST_OBJECTS) for name in ("shapes", "states"))
        if shapes and states and len(shapes) != len(states):
            raise BadCallError(f"{len(shapes)} shapes and {len(states)} states: there must be as many")
        kept = [None if state is None else read(state, f"states[{place}]") for place, state in enumerate(states)]
        scene = Scene(decode_image(payload.get("image"), max_pixels=self._max_pixels))
        followed = [_followed(scene, place, shapes, kept) for place in range(max(len(shapes), len(states)))]
        thumb = ThumbText(scene.thumb)
        return {"shapes": [shape for shape, _ in followed], "states": [written(state, thumb) for _, state in followed]}


def _followed(scene: Scene, place: int, shapes: Sequence[object], states: Sequence[TrackState | None]) -> tuple[Any, TrackState]:
    """The shape to answer with, and the state to keep, of one object."""
    state = states[place] if states else None
    if state is not None:
        step = follow(scene, state)
        is_object = state.form == "rectangle"
        return None if is_object and step.is_lost else _answered(scene, step.box, state.form), step.state
    if not shapes or shapes[place] is None:
        raise BadCallError(f"item {place} has neither a state nor a shape")
    box, form = _shape(shapes[place], f"shapes[{place}]", scene)
    return _answered(scene, box, form), begin(scene, box, form)


def _shape(given: object, what: str, scene: Scene) -> tuple[Box, Form]:
    """The part of a shape that lies in the picture, and how it was written."""
    form: Form = "flat"
    if isinstance(given, Mapping):
        if given.get("type") != "rectangle":
            raise BadCallError(f"{what} is of type {given.get('type')!r:.40}; only rectangles are followed")
        form, given = "rectangle", given.get("points")
    return sent_box(given, what, width_px=scene.width_px, height_px=scene.height_px), form


def _answered(scene: Scene, box: Box, form: Form) -> list[float] | dict[str, Any]:
    points = [round(side, 2) for side in _shown(box, scene.width_px, scene.height_px)]
    return points if form == "flat" else {"type": "rectangle", "points": points}


def _shown(box: Box, width_px: int, height_px: int) -> Box:
    """The part of the box that lies in the picture; of one that lies outside, a small box at the edge nearest to it."""
    x_min, x_max = _span(box[0], box[2], width_px)
    y_min, y_max = _span(box[1], box[3], height_px)
    return x_min, y_min, x_max, y_max


def _span(low: float, high: float, side_px: int) -> tuple[float, float]:
    least = min(LEAST_SHOWN_PX, float(side_px), high - low)
    low = min(max(low, 0.0), side_px - least)
    return low, max(min(high, float(side_px)), low + least)
