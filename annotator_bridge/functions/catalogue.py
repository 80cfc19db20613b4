"""Which functions there are on this appliance, and how one is loaded.

A pack gives a function of its own name: of the versions installed the one that serves a recipe, else the newest; a pack that came with
the program and was never installed here counts too, so that a fresh home folder answers. Reading the list opens manifests only.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from annotator_bridge.functions.function import Attribute, FunctionInfo, Label, ShapeType, UnknownFunctionError
from annotator_bridge.functions.methods import INTERACTOR, METHODS, Method
from edge.errors import EdgeError, StoreError
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.packs import active_packs
from edge.store.sqlite import sqlite3
from models.manifest import Manifest
from models.pack import Pack, read_pack
from models.registry import BUNDLED_PACKS, Registry, version_order

if TYPE_CHECKING:
    from annotator_bridge.functions.function import Function

log = structlog.get_logger()

PACKS_FOLDER = "packs"
CONFIDENCE = Attribute(name="confidence", input_type="text", values=("",))
CONFIDENCE_PERCENT = Attribute(name="confidence_percent", input_type="number", values=("0", "100", "1"))
_ID = re.compile(r"[a-zA-Z0-9_.-]+")
_GOOD_FOR_S = 1.0
_LOADING = "annotator_bridge.functions.loading"  # by name: it loads OpenCV and a runtime
_TAKEN = frozenset({"pth-facebookresearch-sam-vit-h"})  # the browser treats a function of that name differently


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A pack that gives no function, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A function of the list: made from a pack, or by a method. `mark` changes when it has to be loaded anew."""

    info: FunctionInfo
    pack: Pack | None = None
    method: Method | None = None

    @property
    def mark(self) -> str:
        """What it is made of, in a word."""
        return "" if self.pack is None else f"{self.pack.path}:{self.pack.manifest_sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The functions of a home folder, by id, and the packs that were left out."""

    entries: dict[str, Entry]
    left_out: tuple[LeftOut, ...] = ()

    def find(self, function_id: str) -> Entry:
        """The function of that id.

        Raises:
            UnknownFunctionError: there is none.
        """
        if function_id not in self.entries:
            raise UnknownFunctionError(f"there is no function {function_id[:80]!r} on this appliance")
        return self.entries[function_id]


class CatalogueReader:
    """The catalogue of a home folder, read again when it is older than a second. Any thread may ask."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._clock = clock
        self._lock = threading.Lock()
        self._read: tuple[float, Catalogue] | None = None

    def read(self) -> Catalogue:
        """The functions that there are now."""
        with self._lock:
            fresh = self.fresh
            if fresh is None:
                fresh = read_catalogue(self._home)
                self._read = (self._clock(), fresh)
            return fresh

    def forget(self) -> None:
        """Something was just installed or removed: read again at the next question."""
        self._read = None

    @property
    def fresh(self) -> Catalogue | None:
        """What was read within the last second, without waiting for a disk; None if that is to be read again."""
        kept = self._read
        return None if kept is None or self._clock() - kept[0] > _GOOD_FOR_S else kept[1]


def list_functions(home: Path) -> tuple[FunctionInfo, ...]:
    """What every function of a home folder says of itself, by id; loads no model. A broken pack is left out."""
    return tuple(entry.info for entry in read_catalogue(home).entries.values())


def load_function(home: Path, function_id: str, *, threads: int, max_pixels: int = 100_000_000) -> Function:
    """A function that is ready to be called from so many threads. Loads OpenCV and a runtime: in a child process only.

    Raises:
        UnknownFunctionError: there is none of that id.
        ModelError: its pack is damaged, or no variant of it works on this machine.
    """
    entry = read_catalogue(home).find(function_id)
    made: Function = import_module(_LOADING).make_function(home, entry, threads=threads, max_pixels=max_pixels)
    return made


def read_catalogue(home: Path) -> Catalogue:
    """Look at the packs of a home folder, and at the database for which of them serve."""
    entries = {method.info.id: Entry(info=method.info, method=method) for method in METHODS.values() if _is_here(method)}
    packs, left_out = _packs(home)
    for pack in packs:
        name = pack.manifest.name
        if pack.manifest.task == "classify" and len(pack.manifest.labels) == 1:
            continue  # it calls every image the same, with a score of 1: a recipe needs such a pack, nobody who annotates does
        if not _ID.fullmatch(name) or name in _TAKEN or name in METHODS:
            left_out.append(LeftOut(name=name, reason="the name of the pack cannot be that of a function"))
            continue
        entries[name] = Entry(info=describe(pack.manifest), pack=pack)
    return Catalogue(entries=dict(sorted(entries.items())), left_out=tuple(left_out))


def describe(manifest: Manifest) -> FunctionInfo:
    """What the function of a pack says of itself: rectangles where it detects or segments, a tag where it classifies, else an outline."""
    shape: ShapeType = "tag" if manifest.task == "classify" else "rectangle"
    pack = f"{manifest.name}@{manifest.version}"
    if manifest.task == "prompt":
        return replace(
            INTERACTOR,
            id=manifest.name,
            title=f"{manifest.title} [{manifest.name} {manifest.version}]",
            description=f"A click, or a box, becomes the outline of what lies there. Pack {pack}, licence {manifest.licence}.",
            pack=pack,
        )
    said = "the class of the whole image" if manifest.task == "classify" else f"boxes from a score of {manifest.thresholds.score:g} on"
    return FunctionInfo(
        id=manifest.name,
        kind="detector",
        title=f"{manifest.title} [{manifest.name} {manifest.version}]",
        description=f"Gives {said}. Pack {pack}, licence {manifest.licence}.",
        labels=tuple(Label(name=label.name, shape=shape, attributes=(CONFIDENCE, CONFIDENCE_PERCENT)) for label in manifest.labels),
        help="Map its labels, and their attributes confidence and confidence_percent, to those of the task.",
        pack=pack,
    )


def _packs(home: Path) -> tuple[list[Pack], list[LeftOut]]:
    """Of each name one version, and what is no pack."""
    found: dict[str, list[Pack]] = {}
    left_out: list[LeftOut] = []
    try:
        registry = Registry(home / PACKS_FOLDER)
        for pack in registry.list():
            found.setdefault(pack.manifest.name, []).append(pack)
        left_out = [LeftOut(name=f"{broken.path.parent.name}@{broken.path.name}", reason=broken.reason) for broken in registry.broken()]
    except OSError as error:
        left_out.append(LeftOut(name=PACKS_FOLDER, reason=f"the folder of packs cannot be read: {error.strerror}"))
    for folder in sorted(path.parent for path in BUNDLED_PACKS.glob("*/manifest.json")):
        if folder.name in found:
            continue
        try:
            found[folder.name] = [read_pack(folder)]
        except EdgeError as error:
            left_out.append(LeftOut(name=folder.name, reason=str(error)))
    serving = _serving(home)
    return [_chosen(versions, serving) for versions in found.values()], left_out


def _chosen(versions: list[Pack], serving: frozenset[tuple[str, str]]) -> Pack:
    newest_first = sorted(versions, key=lambda pack: version_order(pack.manifest), reverse=True)
    active = (pack for pack in newest_first if (pack.manifest.name, pack.manifest.version) in serving)
    return next(active, newest_first[0])


def _serving(home: Path) -> frozenset[tuple[str, str]]:
    """Name and version of what serves a recipe; nothing on a home folder without a database, or with one that cannot be read now."""
    if not (home / DATABASE_NAME).is_file():
        return frozenset()
    try:
        connection = open_reader(home / DATABASE_NAME)
    except StoreError as error:
        log.warning("bridge_store_unread", error=str(error))
        return frozenset()
    try:
        return frozenset((row.name, row.version) for row in active_packs(connection))
    except sqlite3.Error as error:
        log.warning("bridge_store_unread", error=str(error))
        return frozenset()
    finally:
        connection.close()


def _is_here(method: Method) -> bool:
    return find_spec(method.where.partition(":")[0]) is not None
