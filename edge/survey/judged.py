"""How far a tow's counts are and what they come to. Status, results, overview and exports all ask here when a tow is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.store.reads.counts import CountRow
from edge.store.reads.surveys import ProtocolRow, TowRow
from edge.store.sqlite import Connection
from edge.survey.counting.judge import CountsState, TowCounts, tow_counts
from edge.survey.counting.rules import judging_rules, of_one_origin, standing_counts
from edge.survey.reckoning import Counted, reckon_count


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTow:
    """A tow's counts under the rules they were made by.

    Attributes:
        rules: None where the survey has none yet.
        revealed: counts that stand and that everybody may read; none of a reference set.
        progress: how far they are; REVEALED means counted: as many as the rules ask for, agreeing, and a minute that counts.
        counted: what they come to; None before the reveal.
    """

    rules: ProtocolRow | None
    revealed: tuple[CountRow, ...]
    progress: TowCounts
    counted: Counted | None

    @property
    def is_counted(self) -> bool:
        """Whether the tow has a result that people counted."""
        return self.progress.state is CountsState.REVEALED


def judge_tow(connection: Connection, counts: Sequence[CountRow], *, survey_id: int | None, is_reference: bool) -> JudgedTow:
    """Judge the counts of a tow, those set aside may be among them."""
    rules = judging_rules(connection, counts, survey_id)
    progress = tow_counts(counts, rules, is_reference=is_reference)
    revealed = () if is_reference else tuple(one for one in standing_counts(counts) if one.revealed_utc is not None)
    if rules is None or not revealed:
        return JudgedTow(rules=rules, revealed=revealed, progress=progress, counted=None)
    counted = reckon_count(revealed, rules)
    return JudgedTow(rules=rules, revealed=revealed, progress=_what_they_lack(progress, rules, revealed, counted), counted=counted)


def _what_they_lack(progress: TowCounts, rules: ProtocolRow, revealed: Sequence[CountRow], counted: Counted) -> TowCounts:
    """Counts can lie open and be no result: those of a table, those of a broken seal, those of several versions of the rules."""
    of_one, _ = of_one_origin(revealed)
    missing = rules.counters - len(of_one)
    if counted.needs_third:
        words = "the counters do not agree: a third person counts"
        return replace(progress, state=CountsState.THIRD_COUNT, needed=len(of_one) + 1, words=words)
    if missing > 0:
        words = f"{missing} of {rules.counters} counters missing"
        return replace(progress, state=CountsState.COUNTER_MISSING, needed=rules.counters, words=words)
    if counted.count is None:
        return replace(progress, state=CountsState.UNUSABLE, words="; ".join(counted.reasons))
    return progress


def does_its_station(tow: TowRow | None) -> bool:
    """Whether a tow, once counted, does its station: it is in the analysis and not marked as invalid."""
    return tow is not None and tow.in_analysis and tow.is_valid is not False
