"""The light that an operator looks at while the sample is still in the tray: scan it again now, yes or no? Values in, a light out.

Green: take the sample out. Amber: look, then decide. Red: scan it again before the sample is gone. Limits: domain, section g.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from edge.zooscan.failing import NOT_THE_SAMPLE
from edge.zooscan.project.log import ScanLog
from edge.zooscan.project.sample import Sample
from edge.zooscan.quality import MOST_BLACK, usual_count

Colour = Literal["green", "amber", "red"]
_WORST: tuple[Colour, ...] = ("red", "amber", "green")
_DAY = timedelta(days=1)
_PIXEL_TEXT = "0.0106"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What one look said.

    Attributes:
        check: `objects`, `black_white_ratio`, `background`, `frame`, `scanner`, `resolution` or `processing`; it does not change.
        colour: see above.
        words: what was seen.
        advice: what to do; "" where nothing is.
    """

    check: str
    colour: Colour
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """The light of a scan: the worst of its signs, which stand worst first."""

    colour: Colour
    signs: tuple[Sign, ...]

    @property
    def words(self) -> str:
        """What to do, in a line."""
        return {
            "green": "No need to scan it again.",
            "amber": "Look at what is named before the sample is taken out.",
            "red": "Scan it again while the sample is in the tray.",
        }[self.colour]


@dataclass(frozen=True, slots=True, kw_only=True)
class LightFacts:
    """What the light follows from.

    Attributes:
        objects: that stand.
        sample: what stands about the sample.
        black_share: pixels of objects over the others.
        background_at, background_frame: of the pair of empty scans, by its name; None where that does not say.
        log: of the scan; None for a bare scan.
        serial: of the project's scanner.
        missing_sides: of the frame.
        pixel_mm: side of a pixel.
    """

    objects: int
    sample: Sample
    black_share: float
    background_at: datetime | None
    background_frame: str | None
    log: ScanLog | None
    serial: str | None
    missing_sides: Sequence[str]
    pixel_mm: float


def light_of(facts: LightFacts, *, failed_again: str = "") -> Light:
    """The light of a scan that was processed.

    Args:
        facts: of its result.
        failed_again: why processing it again failed, by no fault of the sample, such as `worker_died`; "": it did not.
    """
    signs = (_objects(facts), _ratio(facts), *_background(facts), _frame(facts), _scanner(facts), _resolution(facts))
    if not failed_again:
        return _light(signs)
    words = f"this is the light of its last result. Processing it again failed ({_spaced(failed_again)}): not the sample's fault"
    return _light(
        (Sign(check="processing", colour="green", words=words, advice="Process it again; do not scan it again for this."), *signs)
    )


def light_of_failure(reason: str) -> Light:
    """The light of a scan that could not be processed and has no result that still holds; what was seen stands with the scan."""
    if reason in NOT_THE_SAMPLE:
        words = f"it could not be processed ({_spaced(reason)}): not the sample's fault"
        advice = "Process it again, not scan it again; keep the sample until there is a result."
        return _light((Sign(check="processing", colour="amber", words=words, advice=advice),))
    return _light((Sign(check="processing", colour="red", words=f"it could not be processed: {_spaced(reason)}"),))


def _spaced(reason: str) -> str:
    return reason.replace("_", " ")


def _light(signs: Sequence[Sign]) -> Light:
    ordered = sorted(signs, key=lambda sign: _WORST.index(sign.colour))
    return Light(colour=ordered[0].colour, signs=tuple(ordered))


def _objects(facts: LightFacts) -> Sign:
    fewest, most = usual_count(facts.sample)
    words = f"{facts.objects} objects; {fewest} to {most} are usual"
    if not facts.sample.fraction_id:
        words += " (no FracId says which fraction this is)"
    if facts.objects == 0:
        return Sign(check="objects", colour="red", words="no object was found", advice="Look whether a sample is on the glass.")
    if facts.objects > most:
        return Sign(check="objects", colour="red", words=words, advice="Too many touch: scan a smaller part of the sample.")
    if facts.objects < fewest:
        return Sign(check="objects", colour="amber", words=words, advice="Scan a larger part of the sample, if there is more of it.")
    return Sign(check="objects", colour="green", words=words)


def _ratio(facts: LightFacts) -> Sign:
    is_fine = math.isfinite(facts.black_share) and 0 < facts.black_share < MOST_BLACK
    words = f"the black/white ratio is {facts.black_share:.4f}; it has to lie between 0 and {MOST_BLACK}"
    advice = (
        "" if is_fine else "Too much on the glass, or a background that does not fit: thin the sample out, clean the glass, scan again."
    )
    return Sign(check="black_white_ratio", colour="green" if is_fine else "red", words=words, advice=advice)


def _background(facts: LightFacts) -> Iterator[Sign]:
    frame = None if facts.log is None else facts.log.frame
    if frame is not None and facts.background_frame not in (None, frame):
        words = f"the background is of the {facts.background_frame} frame, the scan of the {frame} one"
        yield Sign(
            check="background", colour="red", words=words, advice=f"Scan the empty glass with the {frame} frame, then the sample again."
        )
        return
    scanned = None if facts.log is None else facts.log.at_local
    if facts.background_at is None or scanned is None:
        yield Sign(check="background", colour="amber", words="nothing says how old the background is", advice="Make sure it is of today.")
        return
    age = scanned - facts.background_at
    told = f"the background is {_told(age)} older than the scan"
    advice = "" if age <= _DAY else "Scan the empty glass each day, before the samples."
    yield Sign(check="background", colour="green" if age <= _DAY else "amber", words=told, advice=advice)


def _told(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours < 1:
        return f"{max(0, round(60 * hours))} min"
    return f"{hours:.1f} h" if age <= _DAY else f"{hours / 24:.1f} days"


def _frame(facts: LightFacts) -> Sign:
    if not facts.missing_sides:
        return Sign(check="frame", colour="green", words="the frame was seen on all sides")
    words = f"no frame was seen on these sides: {', '.join(facts.missing_sides)}"
    return Sign(check="frame", colour="amber", words=words, advice="Look whether the frame lies straight and the lid is closed.")


def _scanner(facts: LightFacts) -> Sign:
    seen = None if facts.log is None else facts.log.serial
    if seen is None or facts.serial is None:
        whose = "the LOG" if seen is None else "the project folder"
        return Sign(check="scanner", colour="amber", words=f"{whose} does not say which scanner it was", advice="Make sure it is the same.")
    if seen != facts.serial:
        words = f"the LOG says the scanner {seen}, the project folder {facts.serial}"
        return Sign(check="scanner", colour="red", words=words, advice="Scan it into the project of this scanner.")
    return Sign(check="scanner", colour="green", words=f"the scanner is {seen}, as in the project's name")


def _resolution(facts: LightFacts) -> Sign:
    told = f"{facts.pixel_mm:.4f}"
    if told == _PIXEL_TEXT:
        return Sign(check="resolution", colour="green", words=f"a pixel is {told} mm")
    words = f"a pixel is {told} mm; at 2400 dpi it is {_PIXEL_TEXT}"
    return Sign(check="resolution", colour="red", words=words, advice="Scan it again at 2400 dpi.")
