"""The desk of annotation: what people ask for is queued, and done by a thread of its own when the server answers.

Without a server (`cvat_url`) nothing is contacted, ever. Pushes are kept in the database and go on where they were; a pull that is asked
for waits in memory, once for each task however often it is asked for. While somebody has a page of annotation open the jobs are looked at
often, else every few minutes; a job that was completed since is brought in by itself. A server that is down is asked later each time,
and once, not for each task; what it refuses stops that task with the reason until somebody asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from annotator_bridge.cvat.login import forget_login, known_login
from annotator_bridge.cvat.reach import ReachState
from annotator_bridge.cvat.rounds import AGAIN_S, AskedPull, Rounds
from annotator_bridge.cvat.tools import PushTools
from edge.errors import SettingsError
from edge.store import audit
from edge.store import cvat as store
from edge.store.reads.cvat import TaskRow, task_by_id
from edge.store.reads.cvat_page import open_tasks, task_id_of
from edge.store.sqlite import Connection
from edge.store.writer import Writes

if TYPE_CHECKING:
    from annotator_bridge.cvat.preview import Preview
    from annotator_bridge.cvat.shown import FacadeStatus
    from annotator_bridge.cvat.values import Finding, Planned, PushRequest
    from edge.export.footage import FootageHands
    from edge.settings import Settings

log = structlog.get_logger()

LEAST_S, STOP_S = 0.2, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What pages show of the server: empty `url` where none is configured; `at_work` is the uuid of the task in hand and what is done."""

    url: str
    reach: ReachState
    username: str | None
    at_work: tuple[str, str] | None


class AnnotationDesk:
    """Pushes and pulls of one home folder. Every method may be called from any thread; `step` runs in one at a time."""

    def __init__(
        self,
        home: Path,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        *,
        settings: Settings,
        server: str,
        facade: Callable[[], FacadeStatus],
        hands: Callable[[], AbstractContextManager[FootageHands]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take what the desk works with.

        Args:
            home, writer, reader: of the appliance.
            settings: of the appliance.
            server: the address, which was checked; empty: none.
            facade: what is known of the models that CVAT calls.
            hands: see `PushTools`.
            now: the clock.
        """
        self.server, self.facade_status = server, facade
        self._writer, self._reader = writer, reader
        self._stopping, self._wanted = threading.Event(), threading.Event()
        self._tools = PushTools(home=home, settings=settings, writer=writer, reader=reader, hands=hands, wait=self._stopping.wait)
        self._rounds = Rounds(self._tools, server=server, now=now)
        self._thread = threading.Thread(target=self._run, name="annotation", daemon=True)

    def start(self) -> None:
        """Begin; without a server there is nothing to begin."""
        if self.server:
            self._thread.start()

    def stop(self) -> None:
        """Put down what is in hand; it goes on at the next start. A server that has not answered yet is not waited for."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    # What a person asks for --------------------------------------------------------------------------------------

    def push(self, request: PushRequest, actor: str) -> Planned:
        """Queue a task. What stands already of the same is returned instead of another one, unless it is asked for again.

        Raises:
            SettingsError: no server is configured, there is no such station, scan or folder, or nothing of it can go.
        """
        from annotator_bridge.cvat.plan import plan

        self._need_server()
        planned = plan(self._tools, request, actor)
        self._kick()
        return planned

    def preview(self, request: PushRequest) -> Preview:
        """What would become a task; nothing is written and nobody is asked.

        Raises:
            SettingsError: there is no such station, scan or folder, or nothing of it can go.
        """
        from annotator_bridge.cvat.preview import preview

        return preview(self._tools, request, server=self.server)

    def pull(self, task_uuid: str | None, actor: str) -> int:
        """Bring in what stands in a task, or in every task that was sent. Returns of how many; none of them is asked for twice.

        Raises:
            SettingsError: no server is configured, there is no such task, or it was not sent, was cancelled or deleted.
        """
        self._need_server()
        if task_uuid is None:
            with self._reader() as connection:
                chosen = [one.id for one in open_tasks(connection, self.server) if one.step == "sent"]
        else:
            task = self._row(task_uuid)
            if task.step != "sent" or task.cancelled_utc or task.gone_utc or task.server_url != self.server:
                hindrance = f"nothing can be pulled of {task.title}: {_hindrance(task, self.server)}"
                raise SettingsError(hindrance, advice="What had come back stays; the page Annotate lists the tasks.")
            chosen = [task.id]
        for task_id in chosen:
            self._rounds.pulls[task_id] = AskedPull(actor=actor)
        self._kick()
        return len(chosen)

    def retry(self, task_uuid: str | None, actor: str) -> int:
        """Try again now what waits or was stopped: one task, or all. Returns how many tasks did.

        Raises:
            SettingsError: no server is configured, or there is no such task.
        """
        self._need_server()
        chosen = None if task_uuid is None else self._row(task_uuid).id

        def work(connection: Connection) -> int:
            waiting = [one for one in open_tasks(connection, self.server) if one.is_stopped or one.next_try_utc]
            mine = [one for one in waiting if chosen in (None, one.id)]
            for one in mine:
                store.clear_trouble(connection, one.id)
                audit.append(connection, actor, "cvat_retry", f"cvat_task/{one.uuid}", {})
            return len(mine)

        count = self._writer.call(work)
        for task_id, asked in list(self._rounds.pulls.items()):
            if asked.trouble and chosen in (None, task_id):
                self._rounds.pulls[task_id] = AskedPull(actor=actor)
                count += 1
        self._kick()
        return count

    def cancel(self, task_uuid: str, actor: str) -> None:
        """Let a task be: nothing more goes out or comes in. What stands on the server stays there, but for a task without any data.

        Raises:
            SettingsError: there is no such task, or it was cancelled before.
        """
        task = self._row(task_uuid)
        if not self._writer.call(partial(store.cancel_task, task_id=task.id, actor=actor)):
            raise SettingsError(f"{task.title} was cancelled before")
        self._rounds.cancelled.add(task.id)
        if task.step == "created" and task.remote_id is not None and self.server == task.server_url:
            self._rounds.empty_there[task.uuid] = task.remote_id
        self._rounds.pulls.pop(task.id, None)
        self._wanted.set()

    def page_is_open(self) -> None:
        """Somebody looks at a page of annotation: the jobs are looked at often for a while."""
        if self._rounds.page_is_open() and self.server:
            self._wanted.set()

    def step(self) -> float:
        """Go on with everything that is due. Returns in how many seconds something is due again."""
        return self._rounds.step() if self.server else AGAIN_S

    def doctor(self) -> tuple[Finding, ...]:
        """What of CVAT and of the appliance is as it has to be, looked at now; without a server nobody is contacted."""
        from annotator_bridge.cvat.doctor import examine

        return examine(self._tools.home, self._tools.settings, wait=self._stopping.wait)

    # What pages show ---------------------------------------------------------------------------------------------

    def server_state(self) -> ServerState:
        """What is known of the server."""
        return ServerState(url=self.server, reach=self._rounds.reach.state, username=self._username(), at_work=self._rounds.at_work)

    def asked_pulls(self) -> dict[int, AskedPull]:
        """Pulls that somebody asked for and that have not come about, by the task's id."""
        return dict(self._rounds.pulls)

    def login(self, actor: str, *, username: str = "", password: str = "", token: str = "") -> str:
        """Sign in with a token, or with an account and its password, of which only CVAT's token is kept. Returns the account's name.

        Raises:
            SettingsError: no server is configured.
            LoginNeededError: the server does not accept it; nothing is kept.
            TransportError: the server was not reached; nothing is kept.
        """
        from annotator_bridge.cvat.signing import log_in

        self._need_server()
        login = log_in(self._tools.home, self.server, username=username, password=password, token=token, wait=self._stopping.wait)
        about = {"server": self.server, "username": login.username}
        self._writer.call(lambda connection: audit.append(connection, actor, "cvat_login", "cvat", about))
        for task_id, asked in list(self._rounds.pulls.items()):
            if asked.trouble:  # that account may see what the one before could not
                self._rounds.pulls.pop(task_id, None)
        self._kick()
        return login.username

    def logout(self, actor: str) -> bool:
        """Forget the token. Returns whether any was kept."""
        had = forget_login(self._tools.home)
        if had:
            self._writer.call(lambda connection: audit.append(connection, actor, "cvat_logout", "cvat", {"server": self.server}))
        return had

    def _username(self) -> str | None:
        if not self.server:
            return None
        login = known_login(self._tools.home, self.server)
        return None if login is None else login.username or "a token"

    def _kick(self) -> None:
        self._rounds.reach.kick()
        self._wanted.set()

    def _need_server(self) -> None:
        if not self.server:
            advice = "Set `cvat_url`, such as http://localhost:8080, and start the appliance again: docs/guides/annotate.md."
            raise SettingsError("no CVAT server is configured", advice=advice)

    def _row(self, task_uuid: str) -> TaskRow:
        with self._reader() as connection:
            task_id = task_id_of(connection, task_uuid)
            row = None if task_id is None else task_by_id(connection, task_id)
        if row is None:
            raise SettingsError(f"there is no task {task_uuid}", advice="The page Annotate and `imagine-edge cvat status` list them.")
        return row

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.is_set():
            self._wanted.wait(wait_s)
            self._wanted.clear()
            try:
                wait_s = max(LEAST_S, min(AGAIN_S, self.step()))
            except Exception:  # the thread's border: such as a database that is lost; tried again
                log.exception("annotation_desk_failed")
                self._stopping.wait(AGAIN_S)


def _hindrance(task: TaskRow, server: str) -> str:
    if task.cancelled_utc:
        return "it was cancelled"
    if task.gone_utc:
        return "it is no longer in CVAT"
    return f"it is in {task.server_url}" if task.server_url != server else "it is still on its way there"
