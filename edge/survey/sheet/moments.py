"""Dates and times as station sheets write them, read into UTC.

Dates are ISO, day first, month first, with the month's name, or a spreadsheet's serial number; times may carry the date 1899-12-30 that
Access and Excel give to a bare time. Whether 07/08/2020 is in July or in August is never guessed: somebody has to say the order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from edge.survey.sheet.words import Unreadable, is_nothing, tidy

SERIAL_ORIGIN = date(1899, 12, 30)  # day 0 of a spreadsheet, whose 1900 was a leap year
_SERIALS = range(20_000, 80_000)  # 1954 to 2119
_BARE_TIME_DATES = frozenset({date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1)})
_DAY_S = 86_400
_YEARS = range(1950, 2120)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2}|\d{4})")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DAY_NAMED = re.compile(r"(\d{1,2})[-/ .]*([A-Za-z]{3,9})[-/ .,]*(\d{2}|\d{4})")
_NAMED_DAY = re.compile(r"([A-Za-z]{3,9})[-/ .]*(\d{1,2})[-/ .,]+(\d{4})")
_SERIAL = re.compile(r"(\d{5})(\.\d+)?")
_TIME = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,6})\d*)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>.*)"
)
_MILITARY = re.compile(r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>)(?P<fraction>)(?P<half>)(?P<zone>\s*[Zz]?)")
_FRACTION = re.compile(r"0?[.,]\d+")
_ZONE = re.compile(r"(?:(?:UTC|GMT)\s*)?([+-])(\d{1,2}):?(\d\d)?", re.IGNORECASE)
_UTC_NAMES = frozenset({"z", "utc", "gmt", "ut"})


class DateOrder(StrEnum):
    """Which number of a date such as 07/08/2020 is the day."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTime:
    """A time of day: seconds since midnight, the zone if one is stated (minutes east of UTC), the date if one stands before it."""

    second_of_day: float
    zone_min: int | None
    day: date | None


def read_date(text: str, order: DateOrder | None = None) -> date | None:
    """The date of a cell, or None where it says that there is none. A time behind the date is not looked at.

    Raises:
        Unreadable: no date, or day and month cannot be told apart and no order is given.
    """
    cell = tidy(text)
    if is_nothing(cell):
        return None
    head = _date_part(cell)
    if found := _YEAR_FIRST.fullmatch(head):
        return _day(cell, int(found[1]), int(found[3]), int(found[4]))
    if found := _COMPACT.fullmatch(head):
        return _day(cell, int(found[1]), int(found[2]), int(found[3]))
    if (found := _SERIAL.fullmatch(head)) and int(found[1]) in _SERIALS:
        return SERIAL_ORIGIN + timedelta(days=int(found[1]))
    if found := _DAY_NAMED.fullmatch(head):
        return _day(cell, _year(found[3]), _month(cell, found[2]), int(found[1]))
    if found := _NAMED_DAY.fullmatch(head):
        return _day(cell, _year(found[3]), _month(cell, found[1]), int(found[2]))
    if found := _YEAR_LAST.fullmatch(head):
        return _year_last(cell, (int(found[1]), int(found[3])), _year(found[4]), order)
    raise Unreadable(f"{cell!r} is no date; write 2020-07-15")


def possible_orders(text: str) -> frozenset[DateOrder]:
    """The orders that a cell's date can be in; empty where its form leaves no question or it is no date of that form."""
    found = _YEAR_LAST.fullmatch(_date_part(tidy(text)))
    if found is None or found[1] == found[3]:
        return frozenset()
    first, second = int(found[1]), int(found[3])
    orders = {DateOrder.DMY: (second, first), DateOrder.MDY: (first, second)}
    return frozenset(order for order, (month, day) in orders.items() if 1 <= month <= 12 and 1 <= day <= 31)


def agreed_order(texts: Iterable[str]) -> tuple[DateOrder | None, bool]:
    """The one order that all dates of a sheet can be in, and whether the question is settled.

    (None, True): no date leaves a question. (None, False): the dates are in mixed orders, or all could be in either.
    """
    stated = [orders for orders in map(possible_orders, texts) if orders]
    if not stated:
        return None, True
    common = frozenset.intersection(*stated)
    return (next(iter(common)), True) if len(common) == 1 else (None, False)


def read_time(text: str) -> ClockTime | None:
    """The time of day of a cell, or None where it says that there is none.

    Raises:
        Unreadable: no time, or in a zone whose distance from UTC is not stated.
    """
    cell = tidy(text)
    if is_nothing(cell):
        return None
    day, rest = _split_day(cell)
    if (found := _SERIAL.fullmatch(rest)) and found[2] and int(found[1]) in _SERIALS:
        day, rest = SERIAL_ORIGIN + timedelta(days=int(found[1])), found[2]
    if _FRACTION.fullmatch(rest):
        return ClockTime(second_of_day=round(float(rest.replace(",", ".")) * _DAY_S, 3) % _DAY_S, zone_min=None, day=day)
    found = _TIME.fullmatch(rest) or _MILITARY.fullmatch(rest)
    if found is None:
        raise Unreadable(f"{cell!r} is no time; write 23:55:01")
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise Unreadable(f"{cell!r} is no time of a half day")
        hour = hour % 12 + (12 if found["half"][0].lower() == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise Unreadable(f"{cell!r} is no time of a day")
    fraction = float(f"0.{found['fraction']}") if found["fraction"] else 0.0
    return ClockTime(second_of_day=hour * 3600 + minute * 60 + second + fraction, zone_min=read_zone(found["zone"]), day=day)


def read_zone(text: str) -> int | None:
    """Minutes east of UTC of a zone such as Z, UTC or +01:00; None for an empty text.

    Raises:
        Unreadable: a name such as BST, which different people read differently, or no zone.
    """
    zone = tidy(text)
    if is_nothing(zone):
        return None
    if zone.lower() in _UTC_NAMES:
        return 0
    found = _ZONE.fullmatch(zone)
    minutes = int(found[2]) * 60 + int(found[3] or 0) if found else -1
    if found is None or minutes > 14 * 60 or int(found[3] or 0) > 59:
        raise Unreadable(f"the time zone {zone!r} is not known; write its distance from UTC, such as +01:00")
    return minutes if found[1] == "+" else -minutes


def read_moment(date_text: str, time_text: str, *, order: DateOrder | None, zone_min: int) -> datetime | None:
    """When something was, in UTC; None where date or time is not stated.

    Args:
        date_text: the date's cell; it may hold the time too.
        time_text: the time's cell; it may hold the date too, which must then be the same.
        order: of dates that leave a question.
        zone_min: minutes east of UTC of the sheet's clock, where a time does not state its own zone.

    Raises:
        Unreadable: one of them is, or the two contradict each other.
    """
    day = read_date(date_text, order)
    clock = read_time(time_text)
    within = _time_behind(tidy(date_text)) if day is not None else None
    if clock is None:
        clock = within
    elif within is not None and within.second_of_day not in {0.0, clock.second_of_day}:
        raise Unreadable(f"the date says {_clock_words(within)} and the time {_clock_words(clock)}")
    if clock is not None and clock.day is not None and clock.day not in _BARE_TIME_DATES:
        if day is not None and clock.day != day:
            raise Unreadable(f"the date says {day} and the time {clock.day}")
        day = clock.day
    if day is None or clock is None:
        return None
    offset_min = clock.zone_min if clock.zone_min is not None else zone_min
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=clock.second_of_day, minutes=-offset_min)


def _date_part(cell: str) -> str:
    head, _, tail = cell.replace("T", " ", 1).partition(" ") if re.match(r"\d{4}[-/.]", cell) else (cell, "", "")
    if tail:
        return head
    return re.sub(r"[ T]+\d{1,2}:\d\d.*$", "", cell)


def _time_behind(cell: str) -> ClockTime | None:
    if (found := _SERIAL.fullmatch(cell)) and found[2]:
        return ClockTime(second_of_day=float(round(float(found[2]) * _DAY_S)) % _DAY_S, zone_min=None, day=None)
    rest = cell[len(_date_part(cell)) :].lstrip(" T")
    return read_time(rest) if rest else None


def _split_day(cell: str) -> tuple[date | None, str]:
    found = re.match(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]+(.*))?$", cell)
    if found is None:
        return None, cell
    if found[4] is None:
        raise Unreadable(f"{cell!r} is a date without a time")
    day = date(int(found[1]), int(found[2]), int(found[3])) if found[1] in {"1899", "1900"} else _day(cell, *map(int, found.groups()[:3]))
    return day, found[4]


def _year_last(cell: str, numbers: tuple[int, int], year: int, order: DateOrder | None) -> date:
    orders = possible_orders(cell)
    if order in {DateOrder.DMY, DateOrder.MDY} and orders and order not in orders:
        wanted = "day first" if order is DateOrder.DMY else "month first"
        raise Unreadable(f"{cell!r} is no date with the {wanted}")
    chosen = order if order in {DateOrder.DMY, DateOrder.MDY} else next(iter(orders)) if len(orders) == 1 else None
    if chosen is None and numbers[0] != numbers[1]:
        raise Unreadable(f"{cell!r}: which number is the day? Write {year}-MM-DD, or say the order of the dates")
    day, month = numbers if chosen is DateOrder.DMY else numbers[::-1]
    return _day(cell, year, month, day)


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _month(cell: str, name: str) -> int:
    short = name[:3].lower()
    if short not in _MONTHS:
        raise Unreadable(f"{cell!r}: there is no month {name!r}")
    return _MONTHS.index(short) + 1


def _day(cell: str, year: int, month: int, day: int) -> date:
    if year not in _YEARS:
        raise Unreadable(f"{cell!r}: the year {year} cannot be")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise Unreadable(f"{cell!r}: there is no such day") from error


def _clock_words(clock: ClockTime) -> str:
    minutes, seconds = divmod(int(clock.second_of_day), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
