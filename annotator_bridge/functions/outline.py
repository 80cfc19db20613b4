"""What was clicked, as a mask: on a plain background by its difference from it, on uneven ground by the best closed line around it."""

from __future__ import annotations

import numpy as np

from annotator_bridge.functions.clicks import BoolArray, Clicks, extent, pixel_of
from annotator_bridge.functions.outline_ground import ground_outline
from annotator_bridge.functions.outline_plain import NEAR_CLICK_PX, plain_background, plain_mask
from edge.footage import Float64Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

_FIXED_POINT_BITS = 4  # of OpenCV's coordinates: a sixteenth of a pixel
_MOST_CLICK_PX = 3
_TIE_PX = 3


def outline_mask(image: UInt8Array, clicks: Clicks) -> BoolArray:
    """The object as a mask (H, W) bool: every place inside is in it, none outside is; never empty.

    Args:
        image: (H, W, 3) uint8 BGR.
        clicks: in the picture; no place inside and outside at once.
    """
    green = np.ascontiguousarray(image[..., 1])
    background = plain_background(green)
    mask = None if background is None else plain_mask(green, background, clicks)
    if mask is None:
        mask = _filled(ground_outline(image, clicks), green.shape)
    return held_to(clicks, mask)


def held_to(clicks: Clicks, mask: BoolArray) -> BoolArray:
    """The mask, held to the clicks; only what hangs together with one of them is kept. Never empty."""
    height, width = mask.shape
    inside, outside = ([pixel_of(point, width, height) for point in some] for some in (clicks.inside, clicks.outside))
    held = mask.astype(np.uint8)
    for place in inside:
        cv2.circle(held, place, _radius(place, outside), 1, cv2.FILLED)
        _tied(held, mask, place)
    for place in outside:
        cv2.circle(held, place, _radius(place, inside), 0, cv2.FILLED)
    if not inside:
        return held.astype(np.bool_) if held.any() else _middle_of_box(clicks, outside, (height, width))
    part = extent(held.view(np.bool_))
    _, labels = cv2.connectedComponents(np.ascontiguousarray(held[part]), connectivity=8)
    clicked = {int(labels[row - part[0].start, column - part[1].start]) for column, row in inside}
    kept = np.zeros_like(mask)
    kept[part] = np.isin(labels, list(clicked))
    return kept


def outline_points(mask: BoolArray, clicks: Clicks) -> list[list[int]]:
    """The outer border of the part of a mask that was clicked first, or of its largest part, as [[x, y], ...]: three points or more."""
    place = extent(mask)
    shift = (place[1].start, place[0].start)
    part = np.ascontiguousarray(mask[place]).view(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=shift)
    height, width = mask.shape
    chosen = max(contours, key=cv2.contourArea)
    for point in clicks.inside[:1]:
        column, row = pixel_of(point, width, height)
        chosen = next((one for one in contours if cv2.pointPolygonTest(one, (column, row), measureDist=False) >= 0), chosen)
    found = [[int(x), int(y)] for x, y in chosen[:, 0]]
    if len(found) < 3:  # a pixel, or a line of them
        (left, top), (right, bottom) = chosen[:, 0].min(axis=0).tolist(), (chosen[:, 0].max(axis=0) + 1).tolist()
        found = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return found


def _filled(line: Float64Array, shape: tuple[int, ...]) -> BoolArray:
    filled = np.zeros(shape, np.uint8)
    # A pixel's middle lies half a pixel from its edges, at which places are measured.
    corners = np.round((line - 0.5) * (1 << _FIXED_POINT_BITS)).astype(np.int32)
    cv2.fillPoly(filled, [corners], 1, shift=_FIXED_POINT_BITS)
    return filled.astype(np.bool_)


def _tied(held: UInt8Array, mask: BoolArray, place: tuple[int, int]) -> None:
    """Join a click that just missed what was found to it, in place."""
    column, row = place
    if mask[row, column]:
        return
    top, left = max(0, row - NEAR_CLICK_PX), max(0, column - NEAR_CLICK_PX)
    rows, columns = np.nonzero(mask[top : row + NEAR_CLICK_PX + 1, left : column + NEAR_CLICK_PX + 1])
    if len(rows):
        nearest = int(np.hypot(rows + top - row, columns + left - column).argmin())
        cv2.line(held, place, (int(columns[nearest]) + left, int(rows[nearest]) + top), 1, _TIE_PX)


def _radius(place: tuple[int, int], others: list[tuple[int, int]]) -> int:
    """How large a click is: some pixels, less where the opposite was clicked nearby."""
    nearest = min((max(abs(place[0] - column), abs(place[1] - row)) for column, row in others), default=2 * _MOST_CLICK_PX + 1)
    return max(0, min(_MOST_CLICK_PX, (nearest - 1) // 2))


def _middle_of_box(clicks: Clicks, outside: list[tuple[int, int]], shape: tuple[int, int]) -> BoolArray:
    """The pixels of a box but for those that were clicked away: of a box of which nothing else was found."""
    assert clicks.box is not None
    left, top, right, bottom = clicks.box
    mask = np.zeros(shape, np.bool_)
    mask[int(top) : max(int(top) + 1, int(np.ceil(bottom))), int(left) : max(int(left) + 1, int(np.ceil(right)))] = True
    for column, row in outside:
        mask[row, column] = False
    return mask
