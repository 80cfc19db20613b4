"""From figures to a pack: which variants go in, and what is written about it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.assemble import assemble_pack, draft_of
from models.benchmark.run import VariantBenchmark
from models.pack import Pack
from models.quantise.judge import choose_int8, is_allowed, loss_told, why
from models.quantise.report import card_section, report_html, report_json
from models.quantise.search import Measured
from models.quantise.values import QuantiseReport, Tried

JSON_NAME, HTML_NAME = "quantise.json", "quantise.html"


def next_patch(version: str) -> str:
    """The version after this one: 1.2.3 -> 1.2.4, 1.2.3-rc1 -> 1.2.4."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    assert numbers is not None  # the manifest allows no other
    major, minor, patch = (int(number) for number in numbers.groups())
    return f"{major}.{minor}.{patch + 1}"


def judge(measured: Sequence[Measured], speeds: Mapping[str, VariantBenchmark], limit_points: float) -> tuple[Tried, ...]:
    """Every candidate with its verdict. `measured[0]` is the original."""
    original = measured[0]
    timed = [_timed(one, speeds.get(one.candidate.name)) for one in measured]
    int8 = [one for one in timed if one.candidate.recipe is not None]
    outcomes = [one.outcome(original) for one in int8]
    kept = choose_int8(outcomes, limit_points)
    verdicts = {one.candidate.name: (place == kept, why(outcomes, place, kept, limit_points)) for place, one in enumerate(int8)}
    tried = []
    for one in timed:
        name = one.candidate.name
        is_kept, reason = verdicts.get(name) or _plain_verdict(one, original, limit_points)
        tried.append(_tried(one, original, speeds.get(name), is_kept=is_kept, reason=reason))
    return tuple(tried)


def _timed(one: Measured, speed: VariantBenchmark | None) -> Measured:
    if one.fault or speed is None:
        return one
    if speed.path is None:
        return replace(one, fault=f"its speed could not be measured: {speed.fault}")
    return replace(one, cpu_ms=speed.path.cpu_ms)


def _plain_verdict(one: Measured, original: Measured, limit_points: float) -> tuple[bool, str]:
    """Of variants that are not INT8."""
    if one is original or one.candidate.name == original.candidate.name:
        return True, "the original that all others are compared with"
    if one.fault:
        return False, one.fault
    drop_points = one.drop_points(original)
    return is_allowed(drop_points, limit_points), f"{loss_told(drop_points)}; the pack allows {limit_points:.2f}"


def _tried(one: Measured, original: Measured, speed: VariantBenchmark | None, *, is_kept: bool, reason: str) -> Tried:
    candidate = one.candidate
    path = speed.path if speed is not None else None
    return Tried(
        variant=candidate.final_name,
        precision=candidate.precision,
        runtime=candidate.runtime,
        told=candidate.told,
        metrics=one.metrics,
        drop_points=one.drop_points(original) if one.metrics else None,
        latency_ms=path.p50_ms if path else None,
        images_per_s=path.images_per_s if path else None,
        cpu_ms=path.cpu_ms if path else None,
        times_fp32=speed.times_fp32 if speed is not None else None,
        float_layers=candidate.float_layers,
        n_int8_layers=len(candidate.int8_layers),
        kept=is_kept,
        reason=reason,
    )


def assemble_quantised(source: Pack, target: Path, report: QuantiseReport, measured: Sequence[Measured]) -> Pack:
    """Write the new pack, whole or not at all.

    Raises:
        PackExistsError: `target` exists.
        PackInvalidError: a file does not belong into a pack.
    """
    draft, files = draft_of(source)
    card = draft["card"]
    documents = [name for name in draft["documents"] if name not in (JSON_NAME, HTML_NAME)]
    kept_files = {card, *documents, *(golden[key] for golden in draft["goldens"] for key in ("image", "expected"))}
    files = {inside: path for inside, path in files.items() if inside in kept_files}
    old = {variant.name: variant.metrics for variant in source.manifest.variants}
    variants = []
    for one, tried in zip(measured, report.tried, strict=True):
        if tried.kept:
            files |= one.candidate.files
            # Figures on other images stay true of a file that did not change.
            metrics = one.metrics if one.candidate.is_new else {**old[one.candidate.name], **one.metrics}
            variants.append({**one.candidate.variant(one.candidate.final_name), "metrics": metrics})
    with tempfile.TemporaryDirectory(prefix="imagine-edge-quantise-") as name:
        folder = Path(name)
        new_card = f"{source.file_path(source.manifest.card).read_text(encoding='utf-8').rstrip()}\n\n{card_section(report)}"
        files[card] = _written(folder / "card.md", new_card)
        files[JSON_NAME] = _written(folder / JSON_NAME, report_json(report))
        files[HTML_NAME] = _written(folder / HTML_NAME, report_html(report))
        changed: dict[str, Any] = {
            "version": report.version,
            "documents": [*documents, JSON_NAME, HTML_NAME],
            "metrics": {**source.manifest.metrics, **measured[0].metrics},
            "variants": variants,
        }
        return assemble_pack(target, {**draft, **changed}, files)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
