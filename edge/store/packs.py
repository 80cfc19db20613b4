"""Installed packs: what is known of each model and variant on this machine, and which one serves a recipe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError
from edge.store.clock import utc_now
from edge.store.sqlite import Connection, Row
from models.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRow:
    """An installed version of a model."""

    model_id: int
    name: str
    version: str
    title: str
    pack_path: Path
    manifest_sha256: str

    @property
    def label(self) -> str:
        """Name and version in one word."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantVerdict:
    """What one variant showed on this machine, and whether it is offered."""

    name: str
    runtime: str
    precision: str
    sha256: str
    device: str
    offered: bool
    reason: str
    latency_ms: float | None
    images_per_s: float | None
    goldens_json: str


def add_pack(connection: Connection, manifest: Manifest, *, pack_path: Path, manifest_sha256: str) -> PackRow:
    """Register an installed pack.

    Raises:
        ModelError: the same name and version is installed with another content.
    """
    row = _pack_row(connection, manifest.name, manifest.version)
    if row is not None and row["manifest_sha256"] != manifest_sha256:
        raise ModelError(
            f"{manifest.name} {manifest.version} is installed already with another content",
            advice="A changed pack needs a version of its own; ask its maker to raise the version.",
        )
    connection.execute(
        "INSERT INTO models (name, version, title, task, manifest_sha256, manifest_json, pack_path, installed_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (name, version) DO UPDATE SET pack_path = excluded.pack_path, removed_utc = NULL "
        "WHERE pack_path <> excluded.pack_path OR removed_utc IS NOT NULL",
        (
            manifest.name,
            manifest.version,
            manifest.title,
            manifest.task,
            manifest_sha256,
            manifest.model_dump_json(),
            str(pack_path),
            utc_now(),
        ),
    )
    pack = get_pack(connection, manifest.name, manifest.version)
    connection.executemany(
        "INSERT INTO labels (model_id, label_index, name, aphia_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(pack.model_id, index, label.name, label.aphia_id) for index, label in enumerate(manifest.labels)],
    )
    return pack


def get_pack(connection: Connection, name: str, version: str | None = None) -> PackRow:
    """An installed pack; the newest installed version if none is named.

    Raises:
        ModelError: it is not installed.
    """
    row = _pack_row(connection, name, version)
    if row is None:
        raise ModelError(f"no pack {name}{'@' + version if version else ''} is installed")
    return _pack(row)


def get_installed(connection: Connection, name: str, version: str | None = None) -> PackRow:
    """A pack whose files are here; the newest installed version if none is named.

    Raises:
        ModelError: it is not installed, or was removed.
    """
    row = _pack_row(connection, name, version)
    if row is not None and row["removed_utc"] is not None:
        advice = "Install it again from its source; what it found is still in the database."
        raise ModelError(f"the files of {name} {row['version']} were removed on {row['removed_utc'][:10]}", advice=advice)
    return get_pack(connection, name, version)


def known_versions(connection: Connection) -> dict[tuple[str, str], bool]:
    """Every (name, version) that was ever installed, and whether its files are to be here."""
    rows = connection.execute("SELECT name, version, removed_utc IS NULL AS is_here FROM models")
    return {(row["name"], row["version"]): bool(row["is_here"]) for row in rows}


def needed_by(connection: Connection, name: str, version: str) -> list[str]:
    """Why the files of a version must stay, in words; empty if nothing needs them."""
    rows = connection.execute(
        "SELECT a.recipe, a.model_id = m.id AS serves "
        "FROM active_models AS a JOIN models AS m ON m.id IN (a.model_id, a.previous_model_id) "
        "WHERE m.name = ? AND m.version = ? ORDER BY a.recipe",
        (name, version),
    )
    needs = [f"it serves {row['recipe']}" if row["serves"] else f"{row['recipe']} would be rolled back to it" for row in rows]
    comparing = connection.execute(
        "SELECT count(*) FROM comparisons AS c JOIN models AS m ON m.id IN (c.a_model_id, c.b_model_id) "
        "WHERE m.name = ? AND m.version = ? AND c.state IN ('waiting', 'running')",
        (name, version),
    ).fetchone()[0]
    return [*needs, *(["a comparison is running it"] if comparing else [])]


def list_packs(connection: Connection) -> list[PackRow]:
    """Every installed pack, by name, newest first."""
    rows = connection.execute("SELECT * FROM models WHERE removed_utc IS NULL ORDER BY name, id DESC")
    return [_pack(row) for row in rows]


def remove_pack(connection: Connection, name: str, version: str) -> None:
    """Its files are gone; what it found stays, with its name and hashes."""
    connection.execute("UPDATE models SET removed_utc = ? WHERE name = ? AND version = ?", (utc_now(), name, version))


def versions_in_use(connection: Connection, name: str) -> frozenset[str]:
    """Versions of a model that serve a recipe, or did before the last activation and can be rolled back to."""
    rows = connection.execute(
        "SELECT m.version FROM active_models AS a JOIN models AS m ON m.id IN (a.model_id, a.previous_model_id) WHERE m.name = ?", (name,)
    )
    return frozenset(row["version"] for row in rows)


def record_verdicts(connection: Connection, model_id: int, machine: str, verdicts: list[VariantVerdict]) -> None:
    """Keep what each variant showed on this machine."""
    now = utc_now()
    connection.executemany(
        "INSERT INTO variants (model_id, name, runtime, precision, sha256, machine, device, offered, reason, latency_ms, images_per_s, "
        "goldens_json, checked_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model_id, name, machine) DO UPDATE SET "
        "device = excluded.device, offered = excluded.offered, reason = excluded.reason, latency_ms = excluded.latency_ms, "
        "images_per_s = excluded.images_per_s, goldens_json = excluded.goldens_json, checked_utc = excluded.checked_utc",
        [
            (
                model_id,
                verdict.name,
                verdict.runtime,
                verdict.precision,
                verdict.sha256,
                machine,
                verdict.device,
                int(verdict.offered),
                verdict.reason,
                verdict.latency_ms,
                verdict.images_per_s,
                verdict.goldens_json,
                now,
            )
            for verdict in verdicts
        ],
    )


def verdicts(connection: Connection, model_id: int, machine: str) -> list[VariantVerdict]:
    """What is known of the variants of a pack on this machine, fastest offered first."""
    rows = connection.execute(
        "SELECT * FROM variants WHERE model_id = ? AND machine = ? ORDER BY offered DESC, images_per_s DESC", (model_id, machine)
    )
    return [
        VariantVerdict(
            name=row["name"],
            runtime=row["runtime"],
            precision=row["precision"],
            sha256=row["sha256"],
            device=row["device"],
            offered=bool(row["offered"]),
            reason=row["reason"],
            latency_ms=row["latency_ms"],
            images_per_s=row["images_per_s"],
            goldens_json=row["goldens_json"],
        )
        for row in rows
    ]


def active_pack(connection: Connection, recipe: str) -> PackRow | None:
    """The pack that serves a recipe, or None before the first activation."""
    row = connection.execute(
        "SELECT m.* FROM active_models AS a JOIN models AS m ON m.id = a.model_id WHERE a.recipe = ?", (recipe,)
    ).fetchone()
    return None if row is None else _pack(row)


def recipes_of(connection: Connection, name: str, version: str) -> tuple[str, ...]:
    """The recipes that a version serves."""
    rows = connection.execute(
        "SELECT a.recipe FROM active_models AS a JOIN models AS m ON m.id = a.model_id WHERE m.name = ? AND m.version = ? ORDER BY 1",
        (name, version),
    )
    return tuple(row["recipe"] for row in rows)


def active_packs(connection: Connection) -> list[PackRow]:
    """The packs that serve recipes, each once, by name."""
    rows = connection.execute("SELECT DISTINCT m.* FROM active_models AS a JOIN models AS m ON m.id = a.model_id ORDER BY m.name, m.id")
    return [_pack(row) for row in rows]


def activate(connection: Connection, recipe: str, model_id: int, *, actor: str) -> None:
    """Let a pack serve a recipe from now on; the one before is kept for rolling back."""
    before = connection.execute("SELECT model_id FROM active_models WHERE recipe = ?", (recipe,)).fetchone()
    if before is not None and before["model_id"] == model_id:
        return
    connection.execute(
        "INSERT INTO active_models (recipe, model_id, previous_model_id, since_utc) VALUES (?, ?, NULL, ?) "
        "ON CONFLICT (recipe) DO UPDATE SET previous_model_id = active_models.model_id, model_id = excluded.model_id, "
        "since_utc = excluded.since_utc",
        (recipe, model_id, utc_now()),
    )
    _audit_switch(connection, "activate", recipe, model_id, actor)


def roll_back(connection: Connection, recipe: str, *, actor: str) -> PackRow:
    """Let the pack before serve again; calling it twice comes back to where it was.

    Raises:
        ModelError: there is none before, or its files are gone.
    """
    row = connection.execute(
        "SELECT m.* FROM active_models AS a JOIN models AS m ON m.id = a.previous_model_id WHERE a.recipe = ? AND m.removed_utc IS NULL",
        (recipe,),
    ).fetchone()
    if row is None:
        raise ModelError(f"there is no earlier pack to roll {recipe} back to", advice="Install and activate another pack.")
    connection.execute(
        "UPDATE active_models SET model_id = previous_model_id, previous_model_id = model_id, since_utc = ? WHERE recipe = ?",
        (utc_now(), recipe),
    )
    _audit_switch(connection, "rollback", recipe, row["id"], actor)
    return _pack(row)


def _audit_switch(connection: Connection, action: str, recipe: str, model_id: int, actor: str) -> None:
    row = connection.execute("SELECT name, version FROM models WHERE id = ?", (model_id,)).fetchone()
    connection.execute(
        "INSERT INTO audit (at_utc, actor, action, subject, detail_json) VALUES (?, ?, ?, ?, ?)",
        (utc_now(), actor, f"model_{action}", f"recipe/{recipe}", json.dumps({"model": row["name"], "version": row["version"]})),
    )


def _pack_row(connection: Connection, name: str, version: str | None) -> Row | None:
    row: Row | None
    if version is None:
        row = connection.execute("SELECT * FROM models WHERE name = ? AND removed_utc IS NULL ORDER BY id DESC LIMIT 1", (name,)).fetchone()
    else:
        row = connection.execute("SELECT * FROM models WHERE name = ? AND version = ?", (name, version)).fetchone()
    return row


def _pack(row: Row) -> PackRow:
    return PackRow(
        model_id=row["id"],
        name=row["name"],
        version=row["version"],
        title=row["title"],
        pack_path=Path(row["pack_path"]),
        manifest_sha256=row["manifest_sha256"],
    )
