"""A model card comes from outside: it may say what it likes and do nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from edge.web.markdown import render_markdown
from models.pack import read_pack

ALLOWED = {
    *("p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "em", "strong"),
    *("blockquote", "hr", "br"),
}


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_what_a_card_is_made_of() -> None:
    html = render_markdown("# Title\n\ntext **strong** `code`\n\n| a | b |\n|---|--:|\n| x | 1.5 |\n\n* one\n* two\n")
    assert "<h3>Title</h3>" in html
    assert '<table class="dense">' in html
    assert '<td class="n">1.5</td>' in html
    assert "<strong>strong</strong> <code>code</code>" in html
    assert "<li>one</li>" in html


def test_a_link_is_told_and_leads_nowhere() -> None:
    html = render_markdown("[the paper](https://example.org/x 'y') <https://auto.example> [bad](javascript:alert(1)) ![net](data:x)")
    assert "the paper (https://example.org/x)" in html
    assert html.count("https://auto.example") == 1
    assert "href" not in html
    assert "<img" not in html


def test_html_of_a_card_is_text() -> None:
    html = render_markdown("<script>alert(1)</script>\n\n<b onclick=x>bold</b> <!-- c -->\n\n```<img src=x onerror=y>\n<i>\n```\n")
    assert {tag for tag, _ in Tags(html).seen} <= ALLOWED
    assert "&lt;script&gt;" in html


def test_hidden_characters_are_shown() -> None:
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in render_markdown("evil\N{RIGHT-TO-LEFT OVERRIDE}gpj `x\N{RIGHT-TO-LEFT OVERRIDE}`")


@given(st.text(alphabet=st.sampled_from(list("<>\"'&[](){}!`*_#|-:=/\\ \nabj1javascript:onerror")), max_size=120))
def test_no_text_becomes_anything_but_plain_elements(text: str) -> None:
    for tag, attributes in Tags(render_markdown(text)).seen:
        assert tag in ALLOWED
        assert set(attributes) <= {"class", "start"}
        assert re.fullmatch(r"n|dense|\d*", attributes.get("class") or attributes.get("start") or "")


def test_a_card_without_end_is_cut() -> None:
    assert len(render_markdown("a" * 10_000_000)) < 300_000


def test_the_starters_card_is_readable() -> None:
    from edge.pipeline.keeper import BUNDLED_PACKS

    pack = read_pack(BUNDLED_PACKS / "burrow-openings-starter")
    html = render_markdown(pack.file_path(pack.manifest.card).read_text(encoding="utf-8"))
    assert {tag for tag, _ in Tags(html).seen} <= ALLOWED
    assert "<h3>" in html
