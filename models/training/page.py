"""The page of a training: curves and tables in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_WIDTH, _HEIGHT = 620, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 34
# Told apart by dash as well as by colour.
_LINES = (("#1f6feb", ""), ("#b35900", "6 3"), ("#1a7f37", "2 3"), ("#8250df", "9 3 2 3"))
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:24px auto;max-width:1000px;padding:0 16px;color:#1b1f24;background:#fff}
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px;border-bottom:1px solid #c9d1d9}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{border-bottom:1px solid #d8dee4;padding:3px 12px 3px 0;text-align:left}
td.n,th.n{text-align:right}.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(460px,1fr));gap:8px 24px}
figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}svg text{font-size:12px;fill:#444}.note{color:#57606a}
@media (prefers-color-scheme:dark){body{background:#0d1117;color:#d0d7de}svg text{fill:#aab}td,th{border-color:#30363d}.note{color:#9aa4ae}}
@media print{body{max-width:none}}
"""
_CURVES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Accuracy on the val part",
        (("val_map50", "mAP50"), ("val_map50_95", "mAP50-95"), ("val_precision", "precision"), ("val_recall", "recall")),
    ),
    ("Box loss", (("train_box_loss", "train"), ("val_box_loss", "val"))),
    ("Class loss", (("train_cls_loss", "train"), ("val_cls_loss", "val"))),
    ("Distribution focal loss", (("train_dfl_loss", "train"), ("val_dfl_loss", "val"))),
    ("Learning rate", (("learning_rate", "learning rate"),)),
    ("Seconds per epoch", (("seconds", "seconds"),)),
)


def report(record: Mapping[str, Any], title: str) -> str:
    """The page of an `experiment.json`."""
    curves, result = record["curves"], record["result"]
    best = int(result["best_epoch"])
    figures = "".join(_figure(name, _series(curves, lines), best) for name, lines in _CURVES)
    body = [
        f"<h1>{escape(title)}</h1>",
        _ran(record),
        "<h2>What it scores</h2>",
        _scores(record["figures"]),
        f'<h2>Curves</h2><p class="note">The vertical line marks epoch {best}, which was kept.</p><div class="grid">{figures}</div>',
        "<h2>Data</h2>",
        _parts(record),
        "<h2>Parameters</h2>",
        _table(record["parameters"] | {"base": record["base"]["named"], "labels": ", ".join(record["labels"])}),
        "<h2>Software and machine</h2>",
        _table(record["software"] | record["machine"]),
    ]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
    return f"{head}<body>{''.join(body)}</body></html>\n"


def _ran(record: Mapping[str, Any]) -> str:
    result = record["result"]
    when = f"{record['name']} {record['version']}, trained {record['started_utc']} to {record['ended_utc']} (UTC)."
    how = f"{result['epochs']} epochs on {result['device']}, the best is {result['best_epoch']}; ended: {result['stopped']}."
    return f'<p class="note">{escape(when)} {escape(how)}</p>'


def _scores(figures: Mapping[str, Any]) -> str:
    names = {"test": "test part", "base_on_test": "test part, before training", "val": "val part (chosen by it)"}
    columns: tuple[tuple[str, str], ...] = (
        ("images", "images"),
        ("map50", "mAP50"),
        ("map50_95", "mAP50-95"),
        ("precision", "precision"),
        ("recall", "recall"),
    )
    columns += (("count_bias", "count bias"), ("count_mae", "count MAE"), ("count_ccc", "Lin's CCC"), ("threshold", "threshold"))
    head = "".join(f'<th class="n">{escape(shown)}</th>' for _, shown in columns)
    rows = [
        f"<tr><td>{names[name]}</td>" + "".join(f'<td class="n">{_shown(figures[name][key])}</td>' for key, _ in columns) + "</tr>"
        for name in names
        if figures.get(name)
    ]
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _parts(record: Mapping[str, Any]) -> str:
    split, dataset = record["split"], record["dataset"]
    how = "by tow, never by frame" if split["independent"] else "by image: the parts are not independent, the figures too good"
    rows = "".join(
        f'<tr><td>{name}</td><td class="n">{part["images"]}</td><td class="n">{part["boxes"]}</td>'
        f"<td>{escape(', '.join(f'{tow} ({count})' for tow, count in part['tows'].items()) or '-')}</td></tr>"
        for name, part in split["parts"].items()
    )
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in record["warnings"])
    told = f"{dataset['name']}, {dataset['images']} labelled images, SHA-256 {dataset['sha256']}. Divided {how}, seed {split['seed']}."
    return (
        f"<p>{escape(told)}</p>"
        f'<table><tr><th>part</th><th class="n">images</th><th class="n">boxes</th><th>tows (images)</th></tr>{rows}</table>'
        + (f"<ul>{warnings}</ul>" if warnings else "")
    )


def _table(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(str(name))}</td><td>{escape(_shown(value))}</td></tr>" for name, value in values.items())
    return f"<table>{rows}</table>"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _series(curves: Sequence[Mapping[str, float]], lines: Sequence[tuple[str, str]]) -> dict[str, list[tuple[float, float]]]:
    return {shown: [(row["epoch"], row[name]) for row in curves if name in row] for name, shown in lines}


def _figure(name: str, series: Mapping[str, Sequence[tuple[float, float]]], best_epoch: int) -> str:
    points = [point for line in series.values() for point in line]
    if not points:
        return ""
    axes = _Axes(last=max(x for x, _ in points), top=_nice_top(max(y for _, y in points)))
    parts = [*_grid(axes), _mark(axes, best_epoch)]
    for (_, line), (colour, dash) in zip(series.items(), _LINES, strict=False):
        parts.append(_line(axes, line, colour, dash))
    if len(series) > 1:
        parts.append(_legend(list(series)))
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">epoch 1 to {axes.last:g}</text>')
    drawing = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)} by epoch">{"".join(parts)}</svg>'
    return f"<figure><figcaption>{escape(name)}</figcaption>{drawing}</figure>"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """Epochs 1 to `last` across, values 0 to `top` upwards."""

    last: float
    top: float

    def x(self, epoch: float) -> float:
        share = (epoch - 1) / (self.last - 1) if self.last > 1 else 0.5
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * share, 1)

    def y(self, value: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / self.top), 1)


def _grid(axes: _Axes) -> Iterator[str]:
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = axes.y(share * axes.top)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#8888" stroke-width=".5"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share * axes.top:.3g}</text>'


def _mark(axes: _Axes, epoch: float) -> str:
    x = axes.x(epoch)
    return f'<line x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#888" stroke-dasharray="1 3"/>'


def _line(axes: _Axes, line: Sequence[tuple[float, float]], colour: str, dash: str) -> str:
    if len(line) == 1:
        return f'<circle cx="{axes.x(line[0][0])}" cy="{axes.y(line[0][1])}" r="3" fill="{colour}"/>'
    marks = " ".join(f"{axes.x(x)},{axes.y(y)}" for x, y in line)
    return f'<polyline points="{marks}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"/>'


def _legend(labels: Sequence[str]) -> str:
    parts, left, y = [], _LEFT, _HEIGHT - 6
    for label, (colour, dash) in zip(labels, _LINES, strict=False):
        line = (
            f'<line x1="{left}" x2="{left + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(f'{line}<text x="{left + 29}" y="{y}">{escape(label)}</text>')
        left += 48 + 7 * len(label)
    return "".join(parts)


def _nice_top(highest: float) -> float:
    """The end of an axis: the next of 1, 2, 2.5, 5 times a power of ten."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** (len(f"{int(highest)}") - 1) if highest >= 1 else 1.0
    while power > highest:
        power /= 10
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= highest)
