"""Evaluate a pack: every variant on the same images, and which of them this machine would choose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from edge.errors import ModelError
from models.datasets.dataset import Dataset
from models.datasets.errors import DatasetUnlabelledError
from models.evaluate.figures import Figures, as_json
from models.evaluate.labels import align_labels
from models.evaluate.measurement import Measurement
from models.evaluate.run import figures, measure_variant
from models.pack import Pack
from models.runtime.devices import CPU
from models.runtime.negotiate import VariantProof
from models.runtime.prove import prove_pack
from models.workbench import OnProgress, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """One variant of the pack.

    `standing` says why it is offered here or not, empty where that was not asked; `fault` why it was not measured, in which
    case it has no figures.
    """

    name: str
    runtime: str
    precision: str
    offered: bool | None
    standing: str
    fault: str = ""
    measurement: Measurement | None = None
    figures: Figures | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A pack on a data set, whose labels are those of the pack. `results`: the chosen variant first, then the others."""

    pack: Pack
    dataset: Dataset
    results: tuple[VariantResult, ...]

    @property
    def chosen(self) -> VariantResult:
        """The variant whose figures stand for the pack."""
        return self.results[0]

    def chosen_parts(self) -> tuple[Measurement, Figures]:
        """What the chosen variant found, and its figures."""
        assert self.chosen.measurement is not None
        assert self.chosen.figures is not None
        return self.chosen.measurement, self.chosen.figures


def evaluate_pack(
    pack: Pack,
    dataset: Dataset,
    *,
    variant: str | None = None,
    threshold: float | None = None,
    labels_map: dict[str, str] | None = None,
    on_step: OnProgress | None = None,
) -> Evaluation:
    """Measure one variant, or all of them.

    With all, the one that the machine would choose comes first: the fastest of those whose goldens hold and whose accuracy the
    pack's limit allows, as `models list` shows it.

    Args:
        threshold: from which score objects are counted; the pack's own if None.
        labels_map: name in the data set -> name in the pack, where they differ.

    Raises:
        DatasetError: the labels do not fit the pack, there is nothing to find in any image, or an image cannot be decoded.
        PackInvalidError: the pack has no such variant.
        ModelError: the chosen variant, or every one, cannot be measured.
    """
    dataset = align_labels(dataset, [label.name for label in pack.manifest.labels], labels_map)
    if not any(len(image.truth.label_index) for image in dataset.images):
        raise DatasetUnlabelledError(f"not one object is labelled in the {len(dataset.images)} images: there is nothing to compare with")
    planned = [_alone(pack, variant)] if variant is not None else _ranked(pack, on_step)
    results = [_measured(pack, dataset, plan, device, threshold=threshold, on_step=on_step) for plan, device in planned]
    measured = [result for result in results if result.figures is not None]
    if not measured:
        raise ModelError("; ".join(f"{result.name}: {result.fault}" for result in results))
    first = next((result for result in measured if result.offered), measured[0])
    return Evaluation(pack=pack, dataset=dataset, results=(first, *(result for result in results if result is not first)))


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """The figures as plain values, those of the chosen variant at the top; without the lists of images."""
    manifest, dataset = evaluation.pack.manifest, evaluation.dataset
    _, result = evaluation.chosen_parts()
    plain = as_json(result)
    del plain["by_image"]
    return {
        "pack": manifest.name,
        "version": manifest.version,
        "dataset": {
            "path": str(dataset.root),
            "form": dataset.form,
            "sha256": dataset.sha256,
            "images": len(dataset.images),
            "tows": len({image.tow for image in dataset.images if image.tow is not None}),
            "warnings": list(dataset.warnings),
        },
        **plain,
        "variants": [_variant_summary(one) for one in evaluation.results],
    }


def _variant_summary(one: VariantResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": one.name,
        "runtime": one.runtime,
        "precision": one.precision,
        "offered": one.offered,
        "standing": one.standing,
        "fault": one.fault or None,
    }
    if one.figures is not None:
        plain = as_json(one.figures)
        keys = (
            "device",
            "map50",
            "map50_95",
            "precision",
            "recall",
            "f1",
            "threshold",
            "count_bias",
            "count_mae",
            "count_rmse",
            "count_ccc",
        )
        told |= {key: plain[key] for key in (*keys, "ece", "top1", "images_per_s", "infer_share")}
    return told


def _alone(pack: Pack, name: str) -> tuple[VariantResult, str]:
    variant = pack.variant(name)
    return VariantResult(name=name, runtime=variant.runtime, precision=variant.precision, offered=None, standing=""), CPU


def _ranked(pack: Pack, on_step: OnProgress | None) -> list[tuple[VariantResult, str]]:
    """Every variant, best first, with the device on which it would run."""
    if on_step is not None:
        on_step(Step(name="prove the variants", done=0, of=1))
    proofs = prove_pack(pack.path).variants
    if on_step is not None:
        on_step(Step(name="prove the variants", done=1, of=1))
    return [(_of_proof(proof), proof.device.rpartition(" ")[0] or CPU) for proof in proofs]


def _of_proof(proof: VariantProof) -> VariantResult:
    return VariantResult(name=proof.name, runtime=proof.runtime, precision=proof.precision, offered=proof.offered, standing=proof.reason)


def _measured(
    pack: Pack, dataset: Dataset, plan: VariantResult, device: str, *, threshold: float | None, on_step: OnProgress | None
) -> VariantResult:
    try:
        measurement = measure_variant(pack, plan.name, dataset, device=device, on_step=on_step)
    except ModelError as error:
        return replace(plan, fault=str(error))
    return replace(plan, measurement=measurement, figures=figures(measurement, dataset, threshold))
