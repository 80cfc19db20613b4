"""Which pack serves a recipe here: install, prove on this machine, activate, roll back, choose the variant.

A pack is verified and copied by the registry, its variants run their goldens and show their speed in a child process,
and only then is the pointer flipped, in one transaction. What a variant showed is remembered per machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path

import structlog

from edge.errors import ModelError
from edge.store import audit, packs
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from models import registry
from models.manifest import Task
from models.pack import Pack, read_pack
from models.registry import Registry
from models.runtime.machine import machine_fingerprint
from models.runtime.negotiate import VariantProof
from models.runtime.prove import OnProofStep, prove_pack

log = structlog.get_logger()

PACKS_FOLDER = "packs"
DRIVER_CACHE_FOLDER = "cache/drivers"  # may be deleted at any time
BUNDLED_PACKS = registry.BUNDLED_PACKS


class ModelUnfitError(ModelError):
    """A sound pack that does not do what the recipe needs."""

    code = "model_unfit"


class PackNeededError(ModelError):
    """An installed pack that must stay."""

    code = "pack_needed"
    default_advice = "Activate another model first; a version to which a roll back would return must stay as well."


class ModelKeeper:
    """The packs of a home folder."""

    def __init__(self, home: Path, writer: Writer) -> None:
        self._writer = writer
        self._registry = Registry(home / PACKS_FOLDER)
        self._registry.sweep()
        self._installing = threading.Lock()  # opening a service brings the bundled packs in, in a thread of its own
        self.machine = machine_fingerprint()
        self.driver_cache = home / DRIVER_CACHE_FOLDER
        self._settle()

    def install(
        self, source: Path, *, on_step: OnProofStep = lambda _: None, on_known: Callable[[str, str], None] = lambda _, __: None
    ) -> packs.PackRow:
        """Bring a pack folder or zip in, once it has proven itself here. It is not activated. Old versions that serve nothing go.

        Until its last step, one rename and one transaction, nothing of it is installed.

        Args:
            on_step: is told of each variant as its proof begins.
            on_known: is told name and version as soon as the manifest is read.

        Raises:
            PackInvalidError: it is not a sound pack, or this version is installed with other content.
            ModelError: no variant of it works on this machine.
        """
        with self._registry.staged(source) as staged:
            manifest = staged.manifest
            on_known(manifest.name, manifest.version)
            verdicts = self._try(staged.path, f"{manifest.name}@{manifest.version}", on_step)
            _must_offer(verdicts, f"{manifest.name}@{manifest.version}")
            with self._installing:
                row = self._register(self._registry.place(staged), verdicts)
        self._remove_old(row.name, just=row.version)
        return row

    def install_bundled(self, folder: Path = BUNDLED_PACKS) -> list[packs.PackRow]:
        """Bring in the packs that came with the program, those that are not there yet.

        One that cannot be brought in (say its version is installed with other content) is passed over with a warning, as long as
        another version of its name is there: it must not stop a model that serves.

        Raises:
            ModelError: one cannot be brought in, and nothing of its name is installed.
        """
        rows = []
        for source in sorted(path.parent for path in folder.glob("*/manifest.json")):
            try:
                with self._installing:
                    rows.append(self._register(self._registry.install(source)))
            except ModelError as error:
                if not any(name == source.name and is_here for (name, _), is_here in self._writer.call(packs.known_versions).items()):
                    raise
                log.warning("bundled_pack_passed_over", pack=source.name, error=str(error))
        return rows

    def prove(self, row: packs.PackRow, *, on_step: OnProofStep = lambda _: None) -> list[packs.VariantVerdict]:
        """Run goldens and speed of every variant in a child process, and remember the verdicts.

        Raises:
            ModelError: no variant is offered; the verdicts say why.
        """
        verdicts = self._try(row.pack_path, row.label, on_step)
        self._writer.call(lambda connection: packs.record_verdicts(connection, row.model_id, self.machine, verdicts))
        _must_offer(verdicts, row.label)
        return verdicts

    def verdicts(self, row: packs.PackRow) -> list[packs.VariantVerdict]:
        """What is known of the variants of a pack on this machine, fastest offered first; empty if it was never proven here."""
        return self._writer.call(lambda connection: packs.verdicts(connection, row.model_id, self.machine))

    def remove(self, name: str, version: str, *, actor: str) -> None:
        """Delete an installed version that serves nothing. What it found stays.

        Raises:
            ModelError: it is not installed, is needed still, or comes back by itself since it is part of the program.
        """
        if (name, version) in _bundled_versions():
            advice = "Leave it: it is what a recipe falls back to."
            raise PackNeededError(f"{name} {version} came with the program, which would bring it in again", advice=advice)

        def work(connection: Connection) -> None:
            packs.get_installed(connection, name, version)
            needed = packs.needed_by(connection, name, version)
            if needed:
                raise PackNeededError(f"{name} {version} cannot be removed: {'; '.join(needed)}")
            packs.remove_pack(connection, name, version)
            audit.append(connection, actor, "model_remove", f"model/{name}@{version}", {})

        with self._installing:
            self._writer.call(work)  # first: an end in the middle is made good at the next start
            self._registry.remove(name, version)

    def choose(self, row: packs.PackRow) -> packs.VariantVerdict:
        """The fastest variant of a pack that is offered on this machine, proving it first if that was never done.

        Raises:
            ModelError: none is offered.
        """
        known = self.verdicts(row)
        if not known:
            log.info("pack_proving", pack=row.label)
            known = self.prove(row)
        offered = [verdict for verdict in known if verdict.offered]
        if not offered:
            raise ModelError(f"no variant of {row.label} works on this machine")
        return max(offered, key=lambda verdict: verdict.images_per_s or 0.0)

    def activate(
        self,
        recipe: str,
        name: str,
        version: str | None,
        *,
        tasks: Collection[Task],
        actor: str,
        labels: Collection[str] | None = None,
        foreign: Collection[str] | None = None,
    ) -> packs.PackRow:
        """Let an installed pack serve a recipe; it must work here.

        Args:
            tasks: what a model may do to serve that recipe.
            labels: the classes that it must have, neither more nor fewer; None if it may have any.
            foreign: classes of models for another recipe, which is refused; None: of none.

        Raises:
            ModelError: it is not installed, does another task, has other classes, or no variant of it works on this machine.
        """
        row = self._writer.call(lambda connection: packs.get_installed(connection, name, version))
        manifest = read_pack(row.pack_path).manifest
        task, names = manifest.task, {label.name for label in manifest.labels}
        if labels is not None and names != set(labels):
            told, wanted = ", ".join(sorted(names)[:5]), " and ".join(sorted(labels))
            advice = f"Activate a model whose classes are {wanted}; `imagine-edge models show NAME` tells them."
            raise ModelUnfitError(f"{row.label} knows the classes {told}; the recipe {recipe} needs {wanted}", advice=advice)
        if foreign is not None and names == set(foreign):
            told = " and ".join(sorted(names))
            advice = f"Activate a model whose classes are those of the recipe {recipe}; `imagine-edge models show NAME` tells them."
            raise ModelUnfitError(f"{row.label} knows the classes {told}, which the recipe {recipe} has no use for", advice=advice)
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

    def _remove_old(self, name: str, *, just: str) -> None:
        """Keep the newest two versions, the one just installed, any that serves or did so before, and what came with the program."""
        in_use = self._writer.call(lambda connection: packs.versions_in_use(connection, name)) | {just}
        in_use |= {version for bundled, version in _bundled_versions() if bundled == name}
        for pack in self._registry.prune(name, in_use=in_use):
            version = pack.manifest.version
            self._writer.call(lambda connection, version=version: packs.remove_pack(connection, name, version))  # type: ignore[misc]

    def _register(self, pack: Pack, verdicts: list[packs.VariantVerdict] | None = None) -> packs.PackRow:
        def work(connection: Connection) -> packs.PackRow:
            row = packs.add_pack(connection, pack.manifest, pack_path=pack.path, manifest_sha256=pack.manifest_sha256)
            packs.record_verdicts(connection, row.model_id, self.machine, verdicts or [])
            return row

        return self._writer.call(work)

    def _try(self, pack_path: Path, label: str, on_step: OnProofStep) -> list[packs.VariantVerdict]:
        log.info("pack_proving", pack=label)
        return [_verdict(proof) for proof in prove_pack(pack_path, cache_dir=self.driver_cache, on_step=on_step).variants]

    def _settle(self) -> None:
        """Make folders and database agree after an end in the middle: adopt whole packs that no row knows, end removals."""
        known = self._writer.call(packs.known_versions)
        for pack in self._registry.list():
            version = (pack.manifest.name, pack.manifest.version)
            if version not in known:
                log.warning("pack_adopted", pack=version[0], version=version[1])
                self._register(pack)
            elif not known[version]:
                self._registry.remove(*version)


def _must_offer(verdicts: list[packs.VariantVerdict], label: str) -> None:
    if not any(verdict.offered for verdict in verdicts):
        reasons = "; ".join(f"{verdict.name}: {verdict.reason}" for verdict in verdicts)
        raise ModelError(f"no variant of {label} works on this machine ({reasons})")


def _bundled_versions() -> frozenset[tuple[str, str]]:
    manifests = [read_pack(path.parent).manifest for path in sorted(BUNDLED_PACKS.glob("*/manifest.json"))]
    return frozenset((manifest.name, manifest.version) for manifest in manifests)


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
