"""The only place that converts between units."""

from __future__ import annotations

BYTES_PER_MIB = 1024 * 1024
NS_PER_S = 1_000_000_000


def mib_to_bytes(mib: float) -> int:
    """Mebibytes to bytes."""
    return round(mib * BYTES_PER_MIB)


def bytes_to_mib(count_bytes: float) -> float:
    """Bytes to mebibytes."""
    return count_bytes / BYTES_PER_MIB


def s_to_ms(duration_s: float) -> float:
    """Seconds to milliseconds."""
    return duration_s * 1000.0


def s_to_ns(duration_s: float) -> int:
    """Seconds to nanoseconds."""
    return round(duration_s * NS_PER_S)
