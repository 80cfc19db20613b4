"""A bucket on the loopback: moto's S3 over real HTTP, and what real buckets do wrong.

with bucket() as far_side:
    far_side.url, far_side.breaks(r"PUT .*", status=403, code="QuotaExceeded")
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import make_server

NAME = "results"
How = Literal["refuse", "swallow", "damage", "lose_answer"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next requests that fit. `refuse`: answered with `status` and `code`. `swallow`: answered as if it were stored.
    `damage`: a byte of the body is another one. `lose_answer`: it is done, and the answer is a broken gateway's."""

    where: str
    how: How
    times: int
    status: int
    code: str


@dataclass(slots=True)
class Bucket:
    """A running server. `asked`: its requests, such as `PUT /results/key?partNumber=1`."""

    app: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)  # moto's keys are for one thread

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def breaks(self, where: str, how: How = "refuse", *, times: int = 1, status: int = 500, code: str = "InternalError") -> None:
        self.faults.append(Fault(where=where, how=how, times=times, status=status, code=code))

    def count(self, where: str) -> int:
        return sum(re.search(where, line) is not None for line in self.asked)

    @property
    def store(self) -> Any:
        from moto.s3.models import s3_backends

        return s3_backends["123456789012"]["aws"].buckets[NAME]

    def contents(self) -> dict[str, bytes]:
        return {name: bytes(key.value) for name, key in self.store.keys.items()}

    def reset(self) -> None:
        from moto.s3.models import s3_backends

        backend = s3_backends["123456789012"]["aws"]
        backend.reset()
        backend.create_bucket(NAME, "us-east-1")
        self.asked.clear()
        self.faults.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        line += f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        self.asked.append(line)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        fault = next((one for one in self.faults if one.times > 0 and re.search(one.where, line)), None)
        md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        if fault is None and environ.get("HTTP_CONTENT_MD5", md5) != md5:
            fault = Fault(where="", how="refuse", times=1, status=400, code="BadDigest")  # as Ceph does, and moto does not
        if fault is not None:
            fault.times -= 1
            if fault.how == "refuse":
                return answer(start_response, fault.status, fault.code)
            if fault.how == "swallow":
                start_response("200 OK", [("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'), ("Content-Length", "0")])
                return []
            if fault.how == "damage":
                body = bytes([body[0] ^ 1]) + body[1:]
        environ["wsgi.input"] = BytesIO(body)
        with self.lock:
            if fault is not None and fault.how == "lose_answer":
                list(self.app(environ, lambda *_: lambda _: None))
                return answer(start_response, 502, "BadGateway")
            return list(self.app(environ, start_response))


def answer(start_response: StartResponse, status: int, code: str) -> list[bytes]:
    content = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>'.encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(content))), ("Date", "Sun, 22 Nov 2026 08:00:00 GMT")]
    start_response(f"{status} On Purpose", headers)
    return [content]


@contextmanager
def bucket(host: str = "127.0.0.1") -> Iterator[Bucket]:
    """A server on a free port, with an empty bucket."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    far_side = Bucket(DomainDispatcherApplication(create_backend_app))
    server = make_server(host, 0, far_side, threaded=True)
    far_side.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    far_side.reset()
    try:
        yield far_side
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
