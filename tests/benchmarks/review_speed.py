"""A station of 20,000 openings: how long its order, a page, a decision about one, about 20,000, and their undo take over HTTP.

Run with `python -m tests.benchmarks.review_speed`. Pictures are not in it: a page's chips are decoded once and then kept.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np

from tests.helpers.reviewable import boxes_at, make_opening, make_reviewable
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

OPENINGS = 20_000
_AGAIN = 5


def main() -> None:
    """Print the times as JSON, milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        appliance = SimulatedAppliance(Path(folder) / "home")
        tow = make_reviewable(appliance, openings=_openings())
        with serving(appliance) as client:
            found = _measure(client, f"/api/tows/{tow.tow_id}", list(tow.opening_ids))
        appliance.close()
    print(json.dumps({"openings": OPENINGS, "milliseconds": found}, indent=2))


def _measure(client: httpx.Client, tow: str, ids: list[int]) -> dict[str, float]:
    def get(path: str) -> Callable[[], Any]:
        return lambda: client.get(f"{tow}{path}").raise_for_status()

    def post(path: str, body: dict[str, Any]) -> Callable[[], Any]:
        return lambda: client.post(f"{tow}/{path}", json=body).raise_for_status()

    times = {f"order {sort}": _time(get(f"/openings/order?sort={sort}")) for sort in ("uncertain", "outlier", "along")}
    times["page of 20"] = _time(get(f"/openings?ids={','.join(map(str, ids[9000:9020]))}"))
    times["decide one"] = _time(post("decisions", {"openings": ids[:1], "decision": "accepted"}))
    times["decide a page"] = _time(post("decisions", {"openings": ids[20:40], "decision": "rejected"}))
    times["decide all"] = _time(post("decisions", {"openings": ids, "decision": "accepted"}), again=1)
    times["undo all"] = _time(post("review/undo", {}), again=1)
    times["what is left"] = _time(get("/review"))
    times["group 10"] = _time(post("groups", {"openings": ids[100:110]}))
    times["order undecided, after that"] = _time(get("/openings/order?show=undecided"))
    return times


def _time(work: Callable[[], Any], *, again: int = _AGAIN) -> float:
    taken = []
    for _ in range(again):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return round(median(taken), 1)


def _openings() -> list[Any]:
    chance = np.random.default_rng(5)
    found = []
    for place in range(OPENINGS):
        at_s = place * 0.03
        size = float(chance.uniform(20, 60))
        boxes = boxes_at([at_s + 0.16 * step for step in range(8)], (100.0, 100.0, 100.0 + size, 100.0 + size))
        found.append(
            make_opening(place + 1)._replace(
                first_s=at_s,
                last_s=at_s + 1.2,
                crossing_s=at_s + 1.0,
                system=place // 3 + 1,
                confidence=float(chance.uniform()),
                boxes=boxes,
            )
        )
    return found


if __name__ == "__main__":
    main()
