"""What two minutes counted blind to the model say of its misses, as pages, the API and a station's result tell it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from edge.store.reads import miss_checks as reads
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.miss_checks import CheckRow
from edge.store.reads.reviews import WHOLE_TOW, review_figures
from edge.store.sqlite import Connection
from edge.survey.miss_check import WITHIN_S, CountedOpening, Interval, Mark, Misses, crossing_of, interval_of, misses
from edge.survey.miss_desk import content_of, name_of
from edge.survey.miss_gate import CheckState, Gate

WHAT = "minutes drawn at random and counted by a reviewer blind to the model, against its openings that count after review: advisory"


def misses_of(connection: Connection, analysis: AnalysisRow, check: CheckRow) -> Misses:
    """What a check that is done comes to, as the openings of an analysis are decided now."""
    content, speeds = content_of(check), reads.speeds_of(connection, analysis.id)
    marked = [
        (crossing_of(mark, line_height=check.line_height, height_px=check.height_px, speeds=speeds), mark.x)
        for mark in (Mark(at_s=one.at_s, x=one.x, y=one.y) for one in content.marks if one.x is not None and one.y is not None)
    ]
    minutes = tuple(json.loads(check.minutes_json))
    openings: dict[int, CountedOpening] = {}
    for begin, end in map(interval_of, minutes):
        for row in reads.counted_openings(connection, analysis.id, from_s=begin - WITHIN_S, to_s=end + WITHIN_S):
            openings[row.id] = CountedOpening(id=row.id, crossing_s=row.crossing_s, x=row.across_px / check.width_px)
    lost: list[Interval] = [(begin, end) for begin, end in content.lost]
    whole = review_figures(connection, analysis.id, WHOLE_TOW)
    return misses(marked, list(openings.values()), minutes, lost=lost, counted=whole.counted, undecided=whole.counted_undecided)


def misses_source(connection: Connection, analysis: AnalysisRow, gate: Gate) -> dict[str, Any]:
    """The object `misses` of a station's result: state, minutes, recall and the estimate with their intervals, and a sentence."""
    check = gate.check
    told: dict[str, Any] = {
        "what": WHAT,
        "state": str(gate.state),
        "words": _state_words(gate),
        "drawn": list(gate.minutes),
        "seed": None if check is None else check.seed,
        "counted_by": name_of(check) if check is not None and gate.state is CheckState.DONE else None,
    }
    if gate.state is not CheckState.DONE or check is None:
        return told
    found = misses_of(connection, analysis, check)
    return {**told, **asdict(found), "marks": found.marks, "words": words_of(found, name_of(check))}


def words_of(found: Misses, who: str) -> str:
    """The sentence on a check that is done."""
    minutes = " and ".join(str(one.minute) for one in found.minutes)
    where = f"minute{'s' if len(found.minutes) > 1 else ''} {minutes}"
    if found.recall is None or found.recall_low is None or found.recall_high is None:
        return f"{who} marked no opening in {where}: what the model misses cannot be told from that"
    has = sum(one.both for one in found.minutes)
    said = (
        f"of {found.marks} openings that {who} marked in {where}, blind to the model, it has {has}: "
        f"recall {found.recall:.2f} ({found.recall_low:.2f} to {found.recall_high:.2f} with 95 %)"
    )
    if found.missed_in_tow is not None and found.missed_low is not None:
        span = f"{found.missed_low:.0f} {'or more' if found.missed_high is None else f'to {found.missed_high:.0f}'}"
        said += f"; beside the {found.counted} that count, about {found.missed_in_tow:.0f} of the tow are missed ({span})"
        if found.undecided:
            said += f"; {found.undecided} of the {found.counted} are undecided, and as far as they are no openings the estimate is too high"
    if found.is_few:
        said += f". {found.marks} marks are few: the interval says more than the estimate"
    return said


def _state_words(gate: Gate) -> str:
    minutes = " and ".join(map(str, gate.minutes))
    if gate.state is CheckState.NOT_POSSIBLE:
        return f"no minutes can be counted blind: {gate.words}"
    if gate.state is CheckState.TO_DRAW:
        return "no minutes are drawn yet: what the model misses is not measured"
    if gate.check is None or gate.state is CheckState.DONE:
        return ""
    if gate.state is CheckState.DECLINED:
        return f"minutes {minutes} were not counted blind: {gate.check.reason} ({gate.check.ended_by})"
    return f"{name_of(gate.check)} has yet to count minutes {minutes} blind to the model"
