"""A scan that cannot be processed gives one clear error and leaves nothing; one that is odd gives what it has and says what is odd."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from edge.errors import DiskFullError, EdgeError, InputError, Reason
from edge.zooscan.process.child import MeasureTask
from edge.zooscan.process.flow import process_scan
from edge.zooscan.process.measurers import Measurers
from edge.zooscan.process.values import MeasurerLostError, ProcessedScan, ScanInput, ScanStoppedError, UInt16Array
from edge.zooscan.raw import RawScan
from edge.zooscan.scan import Stopwatch
from tests.helpers.scans import Animal, lone, write_raw
from tests.helpers.small_disk import small_disk

GONE_WITHIN_S = 20.0


def processed(scan: ScanInput, folder: Path, **asked: Any) -> ProcessedScan:
    given: dict[str, Any] = {"classifier": None, "separator": None, "processes": 1, "watch": Stopwatch(), "stopping": lambda: False}
    return process_scan(scan, folder, **(given | asked))


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> ScanInput:
    return write_raw(tmp_path_factory.mktemp("raw"), lone(5))


def nothing_left(runs: Path) -> bool:
    return not any(runs.iterdir()) and not multiprocessing.active_children()


def test_a_measuring_process_that_is_killed_is_an_error_and_leaves_nothing(scan: ScanInput, tmp_path: Path) -> None:
    killed: list[int] = []
    asking = threading.Lock()  # several threads ask whether to stop

    def kill() -> bool:
        with asking:
            if not killed:
                child = multiprocessing.active_children()[0]
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)
                child.join()
                killed.append(child.pid)
        return False

    with pytest.raises(MeasurerLostError):
        processed(scan, tmp_path / "run", stopping=kill)
    assert len(killed) == 1
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("written", ["", "clean.tif", "vignettes.zip"])
def test_a_scan_that_is_stopped_leaves_nothing(scan: ScanInput, tmp_path: Path, written: str) -> None:
    with pytest.raises(ScanStoppedError):
        processed(scan, tmp_path / "run", stopping=(tmp_path / ".run.unfinished" / written).exists)
    assert nothing_left(tmp_path)


def test_a_stop_within_the_conversion_reads_no_further(scan: ScanInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read = RawScan.rows

    def counted(raw: RawScan, top: int, bottom: int) -> UInt16Array:
        reads.append(top)
        return read(raw, top, bottom)

    monkeypatch.setattr(RawScan, "rows", counted)
    processed(scan, tmp_path / "whole")
    needed = len(reads)
    reads.clear()
    with pytest.raises(ScanStoppedError):
        processed(scan, tmp_path / "run", stopping=lambda: len(reads) >= needed - 2)
    assert len(reads) == needed - 2
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_was_not_finished_is_replaced_and_what_is_there_is_not(scan: ScanInput, tmp_path: Path) -> None:
    (tmp_path / ".run.unfinished").mkdir()
    (tmp_path / ".run.unfinished" / "clean.tif").write_bytes(b"half")
    processed(scan, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    before = (tmp_path / "run" / "vignettes.zip").stat().st_mtime_ns
    with pytest.raises(FileExistsError):
        processed(scan, tmp_path / "run")
    assert (tmp_path / "run" / "vignettes.zip").stat().st_mtime_ns == before


def test_a_full_disk_is_told_as_one(scan: ScanInput, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 2) as small:
        with pytest.raises(DiskFullError):
            processed(scan, small / "run")
        assert nothing_left(small)


def test_a_fault_while_measuring_is_told(scan: ScanInput) -> None:
    segmenting = scan.settings.segment
    with Measurers(1) as measurers:
        nothing: list[Any] = [None]
        measurers.give(MeasureTask(number=0, particles=nothing, resolution_dpi=segmenting.resolution_dpi, pixel_mm=segmenting.pixel_mm))
        with pytest.raises(MeasurerLostError, match="AttributeError"):
            measurers.take(lambda: False)


_PARENT = """
import multiprocessing, sys, time
from edge.zooscan.process.measurers import Measurers
if __name__ == "__main__":
    with Measurers(2):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(600)
"""


def test_measuring_processes_end_with_the_one_that_made_them(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(_PARENT, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    until_s = time.monotonic() + GONE_WITHIN_S
    while any(_runs(pid) for pid in children):
        assert time.monotonic() < until_s
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return False


# Bad input -----------------------------------------------------------------------------------------------------------


def refused(scan: ScanInput, folder: Path) -> InputError:
    with pytest.raises(InputError) as raised:
        processed(scan, folder / "run")
    assert raised.value.advice()
    assert nothing_left(folder)
    return raised.value


def changed(scan: ScanInput, folder: Path, change: Any) -> ScanInput:
    """The scan with other pixels: `change` gets them as the scanner wrote them."""
    raw = tifffile.imread(scan.raw)
    tifffile.imwrite(folder / "raw.tif", change(raw), resolution=(2400, 2400), rowsperstrip=16)
    return replace(scan, raw=folder / "raw.tif")


def upright(change: Any) -> Any:
    """A change of an upright picture, made to the raw one."""

    def made(raw: NDArray[np.uint16]) -> NDArray[np.uint16]:
        picture = np.flipud(np.rot90(raw, -1)).copy()
        change(picture)
        return np.ascontiguousarray(np.rot90(np.flipud(picture)))

    return made


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def test_a_cut_raw_picture_and_one_of_eight_bits_are_refused(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    (tmp_path / "cut.tif").write_bytes(scan.raw.read_bytes()[:-1000])
    assert refused(replace(scan, raw=tmp_path / "cut.tif"), runs).reason is Reason.TRUNCATED
    tifffile.imwrite(tmp_path / "eight.tif", np.zeros((2400, 1600), np.uint8))
    assert refused(replace(scan, raw=tmp_path / "eight.tif"), runs).reason is Reason.UNSUPPORTED_PIXELS


def test_a_scan_of_another_resolution_than_its_projects_is_refused(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", tifffile.imread(scan.raw), resolution=(1200, 1200))
    found = refused(replace(scan, raw=tmp_path / "raw.tif"), runs)
    assert (found.reason, "1200" in str(found)) == (Reason.WRONG_RESOLUTION, True)


def test_a_scan_that_does_not_say_its_resolution_is_told_by_its_backgrounds(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    tifffile.imwrite(tmp_path / "raw.tif", tifffile.imread(scan.raw)[::2, ::2])
    assert refused(replace(scan, raw=tmp_path / "raw.tif"), runs).reason is Reason.WRONG_RESOLUTION


def test_backgrounds_that_are_missing_cut_or_do_not_fit_are_refused(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    first, second = scan.backgrounds
    assert refused(replace(scan, backgrounds=(first, tmp_path / "none.tif")), runs).reason is Reason.NO_BACKGROUND
    (tmp_path / "cut.tif").write_bytes(second.read_bytes()[:-10])
    assert refused(replace(scan, backgrounds=(first, tmp_path / "cut.tif")), runs).reason is Reason.TRUNCATED
    tifffile.imwrite(tmp_path / "small.tif", tifffile.imread(first)[:-40], resolution=(300, 300))
    assert refused(replace(scan, backgrounds=(first, tmp_path / "small.tif")), runs).reason is Reason.BACKGROUND_MISMATCH


def test_a_scan_without_a_frame_is_refused(tmp_path: Path, runs: Path) -> None:
    assert refused(write_raw(tmp_path / "raw", lone(3), frame_px=0), runs).reason is Reason.NO_FRAME


def band(picture: NDArray[np.uint16], sides: str) -> None:
    """Something darker than glass and brighter than frame, just within it."""
    for side in sides:
        part = {"l": picture[:, 60:150], "r": picture[:, -150:-60], "t": picture[60:150], "b": picture[-150:-60]}[side]
        np.minimum(part, 50_000, out=part)


def test_a_dark_band_along_the_whole_frame_is_refused_and_not_an_empty_result(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    found = refused(changed(scan, tmp_path, upright(lambda picture: band(picture, "lrtb"))), runs)
    assert found.reason is Reason.FRAME_CLOSED


def test_a_dark_band_along_some_sides_leaves_the_others_open(scan: ScanInput, tmp_path: Path, runs: Path) -> None:
    found = processed(changed(scan, tmp_path, upright(lambda picture: band(picture, "ltb"))), runs / "run")
    assert len(found.objects) == 5 + 1
    assert found.concerns == ("objects whose box is a quarter of the scan or more: 1; is it the shadow of the frame?",)


def test_an_animal_across_the_frame_is_left_out_and_told(tmp_path: Path) -> None:
    found = processed(write_raw(tmp_path / "raw", [*lone(3), Animal(x=2310, y=700, long=90, turned_deg=0)]), tmp_path / "run")
    assert len(found.objects) == 3
    assert found.concerns == ("objects that lie across the frame are left out: right 1",)


def test_a_line_of_the_scanner_is_no_object_and_told(scan: ScanInput, tmp_path: Path) -> None:
    def line(picture: NDArray[np.uint16]) -> None:
        picture[1200:1205, 500:1400] = 20_000

    found = processed(changed(scan, tmp_path, upright(line)), tmp_path / "run")
    assert len(found.objects) == 5
    assert any(concern.startswith("lines of the scanner, not objects, are left out: 1") for concern in found.concerns)


def test_an_empty_glass_is_no_object_and_a_concern(tmp_path: Path) -> None:
    found = processed(write_raw(tmp_path / "raw", []), tmp_path / "run")
    assert found.objects == ()
    assert found.concerns == ("no object was found: was there a sample on the glass?",)


def test_too_much_on_the_glass_is_a_concern(tmp_path: Path) -> None:
    animals = [Animal(x=500 + 700 * number, y=750 + 50 * number, long=310, short=310) for number in range(3)]
    found = processed(write_raw(tmp_path / "raw", animals), tmp_path / "run")
    assert len(found.objects) == 3
    assert found.black_share > 0.25
    assert any("black/white ratio" in concern for concern in found.concerns)


def test_every_error_of_a_scan_says_what_to_do() -> None:
    for error in (ScanStoppedError("x"), MeasurerLostError("x")):
        assert isinstance(error, EdgeError)
        assert error.advice()
