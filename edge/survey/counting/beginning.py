"""Who may begin a count of a tow and by which rules; what an administrator has to say before changing what counts stand for."""

from __future__ import annotations

from collections.abc import Sequence

from edge.errors import CountRefusedError
from edge.store.reads import counts as reads
from edge.store.reads.counts import CountRow
from edge.store.reads.qualifications import best_standing, qualification_rule
from edge.store.reads.surveys import ProtocolRow, protocol_in_force, survey, tow
from edge.store.sqlite import Connection
from edge.survey.agreement import AgreementState
from edge.survey.counting.judge import CountsState, counts_agreement, tow_counts
from edge.survey.counting.rules import judging_rules
from edge.survey.people import Person, Role


def rules_for_new(connection: Connection, tow_id: int, person: Person) -> ProtocolRow:
    """The rules of the counts that stand, else those in force: counts of one tow are made under one version.

    Raises:
        CountRefusedError: there are none, this person is barred, or as many count as are asked for.
    """
    of = tow(connection, tow_id)
    in_force = None if of is None or of.survey_id is None else protocol_in_force(connection, of.survey_id)
    if of is None or in_force is None:
        advice = "Set the survey's protocol first: minutes, line height and rules are fixed before anybody counts."
        raise CountRefusedError("there is no protocol to count this tow by", advice=advice)
    is_footage = is_reference(connection, tow_id)
    if not is_footage:
        _check_qualified(connection, in_force.survey_id, person)
    standing = standing_of(connection, tow_id)
    rules = judging_rules(connection, standing, of.survey_id)
    assert rules is not None  # counts refer to it, and one is in force
    if not is_footage:
        _check_room(standing, rules)
    return rules


def standing_of(connection: Connection, tow_id: int) -> list[CountRow]:
    """The counts of a tow that nobody set aside."""
    return [one for one in reads.counts_of_tow(connection, tow_id) if one.state != "set_aside"]


def is_reference(connection: Connection, tow_id: int) -> bool:
    """Whether a tow is footage of a reference set."""
    of = tow(connection, tow_id)
    its = None if of is None or of.survey_id is None else survey(connection, of.survey_id)
    return its is not None and its.kind == "reference"


def check_administrator(person: Person, reason: str, what: str) -> None:
    """Only an administrator, and only with a reason.

    Raises:
        CountRefusedError: one of the two is missing.
    """
    if not person.may(Role.ADMINISTER):
        raise CountRefusedError(f"only an administrator may {what}")
    if not reason.strip():
        raise CountRefusedError(f"to {what} needs a reason", advice="The reason stands beside the counts for good.")


def _check_room(standing: Sequence[CountRow], rules: ProtocolRow) -> None:
    """A further count only where one is missing or a third is asked for; after a reveal it says that it is not blind."""
    revealed = [one for one in standing if one.revealed_utc is not None]
    state = tow_counts(standing, rules, is_reference=False).state
    third = state is CountsState.THIRD_COUNT or (
        len(standing) == 2 and counts_agreement(revealed, rules).state is AgreementState.THIRD_COUNT
    )
    if len(standing) < (rules.counters + 1 if third else rules.counters):
        return
    names = " and ".join(one.counter for one in standing)
    if revealed:
        advice = "Another would not be blind. To practise, count a reference set; a wrong count is set aside by an administrator."
        raise CountRefusedError(f"the counts of this tow by {names} are revealed", advice=advice)
    advice = "A further person counts only where these do not agree, or when an administrator set one of them aside."
    raise CountRefusedError(f"{names} count this tow", advice=advice)


def _check_qualified(connection: Connection, survey_id: int, person: Person) -> None:
    """Who has not passed on a reference set is marked everywhere, and barred only where the survey says so."""
    found = best_standing(connection, person.id)
    if qualification_rule(connection, survey_id).bars and (found is None or not found.passed):
        advice = "Count a reference set first; or an administrator lets the survey take counters that have not passed."
        raise CountRefusedError(f"{person.name} has not passed on a reference set, which this survey asks for", advice=advice)
