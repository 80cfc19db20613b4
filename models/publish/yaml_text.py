"""Plain data as YAML. The appliance has no YAML library; what it writes is a small, readable part of the language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # which YAML does not take for texts
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def to_yaml(value: Mapping[str, Any]) -> str:
    """A table of texts, numbers, flags, lists and tables as a YAML document, in the order that it has.

    Raises:
        TypeError: something else is in it.
    """
    return "\n".join(_table(value, 0)) + "\n"


def _table(table: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, value in table.items():
        key = name if _suits_a_key(name) else _quoted(name)
        if isinstance(value, Mapping):
            yield f"{indent}{key}:" if value else f"{indent}{key}: {{}}"
            yield from _table(value, depth + 1)
        elif isinstance(value, (list, tuple)):
            yield f"{indent}{key}:" if value else f"{indent}{key}: []"
            yield from (f"{indent}  - {_scalar(item)}" for item in value)
        elif isinstance(value, str) and _suits_a_block(value):
            yield f"{indent}{key}: |-"
            yield from (f"{indent}  {line}" if line else "" for line in value.split("\n"))
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _suits_a_key(name: str) -> bool:
    return name.isascii() and name[:1].isalpha() and name.replace("_", "").replace("-", "").isalnum() and name.lower() not in _WORDS


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    raise TypeError(f"YAML is not written for {type(value).__name__}")


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(character) or _safe(character) for character in text) + '"'


def _safe(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def _suits_a_block(text: str) -> bool:
    """Whether it has several lines, none of which a literal block would change."""
    lines = text.split("\n")
    return len(lines) > 1 and all(line.isprintable() and line == line.strip() for line in lines) and bool(lines[0] and lines[-1])
