"""`quantise.html`: what was tried, what it lost and gained, what was kept and why. Self-contained, no script."""

from __future__ import annotations

from html import escape

from models.quantise.values import QuantiseReport, Tried


def page(report: QuantiseReport) -> str:
    """The page."""
    return "<!doctype html><title>" + escape(report.name) + "</title>" + "".join(_row(one) for one in report.tried)


def _row(one: Tried) -> str:
    return f"<p>{escape(one.told)}: {escape(one.reason)}</p>"
