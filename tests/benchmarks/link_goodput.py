"""How much of a satellite link's rate arrives as bundles, in the kernel's own TCP over `tests/simulators/satellite_link.py`.

Usage, as root: python -m tests.benchmarks.link_goodput [--bundles 4]

128 kbit/s, 600 ms, 2 % loss, 512 kB bundles: at least 80 % is asked for. At 2 Mbit/s BBR is compared with cubic; bundles that small are
mostly round trips there. Every bundle counts from the first question to the confirmation, which is three requests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]


def measure(**about: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.simulators.satellite_link", json.dumps(about)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=TOP)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert all(found["held"])
    return found


def goodput(found: dict[str, Any], sizes: list[int], rate_kbps: float) -> float:
    return float(sum(sizes) * 8 / 1000 / sum(found["took_s"]) / rate_kbps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=int, default=4)
    sizes = [512_000] * parser.parse_args().bundles
    link = {"round_trip_s": 0.6, "loss": 0.02, "sizes": sizes}
    rows = []
    for rate_kbps, congestion in ((128, "bbr"), (128, "cubic"), (2000, "bbr"), (2000, "cubic")):
        found = measure(rate_kbps=rate_kbps, congestion=congestion, **link)
        share = goodput(found, sizes, rate_kbps)
        rows.append({"rate_kbps": rate_kbps, "congestion": found["congestion"], "goodput": round(share, 3), **found})
        counted = found["counted_bytes"] / found["passed_bytes"]
        print(f"{rate_kbps:5d} kbit/s  {found['congestion']:6s}  {share:6.1%} of the rate  counted/passed {counted:.3f}", flush=True)
    if rows[2]["congestion"] == "bbr":
        print(f"BBR against cubic at 2 Mbit/s: {rows[2]['goodput'] / rows[3]['goodput']:.1f} times")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
