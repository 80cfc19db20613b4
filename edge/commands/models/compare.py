"""Two packs, versions or variants on the same files, without an appliance and without a database."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.cells import to_cell
from edge.commands.common import JsonOption, answer, home_of, make_table, out, say, told
from edge.commands.models.group import PackArgument, pack_of, progress_bar
from edge.errors import EdgeError, InputError, SettingsError
from edge.pipeline.compare import ComparedPair, CompareError, CompareLimits, Comparer
from edge.pipeline.messages import WorkerSpec
from edge.recipes import find_recipe
from edge.recipes.recipe import Recipe
from edge.settings import Settings, load_settings
from models.compare import CompareFigures, sum_up
from models.pack import Pack
from models.workbench import OnProgress, Step

_COLUMNS = ("path", "state", "detail", "a_count", "b_count", "difference", "matched", "only_a", "only_b", "a_infer_ms", "b_infer_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    path: Path
    pair: ComparedPair | None
    detail: str


def compare_models(
    context: typer.Context,
    a: PackArgument,
    b: PackArgument,
    files: Annotated[Path, typer.Option(help="Folder with the images; subfolders are looked into.")],
    variant_a: Annotated[str | None, typer.Option(help="Variant of A; its first if not given.")] = None,
    variant_b: Annotated[str | None, typer.Option(help="Variant of B; its first if not given.")] = None,
    recipe: Annotated[str, typer.Option(help="Whose masks and limits both obey.")] = "burrows",
    limit: Annotated[int | None, typer.Option(min=1, help="Take only so many images, spread evenly.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write a CSV with one row for each image.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count with two models on the same images: mean difference with its spread, concordance, boxes that agree at IoU 0.5, speed.

    A difference is B minus A. Nothing is recorded; an image that fails is listed and counts in no figure.
    """
    home = home_of(context)
    with told(as_json=as_json), pack_of(home, a) as first, pack_of(home, b) as second, progress_bar(as_json=as_json) as show:
        settings, rules = load_settings(home), find_recipe(recipe)
        specs = (_spec(first.pack, variant_a, rules, settings), _spec(second.pack, variant_b, rules, settings))
        chosen = _chosen(files, rules, limit)
        limits = CompareLimits(timeout_s=settings.worker_timeout_s, memory_mb=settings.worker_memory_mb)
        with Comparer(*specs, limits) as comparer:
            outcomes = [_outcome(comparer, path, at, len(chosen), settings, show) for at, path in enumerate(chosen)]
        if out_file is not None:
            _write(out_file, outcomes)
        figures = sum_up([one.pair.counted for one in outcomes if one.pair])
        failed = [{"path": str(one.path), "detail": one.detail} for one in outcomes if one.pair is None]
        names = [f"{side.pack.manifest.name}@{side.pack.manifest.version}" for side in (first, second)]
    if as_json:
        sides = [{"pack": name, "variant": spec.variant} for name, spec in zip(names, specs, strict=True)]
        answer({"a": sides[0], "b": sides[1], **asdict(figures), "failed": failed})
        return
    _show(figures, [f"{name} {spec.variant}" for name, spec in zip(names, specs, strict=True)], failed)


def _spec(pack: Pack, variant: str | None, recipe: Recipe, settings: Settings) -> WorkerSpec:
    if pack.manifest.task == "classify":
        advice = "Choose two models that mark objects."
        raise SettingsError(f"{pack.manifest.name} classifies whole images; there are no boxes to compare", advice=advice)
    chosen = pack.variant(variant) if variant else pack.manifest.variants[0]
    return WorkerSpec(
        pack_path=pack.path, variant=chosen.name, threads=1, detect=recipe.detect(settings), max_file_bytes=settings.max_file_bytes
    )


def _chosen(folder: Path, recipe: Recipe, limit: int | None) -> list[Path]:
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder", advice="Name a folder with images.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower().encode() in recipe.extensions and path.is_file())
    if not found:
        raise SettingsError(f"{folder} holds no image of the recipe {recipe.name}", advice="Name a folder with images.")
    if limit is None or limit >= len(found):
        return found
    return [found[at * len(found) // limit] for at in range(limit)]


def _outcome(comparer: Comparer, path: Path, at: int, of: int, settings: Settings, show: OnProgress) -> _Outcome:
    from edge.pipeline.decode import read_bytes

    try:
        sha256 = hashlib.sha256(read_bytes(path, max_file_bytes=settings.max_file_bytes)).hexdigest()
        pair, detail = comparer.compare(path.absolute(), path.name, sha256), ""
    except (CompareError, InputError) as error:
        pair, detail = None, _told(error)
    show(Step(name="compare", done=at + 1, of=of, note=path.name))
    return _Outcome(path=path, pair=pair, detail=detail)


def _told(error: EdgeError) -> str:
    return f"{error.reason.value.replace('_', ' ')}: {error}" if isinstance(error, InputError) else str(error)


def _write(target: Path, outcomes: Iterable[_Outcome]) -> None:
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            writer.writerows([to_cell(cell) for cell in _row(one)] for one in outcomes)
        temporary.replace(target)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error.strerror}", advice="Give --out another file.") from error


def _row(one: _Outcome) -> list[Any]:
    if one.pair is None:
        return [str(one.path), "failed", one.detail, *[None] * 8]
    it = one.pair.counted
    figures = [it.a_count, it.b_count, it.b_count - it.a_count, it.matched, it.a_count - it.matched, it.b_count - it.matched]
    return [str(one.path), "done", "", *figures, round(it.a_infer_ms, 1), round(it.b_infer_ms, 1)]


def _show(figures: CompareFigures, names: list[str], failed: list[dict[str, str]]) -> None:
    table = make_table("", "model", "objects", "per image", "only here", "ms", numbers=("objects", "per image", "only here", "ms"))
    rows = (
        (figures.a_total, figures.a_mean, figures.only_a, figures.a_infer_ms),
        (figures.b_total, figures.b_mean, figures.only_b, figures.b_infer_ms),
    )
    for letter, name, (total, mean, only, infer_ms) in zip("AB", names, rows, strict=True):
        table.add_row(letter, name, str(total), _number(mean, 2), str(only), _number(infer_ms, 1))
    out.print(table)
    say(f"{figures.files} images, {figures.matched} boxes in both (IoU 0.5), agreement {_number(figures.agreement, 3)}")
    say(f"B - A per image: {_number(figures.difference_mean, 2)}, standard deviation {_number(figures.difference_sd, 2)}")
    say(f"Concordance of the counts (CCC): {_number(figures.ccc, 3)}")
    for one in failed:
        say(f"failed: {one['path']}: {one['detail']}")


def _number(value: float | None, digits: int) -> str:
    return "none" if value is None else f"{value:.{digits}f}"
