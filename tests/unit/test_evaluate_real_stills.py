"""The bundled pack on real stills: our figures, and those of pycocotools on the same detections."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.datasets.read import read_dataset
from models.evaluate.labels import align_labels
from models.evaluate.run import figures, measure_variant
from models.pack import read_pack
from tests.unit.coco_oracle import run_coco

N_STILLS = 12


def test_figures_on_real_stills_agree_with_pycocotools(real_stills: list[Path], checkout: Path) -> None:
    pack = read_pack(checkout / "models" / "packs" / "burrow-openings-starter")
    variant = next(variant.name for variant in pack.manifest.variants if variant.precision == "fp32")
    dataset = align_labels(read_dataset(real_stills[0].parents[1], limit=N_STILLS), [label.name for label in pack.manifest.labels])
    measurement = measure_variant(pack, variant, dataset)
    result = figures(measurement, dataset)
    stats = run_coco([image.truth for image in dataset.images], measurement.founds).stats
    assert (result.images, len({image.tow for image in dataset.images}) > 3) == (N_STILLS, True)
    assert result.map50_95 == pytest.approx(float(stats[0]), abs=1e-6)
    assert result.map50 == pytest.approx(float(stats[1]), abs=1e-6)
    # What the pack's card promises on all of them, less the chance of a dozen.
    assert result.map50 is not None
    assert result.map50 > pack.manifest.metrics.get("map50_real", 0.5) - 0.15
    assert result.counts.ccc is not None
