"""A link by satellite between two networks of this machine: rate, delay, loss and a queue, for real TCP of the kernel.

Usage, as root: python -m tests.simulators.satellite_link '{"rate_kbps": 128, "round_trip_s": 0.6, "loss": 0.02, "sizes": [512000], ...}'

Two network namespaces, each with a TUN device; this program carries packets from one to the other (no `sch_netem` is needed). A bucket
(tests/simulators/bucket.py) runs on the far side, and bundles are brought to it by the real sink. Prints one line of JSON: how long each
took from the first question to the confirmation, what was counted, and what really passed.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
DEVICE = "sat0"
SHIP, SHORE = "10.9.0.1", "10.9.0.2"


def new_network(own: str, other: str) -> int:
    """Put this thread into a network of its own, with a way to the other one. Returns the descriptor of its packets."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no network of our own")
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_WITHOUT_HEADER))
    for command in ("link set lo up", f"addr add {own} peer {other} dev {DEVICE}", f"link set {DEVICE} mtu 1500 up"):
        subprocess.run(["ip", *command.split()], check=True)
    return descriptor


@dataclass
class Way:
    """One direction of the link. `passed_bytes`: of packets that were given to it."""

    source: int
    target: int
    rate_kbps: float
    delay_s: float
    loss: float
    queue_bytes: int
    chance: random.Random
    passed_bytes: int = 0
    lost_packets: int = 0
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    news: threading.Condition = field(default_factory=threading.Condition)

    def read(self) -> None:
        free_at_s = time.monotonic()
        while True:
            packet = os.read(self.source, 4096)
            now_s = time.monotonic()
            self.passed_bytes += len(packet)
            free_at_s = max(now_s, free_at_s)
            backlog_bytes = (free_at_s - now_s) * self.rate_kbps * 125
            if backlog_bytes + len(packet) > self.queue_bytes:
                self.lost_packets += 1
                continue
            free_at_s += len(packet) / (self.rate_kbps * 125)
            if self.chance.random() < self.loss:
                self.lost_packets += 1
                continue
            with self.news:
                self.waiting.append((free_at_s + self.delay_s, packet))
                self.news.notify()

    def write(self) -> None:
        while True:
            with self.news:
                while not self.waiting:
                    self.news.wait()
                due_s, packet = self.waiting.popleft()
            time.sleep(max(0.0, due_s - time.monotonic()))
            os.write(self.target, packet)

    def begin(self) -> None:
        for work in (self.read, self.write):
            threading.Thread(target=work, daemon=True).start()


def shore(channel: socket.socket) -> None:
    """The far side: its network, then its bucket, until it is ended."""
    from tests.simulators.bucket import bucket

    socket.send_fds(channel, [b"x"], [new_network(SHORE, SHIP)])
    with bucket("0.0.0.0") as far_side:  # noqa: S104 (a network of its own)
        channel.sendall(str(far_side.port).encode())
        signal.pause()


def bring(port: int, about: dict[str, Any]) -> dict[str, Any]:
    """Bring a bundle of each size, and say what that took."""
    from edge.sink_settings import SinkSettings
    from sync.link import sockets
    from sync.sinks.s3 import S3Sink
    from sync.sinks.secrets import Secret
    from tests.helpers.ashore import Meter, cargo
    from tests.simulators.bucket import NAME

    sockets.congestion_control.cache_clear()
    if "congestion" in about:
        sockets.congestion_control = lambda: about["congestion"]  # type: ignore[assignment]
    meter = Meter()
    settings = SinkSettings(name="sat", kind="s3", url=f"http://{SHORE}:{port}", bucket=NAME, plain_http=True)
    sink = S3Sink(settings, Secret(name="AKIDEXAMPLE", word="a-secret-of-nobody"), meter)
    took_s, held = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, size_bytes in enumerate(about["sizes"]):
            sent = cargo(Path(folder), size_bytes, seed=number + 1)
            begun_s = time.monotonic()
            assert not sent.is_held(sink)
            sent.put(sink)
            held.append(sent.is_held(sink))
            took_s.append(time.monotonic() - begun_s)
    sink.close()
    return {
        "took_s": took_s,
        "held": held,
        "written_bytes": meter.up_bytes,
        "counted_bytes": meter.up_bytes + meter.down_bytes + meter.more_bytes,
        "congestion": sockets.congestion_control() or "system",
    }


def main(about: dict[str, Any]) -> int:
    """Both sides and the link between them."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        shore(theirs)
        os._exit(0)
    try:
        _, [far], _, _ = socket.recv_fds(ours, 1, 1)
        near = new_network(SHIP, SHORE)
        rate_kbps, delay_s = about["rate_kbps"], about["round_trip_s"] / 2
        queue_bytes = max(20_000, int(rate_kbps * 125 * about["round_trip_s"]))
        chance = random.Random(about.get("seed", 1))
        ways = [Way(near, far, rate_kbps, delay_s, about["loss"], queue_bytes, chance)]
        ways.append(Way(far, near, rate_kbps, delay_s, about["loss"], queue_bytes, chance))
        port = int(ours.recv(16))
        for way in ways:
            way.begin()
        found = bring(port, about)
        found["passed_bytes"] = sum(way.passed_bytes for way in ways)
        found["lost_packets"] = sum(way.lost_packets for way in ways)
        print(json.dumps(found), flush=True)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
