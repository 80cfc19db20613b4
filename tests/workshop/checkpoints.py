"""Checkpoints as ultralytics writes them, of small networks with random weights, and what somebody might put into one."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from models.workshop.ultralytics_offline import prepare

NAMES = {0: "burrow opening", 1: "Nephrops", 2: "laser dot"}


def save_checkpoint(path: Path, layout: str, *, end2end: bool = False, change: Callable[[Any], None] | None = None) -> Path:
    """What `YOLO(layout).save()` writes after a training: the same keys, the training's arguments with it."""
    prepare()
    from ultralytics import YOLO

    torch.manual_seed(3)
    yolo = YOLO(layout)
    _shrink(yolo, layout)
    if end2end:
        yolo.model.end2end = True
    yolo.ckpt = {"train_args": {"imgsz": 128, "epochs": 7, "data": "/home/somebody/secret/mud.yaml", "model": "yolo11n.pt"}}
    if change is not None:
        change(yolo.model)
    yolo.save(path)
    return path


def _shrink(yolo: Any, layout: str) -> None:
    """The network again with as many classes as there are names; the layouts of ultralytics have 80 and more."""
    kind = type(yolo.model)
    yolo.model = kind(layout, ch=3, nc=len(NAMES), verbose=False)
    yolo.model.names = dict(NAMES)
    yolo.model.task = yolo.task


class Trap:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def save_pickle(path: Path, content: object, *, protocol: int = 2) -> Path:
    """A checkpoint's archive around any pickle."""
    return save_raw(path, pickle.dumps(content, protocol))


def save_raw(path: Path, data: bytes, *, compression: int = zipfile.ZIP_STORED) -> Path:
    """A checkpoint's archive around the bytes of a pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("best/data.pkl", data)
        archive.writestr("best/version", "3\n")
        archive.writestr("best/byteorder", "little")
    return path
