"""Small labelled images for training: coloured squares that the tiny detector of tests/unit/tiny_models.py truly finds."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.datasets.dataset import Dataset, LabelledImage
from models.evaluate import ImageTruth

WIDTH_PX, HEIGHT_PX, CELL_PX = 64, 64, 8


def labelled_image(folder: Path, tow: str, number: int, *, squares: int = 3, label: int = 1) -> LabelledImage:
    """A dark image with green squares on cells of the tiny detector."""
    rng = np.random.default_rng([number, len(tow), *tow.encode()])
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    cells = rng.choice((WIDTH_PX // CELL_PX) * (HEIGHT_PX // CELL_PX), squares, replace=False)
    boxes = []
    for cell in cells.tolist():
        x, y = CELL_PX * (cell % (WIDTH_PX // CELL_PX)), CELL_PX * (cell // (WIDTH_PX // CELL_PX))
        image[y : y + CELL_PX, x : x + CELL_PX, 1] = 255
        boxes.append([x, y, x + CELL_PX, y + CELL_PX])
    path = folder / "images" / tow / f"{number:03}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    truth = ImageTruth(
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4),
        label_index=np.full(squares, label, np.int32),
        crowd=np.zeros(squares, np.bool_),
    )
    return LabelledImage(path=path, name=f"images/{tow}/{number:03}.png", width_px=WIDTH_PX, height_px=HEIGHT_PX, truth=truth, tow=tow)


def labelled_set(folder: Path, labels: tuple[str, ...] = ("red", "green", "blue"), **tows: int) -> Dataset:
    """So many images of each tow."""
    sizes = tows or {"a": 12, "b": 4, "c": 4}
    images = [labelled_image(folder, tow, number) for tow, count in sizes.items() for number in range(count)]
    return Dataset(root=folder, form="yolo", labels=labels, images=tuple(images), sha256="5" * 64, warnings=("one box was cut",))


def write_yolo(folder: Path, **tows: int) -> Path:
    """A YOLO folder of dark discs on grey noise, one class, `burrow opening`; a tow per folder."""
    rng = np.random.default_rng(7)
    for tow, count in tows.items():
        for number in range(count):
            image = rng.integers(60, 90, (72, 128, 3)).astype(np.uint8)
            lines = []
            for _ in range(4):
                x, y, side = int(rng.integers(5, 100)), int(rng.integers(5, 45)), int(rng.integers(12, 22))
                cv2.circle(image, (x + side // 2, y + side // 2), side // 2, (15, 15, 15), -1)
                lines.append(f"0 {(x + side / 2) / 128:.6f} {(y + side / 2) / 72:.6f} {side / 128:.6f} {side / 72:.6f}\n")
            for kind, suffix in (("images", "png"), ("labels", "txt")):
                (folder / kind / tow).mkdir(parents=True, exist_ok=True)
                path = folder / kind / tow / f"{number:03}.{suffix}"
                if kind == "images":
                    assert cv2.imwrite(str(path), image)
                else:
                    path.write_text("".join(lines))
    (folder / "data.yaml").write_text("names: [burrow opening]\n")
    return folder
