"""A real repository ashore, with keys in memory, and an attacker who may lay any file into what ships get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner, SSlibKey

from models.pack import Pack
from sync.updates.shore.begin import begin
from sync.updates.shore.golive import Outcome, go_live
from sync.updates.shore.keys import HOLDER_FIELD
from sync.updates.shore.publish import Added, add_pack
from sync.updates.shore.repository import Document, Repository, RoleName, write_document
from sync.updates.shore.rotate import renew, rotate
from tests.unit.pack_maker import draft, make_pack

KEYS: dict[RoleName, int] = {"root": 3, "targets": 2, "models": 1, "snapshot": 1, "timestamp": 1}
FIGURES = {"map50": 0.8325, "count_bias": -0.705}


def new_key(holder: str) -> CryptoSigner:
    """A key that lives as long as the test."""
    signer = CryptoSigner.generate_ed25519()
    signer.public_key.unrecognized_fields[HOLDER_FIELD] = holder
    return signer


def public(signer: CryptoSigner) -> SSlibKey:
    """The half that goes round."""
    assert isinstance(signer.public_key, SSlibKey)
    return signer.public_key


def measured_pack(
    folder: Path, version: str = "1.0.0", *, metrics: dict[str, float] | None = None, weights: bytes = bytes(1000), **changes: Any
) -> Pack:
    """A pack whose files are only bytes, with figures for each variant."""
    figures = FIGURES if metrics is None else metrics
    variants = [{**variant, "metrics": figures} for variant in draft()["variants"]]
    return make_pack(folder, weights=weights, version=version, metrics=figures, variants=variants, **changes)


class Shore:
    """Whoever keeps the repository, with every key at hand. Time stands still at `now` until it is moved."""

    def __init__(self, folder: Path, *, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)
        self.keys = {role: [new_key(f"{role} {place}") for place in range(count)] for role, count in KEYS.items()}
        begin(folder, {role: [public(key) for key in keys] for role, keys in self.keys.items()}, self.now)
        self.repository = Repository(folder)
        assert self.go_live().is_live

    @property
    def everyone(self) -> list[CryptoSigner]:
        return [key for keys in self.keys.values() for key in keys]

    @property
    def root(self) -> bytes:
        """The very first root, as it is brought aboard."""
        return (self.repository.metadata / "1.root.json").read_bytes()

    @property
    def public(self) -> Path:
        """What a server or a stick carries."""
        return self.repository.folder / "public"

    def go_live(self, keys: Sequence[CryptoSigner] | None = None) -> Outcome:
        return go_live(self.repository, self.everyone if keys is None else keys, self.now)

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)

    def publish(self, pack: Path, *, min_app: str = "0.1.0") -> Added:
        added = add_pack(self.repository, pack, min_app=min_app, now=self.now)
        assert self.go_live().is_live
        return added

    def rotate(self, role: RoleName, place: int = 0) -> CryptoSigner:
        """Exchange one key of a role. Returns the one that went."""
        gone, come = self.keys[role][place], new_key(f"{role} {self.now:%j} {len(self.keys[role])} new")
        rotate(self.repository, role, add=[public(come)], remove=[gone.public_key.keyid], now=self.now)
        self.keys[role].append(come)
        outcome = self.go_live()
        assert outcome.is_live
        assert not outcome.waiting
        self.keys[role].remove(gone)
        return gone

    def renew(self, *roles: RoleName) -> None:
        renew(self.repository, roles, self.now)
        assert self.go_live().is_live

    def target_file(self) -> Path:
        """The one file of a model."""
        (found,) = (path for path in self.repository.targets.rglob("*.zip"))
        return found

    def copy(self, to: Path) -> Path:
        """What an attacker who records, or a forgotten stick, has."""
        shutil.copytree(self.public, to)
        return to

    def forge(
        self, role: RoleName, change: Callable[[Any], None], signers: Sequence[CryptoSigner], *, raise_version: bool = True
    ) -> Document:
        """Lay a changed file into what ships get, signed by whoever has these keys; snapshot and timestamp follow, well signed."""
        document = self.repository.live(role)
        assert document is not None
        if raise_version:
            document.signed.version += 1
        change(document.signed)
        document.signatures.clear()
        for signer in signers:
            document.sign(signer, append=True)
        name = f"{role}.json" if role == "timestamp" else f"{document.signed.version}.{role}.json"
        write_document(self.repository.metadata / name, document)
        if role in {"targets", "models"}:
            version = document.signed.version
            self.forge("snapshot", lambda signed: setattr(signed.meta[f"{role}.json"], "version", version), self.keys["snapshot"])
        if role == "snapshot":
            version = document.signed.version
            self.forge("timestamp", lambda signed: setattr(signed.snapshot_meta, "version", version), self.keys["timestamp"])
        return document


def versions_on_disk(folder: Path) -> dict[str, int]:
    """Version of each metadata file that lies in a cache."""
    return {path.stem: int(json.loads(path.read_bytes())["signed"]["version"]) for path in folder.glob("*.json")}
