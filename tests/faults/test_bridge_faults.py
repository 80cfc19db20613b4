"""What breaks behind the models' address for CVAT: the child process, the port, callers that send slowly or go away, a full house."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from annotator_bridge.facade import bodies, listen, worker
from annotator_bridge.facade.listen import Listener, bridge_beside
from annotator_bridge.facade.record import read_record
from edge.errors import SettingsError
from edge.settings import Settings
from tests.helpers.bridge import bridge, client, invoke, make_home, picture, record_of, text_of

IMAGE = {"image": text_of(picture())}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("bridge") / "home")


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(what: Callable[[], object]) -> None:
    end_s = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.02)


class Beside:
    """A call that is made in a thread; its answer."""

    def __init__(self, listener: Listener, function: str, **headers: str) -> None:
        self._answers: list[httpx.Response] = []
        self._thread = threading.Thread(target=self._call, args=(listener, function, headers))
        self._thread.start()

    def _call(self, listener: Listener, function: str, headers: dict[str, str]) -> None:
        with client(listener) as cvat:
            self._answers.append(invoke(cvat, function, IMAGE, **headers))

    def answer(self) -> httpx.Response:
        self._thread.join()
        return self._answers[0]


# The child process -----------------------------------------------------------------------------------------------


def test_a_child_that_is_killed_is_told_and_the_next_call_has_a_new_one(home: Path) -> None:
    with bridge(home) as listener, client(listener) as cvat:
        assert invoke(cvat, "tiny", IMAGE).status_code == 200
        first = listener.worker.child_pid
        assert first is not None
        hanging = Beside(listener, "tiny-endless")
        wait_for(lambda: "tiny-endless" in {call.function_id for call in tuple(listener.worker._busy.values())})
        os.kill(first, signal.SIGKILL)
        answer = hanging.answer()
        assert answer.status_code == 500
        assert "SIGKILL" in answer.json()["error"]["message"]
        assert len(invoke(cvat, "tiny", IMAGE).json()) == 2
        assert listener.worker.child_pid not in {None, first}
        assert next(failure.code for failure in record_of(listener).failures if failure.function == "tiny-endless") == "worker_died"
        second = listener.worker.child_pid
    assert second is not None
    assert not psutil.pid_exists(second)  # nothing is left behind


def test_a_model_that_never_answers_is_504_and_what_ran_beside_it_is_begun_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LOOK_S", 0.1)
    with bridge(home, worker_timeout_s=1) as listener, client(listener) as cvat:
        assert invoke(cvat, "tiny", IMAGE).status_code == 200
        monkeypatch.setattr(worker, "LOADING_S", 0.3)  # not before: a child may take its time to start
        first = listener.worker.child_pid
        guilty = Beside(listener, "tiny-endless")
        wait_for(lambda: len(listener.worker._busy) == 1)
        (call,) = listener.worker._busy.values()
        innocent = Beside(listener, "tiny-endless", **{"X-Nuclio-Invoke-Timeout": "5s"})
        wait_for(lambda: len(listener.worker._busy) == 2)
        other = next(one for one in tuple(listener.worker._busy.values()) if one is not call)
        answer = guilty.answer()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timed_out")
        wait_for(lambda: other.attempts == 2)
        assert innocent.answer().status_code == 504  # it hangs as well; in a child of its own
        assert listener.worker.child_pid != first


def test_a_child_that_needs_too_much_memory_is_ended(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LOOK_S", 0.1)
    monkeypatch.setattr(worker, "_memory", lambda _: 1 << 40)
    with bridge(home) as listener, client(listener) as cvat:
        answer = invoke(cvat, "tiny-endless", IMAGE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "out_of_memory")
        assert "worker_memory_mb" in answer.json()["error"]["message"]


def test_a_child_that_nobody_calls_is_ended_and_the_next_call_has_another(home: Path) -> None:
    with bridge(home) as listener, client(listener) as cvat:
        listener.worker._idle_s = 0.3
        assert invoke(cvat, "tiny", IMAGE).status_code == 200
        wait_for(lambda: listener.worker.child_pid is None)
        assert invoke(cvat, "tiny", IMAGE).status_code == 200


# Callers ---------------------------------------------------------------------------------------------------------


def test_a_caller_that_goes_away_is_recorded_and_its_waiting_call_forgotten(home: Path) -> None:
    with bridge(home) as listener:
        slots = listener.worker._spec.threads
        running = [Beside(listener, "tiny-endless", **{"X-Nuclio-Invoke-Timeout": "2s"}) for _ in range(slots)]
        wait_for(lambda: len(listener.worker._busy) == slots)
        with client(listener) as cvat, pytest.raises(httpx.ReadTimeout):
            cvat.post("/api/function_invocations", json=IMAGE, headers={"x-nuclio-function-name": "tiny"}, timeout=0.3)
        wait_for(lambda: record_of(listener).failures and record_of(listener).failures[0].code == "caller_gone")
        assert listener.worker._turns._count == 0
        with client(listener) as cvat:  # one whose turn does not come in its time
            late = invoke(cvat, "tiny", IMAGE, **{"X-Nuclio-Invoke-Timeout": "1s"})
        assert (late.status_code, late.headers["retry-after"]) == (503, "5")
        assert {one.answer().status_code for one in running} == {504}


def test_a_full_house_is_503_with_a_time_to_come_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "MOST_WAITING", 0)
    with bridge(home) as listener, client(listener) as cvat:
        answer = invoke(cvat, "tiny", IMAGE)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert record_of(listener).failures[0].code == "busy"


def test_a_body_that_comes_too_slowly_is_408(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PIECE_S", 0.2)
    with bridge(home) as listener, _open(listener) as connection:
        head = "POST /api/function_invocations HTTP/1.1\r\nHost: x\r\nx-nuclio-function-name: tiny\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"image": "')
        assert b" 408 " in connection.recv(200)


def test_a_caller_that_says_nothing_is_let_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "_SILENT_S", 0.2)
    with bridge(home) as listener, _open(listener) as silent, _open(listener) as slow:
        slow.sendall(b"GET /api/functions HTTP/1.1\r\nHost:")
        assert silent.recv(10) == b""
        assert slow.recv(10) == b""
        with client(listener) as cvat:
            assert cvat.get("/api/functions").status_code == 200


def _open(listener: Listener) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(listener.url.rsplit(":", 1)[1])))
    connection.settimeout(30)
    return connection


# The port and the home folder ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.7"])
def test_an_address_that_cannot_be_had_is_told(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match=host) as raised:
        Listener(tmp_path, Settings(cvat_host=host, cvat_port=taken.getsockname()[1]))
    assert "cvat_port" in raised.value.advice()


def test_beside_an_appliance_a_taken_port_is_a_fault_in_the_record_and_no_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(cvat_bridge=True, cvat_port=taken.getsockname()[1])
        with bridge_beside(tmp_path, settings) as listener:
            assert listener is None
            record = read_record(tmp_path)
            assert record is not None
            assert str(settings.cvat_port) in record.fault
            assert not record.is_serving
    with bridge_beside(tmp_path, Settings(cvat_bridge=True, cvat_port=0)) as listener:
        assert listener is not None
        record = read_record(tmp_path)
        assert record is not None
        assert (record.fault, record.url, record.is_serving) == ("", listener.url, True)
    after = read_record(tmp_path)
    assert after is not None
    assert after.url == ""


def test_an_address_that_becomes_free_later_is_served_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "_AGAIN_S", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    settings = Settings(cvat_bridge=True, cvat_port=taken.getsockname()[1])
    with bridge_beside(tmp_path, settings):
        taken.close()
        wait_for(lambda: (record := read_record(tmp_path)) is not None and record.is_serving)
        record = read_record(tmp_path)
        assert record is not None
        assert record.fault == ""
        assert httpx.get(f"{record.url}/api/functions", trust_env=False).status_code == 200


def test_an_appliance_without_the_bridge_serves_nothing(tmp_path: Path) -> None:
    with bridge_beside(tmp_path, Settings(cvat_bridge=False)) as listener:
        assert listener is None
    assert read_record(tmp_path) is None


def test_a_record_that_cannot_be_written_stops_no_call(home: Path, tmp_path: Path) -> None:
    (tmp_path / "cvat").write_text("in the way")
    with bridge(tmp_path) as listener, client(listener) as cvat:
        assert cvat.get("/api/functions").status_code == 200
        assert cvat.get("/api/functions/nowhere").status_code == 404


LISTS_LIGHTLY = """
import sys, urllib.request
from pathlib import Path
from annotator_bridge.facade.listen import Listener
from edge.settings import Settings

listener = Listener(Path(sys.argv[1]), Settings(cvat_port=0))
listener.start()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
assert b"burrow-openings-starter" in opener.open(listener.url + "/api/functions").read()
listener.stop()
sys.exit(sorted({"cv2", "openvino", "onnxruntime", "av", "PIL"} & sys.modules.keys()) or None)
"""


def test_the_appliances_own_process_loads_no_image_library_for_it(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", LISTS_LIGHTLY, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")


# The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def serving(edge_command: list[str], tmp_path: Path, free_port: int) -> Iterator[subprocess.Popen[str]]:
    command = [*edge_command, "--home", str(tmp_path / "home"), "cvat", "serve", "--port", str(free_port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


def test_serve_answers_on_its_port_without_a_database_and_ends_when_asked(
    serving: subprocess.Popen[str], free_port: int, tmp_path: Path
) -> None:
    assert serving.stdout is not None
    said: list[str] = []
    while not said or "Models for CVAT" not in said[-1]:
        said.append(serving.stdout.readline())
        assert said[-1], "it ended before it served"
    assert any("burrow-openings-starter" in line for line in said)
    url = f"http://127.0.0.1:{free_port}"
    assert url in said[-1]
    wait_for(lambda: (record := read_record(tmp_path / "home")) is not None and record.is_serving)
    answer = httpx.get(f"{url}/api/functions", trust_env=False)
    assert "burrow-openings-starter" in answer.json()
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(60) == 0
    assert not (tmp_path / "home" / "edge.db").exists()
    record = read_record(tmp_path / "home")
    assert record is not None
    assert not record.is_serving


def test_serve_says_what_to_do_about_a_taken_port(edge_command: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [*edge_command, "--home", str(tmp_path), "cvat", "serve", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == SettingsError.exit_code
    assert "cannot be served" in ended.stderr
    assert "another port" in ended.stderr
