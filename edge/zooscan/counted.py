"""The scans of a sample as what abundances are computed from, and why they may not be. Values in, values out.

A fraction of a sample may lie on several scans (`d2_1_sur_2`, `d2_2_sur_2`); it counts when each of them is there once.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from edge.errors import ExportRefusedError
from edge.zooscan.sizes import Body, SizeStep

_SET = re.compile(r"_\d+_sur_\d+$", re.IGNORECASE)
# What a fraction that is the whole sample is called.
_WHOLE = frozenset(("tot", "total"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedObject:
    """An object of a scan.

    Attributes:
        category, hierarchy, category_id, status: what it is, EcoTaxa's number of that, and how sure it is; None: nobody said.
        ellipsoid_mm3, sphere_mm3: its biovolume, twice.
        is_multiple: whether it holds as several animals that were not separated.
    """

    category: str | None
    hierarchy: str | None
    status: str | None
    ellipsoid_mm3: float
    sphere_mm3: float
    is_multiple: bool
    category_id: str | None = None

    def biovolume_mm3(self, body: Body) -> float:
        """Its biovolume as one of the two bodies."""
        return self.ellipsoid_mm3 if body is Body.ELLIPSOID else self.sphere_mm3


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedScan:
    """A scan of a sample.

    Attributes:
        name: of the scan.
        sample_id, fraction_id: as stated; "" if not.
        scan_of_fraction: which of how many scans hold the fraction.
        split: `Fracnb`; None if not known.
        volume_m3: of water, as stated; None if not known.
        volume_filtered_m3: what the net filtered, where somebody stated it beside; it is not computed with.
        fraction_min_um, fraction_max_um: sieves.
        problems: what is wrong with what was stated about split and volume.
        signed: whether its check was signed.
        undecided: proposed multiples that nobody looked at.
        objects: what was found; None: it has no result.
        raw_sha256: of the bytes that these were found in; "" without a result.
    """

    name: str
    sample_id: str
    fraction_id: str
    scan_of_fraction: tuple[int, int]
    split: float | None
    volume_m3: float | None
    volume_filtered_m3: float | None
    fraction_min_um: float | None
    fraction_max_um: float | None
    problems: tuple[str, ...]
    signed: bool
    undecided: int
    objects: tuple[CountedObject, ...] | None
    raw_sha256: str = ""

    @property
    def fraction(self) -> str:
        """Without which scan of it this is, in small letters: `d2` of `D2_1_sur_2`. People type both, and mean one fraction."""
        return _SET.sub("", self.fraction_id).strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no abundance of a sample: `where` is a scan, a fraction or the sample."""

    sample_id: str
    where: str
    what: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for.

    Attributes:
        every_status: every status by itself; else what is validated, and all the rest as not classified.
        step: of the classes of size; body: of the bodies.
        unsigned: take scans whose check nobody signed, and whatever was proposed on them.
        unresolved: take proposed multiples that nobody looked at, each as the one animal that it counts as.
        smallest_mm3: the biovolume of the smallest object that is taken, as a sphere.
    """

    every_status: bool = False
    step: SizeStep = SizeStep.OCTAVE
    body: Body = Body.ELLIPSOID
    unsigned: bool = False
    unresolved: bool = False
    smallest_mm3: float = 0.0


def refusals(scans: Sequence[CountedScan], wanted: Wanted) -> Iterator[Refusal]:
    """Why there is no abundance of a sample; nothing if there is.

    Args:
        scans: all of one sample that are known, with or without a result.
        wanted: what is asked for.
    """
    sample_id = scans[0].sample_id

    def refusal(where: str, what: str, advice: str) -> Refusal:
        return Refusal(sample_id=sample_id, where=where, what=what, advice=advice)

    if not sample_id:
        yield from (refusal(scan.name, "no SampleId is stated", "State it on the scan's form.") for scan in scans)
        return
    for scan in scans:
        yield from (refusal(scan.name, *words) for words in _scan_refusals(scan, wanted))
    volumes = {scan.volume_m3 for scan in scans if scan.volume_m3 is not None}
    if len(volumes) > 1:
        stated = ", ".join(f"{volume:g}" for volume in sorted(volumes))
        yield refusal(sample_id, f"its scans state different volumes: {stated} m3", "State the same volume on the form of each scan.")
    for fraction, together in by_fraction(scans).items():
        yield from (refusal(f"{sample_id} {fraction}", *words) for words in _set_refusals(together))
    yield from (refusal(sample_id, *words) for words in (*_twice_refusals(scans), *_raw_refusals(scans)))


def _scan_refusals(scan: CountedScan, wanted: Wanted) -> Iterator[tuple[str, str]]:
    form = "State it on the scan's form."
    if scan.objects is None:
        yield "it has no result", "Process it first; the list of scans says what it waits for or why it failed."
    if not scan.fraction_id:
        yield "no FracId is stated", form
    if scan.split is None or scan.split <= 0:
        yield "Fracnb is not known: nobody knows which part of the sample was scanned", form
    if scan.volume_m3 is None or scan.volume_m3 <= 0:
        yield "Vol is not known", form
    yield from ((problem, "Correct it on the scan's form.") for problem in scan.problems)
    strange = sum(not (0 < volume < math.inf) for one in scan.objects or () for volume in (one.ellipsoid_mm3, one.sphere_mm3))
    if strange:
        yield f"{strange} biovolumes of its objects are not defined", "Process it again; if they stay so, keep the scan for the developers."
    if scan.objects is not None and not wanted.unsigned and not scan.signed:
        left = f", and {scan.undecided} proposed multiples wait for a decision" if scan.undecided else ""
        yield f"its check is not signed{left}", "Check and sign it on its page; or take it unsigned (--unsigned)."
    elif scan.undecided and not (wanted.unsigned or wanted.unresolved):
        yield (
            f"it is signed, but nobody decided about proposed multiples: {scan.undecided}",
            "Withdraw the signature, separate them or decide, and sign again; or count each as one animal (--unresolved).",
        )


def _set_refusals(together: Sequence[CountedScan]) -> Iterator[tuple[str, str]]:
    """A fraction counts when every scan of it is there once."""
    sizes = {scan.scan_of_fraction[1] for scan in together}
    if len(sizes) > 1:
        yield f"its scans say it lies on {' and on '.join(map(str, sorted(sizes)))} scans", "Correct FracId on the forms of these scans."
        return
    (size,) = sizes
    seen = Counter(scan.scan_of_fraction[0] for scan in together)
    if missing := [number for number in range(1, size + 1) if number not in seen]:
        numbers = ", ".join(f"{number}_sur_{size}" for number in missing)
        yield f"it lies on {size} scans, and these are not here: {numbers}", "Scan them, or put them into the project folder."
    for number, times in seen.items():
        if times > 1:
            names = ", ".join(scan.name for scan in together if scan.scan_of_fraction[0] == number)
            yield (
                f"there are {times} scans of the part {number} of {size}: {names}",
                "Take the wrong one out of the project folder, or give it a FracId of its own on its form.",
            )
    splits = {scan.split for scan in together}
    if len(splits) > 1 and None not in splits:
        stated = ", ".join(f"{split:g}" for split in sorted(split for split in splits if split is not None))
        yield f"its scans state different Fracnb: {stated}", "Fracnb is that of the whole set: state the same on each form."


def _twice_refusals(scans: Sequence[CountedScan]) -> Iterator[tuple[str, str]]:
    """What would count a part of the sample twice: the whole beside its fractions, or sieves that overlap."""
    fractions = by_fraction(scans)
    parts = [name for name in fractions if name not in _WHOLE]
    if whole := [name for name in fractions if name in _WHOLE]:
        if parts or len(whole) > 1:
            words = f"{' and '.join(whole)} is the whole sample, and beside it there are: {', '.join(parts or whole)}"
            yield words, "Take one or the other out of the project folder, or correct FracId on its form: added up they count it twice."
        return
    sieves = [(one, _sieves_um(fractions[one])) for one in parts]
    for (one, (low, high)), (other, (other_low, other_high)) in combinations(sieves, 2):
        if max(low, other_low) < min(high, other_high):
            yield (
                f"the sieves of its fractions overlap: {one} is {_told_um(low, high)}, {other} is {_told_um(other_low, other_high)}",
                "Correct Fracmin and Fracsup on the forms of these scans: what lies in both is counted twice.",
            )


def _raw_refusals(scans: Sequence[CountedScan]) -> Iterator[tuple[str, str]]:
    by_raw: dict[str, list[str]] = defaultdict(list)
    for scan in scans:
        if scan.raw_sha256:
            by_raw[scan.raw_sha256].append(scan.name)
    for names in by_raw.values():
        if len(names) > 1:
            yield (
                f"these scans are the same picture, to the byte: {', '.join(names)}",
                "Take the copy out of the project folder; if the wrong picture was copied, put the right one there.",
            )


def _sieves_um(together: Sequence[CountedScan]) -> tuple[float, float]:
    """From the finest to the widest sieve that the scans of a fraction state; nothing (infinity to infinity) if none states the finest.

    A coarser sieve that is not stated is none: everything that the finer one kept.
    """
    lows = [scan.fraction_min_um for scan in together if scan.fraction_min_um is not None]
    highs = [math.inf if scan.fraction_max_um is None else scan.fraction_max_um for scan in together]
    return (min(lows), max(highs)) if lows else (math.inf, math.inf)


def _told_um(low: float, high: float) -> str:
    return f"above {low:g} um" if math.isinf(high) else f"{low:g} to {high:g} um"


def by_fraction(scans: Sequence[CountedScan]) -> dict[str, list[CountedScan]]:
    """The scans of each fraction, by its name in small letters and without the number of the scan."""
    found: dict[str, list[CountedScan]] = defaultdict(list)
    for scan in scans:
        if scan.fraction_id:
            found[scan.fraction].append(scan)
    return dict(sorted(found.items()))


def check(scans: Sequence[CountedScan], wanted: Wanted) -> None:
    """Refuse what has no abundance.

    Raises:
        ExportRefusedError: there is a refusal; `problems` has all of them.
    """
    found = tuple(refusals(scans, wanted))
    if found:
        words = "; ".join(map(str, found))
        advice = " ".join(dict.fromkeys(one.advice for one in found[:3]))
        name = scans[0].sample_id or scans[0].name
        raise ExportRefusedError(f"{name} has no abundance yet: {words}", advice=advice, problems=found)
