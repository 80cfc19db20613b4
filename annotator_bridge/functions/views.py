"""What a box shows with its surroundings, cut out at a small size, and where in another picture it is found again."""

from __future__ import annotations

import numpy as np

from annotator_bridge.functions.checked import Box
from annotator_bridge.functions.geometry import box_at, centre_of, sides_of
from edge.footage import Float64Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

SURROUNDINGS = 2.0  # of the box's sides: what is looked for has the mud around it, which no other opening has
LEAST_LOOK_PX = 24.0
PATCH_PX = 56  # longer side of a view
LEAST_PATCH_PX = 12
LEAST_CONTRAST = 1.0  # grey levels, standard deviation: less shows nothing that could be recognised
BLUNT = 2.5  # how much less the distance weighs than it would by itself: the look decides, the distance breaks ties


def view_size(box: Box) -> tuple[int, int]:
    """Width and height of an object's views, pixels: no larger than what there is to see."""
    region = look_box(box)
    sides = np.array([region[2] - region[0], region[3] - region[1]])
    scale = min(1.0, PATCH_PX / float(sides.max()))
    width, height = (int(side) for side in np.clip(np.round(sides * scale), LEAST_PATCH_PX, PATCH_PX))
    return width, height


def view(grey: UInt8Array, box: Box, size: tuple[int, int], margin: tuple[int, int]) -> UInt8Array:
    """The box with its surroundings at a size, and `margin` pixels of that scale around it; beyond the picture its edge goes on."""
    region = look_box(box)
    scale_x, scale_y = (region[2] - region[0]) / size[0], (region[3] - region[1]) / size[1]
    shrink = max(1, int(min(scale_x, scale_y)))
    left, top = region[0] - margin[0] * scale_x, region[1] - margin[1] * scale_y
    if shrink > 1:
        grey, left, top = _shrunk(grey, (left, top, region[2] + margin[0] * scale_x, region[3] + margin[1] * scale_y), shrink)
        scale_x, scale_y, left, top = scale_x / shrink, scale_y / shrink, left / shrink, top / shrink
    # Places are measured at the edges of pixels, OpenCV's at their middles.
    place = np.array([[scale_x, 0, left + 0.5 * scale_x - 0.5], [0, scale_y, top + 0.5 * scale_y - 0.5]])
    whole = (size[0] + 2 * margin[0], size[1] + 2 * margin[1])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grey, place, whole, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _shrunk(grey: UInt8Array, around: Box, shrink: int) -> tuple[UInt8Array, float, float]:
    """The part of the picture around a box, with whole blocks of pixels averaged; and the box's corner in it, in pixels before that."""
    height, width = grey.shape
    left, top = (max(0, min(int(np.floor(edge)) - 2 * shrink, side - 1)) for edge, side in ((around[0], width), (around[1], height)))
    right, bottom = (int(np.ceil(edge)) + 2 * shrink for edge in (around[2], around[3]))
    part = grey[top : max(bottom, top + shrink), left : max(right, left + shrink)]
    part = part[: max(1, part.shape[0] // shrink) * shrink, : max(1, part.shape[1] // shrink) * shrink]
    size = (max(1, part.shape[1] // shrink), max(1, part.shape[0] // shrink))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8), around[0] - left, around[1] - top


def look_box(box: Box) -> Box:
    """The box with the surroundings that are looked at."""
    sides = np.maximum(sides_of(box) * SURROUNDINGS, LEAST_LOOK_PX)
    return box_at(centre_of(box), sides)


def best_place(area: UInt8Array, view: UInt8Array, spread: Float64Array) -> tuple[Float64Array, float]:
    """Where in `area` the view fits best, (2,) pixels of its upper left corner with parts, and the correlation there;
    0 of a view that shows nothing.
    """
    if float(view.std()) < LEAST_CONTRAST:
        return np.array([(whole - part) / 2 for whole, part in zip(area.shape[::-1], view.shape[::-1], strict=True)]), 0.0
    surface = np.asarray(cv2.matchTemplate(area, view, cv2.TM_CCOEFF_NORMED), np.float64)
    surface = np.where(np.isfinite(surface), surface, 0.0)  # of nothing but one grey
    rows, columns = surface.shape
    y, x = (np.arange(side) - (side - 1) / 2 for side in (rows, columns))
    likely = np.exp(-0.5 * ((y[:, None] / spread[1]) ** 2 + (x[None, :] / spread[0]) ** 2) / BLUNT)
    row, column = np.unravel_index(int((surface * likely).argmax()), surface.shape)
    part_x = _peak(surface[row, max(0, column - 1) : column + 2]) if 0 < column < columns - 1 else 0.0
    part_y = _peak(surface[max(0, row - 1) : row + 2, column]) if 0 < row < rows - 1 else 0.0
    return np.array([column + part_x, row + part_y]), float(surface[row, column])


def _peak(three: Float64Array) -> float:
    """Where between three neighbours a parabola through them is highest, -0.5 to 0.5."""
    curve = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / curve, -0.5, 0.5)) if curve < -1e-9 else 0.0
