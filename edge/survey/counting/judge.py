"""How far the counts of a tow are, who may begin one, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from edge.store.reads.counts import CountedMinute, CountRow
from edge.store.reads.surveys import ProtocolRow
from edge.survey.agreement import PAUSE_LIMIT_S, Agreement, AgreementState, agreement
from edge.survey.counting.clock import counts_differ
from edge.survey.density import MINUTE_S, MinuteRule


class CountsState(StrEnum):
    """Where the counts of a tow stand. Before the reveal nothing of their content is anywhere but under the seal.

    UNUSABLE: there is no result, such as where no minute of the window counts (only `judge_tow` finds that), or, still sealed,
    where the counters counted by different starts of line.
    """

    NOT_BEGUN = "not_begun"
    COUNTING = "counting"
    COUNTER_MISSING = "counter_missing"
    THIRD_COUNT = "third_count"
    REVEALED = "revealed"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True, kw_only=True)
class TowCounts:
    """The counts of a tow that stand, without their content.

    Attributes:
        needed: signatures that reveal the counts: the protocol's, or one more where the first two do not agree; 0 without a protocol.
            Of reference footage, which is never revealed: as many as have begun.
        words: a sentence on what is missing.
    """

    state: CountsState
    needed: int
    signed: int
    open: int
    words: str


def tow_counts(counts: Sequence[CountRow], rules: ProtocolRow | None, *, is_reference: bool) -> TowCounts:
    """Where the counts of a tow stand under `rules`, which are those that they were made by (`judging_rules`).

    As many signatures as those rules ask for and still sealed means one of two things: the counters counted by different clocks, or
    the first two do not agree. Nobody is asked to count reference footage again: everybody counts it alone, and it stays sealed.
    A table's counts of it are not spoken of.
    """
    standing = [one for one in counts if one.state != "set_aside" and not (is_reference and one.origin == "imported")]
    signed = sum(one.state == "signed" for one in standing)
    opened = len(standing) - signed
    if rules is None:
        return _told(CountsState.NOT_BEGUN, 0, signed, opened, "no protocol is stated, so nobody can count")
    if is_reference and standing:
        words = f"{signed} of {len(standing)} have signed; each counts for themselves, and it stays sealed"
        return _told(CountsState.COUNTING, len(standing), signed, opened, words)
    needed = rules.counters
    if any(one.revealed_utc for one in standing):
        return _told(CountsState.REVEALED, max(needed, signed), signed, opened, "")  # a third signature was needed where there is one
    if signed >= needed and (differ := counts_differ([one for one in standing if one.state == "signed"])):
        words = f"{differ}; an administrator sets the one with the wrong clock aside, and it is counted anew, blind"
        return _told(CountsState.UNUSABLE, needed, signed, opened, words)
    if signed >= needed:
        words = "the counters do not agree: a third person counts, as blind as they did"
        return _told(CountsState.THIRD_COUNT, needed + 1, signed, opened, words)
    if not standing:
        return _told(CountsState.NOT_BEGUN, needed, signed, opened, "nobody has begun to count")
    missing = needed - len(standing)
    stalled = [one for one in standing if one.stalled]
    if stalled:
        who = " and ".join(f"{one.counter} ({one.stalled})" for one in stalled)
        words = f"{who} cannot go on with the open count: an administrator sets it aside, then somebody else begins anew"
        return _told(CountsState.COUNTER_MISSING, needed, signed, opened, words)
    if missing > 0:
        who = "a counter is" if missing == 1 else f"{missing} counters are"
        return _told(CountsState.COUNTER_MISSING, needed, signed, opened, f"{who} missing: the protocol asks for {needed}")
    return _told(CountsState.COUNTING, needed, signed, opened, f"{signed} of {needed} have signed")


def counts_agreement(counts: Sequence[CountRow], protocol: ProtocolRow) -> Agreement:
    """Lin's coefficient of the first two counters, over the minutes of the window that both have and nobody lost.

    A table's counts may have other minutes too: they enter neither this nor the station's count. Nor does a count that was not made
    blind; and counts made by different clocks are not compared at all.
    """
    pair = [one for one in counts if not one.not_blind][:2]
    found = minutes_agreement({one.counter: one.minutes for one in pair}, protocol)
    return replace(found, state=AgreementState.NOT_COMPARABLE, ccc=None) if counts_differ(pair) else found


def minutes_agreement(by_counter: Mapping[str, Mapping[int, CountedMinute]], protocol: ProtocolRow) -> Agreement:
    """The same for counts that are not revealed: counter -> minute -> what was counted, in the order of the counters."""
    rule = MinuteRule(protocol.minute_rule)
    limit_s = PAUSE_LIMIT_S if rule is MinuteRule.DROP_MINUTE else MINUTE_S
    pair = {
        counter: {minute: one for minute, one in minutes.items() if minute in protocol.minutes}
        for counter, minutes in list(by_counter.items())[:2]
    }
    unusable = {minute for minutes in pair.values() for minute, one in minutes.items() if one.lost_s >= limit_s}
    series = {counter: {minute: _systems(one, rule) for minute, one in minutes.items()} for counter, minutes in pair.items()}
    return agreement(series, unusable, min_mean_per_minute=protocol.min_mean_per_minute, ccc_limit=protocol.ccc_limit)


def needs_third(by_counter: Mapping[str, Mapping[int, CountedMinute]], protocol: ProtocolRow) -> bool:
    """Whether a third person has to count before these counts are revealed."""
    return len(by_counter) == 2 and minutes_agreement(by_counter, protocol).state is AgreementState.THIRD_COUNT


def pairwise_agreement(counts: Sequence[CountRow], protocol: ProtocolRow) -> tuple[Agreement, ...]:
    """Every two of the counters: where there are three, which of them agree."""
    blind = [one for one in counts if not one.not_blind]
    pairs = [(a, b) for place, a in enumerate(blind) for b in blind[place + 1 :]]
    return tuple(counts_agreement(pair, protocol) for pair in pairs)


def _systems(one: CountedMinute, rule: MinuteRule) -> float:
    """What a counter would have seen in the whole minute, under the rule that scales; as counted under the other."""
    if rule is MinuteRule.SCALE and one.lost_s < MINUTE_S:
        return one.systems * MINUTE_S / (MINUTE_S - one.lost_s)
    return one.systems


def _told(state: CountsState, needed: int, signed: int, opened: int, words: str) -> TowCounts:
    return TowCounts(state=state, needed=needed, signed=signed, open=opened, words=words)
