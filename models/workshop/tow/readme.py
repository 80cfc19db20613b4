"""README.txt of a rendered tow: what the files are, for a person who finds the folder."""

from __future__ import annotations

from typing import Any

_TEXT = """RENDERED TOW: nothing here was filmed at sea

A burrow tow that a program drew, for trying and testing. What lies on this seabed is known exactly.
Made by: imagine-edge demo --tow SECONDS --out DIR --seed {seed}

Counted over the whole tow: {openings} openings, {systems} burrow systems
Length: {distance_m:.1f} m in {minutes:.1f} minutes from {start_utc}
Width of view at the line: {width_m:.3f} m on average; area {viewed_area_m2:.1f} m2

WHAT COUNTS
The line is a row of the frame at {line_height} of its height. An opening is counted when the centre of its box crosses that row
downwards inside the frame, between the first and the last frame, the first time it does so. A system is counted once, with the first of
its openings that is counted; a single opening is a system of its own.

FILES
{footage}
navigation/tow.nmea
    What the ship's instruments logged: ZDA, GGA, RMC, HDT, DBT of the ship; PTSAG of the sledge's transponder (beacon 1).
    Scattered, with gaps and wrong positions, as at sea. Begins a minute before the tow and ends a minute after it.
truth.json
    The numbers above, per minute, what can be said of each second, when silt came, and `items`: every opening and system
    with its position in metres and the moment it crossed the line; null if it never did. along_m counts ahead from where the line lay in
    the first frame, across_m to the right from the middle of the strip.
frames.csv
    Per frame: presentation time, distance gone, width of view at the line, the three laser dots and how much of each can be
    seen, share of the frame hidden by silt, and the homography h00..h22 from (across_m, along_m, 1) to pixels.
boxes.csv
    Per frame: the box of every opening that reaches into it, not clipped at the frame's edges, and how much of it can be seen (share
    inside the frame, times the light that silt lets through). A person would hardly draw those below 0.35.

Pixels count from the upper left corner of the frame, boxes are half open. The lasers at the sides are {laser_gap_m:.2f} m apart on the
seabed; they lie further up the picture than the line, so the scale there is smaller than at the line.
"""


def readme_of(truth: dict[str, Any]) -> str:
    """The text for this tow; `truth` is what `truth.json` holds."""
    media = truth["media"]
    if media["container"] == "stills":
        footage = f"stills/\n    {media['frames']} JPEG stills, 12.5 per second, named by their time as the survey's recorder does."
    else:
        fields = f", interlaced ({media['first_field']} field first; the truth is that of the first field)" if media["interlaced"] else ""
        kind = f"{media['codec']}, {truth['size'][0]} x {truth['size'][1]}, {media['rate']} frames per second{fields}"
        footage = f"{media['file']}\n    {media['frames']} frames, {kind}."
    last = truth["seconds"][-1]["second"] + 1
    return _TEXT.format(**{**truth, "footage": footage, "minutes": last / 60})
