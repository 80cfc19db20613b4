"""EcoTaxa on the loopback: real HTTP over `World`, and everything that goes wrong with real servers and links.

world = World(tmp_path / "server")
with ecotaxa(world) as server:
    server.url, server.breaks(...)
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.simulators.ecotaxa_world import NAME, Job, RefusedError, World

How = Literal["status", "lose_answer", "cut_body", "cut_answer", "page", "redirect", "long"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next requests that fit.

    `lose_answer`: it is done, and nobody is told. `cut_body`: the connection goes while the body is read. `cut_answer`: the answer is
    shorter than its length says. `page`: a captive portal answers. `redirect`: somewhere else. `long`: an answer without an end.
    """

    where: str
    how: How
    times: int = 1
    status: int = 500
    after_s: int | None = None
    after_bytes: int = 1000


class Server:
    """A running server: its address, faults to come, and what it was asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.delay_s = 0.0
        self.lock = threading.RLock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": self}))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/api"

    def breaks(self, where: str, how: How, **about: Any) -> None:
        """Let the next requests whose "METHOD /path" fits the expression go wrong."""
        self.faults.append(Fault(where=where, how=how, **about))

    def fault_of(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.where, line):
                    fault.times -= 1
                    return fault
        return None

    def count(self, where: str) -> int:
        """How many requests so far fit the expression."""
        return sum(re.search(where, line) is not None for line in self.asked)


@contextmanager
def ecotaxa(world: World) -> Iterator[Server]:
    """A server on a free port of the loopback."""
    server = Server(world)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


class _CutError(Exception):
    """The connection is to go without a word."""


class _Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix("/api")
        line = f"{self.command} {path}"
        self.server_of.asked.append(line)
        time.sleep(self.server_of.delay_s)
        fault = self.server_of.fault_of(line)
        body: Path | None = None
        try:
            body = self._body(fault)
            if fault is not None and fault.how in ("status", "page", "redirect", "long"):
                self._go_wrong(fault)
                return
            with self.server_of.lock:
                status, value = self._call(path, {name: values[0] for name, values in parse_qs(parts.query).items()}, body)
            self._tell(status, value, fault)
        except (_CutError, OSError):
            self._hang_up()
        finally:
            if body is not None:
                body.unlink(missing_ok=True)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def _body(self, fault: Fault | None) -> Path | None:
        """The body in a file of its own."""
        left = int(self.headers.get("Content-Length") or 0)
        if left == 0:
            return None
        limit = fault.after_bytes if fault is not None and fault.how == "cut_body" else None
        with tempfile.NamedTemporaryFile(dir=self.server_of.world.folder, prefix="body-", delete=False) as file:
            path = Path(file.name)
            while left > 0:
                piece = self.rfile.read(min(left, 65536, limit or 65536))
                if not piece or limit is not None:
                    path.unlink()
                    raise _CutError
                file.write(piece)
                left -= len(piece)
        return path

    def _go_wrong(self, fault: Fault) -> None:
        if fault.how == "long":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.close_connection = True
            for _ in range(2000):
                self.wfile.write(b'"' + b"a" * 65536)
            return
        page = b"<html>Sign in to the ship's network</html>"
        content = page if fault.how == "page" else b'{"detail": "broken on purpose"}'
        self.send_response({"page": 200, "redirect": 302}.get(fault.how, fault.status))
        if fault.how == "redirect":
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        if fault.after_s is not None:
            self.send_header("Retry-After", str(fault.after_s))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _tell(self, status: int, value: Any, fault: Fault | None) -> None:
        if fault is not None and fault.how == "lose_answer":
            raise _CutError
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/zip" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault is not None and fault.how == "cut_answer":
            self.wfile.write(content[: len(content) // 2])
            raise _CutError
        self.wfile.write(content)

    def _call(self, path: str, params: dict[str, str], body: Path | None) -> tuple[int, Any]:
        try:
            return 200, self._do(path, params, body)
        except RefusedError as refused:
            return refused.status, {"detail": refused.detail}

    def _do(self, path: str, params: dict[str, str], body: Path | None) -> Any:
        world = self.server_of.world
        if (self.command, path) == ("POST", "/login"):
            given = json.loads(body.read_bytes() if body else b"{}")
            return world.login(given["username"], given["password"])
        user = world.user_of((self.headers.get("Authorization") or "").removeprefix("Bearer ") or None)
        files = "/my_files/" if world.is_old else "/user_files/"
        if path == "/users/me":
            return {"id": 1, "email": user, "name": NAME}
        if path == f"{files}rm/":
            world.remove(user, parse_qs((body.read_bytes() if body else b"").decode())["source_path"][0])
            return 1
        if path.startswith(files):
            if self.command == "GET":
                return {"path": path, "entries": world.listing(user, path.removeprefix(files))}
            return self._take_file(user, body)
        if path.startswith("/jobs/"):
            return self._jobs(user, path, body)
        return self._projects(user, path, params, json.loads(body.read_bytes()) if body else {})

    def _take_file(self, user: str, body: Path | None) -> str:
        """The file and the path of a form, by its boundary."""
        assert body is not None
        boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
        content = body.read_bytes()
        parts = content.split(b"--" + boundary)[1:-1]
        fields = {}
        for part in parts:
            head, _, value = part.partition(b"\r\n\r\n")
            found = re.search(rb'name="(?P<name>\w+)"(?:; filename="(?P<file>[^"]*)")?', head)
            assert found is not None
            fields[found["name"].decode()] = (found["file"], value[:-2])
        file_name, data = fields["file"]
        kept = body.with_suffix(".file")
        kept.write_bytes(data)
        return self.server_of.world.store(user, file_name.decode(), fields["path"][1].decode(), kept)

    def _jobs(self, user: str, path: str, body: Path | None) -> Any:
        world = self.server_of.world
        if path == "/jobs/":
            return [_as_json(job) for job in world.jobs.values() if job.owner == user and job.type == "FileImport"]
        found = re.fullmatch(r"/jobs/(?P<id>\d+)(?P<what>/|/answer|/file)?", path)
        if found is None:
            raise RefusedError(404, "Not Found")
        job_id = int(found["id"])
        if found["what"] == "/answer":
            world.reply(user, job_id, json.loads(body.read_bytes() if body else b"{}"))
            return None
        if found["what"] == "/file":
            return world.job(user, job_id).file
        if self.command == "DELETE":
            world.job(user, job_id)
            del world.jobs[job_id]
            return None
        return _as_json(world.look(user, job_id))

    def _projects(self, user: str, path: str, params: dict[str, str], given: dict[str, Any]) -> Any:
        world = self.server_of.world
        if found := re.fullmatch(r"/file_import/(\d+)", path):
            return {"job_id": world.begin(user, "FileImport", int(found[1]), given), "errors": []}
        if found := re.fullmatch(r"/projects/(\d+)", path):
            project = world.project(user, int(found[1]))
            return {"projid": int(found[1]), "title": "Zoo", "highest_right": "Annotate" if user in project.users else "View"}
        if path == "/object_set/export/general":
            request = {**given["request"], "filters": given["filters"]}
            return {"job_id": world.begin(user, "GeneralExport", given["request"]["project_id"], request), "errors": [], "warnings": []}
        if path == "/samples/search":
            project = world.project(user, int(params["project_ids"]))
            pattern = re.escape(params["id_pattern"]).replace(r"\*", ".*")
            return [
                {"sampleid": number, "orig_id": name}
                for name, number in project.samples.items()
                if re.search(pattern, name, re.IGNORECASE)  # anywhere in the name, as the server looks
            ]
        if found := re.fullmatch(r"/object_set/(\d+)/query", path):
            project = world.project(user, int(found[1]))
            wanted = {int(number) for number in given["samples"].split(",")}
            ids = [one.object_id for one in project.objects.values() if project.samples[one.sample_id] in wanted]
            start, size = int(params["window_start"]), int(params["window_size"])
            return {"object_ids": list(range(len(ids))), "details": [[one] for one in ids[start : start + size]], "total_ids": len(ids)}
        raise RefusedError(404, "Not Found")


def _as_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "owner_id": 1,
        "type": job.type,
        "params": job.params,
        "state": job.state,
        "step": None,
        "progress_pct": job.percent,
        "progress_msg": job.message,
        "errors": job.errors,
        "question": job.question,
        "reply": job.reply,
        "result": {},
        "inside": {},
    }
