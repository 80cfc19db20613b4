"""Bring each recipe's active model into its dispatcher: choose the variant, prove it first if that was never done here.

Proving takes seconds, so it happens in a thread of its own; pages and intake run meanwhile and files queue up.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Literal

import structlog

from edge.errors import EdgeError
from edge.pipeline.dispatcher import Dispatcher, Serving
from edge.pipeline.keeper import ModelKeeper, check_pack_files
from edge.pipeline.messages import WorkerSpec
from edge.recipes.recipe import Recipe
from edge.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAtWork:
    """The model of a recipe. `variant` is such as "int8 on openvino, CPU"; `detail` says why it failed."""

    recipe: str
    name: str
    version: str
    variant: str
    state: Literal["none", "preparing", "ready", "failed"]
    detail: str


class ModelServer:
    """Keeps the dispatchers supplied with the active models."""

    def __init__(self, keeper: ModelKeeper, settings: Settings) -> None:
        self._keeper = keeper
        self._settings = settings
        self._at_work: dict[str, ModelAtWork] = {}
        self._lock = threading.Lock()

    def at_work(self, dispatcher: Dispatcher) -> ModelAtWork:
        """The model of a recipe and its state; a worker that cannot start is a failed model."""
        model = self._at_work.get(dispatcher.recipe, _none(dispatcher.recipe))
        if model.state == "ready" and dispatcher.state == "failed":
            return _failed(model.recipe, model.name, model.version, dispatcher.detail)
        return model

    def try_again(self, recipe: Recipe, dispatcher: Dispatcher) -> None:
        """Prepare a model again that could not be prepared, say because the disk was full."""
        model = self._at_work.get(recipe.name)
        if model is not None and model.state == "failed":
            self.prepare(recipe, dispatcher)

    def prepare(self, recipe: Recipe, dispatcher: Dispatcher) -> None:
        """Let a dispatcher serve the active model, as soon as that is known to work here. Returns at once."""
        threading.Thread(target=self._prepare, args=(recipe, dispatcher), name=f"model-{recipe.name}", daemon=True).start()

    def _prepare(self, recipe: Recipe, dispatcher: Dispatcher) -> None:
        name, version = "", ""
        with self._lock:
            try:
                self._keeper.install_bundled()
                row = self._keeper.active(recipe.name, recipe.starter_pack)
                name, version = row.name, row.version
                self._at_work[recipe.name] = ModelAtWork(
                    recipe=recipe.name, name=name, version=version, variant="", state="preparing", detail="checking it on this machine"
                )
                check_pack_files(row)
                verdict = self._keeper.choose(row)
            except Exception as error:  # the thread's border: a model that is not ready must not look as if it were being prepared
                log.warning("model_not_ready", recipe=recipe.name, error=str(error), exc_info=not isinstance(error, EdgeError))
                self._at_work[recipe.name] = _failed(recipe.name, name, version, _told(error))
                dispatcher.serve(None)
                return
            self._at_work[recipe.name] = ModelAtWork(
                recipe=recipe.name,
                name=name,
                version=version,
                variant=f"{verdict.precision} on {verdict.runtime}, {verdict.device}",
                state="ready",
                detail="",
            )
            dispatcher.serve(
                Serving(
                    spec=WorkerSpec(
                        pack_path=row.pack_path,
                        variant=verdict.name,
                        device=verdict.device.split(" ")[0],  # such as "CUDA f32"
                        cache_dir=self._keeper.driver_cache,
                        threads=worker_threads(self._settings),
                        detect=recipe.detect(self._settings),
                        clip=None if recipe.clip is None else recipe.clip(self._settings),
                        measure=recipe.measure,
                        max_file_bytes=self._settings.max_file_bytes,
                    ),
                    model_id=row.model_id,
                    recipe=recipe.name,
                    recipe_sha256=recipe.sha256(self._settings),
                    clip_sha256=recipe.clip_sha256(self._settings),
                )
            )


def worker_threads(settings: Settings) -> int:
    """Images processed at once: as set, else one more than there are cores, so that decoding overlaps inference."""
    return settings.worker_threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)) + 1


def _told(error: Exception) -> str:
    return f"{error}. {error.advice()}" if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}"


def _none(recipe: str) -> ModelAtWork:
    return ModelAtWork(recipe=recipe, name="", version="", variant="", state="none", detail="no model is active")


def _failed(recipe: str, name: str, version: str, detail: str) -> ModelAtWork:
    return ModelAtWork(recipe=recipe, name=name, version=version, variant="", state="failed", detail=detail)
