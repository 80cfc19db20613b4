"""The rules a survey counts by, as a person types them; two published ones to begin from; and what a change does.

A preset fills in only what the working group's own data and scripts show (section 7 of the field's notes). What is not known there
stays empty until somebody types it, the correction factor and its source always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import get_args

from edge.errors import SettingsError
from edge.store.reads.surveys import ProtocolRow
from edge.store.surveys import EdgeRule, MinuteRule, NewProtocol
from edge.survey.sheet.words import Unreadable, is_nothing, read_number, tidy

LAST_MINUTE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleField:
    """A rule of a protocol: its name on the page, what it decides, and the words of its choices."""

    key: str
    label: str
    meaning: str
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A published protocol. `values`: field -> text; a field that is not there has to be typed."""

    key: str
    title: str
    source: str
    values: Mapping[str, str]


MINUTE_RULES: Mapping[str, str] = {
    "drop_minute": "drop the minute: with a pause of 30 s or more by any counter it counts for nobody",
    "scale": "scale the minute: systems x 60 / (60 - seconds lost)",
}
EDGE_RULES: Mapping[str, str] = {
    "any_opening_inside": "it counts if any of its openings is inside",
    "centre_inside": "it counts if its centre is inside",
    "whole_inside": "it counts only if all of it is inside",
}
FIELDS = (
    RuleField(key="first_minute", label="First counted minute", meaning="The tow's first minute is 1.", choices={}),
    RuleField(key="last_minute", label="Last counted minute", meaning="It is counted too.", choices={}),
    RuleField(
        key="minute_rule", label="Seconds lost", meaning="What a minute that could not be seen whole counts for.", choices=MINUTE_RULES,
    ),
    RuleField(
        key="line_height", label="Counting line", choices={},
        meaning="Part of the frame's height from its top, 0 to 1: a system counts when it passes it.",
    ),
    RuleField(key="edge_rule", label="Systems cut by the side", meaning="Which of them count.", choices=EDGE_RULES),
    RuleField(key="counters", label="Counters", meaning="How many people count each station before anything is shown.", choices={}),
    RuleField(
        key="min_mean_per_minute", label="No CCC at or below", meaning="Mean systems per counter and minute; empty: always compute one.",
        choices={},
    ),
    RuleField(key="ccc_limit", label="Further count below a CCC of", meaning="0 to 1.", choices={}),
    RuleField(
        key="correction_factor", label="Correction factor", choices={},
        meaning="Raw density is divided by it. Empty: densities are not adjusted. It belongs to the functional unit, not to this program.",
    ),
    RuleField(key="correction_source", label="Source of the factor", meaning="Which benchmark, which year.", choices={}),
)  # fmt: skip
PRESETS: tuple[Preset, ...] = (
    Preset(
        key="irish",
        title="Irish: drop the minute",
        source="Marine Institute, recounts of 2020 (43 stations) and the working group's scripts: minutes 2 to 8 at 38 of 43 stations, a "
        "minute with a pause of 30 s or more unusable for all, clicks around 0.83 of the height, no CCC at a mean of 1.5 or less, third "
        "count below 0.5. The edge rule is not stated there.",
        values={
            "first_minute": "2",
            "last_minute": "8",
            "minute_rule": "drop_minute",
            "line_height": "0.83",
            "counters": "2",
            "min_mean_per_minute": "1.5",
            "ccc_limit": "0.5",
        },
    ),
    Preset(
        key="scottish",
        title="Scottish: scale the minute",
        source="NephAssess (Marine Directorate): count x 60 / (60 - seconds lost), none at 60; the mean of the counters. Window, line, "
        "edge rule and limits of agreement are not stated there: type those of your manual.",
        values={"minute_rule": "scale", "counters": "2"},
    ),
)
_WORDS = {field.key: field.label for field in FIELDS}


def find_preset(key: str) -> Preset | None:
    """The preset of that key."""
    return next((preset for preset in PRESETS if preset.key == key), None)


def read_protocol(texts: Mapping[str, str]) -> NewProtocol:
    """The rules that a form or a program states.

    Raises:
        SettingsError: one or more of them are missing or cannot be; the message names each.
    """
    typed = _Typed(texts)
    protocol = {
        "first_minute": int(typed.number("first_minute", 1, LAST_MINUTE, whole=True)),
        "last_minute": int(typed.number("last_minute", 1, LAST_MINUTE, whole=True)),
        "minute_rule": typed.choice("minute_rule", MINUTE_RULES),
        "line_height": typed.number("line_height", 0.01, 1.0),
        "edge_rule": typed.choice("edge_rule", EDGE_RULES),
        "counters": int(typed.number("counters", 1, 4, whole=True)),
        "min_mean_per_minute": typed.number("min_mean_per_minute", 0, 1000) if typed.has("min_mean_per_minute") else None,
        "ccc_limit": typed.number("ccc_limit", 0, 1),
        "correction_factor": typed.number("correction_factor", 0.1, 10) if typed.has("correction_factor") else None,
        "correction_source": tidy(texts.get("correction_source", "")),
    }
    _check_together(protocol, typed.faults)
    if typed.faults:
        words = "; ".join(f"{_WORDS[key]} ({key}): {why}" for key, why in typed.faults.items())
        raise SettingsError(f"these are no rules to count by: {words}", advice="Complete them; nothing was saved. No rule has a default.")
    return NewProtocol(**protocol)  # type: ignore[arg-type]


class _Typed:
    """Reads one field after the other and keeps what is wrong with each; a field with a fault gives a value that is not used."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.faults: dict[str, str] = {}

    def has(self, key: str) -> bool:
        return not is_nothing(self._texts.get(key, ""))

    def number(self, key: str, low: float, high: float, *, whole: bool = False) -> float:
        try:
            value = read_number(self._texts.get(key, ""), low=low, high=high)
        except Unreadable as fault:
            self.faults[key] = str(fault)
            return low
        if value is None:
            self.faults[key] = "it is not stated"
        elif whole and value != int(value):
            self.faults[key] = f"{value:g} is no whole number"
        return low if value is None else value

    def choice(self, key: str, choices: Mapping[str, str]) -> str:
        text = tidy(self._texts.get(key, ""))
        if text not in choices:
            said = "it is not stated" if is_nothing(text) else f"{text!r} is no choice"
            self.faults[key] = f"{said}; choose {', '.join(choices)}"
        return text


def differences(old: ProtocolRow, new: NewProtocol | ProtocolRow) -> tuple[str, ...]:
    """The rules that two versions do not share, in words such as "Last counted minute: 8, was 10"."""
    after = asdict(new) if isinstance(new, NewProtocol) else new._asdict()
    before = old._asdict()
    return tuple(f"{_WORDS[key]}: {_shown(after[key])}, was {_shown(before[key])}" for key in _WORDS if after[key] != before[key])


def effect_of_change(counts_under_old: int, tows_under_old: int, old_version: int) -> str:
    """What a new version does to what was counted under the old one."""
    if not counts_under_old:
        return f"Nothing was counted under version {old_version}; the new version holds for every count."
    counts, tows = (f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((counts_under_old, "count"), (tows_under_old, "tow")))
    return (
        f"What was counted under version {old_version}, {counts} of {tows}, stays as it is. It goes into no estimate together with counts "
        "under the new version: methods are never mixed. Count those tows again, or estimate each version alone."
    )


def _check_together(protocol: Mapping[str, object], faults: dict[str, str]) -> None:
    first, last = protocol["first_minute"], protocol["last_minute"]
    if not faults.keys() & {"first_minute", "last_minute"} and isinstance(first, int) and isinstance(last, int) and first > last:
        faults["last_minute"] = "it is before the first"
    if protocol["correction_factor"] is not None and not protocol["correction_source"] and "correction_factor" not in faults:
        faults["correction_source"] = "the factor has none; say which benchmark fixed it, and when"
    if protocol["correction_source"] and protocol["correction_factor"] is None:
        faults["correction_factor"] = "a source is stated, but no factor"


def _shown(value: object) -> str:
    return "not stated" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


assert set(MINUTE_RULES) == set(get_args(MinuteRule))
assert set(EDGE_RULES) == set(get_args(EdgeRule))
