"""Why scans fail, in the words of who stands at the scanner: whose fault it was, and what to do."""

from __future__ import annotations

from edge.errors import REASON_ADVICE, InputError, Reason

NOT_THE_SAMPLE = frozenset(
    reason.value
    for reason in (
        Reason.WORKER_DIED,
        Reason.OUT_OF_MEMORY,
        Reason.TIMED_OUT,
        Reason.MODEL_FAILED,
        Reason.COPY_FAILED,
        Reason.UNREADABLE_FILE,
        Reason.VANISHED,
        Reason.CHANGED_WHILE_READ,
        Reason.STILL_GROWING,
        Reason.NO_BACKGROUND,
        Reason.BAD_SETTINGS,
    )
)
"""Failures of the software, the machine, its disk or the project's folder: they say nothing about what lies on the glass."""

SCAN_ADVICE: dict[Reason, str] = {
    **REASON_ADVICE,
    Reason.EMPTY_FILE: "The picture is empty. Copy it again from the scanner's computer, or scan again.",
    Reason.UNKNOWN_FORMAT: "This is no TIFF. Put the scanner's own raw file, 16-bit grey TIFF, in its place.",
    Reason.TRUNCATED: "The end of the picture is missing. Copy it again from the scanner's computer; if it is as short there, scan again.",
    Reason.CORRUPT: "The picture is damaged. Copy it again from the scanner's computer; if it is damaged there, scan again.",
    Reason.TOO_MANY_PIXELS: "This is no scan of this scanner, or of another resolution. Scan again at the project's resolution.",
    Reason.UNSUPPORTED_PIXELS: "Put the scanner's own raw file in its place, not a converted picture: 16-bit grey, not compressed. "
    "If there is none, scan again with 16 bits grey (VueScan: Bits per pixel, 16 bit gray).",
    Reason.SEVERAL_IMAGES: "One file is one scan. Scan again with one picture in a file (VueScan: no multi page).",
    Reason.OUT_OF_MEMORY: "Close other programs on the appliance, then process it again. "
    "The sample does not need to be scanned again for this.",
    Reason.TIMED_OUT: "Process it again when the appliance is idle. The sample does not need to be scanned again for this.",
    Reason.WORKER_DIED: "Process it again. If it ends like this again, keep the picture for the developers "
    "and look at the log in the home folder.",
    Reason.UNREADABLE_FILE: "Check the folder, its permissions and its medium, then process it again.",
    Reason.VANISHED: "Put the picture back; it is taken by itself.",
    Reason.MODEL_FAILED: "Roll the model back on the Models page, then process it again.",
}


def failed_words(error: InputError) -> str:
    """What is written down of a scan that failed: what was seen, then what to do."""
    advice = error.advice()
    return f"{error}. {SCAN_ADVICE[error.reason] if advice == REASON_ADVICE[error.reason] else advice}"


def scan_advice(reason: str) -> str:
    """What to do about a reason; a plain answer for one that this version does not know."""
    try:
        return SCAN_ADVICE[Reason(reason)]
    except ValueError:
        return "This version does not know the reason. Look at the log in the home folder, then process it again."
