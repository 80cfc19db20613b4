"""How well the annotator's functions without a model do, on rendered tows of known truth and on real pictures; prints one JSON document.

Usage, from the top of the repository: python -m tests.benchmarks.annotator_functions [--seconds S] [--seed N] [--data ../shared/data]

    tracker     openings of a rendered tow (1280 x 720, many openings), carried over 20 frames at 25, 12.5 and 6.25 frames a second, in
                clear water and through clouds of silt; and human boxes of real stills, carried to the next still
    reid        the openings as a detector would box them (4 % of a side and 2 px off, one in seven missed), frame to frame
    interactor  a click at the middle of a human box, a click up to a quarter of its sides off, the box itself: IoU of the box around the
                mask with the human box; and ZooScan animals against ZooScan's own outline: IoU of the masks

`carried`: of the objects that are in clear view in the last frame, the share whose box has an IoU of 0.5 or more with the truth.
`on_another`: objects whose box lay on another opening in any frame: false continuations. Times are processor milliseconds of a call.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from annotator_bridge.functions.clicks import BoolArray, Clicks
from annotator_bridge.functions.interactor import OutlineInteractor
from annotator_bridge.functions.outline import outline_mask
from annotator_bridge.functions.reid import SeabedReid
from annotator_bridge.functions.tracker import SeabedTracker
from edge.values import UInt8Array
from models.runtime.vision import cv2
from models.workshop.tow.render import Tow, TowFrame, times_s
from tests.helpers.annotated import clear_openings, cut, overlap, picture, sent

SIZE_PX = (1280, 720)
RATE_HZ, STRIDES, STEPS = 25.0, (1, 2, 4), 20
DENSITY_PER_M2 = 8.0
MOST_OBJECTS = 25
Boxes = dict[int, list[float]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each rendered tow")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="real pictures; what is absent is left out")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"tracker": {}, "reid": {}}
    for name, silt_every_s in (("clear", None), ("silt", 5.0)):
        tow = Tow(
            seed=arguments.seed,
            seconds=arguments.seconds,
            size_px=SIZE_PX,
            density_per_m2=DENSITY_PER_M2,
            silt_every_s=silt_every_s,
        )
        frames = list(tow.frames(times_s(arguments.seconds, RATE_HZ)))
        images = [sent(picture(frame), ".jpg") for frame in frames]
        found["tracker"][f"{name}, after a cut"] = _after_a_cut(frames, images)
        for stride in STRIDES:
            rate = f"{name}, {RATE_HZ / stride:g} Hz"
            found["tracker"][rate] = _tracked(frames, images, stride)
            found["reid"][rate] = _recognised(frames, images, stride, np.random.default_rng(arguments.seed))
    stills, sheet = arguments.data / "uwtv_stills", arguments.data / "zooscan" / "legacy_oracle" / "sheet_vis1.png"
    if stills.is_dir():
        found["tracker"]["real stills"] = _tracked_stills(stills)
        found["interactor"] = _outlined(stills)
    if sheet.is_file():
        found["interactor on ZooScan"] = _outlined_animals(np.asarray(cv2.imread(str(sheet)), np.uint8))
    print(json.dumps(found, indent=2))
    return 0


def _tracked(frames: Sequence[TowFrame], images: Sequence[str], stride: int) -> dict[str, Any]:
    tracker, ends, times, size = SeabedTracker(), list[bool](), list[float](), 0
    started = on_another = missed = visible = gone = told = 0
    for first in range(0, len(frames) - STEPS * stride, 2 * STEPS):
        openings = dict(list(clear_openings(frames[first], size_px=SIZE_PX).items())[:MOST_OBJECTS])
        shapes = [{"type": "rectangle", "points": cut(box, SIZE_PX)} for box in openings.values()]
        answer = tracker.invoke({"image": images[first], "shapes": shapes})
        last: dict[int, bool] = {}
        elsewhere, left = set[int](), set[int]()
        for number in range(first + stride, first + STEPS * stride + 1, stride):
            spent, answer = _timed(tracker.invoke, {"image": images[number], "states": json.loads(json.dumps(answer["states"]))})
            times.append(spent)
            size = max(size, *(len(json.dumps(state)) for state in answer["states"]))
            clear, present = _clear(frames[number]), set(frames[number].opening_id.tolist())
            for opening, shape in zip(openings, answer["shapes"], strict=True):
                points = None if shape is None else shape["points"]
                if opening in clear:
                    visible += 1
                    missed += points is None
                    last[opening] = points is not None and overlap(points, clear[opening]) >= 0.5
                if points is not None and _is_on_another(points, opening, clear):
                    elsewhere.add(opening)
                if opening not in present:
                    left.add(opening)
                    told += points is None
                    gone += 1
        started += len(openings)
        on_another += len(elsewhere)
        ends += last.values()
    return {
        "objects": started,
        "carried": round(float(np.mean(ends)), 4),
        "on_another": on_another,
        "lost_though_in_clear_view": round(missed / max(1, visible), 4),
        "told_lost_after_it_left": round(told / max(1, gone), 4),
        "ms_per_call": round(float(np.median(times)), 1),
        "largest_state_bytes": size,
    }


def _after_a_cut(frames: Sequence[TowFrame], images: Sequence[str]) -> dict[str, Any]:
    """Openings that are begun in one place, and stepped into a mirrored picture of another: all are lost."""
    tracker, begun, taken = SeabedTracker(), 0, 0
    for first in range(0, len(frames) - STEPS, 2 * STEPS):
        shapes = [{"type": "rectangle", "points": box} for box in clear_openings(frames[first], size_px=SIZE_PX).values()]
        answer = tracker.invoke({"image": images[first], "shapes": shapes[:MOST_OBJECTS]})
        other = (first + len(frames) // 2) % (len(frames) - STEPS)
        found = set[int]()
        for number in range(other, other + STEPS):
            mirrored = np.ascontiguousarray(picture(frames[number])[:, ::-1])
            answer = tracker.invoke({"image": sent(mirrored, ".jpg"), "states": json.loads(json.dumps(answer["states"]))})
            found.update(place for place, shape in enumerate(answer["shapes"]) if shape is not None)
        begun += len(answer["shapes"])
        taken += len(found)
    return {"objects": begun, "not_told_lost": taken}


def _clear(frame: TowFrame) -> Boxes:
    """The openings of which most is in clear view, cut to the frame."""
    boxes = zip(frame.opening_id.tolist(), frame.boxes_xyxy_px.tolist(), frame.visible.tolist(), strict=True)
    return {number: cut(box, SIZE_PX) for number, box, visible in boxes if visible > 0.5}


def _is_on_another(points: Sequence[float], opening: int, clear: Boxes) -> bool:
    own = overlap(points, clear[opening]) if opening in clear else 0.0
    return own < 0.3 and any(overlap(points, box) > 0.3 for other, box in clear.items() if other != opening)


def _timed(call: Callable[[dict[str, Any]], Any], payload: dict[str, Any]) -> tuple[float, Any]:
    begun_s = time.process_time()
    answer = call(payload)
    return 1000 * (time.process_time() - begun_s), answer


def _recognised(frames: Sequence[TowFrame], images: Sequence[str], stride: int, rng: np.random.Generator) -> dict[str, Any]:
    reid, times = SeabedReid(), list[float]()
    possible = right = wrong = 0
    for number in range(0, len(frames) - stride, 3 * stride):
        before, now = (_detected(frames[place], rng) for place in (number, number + stride))
        there = list(now)
        boxes = [[{"type": "rectangle", "label_id": 1, "points": box} for box in some.values()] for some in (before, now)]
        spent, answer = _timed(
            reid.invoke, {"image0": images[number], "image1": images[number + stride], "boxes0": boxes[0], "boxes1": boxes[1]}
        )
        times.append(spent)
        possible += sum(opening in now for opening in before)
        for opening, match in zip(before, answer, strict=True):
            right += match >= 0 and there[match] == opening
            wrong += match >= 0 and there[match] != opening
    return {
        "possible": possible,
        "recognised": round(right / max(1, possible), 4),
        "taken_for_another": wrong,
        "ms_per_call": round(float(np.median(times)), 1),
    }


def _detected(frame: TowFrame, rng: np.random.Generator) -> Boxes:
    found: Boxes = {}
    for number, box in _clear(frame).items():
        side = max(box[2] - box[0], box[3] - box[1])
        moved = np.array(box) + np.tile(rng.normal(0, 2 + 0.04 * side, 2), 2) + rng.normal(0, 0.04 * side, 4)
        if rng.random() > 1 / 7 and (moved[2:] - moved[:2]).min() > 4:
            found[number] = [float(edge) for edge in moved]
    return found


def _stills(folder: Path) -> Iterator[tuple[Path, UInt8Array, list[list[float]]]]:
    """The stills in order of time, with the boxes that people drew."""
    for path in sorted((folder / "images").iterdir()):
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        height, width = image.shape[:2]
        rows = np.loadtxt(folder / "labels" / f"{path.stem}.txt", ndmin=2)[:, 1:] * [width, height, width, height]
        yield path, image, [[float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2)] for x, y, w, h in rows]


def _tracked_stills(folder: Path) -> dict[str, Any]:
    """Human boxes carried to the next still at most 0.4 s later. Which box is which nobody said: one that lies on any box is right."""
    tracker, stills = SeabedTracker(), list(_stills(folder))
    on_a_box, by_chance, lost, inside = 0, 0, 0, 0
    for (path, image, boxes), (next_path, next_image, truth) in pairwise(stills):
        if not 0 < _at_s(next_path) - _at_s(path) <= 0.4:
            continue
        height, width = image.shape[:2]
        whole = [box for box in boxes if box[0] > 2 and box[1] > 24 and box[2] < width - 2 and box[3] < height - 2]
        first = tracker.invoke({"image": sent(image, ".jpg"), "shapes": [{"type": "rectangle", "points": box} for box in whole]})
        answer = tracker.invoke({"image": sent(next_image, ".jpg"), "states": first["states"]})
        for box, shape, state in zip(whole, answer["shapes"], answer["states"], strict=True):
            if shape is None:
                lost += not state["gone"]
            elif shape["points"][3] < height - 2:
                inside += 1
                on_a_box += any(overlap(shape["points"], other) >= 0.5 for other in truth)
                by_chance += any(overlap(box, other) >= 0.5 for other in truth)
    return {
        "objects_still_in_view": inside,
        "on_a_human_box": round(on_a_box / max(1, inside), 4),
        "on_a_human_box_without_tracking": round(by_chance / max(1, inside), 4),
        "lost_in_view": lost,
    }


def _at_s(path: Path) -> float:
    found = re.search(r"D(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d+)Z", path.name)
    assert found is not None
    day, hour, minute, second, part = found.groups()
    return datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}.{part}+00:00").timestamp()


def _outlined(folder: Path) -> dict[str, Any]:
    rng, interactor = np.random.default_rng(1), OutlineInteractor()
    by_click, off, by_box, times = list[float](), list[float](), list[float](), list[float]()
    for number, (_, image, boxes) in enumerate(_stills(folder)):
        height, width = image.shape[:2]
        for box in boxes:
            left, top, right, bottom = cut(box, (width, height))
            middle, sides = np.array([(left + right) / 2, (top + bottom) / 2]), np.array([right - left, bottom - top])
            near = middle + rng.uniform(-0.25, 0.25, 2) * sides
            by_click.append(overlap(_around(outline_mask(image, Clicks(inside=((middle[0], middle[1]),)))), box))
            off.append(overlap(_around(outline_mask(image, Clicks(inside=((near[0], near[1]),)))), box))
            by_box.append(overlap(_around(outline_mask(image, Clicks(box=(left, top, right, bottom)))), box))
        if number < 12:
            _, data = cv2.imencode(".jpg", cv2.resize(image, (1920, 1080)))
            call = {"image": base64.b64encode(bytes(data)).decode(), "pos_points": [[960, 540]], "neg_points": [], "obj_bbox": None}
            times.append(_timed(interactor.invoke, call)[0])
    figures = {name: _figures(values) for name, values in (("click", by_click), ("click off the middle", off), ("box", by_box))}
    return {**figures, "ms_per_call_full_hd": round(float(np.median(times)), 1)}


def _around(mask: BoolArray) -> list[float]:
    rows, columns = np.nonzero(mask)
    return [float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)]


def _figures(values: Sequence[float]) -> dict[str, Any]:
    low, median, high = (round(float(value), 3) for value in np.quantile(values, [0.25, 0.5, 0.75]))
    return {
        "objects": len(values),
        "iou_quartiles": [low, median, high],
        "iou_at_least_half": round(float(np.mean(np.array(values) >= 0.5)), 3),
    }


def _outlined_animals(sheet: UInt8Array) -> dict[str, Any]:
    """A click on a pixel of each animal, and a box 3 px around it, in its vignette."""
    rng = np.random.default_rng(0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((sheet[..., 1] <= 243).astype(np.uint8), connectivity=8)
    by_click, by_box = list[float](), list[float]()
    for number in (one for one in range(1, count) if stats[one, cv2.CC_STAT_AREA] > 631):
        x, y, width, height, _ = (int(value) for value in stats[number])
        top, left = max(0, y - 60), max(0, x - 60)
        vignette = np.ascontiguousarray(sheet[top : y + height + 60, left : x + width + 60])
        body = np.ascontiguousarray(labels[top : y + height + 60, left : x + width + 60] == number)
        contours, _ = cv2.findContours(body.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        truth = cv2.drawContours(np.zeros(body.shape, np.uint8), contours, -1, 1, cv2.FILLED) > 0
        rows, columns = np.nonzero(body)
        place = int(rng.integers(len(rows)))
        box = (x - left - 3.0, y - top - 3.0, x - left + width + 3.0, y - top + height + 3.0)
        for values, clicks in ((by_click, Clicks(inside=((columns[place] + 0.5, rows[place] + 0.5),))), (by_box, Clicks(box=box))):
            mask = outline_mask(vignette, clicks)
            values.append(float(np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)))
    return {"click": _figures(by_click), "box": _figures(by_box)}


if __name__ == "__main__":
    sys.exit(main())
