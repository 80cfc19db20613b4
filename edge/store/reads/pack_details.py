"""One installed pack with everything its manifest says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.errors import PackInvalidError
from edge.store.reads.packs import VariantRow
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection
from models.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenOutcome:
    """What a variant made of a golden image here. `found`: (x_min, y_min, x_max, y_max, score, label index) in pixels."""

    image: str
    expected_count: int
    found_count: int
    fault: str
    found: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PackDetails:
    """A version of a model that is or was installed. `run_count`: results that it made."""

    model_id: int
    manifest: Manifest
    manifest_sha256: str
    pack_path: Path
    installed_utc: str
    removed_utc: str | None
    has_results: bool

    @property
    def size_bytes(self) -> int:
        """What its files take on the disk."""
        return sum(file.size_bytes for file in self.manifest.all_files())


def pack_details(connection: Connection, name: str, version: str) -> PackDetails | None:
    """One version of a model, or None if it was never installed.

    Raises:
        PackInvalidError: what was recorded of it cannot be read by this version of the program.
    """
    row = connection.execute(
        "SELECT id, manifest_json, manifest_sha256, pack_path, installed_utc, removed_utc, "
        "EXISTS (SELECT 1 FROM runs WHERE runs.model_id = models.id) AS has_results FROM models WHERE name = ? AND version = ?",
        (name, version),
    ).fetchone()
    if row is None:
        return None
    try:
        manifest = Manifest.model_validate_json(row["manifest_json"])
    except ValidationError as error:
        raise PackInvalidError(f"the recorded manifest of {name} {version} cannot be read: {error.error_count()} faults") from error
    return PackDetails(
        model_id=row["id"],
        manifest=manifest,
        manifest_sha256=row["manifest_sha256"],
        pack_path=Path(row["pack_path"]),
        installed_utc=row["installed_utc"],
        removed_utc=row["removed_utc"],
        has_results=bool(row["has_results"]),
    )


def variants_of(connection: Connection, model_id: int) -> tuple[VariantRow, ...]:
    """What each variant of a pack showed, here and on machines that its database came from; the fastest offered first."""
    rows = connection.execute(
        "SELECT model_id, name, runtime, precision, sha256, machine, device, offered, reason, latency_ms, images_per_s, checked_utc "
        "FROM variants WHERE model_id = ? ORDER BY offered DESC, images_per_s DESC, name LIMIT 200",
        (model_id,),
    )
    return as_values(VariantRow, rows)


def golden_outcomes(connection: Connection, model_id: int, machine: str) -> dict[str, tuple[GoldenOutcome, ...]]:
    """How the goldens ended for each variant on a machine, by the variant's name."""
    rows = connection.execute("SELECT name, goldens_json FROM variants WHERE model_id = ? AND machine = ?", (model_id, machine))
    return {row["name"]: tuple(_outcome(one) for one in json.loads(row["goldens_json"])) for row in rows}


def _outcome(one: dict[str, Any]) -> GoldenOutcome:
    return GoldenOutcome(**{**one, "found": tuple(map(tuple, one.get("found", ())))})


def pack_sizes(connection: Connection) -> dict[int, int]:
    """Bytes that the files of each pack take on the disk, by model id."""
    rows = connection.execute("SELECT id, manifest_json FROM models WHERE removed_utc IS NULL ORDER BY id DESC LIMIT 200")
    return {row["id"]: _size_bytes(json.loads(row["manifest_json"])) for row in rows}


def _size_bytes(manifest: dict[str, Any]) -> int:
    listed = [manifest["card"], *manifest.get("documents", ())]
    listed += [file for variant in manifest["variants"] for file in variant["files"]]
    listed += [file for golden in manifest["goldens"] for file in (golden["image"], golden["expected"])]
    return sum({file["path"]: file["size_bytes"] for file in listed}.values())
