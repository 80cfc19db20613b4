"""`/api`: the description for people, as plain HTML without a script or a style of anybody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title></head><body><h1>{title}</h1><p>{description}</p>'
    '<p>For programs: <a href="/swagger.json">/swagger.json</a> (Swagger 2.0).</p>'
)


def page(document: dict[str, Any]) -> str:
    """The routes of a Swagger document with their arguments."""
    info = document["info"]
    return "".join(
        [_HEAD.format(title=escape(info["title"]), description=escape(info["description"])), *_routes(document), "</body></html>"]
    )


def _routes(document: dict[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            if method == "parameters":
                continue
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(told['summary'])}</p>"
            yield from _arguments(told["parameters"])
            yield from _example(path, told)
            answers = ", ".join(f"{status} {escape(answer['description'])}" for status, answer in told["responses"].items())
            yield f"<p>Answers: {answers}.</p>"


def _arguments(parameters: list[dict[str, Any]]) -> Iterator[str]:
    if not parameters:
        return
    yield "<table><tr><th>argument</th><th>in</th><th>type</th><th>default</th><th>what</th></tr>"
    for one in parameters:
        default = json.dumps(one["default"]) if "default" in one else ("required" if one["required"] else "")
        cells = (one["name"], one["in"], one["type"], default, one["description"])
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table>"


def _example(path: str, told: dict[str, Any]) -> Iterator[str]:
    if "consumes" in told:
        yield f"<pre>curl -F files=@IMAGE.jpg http://ADDRESS:PORT{escape(path)}</pre>"
