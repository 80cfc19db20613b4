"""Sockets for long and lossy links, and what the kernel says that they cost.

BBR keeps its rate where cubic takes every lost packet for a full link (2 Mbit/s, 600 ms, 2 % loss: see tests/benchmarks/link_goodput.py).
It is asked for only where the kernel has it, for this program's connections alone.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from functools import cache

STALL_S = 120.0
"""A connection that brings nothing over for so long is given up, whatever it waits for."""
UNSENT_BYTES = 64 * 1024
"""So much may wait in the kernel: more would be counted as sent long before it is, and a pause would come too late."""

_IDLE_S, _BETWEEN_S, _PROBES = 60, 20, 3
_HEADER_BYTES = {socket.AF_INET: 20 + 32, socket.AF_INET6: 40 + 32}  # IP, and TCP with timestamps
_SEGMENTS = struct.Struct("=II")
_BYTES = struct.Struct("=Q")
_AT_RECEIVED, _AT_SEGMENTS, _AT_SENT = 128, 136, 200  # struct tcp_info, linux/include/uapi/linux/tcp.h; its beginning never changes
_INFO_BYTES = 232

Option = tuple[int, int, int] | tuple[int, int, bytes]


@cache
def congestion_control() -> str | None:
    """`bbr` where the kernel has it for us, else None: the system's own then."""
    if not hasattr(socket, "TCP_CONGESTION"):
        return None
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"bbr")
        except OSError:
            return None
    return "bbr"


def socket_options() -> list[Option]:
    """What every connection over a link is opened with, as far as the system knows it."""
    options: list[Option] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    wanted = {
        "TCP_KEEPIDLE": _IDLE_S,
        "TCP_KEEPINTVL": _BETWEEN_S,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": int(STALL_S * 1000),
        "TCP_NOTSENT_LOWAT": UNSENT_BYTES,
    }
    options += [(socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in wanted.items() if hasattr(socket, name)]
    if name := congestion_control():
        options.append((socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode()))
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What passed over a connection so far, on the wire: with headers of IP and TCP, and with what was sent again."""

    up_bytes: int
    down_bytes: int


def kernel_traffic(connection: socket.socket) -> Traffic | None:
    """What the kernel counted for a connection of TCP; None where it does not tell (not Linux, or before 4.19).

    tcpi_bytes_sent has the payload with every retransmission (RFC 4898, tcpEStatsPerfHCDataOctetsOut); headers are reckoned by segments.
    """
    if not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:
        return None
    if len(info) < _AT_SENT + _BYTES.size:
        return None
    segments_out, segments_in = _SEGMENTS.unpack_from(info, _AT_SEGMENTS)
    header_bytes = _HEADER_BYTES.get(connection.family, 0)
    return Traffic(
        up_bytes=_BYTES.unpack_from(info, _AT_SENT)[0] + segments_out * header_bytes,
        down_bytes=_BYTES.unpack_from(info, _AT_RECEIVED)[0] + segments_in * header_bytes,
    )
