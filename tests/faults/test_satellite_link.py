"""Over a link with delay and loss, in the kernel's own TCP: bundles arrive whole, and what was counted is what really passed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ABOUT = {"rate_kbps": 1000, "round_trip_s": 0.2, "loss": 0.04, "sizes": [150_000, 150_000], "seed": 7}


def why_not() -> str:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux: two networks of its own"
    if not Path("/dev/net/tun").exists() or shutil.which("ip") is None:
        return "needs /dev/net/tun and iproute2"
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return "this kernel or container allows no network namespaces"
    return ""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    if reason := why_not():
        pytest.skip(reason)
    command = [sys.executable, "-m", "tests.simulators.satellite_link", json.dumps(ABOUT)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, cwd=Path(__file__).parents[2])
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def test_bundles_arrive_whole(found: dict[str, Any]) -> None:
    assert found["held"] == [True, True]
    assert found["lost_packets"] > 0, "nothing was lost: the link was too good for this test"


def test_what_was_sent_again_is_counted(found: dict[str, Any]) -> None:
    """Within 5 %: the goodbye of a connection comes after its last look, and a header is reckoned."""
    written = found["written_bytes"]
    assert found["passed_bytes"] > written * 1.04, "headers and losses cost more than what was written"
    assert found["counted_bytes"] == pytest.approx(found["passed_bytes"], rel=0.05)
