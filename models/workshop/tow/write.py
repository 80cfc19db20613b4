"""A rendered tow as a folder: the footage, the navigation log, and the truth, which is written last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.workshop.tow.film import UNFINISHED, Film, Order, discard
from models.workshop.tow.navigation import nmea_log
from models.workshop.tow.paint import Picture
from models.workshop.tow.readme import readme_of
from models.workshop.tow.render import Tow, TowFrame
from models.workshop.tow.truth import Ledger, truth_of
from models.workshop.tow.video import recording

TRUTH_FILE = "truth.json"
NAVIGATION_FILE = Path("navigation") / "tow.nmea"

OnFrames = Callable[[int, int], None]


def write_tow(out: Path, order: Order, *, on_frames: OnFrames | None = None) -> dict[str, Any]:
    """Render a tow into the folder `out`, which is made, or is empty.

    Everything is made in a folder below it and moved up when it is whole, `truth.json` last: a folder with a truth is a whole tow.

    Args:
        on_frames: told how many frames of how many are done.

    Returns:
        The truth, as in `truth.json`.

    Raises:
        OSError: the disk is full or cannot be written; nothing of the tow is left.
    """
    has_made = not out.exists()
    work = out / UNFINISHED
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        truth = _render(work, order, on_frames)
        for made in sorted(work.iterdir(), key=lambda path: path.name == TRUTH_FILE):
            made.rename(out / made.name)
        work.rmdir()
    except BaseException:
        discard(out, has_made=has_made)
        raise
    return truth


def _render(folder: Path, order: Order, on_frames: OnFrames | None) -> dict[str, Any]:
    film = order.film
    tow = Tow(
        seed=order.seed,
        seconds=order.seconds,
        size_px=(film.width_px, film.height_px),
        density_per_m2=order.density_per_m2,
        silt_every_s=order.silt_every_s,
        start_utc=order.start_utc,
    )
    at_s = film.times_s(order.seconds, seed=order.seed)
    with (
        (folder / "frames.csv").open("w", encoding="ascii", newline="\n") as frames,
        (folder / "boxes.csv").open("w", encoding="ascii", newline="\n") as boxes,
        recording(folder, film, start_utc=order.start_utc, jpeg_quality=tow.camera.jpeg_quality) as recorder,
    ):
        ledger = Ledger(frames, boxes)
        for frame in tow.frames(at_s):
            recorder.take(_picture(tow, film, frame), frame.at_s)
            ledger.take(frame)
            if on_frames is not None:
                on_frames(ledger.count, len(at_s))
    _write_log(folder / NAVIGATION_FILE, tow, order)
    truth = truth_of(tow, film, ledger, file=recorder.file)
    (folder / "README.txt").write_text(readme_of(truth), encoding="utf-8")
    (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return truth


def _picture(tow: Tow, film: Film, frame: TowFrame) -> Picture:
    """What is recorded: the frame, or, interlaced, its rows in turn from two moments."""
    assert frame.image is not None
    if film.is_interlaced and film.rate_hz is not None:
        later = tow.picture(frame.at_s + float(1 / film.rate_hz) / 2)
        second = 1 if film.is_upper_first else 0
        frame.image[second::2] = later[second::2]
    return frame.image


def _write_log(path: Path, tow: Tow, order: Order) -> None:
    path.parent.mkdir()
    with path.open("w", encoding="ascii", newline="") as log:
        log.writelines(nmea_log(tow.path, seed=order.seed, seconds=order.seconds, start_utc=order.start_utc))
