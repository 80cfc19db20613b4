"""The desk of models: everything a person may do with packs while the appliance runs, but to let one serve (`Service` does that).

Install, prove again and compare happen in the background; each leaves a row in the audit trail when it was asked for, and
installing and removing another when it ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, ModelError, SettingsError
from edge.pipeline.compare import CompareLimits
from edge.pipeline.keeper import ModelKeeper
from edge.pipeline.messages import WorkerSpec
from edge.recipes import find_recipe
from edge.recipes.choices import MAX_COMPARED_FILES, FilesChoice, VariantChoice
from edge.recipes.comparing import ComparisonRunner, ComparisonWork
from edge.recipes.model_tasks import ModelTask, TaskList, TaskProgress
from edge.settings import Settings
from edge.store import audit, comparisons, packs
from edge.store.comparisons import ComparedSide, NewComparison
from edge.store.reads.comparisons import newest_files, random_files
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from models.pack import read_pack
from models.runtime.prove import ProofStep


class ModelDesk:
    """One for each running appliance, from its start to `close`."""

    def __init__(
        self, keeper: ModelKeeper, writer: Writer, settings: Settings, *, must_wait: Callable[[], bool], on_change: Callable[[], None]
    ) -> None:
        """`must_wait`: whether the real queue has work, so that comparisons wait; `on_change`: something moved that no commit tells."""
        self._keeper = keeper
        self._writer = writer
        self._settings = settings
        writer.call(comparisons.interrupt_comparisons)
        self._tasks = TaskList(on_change)
        self._comparing = ComparisonRunner(writer, must_wait=must_wait, on_change=on_change)

    def close(self) -> None:
        """End what is being done."""
        self._tasks.close()
        self._comparing.close()

    def tasks(self) -> Sequence[ModelTask]:
        """The last installs and proofs, newest first."""
        return self._tasks.tasks()

    def yielding_comparison(self) -> int | None:
        """The comparison that waits until the real queue is empty."""
        return self._comparing.yielding

    def install(self, source: Path, actor: str, *, subject: str | None = None, is_upload: bool = False) -> ModelTask:
        """Bring a pack folder or zip in, in the background. It serves nothing before it is activated.

        Args:
            subject: what pages call the source; its path if not given.
            is_upload: the source is ours and goes when it was installed or refused.

        Raises:
            SettingsError: the path is not absolute or names nothing, or too much is waiting already.
        """
        if not source.is_absolute() or not source.exists():
            advice = "Name a pack folder, or a zip of one, on the machine where the appliance runs, from its root."
            raise SettingsError(f"there is no pack at {source}", advice=advice)
        told = subject or str(source)

        def work(progress: TaskProgress) -> None:
            try:
                self._install(source, told, actor, progress)
            finally:
                if is_upload:
                    source.unlink(missing_ok=True)

        try:
            self._write_audit(actor, "model_install", "models", {"source": told})
            return self._tasks.add("install", told, actor, work)
        except EdgeError:
            if is_upload:
                source.unlink(missing_ok=True)
            raise

    def prove(self, name: str, version: str, actor: str) -> ModelTask:
        """Run the goldens of an installed pack and measure its speed again, in the background.

        Raises:
            ModelError: it is not installed.
            SettingsError: too much is waiting already.
        """
        row = self._writer.call(lambda connection: packs.get_installed(connection, name, version))

        def work(progress: TaskProgress) -> None:
            progress.is_about(name, version)
            self._keeper.prove(row, on_step=partial(_tell_step, progress))

        self._write_audit(actor, "model_prove", f"model/{row.label}", {})
        return self._tasks.add("prove", row.label, actor, work)

    def remove(self, name: str, version: str, actor: str) -> None:
        """Delete the files of an installed version that serves nothing. What it found stays, with its name and hashes.

        Raises:
            ModelError: it is not installed, or is still needed.
        """
        self._keeper.remove(name, version, actor=actor)

    def compare(self, a: VariantChoice, b: VariantChoice, files: FilesChoice, actor: str) -> int:
        """Run two models on the same files, in the background. Returns the comparison's id.

        Raises:
            ModelError: one is not installed, or does not work here, or both do different tasks.
            SettingsError: A and B are the same, there is no file, or the choice of files cannot be.
        """
        recipe = find_recipe(files.recipe)
        if not 1 <= files.limit <= MAX_COMPARED_FILES:
            raise SettingsError(f"{files.limit} files cannot be compared", advice=f"Choose 1 to {MAX_COMPARED_FILES} files.")
        sides = [self._side(choice) for choice in (a, b)]
        if sides[0][0] == sides[1][0]:
            raise SettingsError("A and B are the same variant of the same pack", advice="Choose another pack, version or variant for B.")
        file_ids = self._writer.call(partial(_chosen_ids, files))
        if not file_ids:
            advice = "Choose another folder, or wait until files of the recipe are done."
            raise SettingsError("no file with a result passes this choice, so there is nothing to compare", advice=advice)
        new = NewComparison(
            recipe=recipe.name, a=sides[0][0], b=sides[1][0], files_chosen=files.words, file_ids=tuple(file_ids), actor=actor
        )
        specs = [
            WorkerSpec(
                pack_path=path,
                variant=side.variant,
                device=side.device,
                cache_dir=self._keeper.driver_cache,
                threads=1,
                detect=recipe.detect(self._settings),
                max_file_bytes=self._settings.max_file_bytes,
            )
            for side, path in sides
        ]
        limits = CompareLimits(timeout_s=self._settings.worker_timeout_s, memory_mb=self._settings.worker_memory_mb)
        comparison_id = self._comparing.add(ComparisonWork(new=new, a=specs[0], b=specs[1], limits=limits))
        self._write_audit(actor, "models_compare", f"comparison/{comparison_id}", {"a": a.label, "b": b.label, "files": len(file_ids)})
        return comparison_id

    def cancel_comparison(self, comparison_id: int, actor: str) -> None:
        """Let a comparison end now; what was found until then stays."""
        self._comparing.cancel(comparison_id)
        self._write_audit(actor, "comparison_cancel", f"comparison/{comparison_id}", {})

    def delete_comparison(self, comparison_id: int, actor: str) -> None:
        """Forget a comparison that has ended."""
        self._writer.call(lambda connection: comparisons.delete_comparison(connection, comparison_id))
        self._write_audit(actor, "comparison_delete", f"comparison/{comparison_id}", {})

    def _install(self, source: Path, told: str, actor: str, progress: TaskProgress) -> None:
        progress.at("verifying")
        row = self._keeper.install(source, on_step=partial(_tell_step, progress), on_known=progress.is_about)
        self._write_audit(actor, "model_installed", f"model/{row.label}", {"source": told, "manifest_sha256": row.manifest_sha256})

    def _side(self, choice: VariantChoice) -> tuple[ComparedSide, Path]:
        row = self._writer.call(lambda connection: packs.get_installed(connection, choice.name, choice.version))
        known = self._keeper.verdicts(row)
        if choice.variant is None:
            verdict = self._keeper.choose(row)
        else:
            found = next((one for one in known if one.name == choice.variant), None)
            if found is None or not found.device:
                reason = found.reason if found else "it was never tried here; press Prove again"
                raise ModelError(f"variant {choice.variant} of {row.label} cannot run on this machine: {reason}")
            verdict = found
        manifest = read_pack(row.pack_path).manifest
        if manifest.task == "classify":
            raise ModelError(
                f"{row.label} classifies whole images; only models that mark objects can be compared",
                advice="Choose two models that mark objects.",
            )
        side = ComparedSide(
            model_id=row.model_id,
            variant=verdict.name,
            device=verdict.device.split(" ")[0],
            score_threshold=manifest.thresholds.score,
        )
        return side, row.pack_path

    def _write_audit(self, actor: str, action: str, subject: str, detail: dict[str, Any]) -> None:
        self._writer.call(lambda connection: audit.append(connection, actor, action, subject, detail))


def _tell_step(progress: TaskProgress, step: ProofStep) -> None:
    progress.at("proving", f"goldens and speed of {step.variant} on {step.device}", place=step.place, of=step.of)


def _chosen_ids(files: FilesChoice, connection: Connection) -> list[int]:
    if files.which == "random":
        return random_files(connection, files.recipe, limit=files.limit, seed=secrets.randbits(32))
    folder_id = files.folder_id if files.which == "folder" else None
    return newest_files(connection, files.recipe, limit=files.limit, folder_id=folder_id)
