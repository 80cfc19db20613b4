"""What is known of the calls: `cvat/bridge.json` in the home folder, for pages and health checks of whatever process.

CVAT shows its users nothing of an error but its number, so the reason of each failed call is kept here. The file is replaced in one step,
at most once a second, and only when something changed. It holds no image, no token and nothing that a model found.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
import structlog

from edge.store.clock import utc_now

log = structlog.get_logger()

RECORD_NAME = "cvat/bridge.json"
KEPT_FAILURES = 50
_KEPT_TIMES = 200  # of each function, for its 95th percentile
_REST_S = 1.0
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call that was not answered with a result. `function` is empty where none was named; `caller` is the peer's address."""

    at_utc: str
    function: str
    status: int
    code: str
    reason: str
    caller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCalls:
    """Calls of a function since the start: all, those that failed, and the 95th percentile of the last answered, in ms, without loading."""

    calls: int = 0
    failed: int = 0
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRecord:
    """The state of the models' address.

    Attributes:
        pid: of the process that serves, or that could not.
        url: where it serves; empty if it does not.
        since_utc: when it started.
        fault: why it does not serve, such as a taken port; empty if it does.
        calls, failed: of functions that there are; p95_ms: of all of them.
        failures: the newest first, those of earlier starts too, and requests that were no call of a function.
        left_out: packs that give no function, with the reason.
    """

    pid: int
    url: str
    since_utc: str
    fault: str = ""
    calls: int = 0
    failed: int = 0
    p95_ms: float | None = None
    functions: Mapping[str, FunctionCalls] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def is_serving(self) -> bool:
        """Whether the process that wrote it is still there and serves."""
        return bool(self.url) and self.is_running

    @property
    def is_running(self) -> bool:
        """Whether the process that wrote it is still there."""
        return bool(psutil.pid_exists(self.pid))


def read_record(home: Path) -> BridgeRecord | None:
    """What the last process that served, or tried to, left; None if there is none, or if it cannot be read."""
    try:
        document = json.loads((home / RECORD_NAME).read_text("utf-8"))
        return BridgeRecord(
            pid=int(document["pid"]),
            url=str(document["url"]),
            since_utc=str(document["since_utc"]),
            fault=str(document["fault"]),
            calls=int(document["calls"]),
            failed=int(document["failed"]),
            p95_ms=document["p95_ms"],
            functions={str(name): FunctionCalls(**one) for name, one in document["functions"].items()},
            failures=tuple(Failure(**one) for one in document["failures"]),
            left_out=tuple((str(name), str(reason)) for name, reason in document["left_out"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


class Recorder:
    """Counts calls and writes the record from a thread of its own, which sleeps while nothing happens. Any thread may call it."""

    def __init__(self, home: Path, *, url: str, fault: str = "") -> None:
        before = read_record(home)
        self._path = home / RECORD_NAME
        self._url, self._fault, self._since_utc = url, fault, utc_now()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._times_ms: dict[str, deque[float]] = {}
        self._failures: deque[Failure] = deque(before.failures if before is not None else (), maxlen=KEPT_FAILURES)
        self._left_out: tuple[tuple[str, str], ...] = ()
        self._changed, self._ending = threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="bridge-record", daemon=True)
        self._write()
        self._writer.start()

    def answered(self, function: str, took_ms: float) -> None:
        """A call was answered with a result."""
        with self._lock:
            self._counts[function] += 1
            self._times_ms.setdefault(function, deque(maxlen=_KEPT_TIMES)).append(took_ms)
        self._changed.set()

    def failed(self, function: str, status: int, code: str, reason: str, *, caller: str = "") -> None:
        """A call was not answered, or not with a result. Told in the log too."""
        shown = function[:80]
        log.warning("bridge_call_failed", function=shown, status=status, code=code, reason=reason[:_MOST_TEXT], caller=caller)
        failure = Failure(at_utc=utc_now(), function=shown, status=status, code=code, reason=reason[:_MOST_TEXT], caller=caller)
        with self._lock:
            if shown and code != "unknown_function":  # or anybody could make this grow
                self._counts[function] += 1
                self._failed[function] += 1
            self._failures.appendleft(failure)
        self._changed.set()

    def leave_out(self, left_out: Sequence[tuple[str, str]]) -> None:
        """Packs that give no function now."""
        found = tuple((name, reason[:_MOST_TEXT]) for name, reason in left_out)
        if found == self._left_out:
            return
        for name, reason in found:
            log.warning("bridge_pack_left_out", pack=name, reason=reason)
        self._left_out = found
        self._changed.set()

    def close(self) -> None:
        """Write the last state: nobody serves any more, unless another process does by now, whose record stays."""
        self._ending.set()
        self._changed.set()
        self._writer.join()
        self._url = ""
        after = read_record(self._path.parents[1])
        if after is None or after.pid == os.getpid() or not after.is_serving:
            self._write()

    def snapshot(self) -> BridgeRecord:
        """The record as of now."""
        with self._lock:
            every_ms = [ms for times in self._times_ms.values() for ms in times]
            names = sorted(set(self._counts))
            return BridgeRecord(
                pid=os.getpid(),
                url=self._url,
                since_utc=self._since_utc,
                fault=self._fault,
                calls=self._counts.total(),
                failed=self._failed.total(),
                p95_ms=_p95(every_ms),
                functions={
                    name: FunctionCalls(
                        calls=self._counts[name], failed=self._failed[name], p95_ms=_p95(list(self._times_ms.get(name, ())))
                    )
                    for name in names
                },
                failures=tuple(self._failures),
                left_out=self._left_out,
            )

    def _write_on(self) -> None:
        while not self._ending.is_set():
            self._changed.wait()
            self._changed.clear()
            if not self._ending.is_set():  # `close` decides whether the last state is written
                self._write()
            self._ending.wait(_REST_S)

    def _write(self) -> None:
        document: dict[str, Any] = asdict(self.snapshot())
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
            temporary.replace(self._path)
        except OSError as error:  # a full disk must not stop the calls
            log.warning("bridge_record_unwritten", path=str(self._path), error=str(error))


def _p95(times_ms: list[float]) -> float | None:
    if not times_ms:
        return None
    times_ms.sort()
    return round(times_ms[min(len(times_ms) - 1, int(0.95 * len(times_ms)))], 1)
