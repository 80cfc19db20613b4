"""What a model's count of a tow was made from, as the result of a station tells it."""

from __future__ import annotations

import json
from typing import Any

from edge.store.reads.footage import AnalysisRow, analysed_minutes, analysis_of_tow
from edge.store.reads.reviews import is_reviewed, review_tally, reviewed_openings
from edge.store.sealed_runs import holds_blind_files, is_blind
from edge.store.sqlite import Connection
from edge.survey.miss_gate import CheckState, Gate, gate_of
from edge.survey.misses_told import misses_source
from edge.survey.reviewed import reviewed_count

ADVISORY = "unique openings and systems that crossed the line, counted by the appliance from a model's findings: advisory, in no density"

REVIEWED = "the model's count after people accepted, rejected and grouped its openings; undecided ones count as the model says: advisory"


def shown_analysis(connection: Connection, tow_id: int) -> AnalysisRow | None:
    """What the footage of a tow came to, as it may be shown: without figures while anybody counts the tow blind.

    An analysis that people have reviewed stays in plain rows when its tow is counted blind again; nothing of it is shown then.
    """
    found = analysis_of_tow(connection, tow_id)
    if found is None or found.is_sealed or not holds_blind_files(connection, tow_id):
        return found
    return found._replace(is_sealed=1, openings=None, openings_sd=None, systems=None, systems_sd=None)


def model_source(connection: Connection, analysis: AnalysisRow | None) -> dict[str, Any] | None:
    """Model, tracker, figures with their uncertainty and what the footage was; None where nothing was counted from footage."""
    if analysis is None:
        return None
    made_from = json.loads(analysis.made_from_json)
    gate = None if analysis.is_sealed or analysis.state != "done" else gate_of(connection, analysis)
    return {
        "what": ADVISORY,
        "analysis": analysis.uuid,
        "state": "sealed" if analysis.is_sealed else analysis.state,
        "reason": _why_sealed(connection, analysis.tow_id) if analysis.is_sealed else analysis.reason,
        "model": None if analysis.model is None else f"{analysis.model} {analysis.model_version}",
        "tracker": analysis.tracker,
        "software_version": analysis.software_version,
        "openings": analysis.openings,
        "openings_sd": analysis.openings_sd,
        "systems": analysis.systems,
        "systems_sd": analysis.systems_sd,
        "frames": analysis.frames,
        "seen_s": analysis.seen_s,
        "clock": made_from.get("clock"),
        "left_out": made_from.get("left_out", []),
        "per_minute": [] if analysis.is_sealed else _per_minute(connection, analysis, gate),
        "not_in_per_minute": _kept_back(gate),
        "made_utc": analysis.made_utc,
        "reviewed": reviewed_source(connection, analysis, gate),
        "misses": None if gate is None else misses_source(connection, analysis, gate),
    }


def _per_minute(connection: Connection, analysis: AnalysisRow, gate: Gate | None) -> list[dict[str, Any]]:
    """The minutes of an analysis, but those that may be counted blind to it: all before they are drawn, then those."""
    return [one._asdict() for one in analysed_minutes(connection, analysis.id) if gate is None or not gate.hides_minute(one.minute)]


def _kept_back(gate: Gate | None) -> str | None:
    """Which minutes are not among those told, in words; None where all are. Figures of the whole tow are always told."""
    if gate is None or gate.state not in (CheckState.TO_DRAW, CheckState.OPEN):
        return None
    if gate.state is CheckState.TO_DRAW:
        return "no minute is told before the review has drawn those that are counted blind to the model; the figures of the whole tow are"
    return f"minutes to be counted blind to the model first: {', '.join(map(str, gate.minutes))}"


def _why_sealed(connection: Connection, tow_id: int) -> str:
    if is_blind(connection, tow_id):
        return "people count the tow blind"
    return "files of it came after its counts were shown, or from a tow that is counted blind; the page Counts says what to do"


def reviewed_source(connection: Connection, analysis: AnalysisRow, gate: Gate | None) -> dict[str, Any] | None:
    """The count after review, and how far the review is; None where nobody has reviewed, or where nothing may be shown."""
    if analysis.is_sealed or not is_reviewed(connection, analysis.id):
        return None
    counted = reviewed_count(reviewed_openings(connection, analysis.id))
    by_minute = counted.systems_by_minute
    return {
        "what": REVIEWED,
        "openings": counted.openings,
        "systems": counted.systems,
        "undecided": counted.undecided,
        "rejected": counted.rejected,
        "systems_by_minute": {str(one): by_minute[one] for one in by_minute if gate is None or not gate.hides_minute(one)},
        "decisions": review_tally(connection, analysis.id)._asdict(),
    }
