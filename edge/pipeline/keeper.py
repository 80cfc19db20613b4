"""Which pack serves a recipe here: install, prove on this machine, activate, roll back, choose the variant.

A pack is verified and copied by the registry, its variants run their goldens and show their speed in a child process,
and only then is the pointer flipped, in one transaction. What a variant showed is remembered per machine.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

import structlog

from edge.errors import ModelError
from edge.store import packs
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from models.manifest import Task
from models.pack import Pack, read_pack
from models.registry import Registry
from models.runtime.machine import machine_fingerprint
from models.runtime.negotiate import VariantProof
from models.runtime.prove import prove_pack

log = structlog.get_logger()

PACKS_FOLDER = "packs"
DRIVER_CACHE_FOLDER = "cache/drivers"  # may be deleted at any time
BUNDLED_PACKS = Path(__file__).resolve().parents[2] / "models" / "packs"


class ModelUnfitError(ModelError):
    """A sound pack that does not do what the recipe needs."""

    code = "model_unfit"


class ModelKeeper:
    """The packs of a home folder."""

    def __init__(self, home: Path, writer: Writer) -> None:
        self._writer = writer
        self._registry = Registry(home / PACKS_FOLDER)
        self._registry.sweep()
        self._installing = threading.Lock()  # opening a service brings the bundled packs in, in a thread of its own
        self.machine = machine_fingerprint()
        self.driver_cache = home / DRIVER_CACHE_FOLDER

    def install(self, source: Path) -> packs.PackRow:
        """Bring a pack folder or zip in, and prove it here. It is not activated. Old versions that serve nothing go.

        Raises:
            PackInvalidError: it is not a sound pack.
            ModelError: no variant of it works on this machine.
        """
        with self._installing:
            row = self._register(self._registry.install(source))
        self.prove(row)
        self._remove_old(row.name)
        return row

    def install_bundled(self, folder: Path = BUNDLED_PACKS) -> list[packs.PackRow]:
        """Bring in the packs that came with the program, those that are not there yet."""
        sources = sorted(path.parent for path in folder.glob("*/manifest.json"))
        with self._installing:
            return [self._register(self._registry.install(source)) for source in sources]

    def prove(self, row: packs.PackRow) -> list[packs.VariantVerdict]:
        """Run goldens and speed of every variant in a child process, and remember the verdicts.

        Raises:
            ModelError: no variant is offered; the verdicts say why.
        """
        verdicts = [_verdict(proof) for proof in prove_pack(row.pack_path, cache_dir=self.driver_cache).variants]
        self._writer.call(lambda connection: packs.record_verdicts(connection, row.model_id, self.machine, verdicts))
        if not any(verdict.offered for verdict in verdicts):
            reasons = "; ".join(f"{verdict.name}: {verdict.reason}" for verdict in verdicts)
            raise ModelError(f"no variant of {row.label} works on this machine ({reasons})")
        return verdicts

    def choose(self, row: packs.PackRow) -> packs.VariantVerdict:
        """The fastest variant of a pack that is offered on this machine, proving it first if that was never done.

        Raises:
            ModelError: none is offered.
        """
        known = self._writer.call(lambda connection: packs.verdicts(connection, row.model_id, self.machine))
        if not known:
            log.info("pack_proving", pack=row.label)
            known = self.prove(row)
        offered = [verdict for verdict in known if verdict.offered]
        if not offered:
            raise ModelError(f"no variant of {row.label} works on this machine")
        return max(offered, key=lambda verdict: verdict.images_per_s or 0.0)

    def activate(self, recipe: str, name: str, version: str | None, *, tasks: Collection[Task], actor: str) -> packs.PackRow:
        """Let an installed pack serve a recipe; it must work here.

        Args:
            tasks: what a model may do to serve that recipe.

        Raises:
            ModelError: it is not installed, does another task, or no variant of it works on this machine.
        """
        row = self._writer.call(lambda connection: packs.get_pack(connection, name, version))
        task = read_pack(row.pack_path).manifest.task
        if task not in tasks:
            advice = f"Activate a model whose task is {' or '.join(sorted(tasks))}; `imagine-edge models show NAME` tells the task."
            raise ModelUnfitError(f"{row.label} does the task {task}, which the recipe {recipe} has no use for", advice=advice)
        self.choose(row)
        self._writer.call(lambda connection: packs.activate(connection, recipe, row.model_id, actor=actor))
        return row

    def roll_back(self, recipe: str, *, actor: str) -> packs.PackRow:
        """Let the pack before serve the recipe again.

        Raises:
            ModelError: there is none.
        """
        return self._writer.call(lambda connection: packs.roll_back(connection, recipe, actor=actor))

    def active(self, recipe: str, starter: str) -> packs.PackRow:
        """The pack that serves a recipe; at the first time the starter pack is activated.

        Raises:
            ModelError: none is active and the starter is not installed.
        """

        def work(connection: Connection) -> packs.PackRow:
            row = packs.active_pack(connection, recipe)
            if row is None:
                row = packs.get_pack(connection, starter)
                packs.activate(connection, recipe, row.model_id, actor="first start")
            return row

        return self._writer.call(work)

    def _remove_old(self, name: str) -> None:
        """Keep the newest two versions of a name, and any that serves a recipe or did so before."""
        in_use = self._writer.call(lambda connection: packs.versions_in_use(connection, name))
        for pack in self._registry.prune(name, in_use=in_use):
            version = pack.manifest.version
            self._writer.call(lambda connection, version=version: packs.remove_pack(connection, name, version))  # type: ignore[misc]

    def _register(self, pack: Pack) -> packs.PackRow:
        return self._writer.call(
            lambda connection: packs.add_pack(connection, pack.manifest, pack_path=pack.path, manifest_sha256=pack.manifest_sha256)
        )


def _verdict(proof: VariantProof) -> packs.VariantVerdict:
    return packs.VariantVerdict(
        name=proof.name,
        runtime=proof.runtime,
        precision=proof.precision,
        sha256=proof.sha256,
        device=proof.device,
        offered=proof.offered,
        reason=proof.reason,
        latency_ms=proof.latency_ms,
        images_per_s=proof.images_per_s,
        goldens_json=proof.goldens_json,
    )


def check_pack_files(row: packs.PackRow) -> None:
    """The manifest on disk is still the one that was installed.

    Raises:
        ModelError: it is not.
    """
    if read_pack(row.pack_path).manifest_sha256 != row.manifest_sha256:
        advice = "Install the pack again from its source."
        raise ModelError(f"the files of {row.label} were changed after they were installed", advice=advice)
