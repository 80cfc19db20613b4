"""From the seconds of an earlier analysis to those of a later one of the same tow: files were added, or the start of line was corrected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge.store.reads.footage import AnalysisRow, TowClipRow, TowStillRow, clips_of_tow, stills_of_tow
from edge.store.sqlite import Connection
from edge.survey.review_loop import Float64Array
from edge.survey.tow_footage import Clock, times_of_stills

_FILES = ("clips", "stills", "places", "start_utc", "end_utc", "clock")
_HAIR_S = 0.005

Shift = Callable[[Float64Array], Float64Array]


def clock_shift(connection: Connection, old: AnalysisRow, new: AnalysisRow) -> Shift:
    """Seconds of the old analysis -> those of the new one; not a number where the file that showed them is no longer in the tow."""
    before, after = json.loads(old.made_from_json), json.loads(new.made_from_json)
    if _times(before) == _times(after):
        return lambda at_s: at_s
    clips, stills = clips_of_tow(connection, new.tow_id), stills_of_tow(connection, new.tow_id)
    was, now = (_begins(told, clips, stills) for told in (before, after))
    spans = sorted((begin, end, now[key][0] - begin) for key, (begin, end) in was.items() if key in now)
    begins = np.array([span[0] for span in spans]) - _HAIR_S
    ends, shifts = np.array([span[1] for span in spans]) + _HAIR_S, np.array([span[2] for span in spans])

    def shifted(at_s: Float64Array) -> Float64Array:
        if not len(begins):
            return np.full_like(at_s, np.nan)
        place = np.maximum(np.searchsorted(begins, at_s, "right") - 1, 0)
        inside = (at_s >= begins[place]) & (at_s <= ends[place])
        return np.where(inside, at_s + shifts[place], np.nan)

    return shifted


def _times(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the clock of an analysis follows from: everything but which reading of a file it was."""
    return {name: [[one[0], *one[2:]] for one in told.get(name, [])] if name in ("clips", "stills") else told.get(name) for name in _FILES}


def _begins(told: Mapping[str, Any], clips: tuple[TowClipRow, ...], stills: tuple[TowStillRow, ...]) -> dict[int, tuple[float, float]]:
    """Image -> when it begins and ends on the clock of an analysis, of the files that the tow still has."""
    if told.get("clips"):
        said = {one[0]: place[2] for one, place in zip(told["clips"], told.get("places", ()), strict=False)}
        placed_s = [(row, said.get(row.sha256)) for row in clips]
        return {row.image_id: (begin_s, begin_s + (row.read_to_s or 0.0)) for row, begin_s in placed_s if begin_s is not None}
    seen = {one[0]: one for one in told.get("stills", [])}
    placed = [row._replace(at_s=seen[row.sha256][2], capture_time_utc=seen[row.sha256][3]) for row in stills if row.sha256 in seen]
    timed, _ = times_of_stills(placed, Clock(told.get("clock", Clock.SHEET)))
    return {still.image_id: (at_s, at_s) for still, at_s in timed}
