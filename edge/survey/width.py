"""The width of view at the counting row, in metres: there is no default for it, and every way to it names its source.

An imported table's `FOVMultiplier` is such a width (`table`), not another factor: an area is distance times one width, once.

    fixed          measured on the sledge, such as between its runners, or in a tank
    lasers         a pair of parallel lasers of known gap, clicked on a still: scale = gap / gap in pixels, formula (6)
    range_finder   height and angles of the camera, turned to the counting row; at the bottom edge of the frame
                   2 h / cos(camera angle - vertical view / 2) * tan(horizontal view / 2), h = range - offset (ices-tools-dev, NephAssess)
    table          read from a survey's own table
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edge.errors import SettingsError

WIDEST_M = 5.0
NARROWEST_M = 0.1
LEAST_GAP_PX = 8.0
CLICK_SD_PX = 1.5

UNCERTAINTY_OF = {
    "fixed": "as stated with the width",
    "lasers": "of two clicks on the dots; what the gap between the beams is uncertain by is not in it",
    "range_finder": "of the range finder's reading; what the angles are uncertain by is not in it",
    "table": "",
}


class WidthMethod(StrEnum):
    """How a width is known."""

    FIXED = "fixed"
    LASERS = "lasers"
    RANGE_FINDER = "range_finder"
    TABLE = "table"


class ViewOf(StrEnum):
    """Which row of the frame a horizontal angle of view was stated for."""

    BOTTOM_EDGE = "bottom_edge"
    MIDDLE_ROW = "middle_row"


class WidthError(SettingsError):
    """A width that cannot be taken."""

    code = "width_invalid"
    default_advice = "Correct the named value; a width of view is measured, never assumed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """A width of view.

    Attributes:
        row_height: where in the frame it holds, as a part of its height from the top.
        uncertainty_m: one standard deviation, None where it is not known; of what, `UNCERTAINTY_OF` says for each way.
        source: where it is from, in words; never empty.
        detail: what it was worked out from.
    """

    method: WidthMethod
    width_m: float
    row_height: float
    source: str
    uncertainty_m: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no camera on a sledge sees.

        Raises:
            WidthError: no source, a width outside 0.1 to 5 m, a row outside the frame, or a negative uncertainty.
        """
        if not self.source.strip():
            raise WidthError("a width of view needs a source", advice="Say where it is from, such as 'tank, 2026-05-02' or 'lasers'.")
        if not NARROWEST_M <= self.width_m <= WIDEST_M:
            raise WidthError(f"a view {self.width_m:.3g} m wide is outside {NARROWEST_M} to {WIDEST_M:.0f} m")
        if not 0 < self.row_height <= 1:
            raise WidthError(f"a row at {self.row_height} of the height is outside the frame")
        if self.uncertainty_m is not None and not 0 <= self.uncertainty_m < self.width_m:
            raise WidthError(f"an uncertainty of {self.uncertainty_m} m does not fit a width of {self.width_m:.3g} m")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaserClicks:
    """Two laser dots on a still, in pixels of the full image; `gap_m` is what was measured between the beams."""

    left_px: tuple[float, float]
    right_px: tuple[float, float]
    image_width_px: int
    image_height_px: int
    gap_m: float
    gap_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFinder:
    """A camera over flat ground. Angles in degrees.

    Attributes:
        range_m: what the range finder reads, down to the seabed.
        offset_m: how far the range finder is above the camera (negative: below).
        camera_angle_deg: of the camera's axis from straight down.
        vertical_view_deg, horizontal_view_deg: the camera's angles of view in water.
        horizontal_view_of: the row that the horizontal one spans; NephAssess has that of the bottom edge, a lens' data sheet that of the
            middle. With a vertical view of 40 degrees they differ by 6 %.
        range_sd_m: one standard deviation of the range, None where it is not known.
    """

    range_m: float
    offset_m: float
    camera_angle_deg: float
    vertical_view_deg: float
    horizontal_view_deg: float
    horizontal_view_of: ViewOf = ViewOf.BOTTOM_EDGE
    range_sd_m: float | None = None


def fixed_width(width_m: float, row_height: float, source: str, uncertainty_m: float | None = None) -> Width:
    """A width that was measured once and holds while nothing is moved.

    Raises:
        WidthError: see `Width`.
    """
    return Width(method=WidthMethod.FIXED, width_m=width_m, row_height=row_height, source=source, uncertainty_m=uncertainty_m)


def table_width(width_m: float, row_height: float, source: str) -> Width:
    """A width that a table gives, such as the Marine Institute's FOVMultiplier.

    Raises:
        WidthError: see `Width`.
    """
    return Width(method=WidthMethod.TABLE, width_m=width_m, row_height=row_height, source=source)


def laser_width(clicks: LaserClicks, row_height: float, source: str) -> Width:
    """The width from two laser dots: gap over gap in pixels, times the width of the frame, formula (6).

    It is the width of the row that the dots lie in. For the counting row the dots must lie near it: the view is oblique, and the
    scale changes with the row. How far they are off is told in `detail` (`rows_off`, as a part of the height).

    The uncertainty is that of two clicks of `CLICK_SD_PX`; what the gap itself is uncertain by is not known here.

    Raises:
        WidthError: the dots are outside the frame or closer than `LEAST_GAP_PX`, or the gap is not positive or has no source.
    """
    (xa, ya), (xb, yb) = clicks.left_px, clicks.right_px
    inside = all(0 <= x <= clicks.image_width_px for x in (xa, xb)) and all(0 <= y <= clicks.image_height_px for y in (ya, yb))
    gap_px = math.hypot(xb - xa, yb - ya)
    if not inside:
        raise WidthError("a laser dot lies outside of the frame", advice="Click both dots on the still.")
    if not gap_px >= LEAST_GAP_PX:
        raise WidthError(f"the dots are {gap_px:.1f} px apart", advice="Click the two dots of one pair of lasers.")
    if not (math.isfinite(clicks.gap_m) and clicks.gap_m > 0) or not clicks.gap_source.strip():
        raise WidthError(
            "the gap between the lasers needs a value in metres and a source", advice="Measure it between the beams on the sledge."
        )
    width_m = clicks.gap_m / gap_px * clicks.image_width_px
    row = (ya + yb) / 2 / clicks.image_height_px
    return Width(
        method=WidthMethod.LASERS,
        width_m=width_m,
        row_height=row_height,
        source=source,
        uncertainty_m=width_m * math.sqrt(2) * CLICK_SD_PX / gap_px,
        detail={
            "left_px": [xa, ya],
            "right_px": [xb, yb],
            "image_px": [clicks.image_width_px, clicks.image_height_px],
            "gap_m": clicks.gap_m,
            "gap_source": clicks.gap_source.strip(),
            "gap_px": round(gap_px, 2),
            "m_per_px": clicks.gap_m / gap_px,
            "laser_row": round(row, 4),
            "rows_off": round(row - row_height, 4),
            "assumes": "the scale of the laser row holds at the counting row; square pixels; the lens does not bend the row",
        },
    )


def range_finder_width(camera: RangeFinder, row_height: float, source: str) -> Width:
    """The width at a row of the frame from height and angles (section 7 of the field's specification), over flat ground.

    With f = (2 * row_height - 1) * tan(vertical view / 2), from -1 at the top edge to 1 at the bottom one times that tangent, the middle
    of the row lies delta = atan(f) below the axis: the picture is a plane, so rows are equal steps of the tangent, not of the angle. Its
    ray runs `camera angle - delta` from straight down and meets the ground after h / cos(camera angle - delta). Along the axis
    that is

        depth = h * cos(delta) / cos(camera angle - delta)

    and the row, which lies across the axis, spans depth * (width of the picture at depth 1), whichever row it is. That width is
    2 * tan(horizontal view / 2) if the view was stated for the middle row, as data sheets of lenses do. NephAssess takes the angle that the
    bottom edge spans at the camera, 1 / cos(vertical view / 2) further away: then it is that much larger, and at the bottom edge
    the whole comes to 2 h / cos(camera angle - vertical view / 2) * tan(horizontal view / 2), the Scottish formula.

    The uncertainty is that of the range finder's reading where it is stated; what the angles are uncertain by is not in it.

    Raises:
        WidthError: the height is not positive, an angle is impossible, or the row looks at or above the horizon.
    """
    height_m = camera.range_m - camera.offset_m
    if not (math.isfinite(height_m) and height_m > 0):
        raise WidthError(f"a height of {height_m:.3g} m (range minus offset) is none")
    if not 0 <= camera.camera_angle_deg < 90:
        raise WidthError(f"a camera angle of {camera.camera_angle_deg:g} degrees from straight down does not see the seabed")
    if not (0 < camera.vertical_view_deg < 180 and 0 < camera.horizontal_view_deg < 180):
        raise WidthError("an angle of view lies between 0 and 180 degrees")
    if not 0 < row_height <= 1:
        raise WidthError(f"a row at {row_height} of the height is outside the frame")
    half_view = math.radians(camera.vertical_view_deg) / 2
    below_axis = math.atan((2 * row_height - 1) * math.tan(half_view))
    from_down = math.radians(camera.camera_angle_deg) - below_axis
    if not abs(from_down) < math.pi / 2:
        raise WidthError(f"that row looks {math.degrees(from_down):.0f} degrees from straight down: not at the seabed")
    depth_m = height_m * math.cos(below_axis) / math.cos(from_down)
    picture = 2 * math.tan(math.radians(camera.horizontal_view_deg) / 2)
    if camera.horizontal_view_of is ViewOf.BOTTOM_EDGE:
        picture /= math.cos(half_view)
    width_m = depth_m * picture
    return Width(
        method=WidthMethod.RANGE_FINDER,
        width_m=width_m,
        row_height=row_height,
        source=source,
        uncertainty_m=None if camera.range_sd_m is None else width_m * camera.range_sd_m / height_m,
        detail={
            "range_m": camera.range_m,
            "range_sd_m": camera.range_sd_m,
            "offset_m": camera.offset_m,
            "height_m": height_m,
            "camera_angle_deg": camera.camera_angle_deg,
            "vertical_view_deg": camera.vertical_view_deg,
            "horizontal_view_deg": camera.horizontal_view_deg,
            "horizontal_view_of": camera.horizontal_view_of.value,
            "depth_along_axis_m": depth_m,
            "assumes": "flat ground; a lens that bends no line; the width is that of the row",
        },
    )
