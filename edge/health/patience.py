"""Run checks that may hang: a share that does not answer holds up whoever looks at it, for minutes or for ever.

Each check runs in a thread of its own. One that has not ended after a while is told as not holding, the others go on
without it, and it is not begun again before it has ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from edge.health.context import HealthContext
from edge.health.runner import CHECKS, Check, CheckReport, hanging_report, run_check
from edge.store.connection import open_reader
from edge.store.sqlite import Connection

PATIENCE_S = 20.0
_LOOK_S = 0.1


@dataclass(slots=True)
class _Begun:
    """A check at work. `is_left` tells it that nobody waits any longer, so that it closes its reader itself."""

    since_utc: datetime
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_left: bool = False
    report: CheckReport | None = None


class PatientChecks:
    """All checks, again and again; used by one thread."""

    def __init__(self, database: Path, look: Callable[[Connection], HealthContext], *, patience_s: float = PATIENCE_S) -> None:
        """`look` gathers what the checks judge, with the reader that they shall use."""
        self._database = database
        self._look = look
        self._patience_s = patience_s
        self._hanging: dict[str, _Begun] = {}

    def run(self, stopping: Callable[[], bool]) -> tuple[CheckReport, ...] | None:
        """One look at the appliance, judged by every check; None if `stopping` said so meanwhile.

        Raises:
            StoreError: the database cannot be read.
        """
        reports: list[CheckReport] = []
        with self._reader() as borrowed:
            context = self._look(borrowed[0])
            for name, check in CHECKS.items():
                before = self._hanging.get(name)
                if before is not None and not before.ended.is_set():
                    reports.append(hanging_report(name, check, before.since_utc, context.now_utc))
                    continue
                begun = self._begin(name, check, replace(context, connection=borrowed[0]))
                if self._wait(begun, stopping):
                    assert begun.report is not None
                    self._hanging.pop(name, None)
                    reports.append(begun.report)
                    continue
                self._hanging[name] = begun
                borrowed[0] = open_reader(self._database)  # the check that hangs keeps the other
                if stopping():
                    return None
                reports.append(hanging_report(name, check, begun.since_utc, context.now_utc))
        return tuple(reports)

    @contextmanager
    def _reader(self) -> Iterator[list[Connection]]:
        """A reader that may be exchanged; the last one is closed."""
        borrowed = [open_reader(self._database)]
        try:
            yield borrowed
        finally:
            borrowed[0].close()

    def _begin(self, name: str, check: Check, context: HealthContext) -> _Begun:
        begun = _Begun(since_utc=datetime.now(UTC))

        def work() -> None:
            begun.report = run_check(name, check, context)
            with begun.lock:
                begun.ended.set()
                if begun.is_left:
                    context.connection.close()

        threading.Thread(target=work, name=f"check-{name}", daemon=True).start()
        return begun

    def _wait(self, begun: _Begun, stopping: Callable[[], bool]) -> bool:
        """Whether the check has ended; if not, its reader is its own from now on."""
        end_s = time.monotonic() + self._patience_s
        while not begun.ended.wait(_LOOK_S) and time.monotonic() < end_s and not stopping():
            pass
        with begun.lock:
            begun.is_left = not begun.ended.is_set()
            return not begun.is_left
