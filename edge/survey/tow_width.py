"""The width of view of a tow from the lasers of its footage, second by second: proposed, taken by a person."""

from __future__ import annotations

import json
import math

from edge.store.reads.footage import analysis_of_tow, seconds_of
from edge.store.sqlite import Connection
from edge.survey.width import Width, WidthMethod

LEAST_SECONDS = 10


def width_of_footage(connection: Connection, tow_id: int) -> Width | None:
    """The mean width over the seconds in which lasers told it; None where there are fewer than `LEAST_SECONDS`, or they are sealed.

    The uncertainty is that of one second: what all of them share (the gap, the slope of the view) does not average out, and a
    sledge that sinks and lifts is in the spread of the seconds, over their root.
    """
    analysis = analysis_of_tow(connection, tow_id)
    if analysis is None or analysis.is_sealed or analysis.state != "done":
        return None
    seconds = seconds_of(connection, analysis.id)
    known = [(one.width_m, one.width_sd_m or 0.0) for one in seconds if one.width_m is not None]
    if len(known) < LEAST_SECONDS:
        return None
    mean = math.fsum(width for width, _ in known) / len(known)
    spread = math.sqrt(math.fsum((width - mean) ** 2 for width, _ in known) / (len(known) - 1))
    shared = math.fsum(sd for _, sd in known) / len(known)
    made_from = json.loads(analysis.made_from_json)
    return Width(
        method=WidthMethod.LASERS,
        width_m=mean,
        row_height=float(made_from["line_height"]),
        source=f"lasers of the footage, {len(known)} of {len(seconds)} seconds, gap {made_from['laser_gap_m']:g} m",
        uncertainty_m=math.hypot(shared, spread / math.sqrt(len(known))),
        detail={
            "analysis": analysis.uuid,
            "seconds": len(known),
            "narrowest_m": min(width for width, _ in known),
            "widest_m": max(width for width, _ in known),
            "laser_gap_m": made_from["laser_gap_m"],
        },
    )
