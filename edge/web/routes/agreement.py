"""Agreement: a station's counts side by side once they are revealed, and how the counters of a survey agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from edge.errors import CountRefusedError
from edge.store.connection import snapshot
from edge.store.reads.counts import CountedMinute, CountRow, counts_of_tow, marks_of_count
from edge.store.reads.frames import tow_frames
from edge.store.reads.qualifications import QualificationRule, qualification_rule, qualifications, references
from edge.store.reads.surveys import ProtocolRow, StationRow, SurveyRow, TowRow, main_tow, station, survey, tows
from edge.store.sqlite import Connection
from edge.survey.agreement import Agreement, AgreementState
from edge.survey.counting.clock import clock_flags, counts_differ
from edge.survey.counting.compare import Difference, MinuteRow, differences, minute_rows
from edge.survey.counting.judge import TowCounts, counts_agreement, pairwise_agreement
from edge.survey.counting.overview import StationAgreement, SurveyAgreement, station_agreement, survey_agreement
from edge.survey.counting.reference import qualification_words
from edge.survey.counting.rules import judging_rules, of_one_origin
from edge.survey.people import Person, Role
from edge.web.deps import MAX_ID, ApplianceHere, SignedIn, Viewer
from edge.web.errors import Problem, no_such
from edge.web.pages import render
from edge.web.routes.actions import PostedForm

router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api", tags=["counting"])

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
ChosenTow = Annotated[int | None, Query(alias="tow", ge=1, le=MAX_ID)]
REFUSALS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareAnswer:
    """The counts of a station's tow side by side. Everything but `progress` is empty until they are revealed.

    `differences`: systems that only one of the first two counters marked; clicks within 36 stills and half a frame mean the same.
    `not_blind`: counter -> why the count was not blind; such a count is in no coefficient. `flags`: what is unusual about them, such
    as another start of line than the tow has now.
    """

    station: str
    tow_id: int | None
    progress: TowCounts | None
    counters: tuple[str, ...]
    minutes: tuple[MinuteRow, ...]
    agreement: Agreement | None
    pairs: tuple[Agreement, ...]
    check_skills: bool
    differences: tuple[Difference, ...]
    not_blind: dict[str, str]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterAnswer:
    """A counter of a survey; the name only for themselves and for reviewers."""

    letter: str
    counter: str | None
    stations: int
    median_ccc: float | None
    bias: float | None
    below_limit: int
    cccs: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAgreementAnswer:
    """A tow of a survey; `state` and `ccc` are null until its counts are revealed."""

    station: str
    tow: int
    progress: TowCounts
    state: str | None
    ccc: float | None
    check_skills: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAgreementAnswer:
    """How the counters of a survey agree."""

    survey: str
    ccc_limit: float
    third_counts: tuple[str, ...]
    stations: tuple[StationAgreementAnswer, ...]
    counters: tuple[CounterAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    tow: TowRow | None
    rules: ProtocolRow | None
    counts: tuple[CountRow, ...]
    answer: CompareAnswer
    frame_of: dict[float, int]


@router.get("/stations/{station_id:int}/compare")
def show_compare(request: Request, appliance: ApplianceHere, viewer: Viewer, station_id: Id, chosen: ChosenTow = None) -> Response:
    """Minutes, scatter, coefficient and where the counters differ."""
    with appliance.reader() as connection, snapshot(connection):
        place = _find_station(connection, station_id)
        compared = _compare(connection, place, chosen, viewer)
        mine = _mine(connection, compared.tow, viewer)
    reference = None
    if place.survey_kind == "reference" and mine is not None and viewer is not None and mine.state == "signed":
        reference = _against_reference(*_own_reference(appliance, mine, viewer))
    return render(
        request,
        "compare.html",
        station=place,
        tow=compared.tow,
        rules=compared.rules,
        counts=compared.counts,
        it=compared.answer,
        plot=_scatter(compared.answer),
        frame_of=compared.frame_of,
        reference=reference,
    )


@router.get("/surveys/{survey_id:int}/agreement")
def show_agreement(request: Request, appliance: ApplianceHere, viewer: Viewer, survey_id: Id) -> Response:
    """Per station and per counter; a reference set shows who is qualified."""
    with appliance.reader() as connection, snapshot(connection):
        of = _find_survey(connection, survey_id)
        found = survey_agreement(connection, survey_id)
        standings = qualifications(connection, survey_id)
        rule = qualification_rule(connection, survey_id)
        with_reference = len(references(connection, survey_id))
    return render(
        request,
        "agreement.html",
        survey=of,
        it=found,
        answer=_answer(of, found, viewer),
        standings=[(one, qualification_words(one), json.loads(one.detail_json)) for one in standings if _may_name(viewer, one.person)],
        with_reference=with_reference,
        hidden=sum(not _may_name(viewer, one.person) for one in standings),
        rule=rule,
    )


@router.post("/actions/surveys/{survey_id:int}/qualification-rule")
def set_rule(appliance: ApplianceHere, person: SignedIn, form: PostedForm, survey_id: Id) -> RedirectResponse:
    """What is asked of counters from now on."""
    stations = form.optional("stations").strip()
    try:
        limit, asked = float(form.optional("ccc_limit")), int(stations) if stations else None
    except ValueError as error:
        advice = "Give a limit from 0 to 1, and whole stations or nothing for all."
        raise CountRefusedError("the limit or the number of stations is no number", advice=advice) from error
    rule = QualificationRule(limit, bars=form.optional("bars") == "1", reason=form.optional("reason").strip(), stations=asked)
    appliance.counting.set_rule(survey_id, rule, person)
    return form.back("rule_set")


@api_router.get("/stations/{station_id}/compare", summary="A station's counts side by side", responses=REFUSALS)
def compare(appliance: ApplianceHere, viewer: Viewer, station_id: Id, chosen: ChosenTow = None) -> CompareAnswer:
    """Minutes, coefficient and differences, once the counts are revealed."""
    with appliance.reader() as connection, snapshot(connection):
        return _compare(connection, _find_station(connection, station_id), chosen, viewer).answer


@api_router.get("/surveys/{survey_id}/agreement", summary="How the counters of a survey agree", responses=REFUSALS)
def agreement(appliance: ApplianceHere, viewer: Viewer, survey_id: Id) -> SurveyAgreementAnswer:
    """Per station and per counter."""
    with appliance.reader() as connection, snapshot(connection):
        of = _find_survey(connection, survey_id)
        return _answer(of, survey_agreement(connection, survey_id), viewer)


def _compare(connection: Connection, place: StationRow, chosen: int | None, viewer: Person | None) -> _Compared:
    all_tows = tows(connection, place.id)
    of = next((one for one in all_tows if one.id == chosen), None) or main_tow(connection, place.id) or next(iter(all_tows), None)
    counts = () if of is None else tuple(one for one in counts_of_tow(connection, of.id) if one.state != "set_aside")
    if place.survey_kind == "reference" and viewer is not None and not viewer.may(Role.ADMINISTER):
        counts = tuple(one for one in counts if one.origin != "imported")  # a table's counts of footage tell the next counter what is on it
    rules = judging_rules(connection, counts, place.survey_id) if counts else None
    if of is None or rules is None:
        return _Compared(tow=of, rules=None, counts=counts, answer=_empty(place, of), frame_of={})
    judged = station_agreement(of, counts, rules, is_reference=place.survey_kind == "reference")
    shown = tuple(one for one in counts if one.revealed_utc is not None)
    of_one, beside = of_one_origin(shown)
    pair = [one for one in of_one if not one.not_blind][:2]
    marks = [(one.counter, marks_of_count(connection, one.id)) for one in pair]
    same = len(marks) == 2 and not counts_differ(pair)
    found = differences(marks[0], marks[1], rules.minutes) if same and all(each for _, each in marks) else ()
    frames = {row.at_s: row.image_id for row in tow_frames(connection, of.id)} if found else {}
    answer = CompareAnswer(
        station=place.name,
        tow_id=of.id,
        progress=judged.progress,
        counters=tuple(one.counter for one in shown),
        minutes=minute_rows(shown),
        agreement=counts_agreement(of_one, rules) if of_one else None,
        pairs=pairwise_agreement(of_one, rules) if len(of_one) > 2 else (),
        check_skills=judged.check_skills,
        differences=found,
        not_blind={one.counter: one.not_blind for one in shown if one.not_blind},
        flags=(*_flags(connection, of, of_one), *map(_beside_words, beside)),
    )
    return _Compared(tow=of, rules=rules, counts=counts, answer=answer, frame_of=frames)


def _empty(place: StationRow, of: TowRow | None) -> CompareAnswer:
    return CompareAnswer(
        station=place.name,
        tow_id=of.id if of else None,
        progress=None,
        counters=(),
        minutes=(),
        agreement=None,
        pairs=(),
        check_skills=False,
        differences=(),
        not_blind={},
        flags=(),
    )


def _beside_words(one: CountRow) -> str:
    return f"the imported count of {one.counter} stands beside: it is not compared with those made here, and no mean has both"


def _flags(connection: Connection, of: TowRow, shown: tuple[CountRow, ...]) -> tuple[str, ...]:
    differ = counts_differ([one for one in shown if not one.not_blind])
    return (*((differ,) if differ else ()), *clock_flags(connection, of, shown))


def _scatter(it: CompareAnswer) -> dict[str, Any] | None:
    """Points of the first two counters in a square of 400, one for each minute that counts for both."""
    if it.agreement is None or len(it.agreement.counters) < 2 or it.agreement.state is AgreementState.NOT_COMPARABLE:
        return None
    first, second = (it.counters.index(counter) for counter in it.agreement.counters)
    points = [(row.minute, row.values[first], row.values[second]) for row in it.minutes if row.minute in it.agreement.minutes]
    most = max([1.0, *(value for _, x, y in points for value in (x, y) if value is not None)])
    return {"most": most, "points": [(minute, (x or 0) / most * 400, 400 - (y or 0) / most * 400) for minute, x, y in points]}


def _mine(connection: Connection, of: TowRow | None, viewer: Person | None) -> CountRow | None:
    if of is None or viewer is None:
        return None
    return next((one for one in counts_of_tow(connection, of.id) if one.person_id == viewer.id and one.state != "set_aside"), None)


def _own_reference(appliance: ApplianceHere, mine: CountRow, viewer: Person) -> tuple[tuple[CountedMinute, ...], dict[int, float]]:
    own, known = appliance.counting.own_reference(mine.id, viewer)
    return tuple(own.tally.minutes.values()), dict(known)


def _against_reference(minutes: tuple[CountedMinute, ...], known: dict[int, float]) -> list[tuple[int, float, float | None]]:
    return [(one.minute, one.systems, known.get(one.minute)) for one in minutes]


def _answer(of: SurveyRow, found: SurveyAgreement, viewer: Person | None) -> SurveyAgreementAnswer:
    return SurveyAgreementAnswer(
        survey=of.name,
        ccc_limit=found.ccc_limit,
        third_counts=found.third_counts,
        stations=tuple(_station(one) for one in found.stations),
        counters=tuple(
            CounterAnswer(
                letter=one.letter,
                counter=one.counter if _may_name(viewer, one.counter) else None,
                stations=one.stations,
                median_ccc=one.median_ccc,
                bias=one.bias,
                below_limit=one.below_limit,
                cccs=one.cccs,
            )
            for one in found.counters
        ),
    )


def _station(one: StationAgreement) -> StationAgreementAnswer:
    return StationAgreementAnswer(
        station=one.tow.station,
        tow=one.tow.ordinal,
        progress=one.progress,
        state=one.agreement.state if one.agreement else None,
        ccc=one.agreement.ccc if one.agreement else None,
        check_skills=one.check_skills,
    )


def _may_name(viewer: Person | None, counter: str) -> bool:
    return viewer is None or viewer.may(Role.REVIEW) or viewer.name == counter


def _find_station(connection: Connection, station_id: int) -> StationRow:
    place = station(connection, station_id)
    if place is None:
        raise no_such("station with the id", station_id)
    return place


def _find_survey(connection: Connection, survey_id: int) -> SurveyRow:
    of = survey(connection, survey_id)
    if of is None:
        raise no_such("survey with the id", survey_id)
    return of
