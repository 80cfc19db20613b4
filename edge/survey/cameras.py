"""What a camera of a survey may be said to be: its clock, its folders, the lasers beside it."""

from __future__ import annotations

from edge.errors import SettingsError
from edge.survey.media import STATION_MARK

MAX_OFFSET_S = 400 * 86_400.0
MAX_GAP_M = 5.0


def check_camera(name: str, *, time_offset_s: float, source: str, pattern: str, laser_gap_m: float | None, laser_gap_source: str) -> None:
    """Refuse what cannot be.

    Raises:
        SettingsError: no name, an offset or a gap without its source or out of range, or a folder pattern that says nothing.
    """
    if not name:
        raise SettingsError("a camera needs a name", advice="Such as HD.")
    if not abs(time_offset_s) <= MAX_OFFSET_S:
        raise SettingsError(f"a time offset of {time_offset_s:g} s cannot be", advice="Give the seconds that are added to its clock.")
    if time_offset_s and not source.strip():
        raise SettingsError(f"the time offset of {name} has no source", advice="Say how it was found, such as a photo of the GPS clock.")
    if laser_gap_m is not None and not (0 < laser_gap_m <= MAX_GAP_M and laser_gap_source.strip()):
        raise SettingsError(
            f"the gap between the lasers of {name} is {laser_gap_m:g} m, or nobody says who measured it",
            advice=f"Give metres, up to {MAX_GAP_M:g}, and how it was measured, such as a tape on deck.",
        )
    if (pattern and not pattern.strip("*/?.")) or pattern.count(STATION_MARK) > 1:
        raise SettingsError(f"the folder pattern {pattern!r} says nothing", advice="Such as */{station}/* or */HD/*; or leave it empty.")
