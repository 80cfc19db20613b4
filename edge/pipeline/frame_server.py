"""Frames of clips, and crops of several frames, as JPEG for the pages, decoded in a process of its own.

A clip that breaks a decoder breaks that, never the appliance. The process starts
with the first frame that is asked for and ends when nobody asks any more.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypeVar

import structlog

from edge.errors import InputError, Reason
from edge.footage import FrameGiven, FrameWanted, SheetWanted, StripGiven, StripWanted
from models.runtime.orphans import die_with_parent

if TYPE_CHECKING:
    from edge.pipeline.video.exact import ClipFrames
    from edge.values import UInt8Array

log = structlog.get_logger()

_CONTEXT = multiprocessing.get_context("spawn")
_PATIENCE_S = 30.0
_IDLE_S = 120.0
_TIDY_S = 15.0

Wanted = FrameWanted | StripWanted | SheetWanted
Given = TypeVar("Given", FrameGiven, StripGiven)


class FrameServer:
    """Gives frames of clips. Any thread may ask; they are answered one after the other."""

    def __init__(self, *, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._link: Connection | None = None

    def frame(self, wanted: FrameWanted) -> FrameGiven:
        """A frame.

        Raises:
            InputError: the clip cannot be read; or it ended or held up the process that reads it.
        """
        return self._ask(wanted, FrameGiven, f"no frame could be decoded at {wanted.at_s:.1f} s")

    def strip(self, wanted: StripWanted | SheetWanted) -> StripGiven:
        """Crops of several frames of clips or stills, side by side; or a frame strip on one sheet.

        Raises:
            InputError: one of the files cannot be read; or it ended or held up the process that reads it.
        """
        if isinstance(wanted, SheetWanted):
            return self._ask(wanted, StripGiven, f"{len(wanted.tiles)} pieces of the frame strip could not be put on a sheet")
        return self._ask(wanted, StripGiven, f"{len(wanted.crops)} crops could not be decoded")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, wanted: Wanted, kind: type[Given], failure: str) -> Given:
        with self._lock:
            try:
                link = self._open()
                link.send(wanted)
                answer = link.recv() if link.poll(_PATIENCE_S) else None
            except (EOFError, OSError):
                answer = None
            if answer is None:
                log.error("frame_server_lost", wanted=failure)
                self._end()
                raise InputError(Reason.UNREADABLE_FILE, failure)
        if isinstance(answer, kind):
            return answer
        reason, detail = answer
        raise InputError(reason, detail)

    def _open(self) -> Connection:
        if self._process is not None and self._link is not None and self._process.is_alive():
            return self._link
        self._end()
        ours, theirs = _CONTEXT.Pipe(duplex=True)
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, self._max_pixels), name="imagine-edge-frames", daemon=True)
        self._process.start()
        theirs.close()
        self._link = ours
        return ours

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._link is not None:
            self._link.close()
        self._process, self._link = None, None


def _serve(link: Connection, max_pixels: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    from edge.pipeline.video.exact import ClipFrames

    clips = ClipFrames(max_pixels=max_pixels)
    silent_s = 0.0
    while silent_s < _IDLE_S:
        if not link.poll(_TIDY_S):
            silent_s += _TIDY_S
            clips.close_idle()
            continue
        silent_s = 0.0
        try:
            wanted: Wanted = link.recv()
        except (EOFError, OSError):
            os._exit(0)
        with contextlib.suppress(BrokenPipeError, OSError):
            link.send(_answer(clips, wanted, max_pixels))


def _answer(clips: ClipFrames, wanted: Wanted, max_pixels: int) -> FrameGiven | StripGiven | tuple[Reason, str]:
    from edge.pipeline.crop_strip import make_strip
    from edge.pipeline.strip_sheet import make_sheet

    try:
        if isinstance(wanted, SheetWanted):
            return StripGiven(jpeg=make_sheet(wanted))
        if isinstance(wanted, StripWanted):
            return StripGiven(jpeg=_jpeg(make_strip(clips, wanted, max_pixels=max_pixels), wanted.jpeg_quality))
        shown = clips.frame_at(wanted.path, wanted.at_s, step=wanted.step)
        return FrameGiven(at_s=shown.at_s, jpeg=_jpeg(_reduced(shown.pixels, wanted.longest_px), wanted.jpeg_quality))
    except InputError as error:
        return error.reason, str(error)
    except Exception as error:  # noqa: BLE001 (the process border: whatever stopped it is the answer)
        return Reason.UNREADABLE_FILE, f"{type(error).__name__}: {error}"


def _reduced(pixels: UInt8Array, longest_px: int) -> UInt8Array:
    import numpy as np

    from models.runtime.vision import cv2

    longest = max(pixels.shape[:2])
    if longest <= longest_px:
        return pixels
    scale = longest_px / longest
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(pixels: UInt8Array, quality: int) -> bytes:
    import numpy as np

    from models.runtime.vision import cv2

    _, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(jpeg, np.uint8).tobytes()
