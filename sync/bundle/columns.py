"""How the values of a column are put into a bundle: as small whole numbers where that can be, each value once where many are alike.

A column is a CBOR array, so that a bundle can be read without this program. What makes it small is what zstd finds afterwards: differences
of neighbours instead of values, numbers of a dictionary instead of texts.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from edge.errors import TransportError

Values = Sequence[Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_LENGTH = len("2026-11-22T07:00:00.000Z")


class BundleDamagedError(TransportError):
    """A bundle that is not what was sent, or was never one."""

    code = "bundle_damaged"
    default_advice = "Get it again from where it came from; the ship keeps a copy until the far side has confirmed it."


class Column(Protocol):
    """The way of one column into a bundle and out of it. None stands for what is not known."""

    @property
    def name(self) -> str:
        """Of the column, with its unit."""

    def pack(self, values: Values) -> Any:
        """Values as what CBOR can hold.

        Raises:
            ValueError: a value that the column does not take; nothing is put in its stead.
        """

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """The values again.

        Raises:
            BundleDamagedError: it is not what `pack` makes of so many rows.
        """


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers, each as its difference to the one before."""

    name: str

    def pack(self, values: Values) -> Any:
        """See `Column`."""
        return _differences([None if value is None else _whole(value) for value in values])

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """See `Column`."""
        return _sums(_list(packed, rows, self.name), self.name)


@dataclass(frozen=True, slots=True)
class Scaled:
    """Numbers in whole steps of 1 / `per_unit`, rounded to the nearest: what a step is stands in the schema, and in docs/bundles.md."""

    name: str
    per_unit: int

    def pack(self, values: Values) -> Any:
        """See `Column`."""
        return [None if value is None else self._steps(value) for value in values]

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """See `Column`."""
        return [None if steps is None else _number(steps, self.name) / self.per_unit for steps in _list(packed, rows, self.name)]

    def _steps(self, value: float) -> int:
        steps = float(value) * self.per_unit
        if not abs(steps) < 2**53:  # not a number, or none that has steps
            raise ValueError(f"{value} is no number that {self.name} can hold")
        return round(steps)


@dataclass(frozen=True, slots=True)
class Text:
    """Texts, each different one once."""

    name: str

    def pack(self, values: Values) -> Any:
        """See `Column`."""
        known, places = _numbered([None if value is None else str(value) for value in values])
        return [known, _differences(places)]

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """See `Column`."""
        known, places = _pair(packed, rows, self.name)
        if not all(isinstance(text, str) for text in known):
            raise BundleDamagedError(f"the column {self.name} holds something that is no text")
        return _looked_up(known, places, self.name)


@dataclass(frozen=True, slots=True)
class Octets:
    """Identities that are written in hexadecimal digits, a UUID or a SHA-256: each different one once, as bytes."""

    name: str
    size: int

    def pack(self, values: Values) -> Any:
        """See `Column`."""
        known, places = _numbered([None if value is None else self._octets(value) for value in values])
        return [b"".join(known), _differences(places)]

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """See `Column`."""
        joined, places = _pair(packed, rows, self.name)
        if not isinstance(joined, bytes) or len(joined) % self.size:
            raise BundleDamagedError(f"the column {self.name} holds no whole identities")
        parts = [joined[at : at + self.size] for at in range(0, len(joined), self.size)]
        return _looked_up([self._text(part) for part in parts], places, self.name)

    def _octets(self, value: str) -> bytes:
        octets = uuid.UUID(value).bytes if self.size == 16 else bytes.fromhex(value)
        if len(octets) != self.size or self._text(octets) != value:
            raise ValueError(f"{value!r} is no identity as {self.name} holds them")
        return octets

    def _text(self, octets: bytes) -> str:
        return str(uuid.UUID(bytes=octets)) if self.size == 16 else octets.hex()


@dataclass(frozen=True, slots=True)
class Time:
    """Times in UTC as the database writes them, to the millisecond: whole milliseconds since 1970, each as a difference."""

    name: str

    def pack(self, values: Values) -> Any:
        """See `Column`."""
        return _differences([None if value is None else self._ms(value) for value in values])

    def unpack(self, packed: Any, rows: int) -> list[Any]:
        """See `Column`."""
        try:
            return [None if ms is None else _time_text(ms) for ms in _sums(_list(packed, rows, self.name), self.name)]
        except OverflowError as error:
            raise BundleDamagedError(f"the column {self.name} holds a number that is no time") from error

    def _ms(self, value: str) -> int:
        ms = (datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1)
        if _time_text(ms) != value:
            raise ValueError(f"{value!r} is no time as {self.name} holds them")
        return ms


def _time_text(ms: int) -> str:
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is no whole number")


def _numbered(values: Sequence[Any]) -> tuple[list[Any], list[int | None]]:
    places: dict[Any, int] = {}
    numbers = [None if value is None else places.setdefault(value, len(places)) for value in values]
    return list(places), numbers


def _differences(values: Sequence[int | None]) -> list[int | None]:
    last, found = 0, []
    for value in values:
        found.append(None if value is None else value - last)
        last = last if value is None else value
    return found


def _sums(differences: Sequence[Any], name: str) -> list[int | None]:
    last, found = 0, []
    for difference in differences:
        last = last if difference is None else last + _number(difference, name)
        found.append(None if difference is None else last)
    return found


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BundleDamagedError(f"the column {name} holds something that is no whole number")
    return value


def _list(packed: Any, rows: int, name: str) -> list[Any]:
    if not isinstance(packed, list) or len(packed) != rows:
        raise BundleDamagedError(f"the column {name} does not hold {rows} values")
    return packed


def _pair(packed: Any, rows: int, name: str) -> tuple[Any, list[int | None]]:
    if not isinstance(packed, list) or len(packed) != 2:
        raise BundleDamagedError(f"the column {name} is none of a bundle")
    return packed[0], _sums(_list(packed[1], rows, name), name)


def _looked_up(known: Sequence[Any], places: Sequence[int | None], name: str) -> list[Any]:
    if any(place is not None and not 0 <= place < len(known) for place in places):
        raise BundleDamagedError(f"the column {name} points to a value that is not there")
    return [None if place is None else known[place] for place in places]
