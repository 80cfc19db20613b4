"""A survey as a whole: its stations, and the estimate of each ground and of all, one per method.

A method is who counted (here, or a table that was imported) and a version of the protocol. Two are never pooled in one estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edge.errors import SettingsError
from edge.store.reads import surveys as reads
from edge.store.reads.surveys import GroundRow, StationRow, SurveyRow, TowRow
from edge.store.sqlite import Connection
from edge.survey.estimate import GroundEstimate, SurveyEstimate, ground_estimate, running_cv, survey_estimate
from edge.survey.judged import does_its_station
from edge.survey.method import Method, Origin, method_of_result
from edge.survey.result import ResultState, StationResult, result_of_station

NO_GROUND = "no ground"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedStation:
    """A station with its result and where it is: the middle of its tow, or where it was planned.

    Attributes:
        method: how it was counted; None where it has no count.
        estimated: whether the estimate of its method uses it; `why_not` says why not.
        order_utc: when its last counter signed; the order in which the running CV took it.
    """

    station: StationRow
    tow: TowRow | None
    result: StationResult
    latitude_deg: float | None
    longitude_deg: float | None
    is_planned_place: bool
    method: Method | None
    estimated: bool
    why_not: str
    order_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundFigures:
    """A ground as one method counted it.

    Attributes:
        raw, adjusted: None where no station has such a density; abundances in them hold only if `area_km2` is known.
        planned: stations of the plan; None where the plan does not say.
        left: stations of the plan that are not counted yet, by any method. A tow that is not valid, or not in the analysis, does not
            count its station.
    """

    name: str
    area_km2: float | None
    area_source: str
    stations: tuple[str, ...]
    raw: GroundEstimate | None
    adjusted: GroundEstimate | None
    planned: int | None
    left: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPoint:
    """The CV after a number of stations, in the order in which they were signed; None while a ground has fewer than two."""

    stations: int
    station: str
    cv: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSum:
    """Abundance, in millions, of those grounds that have one, while others of the survey have none. It is no survey's and has no CV."""

    grounds: tuple[str, ...]
    raw_millions: float
    adjusted_millions: float | None

    @property
    def words(self) -> str:
        """As the page and the tables name it."""
        return f"Partial sum, not the survey's: {' and '.join(self.grounds)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodEstimate:
    """The estimate of the stations that were counted by one method.

    Attributes:
        origin, version: the method; `slug` names it in addresses and files, `words` for people.
        stations: how many stations it is made from.
        raw, adjusted: the survey's; None while a ground of it has no counted station or no area, which `reasons` names.
        partial: then the sum of the others, None where there is none.
    """

    origin: Origin
    version: int | None
    slug: str
    words: str
    stations: int
    grounds: tuple[GroundFigures, ...]
    raw: SurveyEstimate | None
    adjusted: SurveyEstimate | None
    partial: PartialSum | None
    running: tuple[RunningPoint, ...]
    reasons: tuple[str, ...]

    @property
    def method(self) -> Method:
        """Of its stations."""
        return Method(self.origin, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyOverview:
    """A survey. `planned`, `counted`, `left`: stations; `left` is None where no plan says how many there will be.

    `estimates`: the survey's own method with most stations first, then its other own ones, then what was imported.

    Counted are those whose tow is valid and in the analysis: another does not do its station. `left` adds up what the grounds lack:
    stations above the plan of one do not do those of another.
    """

    survey: SurveyRow
    stations: tuple[PlacedStation, ...]
    estimates: tuple[MethodEstimate, ...]
    planned: int | None
    counted: int
    left: int | None


def survey_overview(
    connection: Connection, survey_id: int, *, only: Collection[int] | None = None, results: Mapping[int, StationResult] | None = None
) -> SurveyOverview:
    """Work out a survey.

    Args:
        connection: a reader's.
        survey_id: the survey.
        only: ids of the stations that are looked at; None for all.
        results: those of stations, by their ids, that were worked out already from the same snapshot.

    Raises:
        SettingsError: there is no such survey.
    """
    survey = reads.survey(connection, survey_id)
    if survey is None:
        raise SettingsError(f"there is no survey with the id {survey_id}", advice="Look at the Surveys page.")
    grounds = reads.grounds(connection, survey_id)
    tows: dict[int, list[TowRow]] = {}
    for tow in reads.survey_tows(connection, survey_id):
        tows.setdefault(tow.station_id, []).append(tow)
    known = results or {}
    wanted = [one for one in reads.stations(connection, survey_id) if only is None or one.id in only]
    stations = tuple(
        _placed(station, tows.get(station.id, []), known.get(station.id) or result_of_station(connection, station)) for station in wanted
    )
    counted = sum(map(_is_done, stations))
    planned = _planned(grounds, stations)
    return SurveyOverview(
        survey=survey,
        stations=stations,
        estimates=method_estimates(grounds, stations),
        planned=planned,
        counted=counted,
        left=_left(grounds, stations),
    )


def _is_done(one: PlacedStation) -> bool:
    return one.result.state is ResultState.COUNTED and does_its_station(one.tow)


def _planned(grounds: Sequence[GroundRow], stations: Sequence[PlacedStation]) -> int | None:
    """As many as the grounds' plans say; without any, as many as stand in the list and are no drafts."""
    told = [ground.stations_planned for ground in grounds if ground.stations_planned is not None]
    if told:
        return sum(told)
    listed = sum(not one.station.is_draft for one in stations)
    return listed or None


def _left(grounds: Sequence[GroundRow], stations: Sequence[PlacedStation]) -> int | None:
    """As many as the grounds with a plan still lack; without any plan, as many of the list as are not counted."""
    told = [ground for ground in grounds if ground.stations_planned is not None]
    if told:
        done = _done_by_ground(stations)
        return sum(_left_of(ground, done) or 0 for ground in told)
    listed = [one for one in stations if not one.station.is_draft]
    return sum(not _is_done(one) for one in listed) if listed else None


def _left_of(ground: GroundRow | None, done: Mapping[str, int]) -> int | None:
    if ground is None or ground.stations_planned is None:
        return None
    return max(ground.stations_planned - done.get(ground.name, 0), 0)


def _done_by_ground(stations: Sequence[PlacedStation]) -> Mapping[str, int]:
    return Counter(one.station.ground or NO_GROUND for one in stations if _is_done(one))


def _placed(station: StationRow, tows: Sequence[TowRow], result: StationResult) -> PlacedStation:
    tow = next((one for one in tows if one.id == result.tow_id), None)
    place = None if tow is None else middle_of(tow)
    why_not = _why_not(result, tow)
    return PlacedStation(
        station=station,
        tow=tow,
        result=result,
        latitude_deg=place[0] if place else station.planned_latitude_deg,
        longitude_deg=place[1] if place else station.planned_longitude_deg,
        is_planned_place=place is None,
        method=None if result.systems is None else method_of_result(result),
        estimated=not why_not,
        why_not=why_not,
        order_utc=max((str(one["signed_utc"] or "") for one in result.sources["counts"]), default=""),
    )


def middle_of(tow: TowRow) -> tuple[float, float] | None:
    """The middle of a tow's start and end, or the one of them that is known."""
    ends = [
        (latitude, longitude)
        for latitude, longitude in (
            (tow.start_latitude_deg, tow.start_longitude_deg),
            (tow.end_latitude_deg, tow.end_longitude_deg),
        )
        if latitude is not None and longitude is not None
    ]
    if not ends:
        return None
    return sum(one[0] for one in ends) / len(ends), sum(one[1] for one in ends) / len(ends)


def _why_not(result: StationResult, tow: TowRow | None) -> str:
    if result.density_raw_per_m2 is None:
        return "; ".join(result.reasons) or "it has no density"
    if tow is not None and tow.is_valid is False:
        return "the tow is marked as not valid"
    if tow is not None and not tow.in_analysis:
        return "the tow is not in the analysis"
    return ""


def method_estimates(grounds: Sequence[GroundRow], stations: Sequence[PlacedStation]) -> tuple[MethodEstimate, ...]:
    """The estimates of a survey: what was counted here before what was imported, most stations first, of as many the newest version."""
    by_method: dict[Method, list[PlacedStation]] = {}
    for one in stations:
        if one.estimated and one.method is not None:
            by_method.setdefault(one.method, []).append(one)
    done = _done_by_ground(stations)
    ordered = sorted(by_method, key=lambda one: (one.origin != "own", -len(by_method[one]), -(one.version or 0)))
    return tuple(_estimate(method, grounds, by_method[method], done) for method in ordered)


def _estimate(method: Method, grounds: Sequence[GroundRow], stations: Sequence[PlacedStation], done: Mapping[str, int]) -> MethodEstimate:
    rows: dict[str, GroundRow | None] = {ground.name: ground for ground in grounds}
    by_ground: dict[str, list[PlacedStation]] = {name: [] for name in rows}
    for one in stations:
        by_ground.setdefault(one.station.ground or NO_GROUND, []).append(one)
    figures = tuple(_ground(name, rows.get(name), here, done) for name, here in by_ground.items())
    raw, adjusted, partial = _sums(figures)
    return MethodEstimate(
        origin=method.origin,
        version=method.version,
        slug=method.slug,
        words=method.words,
        stations=len(stations),
        grounds=figures,
        raw=raw,
        adjusted=adjusted,
        partial=partial,
        running=_running(stations, [one for one in figures if _is_asked_for(one)]),
        reasons=_reasons(figures, method),
    )


def _sums(figures: Sequence[GroundFigures]) -> tuple[SurveyEstimate | None, SurveyEstimate | None, PartialSum | None]:
    """Raw and adjusted of the survey, or else the sum of the grounds that have an abundance."""
    known = [one for one in figures if one.raw is not None and one.area_km2 is not None]
    raw = [one.raw for one in known if one.raw is not None]
    adjusted = [one.adjusted for one in known if one.adjusted is not None]
    if not raw:
        return None, None, None
    of_raw = survey_estimate(raw)
    of_adjusted = survey_estimate(adjusted) if len(adjusted) == len(raw) else None
    if all(one in known for one in figures if _is_asked_for(one)):
        return of_raw, of_adjusted, None
    return (
        None,
        None,
        PartialSum(
            grounds=tuple(one.name for one in known),
            raw_millions=of_raw.abundance_millions,
            adjusted_millions=None if of_adjusted is None else of_adjusted.abundance_millions,
        ),
    )


def _is_asked_for(one: GroundFigures) -> bool:
    """Whether a survey is none without this ground: all but those for which nothing is planned and nothing is counted."""
    return one.planned != 0 or one.raw is not None


def _ground(name: str, row: GroundRow | None, stations: Sequence[PlacedStation], done: Mapping[str, int]) -> GroundFigures:
    area_km2 = row.area_km2 if row else None
    raw = [one.result.density_raw_per_m2 for one in stations if one.result.density_raw_per_m2 is not None]
    adjusted = [one.result.density_adjusted_per_m2 for one in stations if one.result.density_adjusted_per_m2 is not None]
    return GroundFigures(
        name=name,
        area_km2=area_km2,
        area_source=row.area_source if row else "",
        stations=tuple(one.station.name for one in stations),
        raw=ground_estimate(name, raw, area_km2 or 1.0) if raw else None,
        adjusted=ground_estimate(name, adjusted, area_km2 or 1.0) if adjusted and len(adjusted) == len(raw) else None,
        planned=row.stations_planned if row else None,
        left=_left_of(row, done),
    )


def _reasons(figures: Sequence[GroundFigures], method: Method) -> tuple[str, ...]:
    """Why a total is uncertain or not there."""
    reasons = []
    for one in filter(_is_asked_for, figures):
        if one.name == NO_GROUND:
            reasons.append("stations without a ground have no area: their density has no abundance, and the survey no total and no CV")
        elif one.raw is None:
            reasons.append(f"{one.name} has no station in this estimate ({method.words}): there is no total of the survey, and no CV")
        elif one.area_km2 is None:
            reasons.append(f"{one.name} has no area: its density has no abundance, and the survey no total and no CV")
        elif one.raw.se_per_m2 is None:
            reasons.append(f"{one.name} has one counted station: it has no spread, and the survey no CV")
    return tuple(reasons)


def _running(stations: Sequence[PlacedStation], grounds: Sequence[GroundFigures]) -> tuple[RunningPoint, ...]:
    areas_km2 = {one.name: one.area_km2 for one in grounds if one.area_km2 is not None}
    ordered = sorted(stations, key=lambda one: (one.order_utc, one.station.id))
    series = [(one.station.ground or NO_GROUND, one.result.density_raw_per_m2 or 0.0) for one in ordered]
    cvs = running_cv(series, areas_km2) if len(areas_km2) == len(grounds) else [None] * len(ordered)
    return tuple(
        RunningPoint(stations=place, station=one.station.name, cv=cv)
        for place, (one, cv) in enumerate(zip(ordered, cvs, strict=True), start=1)
    )
