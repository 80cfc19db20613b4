"""Makes the starter pack of multiples from nothing: draw, train, convert, measure, write goldens, card and manifest.

    python -m models.workshop.multiples --out build/multiples

Crops that were drawn are kept below --out while the renderer stays the same. `--real` measures on real vignettes as well (a folder with
`images/` and `*_labels.csv`), which are never trained on, nor is anything chosen by them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from edge.zooscan.multiples import PackClassifier
from models.workshop.multiples import pack
from models.workshop.multiples.card import card_text
from models.workshop.multiples.crops import CropOrder, CropSet, draw_crops, renderer_sha256
from models.workshop.multiples.learn import Plan, train
from models.workshop.multiples.measure import figures, laid_together, real_animals

TRAINED_ON = CropOrder(seed=7001, singles=6000, multiples=3000, all_kinds=True, fainter=True)
MEASURED_ON = CropOrder(seed=9001, singles=1500, multiples=500)
REAL_PAIRS, REAL_SEED = 400, 5


def main(argv: list[str] | None = None) -> None:
    """Command line of `make starter-multiples`."""
    cv2.setNumThreads(1)
    arguments = _parser().parse_args(argv)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    plan = replace(Plan(), steps=arguments.steps or Plan().steps, seed=arguments.seed)
    learned_from = replace(TRAINED_ON, singles=arguments.crops, multiples=arguments.crops // 2)
    drawn = [_drawn(order, out, arguments.workers) for order in (learned_from, MEASURED_ON)]
    network, training = train(plan, drawn[0])
    torch.save(network.state_dict(), out / "last.pt")
    training |= {
        "renderer_sha256": renderer_sha256(),
        "measured_renderer_sha256": renderer_sha256(),
        "drawn": asdict(learned_from),
        "measured": asdict(MEASURED_ON),
    }
    (out / "train.json").write_text(json.dumps(training, indent=1), encoding="utf-8")
    measure = partial(_measure, rendered=drawn[1], real=arguments.real)
    measured = pack.write(network, drawn[1], measure, partial(card_text, training), arguments.pack)
    (out / "figures.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")
    print(f"wrote {arguments.pack}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.workshop.multiples", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/multiples"), help="work folder: crops, weights, log")
    parser.add_argument("--pack", type=Path, default=pack.PACK_DIR, help="pack folder to write")
    parser.add_argument("--real", type=Path, help="folder of real vignettes, for measuring only")
    parser.add_argument("--steps", type=int, help=f"training steps; {Plan().steps} if not given")
    parser.add_argument("--crops", type=int, default=TRAINED_ON.singles, help="single things to learn from; half as many multiples")
    parser.add_argument("--seed", type=int, default=Plan().seed, help="seed of first weights and of what chance does to crops")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    return parser


def _drawn(order: CropOrder, out: Path, workers: int) -> CropSet:
    fainter = "-fainter" if order.fainter else ""
    path = out / f"crops-{renderer_sha256()[:12]}-{order.seed}-{order.singles}-{order.multiples}{fainter}.npz"
    if not path.exists():
        print(f"drawing {order.singles + order.multiples} crops", flush=True)
        draw_crops(order, workers=workers).save(path)
    return CropSet.load(path)


def _measure(classifier: PackClassifier, *, rendered: CropSet, real: Path | None) -> dict[str, Any]:
    scores = classifier.scores(rendered.crops)
    measured: dict[str, Any] = {"rendered": figures(scores[rendered.is_multiple], scores[~rendered.is_multiple]), "real": None}
    if real is not None:
        animals = real_animals(real)
        singles = classifier.scores([animal.alone for animal in animals])
        pairs = classifier.scores(list(laid_together(animals, REAL_PAIRS, REAL_SEED)))
        measured["real"] = figures(pairs, singles)
        labels = np.array([animal.label for animal in animals])
        measured["false_by_class"] = {
            str(label): {"n": int((labels == label).sum()), "0.4": float((singles[labels == label] >= 0.4).mean())}
            for label in np.unique(labels)
        }
    return measured


if __name__ == "__main__":  # processes that draw import this file again
    main()
