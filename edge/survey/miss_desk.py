"""The desk of the minutes that a reviewer counts blind to the model: drawn once, counted on footage, finished or declined."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from edge.errors import CountRefusedError, ReviewRefusedError
from edge.store import miss_checks
from edge.store.miss_checks import NewCheck
from edge.store.reads import miss_checks as reads
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.miss_checks import CheckRow
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.counting.content import CountContent, as_json, merged, read_content
from edge.survey.counting.frames import Frame, ticks
from edge.survey.counting.tally import Window, missing_footage
from edge.survey.miss_check import MINUTE_S, draw, interval_of
from edge.survey.miss_gate import CheckState, Gate, footage_key, gate_of, pool_of, window_of
from edge.survey.review_places import places_of
from edge.survey.review_standing import open_analysis

LEAD_S = 1.5  # before and behind a minute: an opening that crosses at its very begin is seen coming
MOST_UNSEEN_S = 5.0
MOST_REASON = 500


class MissDesk:
    """Checks of one home folder. Every method may be called from any thread."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writer = writer
        self._reader = reader
        self._impossible: dict[tuple[str, tuple[int, int] | None], Gate] = {}

    def gate(self, connection: Connection, analysis: AnalysisRow) -> Gate:
        """Where the check of an analysis stands. That there is no minute to draw changes with the counted minutes alone."""
        key = (analysis.uuid, window_of(connection, analysis.tow_id))
        if key in self._impossible:
            return self._impossible[key]
        found = gate_of(connection, analysis)
        if found.state is CheckState.NOT_POSSIBLE:
            self._impossible[key] = found
        return found

    def draw(self, tow_id: int, who: str, actor: str) -> Gate:
        """Draw the minutes of a tow, or say which were drawn already. `who`: the person who counts them, empty without accounts.

        Raises:
            ReviewRefusedError: the tow cannot be reviewed.
        """

        def work(connection: Connection) -> Gate:
            analysis = open_analysis(connection, tow_id)
            found = gate_of(connection, analysis)
            size = reads.frame_size(connection, tow_id)
            if found.state is not CheckState.TO_DRAW or size is None:
                return found
            pool, _ = pool_of(connection, analysis)
            seed = secrets.token_hex(8)
            new = NewCheck(
                tow_id=tow_id,
                analysis_id=analysis.id,
                footage_sha256=footage_key(analysis.made_from_json),
                seed=seed,
                pool=pool,
                minutes=draw(seed, pool),
                line_height=float(json.loads(analysis.made_from_json)["line_height"]),
                width_px=size[0],
                height_px=size[1],
                counter=who,
            )
            miss_checks.add_check(connection, new, actor=actor)
            return gate_of(connection, analysis)

        return self._writer.call(work)

    def content(self, check: CheckRow) -> CountContent:
        """What was marked so far."""
        return content_of(check)

    def frames(self, connection: Connection, tow_id: int) -> tuple[Frame, ...]:
        """The frames of the drawn minutes and a little around them, ascending in time; none before the draw.

        Raises:
            ReviewRefusedError: the tow cannot be reviewed, or its files have changed since it was analysed.
        """
        analysis = open_analysis(connection, tow_id)
        return frames_of(connection, analysis, self.gate(connection, analysis).minutes)

    def save(self, tow_id: int, who: str, content: CountContent) -> int:
        """Replace what was marked. Returns the revision after it.

        Raises:
            CountRefusedError: somebody else counts these minutes, or nobody counts any; CountOutdatedError: another window saved since.
            ReviewRefusedError: the tow cannot be reviewed.
        """
        if content.way != "frames" or content.typed:
            raise CountRefusedError("minutes are checked by marks on the footage, not by numbers", advice="Mark each opening.")

        def work(connection: Connection) -> int:
            check = _own(connection, tow_id, who)
            kept = replace(content, revision=0, notes={}, missing=None, clock=None, saved_utc=None)
            return miss_checks.save_check(connection, check.id, json.dumps(as_json(kept)), revision=content.revision)

        return self._writer.call(work)

    def finish(self, tow_id: int, who: str, *, revision: int, actor: str) -> None:
        """Say that the minutes are counted; from then on what the model found in them is shown.

        Raises:
            CountRefusedError: more than 5 s of a minute were neither looked at nor marked as lost; or as `save`.
        """

        def work(connection: Connection) -> None:
            check = _own(connection, tow_id, who)
            if check.revision != revision:
                raise CountRefusedError("not all of it is saved yet", advice="Wait until the page says saved, then finish.")
            analysis = open_analysis(connection, tow_id)
            minutes = tuple(json.loads(check.minutes_json))
            frames = frames_of(connection, analysis, minutes)
            unseen = unseen_minutes(content_of(check), minutes, [one.at_s for one in frames])
            if unseen:
                words = ", ".join(f"minute {minute}: {seconds:.0f} s" for minute, seconds in unseen.items())
                raise CountRefusedError(f"not all was looked at ({words})", advice="Play the rest, or hold x over what cannot be seen.")
            miss_checks.end_check(connection, check.id, "done", actor=actor)

        self._writer.call(work)

    def take_over(self, tow_id: int, who: str, actor: str) -> None:
        """Let a person count minutes that were drawn while there were no accounts, with the marks that were made so far.

        Raises:
            CountRefusedError: somebody with an account counts them, nobody is named, or they are not open any more.
            ReviewRefusedError: the tow cannot be reviewed, or no minutes are drawn.
        """

        def work(connection: Connection) -> None:
            check = gate_of(connection, open_analysis(connection, tow_id)).check
            if check is None:
                raise ReviewRefusedError("no minutes are drawn", advice="Begin the review first.")
            if check.counter or not who:
                raise CountRefusedError(f"{name_of(check)} counts these minutes", advice="You may decline them with a reason.")
            miss_checks.take_over_check(connection, check.id, who, actor=actor)

        self._writer.call(work)

    def decline(self, tow_id: int, actor: str, reason: str) -> None:
        """Let the minutes not be counted, for good: what the model found in them is shown from then on, and its misses stay unmeasured.

        Raises:
            CountRefusedError: no reason, or nothing to decline. ReviewRefusedError: the tow cannot be reviewed.
        """
        told = reason.strip()[:MOST_REASON]
        if not told:
            raise CountRefusedError("a check is declined with a reason", advice="Say why; it stands with the result for good.")

        def work(connection: Connection) -> None:
            gate = gate_of(connection, open_analysis(connection, tow_id))
            if gate.check is None:
                raise CountRefusedError("no minutes are drawn", advice="Begin the review first.")
            miss_checks.end_check(connection, gate.check.id, "declined", actor=actor, reason=told)

        self._writer.call(work)


def name_of(check: CheckRow) -> str:
    """Who counts, in words."""
    return check.counter or "somebody without an account"


def content_of(check: CheckRow) -> CountContent:
    """What was marked in a check, with its revision."""
    found = read_content(json.loads(check.content_json)) if check.content_json else CountContent()
    return replace(found, revision=check.revision)


def frames_of(connection: Connection, analysis: AnalysisRow, minutes: tuple[int, ...]) -> tuple[Frame, ...]:
    """The frames of some minutes and 1.5 s around each, on the clock of an analysis.

    Raises:
        ReviewRefusedError: its files have changed since.
    """
    places = places_of(connection, analysis.tow_id, analysis)
    spans = [(begin - LEAD_S, end + LEAD_S) for begin, end in map(interval_of, minutes)]
    stills = [Frame(number=image_id, at_s=at_s, image_id=image_id, capture_time_utc=None) for at_s, image_id in places.stills]
    every = [*stills, *(frame for piece in places.pieces for frame in ticks(piece))]
    inside = [frame for frame in every if any(begin <= frame.at_s < end for begin, end in spans)]
    return tuple(sorted(inside, key=lambda frame: (frame.at_s, frame.number)))


def unseen_minutes(content: CountContent, minutes: tuple[int, ...], times_s: list[float]) -> dict[int, float]:
    """Minute -> seconds of its footage that were neither looked at nor marked as lost, where they are more than 5."""
    found = {}
    for minute in minutes:
        begin, end = interval_of(minute)
        gaps = missing_footage(times_s, Window(first_minute=minute, last_minute=minute))
        covered = merged([*content.seen, *content.lost, *gaps])
        unseen_s = MINUTE_S - sum(max(0.0, min(to, end) - max(start, begin)) for start, to in covered)
        if unseen_s > MOST_UNSEEN_S:
            found[minute] = unseen_s
    return found


def _own(connection: Connection, tow_id: int, who: str) -> CheckRow:
    check = gate_of(connection, open_analysis(connection, tow_id)).check
    if check is None:
        raise ReviewRefusedError("no minutes are drawn", advice="Begin the review first.")
    if check.counter != who:
        raise CountRefusedError(f"{name_of(check)} counts these minutes", advice="You may decline them with a reason.")
    return check
