"""Counts at the socket what a connection costs, and asks before each piece whether it may go.

What is written or read is counted at once; what the kernel says that it cost beyond that (headers, TLS, segments that were lost and sent
again) is added after each piece and at the end.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

import httpcore

from edge.errors import TransportError
from sync.link.sockets import kernel_traffic
from sync.sinks.sink import Free, Spend

PIECE_BYTES = 16 * 1024


class Meter(Spend, Protocol):
    """A `Spend` that is also told what nobody asked it for."""

    def may_begin(self, count_bytes: int) -> None:
        """A request with so many bytes is about to begin.

        Raises:
            TransportError: it may not, or would be cut off by the budget.
        """

    def cost_more(self, *, up_bytes: int, down_bytes: int) -> None:
        """So much passed beyond what was written and read."""


class FreeMeter(Free):
    """What costs nothing and knows no limit."""

    def may_begin(self, count_bytes: int) -> None:
        """See `Meter`."""

    def cost_more(self, *, up_bytes: int, down_bytes: int) -> None:
        """See `Meter`."""


class CountingBackend(httpcore.NetworkBackend):
    """Opens connections that are counted."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._backend = meter, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """See the base class."""
        stream = self._backend.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Counted(stream, _Tally(self._meter, stream.get_extra_info("socket")))


class _Tally:
    """What was counted of one connection, and what the kernel says."""

    def __init__(self, meter: Meter, connection: socket.socket) -> None:
        self._meter, self._connection = meter, connection
        self._up_bytes = self._down_bytes = 0
        self.look()

    def sending(self, count_bytes: int) -> None:
        self._meter.sent(count_bytes)
        self._up_bytes += count_bytes

    def received(self, count_bytes: int) -> None:
        self._meter.received(count_bytes)
        self._down_bytes += count_bytes

    def look(self, connection: socket.socket | None = None) -> None:
        """Ask the kernel. `connection`: what it is called now: TLS wraps it anew."""
        self._connection = connection or self._connection
        traffic = kernel_traffic(self._connection)
        if traffic is None:
            return
        up_bytes, down_bytes = max(0, traffic.up_bytes - self._up_bytes), max(0, traffic.down_bytes - self._down_bytes)
        if up_bytes or down_bytes:
            self._up_bytes += up_bytes
            self._down_bytes += down_bytes
            self._meter.cost_more(up_bytes=up_bytes, down_bytes=down_bytes)


class _Counted(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, tally: _Tally) -> None:
        self._stream, self._tally = stream, tally

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        content = self._stream.read(max_bytes, timeout)
        self._tally.received(len(content))
        self._tally.look()
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE_BYTES):
            piece = buffer[start : start + PIECE_BYTES]
            self._tally.sending(len(piece))
            self._stream.write(piece, timeout)
            self._tally.look()

    def close(self) -> None:
        with suppress(OSError, TransportError):
            self._tally.look()
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        self._tally.look(stream.get_extra_info("socket"))
        return _Counted(stream, self._tally)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
