"""No packet leaves the machine: not from an ingest, not from the service, not from openvino-telemetry.

Each command runs in a network of its own whose only way out is a recorder (tests/simulators/packet_recorder.py). The
controls show that the recorder sees what it must: a look-up, a connection, and openvino-telemetry when it is let.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.workbench import WorkshopMissingError, find_workshop
from tests.unit.conv_models import make_conv_pack, write_coloured_dataset

# Variables that keep telemetry from sending; what is under test must do without them.
CONSENTS = {"CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "NNCF_CI"}
OUT = "packets.json"
RECORDER = Path(__file__).parents[1] / "simulators" / "packet_recorder.py"

LOOK_UP = """
import contextlib, socket
with contextlib.suppress(OSError):
    socket.getaddrinfo("telemetry.example.org", 443)
"""

CONNECT = """
import contextlib, socket
for family, address in ((socket.AF_INET, "198.51.100.7"), (socket.AF_INET6, "2001:db8:1::7")):
    connection = socket.socket(family)
    connection.settimeout(0.5)
    with contextlib.suppress(OSError):
        connection.connect((address, 443))
"""

# ONNX Runtime sends some seconds after its import.
ONNX_RUNTIME = """
import time
import onnxruntime
onnxruntime.disable_telemetry_events()
time.sleep(30)
"""

QUIET_ONNX_RUNTIME = """
import time
from models.runtime.quiet import import_onnxruntime
import_onnxruntime()
time.sleep(30)
"""

LOOPBACK_ONLY = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).sendall(b"hello")
"""

OPENVINO_TELEMETRY = """
from openvino.tools.ovc.telemetry_utils import init_ovc_telemetry
telemetry = init_ovc_telemetry("control")
telemetry.send_event("ovc", "control", "control")
telemetry.force_shutdown(5)
"""

SERVE_AND_LOOK = """
import base64, json, os, shutil, subprocess, sys, time, urllib.request
from pathlib import Path

home, stills, program = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
address = "http://127.0.0.1:18765"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

def get(path):
    with opener.open(address + path, timeout=30) as answer:
        return answer.read()

def wait_for(condition, what):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{what} did not come")

def call_model(still):
    body = json.dumps({"image": base64.b64encode(still.read_bytes()).decode()}).encode()
    headers = {"x-nuclio-function-name": "burrow-openings-starter"}
    request = urllib.request.Request("http://127.0.0.1:18766/api/function_invocations", body, headers)
    with opener.open(request, timeout=60) as answer:
        assert isinstance(json.loads(answer.read()), list)

bridge = {"IMAGINE_EDGE_CVAT_BRIDGE": "true", "IMAGINE_EDGE_CVAT_PORT": "18766"}
service = subprocess.Popen([*program, "--home", str(home), "run", "--port", "18765"], env={**os.environ, **bridge})
try:
    wait_for(lambda: get("/healthz"), "the service")
    inbox = home / "inbox" / "burrows"
    names = [shutil.copy(still, inbox).rsplit("/", 1)[-1] for still in sorted(stills.iterdir())]
    wait_for(lambda: len(json.loads(get("/api/files?state=done&limit=100"))["files"]) >= len(names), "a result for every still")
    for page in ("/", "/files", "/failures", "/health", "/api/openapi.json"):
        get(page)
    call_model(next(stills.iterdir()))
finally:
    service.terminate()
    service.wait(60)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A command at work in a network of its own; its packets come to a file in `folder`, which is its user's home too."""

    recorder: subprocess.Popen[bytes]
    folder: Path


@pytest.fixture(scope="module", autouse=True)
def _can_make_a_network() -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        pytest.skip("needs root, unshare, ip and /dev/net/tun to make a network of its own")


def record(command: list[str], folder: Path) -> dict[str, Any]:
    """Exit code and packets of a command, run as a user without consent files and outside of CI."""
    return packets_of(start_recording(command, folder))


def start_recording(command: list[str], folder: Path) -> Recording:
    environment = {name: value for name, value in os.environ.items() if name not in CONSENTS}
    environment["HOME"] = str(folder)
    unshare = ["unshare", "--net", "--mount", sys.executable, str(RECORDER), str(folder / OUT), *command]
    return Recording(recorder=subprocess.Popen(unshare, env=environment, start_new_session=True), folder=folder)


def packets_of(recording: Recording) -> dict[str, Any]:
    try:
        recording.recorder.wait(timeout=280)
    finally:
        end(recording)
    seen: dict[str, Any] = json.loads((recording.folder / OUT).read_text())
    return seen


def end(recording: Recording) -> None:
    """The recorder and its command, if they are still there."""
    with suppress(ProcessLookupError):
        os.killpg(recording.recorder.pid, signal.SIGKILL)
    recording.recorder.wait()


@pytest.fixture(scope="module", autouse=True)
def waiting(_can_make_a_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Recording]]:
    """The programs that only wait for what ONNX Runtime does by itself; they wait while the other tests here are at work."""
    codes = (ONNX_RUNTIME, QUIET_ONNX_RUNTIME)
    recordings = {code: start_recording([sys.executable, "-c", code], tmp_path_factory.mktemp("waiting")) for code in codes}
    yield recordings
    for recording in recordings.values():
        end(recording)


def test_control_a_look_up_is_seen(tmp_path: Path) -> None:
    assert "udp 192.0.2.2 -> 192.0.2.53:53" in record([sys.executable, "-c", LOOK_UP], tmp_path)["packets"]


def test_control_a_connection_is_seen(tmp_path: Path) -> None:
    packets = record([sys.executable, "-c", CONNECT], tmp_path)["packets"]
    assert "tcp 192.0.2.2 -> 198.51.100.7:443" in packets
    assert "tcp 2001:db8::2 -> 2001:db8:1::7:443" in packets


def test_control_openvino_telemetry_is_seen_when_it_is_let(tmp_path: Path) -> None:
    assert record([sys.executable, "-c", OPENVINO_TELEMETRY], tmp_path)["packets"] != []


@pytest.mark.comes_last
def test_control_onnx_runtime_is_seen_when_it_is_let(waiting: dict[str, Recording]) -> None:
    assert packets_of(waiting[ONNX_RUNTIME])["packets"] != []


@pytest.mark.comes_last
def test_onnx_runtime_sends_nothing_and_leaves_no_identity(waiting: dict[str, Recording]) -> None:
    quiet = waiting[QUIET_ONNX_RUNTIME]
    assert packets_of(quiet) == {"exit_code": 0, "packets": []}
    assert not list(quiet.folder.rglob("*DeveloperTools*"))


def test_control_loopback_is_not_a_leak(tmp_path: Path) -> None:
    assert record([sys.executable, "-c", LOOPBACK_ONLY], tmp_path) == {"exit_code": 0, "packets": []}


def test_ingest_sends_no_packet(edge_command: list[str], rendered_tow: list[Path], tmp_path: Path) -> None:
    command = [*edge_command, "--home", str(tmp_path / "home"), "ingest", str(rendered_tow[0].parent), "--recipe", "burrows", "--json"]
    assert record(command, tmp_path) == {"exit_code": 0, "packets": []}


def test_service_sends_no_packet(edge_command: list[str], rendered_tow: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVE_AND_LOOK, str(tmp_path / "home"), str(rendered_tow[0].parent), *edge_command]
    assert record(command, tmp_path) == {"exit_code": 0, "packets": []}


def test_benchmark_sends_no_packet(edge_command: list[str], tmp_path: Path) -> None:
    """OpenVINO's benchmark_app is run by it, which would report its import."""
    pack = make_conv_pack(tmp_path / "pack")
    words = ["models", "benchmark", str(pack.path), "--seconds", "0.2", "--rounds", "1", "--json"]
    assert record([*edge_command, "--home", str(tmp_path / "home"), *words], tmp_path) == {"exit_code": 0, "packets": []}


def test_quantise_sends_no_packet(edge_command: list[str], tmp_path: Path) -> None:
    """NNCF and OpenVINO report their use, each in its own way, unless they are kept from it."""
    try:
        find_workshop(None)
    except WorkshopMissingError:
        pytest.skip("no workshop here (`make workshop`)")
    pack = make_conv_pack(tmp_path / "pack")
    data = write_coloured_dataset(tmp_path / "data", tows=4, images=10)
    words = ["models", "quantise", str(pack.path), "--data", str(data), "--out", str(tmp_path / "out"), "--speed-seconds", "0.05", "--json"]
    assert record([*edge_command, "--home", str(tmp_path / "home"), *words], tmp_path) == {"exit_code": 0, "packets": []}
