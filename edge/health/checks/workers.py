"""Do the workers stay alive?"""

from __future__ import annotations

from collections import deque

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity

TITLE = "Workers stay alive"
CODES = frozenset({IssueCode.WORKER_RESTARTS})

WINDOW_S = 600.0
_TOO_MANY = 3


def run_check(context: HealthContext) -> list[Issue]:
    """Three replacements in ten minutes are no accident."""
    return [
        Issue(
            code=IssueCode.WORKER_RESTARTS,
            severity=Severity.WARNING,
            reference=recipe,
            message=f"The worker of {recipe} was replaced {restarts} times in ten minutes.",
            advice="The Failures page shows on which files. Raise `worker_memory_mb` or lower `worker_threads`, or roll the model back.",
        )
        for recipe, restarts in sorted(context.worker_restarts.items())
        if restarts >= _TOO_MANY
    ]


class RestartWindow:
    """How often a counter of restarts rose in the last ten minutes."""

    def __init__(self) -> None:
        self._total = 0
        self._risen_s: deque[float] = deque(maxlen=100)

    def note(self, total: int, now_s: float) -> int:
        """Take note of the counter at a monotonic time; returns how many restarts the window holds."""
        self._risen_s.extend([now_s] * (total - self._total))
        self._total = total
        while self._risen_s and now_s - self._risen_s[0] > WINDOW_S:
            self._risen_s.popleft()
        return len(self._risen_s)
