"""The parts of a report's page; everything that comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from models.report.style import STYLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page: `body` and `intro` are HTML, `heading` is text."""

    key: str
    heading: str
    body: str
    intro: str = ""


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A whole HTML file that loads nothing.

    Args:
        lead: HTML under the title.
    """
    links = "".join(f'<a href="#{section.key}">{escape(section.heading)}</a>' for section in sections)
    bodies = "".join(
        f'<section id="{section.key}"><h2>{escape(section.heading)}</h2>{section.intro}{section.body}</section>' for section in sections
    )
    # The policy makes sure of it: no script runs and nothing is fetched, whatever a file name holds.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>{lead}<nav>{links}</nav>{bodies}</body></html>\n"
    )


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def cards(figures: Sequence[tuple[str, str, str]]) -> str:
    """The figures that matter most: (name, value, what it is) each."""
    items = "".join(f"<li>{escape(name)}<b>{escape(value)}</b><span>{escape(meaning)}</span></li>" for name, value, meaning in figures)
    return f'<ul class="cards">{items}</ul>'


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[str] = (), chosen: int | None = None) -> str:
    """A table; `numbers` are the headings of columns of figures, `chosen` the row that stands out."""
    kinds = [' class="number"' if heading in numbers else "" for heading in headings]
    head = "".join(f"<th{kind}>{escape(heading)}</th>" for heading, kind in zip(headings, kinds, strict=True))
    body = "".join(
        ('<tr class="chosen">' if number == chosen else "<tr>")
        + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def matrix(corner: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A square table of counts, each cell shaded by its share of its row."""
    head = f"<th>{escape(corner)}</th>" + "".join(f'<th class="number">{escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = sum(row)
        cells = "".join(f'<td style="--share:{count / total if total else 0:.2f}">{count}</td>' for count in row)
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="scroll"><table class="matrix"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def figure(drawing: str, caption: str) -> str:
    """A drawing (SVG or HTML) and what it shows."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def charts(figures: Sequence[str]) -> str:
    """Figures side by side, as many as fit."""
    return f'<div class="charts">{"".join(figures)}</div>'


def pictures(figures: Sequence[str]) -> str:
    """Larger figures side by side."""
    return f'<div class="pictures">{"".join(figures)}</div>'


def told(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """A figure as text; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
