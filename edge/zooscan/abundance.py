"""Abundance and biovolume per class and per class of size, from the scans of a sample. Values in, values out.

A fraction of a sample may lie on several scans (`d2_1_sur_2`, `d2_2_sur_2`); its objects are those of all of them. Zooprocess's part of
a fraction (`Fracnb`, EcoTaxa's `acq_sub_part`) is that of the whole set: where a Motoda box split a sample into eight and two of them
were scanned, it is 4, not 8. So, with Gorsky et al. (2010, J. Plankton Res. 32, 285-303):

    abundance [m-3] = objects on all scans of the fraction * Fracnb / volume,    added up over the fractions

A class of which nothing was found is 0 only where somebody said of every object what it is. Otherwise nobody has looked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge.zooscan.counted import CountedObject, CountedScan, Wanted, by_fraction, check
from edge.zooscan.sizes import Body, SizeClass, numbered_class, size_class
from edge.zooscan.taxa import Taxon, one_of_each

ALL_CLASSES = "all objects"
VALIDATED = "validated"
NOT_SAID = "not classified"
_ALL, _NOBODY = (Taxon(ALL_CLASSES, "", ""), ""), (Taxon(NOT_SAID, "", ""), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAbundance:
    """How much of a class there is in a sample.

    Attributes:
        sample_id: of the sample; fractions: such as `d1+d2`; scans: their names.
        category, hierarchy, category_id: of the class, with EcoTaxa's number; status: of what was said (validated, or each by itself).
        objects: found; None: nobody has looked for it on every object.
        multiples: of these, those that hold as several animals.
        abundance_m3: individuals per m3; None as `objects`.
        ellipsoid_mm3_m3, sphere_mm3_m3: biovolume per m3.
        is_complete: whether somebody said of every object of the sample what it is; else the figures are lower bounds. Of all objects
            together they never are: each is counted, whatever it is.
        not_said: objects of which nobody did.
    """

    sample_id: str
    fractions: tuple[str, ...]
    scans: tuple[str, ...]
    category: str
    hierarchy: str
    status: str
    objects: int | None
    multiples: int | None
    abundance_m3: float | None
    ellipsoid_mm3_m3: float | None
    sphere_mm3_m3: float | None
    is_complete: bool
    not_said: int
    volume_m3: float
    volume_filtered_m3: float | None
    category_id: str = ""

    @property
    def looked_for(self) -> str:
        """On how many objects it was looked for, in words."""
        if self.category == ALL_CLASSES:
            return "counted, whatever they are"
        if self.category == NOT_SAID:
            return "nobody said what these are"
        return "on every object" if self.is_complete else f"at least so many: {self.not_said:,} objects are not classified"

    @property
    def taxon(self) -> Taxon:
        """The class."""
        return Taxon(self.category, self.hierarchy, self.category_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAbundance:
    """How much of a class there is in a class of size.

    Attributes:
        sample_id, category, hierarchy, category_id, status, body: of what.
        size: the class of size.
        objects, abundance_m3, biovolume_mm3_m3: in it; 0 between others: there was none.
        nbss_m3: the biovolume per m3 over the width of the class, mm3 m-3 mm-3.
        is_cut: whether the smallest objects that are taken lie in this class, so that it has too few.
    """

    sample_id: str
    category: str
    hierarchy: str
    category_id: str
    status: str
    body: Body
    size: SizeClass
    objects: int
    abundance_m3: float
    biovolume_mm3_m3: float
    nbss_m3: float
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Weighted:
    """An object and how many individuals per m3 it stands for."""

    one: CountedObject
    per_m3: float


def class_abundances(scans: Sequence[CountedScan], wanted: Wanted, taxa: Iterable[Taxon] = ()) -> list[ClassAbundance]:
    """How much of each class there is in a sample.

    Args:
        scans: all of one sample.
        wanted: what is asked for.
        taxa: classes that other samples have: 0 here, or not looked for.

    Raises:
        ExportRefusedError: there is no abundance of this sample.
    """
    check(scans, wanted)
    objects = list(_weighted(scans))
    classes = one_of_each((*taxa_of(scans), *taxa))
    groups: dict[tuple[Taxon, str], list[_Weighted]] = defaultdict(list)
    for weighted in objects:
        groups[_class_of(weighted.one, wanted, classes)].append(weighted)
    not_said = len(groups.get(_NOBODY, ()))
    sure = "" if wanted.every_status else VALIDATED
    missing = sorted(set(classes.values()) - {taxon for taxon, _ in groups})
    rows = [*sorted(groups.items()), *(((taxon, sure), []) for taxon in missing)]
    return [_class_row(scans, taxon, status, found, not_said=not_said) for (taxon, status), found in [(_ALL, objects), *rows]]


def taxa_of(scans: Iterable[CountedScan]) -> set[Taxon]:
    """Every class that somebody said an object is, as it was told."""
    return {taxon for scan in scans for one in scan.objects or () if (taxon := _told(one)) is not None}


def _class_row(scans: Sequence[CountedScan], taxon: Taxon, status: str, found: Sequence[_Weighted], *, not_said: int) -> ClassAbundance:
    is_own = (taxon, status) in (_ALL, _NOBODY)
    is_known = bool(found) or not not_said or is_own
    volume = scans[0].volume_m3
    assert volume is not None
    return ClassAbundance(
        sample_id=scans[0].sample_id,
        fractions=tuple(by_fraction(scans)),
        scans=tuple(scan.name for scan in scans),
        category=taxon.category,
        hierarchy=taxon.hierarchy,
        category_id=taxon.category_id,
        status=status,
        objects=len(found) if is_known else None,
        multiples=sum(one.one.is_multiple for one in found) if is_known else None,
        abundance_m3=math.fsum(one.per_m3 for one in found) if is_known else None,
        ellipsoid_mm3_m3=math.fsum(one.per_m3 * one.one.ellipsoid_mm3 for one in found) if is_known else None,
        sphere_mm3_m3=math.fsum(one.per_m3 * one.one.sphere_mm3 for one in found) if is_known else None,
        is_complete=taxon == _ALL[0] or not not_said,
        not_said=not_said,
        volume_m3=volume,
        volume_filtered_m3=next((scan.volume_filtered_m3 for scan in scans if scan.volume_filtered_m3 is not None), None),
    )


def _weighted(scans: Sequence[CountedScan]) -> Iterator[_Weighted]:
    for scan in scans:
        assert scan.split is not None
        assert scan.volume_m3 is not None
        yield from (_Weighted(one, scan.split / scan.volume_m3) for one in scan.objects or ())


def _told(one: CountedObject) -> Taxon | None:
    """The class of an object as it was told; None: nobody said."""
    return None if one.category is None else Taxon(one.category, one.hierarchy or "", one.category_id or "")


def _class_of(one: CountedObject, wanted: Wanted, classes: Mapping[Taxon, Taxon]) -> tuple[Taxon, str]:
    """The class and status that an object is counted under."""
    taxon = _told(one)
    if taxon is None or one.status is None or (not wanted.every_status and one.status != VALIDATED):
        return _NOBODY
    return classes[taxon], one.status


def size_abundances(scans: Sequence[CountedScan], wanted: Wanted, taxa: Iterable[Taxon] = ()) -> list[SizeAbundance]:
    """The spectra of a sample: of all objects, and of each class.

    The spectrum of a class goes from its smallest to its largest object; in between, a class of size without one has 0. `taxa` are those
    of `class_abundances`: a class has the same name in both.

    Raises:
        ExportRefusedError: there is no abundance of this sample.
    """
    check(scans, wanted)
    classes = one_of_each((*taxa_of(scans), *taxa))
    groups: dict[tuple[Taxon, str], dict[int, list[_Weighted]]] = defaultdict(lambda: defaultdict(list))
    for weighted in _weighted(scans):
        number = size_class(weighted.one.biovolume_mm3(wanted.body), wanted.step).number
        for group in (_ALL, _class_of(weighted.one, wanted, classes)):
            groups[group][number].append(weighted)
    rows: list[SizeAbundance] = []
    for group, sizes in sorted(groups.items(), key=lambda item: (item[0] != _ALL, item[0])):
        numbers = range(min(sizes), max(sizes) + 1)
        rows += [_size_row(scans[0].sample_id, group, number, sizes.get(number, []), wanted) for number in numbers]
    return rows


def _size_row(sample_id: str, group: tuple[Taxon, str], number: int, found: Sequence[_Weighted], wanted: Wanted) -> SizeAbundance:
    taxon, status = group
    size = numbered_class(number, wanted.step)
    biovolume = math.fsum(one.per_m3 * one.one.biovolume_mm3(wanted.body) for one in found)
    return SizeAbundance(
        sample_id=sample_id,
        category=taxon.category,
        hierarchy=taxon.hierarchy,
        category_id=taxon.category_id,
        status=status,
        body=wanted.body,
        size=size,
        objects=len(found),
        abundance_m3=math.fsum(one.per_m3 for one in found),
        biovolume_mm3_m3=biovolume,
        nbss_m3=biovolume / size.width_mm3,
        is_cut=size.lower_mm3 < wanted.smallest_mm3,
    )
