"""A scan of 1,700 objects checked in a browser by a script: how long each page takes until its pictures are there, and what it asks for.

Run with `python -m tests.benchmarks.scan_check_speed`. The script decides nothing: what it measures is what a person waits for.
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
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from edge.store.connection import immediate
from tests.helpers.chromium import Chromium
from tests.helpers.web import serving
from tests.helpers.zooscan import SeededScan, seed_scan
from tests.simulators.appliance import SimulatedAppliance

OBJECTS, PER_PAGE = 1700, 40
_AGAIN = 5
_PAGE_IS_THERE = """
    const pictures = [...document.querySelectorAll('.cell-object img')];
    return document.getElementById('where').textContent.startsWith(`page ${arguments[0]} of`) && pictures.length >= arguments[1]
        && pictures.every((one) => one.complete && one.naturalWidth);
"""


def main() -> None:
    """Print the times as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        appliance = SimulatedAppliance(Path(folder) / "home")
        with immediate(appliance.writer) as connection:
            of = seed_scan(connection, home=appliance.home, objects=OBJECTS, multiples=40, touching=12)
        with serving(appliance) as client:
            requests = _requests(client, of)
            browser = Chromium(Path(folder) / "profile")
            try:
                pages = _pages(browser, f"{str(client.base_url).rstrip('/')}/scans/{of.scan_id}/check")
            finally:
                browser.quit()
            left = appliance.writer.execute("SELECT count(DISTINCT object_key) FROM zooscan_decisions").fetchone()[0]
        appliance.close()
    print(json.dumps({"objects": OBJECTS, "decided": left, "milliseconds": requests, "pages": pages}, indent=2))


def _pages(browser: Chromium, address: str) -> dict[str, float]:
    """Seconds of the first page and of each next one, from the key that accepts the one before."""
    begun_s = time.monotonic()
    browser.get(address)
    _wait(browser, 1, PER_PAGE)
    first_s = time.monotonic() - begun_s
    pages = -(-OBJECTS // PER_PAGE)
    taken_s = []
    for page in range(2, pages + 1):
        begun_s = time.monotonic()
        ActionChains(browser, duration=0).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
        _wait(browser, page, 1)
        taken_s.append(time.monotonic() - begun_s)
    ActionChains(browser, duration=0).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    while browser.execute_script("return document.getElementById('looked').textContent.replace(/\\D/g, '')") != str(OBJECTS):
        time.sleep(0.01)
    time.sleep(2.0)  # the last write ends
    return {
        "count": pages,
        "first_s": round(first_s, 2),
        "next_median_s": round(median(taken_s), 3),
        "next_slowest_s": round(max(taken_s), 3),
        "together_s": round(first_s + sum(taken_s), 1),
    }


def _wait(browser: Chromium, page: int, pictures: int) -> None:
    while not browser.execute_script(_PAGE_IS_THERE, page, pictures):
        time.sleep(0.005)


def _requests(client: httpx.Client, of: SeededScan) -> dict[str, float]:
    api = f"/api/scans/{of.scan_id}"
    rows = client.get(f"{api}/objects").raise_for_status().json()["objects"]

    def get(path: str, **query: str) -> Callable[[], Any]:
        return lambda: client.get(path, params=query).raise_for_status()

    def post(path: str, body: dict[str, Any]) -> Callable[[], Any]:
        return lambda: client.post(f"{api}/{path}", json=body).raise_for_status()

    def vignettes() -> None:
        for row in rows[:PER_PAGE]:
            client.get(f"{api}/objects/{row['key']}/vignette", params={"of": row["vignette"]}).raise_for_status()

    keys = [row["key"] for row in rows[:PER_PAGE]]
    times = {"page": _time(get(f"/scans/{of.scan_id}/check")), "objects": _time(get(f"{api}/objects"))}
    times["outlines"] = _time(get(f"{api}/outlines"))
    times["40 vignettes, one after the other"] = _time(vignettes)
    times["tile of the whole"] = _time(get(f"{api}/tiles/5/0/0"))
    times["decide 40"] = _time(post("decisions", {"objects": keys, "decision": "single"}))
    times["undo"] = _time(post("undo", {}))
    times["propose a line"] = _time(post("lines/propose", {"object": of.keys[0]}))
    times["checks, first"] = _time(get(f"{api}/check"), again=1)
    times["checks, again"] = _time(get(f"{api}/check"))
    return times


def _time(work: Callable[[], Any], *, again: int = _AGAIN) -> float:
    taken = []
    for _ in range(again):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return round(median(taken), 1)


if __name__ == "__main__":
    main()
