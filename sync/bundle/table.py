"""What a table of bundles is, and the steps that its numbers are rounded to."""

from __future__ import annotations

from dataclasses import dataclass

from sync.bundle.columns import Column, Octets, Scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of bundles. `key`: the columns that, with the vessel, name a row: one that comes again is it, maybe in a newer state."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns."""
        return tuple(column.name for column in self.columns)


def uuid_of(name: str) -> Octets:
    """A UUID that the appliance made. One that a browser chose is a `Text`: it may be any words."""
    return Octets(name, 16)


def sha256_of(name: str) -> Octets:
    """A SHA-256."""
    return Octets(name, 32)


def px(name: str) -> Scaled:
    """Pixels, to a tenth: a hundredth of what two people differ by who draw the same box."""
    return Scaled(name, 10)


def score(name: str) -> Scaled:
    """A share of 1, to 0.0001."""
    return Scaled(name, 10_000)


def thousandths(name: str) -> Scaled:
    """Seconds, metres and means, to 0.001: a millisecond, a millimetre."""
    return Scaled(name, 1000)


def degrees(name: str) -> Scaled:
    """Latitudes and longitudes, to 0.0000001 degrees: a centimetre."""
    return Scaled(name, 10_000_000)
