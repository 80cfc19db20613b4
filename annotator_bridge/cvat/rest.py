"""CVAT over plain REST: every server from 2.15 on. The package cvat-sdk fits one version of the server only; this fits them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlencode

from annotator_bridge.cvat import wire
from annotator_bridge.cvat.link import Carrier, Wait, ask
from annotator_bridge.cvat.server import (
    DataStatus,
    Document,
    RemoteJob,
    RemoteLabel,
    RemoteTask,
    Sent,
    ServerAbout,
    TaskMeta,
    UploadFile,
)
from annotator_bridge.cvat.tus import Upload
from annotator_bridge.functions.function import Label
from edge.errors import LoginNeededError, ServerFailedError, ServerRefusedError

NOT_FOUND, FORBIDDEN = 404, 403
_PAGE = 500
_MOST_PAGES = 2000


class RestServer:
    """See `CvatServer`."""

    how: Literal["rest", "sdk"] = "rest"

    def __init__(self, carrier: Carrier, *, wait: Wait) -> None:
        """`wait` is where retries wait."""
        self._carrier = carrier
        self._wait = wait

    def about(self) -> ServerAbout:
        """GET /api/server/about."""
        return wire.read_about(self._get("/api/server/about"))

    def who(self) -> str:
        """GET /api/users/self."""
        found = self._get("/api/users/self")
        if not isinstance(found, dict) or not found.get("username"):
            raise ServerFailedError(f"{self._carrier.server} does not say who we are there")
        return wire.one_line(found["username"])

    def plugins(self) -> Mapping[str, bool]:
        """GET /api/server/plugins."""
        found = self._get("/api/server/plugins")
        if not isinstance(found, dict):
            raise ServerFailedError(f"{self._carrier.server} does not say what is switched on")
        return {str(name): bool(value) for name, value in found.items()}

    def functions(self) -> tuple[str, ...]:
        """GET /api/lambda/functions: asked once, the server may wait long for what it takes for Nuclio."""
        found = ask(self._carrier, "GET", "/api/lambda/functions")
        if not isinstance(found, list):
            raise ServerFailedError(f"{self._carrier.server} does not list its functions")
        return tuple(wire.one_line(one.get("id", "")) for one in found if isinstance(one, dict))

    def find_task(self, suffix: str) -> RemoteTask | None:
        """GET /api/tasks?search=: the server looks anywhere in names, without regard to case."""
        wanted = "".join(letter for letter in suffix if letter.isalnum())
        found = [wire.read_task(one, self._carrier.server) for one in self._pages("/api/tasks", {"search": wanted})]
        return min((task for task in found if task.name.endswith(suffix)), key=lambda task: task.id, default=None)

    def task(self, task_id: int) -> RemoteTask | None:
        """GET /api/tasks/{id}."""
        try:
            return wire.read_task(self._get(f"/api/tasks/{task_id}"), self._carrier.server)
        except ServerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def create_task(self, name: str, labels: Sequence[Label], segment_size: int) -> int:
        """POST /api/tasks. Jobs do not overlap: a video's do by five frames unless it is told."""
        body = {"name": name, "labels": wire.labels_json(labels), "segment_size": segment_size, "overlap": 0}
        return wire.read_task(ask(self._carrier, "POST", "/api/tasks", body=body), self._carrier.server).id

    def delete_task(self, task_id: int) -> None:
        """DELETE /api/tasks/{id}."""
        ask(self._carrier, "DELETE", f"/api/tasks/{task_id}")

    def upload(
        self, task_id: int, files: Sequence[UploadFile], *, kept: Mapping[str, Any], keep: Callable[[dict[str, Any]], None], sent: Sent
    ) -> str | None:
        """See `tus`."""
        return Upload(self._carrier, task_id, kept=kept, keep=keep, sent=sent).send(files)

    def data_status(self, task_id: int, work: str | None) -> DataStatus:
        """A server of before the common list of works knows only a task's own, and calls finished what it knows nothing of."""
        if self._there(task_id).frames > 0:
            return DataStatus(state="done")
        told = self._work(work) if work is not None else None
        if told is None:
            told = self._own_status(task_id)
        if told is not None and told.state != "done":
            return told
        return DataStatus(state="done" if self._there(task_id).frames > 0 else "none")  # it may have ended between the two questions

    def meta(self, task_id: int) -> TaskMeta:
        """GET /api/tasks/{id}/data/meta."""
        return wire.read_meta(self._get(f"/api/tasks/{task_id}/data/meta"))

    def jobs(self, task_id: int) -> tuple[RemoteJob, ...]:
        """GET /api/jobs?task_id=."""
        found = [wire.read_job(one) for one in self._pages("/api/jobs", {"task_id": str(task_id)})]
        return tuple(sorted((job for job in found if job.task_id == task_id), key=lambda job: (job.first_frame, job.id)))

    def labels(self, task_id: int) -> tuple[RemoteLabel, ...]:
        """GET /api/labels?task_id=."""
        return tuple(wire.read_label(one) for one in self._pages("/api/labels", {"task_id": str(task_id)}))

    def job_annotations(self, job_id: int) -> Document:
        """GET /api/jobs/{id}/annotations/."""
        return wire.read_document(self._get(f"/api/jobs/{job_id}/annotations/"))

    def task_annotations(self, task_id: int) -> Document:
        """GET /api/tasks/{id}/annotations/."""
        return wire.read_document(self._get(f"/api/tasks/{task_id}/annotations/"))

    def add_annotations(self, task_id: int, document: Document) -> None:
        """PATCH /api/tasks/{id}/annotations/?action=create: one transaction there, all of it or nothing."""
        ask(self._carrier, "PATCH", f"/api/tasks/{task_id}/annotations/?action=create", body=document)

    def _there(self, task_id: int) -> RemoteTask:
        task = self.task(task_id)
        if task is None:
            raise ServerRefusedError(f"{self._carrier.server} has no task {task_id} (any more)", status=NOT_FOUND)
        return task

    def _work(self, work: str) -> DataStatus | None:
        try:
            return wire.read_status(self._get(f"/api/requests/{quote(work, safe='')}"))
        except ServerRefusedError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def _own_status(self, task_id: int) -> DataStatus | None:
        try:
            return wire.read_status(self._get(f"/api/tasks/{task_id}/status"))
        except ServerRefusedError as error:
            if error.status in (NOT_FOUND, 410):
                return None
            raise

    def _get(self, path: str) -> Any:
        return ask(self._carrier, "GET", path, wait=self._wait)

    def _pages(self, path: str, params: Mapping[str, str]) -> Iterator[Any]:
        """Everything of a list; the address of the next page is made here: behind a proxy the server's own may lead elsewhere."""
        for page in range(1, _MOST_PAGES):
            found = self._get(f"{path}?{urlencode({**params, 'page_size': _PAGE, 'page': page})}")
            if not isinstance(found, dict) or not isinstance(found.get("results"), list):
                raise ServerFailedError(f"{self._carrier.server} does not answer with a list")
            yield from found["results"]
            if not found.get("next"):
                return
        raise ServerFailedError(f"{self._carrier.server} has a list without an end")


def sign_in(carrier: Carrier, username: str, password: str) -> str:
    """The token of an account.

    Raises:
        LoginNeededError: the server does not accept them.
        TransportError: it cannot be asked.
    """
    try:
        found = ask(carrier, "POST", "/api/auth/login", body={"username": username, "password": password})
    except (ServerRefusedError, LoginNeededError) as error:
        if isinstance(error, ServerRefusedError) and error.status not in (400, FORBIDDEN):
            raise
        advice = "Type both again; it is the name and the password with which that person signs in to CVAT."
        raise LoginNeededError(f"{carrier.server} does not accept the name {username} with this password", advice=advice) from error
    token = found.get("key") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise ServerFailedError(f"{carrier.server} answered a sign-in with no token")
    return token
