"""Who is qualified on a reference set, judged inside the transaction that changes it: a signature, a reference, a count set aside."""

from __future__ import annotations

from edge.errors import StoreError
from edge.store import audit, counts
from edge.store.reads import counts as reads
from edge.store.reads import qualifications as known
from edge.store.reads.surveys import protocol, tow
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.survey.counting.content import unpack
from edge.survey.counting.reference import CountedTow, qualification, standing
from edge.survey.counting.tally import Window, tally


def judge_person(connection: Connection, seal: Seal, person_id: int, survey_id: int) -> None:
    """Hold everything that a person has signed of a set against its references, and keep the result where it says something new.

    Raises:
        StoreError: a seal does not open.
    """
    counted = tuple(
        _counted(connection, seal, row, station) for row, station in reads.signed_counts_of_person(connection, person_id, survey_id)
    )
    rule = known.qualification_rule(connection, survey_id)
    found = standing(counted, known.references(connection, survey_id), rule.stations)
    new = qualification(found, person_id=person_id, survey_id=survey_id, ccc_limit=rule.ccc_limit)
    last = next((one for one in known.qualifications(connection, survey_id) if one.person_id == person_id), None)
    if last is None or (last.passed, last.detail_json, last.ccc) != (new.passed, new.detail_json, new.ccc):
        counts.add_qualification(connection, new)


def judge_everybody(connection: Connection, seal: Seal, survey_id: int, *, actor: str) -> None:
    """Judge all who have signed a count of a set again, after its references changed.

    Whose seal does not open stays as they were judged; the audit trail tells it, and the references are not held up.
    """
    for person_id in reads.signers(connection, survey_id):
        try:
            judge_person(connection, seal, person_id, survey_id)
        except StoreError as error:
            audit.append(connection, actor, "qualification_kept", f"person/{person_id}", {"survey": survey_id, "why": str(error)})


def _counted(connection: Connection, seal: Seal, row: reads.CountRow, station: str) -> CountedTow:
    rules, of = protocol(connection, row.protocol_id), tow(connection, row.tow_id)
    assert rules is not None  # the count refers to both
    assert of is not None
    content = unpack(counts.sealed_content(connection, seal, row.id))
    window = Window(first_minute=rules.first_minute, last_minute=rules.last_minute)
    name = station if of.ordinal == 1 else f"{station}, tow {of.ordinal}"
    return CountedTow(tow_id=of.id, station=name, minutes=tally(content, window, ()).minutes)  # signed: what is missing is frozen
