"""Bodies of calls: read with a limit on bytes and on time, refused before they fill the memory."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

PIECE_S = 15.0  # the longest silence within a body
BODY_S = 120.0
_DISCARD_S = 20.0
_DURATION = re.compile(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|m|h)?\s*")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
USUAL_WAIT_S = 120.0  # CVAT_NUCLIO_DEFAULT_TIMEOUT's own default
_LONGEST_WAIT_S = 900.0


class TooLargeError(Exception):
    """More bytes than allowed."""


class TooSlowError(Exception):
    """The body did not come in time."""


class GoneError(Exception):
    """The caller went away in the middle of the body."""


async def read_body(receive: Receive, *, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: what came is thrown away; the caller can be answered.
        TooSlowError, GoneError: see there.
    """
    pieces: list[bytes] = []
    size, end_s = 0, time.monotonic() + BODY_S
    more = True
    while more:
        message = await _next(receive, min(PIECE_S, end_s - time.monotonic()))
        if message["type"] == "http.disconnect":
            raise GoneError
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > most_bytes:
            pieces.clear()
            raise TooLargeError
        pieces.append(piece)
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def discard_body(receive: Receive, *, most_bytes: int) -> None:
    """Read the rest of a body for nothing, within limits: whoever still sends when the connection is closed never reads the answer."""
    size, end_s = 0, time.monotonic() + _DISCARD_S
    while size <= most_bytes:
        try:
            message = await _next(receive, min(PIECE_S, end_s - time.monotonic()))
        except TooSlowError:
            return
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        size += len(message.get("body", b""))


def waits_s(header: str | None) -> float:
    """For how long a caller waits: `X-Nuclio-Invoke-Timeout`, a duration as Go writes it, such as "120s"; CVAT's default without it."""
    match = _DURATION.fullmatch(header or "")
    if match is None:
        return USUAL_WAIT_S
    return min(max(float(match[1]) * _UNITS_S[match[2]], 1.0), _LONGEST_WAIT_S)


async def _next(receive: Receive, timeout_s: float) -> MutableMapping[str, Any]:
    try:
        async with asyncio.timeout(max(0.0, timeout_s)):
            return await receive()
    except TimeoutError as error:
        raise TooSlowError from error
