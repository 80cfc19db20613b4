"""Checkpoints of every kind become packs by the one command, and nothing leaves the cage meanwhile."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.pack import verify_pack
from models.runtime.predict import classify, detect, load_model
from models.runtime.vision import cv2
from tests.workshop.checkpoints import NAMES, Trap, save_checkpoint, save_pickle

TOP = Path(__file__).parents[2]
COMMAND = TOP / ".venv" / "bin" / "imagine-edge"  # the appliance has an environment of its own


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), torch.randint(0, 256, (90, 160, 3), dtype=torch.uint8).numpy())
    return folder


def bring_in(path: Path, out: Path, pictures: Path, *options: str) -> dict[str, Any]:
    """What the command answers."""
    command = [
        str(COMMAND),
        "--home",
        str(out.parent / "home"),
        "models",
        "import",
        str(path),
        "--out",
        str(out),
        "--images",
        str(pictures),
    ]
    done = subprocess.run([*command, *options, "--json"], capture_output=True, text=True, check=False)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == (5 if "error" in answer else 0), done.stderr
    return answer


@pytest.mark.parametrize(
    ("layout", "end2end", "task", "head"),
    [
        ("yolov8n.yaml", False, "detect", "yolo_v8"),
        ("yolo11n.yaml", False, "detect", "yolo_v8"),
        ("yolov10n.yaml", True, "detect", "yolo_end2end"),
        ("yolo26n.yaml", False, "detect", "yolo_v8"),
        ("yolo26n.yaml", True, "detect", "yolo_end2end"),
        ("yolo11n-seg.yaml", False, "segment", "yolo_v8_seg"),
        ("yolo26n-seg.yaml", True, "segment", "yolo_end2end_seg"),
        ("yolo11n-cls.yaml", False, "classify", "classify"),
    ],
)
def test_a_checkpoint_becomes_a_pack_that_runs(tmp_path: Path, pictures: Path, layout: str, end2end: bool, task: str, head: str) -> None:
    answer = bring_in(save_checkpoint(tmp_path / "best.pt", layout, end2end=end2end), tmp_path / "pack", pictures, "--threshold", "0.3")
    assert (answer["task"], answer["head"], answer["input_px"], answer["labels"]) == (task, head, [128, 128], list(NAMES.values()))
    assert answer["licence"].startswith("AGPL-3.0 License")
    pack = verify_pack(Path(answer["path"]))
    assert pack.manifest.trained_on == "mud.yaml (named by the file itself)"
    assert "secret" not in pack.file_path(pack.manifest.card).read_text()
    assert answer["variants"][0] == "onnx-fp32"
    image = np.asarray(cv2.imread(str(pictures / "0.png")), np.uint8)
    for variant in answer["variants"]:
        model = load_model(pack.path, variant, threads=1)
        assert len(classify(image, model) if task == "classify" else detect(image, model)) == (3 if task == "classify" else 0)


def test_another_size_is_exported(tmp_path: Path, pictures: Path) -> None:
    path = save_checkpoint(tmp_path / "best.pt", "yolo11n.yaml")
    assert bring_in(path, tmp_path / "pack", pictures, "--input", "160x96")["input_px"] == [160, 96]
    error = bring_in(path, tmp_path / "other", pictures, "--input", "150x96")["error"]
    assert (error["code"], error["advice"]) == ("import_refused", "Say --input 160x96.")
    assert not (tmp_path / "other").exists()


def spoil(network: Any) -> None:
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = float("nan")


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, pictures: Path) -> None:
    path = save_checkpoint(tmp_path / "best.pt", "yolo11n.yaml", change=spoil)
    assert "not numbers" in bring_in(path, tmp_path / "pack", pictures)["error"]["message"]


def test_a_trap_reaches_the_person_as_one_error(tmp_path: Path, pictures: Path) -> None:
    path = save_pickle(tmp_path / "best.pt", {"model": Trap(os.system, f"touch {tmp_path / 'it_ran'}")})
    error = bring_in(path, tmp_path / "pack", pictures)["error"]
    assert error["code"] == "import_refused"
    assert "posix.system" in error["message"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["best.pt"]


def test_weights_alone_are_no_network(tmp_path: Path, pictures: Path) -> None:
    torch.save({"model": {"a": torch.zeros(3)}}, tmp_path / "best.pt")
    assert "holds no network" in bring_in(tmp_path / "best.pt", tmp_path / "pack", pictures)["error"]["message"]


def test_the_cage_has_no_network_and_starts_no_program(tmp_path: Path) -> None:
    """A server listens on loopback; from within the cage neither Python nor libc reaches it."""
    server = socket.create_server(("127.0.0.1", 0))
    reached = threading.Event()

    def wait() -> None:
        server.settimeout(60)
        try:
            server.accept()
            reached.set()
        except OSError:
            pass

    listener = threading.Thread(target=wait, daemon=True)
    listener.start()
    port = server.getsockname()[1]
    program = f"""
import ctypes, json, os, socket, struct, subprocess
from models.workshop import cage
own = cage.enter()
cage.forbid_programs()
out = {{"own": own}}
for name, act in {{
    "connect": lambda: socket.create_connection(("127.0.0.1", {port}), 5),
    "lookup": lambda: socket.getaddrinfo("localhost", 80),
    "program": lambda: subprocess.run(["true"]),
    "system": lambda: os.system("true"),
    "fork": os.fork,
}}.items():
    try:
        act()
        out[name] = "done"
    except cage.CageError:
        out[name] = "refused"
libc = ctypes.CDLL(None)
handle = libc.socket(2, 1, 0)
address = struct.pack("=H", 2) + struct.pack("!H4s8x", {port}, bytes([127, 0, 0, 1]))
out["libc"] = libc.connect(handle, address, 16)
print(json.dumps(out))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=TOP, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    server.close()
    listener.join(5)
    assert {name: told[name] for name in ("connect", "lookup", "program", "system", "fork")} == dict.fromkeys(
        ("connect", "lookup", "program", "system", "fork"), "refused"
    )
    if told["own"]:  # only a network name space stops what does not go through Python
        assert told["libc"] == -1
        assert not reached.is_set()
