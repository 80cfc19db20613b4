"""A TCP proxy on the loopback that does to connections what links and networks do.

with chaos(port) as proxy:
    proxy.plan(Trouble(cut_up_bytes=5000), None, Trouble(lie=PORTAL))   # what befalls the next connections, in order
    ... call proxy.url ...
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PAGE = b"<html>Sign in to the ship's Wi-Fi!</html>"
PORTAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_PAGE), _PAGE)
EMPTY_SUCCESS = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What befalls one connection.

    `cut_up_bytes`, `cut_down_bytes`: it breaks after so many bytes to, or from, the server. `stall_up_bytes`: nothing passes any more
    after so many, and it stays open. `slow_s`: before each piece. `twice`: everything reaches the server twice. `lie`: what answers
    instead of the server.
    """

    cut_up_bytes: int | None = None
    cut_down_bytes: int | None = None
    stall_up_bytes: int | None = None
    slow_s: float = 0.0
    twice: bool = False
    lie: bytes | None = None


@dataclass(slots=True)
class Chaos:
    """A running proxy. `up_bytes`, `down_bytes`: what passed each connection."""

    server_port: int
    listener: socket.socket
    plans: deque[Trouble | None] = field(default_factory=deque)
    always: Trouble | None = None
    up_bytes: list[int] = field(default_factory=list)
    down_bytes: list[int] = field(default_factory=list)
    open: list[socket.socket] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def plan(self, *troubles: Trouble | None) -> None:
        """What befalls the next connections; after those, `always` does."""
        self.plans.extend(troubles)

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            trouble = (self.plans.popleft() if self.plans else self.always) or Trouble()
            self.open.append(client)
            self.up_bytes.append(0)
            self.down_bytes.append(0)
            self.begin(self.handle, client, trouble, len(self.up_bytes) - 1)

    def begin(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self.threads.append(thread)
        thread.start()

    def handle(self, client: socket.socket, trouble: Trouble, number: int) -> None:
        if trouble.lie is not None:
            self.tell_a_lie(client, trouble.lie)
            return
        server = socket.create_connection(("127.0.0.1", self.server_port))
        self.open.append(server)
        shadows = []
        if trouble.twice:
            shadows.append(socket.create_connection(("127.0.0.1", self.server_port)))
            self.open += shadows
            self.begin(drain, shadows[0])
        self.begin(self.down, server, client, trouble, number)
        self.up(client, [server, *shadows], trouble, number)

    def up(self, client: socket.socket, servers: list[socket.socket], trouble: Trouble, number: int) -> None:
        with suppress(OSError):
            while piece := client.recv(8192):
                time.sleep(trouble.slow_s)
                room = (trouble.cut_up_bytes if trouble.cut_up_bytes is not None else 1 << 60) - self.up_bytes[number]
                if trouble.stall_up_bytes is not None and self.up_bytes[number] + len(piece) > trouble.stall_up_bytes:
                    return
                for server in servers:
                    server.sendall(piece[:room])
                self.up_bytes[number] += len(piece[:room])
                if len(piece) >= room:
                    break
        hang_up(client, *servers)

    def down(self, server: socket.socket, client: socket.socket, trouble: Trouble, number: int) -> None:
        with suppress(OSError):
            while piece := server.recv(8192):
                time.sleep(trouble.slow_s)
                room = (trouble.cut_down_bytes if trouble.cut_down_bytes is not None else 1 << 60) - self.down_bytes[number]
                client.sendall(piece[:room])
                self.down_bytes[number] += len(piece[:room])
                if len(piece) >= room:
                    break
        hang_up(client, server)

    def tell_a_lie(self, client: socket.socket, lie: bytes) -> None:
        """Read a request as long as it comes, and answer."""
        client.settimeout(0.15)
        with suppress(OSError):
            while client.recv(65536):
                pass
        with suppress(OSError):
            client.sendall(lie)
        hang_up(client)


def drain(connection: socket.socket) -> None:
    with suppress(OSError):
        while connection.recv(65536):
            pass


def hang_up(*connections: socket.socket) -> None:
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def chaos(server_port: int) -> Iterator[Chaos]:
    """A proxy before a server of the loopback."""
    proxy = Chaos(server_port, socket.create_server(("127.0.0.1", 0)))
    accepting = threading.Thread(target=proxy.serve, daemon=True)
    accepting.start()
    try:
        yield proxy
    finally:
        hang_up(proxy.listener)
        proxy.listener.close()
        accepting.join()
        hang_up(*proxy.open)
        for thread in list(proxy.threads):
            thread.join(5)
        for connection in proxy.open:
            connection.close()
