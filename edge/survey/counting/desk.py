"""What a person may do with counts: begin, save, sign; and what an administrator may: set one aside, break the seal of a tow.

Everything is decided inside the transaction that does it, so that two signatures at the same moment reveal once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from edge.errors import CountOutdatedError, CountRefusedError
from edge.store import audit, counts, surveys
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.reads import counts as reads
from edge.store.reads.counts import CountRow
from edge.store.reads.qualifications import QualificationRule, best_standing, qualification_rule, reference_minutes
from edge.store.reads.surveys import ProtocolRow, TowRow, protocol, protocol_in_force, survey, tow
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.counting.content import CountContent, is_saved_as, pack, saved, unpack
from edge.survey.counting.frames import FrameSource, StillFrames
from edge.survey.counting.judge import CountsState, TowCounts, needs_third, tow_counts
from edge.survey.counting.qualify import judge_everybody, judge_person
from edge.survey.counting.rules import judging_rules
from edge.survey.counting.tally import Tally, Window, missing_footage, public_marks, tally
from edge.survey.people import Person, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCount:
    """A counter's own count: what is in it, what it comes to, and the rules it is made under."""

    row: CountRow
    tow: TowRow
    protocol: ProtocolRow
    content: CountContent
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a signature led to."""

    counts: TowCounts
    is_reference: bool


class CountingDesk:
    """Counts of one home folder."""

    def __init__(
        self,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        seal: Seal,
        *,
        check_pin: Callable[[int, str], None],
        frames: FrameSource | None = None,
    ) -> None:
        """Take who writes, who reads, the seal, and who says whether a PIN is that of a person."""
        self._writer = writer
        self._reader = reader
        self._seal = seal
        self._check_pin = check_pin
        self.frames: FrameSource = frames or StillFrames()

    def begin(self, tow_id: int, person: Person) -> int:
        """The id of this person's count of a tow, begun now if there is none. The protocol is locked with the first count.

        Raises:
            CountRefusedError: the person may not count, there are no rules yet, or enough people count this tow already.
        """
        if not person.may(Role.COUNT):
            raise CountRefusedError(f"{person.name} may not count", advice="An administrator gives the role count on the People page.")
        with self._reader() as connection:
            mine = _standing_count_of(connection, tow_id, person.id)
        if mine is not None:
            return mine.id

        def work(connection: Connection) -> int:
            if (mine := _standing_count_of(connection, tow_id, person.id)) is not None:
                return mine.id
            rules = self._rules_for_new(connection, tow_id, person)
            surveys.lock_protocol(connection, rules.id, actor=person.name)
            new = counts.NewCount(
                tow_id=tow_id, protocol_id=rules.id, person_id=person.id, counter=person.name, content=pack(CountContent())
            )
            return counts.open_count(connection, self._seal, new, actor=person.name)

        return self._writer.call(work)

    def own(self, count_id: int, person: Person) -> OwnCount:
        """A person's own count, and nobody else's.

        Raises:
            CountRefusedError: it is not theirs, or it is revealed: then it is read like any other.
        """
        with self._reader() as connection, snapshot(connection):
            return self._own(connection, count_id, person)

    def save(self, count_id: int, person: Person, content: CountContent) -> int:
        """Keep what a counter did. Tells nobody, not even that something was saved. Returns the new revision.

        The same content sent again, as after an answer that was lost, is told as saved and saved once.

        Args:
            count_id: the count.
            person: whose count it is.
            content: all of it, with the revision that it was made from.

        Raises:
            CountOutdatedError: another window saved meanwhile.
            CountRefusedError: it is not theirs, or it is signed.
        """

        def work(connection: Connection) -> int | None:
            row = _own_row(connection, count_id, person)
            _check_open(row)
            kept = unpack(counts.sealed_content(connection, self._seal, count_id))
            if is_saved_as(content, kept):
                return kept.revision
            if kept.revision != content.revision:
                return None
            counts.save_content(connection, self._seal, count_id, pack(saved(content, utc_now())))
            return content.revision + 1

        with self._reader() as connection:  # what is refused for good never reaches the writer, whose log would tell of it
            _check_open(_own_row(connection, count_id, person))
        revision = self._writer.call(work, quiet=True)
        if revision is None:
            raise CountOutdatedError("this count is open in another window, which saved after this one was loaded")
        return revision

    def sign(self, count_id: int, person: Person, pin: str, *, revision: int) -> Signed:
        """Freeze a person's own count; the last signature that is needed reveals all of the tow's.

        Raises:
            PinRefusedError: the PIN is not theirs.
            CountOutdatedError: another window saved after the one that signs.
            CountRefusedError: something of it is missing, or it is signed already.
        """
        own = self.own(count_id, person)
        _check_signable(own, revision)
        self._check_pin(person.id, pin)

        def work(connection: Connection) -> Signed:
            now = self._own(connection, count_id, person)
            _check_signable(now, revision)
            counts.save_content(connection, self._seal, count_id, pack(self._frozen(connection, now)))
            counts.sign(connection, count_id, actor=person.name)
            is_reference = _is_reference(connection, now.tow.id)
            if is_reference:
                judge_person(connection, self._seal, person.id, now.tow.survey_id or 0)
            else:
                self._settle(connection, now.tow.id, person.name)
            told = tow_counts(_standing(connection, now.tow.id), now.protocol, is_reference=is_reference)
            return Signed(counts=told, is_reference=is_reference)

        return self._writer.call(work)

    def set_aside(self, count_id: int, person: Person, reason: str) -> None:
        """Let a count count no more. What is in it stays, sealed or revealed, with the reason.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or it is set aside already.
        """
        _check_administrator(person, reason, "set a count aside")

        def work(connection: Connection) -> None:
            row = reads.count(connection, count_id)
            if row is None or row.state == "set_aside":
                raise CountRefusedError(f"there is no count {count_id} that stands")
            counts.set_aside(connection, count_id, reason.strip(), actor=person.name)
            of = tow(connection, row.tow_id)
            if not _is_reference(connection, row.tow_id):
                self._settle(connection, row.tow_id, person.name)
            elif row.person_id is not None and row.state == "signed" and of is not None:
                judge_person(connection, self._seal, row.person_id, of.survey_id or 0)

        self._writer.call(work)

    def break_seal(self, tow_id: int, person: Person, reason: str) -> None:
        """Reveal what is signed although somebody is missing, such as where nobody else aboard can count.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or nothing sealed is signed.
        """
        _check_administrator(person, reason, "break the seal")

        def work(connection: Connection) -> None:
            if _is_reference(connection, tow_id):
                raise CountRefusedError("footage of a reference set stays sealed: the next person is measured on it too")
            signed = [one for one in _standing(connection, tow_id) if one.state == "signed" and one.revealed_utc is None]
            if not signed:
                raise CountRefusedError("nothing that is signed is sealed here", advice="Wait for a signature; an open count is a draft.")
            audit.append(connection, person.name, "seal_break", f"tow/{tow_id}", {"reason": reason.strip()})
            self._reveal(connection, tow_id, signed, actor=person.name, why=reason.strip())

        self._writer.call(work)

    def own_reference(self, count_id: int, person: Person) -> tuple[OwnCount, Mapping[int, float]]:
        """A person's own signed count of reference footage, with the reference's minutes.

        Raises:
            CountRefusedError: it is not theirs, is not signed, or is no reference footage.
        """
        own = self.own(count_id, person)
        with self._reader() as connection:
            if own.row.state != "signed" or not _is_reference(connection, own.tow.id):
                raise CountRefusedError("the reference is shown after your own signature")
            return own, reference_minutes(connection, own.tow.id)

    def set_reference(self, tow_id: int, minutes: Mapping[int, float], source: str, person: Person) -> None:
        """Give a tow of a reference set its known counts, and judge everybody who has counted the set again.

        Raises:
            CountRefusedError: the person is no administrator, the tow belongs to no reference set, or there is no source.
        """
        _check_administrator(person, source, "set the reference")

        def work(connection: Connection) -> None:
            if not _is_reference(connection, tow_id):
                raise CountRefusedError("this tow belongs to no reference set", advice="Make a survey of the kind reference for it.")
            counts.set_reference(connection, tow_id, minutes, source, actor=person.name)
            of = tow(connection, tow_id)
            judge_everybody(connection, self._seal, 0 if of is None else of.survey_id or 0, actor=person.name)

        self._writer.call(work)

    def set_rule(self, survey_id: int, rule: QualificationRule, person: Person) -> None:
        """Say what is asked of counters: on a reference set, or (whether they are barred) in a survey.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or the limit is no coefficient.
        """
        _check_administrator(person, rule.reason, "change what is asked of counters")
        if not 0 <= rule.ccc_limit <= 1:
            raise CountRefusedError(f"{rule.ccc_limit} is no limit of a coefficient", advice="Give a number from 0 to 1.")
        if rule.stations is not None and rule.stations < 1:
            raise CountRefusedError(f"{rule.stations} stations qualify nobody", advice="Give 1 or more, or leave it empty for all.")
        self._writer.call(lambda connection: counts.set_qualification_rule(connection, survey_id, rule, actor=person.name))

    # Inside ------------------------------------------------------------------------------------------------------

    def _rules_for_new(self, connection: Connection, tow_id: int, person: Person) -> ProtocolRow:
        """The rules of the counts that stand, else those in force: counts of one tow are made under one version."""
        of = tow(connection, tow_id)
        in_force = None if of is None or of.survey_id is None else protocol_in_force(connection, of.survey_id)
        if of is None or in_force is None:
            advice = "Set the survey's protocol first: minutes, line height and rules are fixed before anybody counts."
            raise CountRefusedError("there is no protocol to count this tow by", advice=advice)
        is_reference = _is_reference(connection, tow_id)
        if not is_reference:
            _check_qualified(connection, in_force.survey_id, person)
        standing = _standing(connection, tow_id)
        rules = judging_rules(connection, standing, of.survey_id)
        assert rules is not None  # counts refer to it, and one is in force
        if is_reference:
            return rules
        state = tow_counts(standing, rules, is_reference=False)
        third = state.state is CountsState.THIRD_COUNT or any(one.revealed_utc for one in standing)
        if len(standing) >= (rules.counters + 1 if third else rules.counters):
            advice = "A further person counts only where these do not agree, or when an administrator set one of them aside."
            raise CountRefusedError(f"{' and '.join(one.counter for one in standing)} count this tow", advice=advice)
        return rules

    def _settle(self, connection: Connection, tow_id: int, actor: str) -> None:
        """Reveal what is to be revealed after a signature, or after a count was set aside."""
        standing = _standing(connection, tow_id)
        signed = [one for one in standing if one.state == "signed" and one.revealed_utc is None]
        if not signed:
            return
        rules = protocol(connection, signed[0].protocol_id)
        assert rules is not None  # the count refers to it
        if any(one.revealed_utc for one in standing):
            self._reveal(connection, tow_id, signed, actor=actor, why="signed after the reveal")
        elif len(signed) >= rules.counters and not self._asks_for_third(connection, signed, rules):
            self._reveal(connection, tow_id, signed, actor=actor, why="all have signed")

    def _asks_for_third(self, connection: Connection, signed: Sequence[CountRow], rules: ProtocolRow) -> bool:
        if len(signed) != 2:
            return False
        return needs_third({one.counter: self._tally(connection, one, rules).minutes for one in signed}, rules)

    def _reveal(self, connection: Connection, tow_id: int, signed: Sequence[CountRow], *, actor: str, why: str) -> None:
        for one in signed:
            rules = protocol(connection, one.protocol_id)
            assert rules is not None  # the count refers to it
            content = unpack(counts.sealed_content(connection, self._seal, one.id))
            minutes = self._tally(connection, one, rules).minutes
            counts.reveal(connection, one.id, minutes.values(), public_marks(content))
        counts.publish_tow(connection, self._seal, tow_id, actor=actor, why=why)

    def _tally(self, connection: Connection, row: CountRow, rules: ProtocolRow) -> Tally:
        content = unpack(counts.sealed_content(connection, self._seal, row.id))
        return self._made_up(connection, row.tow_id, content, rules)

    def _made_up(self, connection: Connection, tow_id: int, content: CountContent, rules: ProtocolRow) -> Tally:
        times_s = [one.at_s for one in self.frames.frames(connection, tow_id).frames]
        return tally(content, Window(first_minute=rules.first_minute, last_minute=rules.last_minute), times_s)

    def _frozen(self, connection: Connection, own: OwnCount) -> CountContent:
        """The content with the footage that is missing now, as it was signed."""
        times_s = [one.at_s for one in self.frames.frames(connection, own.tow.id).frames]
        window = Window(first_minute=own.protocol.first_minute, last_minute=own.protocol.last_minute)
        return replace(own.content, missing=missing_footage(times_s, window))

    def _own(self, connection: Connection, count_id: int, person: Person) -> OwnCount:
        row = _own_row(connection, count_id, person)
        of, rules = tow(connection, row.tow_id), protocol(connection, row.protocol_id)
        assert of is not None  # the count refers to both
        assert rules is not None
        content = unpack(counts.sealed_content(connection, self._seal, count_id))
        return OwnCount(row=row, tow=of, protocol=rules, content=content, tally=self._made_up(connection, of.id, content, rules))


def _standing(connection: Connection, tow_id: int) -> list[CountRow]:
    return [one for one in reads.counts_of_tow(connection, tow_id) if one.state != "set_aside"]


def _standing_count_of(connection: Connection, tow_id: int, person_id: int) -> CountRow | None:
    return next((one for one in _standing(connection, tow_id) if one.person_id == person_id), None)


def _own_row(connection: Connection, count_id: int, person: Person) -> CountRow:
    row = reads.count(connection, count_id)
    if row is None or row.person_id != person.id:  # the same words for both: whether somebody else counts is not told here
        raise CountRefusedError(f"{person.name} has no count {count_id}", advice="Open your own count from the station's page.")
    return row


def _check_open(row: CountRow) -> None:
    if row.state != "open":
        word = "signed" if row.state == "signed" else "set aside"
        raise CountRefusedError(f"this count is {word}; it cannot change any more")


def _check_signable(own: OwnCount, revision: int) -> None:
    _check_open(own.row)
    if own.content.revision != revision:
        raise CountOutdatedError("what you would sign is not what was saved last: another window saved meanwhile")
    if own.tally.hindrances:
        raise CountRefusedError("this count cannot be signed yet: " + "; ".join(own.tally.hindrances), advice="Complete it, then sign.")


def _check_administrator(person: Person, reason: str, what: str) -> None:
    if not person.may(Role.ADMINISTER):
        raise CountRefusedError(f"only an administrator may {what}")
    if not reason.strip():
        raise CountRefusedError(f"to {what} needs a reason", advice="The reason stands beside the counts for good.")


def _check_qualified(connection: Connection, survey_id: int, person: Person) -> None:
    """Who has not passed on a reference set is marked everywhere, and barred only where the survey says so."""
    found = best_standing(connection, person.id)
    if qualification_rule(connection, survey_id).bars and (found is None or not found.passed):
        advice = "Count a reference set first; or an administrator lets the survey take counters that have not passed."
        raise CountRefusedError(f"{person.name} has not passed on a reference set, which this survey asks for", advice=advice)


def _is_reference(connection: Connection, tow_id: int) -> bool:
    of = tow(connection, tow_id)
    its = None if of is None or of.survey_id is None else survey(connection, of.survey_id)
    return its is not None and its.kind == "reference"
