"""A hint for whoever types http:// (or no scheme at all) and meets the encrypted pages.

The listening socket itself looks at a connection before TLS does. Linux hands a connection over when its first bytes are there
(`TCP_DEFER_ACCEPT`), so the look never waits: a TLS connection begins with byte 22, and what begins with a letter is plain HTTP, which
gets one short answer. Elsewhere such a connection ends as TLS ends it, without words.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import Any

TLS_HANDSHAKE = 22
_LOOK_BYTES = 4096
_FIRST_BYTES_S = 5  # then a connection without any is handed to TLS, which has a limit of its own
_HOST = re.compile(rb"(?im)^host:[ \t]*([a-z0-9.:\[\]-]{1,255})[ \t]*\r?$")


class TlsDoor(socket.socket):
    """A listening socket for TLS; plain HTTP is answered with where to go, and never reaches the pages."""

    def listen(self, backlog: int = 128, /) -> None:
        """Listen; connections come with their first bytes where the system can do that."""
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _FIRST_BYTES_S)
        super().listen(backlog)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that is for TLS.

        Raises:
            BlockingIOError: there is none now.
        """
        while True:
            connection, address = super().accept()
            try:
                connection.setblocking(False)
                begin = connection.recv(1, socket.MSG_PEEK)
            except OSError:  # nothing has come yet, or it is gone again: TLS says so
                return connection, address
            if not begin.isalpha():
                return connection, address
            _answer(connection)


def _answer(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        asked = connection.recv(_LOOK_BYTES)  # read, or closing would take the answer back
        host = _HOST.search(asked)
        where = f"https://{host[1].decode('ascii')}/" if host else "https:// and the same address"
        text = f"These pages are encrypted. Go to {where}\n".encode("ascii")
        head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        head += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("ascii") + text)
        connection.shutdown(socket.SHUT_WR)
