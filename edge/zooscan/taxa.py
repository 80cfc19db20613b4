"""Which names of classes mean one taxon. Values in, values out.

EcoTaxa knows a taxon by its number. Names are not enough: there are larvae of many groups, and `othertocheck` of most. Some of its
tables tell the number, some the name, some both, and labels of one scan may have come by several of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

# How a class is called of which only the number is known; the number follows.
NUMBERED = "category "


class Taxon(NamedTuple):
    """A class. `hierarchy` is such as `living>Crustacea>larvae`; it and `category_id`, EcoTaxa's number, are "" where nobody told."""

    category: str
    hierarchy: str
    category_id: str


def one_of_each(told: Iterable[Taxon]) -> dict[Taxon, Taxon]:
    """For each class as it was told, the class as it is counted.

    Those of one number are one class, whatever they are called; of these the first by name and hierarchy gives both, one that has them
    before one that lacks them. A class without a number has that of the only class with its name and hierarchy; else name and hierarchy
    are what it is.
    """
    known = set(told)
    numbers: dict[tuple[str, str], set[str]] = defaultdict(set)
    of_number: dict[str, list[Taxon]] = defaultdict(list)
    for taxon in known:
        if taxon.category_id:
            numbers[taxon[:2]].add(taxon.category_id)
            of_number[taxon.category_id].append(taxon)
    best = {number: min(taxa, key=_worth) for number, taxa in of_number.items()}

    def counted(taxon: Taxon) -> Taxon:
        if taxon.category_id:
            return best[taxon.category_id]
        found = numbers.get(taxon[:2], set())
        return best[min(found)] if len(found) == 1 else taxon

    return {taxon: counted(taxon) for taxon in known}


def _worth(taxon: Taxon) -> tuple[bool, bool, Taxon]:
    return taxon.category == f"{NUMBERED}{taxon.category_id}", not taxon.hierarchy, taxon
