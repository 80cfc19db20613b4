"""The checks of EcoTaxa's quality control of ZooScan projects, made before anything leaves: values in, findings out.

Every check has a finding, whatever it found; one that could not be made says so. Limits: domain, section g (ZQC).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from edge.zooscan.counted import CountedObject
from edge.zooscan.project.sample import Sample
from edge.zooscan.standing import Standing

Level = Literal["ok", "look", "wrong", "unknown"]
MOST_BLACK = 0.25  # as `edge.zooscan.scan` has it, which decodes pictures
_PIXEL_TEXT = {2400: "0.0106"}
_FEWEST, _MOST = {"d1": 500}, {"d1": 1500}
_FEWEST_ELSE, _MOST_ELSE = 1000, 2500
_MOST_MULTIPLE = 0.20
_MOST_MULTIPLE_GROUP = 0.15
_ON_BOARD = ("on_board", "on board", "onboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name, which does not change.
        level: `ok`; `look`: somebody should; `wrong`: it is not exported so; `unknown`: it could not be looked at.
        words: what was found; advice: what to do, "" where nothing is.
    """

    check: str
    level: Level
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """Another scan of the project whose META names the same sample.

    Attributes:
        name: of the scan; fraction_id: as it states; has_same_sample: whether it states the same about the sample.
        sieves_um: from and to, None where it does not say.
    """

    name: str
    fraction_id: str
    has_same_sample: bool
    sieves_um: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFacts:
    """What the checks look at.

    Attributes:
        name: of the scan; raw: `present`, `gone` or `changed`; duplicates: other raw files that have the same bytes.
        black_share, pixel_mm, resolution_dpi, concerns: of the run.
        objects: those that stand.
        lines: separation lines that stand; separator: which was run, "" for none.
        signed: whether the check is; undecided: proposed multiples that nobody looked at.
        standing: what stands about the sample; instrument: `zooscan_sn033`.
        relatives: other scans of the same sample.
        vignettes: pictures of these objects that are there; None if nobody counted them.
        work_files: names of the files of the work folder; None if there is none.
    """

    name: str
    raw: str
    duplicates: tuple[str, ...]
    black_share: float
    pixel_mm: float
    resolution_dpi: float
    concerns: tuple[str, ...]
    objects: Sequence[CountedObject]
    lines: int
    separator: str
    signed: bool
    undecided: int
    standing: Standing
    instrument: str
    relatives: Sequence[Relative]
    vignettes: int | None
    work_files: frozenset[str] | None


def findings(facts: ScanFacts) -> list[Finding]:
    """Every check of a scan, the worst first."""
    found = [
        *_statements(facts),
        _ratio(facts),
        _pixel(facts),
        _count(facts),
        *_multiples(facts),
        _checked(facts),
        _separation(facts),
        _vignettes(facts),
        _work_folder(facts),
        _raw(facts),
        _instrument(facts),
        *_sample(facts),
    ]
    order: tuple[Level, ...] = ("wrong", "look", "unknown", "ok")
    return sorted(found, key=lambda one: order.index(one.level))


def _statements(facts: ScanFacts) -> Iterator[Finding]:
    """What is stated and cannot be read would leave as if nobody had stated it."""
    problems = [*facts.standing.sample.problems, *facts.standing.problems]
    unreadable = [problem for problem in problems if " is no " in problem]
    others = [problem for problem in problems if problem not in unreadable]
    if unreadable:
        yield Finding(check="statements", level="wrong", words="; ".join(unreadable), advice="Correct it on the scan's form.")
    if others:
        yield Finding(check="statements", level="look", words="; ".join(others), advice="State or correct it on the scan's form.")
    if not problems:
        yield Finding(check="statements", level="ok", words="what is stated about the sample can be read and is not contradictory")
    if repeated := facts.standing.meta.repeated:
        words = f"the META states these twice, and differently: {', '.join(repeated)}; the first of each is taken"
        yield Finding(check="statements", level="look", words=words, advice="Type the right value on the scan's form.")


def _ratio(facts: ScanFacts) -> Finding:
    share = facts.black_share
    if not math.isfinite(share):
        return Finding(
            check="black_white_ratio", level="wrong", words="the black/white ratio is not defined", advice="Process the scan again."
        )
    is_fine = 0 < share < MOST_BLACK
    advice = "" if is_fine else "Look at the scan: too much on the glass, a background that does not fit, or nothing at all. Scan it again."
    words = f"the black/white ratio is {share:.4f}; between 0 and {MOST_BLACK} is usual"
    return Finding(check="black_white_ratio", level="ok" if is_fine else "look", words=words, advice=advice)


def _pixel(facts: ScanFacts) -> Finding:
    told = f"{facts.pixel_mm:.4f}"
    wanted = _PIXEL_TEXT.get(round(facts.resolution_dpi))
    if wanted is None:
        words = f"the resolution is {facts.resolution_dpi:g} dpi, for which no usual size of a pixel is known; it is {told} mm"
        return Finding(check="pixel_size", level="look", words=words, advice="Zooprocess works at 2400 dpi; compare with such scans only.")
    is_fine = told == wanted
    words = f"a pixel is {told} mm; at {facts.resolution_dpi:g} dpi it is {wanted} mm"
    return Finding(check="pixel_size", level="ok" if is_fine else "wrong", words=words, advice="" if is_fine else "Process the scan again.")


def usual_count(sample: Sample) -> tuple[int, int]:
    """How many objects a scan of this part of a sample usually has, from and to; from 0 where there was no more to scan."""
    fraction = (sample.fraction_id or "").split("_")[0].casefold()
    return 0 if sample.split == 1 else _FEWEST.get(fraction, _FEWEST_ELSE), _MOST.get(fraction, _MOST_ELSE)


def _count(facts: ScanFacts) -> Finding:
    sample, count = facts.standing.sample, len(facts.objects)
    fraction = (sample.fraction_id or "").split("_")[0].casefold()
    if not fraction:
        return Finding(
            check="object_count", level="unknown", words=f"{count} objects; no FracId says how many are usual", advice="State FracId."
        )
    fewest, most = usual_count(sample)
    if count == 0:
        return Finding(check="object_count", level="look", words="no object was found", advice="Look whether a sample was on the glass.")
    is_fine = fewest <= count <= most
    words = f"{count} objects; in {fraction} {fewest} to {most} are usual"
    advice = "" if is_fine else "Take a larger or smaller part of the sample if it is still at hand; otherwise note why."
    return Finding(check="object_count", level="ok" if is_fine else "look", words=words, advice=advice)


def _multiples(facts: ScanFacts) -> Iterator[Finding]:
    """Touching animals in one outline count as one: their share is to stay small, in numbers and in biovolume."""
    groups: list[tuple[str, str, list[CountedObject], float]] = []
    named = [one for one in facts.objects if one.category]
    if named:
        living = [one for one in named if _is_living(one)]
        copepods = [one for one in living if _is_copepod(one)]
        rest = [one for one in living if not _is_copepod(one)]
        groups.append(("multiples", "living objects", living, _MOST_MULTIPLE))
        groups.append(("multiples_copepods", "copepods", copepods, _MOST_MULTIPLE_GROUP))
        groups.append(("multiples_others", "other living objects", rest, _MOST_MULTIPLE_GROUP))
    else:
        groups.append(("multiples", "all objects", list(facts.objects), _MOST_MULTIPLE))
    for check, words, members, most in groups:
        yield _share(check, words, members, most)


def _share(check: str, words: str, members: Sequence[CountedObject], most: float) -> Finding:
    if not members:
        return Finding(check=check, level="unknown", words=f"multiples among {words}: there are none of these to look at")
    multiple = [one for one in members if _is_multiple(one)]
    volume = math.fsum(one.ellipsoid_mm3 for one in members)
    shares = {
        "numbers": len(multiple) / len(members),
        "biovolume": math.fsum(one.ellipsoid_mm3 for one in multiple) / volume if volume else 0.0,
    }
    is_fine = all(share < most for share in shares.values())
    told = " and ".join(f"{100 * share:.1f} % in {what}" for what, share in shares.items())
    advice = "" if is_fine else "Separate more of them on the scan's page."
    return Finding(
        check=check,
        level="ok" if is_fine else "look",
        words=f"multiples among {words}: {told}; below {100 * most:.0f} % is wanted",
        advice=advice,
    )


def _is_multiple(one: CountedObject) -> bool:
    return one.is_multiple or (one.category or "").casefold().startswith("multiple")


def _is_living(one: CountedObject) -> bool:
    """A category without a hierarchy may be anything: it counts."""
    return not (one.hierarchy or "living").casefold().startswith("not-living")


def _is_copepod(one: CountedObject) -> bool:
    return "copepoda" in f"{one.hierarchy or ''}>{one.category or ''}".casefold()


def _checked(facts: ScanFacts) -> Finding:
    if facts.signed and facts.undecided:
        words = f"the check is signed, but nobody decided about proposed multiples: {facts.undecided}"
        return Finding(check="signature", level="look", words=words, advice="Withdraw the signature, decide about them, and sign again.")
    if facts.signed:
        return Finding(check="signature", level="ok", words="the check is signed")
    left = f"; {facts.undecided} proposed multiples wait for a decision" if facts.undecided else ""
    return Finding(
        check="signature",
        level="look",
        words=f"nobody signed the check{left}",
        advice="A reviewer with an account signs it on the check page, under Sign.",
    )


def _separation(facts: ScanFacts) -> Finding:
    split = facts.standing.sample.split
    if facts.lines or split == 1:
        words = f"{facts.lines} separation lines" if facts.lines else "no separation line, and the whole sample was scanned"
        return Finding(check="separation", level="ok", words=words)
    by = f"the separator {facts.separator} drew none" if facts.separator else "no separator was run and nobody drew one"
    advice = "Look at the multiples on the scan's page; a scan of many animals rarely has none that touch."
    return Finding(check="separation", level="look", words=f"no separation line: {by}", advice=advice)


def _vignettes(facts: ScanFacts) -> Finding:
    if facts.vignettes is None:
        return Finding(check="vignettes", level="unknown", words="whether every object has its picture was not looked at")
    is_fine = facts.vignettes == len(facts.objects)
    words = f"{facts.vignettes} pictures of {len(facts.objects)} objects"
    return Finding(check="vignettes", level="ok" if is_fine else "wrong", words=words, advice="" if is_fine else "Process the scan again.")


def wanted_files(name: str, *, with_separation: bool) -> frozenset[str]:
    """What the work folder of a scan holds beside the pictures of its objects."""
    ends = ("_dat1.pid", "_msk1.gif", "_out1.gif", "_vis1.zip", *(("_sep.gif",) if with_separation else ()))
    return frozenset((f"ecotaxa_{name}.tsv".casefold(), *(f"{name}{end}".casefold() for end in ends)))


def _work_folder(facts: ScanFacts) -> Finding:
    if facts.work_files is None:
        words = "there is no work folder of Zooprocess; one is written by the export as legacy"
        return Finding(check="work_folder", level="unknown", words=words)
    there = {name.casefold() for name in facts.work_files}
    missing = sorted(wanted_files(facts.name, with_separation=facts.standing.sample.split != 1) - there)
    pictures = sum(name.endswith(".jpg") for name in there)
    if pictures != len(facts.objects):
        missing.append(f"{len(facts.objects)} pictures (there are {pictures})")
    words = f"the work folder lacks {', '.join(missing)}" if missing else "the work folder is complete"
    return Finding(
        check="work_folder", level="look" if missing else "ok", words=words, advice="Export it as legacy again." if missing else ""
    )


def _raw(facts: ScanFacts) -> Finding:
    if facts.duplicates:
        words = f"other scans have the same raw picture: {', '.join(facts.duplicates)}"
        return Finding(check="raw", level="look", words=words, advice="Keep one of them; the same animals would be counted twice.")
    if facts.raw != "present":
        words = f"the raw scan is {facts.raw} since it was processed"
        return Finding(check="raw", level="look", words=words, advice="Put it back, or process what is there now.")
    return Finding(check="raw", level="ok", words="the raw scan is there, once")


def _instrument(facts: ScanFacts) -> Finding:
    """`zooscan_nan` is what Zooprocess writes where it does not know the scanner."""
    if not facts.instrument.startswith("zooscan_sn"):
        advice = "Name the project folder with its scanner: Zooscan_<name>_sn033."
        return Finding(check="instrument", level="look", words=f"the scanner is not known: {facts.instrument}", advice=advice)
    return Finding(check="instrument", level="ok", words=f"the scanner is {facts.instrument}")


def _sample(facts: ScanFacts) -> Iterator[Finding]:
    yield from _duplicates(facts)
    yield _sieves(facts)
    yield _volume(facts)
    if facts.concerns:
        advice = "Look at the scan."
        yield Finding(check="processing", level="look", words="; ".join(facts.concerns), advice=advice)


def _duplicates(facts: ScanFacts) -> Iterator[Finding]:
    own = facts.standing.sample.fraction_id or ""
    if twins := [one.name for one in facts.relatives if own and one.fraction_id.casefold() == own.casefold()]:
        words = f"these scans are of the same fraction of the same sample: {', '.join(twins)}"
        advice = "Take one of them out of the project folder, or give it a FracId of its own: EcoTaxa would put both into one acquisition."
        yield Finding(check="fraction", level="wrong", words=words, advice=advice)
    else:
        yield Finding(check="fraction", level="ok", words=f"no other scan is of the fraction {own}" if own else "no FracId is stated")
    if others := [one.name for one in facts.relatives if not one.has_same_sample]:
        words = f"these scans have the same SampleId and state other things about the sample: {', '.join(others)}"
        advice = "EcoTaxa keeps one sample of a name: state the same, or give one of them another SampleId."
        yield Finding(check="sample", level="look", words=words, advice=advice)


def _sieves(facts: ScanFacts) -> Finding:
    """The sieves of a sample's fractions follow one another: where one ends the next begins."""
    sample = facts.standing.sample
    pairs = {(sample.fraction_min_um, sample.fraction_max_um), *(one.sieves_um for one in facts.relatives)}
    known = sorted((low, high if high is not None else math.inf) for low, high in pairs if low is not None)
    if len(known) < len(pairs) or sample.fraction_min_um is None:
        return Finding(check="sieves", level="unknown", words="not every fraction states its sieves", advice="State Fracmin and Fracsup.")
    gaps = [f"{before[1]:g} to {after[0]:g} um" for before, after in pairwise(known) if before[1] != after[0]]
    if gaps:
        words = f"the sieves of the sample's fractions do not follow one another: {', '.join(gaps)}"
        return Finding(check="sieves", level="look", words=words, advice="Correct Fracmin and Fracsup on the forms of these scans.")
    return Finding(check="sieves", level="ok", words="the sieves of the sample's fractions follow one another")


def _volume(facts: ScanFacts) -> Finding:
    standing = facts.standing
    comment = standing.values.get("sample_comment", "").casefold()
    if standing.sample.volume_m3 is None:
        return Finding(
            check="volume", level="look", words="Vol is not known: there is no abundance", advice="State Vol on the scan's form."
        )
    told = f"Vol is {standing.sample.volume_m3:g} m3"
    if standing.volume_is or standing.volume_filtered_m3 is not None:
        beside = f", of {standing.volume_filtered_m3:g} m3 filtered" if standing.volume_filtered_m3 is not None else ""
        return Finding(check="volume", level="ok", words=f"{told} ({standing.volume_is or 'stated'}){beside}")
    if any(words in comment for words in _ON_BOARD):
        advice = "Say on the scan's form whether Vol is what the net filtered or what is left after fractioning on board, and state both."
        return Finding(check="volume", level="look", words=f"{told}; the comment speaks of fractioning on board", advice=advice)
    return Finding(check="volume", level="ok", words=f"{told}, taken for what the net filtered")
