"""What is true of a rendered tow, as files: `truth.json` with the numbers and the items, `frames.csv` and `boxes.csv` frame by frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TextIO

import numpy as np

from models.workshop.tow.film import Film
from models.workshop.tow.path import LASER_GAP_M, LINE_HEIGHT
from models.workshop.tow.render import Tow, TowFrame
from models.workshop.tow.tally import Crossing
from models.workshop.tow.world import Block, Opening, System

SCHEMA_VERSION = 1

_H_COLUMNS = ",".join(f"h{row}{column}" for row in range(3) for column in range(3))
FRAMES_HEADER = (
    f"frame,pts_s,along_m,width_m,laser_gap_px,left_x_px,left_y_px,right_x_px,right_y_px,upper_x_px,upper_y_px,"
    f"left_shown,right_shown,upper_shown,silt_fraction,{_H_COLUMNS}"
)
BOXES_HEADER = "frame,pts_s,opening_id,system_id,x0_px,y0_px,x1_px,y1_px,visible"


class Ledger:
    """Writes the rows of each frame as it comes, and keeps what the numbers of the whole tow need: a few values a second."""

    def __init__(self, frames: TextIO, boxes: TextIO) -> None:
        self._frames, self._boxes = frames, boxes
        self._seconds: list[dict[str, Any]] = []
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._peaks: list[tuple[float, float]] = []
        self._last: TowFrame | None = None
        self.count = 0
        self.area_m2 = 0.0
        frames.write(FRAMES_HEADER + "\n")
        boxes.write(BOXES_HEADER + "\n")

    def take(self, frame: TowFrame) -> None:
        """One frame, in order."""
        spots = [f"{value:.3f}" for value in frame.lasers_px.ravel()]
        shown = [f"{value:.3f}" for value in frame.lasers_shown]
        matrix = [f"{value:.12g}" for value in frame.homography.ravel()]
        head = [str(self.count), f"{frame.at_s:.6f}"]
        row = [*head, f"{frame.along_m:.6f}", f"{frame.width_m:.6f}", f"{_gap_px(frame):.3f}", *spots, *shown]
        self._frames.write(",".join([*row, f"{frame.silt_fraction:.4f}", *matrix]) + "\n")
        for number, system, box, visible in zip(frame.opening_id, frame.system_id, frame.boxes_xyxy_px, frame.visible, strict=True):
            sides = ",".join(f"{value:.3f}" for value in box)
            self._boxes.write(f"{head[0]},{head[1]},{number},{system},{sides},{visible:.3f}\n")
        self._of_second(frame)
        if self._last is not None:
            self.area_m2 += (frame.along_m - self._last.along_m) * (frame.width_m + self._last.width_m) / 2
        if frame.silt_fraction > 0:
            self._peaks.append((frame.at_s, frame.silt_fraction))
        self._last = frame
        self.count += 1

    def seconds(self) -> list[dict[str, Any]]:
        """A row for each second in which there was a frame."""
        self._close_second()
        return self._seconds

    def peak_silt(self, start_s: float, end_s: float) -> float:
        """The largest share of the frame that silt hid in this time."""
        return max((share for at_s, share in self._peaks if start_s <= at_s <= end_s), default=0.0)

    @property
    def last(self) -> TowFrame:
        """The latest frame."""
        assert self._last is not None
        return self._last

    def _of_second(self, frame: TowFrame) -> None:
        second = int(frame.at_s)
        if not self._seconds or self._seconds[-1]["second"] != second:
            self._close_second()
            pose = {"along_m": round(frame.along_m, 4), "homography": [[_digits(v) for v in row] for row in frame.homography]}
            self._seconds.append({"second": second, **pose})
        for name, value in (("frames", 1.0), ("width_m", frame.width_m), ("gap", _gap_px(frame)), ("silt", frame.silt_fraction)):
            self._sums[name] += value
        self._sums["lasers"] += float(frame.lasers_shown[:2].min() >= 0.5)

    def _close_second(self) -> None:
        frames = self._sums.pop("frames", 0.0)
        if not frames:
            return
        self._seconds[-1] |= {
            "width_m": round(self._sums["width_m"] / frames, 5),
            "laser_gap_px": round(self._sums["gap"] / frames, 2),
            "lasers_shown": round(self._sums["lasers"] / frames, 3),
            "silt_fraction": round(self._sums["silt"] / frames, 4),
        }
        self._sums.clear()


def truth_of(tow: Tow, film: Film, ledger: Ledger, *, file: str) -> dict[str, Any]:
    """Everything that is true of the tow, when its last frame is done; plain values, ready for JSON."""
    duration_s = ledger.last.at_s
    seconds = ledger.seconds()
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "rendered tow",
        "seed": tow.seed,
        "openings": len(tow.tally.openings),
        "systems": len(tow.tally.systems),
        "per_minute": tow.tally.per_minute(tow.seconds),
        "line_height": LINE_HEIGHT,
        "start_utc": _utc(tow, 0.0),
        "end_utc": _utc(tow, duration_s),
        "media": _media(film, ledger.count, file),
        "fps": None if film.rate_hz is None else round(float(film.rate_hz), 6),
        "size": [tow.width_px, tow.height_px],
        "distance_m": round(ledger.last.along_m, 3),
        "viewed_area_m2": round(ledger.area_m2, 3),
        "width_m": round(float(np.mean([row["width_m"] for row in seconds])), 4),
        "laser_gap_m": LASER_GAP_M,
        "density_asked_per_m2": tow.density_per_m2,
        "silt": [_cloud(ledger, cloud.start_s, cloud.end_s) for cloud in tow.silt.clouds],
        "laser_out": [{"laser": "right", "start_s": round(start, 3), "end_s": round(end, 3)} for start, end in tow.camera.lasers_out],
        "stalls": [{"start_s": round(start, 3), "end_s": round(start + held, 3)} for start, held in tow.path.stalls],
        "seconds": seconds,
        "items": items_of(tow),
    }


def items_of(tow: Tow) -> list[dict[str, Any]]:
    """Openings that came into view and systems that have one, in order of their numbers; then animals and trawl marks of the strip."""
    blocks = tow.world.made()
    openings = [opening for block in blocks for opening in block.openings if tow.tally.frames_of(opening.opening_id)]
    seen = {opening.opening_id for opening in openings}
    systems = [system for block in blocks for system in block.systems if seen.intersection(system.opening_ids)]
    return [
        *(_opening(tow, opening) for opening in openings),
        *(_system(tow, system, seen) for system in systems),
        *_bystanders(blocks),
    ]


def _opening(tow: Tow, opening: Opening) -> dict[str, Any]:
    return {
        "kind": "opening",
        "id": opening.opening_id,
        "system": opening.system_id,
        "along_m": round(opening.along_m, 5),
        "across_m": round(opening.across_m, 5),
        "width_m": round(opening.width_m, 5),
        "height_m": round(opening.height_m, 5),
        "facing_deg": None if opening.facing_deg is None else round(opening.facing_deg, 1),
        "frames_in_view": tow.tally.frames_of(opening.opening_id),
        **_crossed(tow.tally.openings.get(opening.opening_id)),
    }


def _system(tow: Tow, system: System, seen: set[int]) -> dict[str, Any]:
    return {
        "kind": "system",
        "id": system.system_id,
        "along_m": round(system.along_m, 5),
        "across_m": round(system.across_m, 5),
        "openings": list(system.opening_ids),
        "openings_in_view": sorted(seen.intersection(system.opening_ids)),
        **_crossed(tow.tally.systems.get(system.system_id)),
    }


def _bystanders(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    animals = [
        {"kind": "animal", "name": animal.name, "along_m": round(animal.along_m, 4), "across_m": round(animal.across_m, 4)}
        for block in blocks
        for animal in block.animals
    ]
    marks = [
        {"kind": "trawl_mark", "id": mark.mark_id, "along_m": round(mark.along_m, 4), "across_m": 0.0, "slope": round(mark.slope, 4)}
        for block in blocks
        for mark in block.marks
    ]
    return [{"id": number, **animal} for number, animal in enumerate(animals, start=1)] + marks


def _crossed(crossing: Crossing | None) -> dict[str, Any]:
    if crossing is None:
        return {"crossing_s": None, "crossing_x_px": None, "minute": None}
    return {"crossing_s": round(crossing.at_s, 5), "crossing_x_px": round(crossing.x_px, 2), "minute": crossing.minute}


def _cloud(ledger: Ledger, start_s: float, end_s: float) -> dict[str, float]:
    return {"start_s": round(start_s, 3), "end_s": round(end_s, 3), "peak_fraction": round(ledger.peak_silt(start_s, end_s), 4)}


def _media(film: Film, count: int, file: str) -> dict[str, Any]:
    rate = "variable" if film.rate_hz is None else str(film.rate_hz)
    first = ("upper" if film.is_upper_first else "lower") if film.is_interlaced else None
    kind = {"codec": film.codec, "container": film.container, "rate": rate, "interlaced": film.is_interlaced, "first_field": first}
    return {"file": file.partition("/")[0] if film.is_stills else file, "frames": count, **kind}


def _gap_px(frame: TowFrame) -> float:
    return float(np.hypot(*(frame.lasers_px[1] - frame.lasers_px[0])))


def _digits(value: float) -> float:
    return float(f"{value:.9g}")


def _utc(tow: Tow, at_s: float) -> str:
    return (tow.start_utc + timedelta(seconds=at_s)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
