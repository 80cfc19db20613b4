"""Rows of SQLite as typed values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from edge.store.sqlite import Row

T = TypeVar("T")


def as_value(kind: type[T], row: Row) -> T:
    """A row whose column names are the fields of a dataclass, as that dataclass; 0 and 1 become booleans, texts enums."""
    values = dict(zip(row.keys(), row, strict=True))
    for name, convert in _converters(kind).items():
        values[name] = convert(values[name])
    return kind(**values)


def as_values(kind: type[T], rows: Iterable[Row]) -> tuple[T, ...]:
    """Rows whose column names are the fields of a dataclass."""
    return tuple(as_value(kind, row) for row in rows)


def _converters(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    if kind not in _KNOWN_CONVERTERS:
        _KNOWN_CONVERTERS[kind] = _find_converters(kind)
    return _KNOWN_CONVERTERS[kind]


_KNOWN_CONVERTERS: dict[type[Any], dict[str, Callable[[Any], Any]]] = {}


def _find_converters(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    maybe = {name: _maybe_bool for name, hint in hints.items() if hint == bool | None}
    return {**maybe, **{name: hint for name, hint in hints.items() if isinstance(hint, type) and (hint is bool or issubclass(hint, Enum))}}


def _maybe_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)
