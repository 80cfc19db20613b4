"""Model packs as the Models and Health pages show them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """What one executable form of a model showed on this machine, and whether it is offered or why not."""

    model_id: int
    name: str
    runtime: str
    precision: str
    sha256: str
    machine: str
    device: str
    offered: bool
    reason: str
    latency_ms: float | None
    images_per_s: float | None
    checked_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveModel:
    """Which model serves a recipe, and which one it would be rolled back to."""

    recipe: str
    model: str
    version: str
    since_utc: str
    previous_model: str | None
    previous_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledModel:
    """A model pack that was installed here. `metrics` are those of its manifest, fractions unless the name says otherwise."""

    model_id: int
    name: str
    version: str
    title: str
    task: str
    manifest_sha256: str
    pack_path: str
    installed_utc: str
    removed_utc: str | None
    licence: str | None
    trained_on: str | None
    score_threshold: float | None
    score_floor: float | None
    card_path: str | None
    metrics: dict[str, float]


def installed_models(connection: Connection) -> tuple[InstalledModel, ...]:
    """Every pack that was ever installed, newest first."""
    rows = connection.execute(
        "SELECT id AS model_id, name, version, title, task, manifest_sha256, pack_path, installed_utc, removed_utc, "
        "json_extract(manifest_json, '$.licence') AS licence, json_extract(manifest_json, '$.trained_on') AS trained_on, "
        "json_extract(manifest_json, '$.thresholds.score') AS score_threshold, "
        "json_extract(manifest_json, '$.thresholds.score_floor') AS score_floor, "
        "json_extract(manifest_json, '$.card.path') AS card_path, "
        "coalesce(json_extract(manifest_json, '$.metrics'), '{}') AS metrics FROM models ORDER BY id DESC LIMIT 200"
    )
    return tuple(InstalledModel(**{**dict(row), "metrics": json.loads(row["metrics"])}) for row in rows)


def label_names(connection: Connection) -> dict[int, set[str]]:
    """The classes of each pack, by its number."""
    names: dict[int, set[str]] = {}
    for model_id, name in connection.execute("SELECT model_id, name FROM labels"):
        names.setdefault(model_id, set()).add(name)
    return names


def variants(connection: Connection) -> tuple[VariantRow, ...]:
    """Every variant that was looked at, by model, the fastest offered first."""
    rows = connection.execute(
        "SELECT model_id, name, runtime, precision, sha256, machine, device, offered, reason, latency_ms, images_per_s, checked_utc "
        "FROM variants ORDER BY model_id DESC, offered DESC, latency_ms LIMIT 1000"
    )
    return as_values(VariantRow, rows)


def active_models(connection: Connection) -> tuple[ActiveModel, ...]:
    """The model of each recipe, by recipe."""
    rows = connection.execute(
        "SELECT a.recipe, m.name AS model, m.version, a.since_utc, p.name AS previous_model, p.version AS previous_version "
        "FROM active_models AS a JOIN models AS m ON m.id = a.model_id LEFT JOIN models AS p ON p.id = a.previous_model_id "
        "ORDER BY a.recipe"
    )
    return as_values(ActiveModel, rows)
