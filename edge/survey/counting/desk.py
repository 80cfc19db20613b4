"""What a person may do with counts: begin, save, sign; and what an administrator may: set one aside, break the seal of a tow.

Everything is decided inside the transaction that does it, so that two signatures at the same moment reveal once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from edge.errors import CountOutdatedError, CountRefusedError
from edge.store import audit, counts, surveys
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.reads import counts as reads
from edge.store.reads.counts import CountRow
from edge.store.reads.qualifications import QualificationRule, reference_minutes
from edge.store.reads.surveys import ProtocolRow, TowRow, protocol, tow
from edge.store.seal import Seal
from edge.store.sealed_runs import is_blind, open_late, release_tow
from edge.store.sqlite import Connection
from edge.store.waiting import late_files
from edge.store.writer import Writes
from edge.survey.counting.beginning import check_administrator, is_reference, rules_for_new, standing_of
from edge.survey.counting.clock import Clock, clock_document, counts_differ, difference, tow_clock
from edge.survey.counting.content import CountContent, is_blank, is_saved_as, pack, saved, unpack
from edge.survey.counting.frames import FrameSource, TowFrames
from edge.survey.counting.judge import TowCounts, needs_third, tow_counts
from edge.survey.counting.qualify import judge_everybody, judge_person
from edge.survey.counting.rounds import begin_round, begin_rounds
from edge.survey.counting.tally import Tally, Window, minute_of, missing_footage, public_marks, tally
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
        self.frames: FrameSource = frames or TowFrames()

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
            rules = rules_for_new(connection, tow_id, person)
            surveys.lock_protocol(connection, rules.id, actor=person.name)
            new = counts.NewCount(
                tow_id=tow_id,
                protocol_id=rules.id,
                person_id=person.id,
                counter=person.name,
                content=pack(CountContent()),
                not_blind="" if is_reference(connection, tow_id) else counts.why_not_blind(connection, tow_id),
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
            clock = self._clock(connection, row.tow_id) if is_blank(kept) else kept.clock  # a count is by the clock of its first click
            counts.save_content(connection, self._seal, count_id, pack(saved(content, utc_now(), clock)))
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
            frozen = self._frozen(connection, now)
            counts.save_content(connection, self._seal, count_id, pack(frozen))
            counts.sign(connection, count_id, actor=person.name, clock_json=json.dumps(clock_document(frozen.clock)))
            footage = is_reference(connection, now.tow.id)
            if footage:
                judge_person(connection, self._seal, person.id, now.tow.survey_id or 0)
            else:
                self._settle(connection, now.tow.id, person.name)
            told = tow_counts(standing_of(connection, now.tow.id), now.protocol, is_reference=footage)
            return Signed(counts=told, is_reference=footage)

        return self._writer.call(work)

    def set_aside(self, count_id: int, person: Person, reason: str) -> None:
        """Let a count count no more. What is in it stays, sealed or revealed, with the reason.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or it is set aside already.
        """
        check_administrator(person, reason, "set a count aside")

        def work(connection: Connection) -> None:
            row = reads.count(connection, count_id)
            if row is None or row.state == "set_aside":
                raise CountRefusedError(f"there is no count {count_id} that stands")
            counts.set_aside(connection, count_id, reason.strip(), actor=person.name)
            of = tow(connection, row.tow_id)
            if not is_reference(connection, row.tow_id):
                self._settle(connection, row.tow_id, person.name)
            elif row.person_id is not None and row.state == "signed" and of is not None:
                judge_person(connection, self._seal, row.person_id, of.survey_id or 0)

        self._writer.call(work)

    def break_seal(self, tow_id: int, person: Person, reason: str) -> None:
        """Reveal what is signed although somebody is missing, such as where nobody else aboard can count.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or nothing sealed is signed.
        """
        check_administrator(person, reason, "break the seal")

        def work(connection: Connection) -> None:
            if is_reference(connection, tow_id):
                raise CountRefusedError("footage of a reference set stays sealed: the next person is measured on it too")
            signed = [one for one in standing_of(connection, tow_id) if one.state == "signed" and one.revealed_utc is None]
            if not signed:
                raise CountRefusedError("nothing that is signed is sealed here", advice="Wait for a signature; an open count is a draft.")
            audit.append(connection, person.name, "seal_break", f"tow/{tow_id}", {"reason": reason.strip()})
            counts.mark_not_blind(connection, tow_id, f"the seal of the tow was broken on {utc_now()[:10]}, while it was open")
            self._reveal(connection, tow_id, signed, actor=person.name, why=reason.strip())

        self._writer.call(work)

    def release(self, tow_id: int, person: Person, reason: str) -> int:
        """Let what models found on a tow be seen that nobody will count, such as an invalid one. Returns how many results came back.

        Counts begun on it afterwards are not blind, and say so. Of a tow whose counts were shown: what was found on files that came later.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, somebody counts the tow, or nothing is sealed.
        """
        check_administrator(person, reason, "release what models found")

        def work(connection: Connection) -> int:
            if is_reference(connection, tow_id):
                raise CountRefusedError("footage of a reference set stays sealed: the next person is measured on it too")
            if not is_blind(connection, tow_id) and late_files(connection, tow_id):
                return open_late(connection, self._seal, tow_id, reason.strip(), actor=person.name)
            if not is_blind(connection, tow_id):
                raise CountRefusedError("nothing is sealed for this tow", advice="What models found on its files can be seen already.")
            if standing := standing_of(connection, tow_id):
                names = " and ".join(one.counter for one in standing)
                advice = "Wait for the signatures, break the seal, or set the counts aside."
                raise CountRefusedError(f"{names} count this tow blind", advice=advice)
            return release_tow(connection, self._seal, tow_id, reason.strip(), actor=person.name)

        return self._writer.call(work)

    def new_round(self, tow_id: int, person: Person, reason: str) -> int:
        """Let a tow whose counts or model results were shown be counted blind anew. Returns how many counts were set aside.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or nothing of the tow was revealed or released.
        """
        check_administrator(person, reason, "begin a new round of counts")
        return self._writer.call(lambda connection: begin_round(connection, self._seal, tow_id, reason.strip(), actor=person.name))

    def new_rounds(self, survey_id: int, person: Person, reason: str) -> int:
        """The same for every tow of a survey that nobody counts yet and that has files which were seen before. Returns how many tows.

        Raises:
            CountRefusedError: the person is no administrator, gives no reason, or there is no such tow.
        """
        check_administrator(person, reason, "begin new rounds of counts")
        return self._writer.call(lambda connection: begin_rounds(connection, self._seal, survey_id, reason.strip(), actor=person.name))

    def own_reference(self, count_id: int, person: Person) -> tuple[OwnCount, Mapping[int, float]]:
        """A person's own signed count of reference footage, with the reference's minutes.

        Raises:
            CountRefusedError: it is not theirs, is not signed, or is no reference footage.
        """
        own = self.own(count_id, person)
        with self._reader() as connection:
            if own.row.state != "signed" or not is_reference(connection, own.tow.id):
                raise CountRefusedError("the reference is shown after your own signature")
            return own, reference_minutes(connection, own.tow.id)

    def set_reference(self, tow_id: int, minutes: Mapping[int, float], source: str, person: Person) -> None:
        """Give a tow of a reference set its known counts, and judge everybody who has counted the set again.

        Raises:
            CountRefusedError: the person is no administrator, the tow belongs to no reference set, or there is no source.
        """
        check_administrator(person, source, "set the reference")

        def work(connection: Connection) -> None:
            if not is_reference(connection, tow_id):
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
        check_administrator(person, rule.reason, "change what is asked of counters")
        if not 0 <= rule.ccc_limit <= 1:
            raise CountRefusedError(f"{rule.ccc_limit} is no limit of a coefficient", advice="Give a number from 0 to 1.")
        if rule.stations is not None and rule.stations < 1:
            raise CountRefusedError(f"{rule.stations} stations qualify nobody", advice="Give 1 or more, or leave it empty for all.")
        self._writer.call(lambda connection: counts.set_qualification_rule(connection, survey_id, rule, actor=person.name))

    # Inside ------------------------------------------------------------------------------------------------------

    def _settle(self, connection: Connection, tow_id: int, actor: str) -> None:
        """Reveal what is to be revealed after a signature, or after a count was set aside."""
        standing = standing_of(connection, tow_id)
        signed = [one for one in standing if one.state == "signed" and one.revealed_utc is None]
        if not signed:
            return
        rules = protocol(connection, signed[0].protocol_id)
        assert rules is not None  # the count refers to it
        if any(one.revealed_utc for one in standing):
            self._reveal(connection, tow_id, signed, actor=actor, why="signed after the reveal")
        elif len(signed) >= rules.counters and not counts_differ(signed) and not self._asks_for_third(connection, signed, rules):
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
        """The content with the footage that is missing now and what maps stills to seconds, as it was signed."""
        window = Window(first_minute=own.protocol.first_minute, last_minute=own.protocol.last_minute)
        frames = self.frames.frames(connection, own.tow.id).frames
        inside = [one for one in frames if minute_of(one.at_s) in window.minutes]
        missing = missing_footage([one.at_s for one in frames], window)
        return replace(own.content, missing=missing, clock=tow_clock(connection, own.tow, inside))

    def _clock(self, connection: Connection, tow_id: int) -> Clock:
        of = tow(connection, tow_id)
        assert of is not None  # the count refers to it
        return tow_clock(connection, of)

    def _own(self, connection: Connection, count_id: int, person: Person) -> OwnCount:
        row = _own_row(connection, count_id, person)
        of, rules = tow(connection, row.tow_id), protocol(connection, row.protocol_id)
        assert of is not None  # the count refers to both
        assert rules is not None
        content = unpack(counts.sealed_content(connection, self._seal, count_id))
        found = self._made_up(connection, of.id, content, rules)
        if row.state == "open" and content.way == "frames" and content.clock is not None:
            found = replace(found, hindrances=(*found.hindrances, *_moved(content.clock, tow_clock(connection, of))))
        return OwnCount(row=row, tow=of, protocol=rules, content=content, tally=found)


def _standing_count_of(connection: Connection, tow_id: int, person_id: int) -> CountRow | None:
    return next((one for one in standing_of(connection, tow_id) if one.person_id == person_id), None)


def _own_row(connection: Connection, count_id: int, person: Person) -> CountRow:
    row = reads.count(connection, count_id)
    if row is None or row.person_id != person.id:  # the same words for both: whether somebody else counts is not told here
        raise CountRefusedError(f"{person.name} has no count {count_id}", advice="Open your own count from the station's page.")
    return row


def _moved(begun: Clock, now: Clock) -> tuple[str, ...]:
    words = difference(begun, now)
    if not words:
        return ()
    way_out = "have it set back, or let an administrator set this count aside and begin anew"
    return (f"the seconds of the tow moved while you counted ({words}): what you marked before lies in other minutes since; {way_out}",)


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
