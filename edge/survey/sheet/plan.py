"""What an import of a station sheet would do: every station of it with its cells, and every fault by row and column.

A fault that `refuses` keeps the whole file out, for then it is not clear what would be kept: dates in mixed orders, a station twice, a
row of another survey. All others are kept to the letter with what they do to the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.errors import InputError, Reason
from edge.survey.sheet.checks import Line, check_lines
from edge.survey.sheet.fields import BY_HEADING, BY_KEY, OTHER, STATION_HEADINGS, SURVEY_HEADINGS, folded
from edge.survey.sheet.moments import DateOrder, agreed_order, possible_orders
from edge.survey.sheet.reading import Reading, read_sheet
from edge.survey.sheet.table import HEADING_ROWS, Table, TableRow
from edge.survey.sheet.words import is_nothing, tidy

DATE_FIELDS = ("start_date", "end_date")
_FEWEST_HEADINGS = 2
_COUNTED = frozenset({"burrowcount", "minute", "stilln", "nephropsburrowcount", "countn"})  # what tables of counts have and sheets have not
_REFUSED = "Nothing of the file is imported as long as this stands."


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFault:
    """Something wrong in a file. `row` is as a spreadsheet numbers it; `column` is the file's own heading, empty for the whole row."""

    row: int
    column: str
    value: str
    message: str
    effect: str
    refuses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTow:
    """A row of the sheet. `cells`: field -> what it says to the letter; columns without a field are under `OTHER` and their heading."""

    row: int
    station: str
    line_name: str
    cells: Mapping[str, str]
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPlan:
    """What is in a file. `surveys`: the SurveyIDs it names; `order`: of its dates, None where they leave no question."""

    name: str
    dialect: str
    tows: tuple[PlannedTow, ...]
    faults: tuple[SheetFault, ...]
    surveys: tuple[str, ...]
    grounds: tuple[str, ...]
    order: DateOrder | None
    kept_columns: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Nothing of it may be written."""
        return any(fault.refuses for fault in self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Which column is what: field key -> its place and heading."""

    number: int
    headings: tuple[str, ...]
    fields: Mapping[str, int]
    others: Mapping[str, int]
    station: int
    survey: int | None


def make_plan(
    table: Table, name: str, *, survey: str | None = None, year: int | None = None, order: DateOrder | None = None, utc_offset: str = ""
) -> SheetPlan:
    """Read a whole sheet.

    Args:
        table: its rows.
        name: the file's name.
        survey: the survey that it is for; rows of another are refused.
        year: that survey's.
        order: of the dates, where somebody said it.
        utc_offset: of the sheet's clock, such as "+01:00", where it is not UTC.

    Raises:
        InputError: no row looks like the headings of a station sheet, or two columns have one heading.
    """
    columns = _find_columns(table, name)
    rows = [row for row in table.rows if row.number > columns.number]
    faults = _ragged(rows, columns)
    found_order, order_faults = _settle_order(rows, columns, order)
    faults += order_faults
    tows = [_tow(row, columns, found_order, utc_offset) for row in rows]
    faults += _station_faults(tows, columns)
    faults += _survey_faults(rows, columns, survey)
    tows = _without_repeats([tow for tow in tows if tow.station])
    faults += [fault for tow in tows for fault in _reading_faults(tow, columns)]
    faults += _line_faults(tows, columns, year)
    named = dict.fromkeys(tidy(_cell(row, columns.survey)) for row in rows if columns.survey is not None)
    return SheetPlan(
        name=name,
        dialect=table.dialect,
        tows=tuple(tows),
        faults=tuple(sorted(faults, key=lambda fault: (not fault.refuses, fault.row, fault.column))),
        surveys=tuple(one for one in named if not is_nothing(one)),
        grounds=tuple(dict.fromkeys(tow.reading.ground for tow in tows if tow.reading.ground)),
        order=found_order,
        kept_columns=tuple(key.removeprefix(OTHER) for key in columns.others),
    )


def _find_columns(table: Table, name: str) -> _Columns:
    known = {*BY_HEADING, *SURVEY_HEADINGS, *STATION_HEADINGS}
    best = max(table.rows[:HEADING_ROWS], key=lambda row: sum(folded(cell) in known for cell in row.cells))
    headings = tuple(cell.strip() for cell in best.cells)
    names = [folded(heading) for heading in headings]
    station = next((names.index(one) for one in (*STATION_HEADINGS, folded("Video_Line_Name")) if one in names), None)
    if station is None or sum(one in known for one in names) < _FEWEST_HEADINGS:
        advice = "The first row must hold the headings; one of them Video_Line_Name or Station. docs/guides/survey.md lists them all."
        raise InputError(Reason.UNKNOWN_FORMAT, f"{name} has no row with the headings of a station sheet", advice=advice)
    if _COUNTED & set(names):
        advice = "It is a table of counts: `imagine-edge survey import-table` takes it, or the tab Tables of the survey."
        raise InputError(Reason.UNKNOWN_FORMAT, f"{name} is no station sheet", advice=advice)
    fields: dict[str, int] = {}
    others: dict[str, int] = {}
    survey: int | None = None
    for at, (heading, one) in enumerate(zip(headings, names, strict=True)):
        field = BY_HEADING.get(one)
        place = others if field is None else fields
        key = OTHER + heading if field is None else field.key
        if not heading or (at == station and field is None):
            continue
        if one in SURVEY_HEADINGS and survey is None:
            survey = at
        if key in place:
            first = headings[place[key]]
            raise InputError(
                Reason.CORRUPT, f"{name} has two columns for one thing: {first!r} and {heading!r}", advice="Rename or delete one."
            )
        place[key] = at
    return _Columns(number=best.number, headings=headings, fields=fields, others=others, station=station, survey=survey)


def _cell(row: TableRow, at: int | None) -> str:
    return row.cells[at] if at is not None and at < len(row.cells) else ""


def _ragged(rows: Sequence[TableRow], columns: _Columns) -> list[SheetFault]:
    width = len(columns.headings)
    wide = [row for row in rows if any(cell.strip() for cell in row.cells[width:])]
    messages = [_RAGGED.format(len(row.cells), width) for row in wide]
    return [
        SheetFault(row=row.number, column="", value=row.cells[-1], message=message, effect=_REFUSED, refuses=True)
        for row, message in zip(wide, messages, strict=True)
    ]


_RAGGED = "the row has {} cells and the headings {}: a comma stands in a cell without quotation marks"


def _settle_order(rows: Sequence[TableRow], columns: _Columns, order: DateOrder | None) -> tuple[DateOrder | None, list[SheetFault]]:
    """The order of the dates; faults where it is mixed, cannot be told, or a spreadsheet may have turned some of them round."""
    places = [columns.fields[key] for key in DATE_FIELDS if key in columns.fields]
    cells = [(row, at, _cell(row, at)) for row in rows for at in places]
    if order is not None:
        return order, []
    found, is_settled = agreed_order(text for _, _, text in cells)
    asked = [(row, at, text, orders) for row, at, text in cells if (orders := possible_orders(text))]
    if not is_settled:
        seen = {one for *_, orders in asked for one in orders if len(orders) == 1}
        why = "the sheet has dates of both orders" if len(seen) > 1 else "every date of the sheet can be read in two ways"
        return None, [
            _order_fault(row, columns.headings[at], text, f"{why}; this one is {_order_words(orders)}") for row, at, text, orders in asked
        ]
    turned = [row for row, at, _ in cells if at in row.dates]
    if asked and turned:
        why = "the workbook holds some dates as dates and others as texts: a spreadsheet may have turned day and month of the former"
        return None, [_order_fault(row, columns.headings[at], text, why) for row, at, text, _ in asked]
    return found, []


def _order_words(orders: frozenset[DateOrder]) -> str:
    words = {DateOrder.DMY: "day first", DateOrder.MDY: "month first"}
    return " or ".join(words[one] for one in sorted(orders))


def _order_fault(row: TableRow, column: str, value: str, message: str) -> SheetFault:
    effect = f"{_REFUSED} Say the order of the dates (--date-order dmy or mdy), or correct the file."
    return SheetFault(row=row.number, column=column, value=value, message=message, effect=effect, refuses=True)


def _tow(row: TableRow, columns: _Columns, order: DateOrder | None, utc_offset: str) -> PlannedTow:
    cells = {key: _cell(row, at) for key, at in {**columns.fields, **columns.others}.items()}
    if order is not None and any(possible_orders(cells.get(key, "")) for key in DATE_FIELDS):
        cells["date_order"] = order.value
    if utc_offset:
        cells["utc_offset"] = utc_offset
    station = tidy(_cell(row, columns.station)).removesuffix(".0")
    line_name = tidy(cells.get("line_name", "")) or station
    return PlannedTow(
        row=row.number, station="" if is_nothing(station) else station, line_name=line_name, cells=cells, reading=read_sheet(cells)
    )


def _station_faults(tows: Sequence[PlannedTow], columns: _Columns) -> list[SheetFault]:
    faults: list[SheetFault] = []
    column = columns.headings[columns.station]
    first: dict[tuple[str, str], PlannedTow] = {}
    for tow in tows:
        key = tow.station, tow.line_name
        if not tow.station:
            faults.append(_row_fault(tow, column, "the row names no station", _REFUSED, refuses=True))
        elif key not in first:
            first[key] = tow
        elif first[key].cells == tow.cells:
            faults.append(_row_fault(tow, column, f"the same as row {first[key].row}", "It is taken once.", refuses=False))
        else:
            message = f"station {tow.station} stands in row {first[key].row} already, and says something else there"
            faults.append(
                _row_fault(tow, column, message, f"{_REFUSED} Delete one, or give the second tow its own line name.", refuses=True)
            )
    return faults


def _row_fault(tow: PlannedTow, column: str, message: str, effect: str, *, refuses: bool) -> SheetFault:
    return SheetFault(row=tow.row, column=column, value=tow.station, message=message, effect=effect, refuses=refuses)


def _survey_faults(rows: Sequence[TableRow], columns: _Columns, survey: str | None) -> list[SheetFault]:
    if survey is None or columns.survey is None:
        return []
    others = [(row, tidy(_cell(row, columns.survey))) for row in rows]
    return [
        SheetFault(
            row=row.number,
            column=columns.headings[columns.survey],
            value=value,
            message=f"the row is of the survey {value}, not of {survey}",
            effect=_REFUSED,
            refuses=True,
        )
        for row, value in others
        if not is_nothing(value) and value != survey
    ]


def _without_repeats(tows: Sequence[PlannedTow]) -> list[PlannedTow]:
    first: dict[tuple[str, str], PlannedTow] = {}
    for tow in tows:
        first.setdefault((tow.station, tow.line_name), tow)
    return list(first.values())


def _reading_faults(tow: PlannedTow, columns: _Columns) -> list[SheetFault]:
    return [
        SheetFault(
            row=tow.row,
            column=columns.headings[columns.fields[key]] if key in columns.fields else BY_KEY[key].label,
            value=tow.cells.get(key, ""),
            message=fault.message,
            effect=fault.effect,
            refuses=False,
        )
        for key, fault in tow.reading.faults.items()
    ]


def _line_faults(tows: Sequence[PlannedTow], columns: _Columns, year: int | None) -> list[SheetFault]:
    faults = check_lines([line_of(at, tow.station, tow.reading) for at, tow in enumerate(tows)], year=year)
    return [
        SheetFault(
            row=tows[fault.tow_id].row,
            column=columns.headings[columns.fields[fault.field]] if fault.field in columns.fields else BY_KEY[fault.field].label,
            value=tows[fault.tow_id].cells.get(fault.field, ""),
            message=fault.message,
            effect=fault.effect,
            refuses=False,
        )
        for fault in faults
    ]


def line_of(tow_id: int, station: str, reading: Reading) -> Line:
    """A tow as the checks among stations see it; its place is where it starts, or else where it ends."""
    columns = reading.columns
    places = [(columns[f"{side}_latitude_deg"], columns[f"{side}_longitude_deg"]) for side in ("start", "end")]
    whole = [(lat, lon) for lat, lon in places if isinstance(lat, float) and isinstance(lon, float)]
    start_utc, end_utc = (str(columns[name]) if columns[name] else None for name in ("start_utc", "end_utc"))
    return Line(tow_id=tow_id, station=station, start_utc=start_utc, end_utc=end_utc, place_deg=whole[0] if whole else None)
