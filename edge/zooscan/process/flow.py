"""The processing of one scan, from the scanner's files to a folder with everything in it: the main path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.values import Int32Array
from edge.zooscan.particle import Particle
from edge.zooscan.process.child import MeasureTask, peak_rss_mib
from edge.zooscan.process.clean_file import CLEAN_NAME, write_clean
from edge.zooscan.process.cleaning import check_going_on, cleaned, file_sha256
from edge.zooscan.process.cutting import Candidate, Standing, found_objects, separate, to_separate
from edge.zooscan.process.folder import VIGNETTES_NAME, VignetteArchive, whole_folder
from edge.zooscan.process.measurers import Measurers
from edge.zooscan.process.pictures import OVERVIEW_NAME, write_overview
from edge.zooscan.process.values import FoundObject, ProcessedScan, ScanInput, UInt16Array
from edge.zooscan.scan import CleanScan, Stopwatch
from edge.zooscan.segment import LeftOut, SegmentSettings

if TYPE_CHECKING:
    from edge.zooscan.multiples import MultipleClassifier
    from edge.zooscan.separate import Separator

MULTIPLE_SCORE = 0.4
_MOST_BOX_PX2 = 2_000_000
_TOGETHER_PX = 500_000
_CLASSIFIED_TOGETHER = 64
_LARGE_SHARE = 4


def process_scan(
    scan: ScanInput,
    folder: Path,
    *,
    classifier: MultipleClassifier | None,
    separator: Separator | None,
    processes: int,
    watch: Stopwatch,
    stopping: Callable[[], bool],
    threshold: float = MULTIPLE_SCORE,
) -> ProcessedScan:
    """Convert, clean, segment, tell multiples, separate, measure, draw; keep the clean picture and the vignettes.

    Args:
        scan: what it is made from.
        folder: is made, with `clean.tif`, `overview.tif` and `vignettes.zip` in it: whole, or not at all.
        classifier: tells multiples; without one nothing has a score.
        separator: cuts them; without one nothing is cut but along people's lines.
        processes: that measure beside each other; as many threads convert.
        watch: is told how long each stage took.
        stopping: says whether to give up.
        threshold: a score above it says multiple.

    Raises:
        InputError: a file cannot be read, is none, or does not fit; see `clean_scan`.
        ModelError: classifier or separator failed.
        ScanStoppedError: `stopping` said so.
        MeasurerLostError: a measuring process was ended by somebody.
        FileExistsError: the folder is there already.
        DiskFullError: there is no room for it.
        OSError: the disk is broken.
    """
    segmenting = scan.settings.segment
    given_up = threading.Event()
    with ExitStack() as stack:
        place = stack.enter_context(whole_folder(folder))
        measurers = stack.enter_context(Measurers(processes))
        beside = stack.enter_context(ThreadPoolExecutor(3))
        stack.callback(given_up.set)
        hashing = beside.submit(file_sha256, scan.raw, lambda: stopping() or given_up.is_set())
        clean = cleaned(scan, threads=processes, watch=watch, stopping=stopping)
        writing = beside.submit(write_clean, place / CLEAN_NAME, clean.image, segmenting.resolution_dpi)
        with watch.stage("segment"):
            if len(scan.human_lines):
                writing.result()  # the lines are white for a moment
            standing = found_objects(clean.image, scan.human_lines, segmenting, threads=processes, left_out=(left_out := LeftOut()))
        work = _Work(measurers=measurers, settings=segmenting, watch=watch, stopping=stopping)
        overview = beside.submit(write_overview, clean.image, place / OVERVIEW_NAME)
        work.measure(standing.everyone)
        work.classify([one for one in standing.everyone if one.stands], classifier)
        work.measure(parts := work.separate(standing, scan, clean, separator, threshold))
        work.classify(parts, classifier)
        with watch.stage("measure"):
            measures = work.collect(place / VIGNETTES_NAME)
        with watch.stage("write"):
            writing.result()
            overview.result()
            raw_sha256 = hashing.result()
        peak_mib = measurers.dismiss(stopping) + peak_rss_mib()
        return _processed(scan, clean, standing, measures, left_out=left_out, raw_sha256=raw_sha256, peak_mib=peak_mib)


@dataclass(slots=True, kw_only=True, eq=False)
class _Work:
    """What is done with objects, a batch at a time.

    Attributes:
        batches: of the tasks that were given, by number.
    """

    measurers: Measurers
    settings: SegmentSettings
    watch: Stopwatch
    stopping: Callable[[], bool]
    batches: list[list[Candidate]] | None = None

    def measure(self, candidates: list[Candidate]) -> None:
        """Have objects measured and drawn beside everything else."""
        self.batches = self.batches or []
        for batch in _batches(candidates):
            task = MeasureTask(
                number=len(self.batches),
                particles=[_bare(one.particle) for one in batch],
                resolution_dpi=self.settings.resolution_dpi,
                pixel_mm=self.settings.pixel_mm,
            )
            self.batches.append(batch)
            self.measurers.give(task)

    def classify(self, candidates: list[Candidate], classifier: MultipleClassifier | None) -> None:
        """Give each object its score; without a classifier none has one."""
        if classifier is None:
            return
        with self.watch.stage("classify"):
            for begin in range(0, len(candidates), _CLASSIFIED_TOGETHER):
                check_going_on(self.stopping)
                together = candidates[begin : begin + _CLASSIFIED_TOGETHER]
                for one, score in zip(together, classifier.scores([one.particle.alone for one in together]), strict=True):
                    one.score = float(score)

    def separate(
        self, standing: Standing, scan: ScanInput, clean: CleanScan, separator: Separator | None, threshold: float
    ) -> list[Candidate]:
        """Cut the multiples, if there is a separator; their parts."""
        if separator is None:
            return []

        def lines_of(particle: Particle) -> tuple[Int32Array, float]:
            check_going_on(self.stopping)
            found = separator.lines(particle.alone, particle.filled)
            return found.pixels, found.score

        with self.watch.stage("separate"):
            asked = to_separate(standing, threshold, _MOST_BOX_PX2, frozenset(scan.spared), frozenset(scan.wanted))
            return separate(standing, asked, clean.image, self.settings, lines_of, human_lines=scan.human_lines)

    def collect(self, archive: Path) -> dict[str, Mapping[str, float]]:
        """Wait for all measures, by key; the vignettes are kept in the order in which they were asked for."""
        measures: dict[str, Mapping[str, float]] = {}
        waiting: dict[int, list[bytes]] = {}
        batches = self.batches or []
        written = 0
        with VignetteArchive(archive) as kept:
            for _ in batches:
                answer = self.measurers.take(self.stopping)
                measures |= {one.key: found for one, found in zip(batches[answer.number], answer.measures, strict=True)}
                waiting[answer.number] = answer.vignettes
                while written in waiting:
                    for one, picture in zip(batches[written], waiting.pop(written), strict=True):
                        kept.add(member_of(one.key), picture)
                    written += 1
        return measures


def member_of(key: str) -> str:
    """The name of an object's vignette in an archive."""
    return f"{key}.png"


def _batches(candidates: list[Candidate]) -> Iterator[list[Candidate]]:
    """Objects of about the same size, the largest first: what comes last is done quickly."""
    batch: list[Candidate] = []
    pixels = 0
    for one in sorted(candidates, key=lambda one: -one.particle.grey.size):
        if batch and pixels + one.particle.grey.size > _TOGETHER_PX:
            yield batch
            batch, pixels = [], 0
        batch.append(one)
        pixels += one.particle.grey.size
    if batch:
        yield batch


def _bare(particle: Particle) -> Particle:
    """An object without what was computed of it, to be sent."""
    return Particle(
        x_px=particle.x_px,
        y_px=particle.y_px,
        grey=particle.grey,
        filled=particle.filled,
        chain=particle.chain,
        upper_grey=particle.upper_grey,
    )


def _found(one: Candidate, measures: Mapping[str, float]) -> FoundObject:
    outline: UInt16Array = one.particle.chain.astype("<u2")
    return FoundObject(
        key=one.key,
        x_px=one.particle.x_px,
        y_px=one.particle.y_px,
        width_px=one.particle.width_px,
        height_px=one.particle.height_px,
        outline=outline,
        measures=measures,
        multiple_score=one.score,
        cut_from=one.cut_from,
        vignette=member_of(one.key),
    )


def _processed(
    scan: ScanInput,
    clean: CleanScan,
    standing: Standing,
    measures: Mapping[str, Mapping[str, float]],
    *,
    left_out: LeftOut,
    raw_sha256: str,
    peak_mib: float,
) -> ProcessedScan:
    height_px, width_px = clean.image.shape
    return ProcessedScan(
        raw_sha256=raw_sha256,
        width_px=width_px,
        height_px=height_px,
        pixel_mm=scan.settings.segment.pixel_mm,
        window=clean.window,
        frame=clean.frame,
        black_share=clean.black_share,
        concerns=(*clean.concerns, *_concerns(standing, left_out, clean.image.size), *scan.settings.not_done),
        objects=tuple(_found(one, measures[one.key]) for one in standing.everyone if one.stands),
        lines=tuple(standing.lines),
        retired=tuple(_found(one, measures[one.key]) for one in standing.everyone if not one.stands),
        peak_rss_mib=peak_mib,
    )


def _concerns(standing: Standing, left_out: LeftOut, scan_px: int) -> Iterator[str]:
    if not standing.everyone:
        yield "no object was found: was there a sample on the glass?"
    if large := sum(_LARGE_SHARE * one.particle.grey.size >= scan_px for one in standing.everyone if one.stands):
        yield f"objects whose box is a quarter of the scan or more: {large}; is it the shadow of the frame?"
    if left_out.lines:
        yield f"lines of the scanner, not objects, are left out: {left_out.lines}; is its lamp clean?"
    if left_out.cut:
        yield f"objects at the edge of the picture are left out: {left_out.cut}"
    if left_out.too_large:
        yield f"things larger than the largest object are left out: {left_out.too_large}"
