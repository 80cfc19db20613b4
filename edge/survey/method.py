"""By which rules, and by whom, a figure was counted. Figures of two methods are never put into one mean, one CV or one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge.store.reads.counts import CountRow
from edge.survey.result import StationResult

Origin = Literal["own", "imported", "table"]
CHOICES: tuple[Origin, ...] = ("own", "imported", "table")


class Method(NamedTuple):
    """How something was counted.

    Attributes:
        origin: `own` is counted here, `imported` are counts by minute that a table brought, `table` is the row of a table of stations as
            others wrote it.
        version: of the survey's protocol; None for a row of a table, which no protocol applies to.
    """

    origin: Origin
    version: int | None

    @property
    def slug(self) -> str:
        """As a part of a file's name or of an address."""
        return self.origin if self.version is None else f"{self.origin}-v{self.version}"

    @property
    def words(self) -> str:
        """For people."""
        told = {"own": "counted here", "imported": "imported counts", "table": "rows of tables of others"}[self.origin]
        return told if self.version is None else f"{told}, protocol {self.version}"


def method_of_result(result: StationResult) -> Method:
    """How the figures of a counted station were come by: `reckon_count` uses counts of one origin alone."""
    used = [str(count["origin"]) for count in result.sources["counts"] if count["used"]]
    return Method(origin_of(used), int(result.sources["protocol"]["version"]))


def origin_of_count(count: CountRow) -> Origin:
    """Whether a count was made here."""
    return origin_of([count.origin])


def origin_of(origins: Sequence[str]) -> Origin:
    """Of counts as their rows name it."""
    return "imported" if "imported" in origins else "own"
