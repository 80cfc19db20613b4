"""What is asked of a quantisation, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from models.pack import Pack
from models.runtime.machine import Machine

DEFAULT_CALIBRATION_IMAGES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantiseOptions:
    """What a person may choose.

    Attributes:
        out, version: from the pack's own where they are None.
        speed_s, speed_rounds: speed is measured so often in turns, so many seconds per measure.
        labels_map: name in the data set -> name in the pack.
    """

    out: Path | None = None
    version: str | None = None
    calibration_images: int = DEFAULT_CALIBRATION_IMAGES
    speed_s: float = 1.5
    speed_rounds: int = 3
    labels_map: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One variant that was measured.

    Attributes:
        variant: its name in the pack; several tries at INT8 share it.
        told: what it is; `reason` why it was kept or dropped.
        metrics: as `models.evaluate` names them, fractions and objects per image.
        drop_points: loss of accuracy against the original, in points; below zero it gained; None if it could not run.
        latency_ms: median of one image, one stream, one core; images_per_s: all cores; cpu_ms: processor time of one image. All
            of the whole path without decoding; None where it was not measured.
        times_fp32: how many images it does in the processor time of one in the original.
        float_layers: layers with weights that compute in floating point, of INT8.
    """

    variant: str
    precision: str
    runtime: str
    told: str
    metrics: dict[str, float]
    drop_points: float | None
    latency_ms: float | None
    images_per_s: float | None
    cpu_ms: float | None
    times_fp32: float | None
    float_layers: tuple[str, ...]
    n_int8_layers: int
    kept: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The images behind the figures.

    Attributes:
        sha256: of the whole data set; `divided` says in words how it was parted.
        calibration: names of the images that calibrated, in the order of their choice out of `n_calibration_pool`.
        calibration_tows, validation_tows: how many tows those images are of.
    """

    form: str
    sha256: str
    divided: str
    calibration: tuple[str, ...]
    calibration_tows: int
    n_calibration_pool: int
    n_validation: int
    n_validation_objects: int
    validation_tows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantiseReport:
    """Everything that `quantise.json` tells.

    Attributes:
        accuracy: (key, name) of the measure that decides.
        ranking: layers and what each gains in floating point, the most sensitive first.
        not_tried: variant -> why.
    """

    name: str
    version: str
    source: str
    measured_utc: datetime
    machine: Machine
    accuracy: tuple[str, str]
    limit_points: float
    data: DataFacts
    ranking: tuple[dict[str, Any], ...]
    tried: tuple[Tried, ...]
    not_tried: dict[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """The new pack and its report."""

    pack: Pack
    report: QuantiseReport

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the variants that are in the pack."""
        return tuple(one.variant for one in self.report.tried if one.kept)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of the variants that were tried and are not in the pack."""
        kept = set(self.kept)
        return tuple(dict.fromkeys(one.variant for one in self.report.tried if one.variant not in kept))
