"""Rendered stills on disk: made once, kept while the renderer stays the same, finished after an interruption."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from models.workshop import synthetic


@dataclass(frozen=True, slots=True, kw_only=True)
class Renders:
    """Rendered stills in YOLO layout below `folder`, each set in order of its scene seeds."""

    folder: Path
    train: tuple[Path, ...]
    val: tuple[Path, ...]


def renderer_sha256() -> str:
    """Hash of everything a render follows from besides its seed: the renderer's sources and the libraries it draws with."""
    main = Path(synthetic.__file__)
    digest = hashlib.sha256()
    for source in [main, *sorted((main.parent / "scene").glob("*.py"))]:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    for library in ("numpy", "opencv-python-headless"):
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()


def render(work_dir: Path, *, first_seed: int, n_train: int, n_val: int, workers: int) -> Renders:
    """The stills of scenes `first_seed` onwards, below `work_dir`; what is there already is not rendered again.

    The folder's name carries the renderer's hash, so stills of two renderers never mix.
    """
    renderer = renderer_sha256()
    folder = work_dir / f"renders-{renderer[:12]}-{first_seed}-{n_train}-{n_val}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"renderer_sha256": renderer, "first_seed": first_seed, "n_train": n_train, "n_val": n_val}
    (folder / "manifest.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    synthetic.write_dataset(folder, seed=first_seed, n_train=n_train, n_val=n_val, workers=workers)
    train, val = (tuple(sorted((folder / "images" / split).glob("*.jpg"))) for split in ("train", "val"))
    return Renders(folder=folder, train=train, val=val)
