"""The desk of EcoTaxa: what people ask for is queued, and done by a thread of its own when there is a link.

Nothing is contacted while nothing is queued. What fails for the link or for the server is tried again, later each time and for ever; what
the server refuses, or what cannot be exported, fails and says why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from edge.errors import (
    DiskFullError,
    EdgeError,
    ImportFailedError,
    LinkDownError,
    LoginNeededError,
    ServerFailedError,
    SettingsError,
)
from edge.store.clock import utc_text
from edge.store.reads.zooscan_uploads import ScanName, UploadRow, find_scans, open_uploads, upload_by_id
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.store.zooscan import uploads as store
from edge.zooscan.ecotaxa.login import Login, forget_login, keep_login, login_of_environment, read_login
from edge.zooscan.ecotaxa.tools import LONGEST_WAIT_S, PROJECT_FILE, MakeArchive, StoppedError, Tools

if TYPE_CHECKING:
    from edge.zooscan.ecotaxa.client import EcoTaxa

log = structlog.get_logger()

AGAIN_S = 60.0
LEAST_S = 0.2
STOP_S = 5.0
FIRST_DELAY_S, LONGEST_DELAY_S = 15.0, 900.0
_LATER = (LinkDownError, ServerFailedError, LoginNeededError, DiskFullError)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """Who the appliance is to EcoTaxa; nothing of it is secret. `keeps_password`: tokens are renewed without a person."""

    server: str
    username: str | None
    keeps_password: bool


class EcotaxaDesk:
    """Pushes and pulls of one home folder. Every method may be called from any thread; `step` runs in one at a time."""

    def __init__(
        self,
        home: Path,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        *,
        server: str,
        project_id: int | None,
        make_archive: MakeArchive,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`server` was checked; `project_id` is that of scans whose project folder names none."""
        self.server = server
        self._home = home
        self._writer = writer
        self._reader = reader
        self._project_id = project_id
        self._now = now
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._refused: tuple[Login, str] | None = None
        self._tools = Tools(home=home, writer=writer, reader=reader, make_archive=make_archive, stopping=self._stopping.is_set)
        self._thread = threading.Thread(target=self._run, name="ecotaxa", daemon=True)
        self.at_work: int | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Put down what is in hand; it goes on at the next start. A server that has not answered yet is not waited for."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    # What a person asks for --------------------------------------------------------------------------------------

    def push(self, scan: str, actor: str, *, project_id: int | None = None, mode: store.Mode = "new") -> int:
        """Queue a scan for EcoTaxa. Returns the transfer's id.

        Raises:
            SettingsError: there is no such scan, no project is named for it, or it is on its way there.
        """
        return self._add(scan, "push", actor, project_id, mode)

    def pull(self, scan: str, actor: str, *, project_id: int | None = None) -> int:
        """Queue the fetching of a scan's categories. Returns the transfer's id.

        Raises:
            SettingsError: as `push` says.
        """
        return self._add(scan, "pull", actor, project_id, "new")

    def pull_file(self, path: Path, actor: str, *, scan: str | None = None) -> dict[str, Any]:
        """Take categories from a table that was exported from EcoTaxa by hand. Returns what came of it.

        Raises:
            InputError: it is no such table.
            SettingsError: there is no such scan, or two have one name.
        """
        from edge.zooscan.ecotaxa.pull import take_file

        if scan is not None:
            self._scan(scan)
        return take_file(self._tools, path, scan=scan, actor=actor)

    def cancel(self, upload_id: int, actor: str) -> None:
        """End a transfer that EcoTaxa is not importing yet.

        Raises:
            SettingsError: there is none, or it is too late.
        """
        row = self._row(upload_id)
        if not self._writer.call(partial(store.cancel, upload_id=upload_id, actor=actor)):
            advice = "An import that has begun is stopped on EcoTaxa's own page of jobs; what came of it is told here."
            raise SettingsError(f"transfer {upload_id} is {row.state}", advice=advice if row.state == "importing" else None)
        if row.state == "asking":
            told = f"cancelled by {actor}; EcoTaxa's job {row.remote_job_id} still asks: delete it there"
            self._writer.call(partial(store.go_on, upload_id=upload_id, of="cancelled", detail=told))
        if self.at_work != upload_id:
            self._tools.tidy(row)

    def answer(self, upload_id: int, actor: str, *, taxa: Mapping[str, int], users: Mapping[str, int]) -> None:
        """Answer what EcoTaxa asks: its own number of each taxon and person that it does not know by name.

        Raises:
            SettingsError: it asks nothing, or something is left unanswered.
        """
        row = self._row(upload_id)
        asked = row.question or {}
        open_names = [
            f"{what} {name}"
            for what, key, given in (("taxon", "missing_taxa", taxa), ("user", "missing_users", users))
            for name in asked.get(key, ())
            if name not in given
        ]
        if row.state != "asking":
            raise SettingsError(f"transfer {upload_id} asks nothing: it is {row.state}")
        if open_names:
            raise SettingsError(f"left unanswered: {', '.join(open_names)}", advice="Give EcoTaxa's number of each; its pages show them.")
        given = {"taxa": dict(taxa), "users": dict(users)}
        self._writer.call(partial(store.answer, upload_id=upload_id, given=given, actor=actor))
        self._wanted.set()

    def retry(self, upload_id: int | None = None) -> int:
        """Try again now what waits. Returns how many did."""
        count = self._writer.call(partial(store.retry_now, upload_id=upload_id))
        self._refused = None
        self._wanted.set()
        return count

    def sign_in(self, username: str, password: str, *, keep_password: bool) -> str | None:
        """Sign in at the server and keep the token, and the password if it shall be kept. Returns the name that the account has there.

        Without a link only a password that is kept can be taken: then None, and it is tried when there is one.

        Raises:
            LoginNeededError: the server does not accept them; nothing is kept.
            TransportError: the server was not reached, and the password is not to be kept.
        """
        login = Login(server=self.server, username=username, password=password)
        kept = partial(self._keep, keep_password=keep_password)
        try:
            with self._client(login, kept) as client:
                name: str | None = client.sign_in()
        except (LinkDownError, ServerFailedError):
            if not keep_password:
                raise
            kept(login)
            name = None
        self.retry()
        return name

    def sign_out(self) -> bool:
        """Forget token and password. Returns whether any were kept."""
        return forget_login(self._home)

    def login_state(self) -> LoginState:
        """Who the appliance is to EcoTaxa."""
        login = self._login(self.server)
        return LoginState(
            server=self.server,
            username=None if login is None else login.username,
            keeps_password=login is not None and login.password is not None,
        )

    # The work ----------------------------------------------------------------------------------------------------

    def step(self) -> float:
        """Go on with everything that is due. Returns in how many seconds something is due again."""
        with self._one_at_a_time:
            with self._reader() as connection:
                rows = open_uploads(connection)
            lost = set()
            for row in rows:
                if self._stopping.is_set():
                    break
                if self._is_due(row):
                    try:
                        self._work(row)
                    except Exception:  # not even what hinders it could be noted: the others go on
                        log.exception("transfer_lost", upload=row.id)
                        lost.add(row.id)
            with self._reader() as connection:
                left_s = (AGAIN_S if row.id in lost else self._left_s(row) for row in open_uploads(connection))
                return min(left_s, default=AGAIN_S)

    def _work(self, row: UploadRow) -> None:
        """One transfer as far as it goes; what hinders it is told in its row."""
        self.at_work = row.id
        try:
            again_s = self._go(row)
            if again_s is not None:
                self._note(row.id, quiet=True, not_before_utc=self._in(again_s))
        except StoppedError:
            pass
        except _LATER as error:
            self._put_off(row.id, error)
        except EdgeError as error:
            self._fail(row.id, error)
        except Exception as error:  # the work's border: a fault of ours fails this transfer, and no other
            log.exception("transfer_failed", upload=row.id)
            self._fail(row.id, ImportFailedError(f"the appliance could not go on: {error!r}"))
        finally:
            self.at_work = None
            self._tidy_cancelled(row.id)

    def _go(self, row: UploadRow) -> float | None:
        from edge.zooscan.ecotaxa.pull import Pull
        from edge.zooscan.ecotaxa.push import Push

        login = self._login(row.server)
        if login is None:
            raise LoginNeededError(f"nobody has signed in at {row.server}")
        if self._refused is not None and self._refused[0] == login:  # asked again and again, an account may be locked
            raise LoginNeededError(self._refused[1])
        try:
            with self._client(login, self._keep) as client:
                kind = Push if row.kind == "push" else Pull
                return kind(self._tools, client).work(row)
        except LoginNeededError as error:
            self._refused = login, str(error)
            raise

    def _put_off(self, upload_id: int, error: EdgeError) -> None:
        row = self._tools.row(upload_id)
        if row is None:
            return
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(row.attempts, 10))
        asked_s = min(LONGEST_WAIT_S, getattr(error, "after_s", None) or 0.0)
        self._note(
            upload_id, detail=f"{error}. {error.advice()}", attempts=row.attempts + 1, not_before_utc=self._in(max(delay_s, asked_s))
        )
        log.warning("transfer_waits", upload=upload_id, code=error.code, reason=str(error))

    def _fail(self, upload_id: int, error: EdgeError) -> None:
        row = self._tools.row(upload_id)
        if row is not None and row.state in store.OPEN_STATES:
            self._tools.go_on(row, "failed", detail=f"{error}. {error.advice()}")
            self._tools.tidy(row)
            log.warning("transfer_failed", upload=upload_id, code=error.code, reason=str(error))

    def _note(self, upload_id: int, **values: Any) -> None:
        row = self._tools.row(upload_id)
        if row is not None and row.state in store.OPEN_STATES:
            self._tools.go_on(row, **values)

    def _tidy_cancelled(self, upload_id: int) -> None:
        row = self._tools.row(upload_id)
        if row is not None and row.state == "cancelled":
            self._tools.tidy(row)

    def _client(self, login: Login, keep: Callable[[Login], None]) -> AbstractContextManager[EcoTaxa]:
        from edge.zooscan.ecotaxa.session import open_client

        return open_client(login, keep=keep, wait=self._stopping.wait)

    def _keep(self, login: Login, *, keep_password: bool | None = None) -> None:
        """Keep a new token; the password as it was asked for, or as it is kept now."""
        if keep_password is None:
            kept = read_login(self._home)
            keep_password = kept is not None and kept.password is not None
        keep_login(self._home, login if keep_password else replace(login, password=None))

    def _login(self, server: str) -> Login | None:
        """What is kept for a server; name and password of the environment where nothing is, or where the password is not kept."""
        kept = read_login(self._home)
        given = login_of_environment(server)
        if kept is None or kept.server != server:
            return given
        if kept.password is None and given is not None and given.username == kept.username:
            return replace(kept, password=given.password)
        return kept

    def _add(self, named: str, kind: store.Kind, actor: str, project_id: int | None, mode: store.Mode) -> int:
        scan = self._scan(named)
        project = project_id or _project_of(Path(scan.folder)) or self._project_id
        if project is None:
            advice = f"Name it with --project, in {PROJECT_FILE} of the project's folder, or in the setting `ecotaxa_project`."
            raise SettingsError(f"no EcoTaxa project is named for {scan.name}", advice=advice)
        upload_id = self._writer.call(
            partial(store.add_upload, scan_id=scan.id, kind=kind, server=self.server, ecotaxa_project_id=project, actor=actor, mode=mode)
        )
        if upload_id is None:
            raise SettingsError(
                f"a {kind} of {scan.name} is under way", advice="`imagine-edge zooscan uploads` shows how far it is, and cancels it."
            )
        self._wanted.set()
        return upload_id

    def _scan(self, named: str) -> ScanName:
        with self._reader() as connection:
            found = find_scans(connection, named)
        if not found:
            raise SettingsError(f"there is no scan {named}", advice="`imagine-edge zooscan list` lists them.")
        if len(found) > 1:
            names = ", ".join(f"{one.project}/{one.name}" for one in found)
            raise SettingsError(f"several scans have this name: {names}", advice="Name the project too: PROJECT/SCAN.")
        return found[0]

    def _row(self, upload_id: int) -> UploadRow:
        with self._reader() as connection:
            row = upload_by_id(connection, upload_id)
        if row is None:
            raise SettingsError(f"there is no transfer {upload_id}", advice="`imagine-edge zooscan uploads` lists them.")
        return row

    def _is_due(self, row: UploadRow) -> bool:
        return row.not_before_utc is None or row.not_before_utc <= utc_text(self._now())

    def _left_s(self, row: UploadRow) -> float:
        if row.not_before_utc is None:
            return 0.0
        return max(0.0, (datetime.fromisoformat(row.not_before_utc) - self._now()).total_seconds())

    def _in(self, seconds: float) -> str:
        return utc_text(self._now() + timedelta(seconds=seconds))

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.is_set():
            self._wanted.wait(wait_s)
            self._wanted.clear()
            try:
                wait_s = max(LEAST_S, min(AGAIN_S, self.step()))
            except Exception:  # the thread's border: such as a database that is lost; tried again
                log.exception("ecotaxa_failed")
                self._stopping.wait(AGAIN_S)


def _project_of(folder: Path) -> int | None:
    """The EcoTaxa project that a ZooScan project's configuration names; None if it names none."""
    with suppress(OSError, ValueError):
        number = int((folder / PROJECT_FILE).read_text(encoding="utf-8-sig").strip())
        return number if number > 0 else None
    return None
