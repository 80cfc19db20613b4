"""Make a pack folder from files that lie elsewhere, or from another pack: whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from models.pack import Pack, read_pack, write_pack


class PackExistsError(ModelError):
    """Something lies already where a pack was to be written."""

    code = "pack_exists"
    default_advice = "Name another folder with --out, or remove the one that is there."


def assemble_pack(target: Path, draft: Mapping[str, Any], files: Mapping[str, Path]) -> Pack:
    """Copy `files` (path inside the pack -> file) beside `target`, write the manifest, verify, and rename in one step.

    Args:
        target: the pack folder to make; must not exist.
        draft: as `models.pack.write_pack` wants it.

    Raises:
        PackExistsError: `target` exists.
        PackInvalidError: the draft or a file is not valid; nothing is left behind.
    """
    if target.exists():
        raise PackExistsError(f"{target} exists already")
    staging = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    staging.mkdir(parents=True)
    try:
        for inside, source in files.items():
            place = staging.joinpath(*inside.split("/"))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        write_pack(staging, draft)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return read_pack(target)


def draft_of(pack: Pack) -> tuple[dict[str, Any], dict[str, Path]]:
    """The draft and the files of a pack, as `assemble_pack` wants them, to be changed into those of the next version."""
    draft = pack.manifest.model_dump(mode="json")
    draft["card"] = draft["card"]["path"]
    draft["documents"] = [file["path"] for file in draft["documents"]]
    for variant in draft["variants"]:
        variant["files"] = [file["path"] for file in variant["files"]]
    for golden in draft["goldens"]:
        golden["image"], golden["expected"] = golden["image"]["path"], golden["expected"]["path"]
    return draft, {file.path: pack.file_path(file) for file in pack.manifest.all_files()}
