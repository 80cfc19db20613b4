"""Which packs answer under `/v2/models/`, what is told of each, and its model, loaded when it is first asked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator_bridge.functions.catalogue import CatalogueReader
from models.pack import Pack
from models.publish.ai4 import Facts, describe

if TYPE_CHECKING:
    from models.runtime.predict import LoadedModel

_NOT_KNOWN_HERE = ("metadata_version", "dates", "links", "resources", "provenance")
_EPOCH = datetime.fromtimestamp(0, UTC).date()


class ServedModels:
    """The packs of a home folder: of each name the version that serves a recipe, else the newest; what came with the program too."""

    def __init__(self, home: Path, *, threads: int) -> None:
        self._home = home
        self._threads = threads
        self._catalogue = CatalogueReader(home)
        self._loading = threading.Lock()
        self._loaded: dict[str, LoadedModel] = {}

    def all(self) -> tuple[Pack, ...]:
        """Those that can be asked, by name: a promptable one waits for clicks, which these routes do not know."""
        entries = self._catalogue.read().entries.values()
        return tuple(entry.pack for entry in entries if entry.pack is not None and entry.info.kind == "detector")

    def get(self, name: str) -> Pack | None:
        """The pack of that name."""
        return next((pack for pack in self.all() if pack.manifest.name == name), None)

    def load(self, pack: Pack) -> LoadedModel:
        """Its model in the variant that is fastest here, loaded once; an older version of it is let go.

        Raises:
            ModelError: its files are damaged, or no variant of it works on this machine.
        """
        from annotator_bridge.functions.loading import load_fastest

        with self._loading:
            loaded = self._loaded.get(pack.manifest.name)
            if loaded is None or loaded.pack.manifest_sha256 != pack.manifest_sha256:
                loaded = load_fastest(self._home, pack, threads=self._threads)
                self._loaded[pack.manifest.name] = loaded
            return loaded


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
