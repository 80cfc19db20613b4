"""What a desk has done by somebody who looks at pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge.errors import EdgeError
from edge.store.reads.zooscan_objects import FamilyMember
from edge.store.zooscan.runs import NewLine, NewObject, NewRun
from edge.values import Int32Array


class ScanWorkerLostError(EdgeError):
    """The process that worked on a scan ended before it had answered."""

    code = "scan_worker_lost"
    default_advice = "The scan is tried again by itself, three times in all."


class ScanStoppedError(EdgeError):
    """The appliance stops, or has no room: the scan is begun anew later."""

    code = "scan_put_down"
    default_advice = "Nothing is lost: the scan is begun anew."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanTask:
    """A scan to be processed.

    Attributes:
        scan_uuid: of the scan.
        raw: its 16-bit picture.
        backgrounds: two pictures of the empty glass.
        background: their name.
        config: the texts of the project's `lut.txt` and `process_install_both_config.txt`, None for one that is not there.
        resolution_dpi: of the scan, where its LOG says so.
        human_lines: (N, 2) int32, pixels of all standing lines of people and of those of `kept`, x and y in the clean scan.
        spared: keys of objects that a person wants whole.
        wanted: keys of objects that a person called multiple.
        kept: lines of the last run's separator on objects whose parts a person worked on: they are the new run's as well.
    """

    scan_uuid: str
    raw: Path
    backgrounds: tuple[Path, Path]
    background: str
    config: tuple[str | None, str | None]
    human_lines: Int32Array = field(repr=False)
    resolution_dpi: float | None = None
    spared: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    kept: tuple[NewLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutTask:
    """An object to be segmented anew with the lines that stand now.

    Attributes:
        folder: of its run.
        settings: of its run, as `zooscan_runs` has them.
        whole: the object as it was before any line.
        family: it and everything that was ever cut from it, by key.
        line_pixels: (N, 2) int32, all standing lines, x and y in the clean scan.
    """

    folder: Path
    settings: Mapping[str, Any]
    whole: FamilyMember
    family: Mapping[str, FamilyMember]
    line_pixels: Int32Array = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What an object is now.

    Attributes:
        standing: keys of all of its parts, or its own if no line cuts it; those that the run had already are no news.
        new: of these, the ones that the run did not have.
        archive: the file with their vignettes; None if there is nothing new.
    """

    standing: tuple[str, ...]
    new: tuple[NewObject, ...]
    archive: Path | None


class ScanEngine(Protocol):
    """Looks at pixels."""

    def process(self, task: ScanTask, stopping: Callable[[], bool], on_stage: Callable[[str], None] = lambda _: None) -> NewRun:
        """Process a scan, in a process of its own; the run's folder is there, whole, when this returns. `on_stage` is told each stage.

        Raises:
            InputError: the scan cannot be processed.
            ScanWorkerLostError: the process ended.
            ScanStoppedError: `stopping` said so, or the disk is full.
            ModelError: the classifier of multiples failed.
        """

    def clip(self, member: FamilyMember, pixels: Int32Array) -> Int32Array:
        """(N, 2) int32, those of the pixels that lie in an object or in its holes, x and y in the clean scan."""

    def cut(self, task: CutTask) -> Cut:
        """Segment an object anew, measure what is new and keep its vignettes, durably.

        Raises:
            InputError: the clean scan is gone or broken.
            DiskFullError: there is no room.
        """
