"""Clicks or a box become an outline.

The protocol is that of CVAT's interactors: `image`, `pos_points`, `neg_points` and `obj_bbox` (two corners, or null) come, `mask` goes
back, rows of 0 and 1 as high and wide as the picture that came, with `points`, the polygon around it. `bounds`, which would allow
a smaller mask, is left out: a server that crops a region of interest places a whole mask only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator_bridge.functions.checked import Box, sent_box, sent_list, sent_point
from annotator_bridge.functions.clicks import BoolArray, Clicks, pixel_of
from annotator_bridge.functions.function import BadCallError, FunctionInfo, RawJson
from annotator_bridge.functions.images import decode_image
from annotator_bridge.functions.mask_json import answer_with_mask
from annotator_bridge.functions.methods import INTERACTOR
from annotator_bridge.functions.outline import outline_mask, outline_points

MOST_POINTS = 500
_CORNERS = 2


class OutlineInteractor:
    """The function `outline-interactor`; holds nothing between calls."""

    def __init__(self, *, max_pixels: int = 100_000_000) -> None:
        self._max_pixels = max_pixels

    @property
    def info(self) -> FunctionInfo:
        """See `Function.info`."""
        return INTERACTOR

    def invoke(self, payload: Mapping[str, Any]) -> RawJson:
        """See `Function.invoke`: `{"image", "pos_points", "neg_points", "obj_bbox"}` to `{"mask", "points"}`."""
        image = decode_image(payload.get("image"), max_pixels=self._max_pixels)
        height, width = image.shape[:2]
        clicks = read_clicks(payload, width_px=width, height_px=height)
        return answer_of(outline_mask(image, clicks), clicks)


def answer_of(mask: BoolArray, clicks: Clicks) -> RawJson:
    """A mask (H, W), not empty, as CVAT wants it."""
    return answer_with_mask(mask, {"points": outline_points(mask, clicks)})


def read_clicks(payload: Mapping[str, Any], *, width_px: int, height_px: int) -> Clicks:
    """What was clicked, in pixels of the picture.

    Raises:
        BadCallError: neither a place inside nor a box, a place outside of the picture, or one that is both inside and outside.
    """
    inside, outside = (
        tuple(
            sent_point(point, f"{name}[{place}]", width_px=width_px, height_px=height_px)
            for place, point in enumerate(sent_list(payload, name, at_most=MOST_POINTS))
        )
        for name in ("pos_points", "neg_points")
    )
    box = _sent_corners(payload.get("obj_bbox"), width_px=width_px, height_px=height_px)
    if not inside and box is None:
        raise BadCallError("an outline needs a click inside the object, or a box around it")
    both = {pixel_of(point, width_px, height_px) for point in inside} & {pixel_of(point, width_px, height_px) for point in outside}
    if both:
        raise BadCallError(f"the pixel {min(both)} was clicked as inside and as outside")
    return Clicks(inside=inside, outside=outside, box=box)


def _sent_corners(given: object, *, width_px: int, height_px: int) -> Box | None:
    """A box that came as two corners [[x, y], [x, y]], or as its four numbers; null or an empty list is none."""
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise BadCallError(f"obj_bbox is a {type(given).__name__}, not two corners")
    flat: list[Any] = given
    if len(given) == _CORNERS and all(isinstance(corner, list) and len(corner) == _CORNERS for corner in given):
        flat = [*given[0], *given[1]]
    return sent_box(flat, "obj_bbox", width_px=width_px, height_px=height_px)
