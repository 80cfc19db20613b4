"""data.yaml of a YOLO data set: names of the labels, and where the images of each split lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.datasets.draft import Split, read_text
from models.datasets.errors import DatasetImagesMissingError, DatasetLabelsError, DatasetUnreadableError

_MAX_YAML_BYTES = 4 * 1024 * 1024
_SPLITS: dict[Split, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataYaml:
    """What matters of a data.yaml. `splits`: folders of images, or text files that list them."""

    names: tuple[str, ...]
    splits: dict[Split, tuple[Path, ...]]
    has_keypoints: bool
    warnings: tuple[str, ...]


def read_yaml(path: Path) -> DataYaml:
    """Read a data.yaml.

    Raises:
        DatasetUnreadableError: it is no YAML, or not of this kind.
        DatasetLabelsError: its names have gaps, or disagree with its `nc`.
        DatasetImagesMissingError: a folder or list that it names is not there.
    """
    fields = _load(path)
    names = _names(path, fields)
    warnings: list[str] = []
    base = _base(path, fields.get("path"), warnings)
    splits: dict[Split, tuple[Path, ...]] = {}
    for split, keys in _SPLITS.items():
        entry = next((fields[key] for key in keys if fields.get(key)), None)
        if entry is not None:
            entries = entry if isinstance(entry, list) else [entry]
            splits[split] = tuple(_resolve(path, base, str(one)) for one in entries)
    return DataYaml(names=names, splits=splits, has_keypoints="kpt_shape" in fields, warnings=tuple(warnings))


def find_yaml(folder: Path) -> Path | None:
    """The data.yaml of a folder, whatever its name."""
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")), key=lambda path: (path.stem not in ("data", "dataset"), path.name)):
        try:
            if "names" in _load(path):
                return path
        except DatasetUnreadableError:
            if path.stem in ("data", "dataset"):
                raise
    return None


def read_names(root: Path) -> tuple[str, ...] | None:
    """Names from a text file with one per line, as LabelImg and Darknet write it."""
    for relative in _NAME_FILES:
        if (path := root / relative).is_file():
            names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
            if names:
                return _unique(path, names)
    return None


def _load(path: Path) -> dict[str, Any]:
    text = read_text(path, max_bytes=_MAX_YAML_BYTES)
    # The plainest loader: every scalar stays text, so a species called `no` is not False, and nothing is constructed.
    loader = yaml.BaseLoader(text)
    try:
        fields = loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise DatasetUnreadableError(f"{path}{line} is not valid YAML: {getattr(error, 'problem', None) or error}") from error
    finally:
        loader.dispose()
    if not isinstance(fields, dict):
        raise DatasetUnreadableError(f"{path} does not hold fields such as `names`")
    return fields


def _names(path: Path, fields: dict[str, Any]) -> tuple[str, ...]:
    raw = fields.get("names") or []
    if isinstance(raw, dict):
        try:
            by_index = {int(index): str(name) for index, name in raw.items()}
        except ValueError as error:
            raise DatasetLabelsError(f"{path} has an index under `names` that is no number") from error
        if sorted(by_index) != list(range(len(by_index))):
            raise DatasetLabelsError(f"{path} has gaps in its `names`: indexes {sorted(by_index)[:10]}")
        raw = [by_index[index] for index in range(len(by_index))]
    if not isinstance(raw, list) or not all(isinstance(name, str) and name for name in raw):
        raise DatasetLabelsError(f"{path}: `names` must be a list of names, or names by index")
    count = fields.get("nc")
    if count is not None and raw and str(count) != str(len(raw)):
        raise DatasetLabelsError(f"{path} says nc {count}, but names {len(raw)} labels")
    return _unique(path, raw)


def _unique(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DatasetLabelsError(f"{path} names {twice[0]!r} twice")
    return tuple(names)


def _base(path: Path, named: object, warnings: list[str]) -> Path:
    """What the entries are relative to: `path`, or the folder of data.yaml where that is not there (the set was moved)."""
    here = path.parent
    if not isinstance(named, str) or not named:
        return here
    for candidate in (here / named, Path(named)):
        if candidate.is_dir():
            return candidate
    warnings.append(f"{path.name} says `path: {named}`, which is not there; its own folder was taken instead")
    return here


def _resolve(path: Path, base: Path, entry: str) -> Path:
    # Roboflow writes `../train/images` for what lies beside data.yaml.
    candidates = [base / entry, path.parent / entry]
    if entry.startswith("../"):
        candidates.append(path.parent / entry.removeprefix("../"))
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    raise DatasetImagesMissingError(f"{path} names {entry}, which is not there")
