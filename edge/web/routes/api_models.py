"""The JSON API of packs: install, prove again, remove, and the files of a pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.recipes.model_tasks import ModelTask
from edge.store.connection import snapshot
from edge.store.reads.pack_details import GoldenOutcome, PackDetails, golden_outcomes, pack_details, variants_of
from edge.store.reads.packs import VariantRow
from edge.web.appliance import Appliance
from edge.web.deps import Actor, ApplianceHere
from edge.web.errors import Problem, RequestError
from edge.web.machine import this_machine
from edge.web.pack_files import find_document, picture_type, read_file, show_document
from edge.web.uploads import receive
from models.manifest import Manifest

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api/models", tags=["models"], responses=REFUSALS)

Name = Annotated[str, Field(min_length=1, max_length=100)]
ModelName = Annotated[str, Path(max_length=100, description="Name of the pack.")]
Version = Annotated[str, Path(max_length=100, description="Version of the pack.")]
GoldenIndex = Annotated[int, Path(ge=0, le=10_000, description="Place of the golden in the manifest, from 0.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InstallBody(_Body):
    """A pack folder, or a zip of one, on the machine where the appliance runs; the path from its root."""

    path: Annotated[str, Field(min_length=1, max_length=4000)]


class PackBody(_Body):
    """An installed pack."""

    model: Name
    version: Name


class Removed(BaseModel):
    """It was removed."""

    removed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PackAnswer:
    """A pack, what its variants showed, and how its goldens ended on this machine, by variant."""

    manifest: Manifest
    manifest_sha256: str
    installed_utc: str
    removed_utc: str | None
    size_bytes: int
    variants: tuple[VariantRow, ...]
    goldens: dict[str, tuple[GoldenOutcome, ...]]


@router.post("/install", summary="Install a pack from a path", status_code=202)
def install(appliance: ApplianceHere, actor: Actor, body: InstallBody) -> ModelTask:
    """Begins at once; GET /api/models/tasks/{task} tells how far it is. It serves nothing before it is activated."""
    return appliance.desk.install(FilePath(body.path), actor)


@router.post("/upload", summary="Install a pack that is sent", status_code=202)
async def upload(
    request: Request,
    appliance: ApplianceHere,
    actor: Actor,
    name: Annotated[str, Query(max_length=200, description="What the pages call it.")] = "upload.zip",
) -> ModelTask:
    """The body is the zip of a pack, at most 2 GiB. Then as for a path."""
    path = await receive(request, appliance.home, appliance.live().disk)
    return appliance.desk.install(path, actor, subject=name, is_upload=True)


@router.get("/tasks", summary="Work on packs")
def tasks(appliance: ApplianceHere) -> list[ModelTask]:
    """The last installs and proofs since the appliance was started, newest first."""
    return list(appliance.desk.tasks())


@router.get("/tasks/{task_id}", summary="One piece of work on packs")
def one_task(appliance: ApplianceHere, task_id: Annotated[int, Path(ge=1, le=1 << 62)]) -> ModelTask:
    """Its state is `waiting`, `running`, `done` or `failed`; a failure has a code, a reason and an advice."""
    for task in appliance.desk.tasks():
        if task.task_id == task_id:
            return task
    advice = "Only the last ones since the appliance was started are known; GET /api/models/tasks lists them."
    raise RequestError(404, Problem(code="not_found", message=f"there is no task {task_id}", advice=advice))


@router.post("/prove", summary="Prove a pack again", status_code=202)
def prove(appliance: ApplianceHere, actor: Actor, body: PackBody) -> ModelTask:
    """Runs the goldens of every variant and measures its speed on this machine."""
    return appliance.desk.prove(body.model, body.version, actor)


@router.post("/remove", summary="Remove a version that serves nothing")
def remove(appliance: ApplianceHere, actor: Actor, body: PackBody) -> Removed:
    """Deletes its files. What it found stays, with its name and hashes."""
    appliance.desk.remove(body.model, body.version, actor)
    return Removed()


@router.get("/packs/{model}/{version}", summary="One pack")
def one_pack(appliance: ApplianceHere, model: ModelName, version: Version) -> PackAnswer:
    """Its manifest, its variants with measured speed, and how its goldens ended here."""
    with appliance.reader() as connection, snapshot(connection):
        pack = pack_details(connection, model, version)
        if pack is None:
            raise no_pack(model, version)
        return PackAnswer(
            manifest=pack.manifest,
            manifest_sha256=pack.manifest_sha256,
            installed_utc=pack.installed_utc,
            removed_utc=pack.removed_utc,
            size_bytes=pack.size_bytes,
            variants=variants_of(connection, pack.model_id),
            goldens=golden_outcomes(connection, pack.model_id, this_machine()),
        )


@router.get("/packs/{model}/{version}/goldens/{index}", summary="A golden image", response_class=Response)
def golden_picture(appliance: ApplianceHere, model: ModelName, version: Version, index: GoldenIndex) -> Response:
    """The picture, a JPEG or a PNG."""
    pack = find_pack(appliance, model, version)
    if index >= len(pack.manifest.goldens):
        advice = f"The pack has {len(pack.manifest.goldens)} goldens, counted from 0."
        raise RequestError(404, Problem(code="not_found", message=f"there is no golden {index}", advice=advice))
    body = read_file(appliance.home, pack, pack.manifest.goldens[index].image)
    kind = picture_type(body)
    if kind is None:
        raise RequestError(415, Problem(code="not_shown", message="no browser shows this kind of picture", advice="Open it in the pack."))
    headers = {"content-security-policy": "default-src 'none'; sandbox", "cache-control": "private, max-age=3600"}
    return Response(body, media_type=kind, headers=headers)


@router.get("/packs/{model}/{version}/documents/{path:path}", summary="A document of a pack", response_class=Response)
def document(appliance: ApplianceHere, model: ModelName, version: Version, path: Annotated[str, Path(max_length=1000)]) -> Response:
    """As the pack has it: pages without scripts and without a network, texts as text, anything else to be saved."""
    pack = find_pack(appliance, model, version)
    shown = show_document(appliance.home, pack, find_document(pack, path))
    return Response(shown.body, media_type=shown.media_type, headers=shown.headers)


def find_pack(appliance: Appliance, model: str, version: str) -> PackDetails:
    """A pack that is or was installed.

    Raises:
        RequestError: 404, it never was.
    """
    with appliance.reader() as connection:
        pack = pack_details(connection, model, version)
    if pack is None:
        raise no_pack(model, version)
    return pack


def no_pack(model: str, version: str) -> RequestError:
    """404, with what to do."""
    advice = "The Models page lists what is installed, as does GET /api/models."
    return RequestError(404, Problem(code="not_found", message=f"there is no pack {model} {version}", advice=advice))
