"""The desk of sync: where what goes ashore stands, and what a person may ask of it; what was asked is in the audit trail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import SettingsError
from edge.store import audit, deliveries
from edge.store.clock import utc_text
from edge.store.reads import backlog, links
from edge.store.sqlite import Connection
from sync.agent import PRIORITIES, SyncAgent
from sync.pause import Pause, put_pause, read_pause
from sync.standing import SyncStatus, backlog_lines, side_standing
from sync.stick import Exported, UsbExport, look_at_stick

T = TypeVar("T")
LONGEST_PAUSE_H = 24 * 366.0
SHOWN_FAILURES, SHOWN_BUNDLES = 50, 30
_COUNT_SHARE = 20  # to count 2,000,000 results takes a while: it may cost a twentieth of the time


class SyncDesk:
    """What goes ashore of one home folder. Every method may be called from any thread."""

    def __init__(self, agent: SyncAgent, *, updates_url: str = "") -> None:
        self.agent = agent
        self.updates_url = updates_url
        self._usb = UsbExport(agent)
        self._counted: tuple[list[backlog.WaitingResults], int] = ([], 0)
        self._count_due_s = 0.0

    @property
    def is_configured(self) -> bool:
        """Whether the settings name any far side."""
        return bool(self.agent.sides)

    def start(self) -> None:
        """Begin to bring what waits."""
        self.agent.start()

    def stop(self) -> None:
        """Put down what is in hand."""
        self.agent.stop()

    # Where it stands ---------------------------------------------------------------------------------------------

    def status(self, *, bundles: int = SHOWN_BUNDLES) -> SyncStatus:
        """Everything, with so many of the last bundles.

        Raises:
            StoreError: the database cannot be read.
        """
        now = datetime.now(UTC)
        agent = self.agent
        with agent.ashore.reader() as connection:
            waits, sealed = self._count(connection)
            opened, bytes_each = backlog.open_bundles(connection), backlog.bytes_per_result(connection)
            pause = read_pause(connection, now)
            known = {one.sink: one for one in backlog.contacts(connection)}
            day = now.date().isoformat()
            spent = {side.name: links.spent(connection, side.name, day) for side in agent.sides}
            for_stick = backlog.for_a_stick(connection)
            failures = tuple(backlog.failures(connection, limit=SHOWN_FAILURES))
            history = tuple(backlog.history(connection, limit=bundles))
        sides = tuple(
            side_standing(
                side,
                now=now,
                left_s=side.seen_left_s(now),
                pause=pause,
                opened=opened,
                contact=known.get(side.name),
                spent=spent[side.name],
                unbundled_bytes=_about_bytes(waits, side.settings.priorities, bytes_each),
            )
            for side in agent.sides
        )
        taken_by = {priority: agent.sinks_of(priority) for priority in PRIORITIES}
        return SyncStatus(
            vessel=agent.ashore.sender.vessel,
            vessel_uuid=agent.ashore.sender.vessel_uuid,
            paused=pause,
            no_room=agent.no_room,
            sides=sides,
            backlog=backlog_lines(waits, [one for one in opened if one.sink != deliveries.USB], bytes_each, taken_by),
            sealed=sealed,
            usb_waiting=len(for_stick),
            usb_results=sum(one.results for one in waits),
            usb_at_work=self._usb.at_work,
            failures=failures,
            history=history,
        )

    def _count(self, connection: Connection) -> tuple[list[backlog.WaitingResults], int]:
        """What waits; counted again the more rarely the longer it takes."""
        begun_s = time.monotonic()
        if begun_s >= self._count_due_s:
            self._counted = backlog.waiting_results(connection), backlog.count_sealed(connection)
            ended_s = time.monotonic()
            self._count_due_s = ended_s + (ended_s - begun_s) * _COUNT_SHARE
        return self._counted

    # What a person asks for --------------------------------------------------------------------------------------

    def now(self, actor: str) -> int:
        """Bundle what waits, and try every far side at once, in its windows and its budget. Returns how many attempts were brought forward.

        Raises:
            SettingsError: there is no far side, or it is paused.
        """
        self._must_be_configured()
        pause = self._pause()
        if pause is not None:
            raise SettingsError(f"it is paused by {pause.by}", advice="Resume it first: `imagine-edge sync resume`.")
        count = self._done(actor, "sync_now", deliveries.retry_now)
        self.agent.kick(hurry=True)
        return count

    def retry(self, actor: str, sink: str | None = None) -> int:
        """Try again what was refused or failed, of one far side or of all. Returns how many bundles that are.

        Raises:
            SettingsError: there is no such far side.
        """
        if sink is not None and sink not in {side.name for side in self.agent.sides}:
            raise SettingsError(f"there is no far side {sink}", advice="`imagine-edge sync status` lists them.")
        count = self._done(actor, "sync_retry", partial(deliveries.retry_now, sink=sink, with_refused=True), sink=sink)
        self.agent.kick(hurry=True)
        return count

    def pause(self, actor: str, hours: float | None = None) -> Pause:
        """Let nothing go; what is on its way ends. `hours`: and go on by itself after so many.

        Raises:
            SettingsError: so many hours are no pause.
        """
        if hours is not None and not 0 < hours <= LONGEST_PAUSE_H:
            raise SettingsError(
                f"{hours:g} hours are no pause", advice=f"More than 0, and at most {LONGEST_PAUSE_H:g}; or none to resume by hand."
            )
        now = datetime.now(UTC)
        until = None if hours is None else utc_text(now + timedelta(hours=hours))
        pause = Pause(by=actor, since_utc=utc_text(now), until_utc=until)
        self._done(actor, "sync_pause", lambda connection: put_pause(connection, pause), until_utc=until)
        self.agent.kick()
        return pause

    def resume(self, actor: str) -> bool:
        """Let it go on. Returns whether it was paused."""
        was_paused = self._pause() is not None
        self._done(actor, "sync_resume", lambda connection: put_pause(connection, None))
        self.agent.kick()
        return was_paused

    def usb_export(self, path: Path, actor: str) -> Exported:
        """Bring everything that no stick has yet to a folder, which is set up for it. Ends when all of it is there.

        Raises:
            TransportError: the folder is not there, is full, cannot be written, or was pulled out; what arrived before stays.
            DiskFullError: there is no room aboard to put bundles together.
            SettingsError: another export is under way.
        """
        done = self._usb.run(path)
        self._done(actor, "sync_usb_export", lambda _: None, path=str(path), bundles=done.bundles, size_bytes=done.size_bytes)
        return done

    def usb_import(self, path: Path, actor: str) -> dict[str, Any]:
        """Look at what a stick brought: models that shore signed, or bundles.

        Raises:
            TransportError: the folder is not there.
            EdgeError: there are models on it, and they are not to be trusted.
        """
        found = look_at_stick(path, self.agent.ashore)
        self._done(actor, "sync_usb_import", lambda _: None, path=str(path), what=found["what"])
        return found

    def look(self) -> None:
        """See which media are in, for a command whose home no appliance works on."""
        now = datetime.now(UTC)
        for side in self.agent.sides:
            side.left_s(now)

    def drain(self) -> None:
        """Work in this thread until nothing can be done any more, for a command whose home no appliance works on."""
        while self.agent.step()[0] == "sent":
            pass

    def _pause(self) -> Pause | None:
        with self.agent.ashore.reader() as connection:
            return read_pause(connection, datetime.now(UTC))

    def _must_be_configured(self) -> None:
        if not self.is_configured:
            advice = (
                "Add a [[sinks]] table to settings.toml (docs/sync.md), or bring results on a stick: `imagine-edge sync usb export DIR`."
            )
            raise SettingsError("the settings name no far side", advice=advice)

    def _done(self, actor: str, action: str, work: Callable[[Connection], T], **detail: Any) -> T:
        def both(connection: Connection) -> T:
            result = work(connection)
            audit.append(connection, actor, action, "sync", {**detail, **({"count": result} if isinstance(result, int) else {})})
            return result

        return self.agent.ashore.writer.call(both)


def _about_bytes(waits: Sequence[backlog.WaitingResults], priorities: Sequence[int], bytes_each: float | None) -> int | None:
    """About how many bytes what is in no bundle will be; None: nothing was bundled yet to reckon by."""
    results = sum(one.results for one in waits if one.priority in priorities)
    if not results:
        return 0
    return None if bytes_each is None else round(bytes_each * results)
