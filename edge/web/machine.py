"""The fingerprint of this machine, looked at once: it does not change while the appliance runs."""

from __future__ import annotations

from functools import cache

from models.runtime.machine import machine_fingerprint


@cache
def this_machine() -> str:
    """Speeds and goldens that were measured under this fingerprint were measured here."""
    return machine_fingerprint()
