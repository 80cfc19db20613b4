"""Packs and logs that a browser or a program sends: streamed to disk, bounded, gone when they were installed or refused."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import anyio
import structlog
from fastapi import Request

from edge.errors import DiskFullError
from edge.web.appliance import DiskStatus
from edge.web.errors import invalid

log = structlog.get_logger()

UPLOADS_FOLDER = "cache/uploads"
_CHUNK_BYTES = 1 << 20
_ROOM_FACTOR = 3  # the zip, what it unpacks to, and some air


def sweep_uploads(home: Path) -> None:
    """Delete what an interrupted upload left. At the start, when nobody uploads."""
    shutil.rmtree(home / UPLOADS_FOLDER, ignore_errors=True)


async def receive(request: Request, home: Path, disk: DiskStatus, *, what: str = "a pack", room_factor: float = _ROOM_FACTOR) -> Path:
    """The body of a request as a file in the home folder; a body that ends early leaves nothing behind.

    Args:
        request: its body is the file.
        home: the home folder.
        disk: how much room there is.
        what: what is sent, for messages.
        room_factor: how many times its size is needed until it was taken.

    Raises:
        RequestError: 422, it has no bytes.
        DiskFullError: there is no room for it.
    """
    size_bytes = int(request.headers.get("content-length", "0"))
    if size_bytes == 0:
        raise invalid("the request has no body", "Send the bytes of the file as the body, with Content-Length.")
    if disk.free_bytes - room_factor * size_bytes < disk.floor_bytes:
        raise DiskFullError(
            f"{what} of {size_bytes} bytes needs about {room_factor:g} times that, and the disk has not so much above its floor"
        )
    folder = home / UPLOADS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}{'.zip' if what == 'a pack' else ''}"
    try:
        await _stream(request, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    log.info("upload_received", what=what, size_bytes=path.stat().st_size)
    return path


async def _stream(request: Request, path: Path) -> None:
    pending = bytearray()
    async with await anyio.open_file(path, "wb") as file:
        async for chunk in request.stream():
            pending += chunk
            if len(pending) >= _CHUNK_BYTES:
                await file.write(bytes(pending))
                pending.clear()
        await file.write(bytes(pending))
