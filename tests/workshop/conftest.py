"""These tests run in the workshop's environment (`make test-workshop`); where it is not, they are left out, and that is said."""

from __future__ import annotations

import os
from importlib.util import find_spec

# Read when torch is loaded: threads that wait by spinning make tests last many times as long beside other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
HAS_WORKSHOP = find_spec("torch") is not None

collect_ignore_glob = [] if HAS_WORKSHOP else ["test_*.py"]


def pytest_report_header() -> str | None:
    return None if HAS_WORKSHOP else "tests/workshop: left out, torch is not installed here (`make test-workshop`)"
