"""A network with one way out, which leads into a file: run a command and record every packet it tries to send.

Usage, as root: unshare --net --mount python packet_recorder.py OUT.json COMMAND [ARGUMENT ...]

Inside its own network namespace the loopback works as usual. Every other destination, IPv4 and IPv6, broadcast and
multicast, is routed into a TUN device whose other end is this program: a packet that would have left the ship is
written down, and is never answered. Names are asked of 192.0.2.53 (a documentation address), so a look-up is a packet too.
Leaves OUT.json, {"exit_code": n, "packets": ["udp 192.0.2.2 -> 192.0.2.53:53", ...]}, and exits with the command's exit code.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

TUNSETIFF = 0x400454CA
IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
DEVICE = "edgeout0"
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}
# Neighbour, router and multicast-listener messages come from the kernel whenever an interface with IPv6 comes up.
KERNEL_ICMP6_TYPES = frozenset({131, 132, 133, 135, 136, 143})


def describe(packet: bytes) -> str | None:
    """Protocol, source and destination of an IP packet; None for what the kernel sends on its own."""
    if packet[0] >> 4 == 4:
        header_length, protocol = (packet[0] & 15) * 4, packet[9]
        source, destination = ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20])
    else:
        header_length, protocol = 40, packet[6]
        if protocol == 0:  # hop-by-hop options come first in multicast-listener reports
            header_length, protocol = 40 + (packet[41] + 1) * 8, packet[40]
        source, destination = ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40])
    if protocol == 58 and packet[header_length] in KERNEL_ICMP6_TYPES:
        return None
    port = f":{struct.unpack_from('!H', packet, header_length + 2)[0]}" if protocol in {6, 17} else ""
    return f"{PROTOCOLS.get(protocol, protocol)} {source} -> {destination}{port}"


def make_network() -> int:
    """Bring up the loopback and the way out; returns the descriptor that gets the packets."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN_WITHOUT_HEADER))
    for command in (
        "link set lo up",
        f"link set {DEVICE} up",
        f"addr add 192.0.2.2/24 dev {DEVICE}",
        f"route add default dev {DEVICE}",
        f"-6 addr add 2001:db8::2/64 dev {DEVICE} nodad",
        f"-6 route add default dev {DEVICE}",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    return descriptor


def ask_names_of(address: str) -> None:
    """Make the resolver of this mount namespace ask one server, whatever the host is set to."""
    with tempfile.NamedTemporaryFile("w", suffix=".resolv", delete=False) as file:
        file.write(f"nameserver {address}\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", file.name, str(Path("/etc/resolv.conf").resolve())], check=True)
    Path(file.name).unlink()  # the mount keeps it


def main(arguments: list[str]) -> int:
    """Run the command in the recorded network."""
    out, command = Path(arguments[0]), arguments[1:]
    descriptor = make_network()
    ask_names_of("192.0.2.53")
    packets: list[str] = []

    def record() -> None:
        while True:
            text = describe(os.read(descriptor, 65_536))
            if text is not None:
                packets.append(text)

    threading.Thread(target=record, daemon=True).start()
    exit_code = subprocess.run(command, check=False).returncode
    threading.Event().wait(0.2)  # a packet sent last is still on its way through the device
    out.write_text(json.dumps({"exit_code": exit_code, "packets": packets}), encoding="utf-8")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
