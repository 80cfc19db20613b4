"""The fields of the station sheet: what each is called in tables, how it is read, and what its absence does to the result.

The names in tables are the Marine Institute's (`Locations` table, section 7 of the field's notes); other spellings are accepted too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from edge.survey.sheet.words import RATINGS, USBL_STATES

Kind = Literal["text", "long_text", "number", "flag", "code", "date", "time", "degrees", "minutes", "letter", "order", "zone"]
OTHER = "other:"  # columns of a sheet that no field stands for are kept under this and their own heading

_NO_TIME = "Without start and end there is no minute to count by and no file can be attached by time."
_NO_PLACE = "Without it the station is on no map, and its distance cannot be checked against the track."
_NO_PLAN = "Until its line has a position the station is on no map."
_NOTHING = "No figure depends on it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the sheet.

    Attributes:
        key: its name in `entries` and in the API.
        label: its name on the page.
        table_name: its name in the Marine Institute's table; empty if that has none.
        also: other headings it is known by.
        column: the column of `tows` it is read into; empty where several fields make a column together, or none does.
        part: the section of the page.
        effect: what it does to the result if it is missing or cannot be read.
        codes: for codes, the list.
        low, high, unit: for numbers.
    """

    key: str
    label: str
    kind: Kind
    part: str
    table_name: str = ""
    also: tuple[str, ...] = ()
    column: str = ""
    effect: str = _NOTHING
    codes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    hint: str = ""


def _place(end: str, side: str, effect: str = _NO_PLACE) -> tuple[Field, ...]:
    axes = (("latitude", "Lat", "N/S", "51", "13.4107", "N"), ("longitude", "Lon", "E/W", "6", "33.0296", "W"))
    fields: list[Field] = []
    for axis, short, letters, degrees, minutes, letter in axes:
        key, part = f"{side}_{axis}", _PART[side]
        fields += [
            Field(
                key=f"{key}_degrees", label=f"{axis.capitalize()}, degrees", kind="degrees", part=part, effect=effect, hint=degrees,
                table_name=f"Degrees {short} {end}",
                also=(f"{axis} {side}", f"{side} {axis}", f"{short} {end}", f"{axis} {end}", f"{side} {short}"),
            ),
            Field(
                key=f"{key}_minutes", label="minutes", kind="minutes", part=part, table_name=f"Minutes {short} {end}", effect=effect,
                hint=minutes,
            ),
            Field(
                key=f"{key}_letter", label=letters, kind="letter", part=part, table_name=f"{letters} {end}", effect=effect, hint=letter,
                codes=tuple(letters.split("/")),
            ),
        ]  # fmt: skip
    return tuple(fields)


_PART = {"start": "Start of line (SOL)", "end": "End of line (EOL)", "planned": "Planned position"}


def _line_end(end: str, side: str) -> tuple[Field, ...]:
    part = _PART[side]
    cable_name = "Cable_Out" if side == "start" else "Cable_Out_EOL"
    return (
        Field(
            key=f"{side}_date", label="Date", kind="date", part=part, table_name=f"Date {end}", effect=_NO_TIME, hint="2020-07-15",
            also=(f"{end} date", f"{side} date", f"date {side}"),
        ),
        Field(
            key=f"{side}_time", label="Time", kind="time", part=part, table_name=f"Time {end}", effect=_NO_TIME, hint="23:55:01",
            also=(f"{end} time", f"{side} time", f"time {side}", f"{side} utc", end),
        ),
        *_place(end, side),
        Field(
            key=f"{side}_depth", label="Depth (m)", kind="number", part=part, table_name=f"Water_Depth_{end}", column=f"{side}_depth_m",
            low=0.0, high=6000.0, unit="m", also=(f"depth {end}", f"{side} depth", f"depth {side}"),
        ),
        Field(
            key=f"{side}_cable_out", label="Cable out (m)", kind="number", part=part, table_name=cable_name,
            column="cable_out_m" if side == "start" else "", low=0.0, high=9000.0, unit="m",
            also=("cable", "cable out sol") if side == "start" else (),
        ),
    )  # fmt: skip


FIELDS: tuple[Field, ...] = (
    Field(
        key="ground", label="Ground", kind="text", part="Station", table_name="Ground", also=("stratum",),
        effect="Without its ground a station is in no ground's mean and abundance, and so in none of the survey's.",
    ),
    Field(key="line_name", label="Video line name", kind="text", part="Station", table_name="Video_Line_Name", column="line_name"),
    Field(
        key="video_operator", label="Video operator", kind="text", part="Station", table_name="VideoOperatorID", column="video_operator",
        also=("operator",),
    ),
    Field(
        key="is_valid", label="Valid station (1 or 0)", kind="flag", part="Station", table_name="ValidStation", column="is_valid",
        effect="Nobody has said whether the station is valid; it is used as long as nobody says that it is not.",
    ),
    Field(
        key="in_analysis", label="In the analysis (1 or 0)", kind="flag", part="Station", table_name="INCLUDE_IN_ANALYSIS",
        column="in_analysis", effect="The tow is taken as one for the analysis until this is readable; comparative tows are 0.",
    ),
    *_line_end("SOL", "start"),
    *_line_end("EOL", "end"),
    *_place("planned", "planned", _NO_PLAN),
    Field(
        key="visibility", label="Visibility", kind="code", part="Ratings", table_name="VisibilityComments", column="visibility",
        codes=RATINGS, also=("visibility",),
    ),
    Field(key="speed", label="Speed", kind="code", part="Ratings", table_name="SpeedComments", column="speed", codes=RATINGS),
    Field(
        key="ground_type", label="Ground", kind="code", part="Ratings", table_name="GroundComments", column="ground_type", codes=RATINGS,
    ),
    Field(
        key="usbl", label="USBL", kind="code", part="Ratings", table_name="USBLComments", column="usbl", codes=USBL_STATES + RATINGS,
        also=("usbl",),
    ),
    Field(key="marine_litter", label="Marine litter", kind="text", part="Notes", table_name="MarineLitter", column="marine_litter"),
    Field(key="backup", label="Second copy of the footage", kind="text", part="Notes", table_name="BackUp", column="backup"),
    Field(key="comments", label="Comments", kind="long_text", part="Notes", table_name="Comments", column="comments", also=("comment",)),
    Field(
        key="date_order", label="Dates such as 07/08/2020 are", kind="order", part="How it is written", codes=("ymd", "dmy", "mdy"),
        effect="Dates whose day and month cannot be told apart are not read until the order is said.",
    ),
    Field(
        key="utc_offset", label="The sheet's clock is UTC plus", kind="zone", part="How it is written", hint="+00:00", effect=_NO_TIME,
    ),
)  # fmt: skip
BY_KEY = {field.key: field for field in FIELDS}
PARTS = (_PART["start"], _PART["end"], "Station", "Ratings", _PART["planned"], "Notes", "How it is written")  # as the page shows them
SURVEY_HEADINGS = frozenset({"surveyid", "survey"})
STATION_HEADINGS = ("station", "stationnumber", "stationid", "stationno")


def folded(heading: str) -> str:
    """A heading without capitals, blanks and signs, as headings are compared."""
    return re.sub(r"[^a-z0-9]", "", heading.lower())


BY_HEADING = {folded(name): field for field in FIELDS for name in (*field.also, field.key, field.table_name) if name}


def effect_of(key: str) -> str:
    """What a field does to the result if it is missing or cannot be read."""
    return BY_KEY[key].effect if key in BY_KEY else _NOTHING


def fields_of(column: str) -> tuple[str, ...]:
    """The fields that a column of `tows` is read from."""
    single = tuple(field.key for field in FIELDS if field.column == column)
    if single:
        return single
    name = column.removesuffix("_utc").removesuffix("_deg")
    parts = ("date", "time") if column.endswith("_utc") else ("degrees", "minutes", "letter")
    return tuple(f"{name}_{part}" for part in parts)
