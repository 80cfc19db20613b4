"""A worker that crashes, hangs, grows too large or answers nonsense: the guilty file is listed, all others have results."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

from edge.store.connection import DATABASE_NAME, open_writer
from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, query, states, wait_until, write_picture
from tests.unit.tiny_models import CELL_PX, cell_boxes, detector_onnx, model, node

INNOCENT = 12
POISON = "poison.png"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    make_tiny_home(folder, tmp_path / "pack")
    return folder


@pytest.fixture
def drop(home: Path) -> Path:
    """The inbox, with innocent pictures and a large one that a worker holds for a while."""
    from models.runtime.vision import cv2

    inbox = home / "inbox" / "burrows"
    for number in range(INNOCENT):
        write_picture(inbox, f"{number}.png", seed=number)
    large = np.zeros((9_000, 11_000, 3), np.uint16)
    large[::97] = 40_000
    cv2.imwrite(str(inbox / POISON), large)
    return inbox


def set_options(home: Path, text: str) -> None:
    with (home / "settings.toml").open("a") as settings:
        settings.write(text)


def strike_whenever_poison_is_in_hand(appliance: RunningAppliance, strike: signal.Signals) -> None:
    struck: set[int] = set()

    def is_listed() -> bool:
        live = appliance.ask("/api/status")["live"]
        pid = live["workers"][0]["pid"]
        if POISON in live["in_flight"] and pid is not None and pid not in struck:
            struck.add(pid)
            os.kill(pid, strike)
        return states(appliance.home).get("quarantined", 0) > 0

    wait_until(is_listed, f"{POISON} is listed as a failure")


def assert_only_poison_failed(home: Path, reason: str) -> None:
    wait_until(lambda: states(home) == {"done": INNOCENT, "quarantined": 1}, f"all others have results, not {states(home)}")
    assert query(home, "SELECT name, reason FROM v_files WHERE state = 'quarantined'") == [(POISON, reason)]
    assert query(home, "SELECT attempts FROM jobs WHERE state = 'quarantined'") == [(3,)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("strike", "reason"), [(signal.SIGSEGV, "worker_died"), (signal.SIGSTOP, "timed_out")])
def test_a_worker_that_crashes_or_hangs(home: Path, drop: Path, strike: signal.Signals, reason: str) -> None:
    set_options(home, "worker_timeout_s = 3.0\n" if strike is signal.SIGSTOP else "")
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    strike_whenever_poison_is_in_hand(appliance, strike)
    assert_only_poison_failed(home, reason)
    assert appliance.stop() == 0
    assert_accounted_for(home, INNOCENT + 1)


@pytest.mark.timeout(300)
def test_a_worker_that_grows_too_large(home: Path, drop: Path) -> None:
    set_options(home, "worker_memory_mb = 512\n")
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    assert_only_poison_failed(home, "out_of_memory")
    assert appliance.stop() == 0


@pytest.mark.timeout(300)
def test_a_retry_after_the_cause_is_gone(home: Path, drop: Path) -> None:
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    strike_whenever_poison_is_in_hand(appliance, signal.SIGKILL)
    appliance.post("/api/files/retry", {"all": True})
    wait_until(lambda: states(home) == {"done": INNOCENT + 1}, "the file has its result after all")
    assert appliance.stop() == 0


@pytest.mark.timeout(300)
def test_a_model_that_returns_nan_is_refused_with_its_reason(tmp_path: Path) -> None:
    from edge.errors import ModelError

    with pytest.raises(ModelError, match="from nan to nan"):
        make_tiny_home(tmp_path / "home", tmp_path / "pack", onnx=detector_onnx(factor=float("nan")))


@pytest.mark.timeout(300)
def test_no_worker_outlives_its_parent(home: Path, drop: Path) -> None:
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: appliance.worker_pid() is not None, "there is a worker")
    children = appliance.kill()
    assert len(children) >= 2, "a worker and the tracker of its resources"
    assert psutil.wait_procs(children, timeout=60)[1] == []


@pytest.mark.timeout(300)
def test_a_worker_that_hangs_while_it_is_idle(home: Path) -> None:
    """It never says that it has begun: nobody is guilty, the next worker does the work."""
    set_options(home, "worker_timeout_s = 2.0\n")
    inbox = home / "inbox" / "burrows"
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    write_picture(inbox, "first.png", seed=1)
    wait_until(lambda: states(home) == {"done": 1}, "the worker is at work")
    pid = appliance.worker_pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    write_picture(inbox, "second.png", seed=2)
    wait_until(lambda: states(home) == {"done": 2}, "another worker has taken over")
    assert not psutil.pid_exists(pid)
    assert query(home, "SELECT max(attempts) FROM jobs") == [(0,)]
    assert appliance.stop() == 0


@pytest.mark.timeout(300)
def test_a_worker_that_ends_while_it_starts(home: Path) -> None:
    """Killed as often as it appears for a while; then it is let live."""
    inbox = home / "inbox" / "burrows"
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    killed: set[int] = set()

    def kill_the_next() -> bool:
        pid = appliance.worker_pid()
        if pid is not None and pid not in killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        return len(killed) >= 2

    wait_until(kill_the_next, "two workers were killed")
    write_picture(inbox, "a.png", seed=1)
    wait_until(lambda: states(home) == {"done": 1}, "a later worker does the work")
    assert appliance.stop() == 0


@pytest.mark.timeout(300)
def test_not_even_a_worker_that_hangs_outlives_its_parent(home: Path) -> None:
    """It cannot see that its link is closed."""
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: appliance.worker_pid() is not None, "there is a worker")
    write_picture(home / "inbox" / "burrows", "a.png", seed=1)
    wait_until(lambda: states(home) == {"done": 1}, "the worker is at work")
    pid = appliance.worker_pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    worker = psutil.Process(pid)
    appliance.kill()
    assert psutil.wait_procs([worker], timeout=30)[1] == []


def nan_where_it_is_black() -> bytes:
    """The tiny detector with scores x * (m / m), m the mean of all: the same but for a black image, where 0 / 0 is not a number."""
    boxes = cell_boxes(64, 64)
    count = boxes.shape[1]
    return model(
        [
            node("AveragePool", ["images"], "cells", kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
            node("Reshape", ["cells", "flat"], "means"),
            node("ReduceMean", ["means"], "mean", keepdims=1),
            node("Div", ["mean", "mean"], "one"),
            node("Mul", ["means", "one"], "scores"),
            node("Concat", ["boxes", "scores"], "output", axis=1),
        ],
        {"flat": np.array([1, 3, count]), "boxes": boxes[None]},
        {"images": (1, 3, 64, 64)},
        {"output": (1, 7, count)},
    )


@pytest.mark.timeout(300)
def test_a_model_that_returns_nan_for_one_image(tmp_path: Path) -> None:
    """Its goldens held, so it is in use; the image is tried again and then listed, never taken for one without objects."""
    from models.runtime.vision import cv2

    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack", onnx=nan_where_it_is_black())
    inbox = home / "inbox" / "burrows"
    for number in range(INNOCENT):
        write_picture(inbox, f"{number}.png", seed=number)
    cv2.imwrite(str(inbox / POISON), np.zeros((64, 64, 3), np.uint8))
    appliance = RunningAppliance(home)
    assert_only_poison_failed(home, "model_failed")
    assert appliance.stop() == 0
    assert_accounted_for(home, INNOCENT + 1)


@pytest.mark.timeout(300)
def test_a_result_that_the_database_refuses(home: Path) -> None:
    """For what it is, not for want of room: it is refused each time, so after three attempts the file is listed with the reason."""
    connection = open_writer(home / DATABASE_NAME)
    connection.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON runs "
        "WHEN EXISTS (SELECT 1 FROM sightings WHERE image_id = NEW.image_id AND name = 'poison.png') "
        "BEGIN SELECT RAISE(ABORT, 'no such result, please'); END"
    )
    connection.close()
    inbox = home / "inbox" / "burrows"
    for number in range(INNOCENT):
        write_picture(inbox, f"{number}.png", seed=number)
    write_picture(inbox, POISON, seed=1000)
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        assert_only_poison_failed(home, "model_failed")
        (detail,) = query(home, "SELECT detail FROM v_files WHERE state = 'quarantined'")[0]
        assert "its result cannot be recorded" in detail
        assert "no such result, please" in detail
        assert appliance.stop() == 0
        assert_accounted_for(home, INNOCENT + 1)
    finally:
        appliance.kill()
