"""What the API and the pages of a review tell: openings as they stand, what is left, the count before and after."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.connection import snapshot
from edge.store.reads import reviews as reads
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.reviews import ReviewAmong, ReviewedOpening, ReviewShow, ReviewSort
from edge.store.sqlite import Connection
from edge.survey.carried_desk import CarriedOver
from edge.survey.miss_gate import CheckState
from edge.survey.review_standing import open_analysis
from edge.web.appliance import Appliance


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAnswer:
    """What crossed the line: the model's count (None while minutes are to be counted blind), and the count after review. Advisory."""

    model_openings: float | None
    model_systems: float | None
    openings: int
    systems: int
    undecided: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswer:
    """What is decided of a part of the openings, and what is left."""

    openings: int
    accepted: int
    rejected: int
    unsure: int
    undecided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyAnswer:
    """What is decided and what is left: of all that is shown, and by where it crossed the line.

    `hidden_minutes`: they are to be counted blind first, so nothing here has to do with them.
    """

    openings: int
    accepted: int
    rejected: int
    unsure: int
    undecided: int
    among: dict[ReviewAmong, PartAnswer]
    hidden_minutes: tuple[int, ...]
    counted: CountedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """The ids of a tow's openings in an order that no decision changes. `analysis` is its uuid: another one has other openings."""

    tow_id: int
    analysis: str
    sort: ReviewSort
    show: ReviewShow
    among: ReviewAmong
    order: tuple[int, ...]
    tally: TallyAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierAnswer:
    """What somebody decided about the same opening in an analysis before this one. It does not count until it is taken over."""

    decision: str
    decided_by: str
    decided_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningAnswer:
    """An opening with what people made of it; `system` is the number of the system that it belongs to now, `proposed` the model's."""

    id: int
    uuid: str
    ordinal: int
    at_s: float
    crossing_s: float | None
    first_s: float
    last_s: float
    along_m: float | None
    score: float
    confidence: float
    frames: int
    missed: int
    is_extrapolated: int
    label: str | None
    proposed: int | None
    system: int | None
    decision: str | None
    decided_by: str | None
    decided_utc: str | None
    earlier: EarlierAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningsAnswer:
    """Openings of a tow."""

    analysis: str
    total: int
    openings: tuple[OpeningAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxAnswer:
    """Where an opening was found: seconds of the tow, and pixels of the full frame."""

    at_s: float
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesAnswer:
    """The frames in which an opening was found; `GET .../frames/{number}` gives the picture of each, from 0."""

    opening_id: int
    width_px: int | None
    height_px: int | None
    boxes: tuple[BoxAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneAnswer:
    """What was changed, as it stands now, and what is left."""

    openings: tuple[OpeningAnswer, ...]
    tally: TallyAnswer


def tally_of(appliance: Appliance, connection: Connection, tow_id: int) -> TallyAnswer:
    """What is decided of a tow, what is left, and the figures.

    Raises:
        ReviewRefusedError: the tow cannot be reviewed, or its minutes to be counted blind are not drawn.
    """
    analysis = open_analysis(connection, tow_id)
    found = reads.review_figures(connection, analysis.id, appliance.reviews.looked(connection, analysis))
    gate = appliance.reviews.misses.gate(connection, analysis)
    is_open = gate.state is CheckState.OPEN  # the whole tow's figures less those shown would tell the hidden minutes'
    return TallyAnswer(
        **found.among[ReviewAmong.ALL]._asdict(),
        among={part: PartAnswer(**tally._asdict()) for part, tally in found.among.items()},
        hidden_minutes=gate.minutes if is_open else (),
        counted=CountedAnswer(
            model_openings=None if is_open else analysis.openings,
            model_systems=None if is_open else analysis.systems,
            openings=found.counted,
            systems=found.systems,
            undecided=found.counted_undecided,
            rejected=found.counted_rejected,
        ),
    )


def done(appliance: Appliance, tow_id: int, changed: list[int] | tuple[int, ...]) -> DoneAnswer:
    """What was changed, as it stands now."""
    with appliance.reader() as connection, snapshot(connection):
        analysis = open_analysis(connection, tow_id)
        shown = told_openings(appliance, connection, analysis, changed)
        return DoneAnswer(openings=shown, tally=tally_of(appliance, connection, tow_id))


def told_openings(
    appliance: Appliance, connection: Connection, analysis: AnalysisRow, ids: list[int] | tuple[int, ...]
) -> tuple[OpeningAnswer, ...]:
    """Openings of an analysis as they stand, with what an earlier review proposes; what is hidden is not there."""
    found = reads.openings_by_id(connection, analysis.id, ids, appliance.reviews.looked(connection, analysis))
    carried = appliance.reviews.carried.of(connection, analysis)
    return tuple(_told(one, carried) for one in found)


def _told(one: ReviewedOpening, carried: CarriedOver) -> OpeningAnswer:
    earlier = carried.decisions.get(one.id) if one.decision is None else None
    told = None
    if earlier is not None:
        told = EarlierAnswer(decision=earlier.decision, decided_by=earlier.decided_by, decided_utc=earlier.decided_utc)
    return OpeningAnswer(**one._asdict(), earlier=told)
