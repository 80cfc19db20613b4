"""`imagine-edge selftest`: does everything that the appliance stands on work on this machine, from these very files?

Made for the frozen appliance, where a library that was not packed shows only when it is opened; works from a checkout
too. Touches no home folder but a temporary one, and no network but the loopback.
"""

from __future__ import annotations

import json
import platform
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge import __version__
from edge.ingest.watcher import Hints, Watcher
from edge.store.seal import RUN_STEP_BYTES, open_seal
from edge.store.sqlite import sqlite3, wal_is_safe
from edge.survey.exchange.workbook import write_workbook
from edge.survey.navigation.distance import leg_m
from edge.survey.navigation.fixes import Window
from edge.survey.navigation.read import read_log
from edge.survey.sheet.land import is_land
from edge.survey.sheet.table import read_table
from edge.web.tls import own_certificate
from models.manifest import Runtime
from models.pack import Pack, verify_pack

STARTER_PACK = "burrow-openings-starter"
WAIT_S = 60.0
# Ten minutes at 0.8 knots along a meridian.
NMEA = """$GPRMC,120000,A,5110.0000,N,00637.0000,W,0.8,000.0,030626,,,A*6F
$GPRMC,121000,A,5110.1333,N,00637.0000,W,0.8,000.0,030626,,,A*6C
"""


class SelftestError(Exception):
    """A check ran and found something wrong; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check ended. `detail` says what was seen, or why it failed."""

    name: str
    passed: bool
    detail: str
    elapsed_s: float


def selftest(*, as_json: bool) -> int:
    """Run every check and print how each ended. Returns the exit code: 0, or 1 if a check failed."""
    with tempfile.TemporaryDirectory(prefix="imagine-edge-selftest-") as folder:
        outcomes = [run_check(name, check, Path(folder)) for name, check in CHECKS]
    if as_json:
        print(json.dumps({"version": __version__, "passed": _all_passed(outcomes), "checks": [asdict(outcome) for outcome in outcomes]}))
    else:
        _print_table(outcomes)
    return 0 if _all_passed(outcomes) else 1


def run_check(name: str, check: Callable[[Path], str], workspace: Path) -> Outcome:
    """Run one check in the workspace; whatever it raises is its reason."""
    started_s = time.monotonic()
    try:
        passed, detail = True, check(workspace)
    except Exception as error:  # noqa: BLE001 - a check may meet anything a broken bundle can do; it becomes the outcome
        passed, detail = False, f"{type(error).__name__}: {error}"
    return Outcome(name=name, passed=passed, detail=detail, elapsed_s=round(time.monotonic() - started_s, 3))


def starter_pack() -> Pack:
    """The pack that comes with the appliance, each file verified."""
    return verify_pack(Path(str(files("models"))) / "packs" / STARTER_PACK)


def check_openvino_ir(_: Path) -> str:
    """OpenVINO reads an IR file and compiles it for the CPU."""
    return _compile_with_openvino(_weights("openvino"))


def check_openvino_onnx(_: Path) -> str:
    """OpenVINO reads an ONNX file and compiles it for the CPU."""
    return _compile_with_openvino(_weights("onnxruntime"))


def check_onnx_runtime(_: Path) -> str:
    """ONNX Runtime runs a model once."""
    import numpy as np

    from models.runtime.quiet import import_onnxruntime

    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(str(_weights("onnxruntime")), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    spec = starter_pack().manifest.input
    outputs = session.run(None, {entry.name: np.zeros((1, 3, spec.height_px, spec.width_px), np.float32)})
    return f"ONNX Runtime {onnxruntime.__version__}, output {outputs[0].shape}"


def check_opencv(_: Path) -> str:
    """OpenCV decodes the pack's first golden image."""
    import cv2

    path = _golden_image()
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SelftestError(f"{path.name} was not decoded")
    return f"OpenCV {cv2.__version__}, {path.name} is {image.shape[1]} x {image.shape[0]}"


def check_clip(workspace: Path) -> str:
    """A clip of one second is written and read by its presentation times, and every decoder that clips may need is there."""
    import av
    import numpy as np

    from edge.pipeline.video import ClipReader
    from edge.pipeline.video.ffmpeg import VIDEO_DECODERS

    missing = sorted(name for name in VIDEO_DECODERS if not _has_decoder(name))
    if missing:
        raise SelftestError(f"no decoder for {', '.join(missing)}")
    path = workspace / "second.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)  # an encoder that every build of FFmpeg has
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(26):
            grey = np.full((240, 320, 3), 40 + 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    with ClipReader(path, rate_hz=5.0) as reader:
        times = [round(frame.at_s, 3) for frame in reader.frames()]
        faults = reader.faults
    if times != [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] or faults:
        raise SelftestError(f"frames at {times}, {faults}")
    return f"PyAV {av.__version__}, {len(times)} frames of a second"


def check_sqlite(workspace: Path) -> str:
    """SQLite writes in WAL mode, and is a version whose WAL cannot be damaged."""
    connection = sqlite3.connect(workspace / "selftest.db")
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("CREATE TABLE tried (id INTEGER PRIMARY KEY) STRICT")
    finally:
        connection.close()
    if mode != "wal":
        raise SelftestError(f"journal mode is {mode}, not wal")
    if not wal_is_safe():
        raise SelftestError(f"SQLite {sqlite3.sqlite_version} can damage a WAL database")
    return f"SQLite {sqlite3.sqlite_version}, WAL is safe"


def check_watcher(workspace: Path) -> str:
    """The watcher sees a file that is dropped into a folder."""
    folder, wake = workspace / "watched", threading.Event()
    folder.mkdir()
    hints = Hints(wake)
    watcher = Watcher(hints)
    try:
        if not watcher.watch(folder):
            raise SelftestError("the folder cannot be watched; files are still found by rescanning")
        (folder / "dropped.jpg").write_bytes(b"x")
        if not wake.wait(10.0):
            raise SelftestError("no event within 10 s")
    finally:
        watcher.stop()
    return "a dropped file was seen"


def check_detection(workspace: Path) -> str:
    """One still goes the whole way: folder, queue, worker process, model, database."""
    stills = workspace / "stills"
    stills.mkdir()
    shutil.copy(_golden_image(), stills)
    command = [*own_command(), "--home", str(workspace / "home"), "ingest", str(stills), "--recipe", "burrows", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S * 3)
    if ran.returncode != 0:
        raise SelftestError(f"ingest ended with exit code {ran.returncode}: {ran.stderr.strip()[-500:]}")
    result = json.loads(ran.stdout.splitlines()[-1])
    if (result["done"], result["quarantined"]) != (1, 0) or result["objects"] < 1:
        raise SelftestError(f"the golden image gave {result}")
    return f"{result['objects']} objects in the golden image"


def check_web(workspace: Path) -> str:
    """The service starts and answers on the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*own_command(), "--home", str(workspace / "home"), "run", "--port", str(port)]
    with (workspace / "service.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as service:
        try:
            seen = [f"{path} {_get(port, path, service)} bytes" for path in ("/healthz", "/", "/api/openapi.json")]
        except SelftestError as error:
            raise SelftestError(f"{error}: {(workspace / 'service.log').read_text()[-500:]}") from error
        finally:
            service.terminate()
            service.wait(WAIT_S)
    return ", ".join(seen)


def check_keys(workspace: Path) -> str:
    """What is sealed opens again, and a certificate for the ship's network can be made."""
    home = workspace / "keys-home"
    home.mkdir()
    sealed = open_seal(home).close(b"37 systems", "selftest", step_bytes=RUN_STEP_BYTES)
    if open_seal(home).open(sealed, "selftest") != b"37 systems":
        raise SelftestError("a seal opened to something else")
    made = own_certificate(home, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate_path, made.key_path)
    return f"{ssl.OPENSSL_VERSION}, certificate {made.sha256[:8]}..."


def check_survey(workspace: Path) -> str:
    """A navigation log is read and measured, a station sheet comes out of a workbook, and the grid of land is there."""
    log = workspace / "ship.log"
    log.write_text(NMEA, encoding="ascii", newline="\r\n")
    (fixes,) = read_log(log, Window()).log.streams.values()
    first, last = fixes[0], fixes[-1]
    distance_m = leg_m(first.latitude_deg, first.longitude_deg, last.latitude_deg, last.longitude_deg)
    workbook = workspace / "sheet.xlsx"
    write_workbook(workbook, [("stations", ("Station", "SurveyID"), [("S01", "T2026")])])
    station = read_table(workbook.read_bytes(), workbook.name).rows[-1].cells[0]
    if station != "S01" or not 245 < distance_m < 250 or not is_land(53.3, -7.5):
        raise SelftestError(f"station {station}, {distance_m:.1f} m")
    return f"{len(fixes)} fixes, {distance_m:.1f} m, station {station} from a workbook"


CHECKS: tuple[tuple[str, Callable[[Path], str]], ...] = (
    ("SQLite", check_sqlite),
    ("Folder watcher", check_watcher),
    ("OpenCV", check_opencv),
    ("Clips", check_clip),
    ("OpenVINO, IR file", check_openvino_ir),
    ("OpenVINO, ONNX file", check_openvino_onnx),
    ("ONNX Runtime", check_onnx_runtime),
    ("Detection, whole way", check_detection),
    ("Seal and certificate", check_keys),
    ("Navigation and sheets", check_survey),
    ("Pages on the loopback", check_web),
)


def own_command() -> list[str]:
    """How to start this very program again."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, "-c", "from edge.cli import main; main()"]


def _weights(runtime: Runtime) -> Path:
    pack = starter_pack()
    for variant in pack.manifest.variants:
        if variant.runtime == runtime:
            return pack.file_path(variant.files[0])
    raise SelftestError(f"pack {pack.manifest.name} has no variant for {runtime}")


def _has_decoder(name: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, "r")
    except UnknownCodecError:
        return False
    return True


def _golden_image() -> Path:
    pack = starter_pack()
    return pack.file_path(pack.manifest.goldens[0].image)


def _compile_with_openvino(weights: Path) -> str:
    from models.runtime.quiet import import_openvino

    openvino = import_openvino()
    core = openvino.Core()
    core.compile_model(core.read_model(weights), "CPU")
    return f"OpenVINO {openvino.__version__.split('-')[0]}, {weights.name} on CPU"


def _get(port: int, path: str, service: subprocess.Popen[bytes]) -> int:
    """Length of the answer to GET, in bytes; waits for a service that is still starting."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end_s = time.monotonic() + WAIT_S
    while True:
        try:
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=WAIT_S) as answer:
                return len(answer.read())
        except urllib.error.HTTPError as error:
            raise SelftestError(f"{path} answered {error.code}") from error
        except OSError as error:
            if service.poll() is not None:
                raise SelftestError(f"the service ended with exit code {service.returncode}") from error
            if time.monotonic() > end_s:
                raise SelftestError(f"{path} did not answer within {WAIT_S:.0f} s") from error
            time.sleep(0.1)


def _all_passed(outcomes: list[Outcome]) -> bool:
    return all(outcome.passed for outcome in outcomes)


def _print_table(outcomes: list[Outcome]) -> None:
    table = Table("check", "", "seen", "s", title=f"iMagine Edge {__version__} on {platform.platform()}")
    for outcome in outcomes:
        table.add_row(outcome.name, "ok" if outcome.passed else "FAILED", Text(outcome.detail), f"{outcome.elapsed_s:.1f}")
    Console().print(table)
