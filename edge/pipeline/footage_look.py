"""Looks into files for whoever writes them out: frame times of clips, a hash of what a still shows. In a process of its own.

A file that breaks a decoder breaks that process, never the one that asks.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from edge.errors import InputError, Reason
from models.runtime.orphans import die_with_parent

_CONTEXT = multiprocessing.get_context("spawn")
_PATIENCE_S = 1800.0  # a clip of 4 GB that must be decoded to know its frames
HASH_SIDE = 16
_FALLOFF = 3.0  # what is coarser than this, of 64 parts, is light

Wanted = Literal["frame_times", "still_hash"]


class FootageLook:
    """Asks one thing after the other, from one thread; `close` it."""

    def __init__(self, *, max_pixels: int, max_file_bytes: int) -> None:
        self._limits = (max_pixels, max_file_bytes)
        self._process: BaseProcess | None = None
        self._link: Connection | None = None

    def frame_times(self, path: Path) -> list[float]:
        """See `edge.pipeline.video.frame_index.list_frame_times`.

        Raises:
            InputError: the clip cannot be read; or it ended or held up the process that reads it.
        """
        times = self._ask("frame_times", path)
        assert isinstance(times, list)
        return times

    def still_hash(self, path: Path) -> int:
        """A hash of 256 bits that pictures which look the same share but for a few bits: which parts are brighter than what is around.

        The light's falloff and text at the edges, which all pictures of a camera have, are taken out first. On the real stills of
        2023 a picture moved by 1 % of its height and compressed anew differs in at most 25 bits, stills of different seabed in at least 56.

        Raises:
            InputError: the still cannot be decoded.
        """
        bits = self._ask("still_hash", path)
        assert isinstance(bits, int)
        return bits

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._link is not None:
            self._link.close()
        self._process, self._link = None, None

    def _ask(self, wanted: Wanted, path: Path) -> list[float] | int:
        try:
            link = self._open()
            link.send((wanted, path))
            answer = link.recv() if link.poll(_PATIENCE_S) else None
        except (EOFError, OSError):
            answer = None
        except BaseException:
            self.close()  # the answer that nobody waits for must not be taken for the next one's
            raise
        if answer is None:
            self.close()
            raise InputError(Reason.UNREADABLE_FILE, f"{path.name} ended the process that read it")
        if isinstance(answer, tuple):
            raise InputError(answer[0], answer[1])
        assert isinstance(answer, list | int)
        return answer

    def _open(self) -> Connection:
        if self._process is not None and self._link is not None and self._process.is_alive():
            return self._link
        self.close()
        ours, theirs = _CONTEXT.Pipe(duplex=True)
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, *self._limits), name="imagine-edge-look", daemon=True)
        self._process.start()
        theirs.close()
        self._link = ours
        return ours


def _serve(link: Connection, max_pixels: int, max_file_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    while True:
        try:
            wanted, path = link.recv()
        except (EOFError, OSError):
            os._exit(0)
        with contextlib.suppress(BrokenPipeError, OSError):
            link.send(_answer(wanted, path, max_pixels, max_file_bytes))


def _answer(wanted: Wanted, path: Path, max_pixels: int, max_file_bytes: int) -> list[float] | int | tuple[Reason, str]:
    try:
        if wanted == "frame_times":
            from edge.pipeline.video.frame_index import list_frame_times

            return list_frame_times(path, max_pixels=max_pixels)
        return _still_hash(path, max_pixels, max_file_bytes)
    except InputError as error:
        return error.reason, str(error)
    except Exception as error:  # noqa: BLE001 (the process border: whatever stopped it is the answer)
        return Reason.UNREADABLE_FILE, f"{type(error).__name__}: {error}"


def _still_hash(path: Path, max_pixels: int, max_file_bytes: int) -> int:
    import numpy as np

    from edge.pipeline.decode import check_pixels, decode, read_bytes, read_facts
    from models.runtime.vision import cv2

    data = read_bytes(path, max_file_bytes=max_file_bytes)
    facts = read_facts(data, path.name)
    check_pixels(facts, max_pixels)
    grey = np.asarray(cv2.cvtColor(decode(data, facts), cv2.COLOR_BGR2GRAY), np.uint8)
    height_px, width_px = grey.shape
    middle = grey[height_px // 8 : height_px - height_px // 8, width_px // 10 : width_px - width_px // 10]  # without burnt-in text
    small = np.asarray(cv2.resize(middle, (4 * HASH_SIDE, 4 * HASH_SIDE), interpolation=cv2.INTER_AREA), np.float32)
    detail = small - np.asarray(cv2.GaussianBlur(small, (0, 0), _FALLOFF), np.float32)
    parts = detail.reshape(HASH_SIDE, 4, HASH_SIDE, 4).mean(axis=(1, 3))
    return int("".join("1" if bright else "0" for bright in (parts > 0).ravel()), 2)
