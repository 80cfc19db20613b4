"""The picture of a file, by its id only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

import anyio
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from edge.footage import FrameWanted
from edge.formats import is_clip_format
from edge.store.reads.files import StoredAt, stored_at
from edge.web.appliance import Appliance
from edge.web.deps import ApplianceHere, FileId
from edge.web.errors import Problem, no_such
from edge.web.originals import open_bytes, path_of
from edge.web.pictures import Conversion, PictureCache, media_type

router = APIRouter(prefix="/api", tags=["pictures"])

CHUNK_BYTES = 1 << 18
CLIP_PICTURE_S = 1.0
# Shown inside our pages only as a picture; opened by itself it may do nothing.
PICTURE_HEADERS = {"content-security-policy": "default-src 'none'; sandbox", "cache-control": "private, no-cache"}
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (404, 409, 410, 413, 415)}


@router.get("/files/{file_id}/picture", summary="The picture", response_class=Response, responses=REFUSALS)
async def picture(request: Request, appliance: ApplianceHere, file_id: FileId) -> Response:
    """The original bytes of a JPEG or PNG of at most 4096 px a side; anything else as JPEG of at most 4096 px.

    Pictures of 16 bits are stretched from their 0.5 % to their 99.5 % level. 410 if the original is not what was processed.
    """
    return await _answer(request, appliance, file_id, Conversion.FULL)


@router.get("/files/{file_id}/thumbnail", summary="A small picture", response_class=Response, responses=REFUSALS)
async def thumbnail(request: Request, appliance: ApplianceHere, file_id: FileId) -> Response:
    """A JPEG of at most 240 px."""
    return await _answer(request, appliance, file_id, Conversion.THUMBNAIL)


async def _answer(request: Request, appliance: Appliance, file_id: int, conversion: Conversion) -> Response:
    make = partial(_make, request, appliance, file_id, conversion)
    return await anyio.to_thread.run_sync(make, limiter=request.app.state.picture_threads)


def _make(request: Request, appliance: Appliance, file_id: int, conversion: Conversion) -> Response:
    with appliance.reader() as connection:
        stored = stored_at(connection, file_id)
    if stored is None:
        raise no_such("file", file_id)
    if stored.format is not None and is_clip_format(stored.format):
        return _of_clip(appliance, stored, conversion)
    handle = open_bytes(appliance.home, stored)
    try:
        return _respond(request, stored, handle, conversion)
    except BaseException:
        handle.close()
        raise


def _of_clip(appliance: Appliance, stored: StoredAt, conversion: Conversion) -> Response:
    """A frame near the beginning; the very first is often black."""
    size = conversion.value
    wanted = FrameWanted(
        path=path_of(appliance.home, stored), at_s=CLIP_PICTURE_S, longest_px=size.longest_px, jpeg_quality=size.jpeg_quality
    )
    return Response(appliance.clip_frame(wanted).jpeg, media_type="image/jpeg", headers=PICTURE_HEADERS)


def _respond(request: Request, stored: StoredAt, handle: BinaryIO, conversion: Conversion) -> Response:
    headers = dict(PICTURE_HEADERS)
    if stored.sha256 is not None:
        headers["etag"] = f'"{stored.sha256}-{conversion.name.lower()}"'
        if request.headers.get("if-none-match") == headers["etag"]:
            handle.close()
            return Response(status_code=304, headers=headers)
    kind = media_type(handle, stored)
    if conversion is Conversion.FULL and kind is not None:
        headers["content-length"] = str(os.fstat(handle.fileno()).st_size)
        return StreamingResponse(_chunks(handle), media_type=kind, headers=headers)
    cache: PictureCache = request.app.state.pictures
    body = cache.get(handle, stored, conversion)
    handle.close()
    return Response(body, media_type="image/jpeg", headers=headers)


def _chunks(handle: BinaryIO) -> Iterator[bytes]:
    with handle:
        while chunk := handle.read(CHUNK_BYTES):
            yield chunk
