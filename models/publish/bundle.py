"""A pack as it is given to others, in a folder of its own.

NAME-VERSION/           the pack, byte for byte
NAME-VERSION.zip        the same as one file, the same bytes each time
ai4-metadata.yml        what the AI4OS catalogue reads
SHA256SUMS              of all of them, for `sha256sum --check`
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from edge.errors import DiskFullError, ModelError, SettingsError
from models.assemble import PackExistsError
from models.manifest import MANIFEST_NAME
from models.pack import Pack, hash_file, verify_pack
from models.pack_zip import zip_pack
from models.publish.ai4 import Facts, describe, faults, licence_id
from models.publish.yaml_text import to_yaml

METADATA_NAME = "ai4-metadata.yml"
SUMS_NAME = "SHA256SUMS"


class DescriptionError(SettingsError):
    """The catalogue's description of the pack would not be valid."""

    code = "description_invalid"
    default_advice = "Give what is missing as an option; `imagine-edge models publish --help` lists them."


class LicenceUnknownError(ModelError):
    """Nobody said under which licence the pack may be given away."""

    code = "licence_unknown"
    default_advice = "Find out what the licence is and say it: --licence CC-BY-4.0, or whichever it is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was written."""

    folder: Path
    pack_dir: Path
    zip_path: Path
    zip_sha256: str
    zip_bytes: int
    metadata_path: Path
    sums_path: Path
    golden_images: int


def publish(pack: Pack, target: Path, facts: Facts) -> Published:
    """Write a pack for others, whole or not at all.

    Args:
        target: the folder to make; must not exist.
        facts: what the pack does not know of itself; `provenance` and `size_bytes` are filled in.

    Raises:
        PackExistsError: `target` exists.
        PackInvalidError: the pack is damaged.
        LicenceUnknownError: neither the pack nor `facts` states a licence.
        DescriptionError: the description would not be valid.
        DiskFullError: no room.
    """
    if target.exists():
        raise PackExistsError(f"{target} exists already")
    pack = verify_pack(pack.path)
    text = _description(pack, facts)
    staging = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        staging.mkdir(parents=True)
        _write(staging, pack, text)
        staging.rename(target)
    except OSError as error:
        raise DiskFullError(f"{target} cannot be written: {error}", advice="Free space, or name another folder with --out.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    stem = _stem(pack)
    sha256, size_bytes = hash_file(target / f"{stem}.zip")
    return Published(
        folder=target,
        pack_dir=target / stem,
        zip_path=target / f"{stem}.zip",
        zip_sha256=sha256,
        zip_bytes=size_bytes,
        metadata_path=target / METADATA_NAME,
        sums_path=target / SUMS_NAME,
        golden_images=len(pack.manifest.goldens),
    )


def _description(pack: Pack, facts: Facts) -> str:
    licence = facts.licence or licence_id(pack.manifest.licence)
    if licence is None:
        raise LicenceUnknownError(f"{pack.manifest.name} says of its licence: {pack.manifest.licence!r}, which names none that is known")
    if facts.licence is not None and licence_id(facts.licence) is None:
        raise LicenceUnknownError(f"--licence {facts.licence!r} begins with no SPDX identifier that is known")
    card = pack.file_path(pack.manifest.card).read_text(encoding="utf-8")
    size_bytes = sum(file.size_bytes for file in pack.manifest.all_files())
    experiment = read_experiment(pack)
    provenance = {**_provenance(pack, experiment), **facts.provenance}
    metadata = describe(pack.manifest, card, replace(facts, licence=licence, size_bytes=size_bytes, provenance=provenance))
    if found := faults(metadata):
        raise DescriptionError(f"{METADATA_NAME} would not be valid: {'; '.join(found)}")
    return to_yaml(metadata)


def read_experiment(pack: Pack) -> Mapping[str, Any]:
    """The record of the training that made the pack; empty where it has none."""
    for document in pack.manifest.documents:
        if document.path.rsplit("/", 1)[-1] == "experiment.json":
            found = json.loads(pack.file_path(document).read_text(encoding="utf-8"))
            return found if isinstance(found, Mapping) else {}
    return {}


def training_day(experiment: Mapping[str, Any]) -> date | None:
    """The day on which a training ended, UTC."""
    try:
        return date.fromisoformat(str(experiment["ended_utc"])[:10])
    except (KeyError, ValueError):
        return None


def _provenance(pack: Pack, experiment: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"manifest_sha256": pack.manifest_sha256, "trained_on": pack.manifest.trained_on}
    if base := experiment.get("base"):
        if base.get("manifest_sha256"):
            found |= {"base": base["named"], "base_manifest_sha256": base["manifest_sha256"]}
        else:
            found["architecture"] = base["named"]
    if dataset := experiment.get("dataset"):
        found |= {"dataset": dataset["name"], "dataset_sha256": dataset["sha256"]}
    return found


def _write(folder: Path, pack: Pack, description: str) -> None:
    stem = _stem(pack)
    names = [MANIFEST_NAME, *(file.path for file in pack.manifest.all_files())]
    for name in names:
        place = folder / stem / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack.path / name, place)
    zip_pack(folder / stem, folder / f"{stem}.zip")
    (folder / METADATA_NAME).write_text(description, encoding="utf-8")
    listed = sorted([f"{stem}/{name}" for name in names] + [f"{stem}.zip", METADATA_NAME])
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in listed]
    (folder / SUMS_NAME).write_text("".join(lines), encoding="utf-8")


def _stem(pack: Pack) -> str:
    return f"{pack.manifest.name}-{pack.manifest.version}"
