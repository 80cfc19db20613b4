"""What is written about a quantisation: `quantise.json` for programs, a section of the card and `quantise.html` for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from models.quantise.page import quantise_page
from models.quantise.values import QuantiseReport, Tried

FORMAT = 1


def report_json(report: QuantiseReport) -> str:
    """All of it; floats rounded to what they mean."""
    document = {"format": FORMAT, **asdict(report)}
    return json.dumps(_plain(document), indent=1, ensure_ascii=False) + "\n"


def report_html(report: QuantiseReport) -> str:
    """One page that needs nothing else."""
    return quantise_page(report)


def card_section(report: QuantiseReport) -> str:
    """What the card tells of the variants of this version, in Markdown."""
    _, title = report.accuracy
    data, machine = report.data, report.machine
    intro = (
        f"Made from {report.source} on {report.measured_utc:%Y-%m-%d} and measured on {data.n_validation} labelled images "
        f"({data.n_validation_objects} objects) of data set {data.sha256[:12]}, {data.divided}. "
        f"INT8 was calibrated on {len(data.calibration)} other images, chosen for variety. "
        f"Allowed loss: {report.limit_points:g} points of {title}. Speed on {machine.cpu}, {machine.cores} cores; "
        "`quantise.html` tells what else was tried."
    )
    lines = [
        f"## Variants of version {report.version}",
        "",
        intro,
        "",
        f"| variant | {title} | points lost | bias of the count per image | images/s | speed by processor time |",
        "|---|---|---|---|---|---|",
        *(_row(one, report.accuracy[0]) for one in report.tried if one.kept),
        "",
    ]
    lines += [f"* {warning[0].upper()}{warning[1:]}." for warning in report.warnings]
    return "\n".join(lines).rstrip() + "\n"


def summary(tried: Sequence[Tried]) -> list[dict[str, Any]]:
    """The tries as the command answers them with `--json`."""
    found: list[dict[str, Any]] = _plain([asdict(one) for one in tried])
    return found


def _row(one: Tried, key: str) -> str:
    bias = one.metrics.get("count_bias")
    cells = [
        one.variant,
        f"{one.metrics[key]:.4f}",
        f"{one.drop_points or 0.0:+.2f}",
        "" if bias is None else f"{bias:+.2f}",
        "" if one.images_per_s is None else f"{one.images_per_s:.1f}",
        "" if one.times_fp32 is None else f"{one.times_fp32:.2f} x",
    ]
    return f"| {' | '.join(cells)} |"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Path):
        return str(value)
    return value
