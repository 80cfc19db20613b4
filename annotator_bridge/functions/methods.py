"""The functions that need no model pack: what each says of itself, and where it stands.

Light, so that a list of functions loads no OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass

from annotator_bridge.functions.function import FunctionInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A function without a model. `where` is `module:class`; the class is called with `max_pixels`."""

    info: FunctionInfo
    where: str


TRACKER = FunctionInfo(
    id="seabed-tracker",
    kind="tracker",
    title="Seabed tracker",
    description="Carries a burrow, or anything that lies still, along with the moving seabed: registration of the ground and the "
    "object's own look. No model.",
    help="Draw a box around the opening, then step forward frame by frame.",
)
INTERACTOR = FunctionInfo(
    id="outline-interactor",
    kind="interactor",
    title="Outline of an opening",
    description="A click, or a box, becomes the outline of what lies there. No model.",
    help="Click into the opening, or draw a box around it; click outside of it where the outline went too far.",
    min_pos_points=1,
    min_neg_points=0,
    starts_with_box=True,
)
REID = FunctionInfo(
    id="seabed-reid",
    kind="reid",
    title="Same objects on the next frame",
    description="Says which box of a frame is which of the next: by its place on the moving seabed, and by its look. No model.",
    help="Run it on a task whose frames hold boxes already: boxes of one object become a track.",
)

METHODS: dict[str, Method] = {
    method.info.id: method
    for method in (
        Method(info=TRACKER, where="annotator_bridge.functions.tracker:SeabedTracker"),
        Method(info=INTERACTOR, where="annotator_bridge.functions.interactor:OutlineInteractor"),
        Method(info=REID, where="annotator_bridge.functions.reid:SeabedReid"),
    )
}
