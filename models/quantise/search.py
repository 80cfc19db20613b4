"""Try INT8, from everything in 8 bits to more and more in floating point, until a try is good enough; each is measured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.datasets.dataset import LabelledImage
from models.manifest import InputSpec
from models.quantise.candidates import Candidate, int8_of
from models.quantise.judge import Outcome, Recipe, needs_ranking, next_recipe
from models.workbench import OnProgress, Step, run_tool

RANKING_IMAGES = 48  # they only order the layers
_TOOL = "models.workshop.quantise_tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A candidate and its figures. `fault`: why it cannot be used at all, such as a golden that did not hold."""

    candidate: Candidate
    metrics: dict[str, float]
    accuracy: float
    fine: float
    fault: str = ""
    cpu_ms: float | None = None

    def outcome(self, original: Measured) -> Outcome:
        """What the judge looks at."""
        recipe = self.candidate.recipe
        assert recipe is not None
        return Outcome(recipe=recipe, drop_points=self.drop_points(original), fine=self.fine, cpu_ms=self.cpu_ms, fault=self.fault)

    def drop_points(self, original: Measured) -> float:
        """Loss of accuracy against the original, in points."""
        return 100 * (original.accuracy - self.accuracy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The way to NNCF. `folder` takes what it writes."""

    python: Path
    folder: Path
    ir: Path
    spec: InputSpec
    calibration: tuple[LabelledImage, ...]
    on_step: OnProgress | None

    def quantise(self, number: int, recipe: Recipe) -> Candidate:
        """The `number`-th try.

        Raises:
            ToolError: NNCF refused, or the tool died.
        """
        target = self.folder / f"int8_{number}.xml"
        request = {
            "action": "quantise",
            "target": os.fspath(target),
            "keep_float": recipe.keep_float,
            "also_float": list(recipe.also_float),
            "full_range": False,
        }
        answer = self._ask(request, self.calibration, f"quantising: {recipe.told}")
        return int8_of(target, number, recipe, answer)

    def rank(self) -> tuple[dict[str, Any], ...]:
        """Layers by what they gain in floating point, the most sensitive first.

        Raises:
            ToolError: NNCF refused, or the tool died.
        """
        answer = self._ask({"action": "rank"}, self.calibration[:RANKING_IMAGES], "ranking layers")
        return tuple(answer["layers"])

    def _ask(self, request: dict[str, Any], images: Sequence[LabelledImage], told: str) -> dict[str, Any]:
        common = {
            "source": os.fspath(self.ir),
            "images": [os.fspath(image.path) for image in images],
            "input": self.spec.model_dump(mode="json"),
        }
        path = self.folder / "request.json"
        path.write_text(json.dumps({**common, **request}), encoding="utf-8")

        def show(step: Step) -> None:
            if self.on_step is not None:
                self.on_step(replace(step, name=told))

        return run_tool(_TOOL, [os.fspath(path)], python=self.python, on_step=show)


def search_int8(
    workshop: Workshop, measure: Callable[[Candidate], Measured], original: Measured, limit_points: float
) -> tuple[list[Measured], tuple[dict[str, Any], ...]]:
    """Every try with its figures, and the ranking of the layers.

    Raises:
        ToolError: NNCF refused, or the tool died.
        ModelError: a try could not be measured.
    """
    tried: list[Measured] = []
    ranking: tuple[dict[str, Any], ...] = ()
    while True:
        outcomes = [one.outcome(original) for one in tried]
        if needs_ranking(outcomes):
            ranking = workshop.rank()
        recipe = next_recipe(outcomes, limit_points, [layer["name"] for layer in ranking])
        if recipe is None:
            return tried, ranking
        tried.append(measure(workshop.quantise(len(tried) + 1, recipe)))
