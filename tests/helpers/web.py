"""A survey on disk and in a real database, and the pages served over it by a real server.

appliance = SimulatedAppliance(tmp_path / "home")
survey = make_survey(appliance)
with serving(appliance) as client:
    client.get("/")
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image

from edge.errors import Reason
from edge.store.clock import utc_now
from edge.values import CaptureTime
from edge.web.app import create_app
from tests.helpers import seed
from tests.helpers.plain import NO_TLS
from tests.simulators.appliance import SimulatedAppliance

SIZE_PX = (320, 180)
MTIME_NS = 1_700_000_000_000_000_000  # the time that tests.helpers.seed records
HOSTILE_NAMES = (
    b"<script>alert(1)</script>.jpg",
    b'" onmouseover="alert(1).jpg',
    b"line\nbreak.jpg",
    "evil\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe".encode(),
    b"\xff\xfe not utf-8.jpg",
    b"{{ 7 * 7 }}.jpg",
    b"a" * 251 + b".jpg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Ids of the files by what they show."""

    counted: int
    nothing_found: int
    reprocessed: int
    tiff: int
    queued: int
    settling: int
    truncated: int
    overwritten: int
    hostile: tuple[int, ...]
    inbox: Path


def picture(kind: str, *, mode: str = "RGB", brightness: int = 90) -> bytes:
    """A picture of `SIZE_PX` in a format of Pillow's."""
    out = io.BytesIO()
    value: int | tuple[int, int, int] = brightness * 256 if mode == "I;16" else (brightness, 110, 80) if mode == "RGB" else brightness
    Image.new(mode, SIZE_PX, value).save(out, kind)
    return out.getvalue()


def make_survey(appliance: SimulatedAppliance) -> Survey:
    """A few files of every kind."""
    db, inbox = appliance.writer, appliance.home / "inbox" / "burrows"
    station = seed.add_station(db, inbox, b"station-011", make=True)
    seed.add_model(db, version="1.0.0")
    pack = seed.add_model(db, version="1.1.0")
    boxes: list[seed.Box] = [(10, 20, 60, 50, 0.9, 0), (100, 40, 140, 70, 0.4, 0), (200, 90, 230, 120, 0.1, 0)]
    when = CaptureTime(utc="2026-06-03T16:26:07.584Z", local=None, source="file_name")

    def place(name: bytes, content: bytes) -> bytes:
        path = os.path.join(station.path_bytes, name)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
        return content

    seed.done(
        db,
        station,
        b"counted.jpg",
        pack,
        boxes=boxes,
        content=place(b"counted.jpg", picture("JPEG")),
        size_px=SIZE_PX,
        capture_time=when,
    )
    seed.done(db, station, b"nothing.png", pack, content=place(b"nothing.png", picture("PNG", brightness=20)), size_px=SIZE_PX)
    again = seed.done(
        db, station, b"again.jpg", pack, boxes=boxes[:1], content=place(b"again.jpg", picture("JPEG", brightness=60)), size_px=SIZE_PX
    )
    seed.done_again(db, station, again.sha256, pack, boxes=boxes, size_px=SIZE_PX)
    seed.done(db, station, b"grey16.tif", pack, boxes=boxes, content=place(b"grey16.tif", picture("TIFF", mode="I;16")), size_px=SIZE_PX)
    seed.queued(db, station, b"next.jpg")
    seed.waiting(db, station, b"growing.jpg")
    seed.quarantined(db, station, b"cut.jpg", reason=Reason.TRUNCATED, content=place(b"cut.jpg", picture("JPEG")[:300]))
    seed.done(db, station, b"over.jpg", pack, boxes=boxes, content=place(b"over.jpg", b"old"), size_px=SIZE_PX)
    place(b"over.jpg", b"new content")
    for name in HOSTILE_NAMES:
        seed.quarantined(db, station, name)
    db.execute(
        "INSERT INTO issues (code, severity, reference, message, advice, first_seen_utc, last_seen_utc) VALUES "
        "('root_gone', 'error', '/media/<usb>', 'The folder /media/<usb> is not there', 'Plug the disk in again.', ?, ?)",
        (utc_now(), utc_now()),
    )
    return _survey(appliance, inbox)


def _survey(appliance: SimulatedAppliance, inbox: Path) -> Survey:
    ids = {bytes(row["name_bytes"]): int(row["id"]) for row in appliance.writer.execute("SELECT id, name_bytes FROM sightings")}
    return Survey(
        counted=ids[b"counted.jpg"],
        nothing_found=ids[b"nothing.png"],
        reprocessed=ids[b"again.jpg"],
        tiff=ids[b"grey16.tif"],
        queued=ids[b"next.jpg"],
        settling=ids[b"growing.jpg"],
        truncated=ids[b"cut.jpg"],
        overwritten=ids[b"over.jpg"],
        hostile=tuple(ids[name] for name in HOSTILE_NAMES),
        inbox=inbox,
    )


class _Server(uvicorn.Server):
    """Leaves no connection open at its end: a browser may hold one that it never used, or whose answer it does not read any more."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport: Any = connection.transport
            transport.abort()
        await asyncio.sleep(0)  # the transports are told


@contextmanager
def serving(appliance: SimulatedAppliance) -> Iterator[httpx.Client]:
    """The pages on a free port of the loopback, and a client for them."""
    config = uvicorn.Config(create_app(appliance), host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="pages", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server ended before it began to serve")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, verify=NO_TLS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
