"""What a checkpoint may name, make and call; and that nothing else of it ever runs."""

from __future__ import annotations

import importlib
import os
import pathlib
import pickle
import subprocess
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.importing.facts import ImportRefusedError
from models.workshop.ultralytics_offline import prepare
from models.workshop.unpickle import check_network, load_checkpoint
from tests.workshop.checkpoints import Trap, save_checkpoint, save_pickle, save_raw

prepare()
from ultralytics.nn import tasks  # noqa: E402 - after its switches to the network are off


def test_what_a_checkpoint_holds_besides_layers_is_read(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "model": nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU()).half(),
        "train_args": {"project": pathlib.PurePosixPath("/a/b"), "imgsz": [64, 96]},
        "metrics": {"map": np.float64(0.5), "curve": np.arange(3, dtype=np.float32), "classes": {1, 2}},
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "blob": b"\x00\xff",
    }
    torch.save(content, tmp_path / "a.pt")
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert torch.equal(loaded["model"][0].weight, content["model"][0].weight)
    assert (loaded["train_args"]["imgsz"], str(loaded["train_args"]["project"])) == ([64, 96], "/a/b")
    assert (loaded["metrics"]["map"], loaded["metrics"]["curve"].tolist(), loaded["metrics"]["classes"]) == (0.5, [0, 1, 2], {1, 2})
    assert (loaded["device"], loaded["dtype"], loaded["blob"]) == (torch.device("cpu"), torch.float16, b"\x00\xff")
    check_network(loaded["model"])


def test_training_state_is_left_behind(tmp_path: Path) -> None:
    from ultralytics.utils.loss import v8DetectionLoss

    def remember(network: Any) -> None:
        network.args = tasks.DEFAULT_CFG if hasattr(tasks, "DEFAULT_CFG") else importlib.import_module("ultralytics.cfg").get_cfg()
        network.criterion = v8DetectionLoss(network)

    loaded = load_checkpoint(save_checkpoint(tmp_path / "a.pt", "yolo11n.yaml", change=remember))
    assert type(loaded["model"].criterion).__name__ == "Dropped"
    check_network(loaded["model"])


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A file that appears when something of a checkpoint ran."""
    return tmp_path / "it_ran"


def traps(evidence: Path) -> dict[str, Any]:
    touch, text = f"touch {evidence}", f"open({str(evidence)!r}, 'w').close()"
    return {
        "os.system": Trap(os.system, touch),
        "eval": Trap(eval, text),
        "exec": Trap(exec, text),
        "subprocess": Trap(subprocess.Popen, ["touch", str(evidence)]),
        "network": Trap(urllib.request.urlopen, "http://127.0.0.1:9/"),
        "open": Trap(open, str(evidence), "w"),
        "path": Trap(Path.touch, evidence),
        "import": Trap(importlib.import_module, "antigravity"),
        # Its constructor evaluates the activation.
        "constructor": Trap(tasks.DetectionModel, {"activation": text, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": [], "nc": 1}),
        # Loads another file, without any restriction.
        "loader": Trap(tasks.torch_safe_load, str(evidence)),
        "torch": Trap(torch.load, str(evidence)),
        "hub": Trap(torch.hub.load, "some/where", "model"),
        "getattr": Trap(getattr, nn.Identity(), "register_forward_hook"),
        "module": Trap(getattr, os, "system"),
    }


@pytest.mark.parametrize("name", sorted(traps(Path("x"))))
@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_of_a_checkpoint_is_called(tmp_path: Path, evidence: Path, name: str, protocol: int) -> None:
    if name == "module":  # modules cannot be pickled by themselves
        data = b"\x80\x02c__builtin__\ngetattr\ncos\nsystem\nX\x04\x00\x00\x00path\x86R."
        path = save_raw(tmp_path / "a.pt", data)
    else:
        path = save_pickle(tmp_path / "a.pt", {"model": traps(evidence)[name]}, protocol=protocol)
    with pytest.raises(ImportRefusedError) as caught:
        load_checkpoint(path)
    assert "the checkpoint" in str(caught.value)
    assert caught.value.advice()
    assert not evidence.exists()


def test_the_traps_would_work(tmp_path: Path, evidence: Path) -> None:
    pickle.loads(pickle.dumps(traps(evidence)["os.system"], 2))  # noqa: S301 - that it is unsafe is the point
    assert evidence.exists()
    evidence.unlink()
    pickle.loads(pickle.dumps(traps(evidence)["constructor"], 2))  # noqa: S301
    assert evidence.exists()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.", "posix.system"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"(S'true'\nios\nsystem\n.", "a form of pickle that torch does not write"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"\x80\x04\x8c\x14ultralytics.nn.tasks\x8c\x09torch.jit\x93.", "torch.jit"),
        (b"\x80\x02cultralytics.nn.tasks\ntorch\n.", "torch, which the appliance has no use for"),
        (b"\x80\x02cultralytics.nn.autobackend\nAutoBackend\n.", "AutoBackend"),
        (b"\x80\x02cultralytics.nn.tasks\nPoseModel\n.", "PoseModel"),
        (b"\x80\x02ctorch.nn.modules.module\n_IncompatibleKeys\n.", "_IncompatibleKeys, which is no layer"),
        (b"\x80\x02cultralytics.nn.modules.conv\nautopad\n.", "autopad, which is no layer"),
        (b"\x80\x02cmodels.yolo\nDetectionModel\n.", "models.yolo.DetectionModel"),
        (b"\x80\x02ctorch.nn.modules.nothing\nConv2d\n.", "torch.nn.modules.nothing.Conv2d"),
        # A class is changed instead of an object: its `forward` would be another for every layer of that kind.
        (b"\x80\x02ctorch.nn.modules.linear\nIdentity\nN}X\x07\x00\x00\x00forwardcbuiltins\nset\ns\x86b.", "wants to change"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "'zlib'"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "wants to make collections.OrderedDict"),
    ],
)
def test_hand_made_pickles_are_refused(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(ImportRefusedError) as caught:
        load_checkpoint(save_raw(tmp_path / "a.pt", data))
    assert told in str(caught.value)


def hooked(network: Any) -> None:
    network.model[0].register_forward_hook(torch.nn.functional.relu)


def hooked_with_a_layer(network: Any) -> None:
    network.model[0]._forward_hooks[0] = nn.Identity()


def with_other_forward(network: Any) -> None:
    vars(network.model[0])["forward"] = nn.Identity()


def with_class_as_setting(network: Any) -> None:
    network.model[0].act_class = [{"a": tasks.DetectionModel}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (hooked, "names torch.nn.functional.relu"),
        (hooked_with_a_layer, "hangs a hook on Conv"),
        (with_other_forward, "replaces 'forward'"),
        (with_class_as_setting, "puts a function into 'act_class'"),
    ],
)
def test_a_network_that_would_run_something_else_is_refused(tmp_path: Path, change: Callable[[Any], None], told: str) -> None:
    path = save_checkpoint(tmp_path / "a.pt", "yolo11n.yaml", change=change)
    with pytest.raises(ImportRefusedError, match=told):
        check_network(load_checkpoint(path)["model"])


def test_something_else_among_the_layers_is_refused() -> None:
    network = nn.Sequential(nn.Identity())
    network._modules["0"] = tasks.DetectionModel
    with pytest.raises(ImportRefusedError, match="something else than a layer"):
        check_network(network)


def test_folded_layers_keep_their_own_method(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "a.pt", "yolov8n.yaml", change=lambda network: network.fuse(verbose=False))
    network = load_checkpoint(path)["model"]
    check_network(network)
    assert network.model[0].forward.__func__ is type(network.model[0]).forward_fuse


@pytest.mark.parametrize(("share", "extra"), [(0.0, 0), (0.0, 1), (0.0, 1000), (0.5, 0), (0.9, 0), (0.999, 0), (1.0, -1), (1.0, -22)])
def test_a_file_cut_anywhere_is_one_clear_error(tmp_path: Path, share: float, extra: int) -> None:
    whole = save_checkpoint(tmp_path / "whole.pt", "yolo11n.yaml").read_bytes()
    (tmp_path / "a.pt").write_bytes(whole[: int(share * len(whole)) + extra])
    with pytest.raises(ImportRefusedError) as caught:
        load_checkpoint(tmp_path / "a.pt")
    assert "Copy" in caught.value.advice()


def test_other_archives_are_refused(tmp_path: Path) -> None:
    save_pickle(tmp_path / "script.pt", {})
    with zipfile.ZipFile(tmp_path / "script.pt", "a") as archive:
        archive.writestr("best/constants.pkl", pickle.dumps(()))
    save_raw(tmp_path / "packed.pt", pickle.dumps({}), compression=zipfile.ZIP_DEFLATED)
    save_pickle(tmp_path / "list.pt", [1, 2])
    for name, told in (("script.pt", "TorchScript"), ("packed.pt", "compressed"), ("list.pt", "holds a list")):
        with pytest.raises(ImportRefusedError, match=told):
            load_checkpoint(tmp_path / name)
