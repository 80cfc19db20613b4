"""Which variant of a pack runs on this machine, and why not the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from models.manifest import Manifest, Precision, Runtime, Variant

_POINTS = 100.0  # mAP is a fraction, its drop is told in points
# What accuracy means by task: the name of the metric, and what people call it.
ACCURACY = {"detect": ("map50", "mAP50"), "segment": ("map50", "mAP50"), "classify": ("top1", "top-1 accuracy"), "prompt": ("iou", "IoU")}
SAME_SCORES = "score_difference_max"  # metric of a variant: the most that any score on any image differs from those of the original
SAME_SCORES_LIMIT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenProof:
    """What a variant made of one golden image. `fault` is empty if it held.

    `found`: (x_min, y_min, x_max, y_max, score, label index) of what it counts there, pixels of the image; empty for a classification.
    """

    image: str
    expected_count: int
    found_count: int
    fault: str
    found: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantProof:
    """What a variant showed on this machine.

    Attributes:
        offered: whether it may be used; `reason` says why, or why not, in plain words.
        device: where it ran and in what arithmetic; empty if it never ran.
        latency_ms: one image alone, preparing and reading the answer included; images_per_s: with all cores busy with it
            and with nothing else.
        goldens: one proof per golden that was reached.
    """

    name: str
    runtime: Runtime
    precision: Precision
    sha256: str
    device: str
    offered: bool
    reason: str
    latency_ms: float | None
    images_per_s: float | None
    goldens: tuple[GoldenProof, ...]

    @property
    def goldens_json(self) -> str:
        """The proofs of the goldens as a JSON list."""
        return json.dumps([asdict(golden) for golden in self.goldens])


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiation:
    """The variants of a pack: `ranked`, fastest first, and `refused`, each with its reason."""

    ranked: tuple[VariantProof, ...]
    refused: tuple[VariantProof, ...]


def negotiate(manifest: Manifest, proofs: Sequence[VariantProof]) -> Negotiation:
    """Rank the variants by measured speed among those that proved themselves and stay accurate enough.

    A variant whose goldens held (`offered` in its proof) is refused when its accuracy, as the manifest gives it, lies more than
    `max_map50_drop_points` below that of the original, or was never measured. The original is the fp32 variant; in a pack
    without one, what the pack's own figures were measured on, else the first. An fp16 variant, whose weights only are stored in
    fewer bits, may show instead that its scores are those of the original (`score_difference_max` among its metrics): an imported
    pack has no labelled images to measure on.
    """
    judged = [_judged(manifest, proof) for proof in proofs]
    ranked = sorted((proof for proof in judged if proof.offered), key=lambda proof: -(proof.images_per_s or 0.0))
    told = tuple(replace(proof, reason=_standing(place, proof, ranked[0])) for place, proof in enumerate(ranked, start=1))
    return Negotiation(ranked=told, refused=tuple(proof for proof in judged if not proof.offered))


def _judged(manifest: Manifest, proof: VariantProof) -> VariantProof:
    variant = next(variant for variant in manifest.variants if variant.name == proof.name)
    fault = accuracy_fault(manifest, variant)
    if proof.offered and fault:
        return replace(proof, offered=False, reason=fault)
    return proof


def accuracy_fault(manifest: Manifest, variant: Variant) -> str:
    """Why a variant is not accurate enough to be offered; empty if it is. See `negotiate`."""
    if variant.precision == "fp32":
        return ""
    key, title = ACCURACY[manifest.task]
    reference = next((other.metrics[key] for other in manifest.variants if other.precision == "fp32" and key in other.metrics), None)
    reference = manifest.metrics.get(key) if reference is None else reference
    measured = variant.metrics.get(key)
    if reference is None or measured is None:
        if variant.precision == "fp16" and (variant == _original(manifest) or variant.metrics.get(SAME_SCORES, 1.0) <= SAME_SCORES_LIMIT):
            return ""
        return f"its {title} was not measured against fp32, so nobody knows what {variant.precision} costs"
    drop_points = (reference - measured) * _POINTS
    # A drop of exactly the limit is allowed, whatever the rounding of the fractions does.
    if drop_points > manifest.max_map50_drop_points + 1e-6:
        return (
            f"its {title} is {measured:.3f}, {drop_points:.1f} points below the {reference:.3f} of fp32; "
            f"the pack allows {manifest.max_map50_drop_points:.1f}"
        )
    return ""


def _original(manifest: Manifest) -> Variant:
    return next((variant for variant in manifest.variants if variant.precision == "fp32"), manifest.variants[0])


def _standing(place: int, proof: VariantProof, fastest: VariantProof) -> str:
    speed = proof.images_per_s or 0.0
    if place == 1:
        return f"fastest here: {speed:.1f} images/s, all goldens held"
    ratio = speed / fastest.images_per_s if fastest.images_per_s else 0.0
    return f"works, with {ratio:.0%} of the speed of {fastest.name}: {speed:.1f} images/s"
