"""One call of `predict`: its form read into files and arguments, a ZIP unpacked, the model asked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from annotator_bridge.deepaas.arguments import (
    FILE_FIELDS,
    FLOWCAM_FIELDS,
    MISSING,
    ZIP_FIELDS,
    ArgumentsError,
    PredictArguments,
    Shape,
    Upload,
    read_arguments,
)
from annotator_bridge.deepaas.models import ServedModels
from models.manifest import Manifest
from models.pack import Pack

MAX_IMAGES = 2000  # of a ZIP: a FlowCam run's vignettes
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 64 * 1024
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was sent. `shape` is that of the answer of a classification: whose argument carried the files."""

    uploads: tuple[Upload, ...]
    arguments: PredictArguments
    shape: Shape


async def read_call(request: Request, manifest: Manifest) -> Call:
    """The files and the arguments of a call, from its query and its form.

    Raises:
        ArgumentsError: an argument is wrong, or there is no file.
        HTTPException: 400, the form cannot be read.
    """
    raw: dict[str, list[str]] = {}
    uploads: list[Upload] = []
    for name, text in request.query_params.multi_items():
        raw.setdefault(name, []).append(text)
    async with request.form(max_files=MAX_IMAGES, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                uploads.append(Upload(argument=name, name=value.filename or "", data=await value.read()))
            else:
                raw.setdefault(name, []).append(value)
    arguments = read_arguments(raw, manifest, accept_header=request.headers.get("accept", ""))
    taken = _files(uploads, raw, manifest)
    if arguments.media != "application/json" and len(taken) > 1:
        raise ArgumentsError({"accept": [f"A picture is of one image; {len(taken)} came."]})
    shape: Shape = "flowcam" if taken[0].argument in FLOWCAM_FIELDS else "yolo"
    return Call(uploads=taken, arguments=arguments, shape=shape)


def answer(call: Call, pack: Pack, models: ServedModels, *, max_pixels: int, max_bytes: int) -> Any:
    """What the model says: a document, or the bytes of a picture. Blocks while the model runs.

    Args:
        max_pixels: of one image.
        max_bytes: of all that a ZIP unpacks to.

    Raises:
        ArgumentsError: a file is no image that is read.
        ModelError: the model cannot be loaded, failed, or returned something that its manifest does not promise.
    """
    from annotator_bridge.deepaas.predict import predict

    uploads = [image for upload in call.uploads for image in unpacked(upload, max_bytes=max_bytes)]
    return predict(uploads, partial(models.load, pack), call.arguments, shape=call.shape, max_pixels=max_pixels)


def unpacked(upload: Upload, *, max_bytes: int) -> tuple[Upload, ...]:
    """The images of a ZIP, by name; any other file as it is.

    Raises:
        ArgumentsError: it is no ZIP, is damaged, holds nothing, or unpacks to more than is taken.
    """
    if upload.argument not in ZIP_FIELDS:
        return (upload,)
    try:
        found = tuple(_members(upload, max_bytes))
    except _UNREADABLE as error:
        raise ArgumentsError({upload.argument: [f"{upload.name or 'the file'} is no ZIP that can be read: {error}"]}) from error
    if not found:
        raise ArgumentsError({upload.argument: [f"{upload.name or 'the ZIP'} holds no file."]})
    return found


def _members(upload: Upload, max_bytes: int) -> Iterator[Upload]:
    left_bytes = max_bytes
    with zipfile.ZipFile(io.BytesIO(upload.data)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir() and not _is_clutter(member.filename)]
        if len(members) > MAX_IMAGES:
            raise ArgumentsError({upload.argument: [f"{len(members)} files are more than the {MAX_IMAGES} that are taken at once."]})
        for member in sorted(members, key=lambda one: one.filename):
            with archive.open(member) as stream:
                data = stream.read(left_bytes + 1)  # what it really unpacks to, whatever its header says
            left_bytes -= len(data)
            if left_bytes < 0:
                raise ArgumentsError({upload.argument: [f"It unpacks to more than {max_bytes} bytes."]})
            yield Upload(argument=upload.argument, name=PurePosixPath(member.filename).name, data=data)


def _is_clutter(name: str) -> bool:
    """What macOS puts beside the files of a ZIP."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in {".DS_Store", "Thumbs.db"}


def _files(uploads: list[Upload], raw: dict[str, list[str]], manifest: Manifest) -> tuple[Upload, ...]:
    fields = FILE_FIELDS + (ZIP_FIELDS if manifest.task == "classify" else ())
    for upload in uploads:
        if upload.argument in ZIP_FIELDS and upload.argument not in fields:
            raise ArgumentsError({upload.argument: ["This model takes an image, in `files`."]})
    taken = tuple(upload for upload in uploads if upload.argument in fields)
    if taken:
        return taken
    named = next((field for field in fields if field in raw), None)
    raise ArgumentsError({named or fields[0]: ["Not a file."] if named else [MISSING]})
