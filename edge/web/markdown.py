"""Markdown of a pack as HTML that is safe to stand in our page.

Raw HTML is shown as text, a picture becomes its words, a link its words and its address (the appliance leads nowhere outside), and
headings begin below the page's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from edge.web.text import shown

MAX_CHARACTERS = 200_000
_LOWEST_HEADING = 6
_WITH_TEXT = frozenset({"text", "code_inline", "fence", "code_block", "html_inline", "html_block"})


def render_markdown(text: str) -> Markup:
    """The HTML of a text from outside."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = [_tamed(token) for token in parser.parse(text[:MAX_CHARACTERS])]
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 (the renderer escapes; tamed below)


def _tamed(token: Token) -> Token:
    token.attrs = _safe_attributes(token)
    token.info = ""
    if token.type in {"heading_open", "heading_close"}:
        token.tag = f"h{min(int(token.tag[1]) + 2, _LOWEST_HEADING)}"
    if token.type in _WITH_TEXT:
        token.content = "\n".join(shown(line) for line in token.content.split("\n"))
    if token.children:
        token.children = [_tamed(child) for child in _without_addresses(token.children)]
    return token


def _safe_attributes(token: Token) -> dict[str, str | int | float]:
    """A table looks like ours; figures stand right by a class, since the pages' policy forbids styles."""
    if token.type == "table_open":
        return {"class": "dense"}
    if token.type == "ordered_list_open" and "start" in token.attrs:
        return {"start": token.attrs["start"]}
    return {"class": "n"} if "right" in str(token.attrs.get("style", "")) else {}


def _without_addresses(tokens: Iterable[Token]) -> Iterator[Token]:
    address, words = "", ""
    for token in tokens:
        if token.type == "link_open":
            address, words = str(token.attrs.get("href", "")), ""
        elif token.type == "link_close":
            if address != words:
                yield _text(f" ({address})")
            address = ""
        elif token.type == "image":
            yield _text(f"[picture: {token.content}]")
        else:
            words += token.content if address else ""
            yield token


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
