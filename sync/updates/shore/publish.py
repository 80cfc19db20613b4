"""A pack becomes a target: checked as a ship will check it, described, and laid where the signatures will point to."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import TargetFile

from edge.errors import PackInvalidError
from edge.store.durable import sync_file, sync_folder
from models.manifest import Manifest
from models.pack import Pack, verify_pack
from models.pack_zip import unpack_zip, zip_pack
from sync.updates.errors import PackNotPublishableError
from sync.updates.offer import PATH, described, is_newer, target_path
from sync.updates.shore.repository import Repository

_SAYS_NOTHING = frozenset({"score_difference_max"})  # what an import notes of its own conversion is no measurement of the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A pack that was laid into a repository and waits for the signature of `models`."""

    name: str
    version: str
    size_bytes: int
    sha256: str
    draft: Path


def add_pack(repository: Repository, source: Path, *, min_app: str, now: datetime) -> Added:
    """Lay a pack into the repository and describe it in the draft of the role `models`.

    Args:
        source: a pack folder, or a zip of one.
        min_app: the oldest version of the appliance that may take it.
        now: aware.

    Raises:
        PackNotPublishableError: it is damaged, was never measured, or is not newer than what was published.
        RepositoryUnsoundError: the repository cannot be read or written.
    """
    repository.must_be_one()
    if re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+([.-][0-9a-z.-]+)?", min_app) is None:
        raise PackNotPublishableError(f"{min_app!r} is no version of the appliance", advice="Write it as 0.1.0.")
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=repository.drafts) as folder:
        pack = _verified(source, Path(folder))
        manifest = pack.manifest
        _must_be_measured(manifest)
        archive = zip_pack(pack.path, Path(folder) / "pack.zip")
        path = target_path(manifest.name, manifest.version)
        target = TargetFile.from_file(path, str(archive), ["sha256"])
        card = pack.file_path(pack.manifest.card).read_text(encoding="utf-8", errors="replace")
        target.unrecognized_fields["custom"] = described(manifest, manifest_sha256=pack.manifest_sha256, card=card, min_app=min_app)
        _must_be_newer(repository, manifest, target)
        _place(repository, archive, target)
    draft = repository.begin_draft("models", now)
    draft.signed.targets[path] = target
    written = repository.put_draft("models", draft)
    return Added(name=manifest.name, version=manifest.version, size_bytes=target.length, sha256=target.hashes["sha256"], draft=written)


def published(repository: Repository) -> dict[tuple[str, str], TargetFile]:
    """Name and version of every pack that is published, or laid in and waiting for a signature."""
    found = {}
    for path, target in repository.newest("models").signed.targets.items():
        match = PATH.fullmatch(path)
        if match is not None:
            found[match["name"], match["version"]] = target
    return found


def place_of(repository: Repository, target: TargetFile) -> Path:
    """Where the file of a target lies, named by its content."""
    return repository.targets.joinpath(*target.get_prefixed_paths()[0].split("/"))


def _verified(source: Path, folder: Path) -> Pack:
    try:
        if not source.is_file():
            return verify_pack(source)
        unpacked = folder / "pack"
        unpacked.mkdir()
        unpack_zip(source, unpacked)
        return verify_pack(unpacked)
    except PackInvalidError as error:
        raise PackNotPublishableError(f"{source} is no sound pack: {error}", advice=error.advice()) from error


def _must_be_measured(manifest: Manifest) -> None:
    """Every variant that a ship might run carries figures of its own: an average of others says nothing about it."""
    without = [variant.name for variant in manifest.variants if not set(variant.metrics) - _SAYS_NOTHING]
    if without or not set(manifest.metrics) - _SAYS_NOTHING:
        what = f"variants without any figure: {', '.join(without)}" if without else "its manifest has no figures"
        raise PackNotPublishableError(
            f"{manifest.name} {manifest.version} was never measured ({what})",
            advice="Measure it with `imagine-edge models evaluate` and `imagine-edge models quantise`; ships shall see what they get.",
        )


def _must_be_newer(repository: Repository, manifest: Manifest, target: TargetFile) -> None:
    known = published(repository)
    same = known.get((manifest.name, manifest.version))
    if same is not None and same.hashes != target.hashes:
        raise PackNotPublishableError(
            f"{manifest.name} {manifest.version} was published with another content", advice="A changed pack needs a higher version."
        )
    newer = [version for name, version in known if name == manifest.name and is_newer(version, manifest.version)]
    if newer:
        raise PackNotPublishableError(
            f"{manifest.name} {newer[0]} is published already, which is newer than {manifest.version}",
            advice="Give the pack a higher version.",
        )


def _place(repository: Repository, archive: Path, target: TargetFile) -> None:
    place = place_of(repository, target)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    shutil.copyfile(archive, part)
    sync_file(part)
    part.replace(place)
    sync_folder(place.parent)


def describe_target(target: TargetFile) -> dict[str, Any]:
    """What a person who signs wants to see of a target."""
    custom = target.unrecognized_fields.get("custom", {})
    return {"path": target.path, "size_bytes": target.length, "sha256": target.hashes.get("sha256", ""), "title": custom.get("title", "")}
