"""The record of a training: everything that somebody needs to judge it, or to do it again.

It travels in the pack, so it names no path of the machine on which it was made.
"""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models.runtime.machine import x_ray
from models.training.measured import Worth
from models.training.plan import Plan

_TOP = Path(__file__).resolve().parents[2]


def experiment(
    plan: Plan,
    trained: Mapping[str, Any],
    curves: Sequence[Mapping[str, float]],
    figures: Mapping[str, Worth | None],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The content of `experiment.json`.

    Args:
        figures: of "val", "test" and "base_on_test" where they exist.
    """
    machine = x_ray()
    chosen = asdict(plan)
    for told_apart in ("base", "dataset", "split", "created_utc", "labels"):
        chosen.pop(told_apart)
    return {
        "format": 1,
        "kind": "training",
        "name": plan.name,
        "version": plan.version,
        "started_utc": plan.created_utc,
        "ended_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": asdict(plan.base),
        "labels": list(plan.labels),
        "dataset": dict(plan.dataset),
        "split": dict(plan.split),
        "parameters": chosen,
        "result": {name: trained[name] for name in ("layout", "parameters", "epochs", "best_epoch", "stopped", "device", "batch_size")},
        "training_s": round(sum(row["seconds"] for row in curves), 1),
        "figures": {name: None if found is None else asdict(found) for name, found in figures.items()},
        "warnings": list(warnings),
        "software": {"imagine_edge": own_version(), "commit": commit(), "python": trained["python"], **trained["libraries"]},
        "machine": {
            "system": machine.system,
            "cpu": machine.cpu,
            "cores": machine.cores,
            "memory_bytes": machine.memory_bytes,
            "gpus": [str(gpu) for gpu in machine.gpus],
        },
        "curves": [dict(row) for row in curves],
    }


def curves_csv(curves: Sequence[Mapping[str, float]]) -> str:
    """One row per epoch."""
    names = list(dict.fromkeys(name for row in curves for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(curves)
    return text.getvalue()


def own_version() -> str:
    """The version of this program."""
    try:
        return version("imagine-edge")
    except PackageNotFoundError:  # run from a copy of the sources
        return "unknown"


def commit() -> str | None:
    """The commit of the sources, `+changed` behind it where files differ from it; None where there is no repository."""
    if not (_TOP / ".git").exists():
        return None
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+changed" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(_TOP), *words], check=True, capture_output=True, text=True, timeout=20)  # noqa: S607 - found by name
    return done.stdout.strip()
