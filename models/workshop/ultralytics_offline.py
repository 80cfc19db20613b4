"""The only door to ultralytics: its switches to the network off, its imports made to work on a CPU build of torch.

ultralytics 8.4 is AGPL-3.0. It is used in the workshop's own environment to build the network and its loss, and never ships.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

from models.workshop import torchvision_shim

if TYPE_CHECKING:
    import torch


def prepare() -> None:
    """Call before anything of ultralytics is imported."""
    if "YOLO_CONFIG_DIR" not in os.environ:  # ultralytics would write its settings into the person's home folder
        folder = tempfile.mkdtemp(prefix="workshop-ultralytics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["YOLO_CONFIG_DIR"] = folder
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    torchvision_shim.install()


def new_detector(layout: str, n_classes: int) -> torch.nn.Module:
    """A network of ultralytics' `layout` (such as `yolo11n.yaml`) with random weights; nothing pretrained is loaded."""
    prepare()
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel

    network: torch.nn.Module = DetectionModel(layout, ch=3, nc=n_classes, verbose=False)
    network.args = get_cfg()
    return network
