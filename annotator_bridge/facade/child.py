"""The child process of the facade: models and functions live here, so that what breaks them breaks no appliance.

It has a link for each slot and a thread behind each. A call comes as a small `Asked` and the raw body, unparsed; an answer goes back as a
small `Said` and the bytes of its JSON.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from annotator_bridge.functions.catalogue import load_function
from annotator_bridge.functions.function import BadCallError, Function, UnknownFunctionError, answer_bytes
from edge.errors import EdgeError, InputError
from edge.logs import configure_logs
from edge.units import s_to_ms
from models.runtime.orphans import die_with_parent
from models.runtime.quiet import give_freed_memory_back

_IDLE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What a child is for: `threads` calls at once, at most `kept` functions in memory."""

    home: Path
    threads: int
    max_pixels: int
    kept: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call; its body follows as bytes."""

    function_id: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What became of it; for 200 the JSON follows as bytes. `loaded`: the function was loaded for this call, in so many ms."""

    status: int
    code: str = ""
    reason: str = ""
    loaded_ms: float | None = None


def child_main(links: Sequence[Connection], spec: ChildSpec) -> None:
    """Answer calls until the links close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent()
    configure_logs(None)  # two processes must not turn over one log file; the parent tells what happened
    shelf = Shelf(spec)
    pulse = _Pulse()
    for number, link in enumerate(links):
        threading.Thread(target=_serve, args=(link, shelf, pulse), name=f"function-{number}", daemon=True).start()
    pulse.rest_between()


class Shelf:
    """The functions that are loaded, the least recently used let go when there are more than `kept`."""

    def __init__(self, spec: ChildSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}
        self._loaded: OrderedDict[str, tuple[str, Function]] = OrderedDict()

    def get(self, function_id: str, mark: str) -> tuple[Function, float | None]:
        """A function, and how long it took to load it, in ms; None if it was there already. Several are loaded beside each other."""
        with self._lock:
            loading = self._loading.setdefault(function_id, threading.Lock())
        with loading:
            with self._lock:
                known = self._loaded.get(function_id)
                if known is not None and known[0] == mark:
                    self._loaded.move_to_end(function_id)
                    return known[1], None
            begun_s = time.perf_counter()
            function = load_function(self._spec.home, function_id, threads=self._spec.threads, max_pixels=self._spec.max_pixels)
            with self._lock:
                self._loaded[function_id] = mark, function
                self._loaded.move_to_end(function_id)
                while len(self._loaded) > self._spec.kept:
                    self._loaded.popitem(last=False)
        return function, s_to_ms(time.perf_counter() - begun_s)


class _Pulse:
    """Gives the memory of the last images back when nothing has happened for a while."""

    def __init__(self) -> None:
        self._beat = threading.Event()

    def beat(self) -> None:
        self._beat.set()

    def rest_between(self) -> None:
        while True:
            self._beat.wait()
            self._beat.clear()
            if not self._beat.wait(_IDLE_S):
                give_freed_memory_back()


def _serve(link: Connection, shelf: Shelf, pulse: _Pulse) -> None:
    try:
        while True:
            asked: Asked = link.recv()
            body = link.recv_bytes()
            said, answer = _answer(asked, body, shelf)
            del body
            link.send(said)
            if said.status == 200:
                link.send_bytes(answer)
            pulse.beat()
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone, or wants this child no more


def _answer(asked: Asked, body: bytes, shelf: Shelf) -> tuple[Said, bytes]:
    loaded_ms = None
    try:
        payload = _payload(body)
        function, loaded_ms = shelf.get(asked.function_id, asked.mark)
        return Said(status=200, loaded_ms=loaded_ms), answer_bytes(function.invoke(payload))
    except BadCallError as error:
        return Said(status=400, code=error.code, reason=str(error), loaded_ms=loaded_ms), b""
    except UnknownFunctionError as error:
        return Said(status=404, code=error.code, reason=str(error)), b""
    except InputError as error:
        return Said(status=400, code=BadCallError.code, reason=f"{error.reason}: {error}", loaded_ms=loaded_ms), b""
    except EdgeError as error:
        return Said(status=500, code=error.code, reason=str(error), loaded_ms=loaded_ms), b""
    except MemoryError:
        return Said(status=500, code="out_of_memory", reason="there was not enough memory for this call", loaded_ms=loaded_ms), b""
    except Exception as error:  # noqa: BLE001 (the process border: an unforeseen fault of one call must not end the others)
        return Said(status=500, code="function_failed", reason=f"{type(error).__name__}: {error}", loaded_ms=loaded_ms), b""


def _payload(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadCallError(f"the body of the call is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise BadCallError(f"the body of the call is a JSON {type(payload).__name__}, not an object")
    return payload
