"""The agent: one thread that puts together what waits when a far side could take it, and brings it there, the most urgent first.

Every step is written down before the next: a bundle's file before its row, an attempt before it is made, an arrival only after the far
side has said itself that it has it. So it can be killed anywhere: the next start takes up what is open, and what arrived twice is one.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from edge.errors import DiskFullError, EdgeError, StoreLostError
from edge.sink_settings import SinkSettings
from edge.store import deliveries
from edge.store.clock import utc_text
from edge.store.reads.ashore import OpenDelivery, open_deliveries
from edge.store.reads.backlog import Next, next_waiting
from edge.store.writer import Writes
from sync.bundle.write import Sender
from sync.delivery import deliver
from sync.packing import KINDS, Packer, Reader
from sync.pause import Pause, read_pause
from sync.side import FarSide, Open

log = structlog.get_logger()

QUIET_S = 10.0
"""Results that come one after the other make one bundle: it is made when none came for so long, when it is full, or"""
LONGEST_S = 300.0
"""when the oldest has waited for so long."""
AGAIN_S = 5.0
NO_ROOM_S = 60.0
STOP_S = 5.0
PRIORITIES = range(5)

Moved = Literal["sent", "failed", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ashore:
    """What the agent works with: a home folder, who writes and reads its database, whose results they are, how large bundles may be.

    `keep_days`: so long files stay that arrived everywhere; None: for good.
    """

    home: Path
    writer: Writes
    reader: Reader
    sender: Sender
    max_bytes: int
    keep_days: int | None = None


class SyncAgent:
    """Brings the results of one home folder to its far sides. `step` runs in one thread at a time; the rest may be called from any."""

    def __init__(
        self,
        ashore: Ashore,
        sinks: Sequence[SinkSettings],
        opener: Open,
        *,
        may_work: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        quiet_s: float = QUIET_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`opener` connects to a far side; `may_work`: whether there is room to work at all; `chance` spreads attempts."""
        self.ashore = ashore
        self.sides = tuple(FarSide(settings, opener) for settings in sinks)
        self.packer = Packer(
            ashore.home, ashore.writer, ashore.reader, ashore.sender, max_bytes=ashore.max_bytes, keep_days=ashore.keep_days
        )
        self.no_room = ""
        self._may_work, self._now, self._quiet_s, self._chance = may_work, now, quiet_s, chance
        self._packing, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._stopping, self._wanted = threading.Event(), threading.Event()
        self._in_a_hurry, self._has_begun = False, False
        self._pause: Pause | None = None
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin, if there is any far side."""
        if self.sides:
            self._thread.start()

    def stop(self) -> None:
        """Put down what is in hand; it goes on at the next start. A far side that does not answer is not waited for."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    @property
    def is_stopping(self) -> bool:
        """The end has begun."""
        return self._stopping.is_set()

    @property
    def has_ended(self) -> bool:
        """It was started, and nothing goes ashore any more."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def is_held(self) -> bool:
        """Whether nothing may go now: it is paused, or the end has begun. Cheap: asked for every piece that is sent."""
        pause = self._pause
        is_paused = pause is not None and (pause.until_utc is None or utc_text(self._now()) < pause.until_utc)
        return is_paused or self._stopping.is_set()

    def kick(self, *, hurry: bool = False) -> None:
        """Look again now. `hurry`: bundle what waits at once, and try every far side, whenever it is due."""
        if hurry:
            self._in_a_hurry = True
            for side in self.sides:
                side.hurry()
        self.note_pause()
        self._wanted.set()

    def note_pause(self) -> None:
        """Read whether it is paused."""
        with self.ashore.reader() as connection:
            self._pause = read_pause(connection, self._now())

    def sinks_of(self, priority: int) -> tuple[str, ...]:
        """Names of the far sides that take a priority."""
        return tuple(side.name for side in self.sides if priority in side.settings.priorities)

    def begin(self) -> None:
        """Take up what an earlier end left: files that no bundle names go, open deliveries are those of the far sides that there are."""
        if not self._has_begun:
            with self._packing:
                self.packer.sweep()
            sinks = {priority: names for priority in PRIORITIES if (names := self.sinks_of(priority))}
            gone = self.ashore.writer.call(partial(deliveries.readdress, sinks=sinks))
            if gone:
                log.warning("deliveries_given_up", count=gone)
            self.ashore.writer.call(deliveries.retry_now)  # at most one attempt for each far side; the settings may have changed
            self._has_begun = True

    def step(self) -> tuple[Moved, float]:
        """Bring the next bundle to each far side that can take one. Returns what came of it, and in how many seconds to look again.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._one_at_a_time:
            self.begin()
            self.note_pause()
            if self.is_held() or not self._may_work():
                return "nothing", AGAIN_S
            moved: list[Moved] = []
            left: list[float] = []
            for side in self.sides:
                left_s = self._left_s(side)
                if left_s > 0:
                    side.close()
                    left.append(left_s)
                    continue
                outcome, left_s = self._serve(side)
                moved.append(outcome)
                left.append(left_s)
                if self.is_held():
                    break
            if all(one == "nothing" for one in moved):
                self._in_a_hurry = False
            return ("sent" if "sent" in moved else "failed" if "failed" in moved else "nothing"), min(left, default=AGAIN_S)

    def _left_s(self, side: FarSide) -> float:
        """In how many seconds a far side can be tried. What waited for a stick that is back waits no longer."""
        was_away = side.is_away
        left_s = side.left_s(self._now())
        if was_away and not side.is_away:
            self.ashore.writer.call(partial(deliveries.retry_now, sink=side.name))
        return left_s

    def pack(self, sinks: Sequence[str], *, priority: int) -> bool:
        """Make the next bundle of a priority. Returns whether there is one.

        Raises:
            DiskFullError: there is no room for it.
        """
        try:
            with self._packing:
                is_made = self.packer.pack(sinks, priority=priority) is not None
        except OSError as error:
            raise DiskFullError(f"there is no room to make a bundle: {error.strerror or error}") from error
        return is_made

    def _serve(self, side: FarSide) -> tuple[Moved, float]:
        """One bundle to one far side."""
        try:
            delivery, left_s = self._next(side)
            self.no_room = ""
        except StoreLostError:
            raise
        except DiskFullError as error:
            self.no_room = str(error)
            log.warning("bundle_not_made", error=str(error))
            return "failed", NO_ROOM_S
        if delivery is None:
            side.close()
            return "nothing", left_s
        return self._bring(side, delivery), 0.0

    def _next(self, side: FarSide) -> tuple[OpenDelivery | None, float]:
        """What a far side gets next, made if need be; or None and when to look again."""
        delivery, waits = self._look(side)
        left_s = AGAIN_S
        if waits is not None and (delivery is None or waits.priority < delivery.priority):
            left_s = min(AGAIN_S, self._until_due_s(waits))
            if left_s <= 0 and self.pack(self.sinks_of(waits.priority), priority=waits.priority):
                delivery, _ = self._look(side)
        return delivery, max(left_s, 0.2)

    def _look(self, side: FarSide) -> tuple[OpenDelivery | None, Next | None]:
        now_utc = utc_text(self._now())
        with self.ashore.reader() as connection:
            found = open_deliveries(connection, side.name, now_utc=now_utc, limit=1)
            waits = next_waiting(connection, tuple(KINDS), side.settings.priorities, now_utc=now_utc, limit=self.packer.full_rows)
        return (found[0] if found else None), waits

    def _until_due_s(self, waits: Next) -> float:
        """In how many seconds what waits becomes a bundle."""
        if self._in_a_hurry or waits.results >= self.packer.full_rows:
            return 0.0
        now = self._now()
        newest_s, oldest_s = ((now - datetime.fromisoformat(text)).total_seconds() for text in (waits.newest_utc, waits.oldest_utc))
        if newest_s < 0:  # the clock was set back
            return 0.0
        return min(self._quiet_s - newest_s, LONGEST_S - oldest_s)

    def _bring(self, side: FarSide, delivery: OpenDelivery) -> Moved:
        side.at_work = delivery, utc_text(self._now())
        begun_s, why = time.monotonic(), list[EdgeError]()
        try:
            sink, spend = side.open()
            outcome = deliver(
                delivery,
                self.packer.path_of(delivery.sha256),
                sink,
                spend,
                vessel_uuid=self.ashore.sender.vessel_uuid,
                writer=self.ashore.writer,
                jitter=self._chance(),
                on_error=why.append,
            )
        except EdgeError as error:
            if isinstance(error, StoreLostError):
                raise
            log.warning("far_side_not_opened", sink=side.name, code=error.code, error=str(error))
            side.note_failure(error, jitter=1.0)
            return "failed"
        finally:
            side.at_work = None
        if outcome == "confirmed":
            side.note_success(delivery.size_bytes, time.monotonic() - begun_s)
            return "sent"
        if outcome == "lost":  # its results are bundled anew
            return "sent"
        side.note_failure(why[-1], jitter=self._chance())
        return "failed"

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.is_set():
            self._wanted.wait(wait_s)
            self._wanted.clear()
            if self._stopping.is_set():
                break
            try:
                moved, wait_s = self.step()
                wait_s = 0.0 if moved == "sent" else max(0.2, min(AGAIN_S, wait_s))
            except Exception:  # the thread's border: such as a database that is lost; tried again
                log.exception("sync_failed")
                self._stopping.wait(NO_ROOM_S)
        for side in self.sides:
            side.close()
