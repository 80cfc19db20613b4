"""A link's rate, held by a bucket of tokens: short bursts pass, over time no more than the rate does."""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_S = 1.0
_LEAST_S = 0.001  # less may not move the clock at all


class Throttle:
    """Slows down to a rate. For one thread at a time.

    https://www.rfc-editor.org/rfc/rfc2697 (the committed information rate and burst of its first bucket)
    """

    def __init__(
        self, rate_kbps: float, *, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], object] = time.sleep
    ) -> None:
        """`rate_kbps`: thousand bits per second; 0: as fast as it goes. `wait` may come back early: then it is called again."""
        self._bytes_per_s = rate_kbps * 1000 / 8
        self._clock, self._wait = clock, wait
        self._tokens, self._at_s = self._bytes_per_s * BURST_S, clock()

    def take(self, count_bytes: int, *, go_on: Callable[[], None] = lambda: None) -> None:
        """Return when so many bytes may pass.

        Args:
            count_bytes: may be more than a burst: then what follows waits for it.
            go_on: is asked at least once a second while it waits; it raises to end that.
        """
        if not self._bytes_per_s:
            return
        self._fill()
        while self._tokens < 0:
            go_on()
            self._wait(min(max(-self._tokens / self._bytes_per_s, _LEAST_S), 1.0))
            self._fill()
        self._tokens -= count_bytes

    def owe(self, count_bytes: int) -> None:
        """So many bytes have passed already, such as those that were sent again; what follows waits for them."""
        if self._bytes_per_s:
            self._fill()
            self._tokens -= count_bytes

    def _fill(self) -> None:
        now_s = self._clock()
        gained = (now_s - self._at_s) * self._bytes_per_s
        self._tokens, self._at_s = min(self._tokens + gained, self._bytes_per_s * BURST_S), now_s
