"""A new round of blind counts, where what was revealed can give no result any more.

After a broken seal, a table whose counters disagree, or a release, no further count is blind: everybody could have read what there was.
An administrator, with a reason, sets all of it aside and has it sealed again; then the tow is counted as if for the first time. That it was
seen once stays: every result of it says so, and who counted before.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import CountRefusedError
from edge.store import count_rounds
from edge.store.count_rounds import RoundRow, Rows, rounds_of
from edge.store.reads.counts import CountRow, counts_of_tow
from edge.store.seal import Seal
from edge.store.sealed_runs import release_of
from edge.store.sqlite import Connection
from edge.store.waiting import seen_before, tows_seen_before
from edge.survey.counting.beginning import is_reference
from edge.survey.counting.content import CountContent, TypedMinute, pack


def begin_round(connection: Connection, seal: Seal, tow_id: int, reason: str, *, actor: str) -> int:
    """Set aside what there is of a tow. Returns how many counts were set aside.

    Raises:
        CountRefusedError: nothing was revealed, released or seen before of this tow, or it is footage of a reference set.
    """
    if is_reference(connection, tow_id):
        raise CountRefusedError("footage of a reference set stays sealed, and everybody counts it once")
    revealed = [one for one in counts_of_tow(connection, tow_id) if one.revealed_utc is not None]
    if not revealed and release_of(connection, tow_id) is None and seen_before(connection, tow_id) is None:
        advice = "Set aside the count that is wrong; what is counted then is as blind as what stands."
        raise CountRefusedError("nothing of this tow was revealed, released or seen before: no new round is needed", advice=advice)
    return count_rounds.begin_round(connection, seal, tow_id, reason, pack=_packed, actor=actor)


def begin_rounds(connection: Connection, seal: Seal, survey_id: int, reason: str, *, actor: str) -> int:
    """Begin one for each tow of a survey that nobody counts and that has files which were seen before. Returns how many.

    Raises:
        CountRefusedError: there is none.
    """
    seen = tows_seen_before(connection, survey_id)
    if not seen:
        raise CountRefusedError("no tow of this survey has files that were seen before its rules", advice="Reload the page.")
    for tow_id in seen:
        begin_round(connection, seal, tow_id, reason, actor=actor)
    return len(seen)


def _packed(rows: Rows) -> bytes:
    """As a count that was typed, so that its counter can read it, and every row as it was."""
    typed = {
        int(one["minute"]): TypedMinute(
            systems=one["systems"], lost_s=one["lost_s"], nephrops_in=one["nephrops_in"], nephrops_out=one["nephrops_out"]
        )
        for one in rows["count_minutes"]
    }
    return count_rounds.packed_rows(pack(CountContent(way="typed", typed=typed)), rows)


def round_flags(connection: Connection, tow_id: int, used: Sequence[CountRow]) -> tuple[str, ...]:
    """What a result says of a tow that was counted anew: when and why, and who of its counters had counted it before."""
    rounds = rounds_of(connection, tow_id)
    if not rounds:
        return ()
    earlier = {one.counter for one in counts_of_tow(connection, tow_id) if one.state == "set_aside" and one.signed_utc is not None}
    again = [one.counter for one in used if one.counter in earlier]
    who = f"; {' and '.join(again)} had counted it before" if again else ""
    return tuple(_words(one) + who for one in rounds)


def _words(one: RoundRow) -> str:
    return f"counted anew since {one.begun_utc[:10]}, after counts or results of models had been shown ({one.begun_by}: {one.reason})"
