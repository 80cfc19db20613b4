"""By which version of a survey's rules a tow is judged: that of its own counts, whatever came into force since."""

from __future__ import annotations

from collections.abc import Sequence

from edge.store.reads.counts import CountRow
from edge.store.reads.surveys import ProtocolRow, protocol, protocol_in_force
from edge.store.sqlite import Connection


def standing_counts(counts: Sequence[CountRow]) -> tuple[CountRow, ...]:
    """The counts of a tow that nobody set aside."""
    return tuple(one for one in counts if one.state != "set_aside")


def judging_rules(connection: Connection, counts: Sequence[CountRow], survey_id: int | None) -> ProtocolRow | None:
    """The rules that a tow's counts are judged by: the version they were made under; before any stands, the one in force.

    Counts of one tow are begun under one version. Tables can bring others: then it is the version of the first that is revealed, and
    `reckon_count` says that they are not pooled. None where the survey has no rules yet, or the station no survey.
    """
    standing = standing_counts(counts)
    first = next((one for one in standing if one.revealed_utc is not None), standing[0] if standing else None)
    if first is not None:
        return protocol(connection, first.protocol_id)
    return None if survey_id is None else protocol_in_force(connection, survey_id)


def of_one_origin(counts: Sequence[CountRow]) -> tuple[tuple[CountRow, ...], tuple[CountRow, ...]]:
    """Those that a result may be made from, and those beside them: methods are never mixed in one mean.

    A blind count that was made here puts every imported one beside, also where too few were made here yet.
    """
    own = tuple(one for one in counts if one.origin != "imported" and not one.not_blind)
    if not own:
        return tuple(counts), ()
    return tuple(one for one in counts if one.origin != "imported"), tuple(one for one in counts if one.origin == "imported")
