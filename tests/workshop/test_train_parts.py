"""The parts of training, in this process: the base's batch norms, the data at the appliance's scale, checkpoints, faults."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge.errors import InputError
from models.training.plan import Base, read_curves, read_plan
from models.workshop import torchvision_shim
from models.workshop.ultralytics_offline import new_detector, prepare
from tests.workshop.training import STARTER, plan_of, tiny_rows, work_folder

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_rows(tmp_path_factory.mktemp("data"))


def test_an_image_that_vanishes_while_training_is_told_by_name(rows: dict[str, Any], tmp_path: Path) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from models.workshop.train.data import PartDataset

    images = [row | {"path": str(tmp_path / "gone.png")} for row in rows["val"]]
    (tmp_path / "torn.png").write_bytes(Path(rows["val"][0]["path"]).read_bytes()[:60])
    images[1]["path"] = str(tmp_path / "torn.png")
    dataset = PartDataset(images, plan_of(), hyp=get_cfg(), augment=False, batch_size=2)
    with pytest.raises(InputError, match=r"gone\.png cannot be read any more"):
        dataset.load_image(0)
    with pytest.raises(InputError, match=r"torn\.png cannot be decoded"):
        dataset.load_image(1)


def test_batch_norms_given_back_change_nothing() -> None:
    prepare()
    from models.workshop.to_ultralytics import rebuild
    from models.workshop.train import base

    generator = torch.Generator().manual_seed(3)
    images = [torch.rand(1, 3, 96, 128, generator=generator) for _ in range(4)]
    layout, network = base.start(STARTER / "model.onnx", 1, images)
    assert layout == "yolo11n"
    folded = rebuild(STARTER / "model.onnx", "yolo11n.yaml")
    with torch.inference_mode():
        expected, found = folded(images[0])[0], network.eval()(images[0])[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) > 80
    assert sum(float(norm.running_var.mean()) != 1.0 for norm in norms if norm.running_var is not None) == len(norms)


def test_a_layout_is_known_by_its_weights() -> None:
    prepare()
    from models.workshop.train import base

    weights = new_detector("yolov8n.yaml", n_classes=3).state_dict()
    assert base.find_layout(weights, 3) == "yolov8n"
    with pytest.raises(base.BaseUnusableError):
        base.find_layout(weights, 2)
    with pytest.raises(base.BaseUnusableError):
        base.find_layout({}, 3)


def test_images_are_seen_at_the_appliances_scale(rows: dict[str, Any]) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from models.workshop.train.data import PartDataset, crop_side_px

    plan = plan_of(width_px=64, height_px=64)
    crowd = rows["val"][0] | {"crowd": [True, False, False, False]}
    whole = PartDataset([crowd, *rows["val"][1:]], plan, hyp=get_cfg(), augment=False, batch_size=2)
    image, disk, now = whole.load_image(0)
    assert (image.shape, disk, now) == ((36, 64, 3), (72, 128), (36, 64))
    assert len(whole.labels[0]["cls"]) == 3  # the box around many is no object
    seen = whole[1]
    assert tuple(seen["img"].shape) == (3, 64, 64)
    boxes = seen["bboxes"].numpy() * 64
    expected = np.array(rows["val"][1]["boxes"]) / 2 + [0, 14, 0, 14]  # halved, and 14 px of grey above
    np.testing.assert_allclose(boxes[:, :2], (expected[:, :2] + expected[:, 2:]) / 2, atol=0.6)
    mosaic = PartDataset(rows["train"], plan, hyp=get_cfg(overrides={"mosaic": 1.0}), augment=True, batch_size=2)
    assert tuple(mosaic[0]["img"].shape) == (3, crop_side_px(plan), crop_side_px(plan))
    mosaic.close_mosaic(get_cfg())
    assert tuple(mosaic[0]["img"].shape) == (3, 64, 64)


def test_a_network_on_tiles_sees_images_at_their_own_scale(rows: dict[str, Any]) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from models.workshop.train.data import PartDataset

    plan = plan_of(width_px=64, height_px=64, fit="tiles")
    whole = PartDataset(rows["val"], plan, hyp=get_cfg(), augment=False, batch_size=1)
    assert whole.load_image(0)[0].shape == (72, 128, 3)
    assert tuple(whole[0]["img"].shape) == (3, 96, 128)
    mosaic = PartDataset(rows["train"], plan, hyp=get_cfg(overrides={"mosaic": 1.0}), augment=True, batch_size=2)
    for _ in range(2):
        assert tuple(mosaic[0]["img"].shape) == (3, 64, 64)
        mosaic.close_mosaic(get_cfg())


def test_a_training_that_diverges_ends(tmp_path: Path, rows: dict[str, Any]) -> None:
    prepare()
    torchvision_shim.complete()
    from models.workshop.train.faults import DivergedError
    from models.workshop.train.trainer import WorkshopTrainer

    folder = work_folder(tmp_path / "work", rows, plan_of(base=Base(named="yolo11n", layout="yolo11n")))
    trainer = WorkshopTrainer(read_plan(folder), folder, "yolo11n", rows, start=None, say=lambda now: None)
    spoilt = new_detector("yolo11n.yaml", n_classes=1)
    for parameter in spoilt.parameters():
        parameter.data.fill_(float("nan"))
    trainer.start_network = spoilt
    with pytest.raises(DivergedError):
        trainer.train()
    assert not (folder / "run" / "weights" / "last.pt").exists()


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device", "last.tmp"), "disk_full"),
        (OSError(errno.EACCES, "Permission denied"), "model_failed"),
    ],
)
def test_what_libraries_raise_becomes_one_clear_error(raised: Exception, code: str) -> None:
    from models.workshop.train.faults import as_ours

    ours = as_ours(raised)
    assert ours is not None
    assert ours.code == code
    assert as_ours(ValueError("something else")) is None


def test_an_interrupted_save_leaves_the_checkpoint_before(tmp_path: Path, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    torchvision_shim.complete()
    from models.workshop.train import trainer as training

    folder = work_folder(tmp_path / "work", rows, plan_of(base=Base(named="yolo11n", layout="yolo11n"), epochs=2))
    network = training.WorkshopTrainer(read_plan(folder), folder, "yolo11n", rows, start=None, say=lambda now: None)
    saved: list[bytes] = []

    def cut(temporary: Path, target: Path) -> None:
        if len(saved) == 2:  # best and last of the first epoch are there: the power goes
            raise KeyboardInterrupt
        saved.append(target.name.encode())
        temporary.replace(target)

    monkeypatch.setattr(training, "_settle", cut)
    with pytest.raises(KeyboardInterrupt):
        network.train()
    last = torch.load(folder / "run" / "weights" / "last.pt", weights_only=False)
    assert last["epoch"] == 0
    assert [row["epoch"] for row in read_curves(folder)] == [1]
