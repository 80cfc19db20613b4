"""Rendered stills on disk: made once, kept while the renderer stays the same, finished after an interruption."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Sequence
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
    """Hash of what a render follows from besides its seed: the renderer's code (not its comments) and the libraries it draws with."""
    main = Path(synthetic.__file__)
    return code_sha256([main, *sorted((main.parent / "scene").glob("*.py"))])


def code_sha256(sources: Sequence[Path]) -> str:
    """Hash of Python files, comments and docstrings left out, and of the libraries that draw."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(_code_of(source).encode())
    for library in ("numpy", "opencv-python-headless"):
        digest.update(f"{library} {version(library)}\n".encode())
    return digest.hexdigest()


def _code_of(source: Path) -> str:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return ast.dump(tree)


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
    if (len(train), len(val)) != (n_train, n_val):
        raise RuntimeError(f"{folder} holds {len(train)} and {len(val)} stills instead of {n_train} and {n_val}: delete it")
    return Renders(folder=folder, train=train, val=val)
