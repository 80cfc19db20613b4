"""What is asked of EcoTaxa, call by call (domain notes on ZooScan, section b; the server's own OpenAPI document, version 0.0.45).

An archive is sent into a folder of its own of the account's files, where the server unpacks it; the import names that folder. Servers of
before September 2024 keep the archive as it is, under `/my_files/`, and the import names the path that they answer with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from edge.errors import LoginNeededError, ServerFailedError, ServerRefusedError
from edge.zooscan.ecotaxa.body import FormBody, Sent
from edge.zooscan.ecotaxa.link import Link
from edge.zooscan.ecotaxa.login import Login

T = TypeVar("T")
JobState = Literal["P", "R", "A", "E", "F"]
NOT_FOUND, FORBIDDEN = 404, 403
_WINDOW = 5000
_SHOWN = 500
_FILES = ("/user_files/", "/my_files/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the server.

    Attributes:
        state: (P)ending, (R)unning, (A)sking, (E)rror, (F)inished.
        progress: 0 to 1; None while it does not say.
        message: what it says of itself, short.
        errors: what it found.
        question: what it asks: `missing_users` and `missing_taxa`.
        project_id, source_path: of an import, what it was asked for.
    """

    id: int
    state: JobState
    progress: float | None
    message: str
    errors: tuple[str, ...]
    question: dict[str, Any]
    project_id: int | None
    source_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies in a folder of the account's files. `size_bytes` is 0 for what is no zip."""

    name: str
    is_folder: bool
    size_bytes: int


class EcoTaxa:
    """A server as one account sees it. For one thread at a time.

    Every call raises a `TransportError` if it cannot be done: `LoginNeededError` if no token can be had.
    """

    def __init__(self, link: Link, login: Login, *, keep: Callable[[Login], None]) -> None:
        """`keep` is called with the login whenever its token is a new one."""
        self._link = link
        self._login = login
        self._keep = keep
        self._files: str | None = None

    def sign_in(self) -> str:
        """A new token for the name and the password. Returns who that is there."""
        login = self._login
        if login.password is None:
            raise LoginNeededError(f"the sign-in of {login.username} at {login.server} has expired")
        try:
            token = self._link.ask("POST", "/login", body={"username": login.username, "password": login.password})
        except (ServerRefusedError, LoginNeededError) as error:
            raise LoginNeededError(f"{login.server} does not accept the name {login.username} with this password") from error
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise ServerFailedError(f"{login.server} answered a sign-in with no token")
        self._login = replace(login, token=token)
        self._keep(self._login)
        return self._who()

    def send(self, archive: Path, folder: str, sent: Sent) -> str:
        """Send an archive into a folder of the account's. Returns the path that an import of it names."""
        files, name = self._files_route(), remote_name(archive)
        body = FormBody(archive, name=name, fields={"path": f"/{folder}/{name}"}, sent=sent)
        told = self._with_token(lambda token: self._link.send(files, token=token, body=body.pieces(), headers=body.headers))
        return f"/{folder}/" if files == _FILES[0] else str(told)

    def entries(self, folder: str) -> tuple[Entry, ...] | None:
        """What lies in a folder of the account's files; None if there is no such folder."""
        try:
            found = self._ask("GET", f"{self._files_route()}{folder.strip('/')}")
        except ServerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return tuple(_entry(one) for one in _list(found, "entries"))

    def remove(self, folder: str) -> None:
        """Put a folder of the account's files into its trash; what cannot be removed stays."""
        with suppress(ServerRefusedError, ServerFailedError):
            self._ask("POST", f"{_FILES[0]}rm/", form={"source_path": folder.strip("/")})

    def begin_import(self, project_id: int, source_path: str, mode: str) -> int:
        """Ask for the import of a folder. Returns the job's id. `mode`: see `zooscan_uploads`. To be asked once."""
        request = {
            "source_path": source_path,
            "skip_existing_objects": mode != "new",
            "skip_loaded_files": False,
            "update_mode": "Yes" if mode == "update" else "",
            "taxo_mappings": {},
        }
        return self._job_id(self._ask("POST", f"/file_import/{project_id}", body=request))

    def imports(self) -> tuple[Job, ...]:
        """The account's import jobs that it has not deleted."""
        found = self._ask("GET", "/jobs/", params={"for_admin": "false", "job_type": "FileImport"}, repeat=True)
        return tuple(_job(one) for one in _list({"jobs": found}, "jobs"))

    def job(self, job_id: int) -> Job | None:
        """A job; None if the server has it no more."""
        try:
            return _job(self._ask("GET", f"/jobs/{job_id}/", repeat=True))
        except ServerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def answer(self, job_id: int, reply: dict[str, Any]) -> None:
        """Answer a job's question; does nothing to one that asks no more."""
        self._ask("POST", f"/jobs/{job_id}/answer", body=reply, repeat=True)

    def right(self, project_id: int) -> str:
        """What the account may do in a project: "View", "Annotate", "Manage"; empty if the server does not say."""
        found = self._ask("GET", f"/projects/{project_id}", repeat=True)
        return str(found.get("highest_right") or "") if isinstance(found, dict) else ""

    def samples(self, project_id: int, pattern: str) -> dict[str, int]:
        """The server's number of each sample of a project whose id fits a pattern (`*`: anything)."""
        found = self._ask("GET", "/samples/search", params={"project_ids": str(project_id), "id_pattern": pattern}, repeat=True)
        return {str(one["orig_id"]): int(one["sampleid"]) for one in _list({"samples": found}, "samples")}

    def object_ids(self, project_id: int, samples: Iterable[int]) -> frozenset[str]:
        """The ids of every object of these samples of a project."""
        numbers = ",".join(map(str, samples))
        return frozenset(self._object_ids(project_id, numbers)) if numbers else frozenset()

    def begin_export(self, project_id: int, samples: Iterable[int]) -> int:
        """Ask for a table of categories; of all samples if none is named. Returns the job's id."""
        request = {"project_id": project_id, "split_by": "none", "with_images": "none", "only_annotations": True}
        filters = {"samples": ",".join(map(str, samples))}
        return self._job_id(self._ask("POST", "/object_set/export/general", body={"filters": filters, "request": request}))

    def fetch(self, job_id: int, to: Path, *, room_bytes: int) -> int:
        """The file that a job made, into `to`. Returns its size."""
        return self._with_token(lambda token: self._link.fetch(f"/jobs/{job_id}/file", to, token=token, room_bytes=room_bytes))

    def delete_job(self, job_id: int) -> None:
        """Delete a job that is at its end, with its file; one that cannot be deleted stays."""
        with suppress(ServerRefusedError, ServerFailedError):
            self._ask("DELETE", f"/jobs/{job_id}")

    def _object_ids(self, project_id: int, samples: str) -> Iterator[str]:
        start = 0
        while True:
            params = {"fields": "obj.orig_id", "order_field": "obj.objid", "window_start": str(start), "window_size": str(_WINDOW)}
            found = self._ask("POST", f"/object_set/{project_id}/query", params=params, body={"samples": samples}, repeat=True)
            details = _list(found, "details")
            yield from (str(detail[0]) for detail in details)
            if len(details) < _WINDOW:
                return
            start += len(details)

    def _files_route(self) -> str:
        """Where the account's files are: an older server does not know the newer address."""
        if self._files is None:
            try:
                self._ask("GET", _FILES[0], repeat=True)
                self._files = _FILES[0]
            except ServerRefusedError as error:
                if error.status != NOT_FOUND:
                    raise
                self._files = _FILES[1]
        return self._files

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        return self._with_token(lambda token: self._link.ask(method, path, token=token, **how))

    def _with_token(self, ask: Callable[[str], T]) -> T:
        """Ask with the token; with a new one if it has expired.

        A server says 403 for a project that the account may not change, and older ones for a token that has expired too: who one is
        tells them apart.
        """
        if self._login.token is None:
            self.sign_in()
        try:
            return ask(self._login.token or "")
        except LoginNeededError:
            pass
        except ServerRefusedError as error:
            if error.status != FORBIDDEN or self._is_known():
                raise
        self.sign_in()
        return ask(self._login.token or "")

    def _is_known(self) -> bool:
        try:
            self._who()
        except (LoginNeededError, ServerRefusedError):
            return False
        return True

    def _who(self) -> str:
        found = self._link.ask("GET", "/users/me", token=self._login.token, repeat=True)
        if not isinstance(found, dict):
            raise ServerFailedError(f"{self._login.server} does not say who {self._login.username} is")
        return _told(found.get("name") or self._login.username)

    def _job_id(self, found: Any) -> int:
        """The id of a job that was begun; what the server found wrong at once is no job."""
        if not isinstance(found, dict) or not isinstance(found.get("job_id"), int):
            raise ServerFailedError(f"{self._login.server} does not say which job it began")
        errors = [_told(error) for error in found.get("errors") or ()]
        if found["job_id"] <= 0:
            raise ServerRefusedError(f"{self._login.server} began no job: {'; '.join(errors) or 'it does not say why'}")
        return int(found["job_id"])


def remote_name(archive: Path) -> str:
    """What an archive is called at the server, which makes a folder of the name up to its last point."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", archive.stem)[:100] + ".zip"


def _told(text: object) -> str:
    """What the server says, as one line that nothing of can move a terminal's cursor."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text).replace("<br>", "; "))
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _list(found: Any, name: str) -> list[Any]:
    values = found.get(name) if isinstance(found, dict) else None
    if not isinstance(values, list):
        raise ServerFailedError(f"the server's answer has no list of {name}")
    return values


def _job(found: Any) -> Job:
    try:
        request = found.get("params") or {}
        percent = found.get("progress_pct")
        source = (request.get("req") or {}).get("source_path")
        return Job(
            id=int(found["id"]),
            state=found["state"],
            progress=None if percent is None else min(1.0, max(0.0, float(percent) / 100)),
            message=_told(found.get("progress_msg") or ""),
            errors=tuple(_told(error) for error in found.get("errors") or ()),
            question=dict(found.get("question") or {}),
            project_id=request.get("prj_id"),
            source_path=None if source is None else str(source),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerFailedError(f"the server's answer is no job: {error!r}") from error


def _entry(found: Any) -> Entry:
    try:
        return Entry(name=str(found["name"]), is_folder=found["type"] == "D", size_bytes=int(found.get("size") or 0))
    except (KeyError, TypeError, ValueError) as error:
        raise ServerFailedError(f"the server's answer is no entry of a folder: {error!r}") from error
