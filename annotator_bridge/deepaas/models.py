"""Which packs answer under `/v2/models/`, what is told of each, and its model, loaded when it is first asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from edge.errors import ModelError, StoreError
from edge.pipeline.keeper import BUNDLED_PACKS, PACKS_FOLDER
from edge.store import packs as rows
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads.packs import active_models
from models.manifest import Manifest
from models.pack import Pack, read_pack
from models.publish.ai4 import Facts, describe
from models.registry import Registry
from models.runtime.machine import machine_fingerprint

if TYPE_CHECKING:
    from models.runtime.predict import LoadedModel

log = structlog.get_logger()

_LOOKED_AT_S = 2.0  # so long a look at the installed packs is good
_NOT_KNOWN_HERE = ("metadata_version", "dates", "links", "resources", "provenance")
_EPOCH = datetime.fromtimestamp(0, UTC).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The variant that serves, such as "int8", and the device that it runs on, such as "CPU"."""

    variant: str
    device: str


class ServedModels:
    """The packs of a home folder: of each name the version that serves a recipe, else the newest; what came with the program too."""

    def __init__(self, home: Path, *, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._threads = threads
        self._clock = clock
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._seen: tuple[float, dict[str, Pack]] | None = None
        self._loaded: dict[str, LoadedModel] = {}

    def all(self) -> tuple[Pack, ...]:
        """Those that can be asked, by name."""
        with self._lock:
            if self._seen is None or self._clock() - self._seen[0] > _LOOKED_AT_S:
                self._seen = (self._clock(), self._look())
            return tuple(self._seen[1].values())

    def get(self, name: str) -> Pack | None:
        """The pack of that name."""
        return next((pack for pack in self.all() if pack.manifest.name == name), None)

    def load(self, pack: Pack) -> LoadedModel:
        """Its model, loaded once; an older version of it is let go.

        Raises:
            ModelError: its files are damaged, or no variant of it works on this machine.
        """
        from models.runtime.predict import load_model

        with self._loading:
            loaded = self._loaded.get(pack.manifest.name)
            if loaded is None or loaded.pack.manifest_sha256 != pack.manifest_sha256:
                choice = self._choose(pack)
                loaded = load_model(pack.path, choice.variant, threads=self._threads, device=choice.device)
                self._loaded[pack.manifest.name] = loaded
                log.info("model_loaded", pack=f"{pack.manifest.name}@{pack.manifest.version}", variant=choice.variant, device=loaded.device)
            return loaded

    def _look(self) -> dict[str, Pack]:
        found: dict[str, Pack] = {}
        active = self._active_versions()
        for pack in Registry(self._home / PACKS_FOLDER).list():  # newest version first
            name = pack.manifest.name
            if name not in found or pack.manifest.version in active.get(name, frozenset()):
                found[name] = pack
        for folder in sorted(path.parent for path in BUNDLED_PACKS.glob("*/manifest.json")):
            found.setdefault(folder.name, read_pack(folder))  # a home that was never started has none installed
        return dict(sorted(found.items()))

    def _active_versions(self) -> dict[str, frozenset[str]]:
        try:
            connection = open_reader(self._home / DATABASE_NAME)
        except StoreError:
            return {}
        try:
            active: dict[str, frozenset[str]] = {}
            for row in active_models(connection):
                active[row.model] = active.get(row.model, frozenset()) | {row.version}
            return active
        finally:
            connection.close()

    def _choose(self, pack: Pack) -> Choice:
        """The fastest variant that was proven on this machine; of a pack that never was, the first one in full precision, on the CPU."""
        manifest = pack.manifest
        known = self._verdicts(manifest)
        offered = [verdict for verdict in known if verdict.offered]
        if offered:
            best = max(offered, key=lambda verdict: verdict.images_per_s or 0.0)
            return Choice(variant=best.name, device=best.device.split(" ")[0])
        if known:
            raise ModelError(f"no variant of {manifest.name}@{manifest.version} works on this machine")
        exact = [variant.name for variant in manifest.variants if variant.precision == "fp32"]
        return Choice(variant=(exact or [manifest.variants[0].name])[0], device="CPU")

    def _verdicts(self, manifest: Manifest) -> list[rows.VariantVerdict]:
        try:
            connection = open_reader(self._home / DATABASE_NAME)
        except StoreError:
            return []
        try:
            row = rows.get_pack(connection, manifest.name, manifest.version)
            return rows.verdicts(connection, row.model_id, machine_fingerprint())
        except ModelError:
            return []
        finally:
            connection.close()


def metadata(pack: Pack) -> dict[str, Any]:
    """What `/v2/models/{name}/` tells: names of `ai4-metadata.yml` (schema 2.3) as far as the pack knows them, and its labels."""
    manifest = pack.manifest
    card = pack.file_path(manifest.card).read_text("utf-8", errors="replace")
    told = describe(manifest, card, Facts(links={}, created=_EPOCH, updated=_EPOCH))
    thresholds = manifest.thresholds
    return {
        "id": manifest.name,
        "name": manifest.name,
        "links": [{"rel": "self", "href": f"/v2/models/{manifest.name}"}],
        **{name: value for name, value in told.items() if name not in _NOT_KNOWN_HERE},
        "version": manifest.version,
        "license_text": manifest.licence,
        "trained_on": manifest.trained_on,
        "labels": [{"index": index, "name": label.name, "aphia_id": label.aphia_id} for index, label in enumerate(manifest.labels)],
        "thresholds": {"conf": thresholds.score, "iou": thresholds.nms_iou},
        "imgsz": [manifest.input.height_px, manifest.input.width_px],
        "metrics": dict(manifest.metrics),
        "manifest_sha256": pack.manifest_sha256,
    }
