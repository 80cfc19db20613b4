"""What the desk of annotation does when it is time: pushes that are due, pulls that were asked for, a look at the jobs.

One round opens the server once. What concerns the server (no link, no sign-in, it cannot now) ends the round and puts everything off; what
concerns a task stops that task with the reason until somebody asks again, and no other. A task at which a round ended comes last in the
next one: a server may fail at one task each time, and do all others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from annotator_bridge.cvat.login import Login, known_login, needed_login
from annotator_bridge.cvat.reach import Reach
from annotator_bridge.cvat.tools import PushTools, StoppedError
from edge.errors import DiskFullError, EdgeError, LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError
from edge.store import cvat as store
from edge.store.clock import utc_text
from edge.store.reads.cvat_page import OpenTask, open_tasks

if TYPE_CHECKING:
    from annotator_bridge.cvat.server import CvatServer
    from annotator_bridge.cvat.values import Progress

log = structlog.get_logger()

APPLIANCE = "the appliance"  # whose pulls are that nobody asked for
AGAIN_S, SOON_S, TELL_S = 60.0, 1.0, 2.0
LOOK_OPEN_S, LOOK_S = 15.0, 300.0  # between two looks at the jobs: while somebody has a page open, and else
PAGE_OPEN_S = 60.0  # a page says every 20 s that it is open
LOOK_TASKS = 40  # of one look; the others come next
_LATER = (LinkDownError, ServerFailedError, LoginNeededError, DiskFullError)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPull:
    """A pull that somebody asked for. `trouble`: why it did not come about; it is then not tried again by itself."""

    actor: str
    trouble: str = ""


class Rounds:
    """The work of one home folder with one server. `step` runs in one thread at a time; the rest may be called from any."""

    def __init__(self, tools: PushTools, *, server: str, now: Callable[[], datetime]) -> None:
        """`tools`: what pushes and pulls are given to work with."""
        self._tools, self._server, self._now = tools, server, now
        self._one_at_a_time = threading.Lock()
        self._looked_s: dict[int, float] = {}
        self._last: set[int] = set()  # tasks at which a round ended: their turn comes after all others, or they would hold those up
        self._seen_s, self._round_s = -PAGE_OPEN_S, -LOOK_S
        self.reach = Reach(now)
        self.pulls: dict[int, AskedPull] = {}
        self.at_work: tuple[str, str] | None = None
        self.cancelled: set[int] = set()
        self.empty_there: dict[str, int] = {}
        self._blocked_login: Login | None = None
        self._told_s = 0.0

    def page_is_open(self) -> bool:
        """Somebody looks at a page of annotation. Returns whether nobody did for a while."""
        was_closed = time.monotonic() - self._seen_s > PAGE_OPEN_S
        self._seen_s = time.monotonic()
        return was_closed

    def step(self) -> float:
        """Go on with everything that is due. Returns in how many seconds something is due again."""
        with self._one_at_a_time:
            if self.reach.state.is_blocked and known_login(self._tools.home, self._server) != self._blocked_login:
                self.reach.kick()  # somebody signed in, by a command perhaps
            if self.reach.left_s() > 0:
                return min(AGAIN_S, self.reach.left_s())
            with self._tools.reader() as connection:
                tasks = open_tasks(connection, self._server)
            pushes = [one for one in tasks if self._is_due(one)]
            looks = self._to_look_at(tasks)
            pulls = [one for one in tasks if one.id in self.pulls and not self.pulls[one.id].trouble]
            for gone in set(self.pulls) - {one.id for one in tasks}:
                del self.pulls[gone]
            if not (pushes or pulls or self.empty_there or looks is not None):
                return self._left_s()
            try:
                self._round(pushes, pulls, looks or [])
            except EdgeError as error:
                self._put_off(error)
            return self._left_s()

    def _round(self, pushes: list[OpenTask], pulls: list[OpenTask], looks: list[OpenTask]) -> None:
        with self._open() as server:
            self._answered(server.about().version)
            for uuid in list(self.empty_there):
                self._tidy(server, uuid)
            work = [(one, "is sent", partial(self._advance, server, one)) for one in pushes]
            work += [(one, "is fetched", partial(self._fetch, server, one.id)) for one in pulls]
            work += [(one, "is looked at", partial(self._look, server, one.id)) for one in looks]
            for one, words, do in sorted(work, key=lambda each: each[0].id in self._last):
                self._one(one, words, do)

    def _one(self, task: OpenTask, words: str, work: Callable[[], None]) -> None:
        """One task as far as it goes. What concerns the server ends the round; what concerns the task stops that one only."""
        if self._tools.wait(0):
            return
        self.at_work = (task.uuid, words)
        try:
            work()
            self._last.discard(task.id)
        except StoppedError:
            pass  # it goes on at the next start, or was cancelled
        except _LATER as error:
            self._last.add(task.id)
            if task.step != "sent":
                self._note_trouble(task, error, later=True)
            raise
        except EdgeError as error:
            self._stop_task(task, error.code, f"{error}. {error.advice()}")
        except Exception as error:  # the work's border: a fault of ours stops this task, and no other
            log.exception("annotation_failed", task=task.uuid)
            self._stop_task(task, "internal", f"the appliance could not go on: {error!r}")
        finally:
            self.at_work = None

    def _advance(self, server: CvatServer, task: OpenTask) -> None:
        from annotator_bridge.cvat.push import advance

        def wait(seconds: float) -> bool:
            return self._tools.wait(seconds) or task.id in self.cancelled

        advance(replace(self._tools, wait=wait, tell=partial(self._progress, task)), server, task.id)

    def _progress(self, task: OpenTask, progress: Progress) -> None:
        """Show how far a push is; the pages look again every other second at most."""
        words = progress.words
        if progress.step == "created" and progress.bytes_total:
            words = f"{100 * progress.bytes_sent // progress.bytes_total} % of its files are sent"
        elif progress.step == "uploaded" and not words:
            words = "CVAT makes frames of it"
        elif progress.step == "ready":
            words = f"{progress.frames_sent} of {progress.frames_total} images have what the model found"
        self.at_work = (task.uuid, words or "is sent")
        if time.monotonic() - self._told_s > TELL_S:
            self._tell()

    def _look(self, server: CvatServer, task_id: int) -> None:
        """Note where the jobs of a task stand, and bring in what was completed since."""
        from annotator_bridge.cvat.pull import look_at_jobs

        if look_at_jobs(self._tools.writer, self._tools.reader, server, task_id):
            self._bring_in(server, task_id, APPLIANCE)

    def _tidy(self, server: CvatServer, uuid: str) -> None:
        """A task that was cancelled before it had any data is of no use there; one with data is people's, and stays."""
        number = self.empty_there.pop(uuid)
        try:
            if (task := server.task(number)) is not None and task.frames == 0 and server.data_status(number, None).state == "none":
                server.delete_task(number)
        except ServerRefusedError as error:
            log.info("cvat_task_left", task=uuid, cvat_task=number, reason=str(error))

    def _fetch(self, server: CvatServer, task_id: int) -> None:
        asked = self.pulls[task_id]
        self._bring_in(server, task_id, asked.actor)
        if self.pulls.get(task_id) is asked:
            del self.pulls[task_id]

    def _bring_in(self, server: CvatServer, task_id: int, actor: str) -> None:
        from annotator_bridge.cvat.pull import pull_task

        pull_task(self._tools.writer, self._tools.reader, server, task_id, actor=actor)

    def _stop_task(self, task: OpenTask, code: str, words: str) -> None:
        log.warning("annotation_stopped", task=task.uuid, code=code, reason=words)
        if task.step == "sent":
            asked = self.pulls.get(task.id, AskedPull(actor=APPLIANCE))
            self.pulls[task.id] = replace(asked, trouble=words)
        else:
            self._tools.writer.call(partial(store.note_trouble, task_id=task.id, code=code, words=words, next_try_utc=None))

    def _note_trouble(self, task: OpenTask, error: EdgeError, *, later: bool) -> None:
        next_try = utc_text(self._now()) if later else None
        words = f"{error}. {error.advice()}"
        self._tools.writer.call(partial(store.note_trouble, task_id=task.id, code=error.code, words=words, next_try_utc=next_try))

    def _answered(self, version: str) -> None:
        """The server answered; the pages are told only where that is news."""
        before = self.reach.state
        self.reach.answered(version)
        if not before.answers or before.version != version:
            self._tell()

    def _put_off(self, error: EdgeError) -> None:
        before = self.reach.state
        self.reach.failed(error)
        if self.reach.state.is_blocked:
            self._blocked_login = known_login(self._tools.home, self._server)
        log.warning("cvat_waits", code=error.code, reason=str(error))
        if before.answers is not False or before.words != self.reach.state.words:
            self._tell()

    def _tell(self) -> None:
        """Let the pages look again: what is known of the server stands in no row."""
        self._told_s = time.monotonic()
        self._tools.writer.call(lambda _: None)

    def _to_look_at(self, tasks: tuple[OpenTask, ...]) -> list[OpenTask] | None:
        """The tasks whose jobs are to be looked at now, the longest not seen first; None: it is not time."""
        if time.monotonic() - self._round_s < self._pace_s():
            return None
        self._round_s = time.monotonic()
        sent = [one for one in tasks if one.step == "sent" and one.id not in self.pulls]
        chosen = sorted(sent, key=lambda one: self._looked_s.get(one.id, float("-inf")))[:LOOK_TASKS]
        self._looked_s = {one.id: self._looked_s.get(one.id, float("-inf")) for one in sent}
        self._looked_s.update({one.id: self._round_s for one in chosen})
        return chosen

    def _pace_s(self) -> float:
        return LOOK_OPEN_S if time.monotonic() - self._seen_s < PAGE_OPEN_S else LOOK_S

    def _is_due(self, task: OpenTask) -> bool:
        if task.step == "sent" or task.is_stopped:
            return False
        return task.next_try_utc is None or task.next_try_utc <= utc_text(self._now())

    def _left_s(self) -> float:
        if (blocked_s := self.reach.left_s()) > 0:
            return min(AGAIN_S, blocked_s)
        with self._tools.reader() as connection:
            tasks = open_tasks(connection, self._server)
        if any(self._is_due(one) for one in tasks):  # the server makes frames of it
            return SOON_S
        return min(AGAIN_S, max(0.0, self._round_s + self._pace_s() - time.monotonic()))

    def _open(self) -> AbstractContextManager[CvatServer]:
        from annotator_bridge.cvat.session import open_server

        return open_server(needed_login(self._tools.home, self._server), wait=self._tools.wait)
