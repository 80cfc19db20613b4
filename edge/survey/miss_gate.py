"""What of a review stays hidden until two minutes were counted blind to the model: everything before they are drawn, then those minutes.

A check holds as long as the files of the tow, their times and the counting line are the same, also for another model's analysis of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from edge.errors import ReviewRefusedError
from edge.store.reads.footage import AnalysisRow, analysis_by_id
from edge.store.reads.miss_checks import (
    CheckRow,
    SeenRow,
    checks_of_tow,
    countable_seconds,
    frame_size,
    is_begun,
    seen_openings,
    touched_analyses,
)
from edge.store.reads.surveys import protocol_in_force, tow
from edge.store.sqlite import Connection
from edge.survey.carried_clock import clock_shift
from edge.survey.miss_check import MINUTE_S, Interval, countable_minutes, interval_of

NOT_DRAWN = "two minutes are counted blind first, to measure what the model misses: until they are drawn nothing of the model is shown"
NOTHING_SHOWN = "The review page draws them: Begin the review."


class CheckState(StrEnum):
    """Where the minutes counted blind stand. NOT_POSSIBLE: there is no minute to draw."""

    NOT_POSSIBLE = "not_possible"
    TO_DRAW = "to_draw"
    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What stays hidden.

    Attributes:
        words: why there is no minute to draw; empty otherwise.
        minutes: those that were drawn.
        check: the check that holds; None before the draw.
    """

    state: CheckState
    words: str = ""
    minutes: tuple[int, ...] = ()
    check: CheckRow | None = None

    @property
    def hidden(self) -> tuple[Interval, ...]:
        """Seconds of the tow of which nothing that the model found is shown, once the minutes are drawn."""
        return tuple(map(interval_of, self.minutes)) if self.state is CheckState.OPEN else ()

    @property
    def not_shown(self) -> str:
        """What is not shown now, in words; empty where all is."""
        if self.state is CheckState.TO_DRAW:
            return "none is shown before the review's two minutes to be counted blind are drawn"
        if self.state is not CheckState.OPEN:
            return ""
        return (
            f"but those of minute{'s' if len(self.minutes) > 1 else ''} {' and '.join(map(str, self.minutes))}, to be counted blind first"
        )

    def hides_minute(self, minute: int) -> bool:
        """Whether a minute's figures of the model are not to be shown now."""
        return self.state is CheckState.TO_DRAW or (self.state is CheckState.OPEN and minute in self.minutes)


def gate_of(connection: Connection, analysis: AnalysisRow) -> Gate:
    """Where the check of an analysis stands. The analysis must not be sealed."""
    key = footage_key(analysis.made_from_json)
    row = next((one for one in checks_of_tow(connection, analysis.tow_id) if one.footage_sha256 == key), None)
    if row is not None:
        return Gate(state=CheckState(row.state), minutes=tuple(json.loads(row.minutes_json)), check=row)
    pool, why = pool_of(connection, analysis)
    return Gate(state=CheckState.TO_DRAW) if pool else Gate(state=CheckState.NOT_POSSIBLE, words=why)


def check_drawn(gate: Gate) -> None:
    """Refuse where nothing of the model may be shown yet.

    Raises:
        ReviewRefusedError: the minutes are not drawn.
    """
    if gate.state is CheckState.TO_DRAW:
        raise ReviewRefusedError(NOT_DRAWN, advice=NOTHING_SHOWN)


def withheld_words(connection: Connection, analysis: AnalysisRow) -> str:
    """Why no export may hold an analysis now; empty where one may, as of a tow whose review nobody has begun. It must not be sealed."""
    gate = gate_of(connection, analysis)
    if gate.state is CheckState.OPEN:
        several = len(gate.minutes) > 1
        minutes = f"minute{'s' if several else ''} {' and '.join(map(str, gate.minutes))} of it {'are' if several else 'is'}"
        return f"{minutes} to be counted blind to the model first: nothing of it leaves before they are counted or declined"
    if gate.state is CheckState.TO_DRAW and is_begun(connection, analysis.tow_id):
        return "its review was begun, and minutes to be counted blind to the model are not drawn: begin the review of what was found last"
    return ""


def window_of(connection: Connection, tow_id: int) -> tuple[int, int] | None:
    """First and last counted minute of a tow; None where no protocol says."""
    of = tow(connection, tow_id)
    rules = None if of is None or of.survey_id is None else protocol_in_force(connection, of.survey_id)
    return None if rules is None else (rules.first_minute, rules.last_minute)


def pool_of(connection: Connection, analysis: AnalysisRow) -> tuple[tuple[int, ...], str]:
    """The minutes that can be drawn; or why there is none."""
    if frame_size(connection, analysis.tow_id) is None:
        return (), "no size of its frames is known"
    first, last = window_of(connection, analysis.tow_id) or (1, 1 << 30)
    countable = countable_minutes(countable_seconds(connection, analysis.id), first, last)
    if not countable:
        return (), "no counted minute has 20 s of footage that can be counted"
    known = known_minutes(connection, analysis)
    pool = tuple(minute for minute in countable if minute not in known)
    return pool, "" if pool else "the model's openings of every counted minute have been reviewed already: nobody is blind to them any more"


def known_minutes(connection: Connection, analysis: AnalysisRow) -> frozenset[int]:
    """Minutes of an analysis of whose openings somebody has seen one, in whichever analysis of the tow, each on its own clock.

    Once a review is begun everything of its analysis is shown, but the minutes of a check that is still open. Where nothing tells how an
    earlier clock lies to this one, the minute of the same number is taken as known; footage that left the tow is no minute of it.
    """
    known: set[int] = set()
    open_checks = {one.footage_sha256: one for one in checks_of_tow(connection, analysis.tow_id) if one.state == CheckState.OPEN}
    for touched in touched_analyses(connection, analysis.tow_id):
        old = analysis_by_id(connection, touched.id)
        if old is None:
            continue
        check = open_checks.get(footage_key(old.made_from_json))
        hidden = () if check is None else tuple(map(interval_of, json.loads(check.minutes_json)))
        seen = [
            at_s
            for row in seen_openings(connection, old.id)
            if row.is_decided or (touched.is_shown and not _is_hidden(row, hidden))
            for at_s in (row.first_s, row.last_s)
        ]
        old_s = np.array(seen, np.float64)
        new_s = clock_shift(connection, old, analysis)(old_s)
        is_told = np.isfinite(new_s)
        at_s = new_s[is_told] if is_told.any() else old_s
        known.update((np.floor(at_s / MINUTE_S).astype(int) + 1).tolist())
    return frozenset(known)


def _is_hidden(row: SeenRow, hidden: tuple[Interval, ...]) -> bool:
    end_s = max(row.last_s, row.last_s if row.crossing_s is None else row.crossing_s)
    return any(row.first_s < end and end_s >= begin for begin, end in hidden)


@lru_cache(maxsize=8)
def footage_key(made_from_json: str) -> str:
    """Identity of the files of an analysis, their times and the counting line; which model read them, and their names, are not in it.

    Of clips it is where each came to lie, to a tenth of a second; one that the analysis left out is none of them.
    """
    told = json.loads(made_from_json)
    files = {kind: [[one[0], *one[2:4]] for one in told.get(kind, [])] for kind in ("clips", "stills")}
    begins_s = [place[2] for place in told.get("places", [])]
    if any(begin_s is not None for begin_s in begins_s):
        placed = zip(files["clips"], begins_s, strict=True)
        files["clips"] = sorted([clip[0], round(begin_s, 1)] for clip, begin_s in placed if begin_s is not None)
    parts = {**files, **{name: told.get(name) for name in ("start_utc", "end_utc", "line_height", "clock")}}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
