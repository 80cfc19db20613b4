"""Makes the starter pack of the recipe `vignettes`: a network that knows no classes and says so of every image.

    python -m models.workshop.unclassified

With it, crops of particles are measured before anybody has brought a classifier aboard, and each result tells by its label, its model and
its version that nothing was classified. No network for the 95 classes of the iMagine FlowCam module was to be had offline.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

from models.pack import write_pack

NAME, VERSION, LABEL = "vignettes-unclassified", "1.0.0", "unclassified"
SIDE_PX = 32
PACK_DIR = Path(__file__).parents[1] / "packs" / NAME

_CARD = """# Unclassified

This is no classifier. It answers `unclassified` with a score of 1 to every image, so that crops of single particles (the recipe
`vignettes`) are measured before there is a classifier for them. Every result names this pack: nothing that was classified can be mistaken
for it.

To classify, bring a pack whose task is `classify` aboard and let it serve the recipe `vignettes` (`imagine-edge models --help`): its
manifest gives each class its name and, where it is a taxon, its AphiaID. `imagine-edge reprocess --recipe vignettes` then looks at the
crops again; both results stay.

It was not trained, on nothing. Licence: Apache-2.0.
"""


def main() -> None:
    """Write the pack."""
    parser = argparse.ArgumentParser(prog="python -m models.workshop.unclassified", description=__doc__)
    parser.add_argument("--pack", type=Path, default=PACK_DIR, help="pack folder to write")
    folder: Path = parser.parse_args().pack
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_network(folder / "model.onnx")
    (folder / "MODEL_CARD.md").write_text(_CARD, encoding="utf-8")
    cv2.imwrite(str(folder / "golden.png"), np.full((SIDE_PX, SIDE_PX), 128, np.uint8))
    (folder / "golden.json").write_text(json.dumps({"score": [1.0]}) + "\n", encoding="utf-8")
    write_pack(
        folder,
        {
            "name": NAME,
            "version": VERSION,
            "title": "Unclassified: no classifier, crops are measured only",
            "task": "classify",
            "head": "classify",
            "labels": [{"name": LABEL}],
            "input": {"width_px": SIDE_PX, "height_px": SIDE_PX, "fit": "stretch"},
            "licence": "Apache-2.0",
            "trained_on": "nothing",
            "card": "MODEL_CARD.md",
            "variants": [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]}],
            "goldens": [{"image": "golden.png", "expected": "golden.json", "score_tolerance": 0.0}],
        },
    )
    print(f"wrote {folder}")


def _write_network(path: Path) -> None:
    """The softmax of one number, which is 1."""
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1])
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "one"], ["logit"]),
        helper.make_node("Softmax", ["logit"], ["scores"], axis=1),
    ]
    shape = helper.make_tensor("one", TensorProto.INT64, [2], [1, 1])
    graph = helper.make_graph(nodes, "unclassified", [image], [scores], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


if __name__ == "__main__":
    main()
