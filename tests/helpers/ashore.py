"""Files that go ashore, and meters of what that costs."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.link.counter import FreeMeter
from sync.sinks.sink import Free, Sink, Upload

VESSEL = "01980000-0000-7000-8000-000000000001"


@dataclass
class Meter(FreeMeter):
    """Remembers what it was told."""

    up_bytes: int = 0
    down_bytes: int = 0
    more_bytes: int = 0

    def sent(self, count_bytes: int) -> None:
        self.up_bytes += count_bytes

    def received(self, count_bytes: int) -> None:
        self.down_bytes += count_bytes

    def cost_more(self, *, up_bytes: int, down_bytes: int) -> None:
        self.more_bytes += up_bytes + down_bytes


@dataclass
class Cargo:
    """A file that goes ashore, and where its upload stands."""

    path: Path
    content: bytes
    suffix: str = ".cbor.zst"
    state: Mapping[str, Any] | None = None
    kept: list[Mapping[str, Any] | None] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        return f"v1/{VESSEL}/2026/11/22/{self.sha256}{self.suffix}"

    def keep(self, state: Mapping[str, Any] | None) -> None:
        self.state = state
        self.kept.append(state)

    def is_held(self, sink: Sink) -> bool:
        return sink.holds(self.key, size_bytes=len(self.content), sha256=self.sha256)

    def put(self, sink: Sink) -> None:
        sink.put(self.key, self.path, sha256=self.sha256, upload=Upload(state=self.state, keep=self.keep), spend=Free())


def cargo(folder: Path, size_bytes: int, *, seed: int = 1) -> Cargo:
    content = random.Random(seed).randbytes(size_bytes)
    path = folder / f"cargo-{seed}-{size_bytes}"
    path.write_bytes(content)
    return Cargo(path, content)
