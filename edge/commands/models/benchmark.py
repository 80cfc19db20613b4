"""How fast each variant of a pack is on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, plain, say, told
from edge.commands.models.group import PackArgument, pack_of, progress_bar
from edge.errors import SettingsError
from edge.logs import configure_logs

if TYPE_CHECKING:
    from models.benchmark.run import PackBenchmark, VariantBenchmark

_NUMBERS = ("p50 ms", "p95 ms", "img/s", "x fp32", "net/s", "app/s", "of app")  # fits 80 columns


def benchmark_model(
    context: typer.Context,
    pack: PackArgument,
    variant: Annotated[list[str] | None, typer.Option(help="Measure only this variant; may be given several times.")] = None,
    seconds: Annotated[float, typer.Option(min=0.2, max=600, help="Time for each single measure of a round.")] = 2.0,
    rounds: Annotated[int, typer.Option(min=1, max=99, help="How often everything is measured, in turns; medians are told.")] = 3,
    app: Annotated[bool, typer.Option(help="Measure OpenVINO's benchmark_app beside.")] = True,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write all rounds to this JSON file too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Latency and throughput of each variant here, beside OpenVINO's own benchmark_app on the same file.

    Latency is that of one image in one stream on one core; throughput that of all cores together, both with preparing the image and
    reading the answer, without decoding. `x fp32`: how many images it does in the processor time of one in fp32, which other work
    on the machine hardly changes. `net/s` is the network alone on all cores, `app/s` benchmark_app's rate, `of app` their ratio.
    """
    configure_logs(None)  # the answer tells what is to be told
    with told(as_json=as_json), pack_of(home_of(context), pack) as source, progress_bar(as_json=as_json) as on_step:
        from models.benchmark.run import BenchmarkPlan, benchmark_pack

        if out_file is not None and not out_file.absolute().parent.is_dir():
            raise SettingsError(f"the folder of --out {out_file} is not there", advice="Make it first, or name another file.")
        chosen = [source.pack.variant(name) for name in variant] if variant else list(source.pack.manifest.variants)
        plan = BenchmarkPlan(seconds=seconds, rounds=rounds, with_app=app)
        result = benchmark_pack(source.pack, chosen, plan, on_step=on_step)
        if out_file is not None:
            _write(out_file, result)
    if as_json:
        answer(result)
        return
    _show(result)
    if out_file is not None:
        say(f"written to {out_file}")


def _write(path: Path, result: PackBenchmark) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(plain(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _show(result: PackBenchmark) -> None:
    machine = result.machine
    title = f"{result.name} {result.version} on {machine.cpu}, {machine.cores} cores ({', '.join(machine.cpu_flags)})"
    table = make_table("variant", "on", *_NUMBERS, numbers=_NUMBERS, title=title)
    for one in result.variants:
        table.add_row(one.name, one.device, *_cells(one))
    out.print(table)
    for one in result.variants:
        if one.fault:
            say(f"{one.name} on {one.device} was not measured: {one.fault}")
        if one.app_fault:
            say(f"{one.name} on {one.device} has no benchmark_app beside it: {one.app_fault}")


def _cells(one: VariantBenchmark) -> list[str]:
    path, network, app = one.path, one.network, one.app
    return [
        _text(path.p50_ms if path else None, 1),
        _text(path.p95_ms if path else None, 1),
        _text(path.images_per_s if path else None, 1),
        _text(one.times_fp32, 2),
        _text(network.images_per_s if network else None, 1),
        _text(app.images_per_s if app else None, 1),
        _text(one.of_app, 2),
    ]


def _text(figure: float | None, digits: int) -> str:
    return "" if figure is None else f"{figure:.{digits}f}"
