"""The addresses of a simulated CVAT: which request does what, and what it answers.

As in cvat/apps/engine/views.py and cvat/urls.py: answers are rendered as `application/vnd.cvat+json`, so a request that accepts only
`application/json` gets 406; lists come in pages of ten unless asked for more, of 500 at most; making a TUS upload without an `Origin`
ends in a page of an error where no proxy stands in front; the address of an upload is made from that `Origin`.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from tests.simulators import cvat_documents as documents
from tests.simulators.cvat_refusal import RefusedError
from tests.simulators.cvat_world import Account, Job, Task, World

MOST_A_PAGE = 500
_PAGE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. `is_cut`: its connection went while the body was read."""

    method: str
    path: str
    params: dict[str, str]
    headers: Any
    body: bytes
    is_cut: bool = False

    def json(self) -> Any:
        """The body.

        Raises:
            RefusedError: it is no JSON.
        """
        if not self.body:
            return {}
        if "json" not in (self.headers.get("Content-Type") or ""):
            raise RefusedError(415, {"detail": f'Unsupported media type "{self.headers.get("Content-Type")}" in request.'})
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise RefusedError(400, {"detail": f"JSON parse error - {error}"}) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back; bytes are a page and no JSON."""

    status: int = 200
    value: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def answer_of(world: World, call: Call, url: str) -> Answer:
    """Do what a request asks.

    Raises:
        RefusedError: the server says no.
    """
    host = (call.headers.get("Host") or "").partition(":")[0]
    if world.host_rule is not None and host != world.host_rule:  # Traefik in front knows no such host
        return Answer(status=404, value=b"404 page not found\n")
    if not call.path.startswith("/api/"):
        return Answer(value=b"<html><title>Computer Vision Annotation Tool</title></html>")
    accepts = call.headers.get("Accept") or "*/*"
    if "*/*" not in accepts and "vnd.cvat+json" not in accepts:
        raise RefusedError(406, {"detail": "Could not satisfy the request Accept header."})
    for method, pattern, act in _OPEN:
        if method == call.method and re.fullmatch(pattern, call.path):
            return act(world, call)
    account = world.account_of(call.headers.get("Authorization"))
    for methods, pattern, of in _ROUTES:
        found = re.fullmatch(pattern, call.path)
        if found is not None:
            if call.method not in methods.split():
                raise RefusedError(405, {"detail": f'Method "{call.method}" not allowed.'})
            return of(_Ask(world=world, call=call, account=account, number=found.groupdict().get("id", ""), url=url))
    raise RefusedError(404, {"detail": "Not found."})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    world: World
    call: Call
    account: Account
    number: str
    url: str

    @property
    def task(self) -> Task:
        return self.world.task(self.account, int(self.number))

    @property
    def job(self) -> Job:
        return self.world.job(self.account, int(self.number))


def _about(world: World, _call: Call) -> Answer:
    about = {"name": "Computer Vision Annotation Tool", "description": "CVAT is completely re-designed", "version": world.version}
    return Answer(value={**about, "logo_url": "/static/logo.svg", "subtitle": ""} if world.is_new else about)


def _plugins(world: World, _call: Call) -> Answer:
    flags = {"ANALYTICS": False, "MODELS": world.is_serverless}
    return Answer(value=flags if world.is_new else {"GIT_INTEGRATION": False, **flags, "PREDICT": False})


def _login(world: World, call: Call) -> Answer:
    return Answer(value={"key": world.login(call.json())}, headers={"Set-Cookie": "sessionid=s1; HttpOnly; Path=/"})


def _logout(ask: _Ask) -> Answer:
    """Signing out ends the account's one token, whoever else holds it."""
    ask.world.tokens = {token: name for token, name in ask.world.tokens.items() if name != ask.account.name}
    return Answer(value={"detail": "Successfully logged out."})


def _self(ask: _Ask) -> Answer:
    return Answer(value=_user(ask.account.name, ask.account.id, ask.url))


def _tasks(ask: _Ask) -> Answer:
    world = ask.world
    if ask.call.method == "POST":
        return Answer(status=201, value=_task_json(world, world.make_task(ask.account, ask.call.json()), ask.url))
    wanted, name = ask.call.params.get("search", "").lower(), ask.call.params.get("name")
    mine = [task for task in world.tasks.values() if task.owner == ask.account.name or ask.account.role == "admin"]
    found = [task for task in mine if wanted in task.name.lower() and name in (None, task.name)]
    newest = sorted(found, key=lambda task: -task.id)
    return _page(ask, [_task_json(world, task, ask.url) for task in newest])


def _task(ask: _Ask) -> Answer:
    if ask.call.method == "DELETE":
        ask.world.delete_task(ask.task)
        return Answer(status=204)
    return Answer(value=_task_json(ask.world, ask.task, ask.url))


def _data(ask: _Ask) -> Answer:
    task, headers = ask.task, ask.call.headers
    ask.world.receive(task)
    if headers.get("Upload-Finish") is not None:
        rq_id = ask.world.finish(task, ask.call.json())
        return Answer(status=202, value={"rq_id": rq_id} if ask.world.is_new else {"image_quality": task.quality, "client_files": []})
    if headers.get("Upload-Start") is not None:
        return Answer(status=202)
    if headers.get("Upload-Length") is None:
        raise RefusedError(415, {"detail": "this simulator takes files by TUS only"})
    pairs = [pair.split(" ") for pair in (headers.get("Upload-Metadata") or "").split(",")]
    meta = {pair[0]: base64.b64decode(pair[1]).decode() if len(pair) == 2 else "" for pair in pairs}
    upload = ask.world.begin_file(task, ask.account, meta.get("filename", ""), int(headers["Upload-Length"]))
    if headers.get("Origin") is None and headers.get("X-Forwarded-Host") is None:
        raise RefusedError(500, "TypeError: unsupported operand type(s) for +: 'NoneType' and 'str'")
    place = f"{headers.get('Origin') or ask.url}/api/tasks/{task.id}/data/{upload.id}"
    return Answer(status=201, headers={"Location": place, "Upload-Filename": upload.name, "Tus-Resumable": "1.0.0"})


def _chunk(ask: _Ask) -> Answer:
    task = ask.task
    upload = ask.world.upload(task, ask.call.path.rpartition("/")[2])
    if ask.call.method == "HEAD":
        return Answer(headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size)})
    offset = int(ask.call.headers.get("Upload-Offset") or 0)
    ask.world.write(task, upload, offset, ask.call.body, is_cut=ask.call.is_cut)
    return Answer(status=204, headers={"Upload-Offset": str(upload.offset), "Upload-Filename": upload.name})


def _status(ask: _Ask) -> Answer:
    task = ask.task
    ask.world.look(task)
    if not task.state or task.rq_is_gone:  # no such work in the queue any more: the server calls that finished
        return Answer(value={"state": "Finished"})
    return Answer(value={"state": task.state, "message": task.message, "progress": 0.5})


def _request(ask: _Ask) -> Answer:
    found = re.fullmatch(r"action=create&target=task&id=(\d+)", unquote(ask.call.path.rpartition("/")[2]))
    task = ask.world.tasks.get(int(found[1])) if found is not None else None
    if not ask.world.is_new or task is None or not task.state or task.rq_is_gone:
        raise RefusedError(404, {"detail": "Not found."})
    ask.world.look(task)
    return Answer(
        value={
            "status": task.state.lower(),
            "message": task.message,
            "id": task.rq_id,
            "operation": {"type": "create:task", "target": "task", "task_id": task.id},
            "progress": 0.5,
            "created_date": task.created,
        }
    )


def _meta(ask: _Ask) -> Answer:
    task = ask.task
    if not task.has_data:
        raise RefusedError(500, "AttributeError: 'NoneType' object has no attribute 'images'")
    media = task.frames[:1] if task.is_video else task.frames
    frames = [
        {"width": one.width, "height": one.height, "name": one.name, "related_files": 0, "has_related_context": False} for one in media
    ]
    meta = {
        "chunk_size": 72,
        "size": len(task.frames),
        "image_quality": task.quality,
        "start_frame": 0,
        "stop_frame": max(0, len(task.frames) - 1),
        "frame_filter": "",
        "frames": frames,
        "deleted_frames": task.deleted_frames,
        "included_frames": None,
    }
    return Answer(value={**meta, "chunks_updated_date": task.created, "chapters": None} if ask.world.is_new else meta)


def _jobs(ask: _Ask) -> Answer:
    world = ask.world
    wanted = ask.call.params.get("task_id")
    jobs = [job for job in world.jobs.values() if wanted in (None, str(job.task_id))]
    mine = [job for job in jobs if world.tasks[job.task_id].owner == ask.account.name or ask.account.role == "admin"]
    return _page(ask, [_job_json(world, job, ask.url) for job in sorted(mine, key=lambda job: -job.id)])


def _job(ask: _Ask) -> Answer:
    job = ask.job
    if ask.call.method == "PATCH":
        given = ask.call.json()
        job.stage, job.state = given.get("stage", job.stage), given.get("state", job.state)
        job.updated = ask.world.now()
    return Answer(value=_job_json(ask.world, job, ask.url))


def _labels(ask: _Ask) -> Answer:
    params = ask.call.params
    task_id = int(params["task_id"]) if "task_id" in params else ask.world.job(ask.account, int(params["job_id"])).task_id
    task = ask.world.task(ask.account, task_id)
    return _page(ask, [label.as_json(task.id) for label in task.labels])


def _task_annotations(ask: _Ask) -> Answer:
    task, world = ask.task, ask.world
    if not task.has_data:
        raise RefusedError(400, {"detail": "Exporting annotations from a task without data is not allowed"})
    if ask.call.method == "GET":
        return Answer(value=documents.of_jobs(world.jobs_of(task)))
    if ask.call.params.get("action") != "create":
        raise RefusedError(400, ["Please specify a correct 'action' for the request"])
    return Answer(value=documents.add(world, task, ask.call.json()))


def _job_annotations(ask: _Ask) -> Answer:
    job, world = ask.job, ask.world
    if ask.call.method == "GET":
        return Answer(value=documents.of_jobs([job]))
    found = documents.checked(world.tasks[job.task_id], ask.call.json())
    part = documents.part_of(found, job.start, job.stop)
    act: dict[str | None, Callable[..., Any]] = {"create": documents.add_to_job, "delete": documents.remove, "update": documents.update}
    action = ask.call.params.get("action")
    if ask.call.method == "PUT":
        documents.replace(world, job, part)
    elif action in act:
        act[action](world, job, part)
    else:
        raise RefusedError(400, ["Please specify a correct 'action' for the request"])
    return Answer(value=documents.of_jobs([job]))


def _functions(ask: _Ask) -> Answer:
    """GET /api/lambda/functions: the server asks what it takes for Nuclio."""
    if not ask.world.is_serverless or ask.world.nuclio_url is None:
        raise RefusedError(503 if ask.world.is_serverless else 404, {"message": "nuclio is not available"})
    parts = urlsplit(ask.world.nuclio_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", f"{parts.path}/api/functions", headers={"x-nuclio-project-name": "cvat"})
        answer = connection.getresponse()
        found = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise RefusedError(503, {"message": str(error)}) from error
    finally:
        connection.close()
    if answer.status != 200:
        return Answer(status=answer.status, value={"message": f"{answer.status} Client Error"})
    return Answer(value=[{"id": one["metadata"]["name"], "kind": one["metadata"]["annotations"].get("type")} for one in found.values()])


def _page(ask: _Ask, items: list[dict[str, Any]]) -> Answer:
    size = min(MOST_A_PAGE, int(ask.call.params.get("page_size") or _PAGE))
    page = int(ask.call.params.get("page") or 1)
    if page > 1 and (page - 1) * size >= len(items):
        raise RefusedError(404, {"detail": "Invalid page."})
    more = page * size < len(items)
    link = f"{ask.url}{ask.call.path}?{urlencode({**ask.call.params, 'page': page + 1})}"
    return Answer(
        value={"count": len(items), "next": link if more else None, "previous": None, "results": items[(page - 1) * size : page * size]}
    )


def _user(name: str, number: int, url: str) -> dict[str, Any]:
    return {"url": f"{url}/api/users/{number}", "id": number, "username": name, "first_name": "", "last_name": ""}


def _task_json(world: World, task: Task, url: str) -> dict[str, Any]:
    owner = world.accounts[task.owner]
    found = {
        "url": f"{url}/api/tasks/{task.id}",
        "id": task.id,
        "name": task.name,
        "project_id": None,
        "mode": "" if not task.frames else "interpolation" if task.is_video else "annotation",
        "owner": _user(owner.name, owner.id, url),
        "assignee": None,
        "bug_tracker": "",
        "created_date": task.created,
        "updated_date": task.created,
        "overlap": task.overlap,
        "segment_size": task.segment_size,
        "status": "annotation",
        "size": len(task.frames),
        "dimension": "2d",
        "subset": "",
        "jobs": {"count": len(world.jobs_of(task)), "completed": 0, "validation": 0, "url": f"{url}/api/jobs?task_id={task.id}"},
        "labels": {"url": f"{url}/api/labels?task_id={task.id}"},
    }
    if task.has_data:
        found |= {"data": task.id, "image_quality": task.quality, "data_chunk_size": 72}
    return found


def _job_json(world: World, job: Job, url: str) -> dict[str, Any]:
    assignee = world.accounts.get(job.assignee or "")
    found = {
        "url": f"{url}/api/jobs/{job.id}",
        "id": job.id,
        "task_id": job.task_id,
        "project_id": None,
        "assignee": None if assignee is None else _user(assignee.name, assignee.id, url),
        "dimension": "2d",
        "mode": "interpolation" if world.tasks[job.task_id].is_video else "annotation",
        "bug_tracker": "",
        "status": job.stage,
        "stage": job.stage,
        "state": job.state,
        "type": job.kind,
        "frame_count": job.stop - job.start + 1,
        "start_frame": job.start,
        "stop_frame": job.stop,
        "created_date": job.updated,
        "updated_date": job.updated,
        "issues": {"count": 0, "url": f"{url}/api/issues?job_id={job.id}"},
        "labels": {"url": f"{url}/api/labels?job_id={job.id}"},
    }
    return {**found, "task_name": world.tasks[job.task_id].name} if world.is_new else found


_OPEN: tuple[tuple[str, str, Callable[[World, Call], Answer]], ...] = (
    ("GET", "/api/server/about", _about),
    ("GET", "/api/server/plugins", _plugins),
    ("POST", "/api/auth/login", _login),
)
_UPLOAD = r"(?:\d+_)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ROUTES: tuple[tuple[str, str, Callable[[_Ask], Answer]], ...] = (
    ("POST", "/api/auth/logout", _logout),
    ("GET", "/api/users/self", _self),
    ("GET POST", "/api/tasks", _tasks),
    ("GET DELETE", r"/api/tasks/(?P<id>\d+)", _task),
    ("POST", r"/api/tasks/(?P<id>\d+)/data/?", _data),
    ("HEAD PATCH", rf"/api/tasks/(?P<id>\d+)/data/{_UPLOAD}", _chunk),
    ("GET", r"/api/tasks/(?P<id>\d+)/data/meta", _meta),
    ("GET", r"/api/tasks/(?P<id>\d+)/status", _status),
    ("GET PATCH", r"/api/tasks/(?P<id>\d+)/annotations/?", _task_annotations),
    ("GET", r"/api/requests/.+", _request),
    ("GET", "/api/jobs", _jobs),
    ("GET PATCH", r"/api/jobs/(?P<id>\d+)", _job),
    ("GET PATCH PUT", r"/api/jobs/(?P<id>\d+)/annotations/?", _job_annotations),
    ("GET", "/api/labels", _labels),
    ("GET", "/api/lambda/functions", _functions),
)
