"""The signal that wakes a dispatcher: set from any thread, never deaf."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait

import pytest

from edge.pipeline.process import Signal

_LIMIT_S = 30.0


@pytest.fixture
def eager_switching() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def test_a_signal_that_is_set_while_it_is_cleared_is_heard_again(eager_switching: None) -> None:
    heard = Signal()
    ended = threading.Event()

    def set_on() -> None:
        while not ended.is_set():
            heard.set()

    setters = [threading.Thread(target=set_on) for _ in range(2)]
    for setter in setters:
        setter.start()
    try:
        for _ in range(5000):
            assert wait([heard.waitable], _LIMIT_S), "set again and again, and not heard"
            heard.clear()
    finally:
        ended.set()
        for setter in setters:
            setter.join()
