"""A process that decodes what it is sent, with little memory and little time, and answers what came of it."""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

HEADROOM_BYTES = 1 << 30
MAX_PIXELS = 20_000_000
LIMIT_S = 30


class DecodingChild:
    """Ask it with `answer`; it is replaced when it died.

    with DecodingChild() as child:
        child.answer(data, "a.png")     # "pixels 200 120 <hash>", or the code of a reason
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def answer(self, data: bytes, name: str) -> str:
        """What came of it; "died" or "hangs" if nothing did."""
        self._link.send((data, name))
        try:
            answered = self._link.poll(LIMIT_S)
            said: str = self._link.recv() if answered else "hangs"
        except EOFError:
            self._process.join()
            said = f"died with {self._process.exitcode}"
        if said.startswith(("died", "hangs")):
            self.close()
            self._start()
        return said

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _serve(link: Connection) -> None:
    from edge.errors import InputError
    from edge.pipeline.decode import check_pixels, check_whole, decode, read_facts

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    used_bytes = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()  # noqa: SIM115 (a line of proc)
    resource.setrlimit(resource.RLIMIT_AS, (used_bytes + HEADROOM_BYTES, used_bytes + HEADROOM_BYTES))
    while True:
        data, name = link.recv()
        try:
            facts = read_facts(data, name)
            check_pixels(facts, MAX_PIXELS)
            check_whole(data, facts)
            image = decode(data, facts)
            assert image.shape == (facts.height_px, facts.width_px, 3)
            link.send(f"pixels {facts.width_px} {facts.height_px} {hashlib.sha256(image.tobytes()).hexdigest()}")
        except InputError as error:
            link.send(str(error.reason))
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is the finding)
            link.send(f"unforeseen {type(error).__name__}: {error}")
