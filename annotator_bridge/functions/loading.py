"""Make a function of the catalogue ready: import its method, or load the variant of its pack that is known to be fast on this machine.

What was measured here (`variants` in the database) decides. Of a pack that was never proven on this machine the first variant serves that
is accurate enough and holds its goldens, those in few bits before the others: on most processors that is the fastest, and nobody who
clicks waits half a minute for the full proof of `models install`. What came of it is kept in the home folder (`cvat/chosen.json`, may be
deleted).
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import structlog

from annotator_bridge.functions.catalogue import Entry
from annotator_bridge.functions.function import Function
from edge.errors import ModelError, StoreError
from edge.pipeline.keeper import DRIVER_CACHE_FOLDER
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.packs import VariantVerdict, get_installed, verdicts
from edge.store.sqlite import sqlite3
from models.manifest import Variant
from models.pack import Pack
from models.runtime.devices import CPU
from models.runtime.goldens import check_goldens, read_golden_images
from models.runtime.machine import machine_fingerprint
from models.runtime.negotiate import accuracy_fault
from models.runtime.predict import LoadedModel, load_model

log = structlog.get_logger()

CHOSEN_NAME = "cvat/chosen.json"
# bf16 is emulated, and slow, where a processor does not know it.
_TRIED_FIRST = ("int8", "fp16", "bf16", "fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A variant of a pack and where it runs."""

    variant: str
    device: str


def make_function(home: Path, entry: Entry, *, threads: int, max_pixels: int) -> Function:
    """The function of an entry of the catalogue, for so many calling threads.

    Raises:
        ModelError: its pack is damaged, or no variant of it works on this machine.
    """
    if entry.method is not None:
        module, _, name = entry.method.where.partition(":")
        made: Function = getattr(import_module(module), name)(max_pixels=max_pixels)
        return made
    from annotator_bridge.functions.detector import PackDetector
    from annotator_bridge.functions.pack_interactor import PackInteractor

    assert entry.pack is not None, "an entry is of a method or of a pack"
    if entry.info.kind == "interactor":
        return PackInteractor(entry.info, load_fastest(home, entry.pack, threads=threads), max_pixels=max_pixels)
    return PackDetector(entry.info, load_fastest(home, entry.pack, threads=threads), max_pixels=max_pixels)


def load_fastest(home: Path, pack: Pack, *, threads: int) -> LoadedModel:
    """A pack's model for so many calling threads, in the variant that is fastest here.

    Raises:
        ModelError: its files are damaged, or no variant of it works on this machine; says why.
    """
    cache_dir = home / DRIVER_CACHE_FOLDER
    label = f"{pack.manifest.name}@{pack.manifest.version}"
    known = _known_verdicts(home, pack)
    if known:
        offered = [verdict for verdict in known if verdict.offered]
        if not offered:
            raise ModelError(f"no variant of {label} works on this machine ({'; '.join(f'{one.name}: {one.reason}' for one in known)})")
        best = max(offered, key=lambda verdict: verdict.images_per_s or 0.0)
        choice = Choice(variant=best.name, device=best.device.split(" ")[0])  # such as "CUDA f32"
    else:
        choice = _remembered(home, pack) or _tried(home, pack)
    model = load_model(pack.path, choice.variant, threads=threads, device=choice.device, cache_dir=cache_dir)
    log.info("bridge_model_loaded", pack=label, variant=choice.variant, device=model.device, proven=bool(known))
    return model


def _known_verdicts(home: Path, pack: Pack) -> list[VariantVerdict]:
    """What its variants showed on this machine; nothing where they were never tried, or the database cannot be read."""
    if not (home / DATABASE_NAME).is_file():
        return []
    try:
        connection = open_reader(home / DATABASE_NAME)
    except StoreError:
        return []
    try:
        row = get_installed(connection, pack.manifest.name, pack.manifest.version)
        return verdicts(connection, row.model_id, machine_fingerprint()) if row.manifest_sha256 == pack.manifest_sha256 else []
    except (ModelError, sqlite3.Error):
        return []
    finally:
        connection.close()


def _remembered(home: Path, pack: Pack) -> Choice | None:
    """What was chosen of this very pack on this very machine before."""
    try:
        variant = json.loads((home / CHOSEN_NAME).read_text("utf-8"))[_kept_as(pack)]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Choice(variant=variant, device=CPU) if any(one.name == variant for one in pack.manifest.variants) else None


def _remember(home: Path, pack: Pack, variant: str) -> None:
    path = home / CHOSEN_NAME
    with suppress(OSError, ValueError):  # a home folder that cannot be written costs the next start some seconds
        kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps({**(kept if isinstance(kept, dict) else {}), _kept_as(pack): variant}), "utf-8")
        temporary.replace(path)


def _kept_as(pack: Pack) -> str:
    return f"{pack.manifest_sha256}:{machine_fingerprint()}"


def _tried(home: Path, pack: Pack) -> Choice:
    """The first variant that is accurate enough and holds its goldens, those that tend to be fast before the others, on the CPU."""
    faults = []
    for variant in sorted(pack.manifest.variants, key=lambda one: _TRIED_FIRST.index(one.precision)):
        try:
            fault = accuracy_fault(pack.manifest, variant) or _golden_fault(pack, variant)
        except ModelError as error:
            fault = str(error)
        if not fault:
            _remember(home, pack, variant.name)
            return Choice(variant=variant.name, device=CPU)
        faults.append(f"{variant.name}: {fault}")
    raise ModelError(f"no variant of {pack.manifest.name}@{pack.manifest.version} works on this machine ({'; '.join(faults)})")


def _golden_fault(pack: Pack, variant: Variant) -> str:
    """Why a variant may not serve; empty if it may."""
    model = load_model(pack.path, variant.name, threads=1)
    wrong = [f"golden {proof.image}: {proof.fault}" for proof in check_goldens(model, read_golden_images(pack)) if proof.fault]
    return "; ".join(wrong)
