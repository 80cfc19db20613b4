"""`quantise.html`: what was tried, what it lost and gained, what was kept and why."""

from __future__ import annotations

from html import escape

from models.quantise.values import QuantiseReport, Tried
from models.report.page import Section, cards, charts, figure, page, paragraph, table, told
from models.report.svg import Plot, deviation_bars, nice_axis

_SHOWN_LAYERS = 25
_NAMES = {
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "top1": "top-1",
    "precision": "precision",
    "recall": "recall",
    "count_bias": "count bias",
    "count_mae": "count MAE",
    "count_ccc": "Lin's CCC",
}


def quantise_page(report: QuantiseReport) -> str:
    """The page as HTML that loads nothing."""
    sections = [
        Section(key="tried", heading="What was tried", body=_tried(report), intro=paragraph(_how_to_read(report))),
        Section(key="trade", heading="Speed against loss", body=_trade(report)),
        Section(key="accuracy", heading="All figures", body=_figures(report)),
        Section(key="layers", heading="Layers in floating point", body=_layers(report)),
        Section(key="images", heading="Images", body=_images(report)),
    ]
    title = f"Quantisation of {report.name} {report.version}"
    return page(title, _lead(report), sections)


def _lead(report: QuantiseReport) -> str:
    machine = report.machine
    best = min((one for one in report.tried if one.kept and one.cpu_ms is not None), key=lambda one: one.cpu_ms or 0.0, default=None)
    shown = []
    if best is not None and best.times_fp32 is not None:
        shown += [
            ("fastest that was kept", best.variant, best.told),
            ("against fp32", f"{best.times_fp32:.2f} x", "images in the same processor time"),
            ("loss", f"{max(0.0, best.drop_points or 0.0):.2f} points", f"of {report.accuracy[1]}; allowed {report.limit_points:g}"),
        ]
    shown.append(("kept", str(sum(one.kept for one in report.tried)), f"of {len(report.tried)} that were tried"))
    made = (
        f"From {report.source}, {report.measured_utc:%Y-%m-%d %H:%M} UTC, on {machine.cpu}, {machine.cores} cores "
        f"({', '.join(machine.cpu_flags)}; {', '.join(machine.runtimes)})."
    )
    warnings = "".join(paragraph(f"{warning[0].upper()}{warning[1:]}.", kind="caution") for warning in report.warnings)
    return paragraph(made, kind="muted") + cards(shown) + warnings


def _how_to_read(report: QuantiseReport) -> str:
    return (
        f"Points lost are those of {report.accuracy[1]} against the original; below zero it gained. Speed is that of the appliance's whole "
        "path without decoding. Milliseconds and images per second suffer when the machine has other work; CPU ms, the processor time of "
        "an image, hardly does, and 'times fp32' compares that. A variant is kept when its golden images hold and it loses no more "
        "than the pack allows; of the tries at INT8 the most exact that is about as fast as any."
    )


def _tried(report: QuantiseReport) -> str:
    key, title = report.accuracy
    numbers = (title, "points lost", "ms, one core", "images/s", "CPU ms", "times fp32")
    rows = [
        [
            one.variant,
            one.told,
            told(one.metrics.get(key), 4),
            told(one.drop_points, 2, signed=True),
            told(one.latency_ms, 1),
            told(one.images_per_s, 1),
            told(one.cpu_ms, 1),
            told(one.times_fp32, 2),
            "kept" if one.kept else "dropped",
            one.reason,
        ]
        for one in report.tried
    ]
    rows += [[name, "", "-", "-", "-", "-", "-", "-", "not tried", reason] for name, reason in report.not_tried.items()]
    return table(("variant", "what it is", *numbers, "verdict", "why"), rows, numbers=numbers)


def _trade(report: QuantiseReport) -> str:
    measured = [one for one in report.tried if one.times_fp32 is not None and one.drop_points is not None]
    if not measured:
        return paragraph("No speed was measured.")
    losses = [one.drop_points or 0.0 for one in measured]
    speeds = [one.times_fp32 or 0.0 for one in measured]
    plot = Plot(
        "Speed against loss",
        nice_axis(f"points of {report.accuracy[1]} lost", min(0.0, *losses), max(report.limit_points, *losses)),
        nice_axis("images in the processor time of one in fp32", 0.0, max(speeds)),
    )
    for name, is_kept in (("kept", True), ("dropped", False)):
        ones = [one for one in measured if one.kept == is_kept]
        if ones:
            tips = [f"{one.variant}: {one.told}" for one in ones]
            plot.dots(
                [one.drop_points or 0.0 for one in ones],
                [one.times_fp32 or 0.0 for one in ones],
                name=name,
                tips=tips,
                sizes=[5.0] * len(ones),
            )
    plot.upright(report.limit_points, "allowed")
    bars = [(one.variant, one.times_fp32 or 0.0, f"{one.times_fp32:.2f} x") for one in measured if one.kept]
    return charts(
        [
            figure(plot.render(), "Upwards is faster, to the left is more accurate; beyond the dashed line nothing is kept."),
            figure(deviation_bars("Speed of what was kept", "times fp32, by processor time", bars), "What is in the pack."),
        ]
    )


def _figures(report: QuantiseReport) -> str:
    keys = [key for key in _NAMES if any(key in one.metrics for one in report.tried)]
    names = [_NAMES[key] for key in keys]
    rows = [[_label(one), *(told(one.metrics.get(key), 4, signed=key == "count_bias") for key in keys)] for one in report.tried]
    return table(("variant", *names), rows, numbers=names)


def _label(one: Tried) -> str:
    return one.variant if one.precision != "int8" else one.told


def _layers(report: QuantiseReport) -> str:
    rows = [
        [
            one.told,
            str(one.n_int8_layers),
            str(len(one.float_layers)),
            ", ".join(one.float_layers[:8]) + (", ..." if len(one.float_layers) > 8 else ""),
        ]
        for one in report.tried
        if one.precision == "int8"
    ]
    body = table(("try", "in 8 bits", "in floating point", "the latter by name"), rows, numbers=("in 8 bits", "in floating point"))
    body += paragraph("Layers with weights are counted; box arithmetic has none.", kind="muted")
    if not report.ranking:
        return body
    shown = report.ranking[:_SHOWN_LAYERS]
    ranked = [[str(place), str(layer["name"]), f"{layer['gain']:.5f}"] for place, layer in enumerate(shown, start=1)]
    told_how = (
        "What the error of the last layers, as a share of the signal's power, falls by when only this layer computes in floating point; "
        f"the first {len(shown)} of {len(report.ranking)}."
    )
    return body + paragraph(told_how) + table(("place", "layer", "gain"), ranked, numbers=("place", "gain"))


def _images(report: QuantiseReport) -> str:
    data = report.data
    facts = [
        ["data set", f"{data.form}, SHA-256 {data.sha256}"],
        ["divided", data.divided],
        [
            "calibrated on",
            f"{len(data.calibration)} of {data.n_calibration_pool} images, of {data.calibration_tows} tows, chosen for variety",
        ],
        ["judged by", f"{data.n_validation} images with {data.n_validation_objects} objects, of {data.validation_tows} tows"],
    ]
    names = "".join(f"<li>{escape(name)}</li>" for name in data.calibration)
    return table(("what", "which"), facts) + f"<details><summary>The images that calibrated</summary><ol>{names}</ol></details>"
