"""Audit times and identifiers: UTC to the millisecond, UUIDv7 for what leaves the ship."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime


def utc_now() -> str:
    """The time as ISO 8601 in UTC with milliseconds, such as `2026-06-03T16:26:07.584Z`."""
    return utc_text(datetime.now(UTC))


def utc_text(moment: datetime) -> str:
    """An aware datetime as ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def uuid7() -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
