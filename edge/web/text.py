"""Figures and hostile names as text for people: unambiguous, and never able to change the page around them."""

from __future__ import annotations

import shlex
import unicodedata

from markupsafe import Markup, escape

from edge.errors import REASON_ADVICE, Reason

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

STATE_WORDS = {
    "seen": "settling",
    "queued": "queued",
    "leased": "processing",
    "done": "done",
    "quarantined": "quarantined",
}

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, bidi and format marks, half surrogates, line ends
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def shown(value: object) -> str:
    r"""A name as it may stand on a page: what cannot be seen, or would reorder text, as `\n`, `\x07`, `\u202e`."""
    return "".join(_visible(character) for character in str(value))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def prose(value: str) -> Markup:
    """Our own texts, with what stands in backticks as code."""
    parts = value.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def shell_word(value: str) -> str:
    """A path as one word of a shell command."""
    return shlex.quote(shown(value))


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands apart by a narrow space and a decimal point; a dash for None."""
    return NOTHING if value is None else f"{value:,.{digits}f}".replace(",", NARROW_SPACE)


def signed(value: float | None, digits: int = 0) -> str:
    """A difference, always with its sign; a dash for None."""
    if value is None:
        return NOTHING
    rounded = round(value, digits) + 0.0  # no minus zero
    return f"{MINUS if rounded < 0 else '+' if rounded > 0 else ''}{number(abs(rounded), digits)}"


def size(count_bytes: float | None) -> str:
    """Bytes in binary units, three significant figures, such as "1.25 GiB"."""
    if count_bytes is None:
        return NOTHING
    amount = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} TiB"


def duration(duration_s: float | None) -> str:
    """A duration in its two largest units, such as "2 h 05 min"."""
    if duration_s is None:
        return NOTHING
    total_s = round(duration_s)
    if total_s < 60:
        return f"{total_s} s"
    if total_s < 3600:
        return f"{total_s // 60} min {total_s % 60:02d} s"
    if total_s < 86_400:
        return f"{total_s // 3600} h {total_s % 3600 // 60:02d} min"
    return f"{total_s // 86_400} d {total_s % 86_400 // 3600:02d} h"


def utc(moment: str | None) -> str:
    """An ISO time in UTC to the second, such as "2026-06-03 16:26:07Z"; a dash for None."""
    if not moment:
        return NOTHING
    return f"{moment[:10]} {moment[11:19]}Z" if len(moment) >= 19 and moment.endswith("Z") else shown(moment)


def clock(moment: str | None) -> str:
    """The time of day of an ISO time in UTC, such as "16:26:07Z"."""
    return utc(moment)[-9:] if moment else NOTHING


def reason_words(code: str) -> str:
    """The code of a reason as words."""
    return shown(code).replace("_", " ")


_METRICS = {
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "top1": "top-1 accuracy",
    "count_bias": "count bias per image",
    "count_mae": "count error (MAE)",
    "count_ccc": "count concordance (CCC)",
    "ece": "score calibration error (ECE)",
}


def metric_words(name: str) -> str:
    """The name of a metric as a manifest has it, as words; `_real` stands for the real stills of the card."""
    base, is_real = name.removesuffix("_real"), name.endswith("_real")
    return _METRICS.get(base, reason_words(base)) + (", real stills" if is_real else "")


def reason_advice(code: str) -> str:
    """What to do about a reason; a plain answer for one that this version does not know."""
    try:
        return REASON_ADVICE[Reason(code)]
    except ValueError:
        return "This version does not know the reason. Look at the detail of the file, then press Retry."
