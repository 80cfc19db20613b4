"""A WebDAV server on the loopback that behaves like Nextcloud, as far as bundles need it, and fails like it.

with webdav() as cloud:
    cloud.url, cloud.breaks(r"^PUT", status=507)

Like Nextcloud: a checksum is the sender's own and goes along with a MOVE; X-Hash is answered with what was received; names that end in
.part are refused; a PUT into a missing folder is a 409, MKCOL of one that is there a 405; successes without a body are called text/html.
"""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

USER, PASSWORD = "ship", "an-app-password"
ROOT = "/remote.php/dav/files/ship"
How = Literal["refuse", "swallow", "damage", "lose_answer"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next requests that fit. `swallow`: answered, not done. `damage`: a byte of the body is another one."""

    where: str
    how: How
    times: int
    status: int


@dataclass(slots=True)
class Cloud:
    """A running server. `files`: content by path; `sums`: what the sender said of them."""

    http: Any = None
    files: dict[str, bytes] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {""})
    asked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tells_hash: bool = True
    keeps_sums: bool = True
    lock: Any = field(default_factory=threading.RLock)

    @property
    def port(self) -> int:
        return int(self.http.server_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{ROOT}"

    def breaks(self, where: str, how: How = "refuse", *, times: int = 1, status: int = 500) -> None:
        self.faults.append(Fault(where=where, how=how, times=times, status=status))

    def count(self, where: str) -> int:
        return sum(re.search(where, line) is not None for line in self.asked)

    def fault_of(self, line: str) -> Fault | None:
        fault = next((one for one in self.faults if one.times > 0 and re.search(one.where, line)), None)
        if fault is not None:
            fault.times -= 1
        return fault


class Handler(BaseHTTPRequestHandler):
    cloud: Cloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 20
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the base class)
        """Say nothing."""

    def handle_one_request(self) -> None:
        with suppress(OSError):
            super().handle_one_request()
            return
        self.close_connection = True

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix(ROOT).rstrip("/")
        line = f"{self.command} {path}"
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        with self.cloud.lock:
            self.cloud.asked.append(line)
            fault = self.cloud.fault_of(line)
            if fault is not None and fault.how == "refuse":
                self.tell(fault.status, error="on purpose")
            elif fault is not None and fault.how == "swallow":
                self.tell(201, {"X-Hash-SHA256": hashlib.sha256(body).hexdigest()} if self.cloud.tells_hash else {})
            elif self.headers.get("Authorization") != "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode():
                self.tell(401, error="No public access to this resource.")
            else:
                self.is_lost = fault is not None and fault.how == "lose_answer"
                damaged = bytes([body[0] ^ 1]) + body[1:] if fault is not None and fault.how == "damage" else body
                getattr(self, f"on_{self.command.lower()}")(path, damaged)
                self.is_lost = False

    do_PUT = do_MKCOL = do_MOVE = do_PROPFIND = do_GET = do_DELETE = answer  # noqa: N815 (names of the base class)
    is_lost = False

    def on_put(self, path: str, body: bytes) -> None:
        if path.endswith(".part"):
            self.tell(400, error="File name ends with a forbidden extension")
        elif path.rpartition("/")[0] not in self.cloud.folders:
            self.tell(409, error="Parent node does not exist")
        else:
            is_new = path not in self.cloud.files
            self.cloud.files[path] = body
            self.cloud.sums[path] = self.headers.get("OC-Checksum") or ""
            hashed = self.cloud.tells_hash and self.headers.get("X-Hash") == "sha256"
            self.tell(201 if is_new else 204, {"X-Hash-SHA256": hashlib.sha256(body).hexdigest()} if hashed else {})

    def on_mkcol(self, path: str, body: bytes) -> None:
        if path in self.cloud.folders:
            self.tell(405, error="The resource you tried to create already exists")
        elif path.rpartition("/")[0] not in self.cloud.folders:
            self.tell(409, error="Parent node does not exist")
        else:
            self.cloud.folders.add(path)
            self.tell(201)

    def on_move(self, path: str, body: bytes) -> None:
        target = unquote(urlsplit(self.headers["Destination"]).path).removeprefix(ROOT)
        if path not in self.cloud.files:
            self.tell(404, error="File not found")
        else:
            is_new = target not in self.cloud.files
            self.cloud.files[target] = self.cloud.files.pop(path)
            self.cloud.sums[target] = self.cloud.sums.pop(path)
            self.tell(201 if is_new else 204)

    def on_propfind(self, path: str, body: bytes) -> None:
        if path not in self.cloud.files:
            self.tell(404, error="File not found")
            return
        told = self.cloud.sums[path] if self.cloud.keeps_sums else ""
        sums = f"<oc:checksums><oc:checksum>{told}</oc:checksum></oc:checksums>" if told else ""
        content = (
            '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:response>'
            f"<d:href>{ROOT}{path}</d:href><d:propstat><d:prop><d:getcontentlength>{len(self.cloud.files[path])}</d:getcontentlength>{sums}"
            "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
        )
        self.tell(207, {"Content-Type": "application/xml; charset=utf-8"}, content.encode())

    def on_get(self, path: str, body: bytes) -> None:
        if path in self.cloud.files:
            self.tell(200, {"Content-Type": "application/octet-stream"}, self.cloud.files[path])
        else:
            self.tell(404, error="File not found")

    def on_delete(self, path: str, body: bytes) -> None:
        self.cloud.sums.pop(path, None)
        self.tell(204 if self.cloud.files.pop(path, None) is not None else 404)

    def tell(self, status: int, headers: dict[str, str] | None = None, content: bytes = b"", *, error: str = "") -> None:
        if self.is_lost:
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if error:
            text = f'<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>{error}</s:message></d:error>'
            headers, content = {"Content-Type": "application/xml; charset=utf-8"}, text.encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "text/html; charset=UTF-8"} | (headers or {})).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


@contextmanager
def webdav() -> Iterator[Cloud]:
    """A server on a free port of the loopback."""
    cloud = Cloud()
    cloud.http = ThreadingHTTPServer(("127.0.0.1", 0), type("OfCloud", (Handler,), {"cloud": cloud}))
    cloud.http.daemon_threads = True
    thread = threading.Thread(target=cloud.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        cloud.http.shutdown()
        cloud.http.server_close()
        thread.join()
