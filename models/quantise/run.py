"""Make the INT8, FP16 and BF16 variants of a pack, measure every one on labelled images, and keep those that stay accurate.

    quantise_pack(pack, dataset, options, workshop=python) -> Quantised      a new pack, a version higher

The images that calibrate never judge. Each variant is measured alone in a trial pack through the appliance's own path; its goldens
must hold. What is kept is exactly what `models.runtime.negotiate` offers afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from edge.errors import ModelError
from models.assemble import PackExistsError
from models.benchmark.run import BenchmarkPlan, VariantBenchmark, benchmark_pack
from models.datasets.dataset import Dataset, LabelledImage
from models.evaluate.figures import as_json, figures
from models.evaluate.labels import align_labels
from models.evaluate.run import measure_variant
from models.pack import Pack
from models.quantise.candidates import BF16_NAME, Candidate, bf16_of, computes_bf16, originals, trial_pack, with_ir
from models.quantise.images import choose_images
from models.quantise.keep import assemble_quantised, judge, next_patch
from models.quantise.parts import Parts, divide
from models.quantise.search import Measured, Workshop, search_int8
from models.quantise.values import DataFacts, Quantised, QuantiseOptions, QuantiseReport
from models.runtime.devices import CPU
from models.runtime.machine import x_ray
from models.runtime.negotiate import ACCURACY
from models.runtime.prove import VARIANT_TIMEOUT_S, prove_variant, run_in_child
from models.workbench import OnProgress

# As `imagine-edge models evaluate` names them; those that are None are left out.
_METRICS = ("map50", "map50_95", "precision", "recall", "count_bias", "count_mae", "count_ccc", "top1")


def quantise_pack(
    source: Pack, dataset: Dataset, options: QuantiseOptions, *, workshop: Path, on_step: OnProgress | None = None
) -> Quantised:
    """A new pack whose variants were all measured on the part of `dataset` that did not calibrate.

    Args:
        workshop: the Python of the workshop's environment, see `models.workbench.find_workshop`.

    Raises:
        PackExistsError: something lies already where the new pack was to be written; nothing was done.
        CalibrationTooSmallError: too few images.
        DatasetError: the labels are not the model's, or an image cannot be decoded.
        ToolError: NNCF refused the network.
        ModelError: the original itself cannot be measured.
    """
    version = options.version or next_patch(source.manifest.version)
    target = options.out or Path(f"{source.manifest.name}-{version}")
    if target.exists():
        raise PackExistsError(f"{target} exists already")
    dataset = align_labels(dataset, [label.name for label in source.manifest.labels], options.labels_map)
    parts = divide(dataset)
    calibration = choose_images(parts.calibration, options.calibration_images, on_step)
    limit_points = source.manifest.max_map50_drop_points
    with tempfile.TemporaryDirectory(prefix="imagine-edge-quantise-") as name:
        trials = Trials(pack=source, validation=replace(dataset, images=parts.validation), folder=Path(name), on_step=on_step)
        measured, ir, not_tried = _measure_floats(source, trials)
        shop = Workshop(
            python=workshop,
            folder=trials.folder,
            ir=next(iter(ir.files.values())),
            spec=source.manifest.input,
            calibration=calibration,
            on_step=on_step,
        )
        int8, ranking = search_int8(shop, trials.measure, measured[0], limit_points)
        measured += int8
        report = QuantiseReport(
            name=source.manifest.name,
            version=version,
            source=f"{source.manifest.name} {source.manifest.version}",
            measured_utc=datetime.now(UTC),
            machine=x_ray(),
            accuracy=ACCURACY[source.manifest.task],
            limit_points=limit_points,
            data=_data_facts(dataset, parts, calibration),
            ranking=ranking,
            tried=judge(measured, trials.speeds(measured, options), limit_points),
            not_tried=not_tried,
            warnings=(*dataset.warnings, *parts.warnings),
        )
        return Quantised(pack=assemble_quantised(source, target, report, measured), report=report)


def _measure_floats(source: Pack, trials: Trials) -> tuple[list[Measured], Candidate, dict[str, str]]:
    """The original and its forms in 16 bits, measured; the IR among them; and what was not tried, with the reason."""
    candidates, ir = with_ir(originals(source), source, trials.folder)
    not_tried = {}
    if computes_bf16():
        candidates.append(bf16_of(ir))
    else:
        not_tried[BF16_NAME] = "this CPU does not compute in BF16, so nobody could measure it here"
    measured = [trials.measure(candidate) for candidate in candidates]
    if measured[0].fault:
        raise ModelError(f"the original, {measured[0].candidate.name}, does not work here itself: {measured[0].fault}")
    return measured, ir, not_tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Where candidates are measured."""

    pack: Pack
    validation: Dataset
    folder: Path
    on_step: OnProgress | None

    def measure(self, candidate: Candidate) -> Measured:
        """Its goldens, then its figures on the validation images.

        Raises:
            DatasetError: an image cannot be decoded.
        """
        trial = trial_pack(self.pack, [candidate], self.folder / f"trial-{candidate.name}")
        unusable = Measured(candidate=candidate, metrics={}, accuracy=0.0, fine=0.0)
        try:
            proof = run_in_child(prove_variant, trial.path, candidate.name, timeout_s=VARIANT_TIMEOUT_S)
            found = figures(measure_variant(trial, candidate.name, self.validation, on_step=self.on_step), self.validation)
        except ModelError as error:
            return replace(unusable, fault=str(error))
        told = as_json(found)
        metrics = {key: round(float(told[key]), 6) for key in _METRICS if told.get(key) is not None}
        key, _ = ACCURACY[self.pack.manifest.task]
        if key not in metrics:
            return replace(unusable, metrics=metrics, fault="its accuracy could not be measured: it found nothing")
        # A golden that does not hold excludes it; what it loses on many images is worth telling all the same.
        fault = "" if proof.offered else proof.reason
        return Measured(
            candidate=candidate, metrics=metrics, accuracy=metrics[key], fine=metrics.get("map50_95", metrics[key]), fault=fault
        )

    def speeds(self, measured: Sequence[Measured], options: QuantiseOptions) -> dict[str, VariantBenchmark]:
        """Speed of all usable candidates by name, measured in turns."""
        usable = [one.candidate for one in measured if not one.fault]
        trial = trial_pack(self.pack, usable, self.folder / "trial-of-all")
        plan = BenchmarkPlan(seconds=options.speed_s, rounds=options.speed_rounds, with_app=False)
        result = benchmark_pack(trial, trial.manifest.variants, plan, devices=(CPU,), on_step=self.on_step)
        return {one.name: one for one in result.variants}


def _data_facts(dataset: Dataset, parts: Parts, calibration: Sequence[LabelledImage]) -> DataFacts:
    return DataFacts(
        form=dataset.form,
        sha256=dataset.sha256,
        divided=parts.how,
        calibration=tuple(image.name for image in calibration),
        calibration_tows=len({image.tow for image in calibration}),
        n_calibration_pool=len(parts.calibration),
        n_validation=len(parts.validation),
        n_validation_objects=sum(int((~image.truth.crowd).sum()) for image in parts.validation),
        validation_tows=len({image.tow for image in parts.validation}),
    )
