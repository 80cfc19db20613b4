"""What the JSON API says of surveys, stations and sheets; the same fields as the tables, with their units in their names."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from edge.store.reads.tow_media import EntryRow
from edge.survey.sheet.bring_in import SheetOutcome
from edge.survey.sheet.fields import Field as SheetField
from edge.survey.sheet.moments import DateOrder
from edge.survey.sheet.plan import SheetFault
from edge.survey.sheet.reading import Fault
from edge.survey.sheet.record import Meanwhile, SheetState
from edge.survey.sheet.status import StationFault, StationStatus, SurveyStatus
from edge.survey.sheet_desk import SheetImport

Short = Annotated[str, Field(max_length=200)]
ReasonText = Annotated[str, Field(max_length=500, description="Why, where counts stand that the change concerns.")]
Text = Annotated[str, Field(max_length=10_000)]


def _of_characters(secret: SecretStr) -> SecretStr:
    """Refuse halves of surrogate pairs: JSON can hold them, no encoding can, and a `SecretStr` is not looked at as a `str` is."""
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no character") from None
    return secret


Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000), AfterValidator(_of_characters)]


class Body(BaseModel):
    """What a request sends; a field that does not exist is refused."""

    model_config = ConfigDict(extra="forbid")


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SurveyAnswer(_Row):
    """A survey, or a reference set (`kind` is "reference")."""

    id: int
    uuid: str
    name: str
    kind: str
    title: str
    functional_unit: str
    vessel: str
    year: int | None
    created_by: str
    created_utc: str


class GroundAnswer(_Row):
    """A ground of a survey."""

    id: int
    name: str
    area_km2: float | None
    area_source: str
    stations_planned: int | None


class ProtocolAnswer(_Row):
    """A version of a survey's rules; `locked_utc` is null until the first count under it."""

    id: int
    version: int
    first_minute: int
    last_minute: int
    minute_rule: str
    line_height: float
    edge_rule: str
    counters: int
    min_mean_per_minute: float | None
    ccc_limit: float
    correction_factor: float | None
    correction_source: str
    reason: str
    made_by: str
    made_utc: str
    locked_utc: str | None


class TowAnswer(_Row):
    """A tow as its sheet was read."""

    id: int
    ordinal: int
    line_name: str
    start_utc: str | None
    end_utc: str | None
    start_latitude_deg: float | None
    start_longitude_deg: float | None
    end_latitude_deg: float | None
    end_longitude_deg: float | None
    start_depth_m: float | None
    end_depth_m: float | None
    cable_out_m: float | None
    video_operator: str
    visibility: str
    speed: str
    ground_type: str
    usbl: str
    marine_litter: str
    backup: str
    comments: str
    is_valid: bool | None
    in_analysis: bool


class StationAnswer(BaseModel):
    """Where a station stands. `counts` is one of no_tow, not_begun, counting, counter_missing, third_count, unusable, revealed.

    `is_counted`: it has a result that people counted, from a tow that is valid and in the analysis.
    `origin`: "own" or "imported", of the counts of that result.
    """

    id: int
    station: str
    ground: str | None
    is_draft: bool
    tow_id: int | None
    tows: int
    images: int
    counts: str
    counts_words: str
    is_counted: bool
    origin: str | None
    signed: int
    needed: int
    faults: list[StationFault]


class SurveyStatusAnswer(BaseModel):
    """Where a survey stands; `survey` is null for the drafts that belong to none. No figure of a count is in it."""

    survey: SurveyAnswer | None
    protocol: ProtocolAnswer | None
    grounds: list[GroundAnswer]
    planned: int | None
    drafts: int
    stations_by_counts: dict[str, int]
    stations: list[StationAnswer]


class EntryAnswer(_Row):
    """What stands in a field, to the letter; `fault` is why it could not be read when it was typed."""

    id: int
    field: str
    value: str
    fault: str | None
    source: str
    entered_by: str
    entered_utc: str


class SheetAnswer(BaseModel):
    """A tow's sheet: what stands in each field, and what cannot be read now."""

    tow: TowAnswer
    entries: dict[str, EntryAnswer]
    faults: dict[str, Fault]


class ChangeBody(Body):
    """What a field shall say. `based_on`: the id of the entry that was in the field when it was typed, 0 for none."""

    field: Short
    value: Text
    based_on: Annotated[int, Field(ge=0)] | None = None


class ChangesBody(Body):
    """Fields of one sheet. `reason`: asked for where they move a line that counts were made by (409 reason_needed)."""

    changes: Annotated[list[ChangeBody], Field(min_length=1, max_length=200)]
    reason: ReasonText = ""


class UndoBody(Body):
    """Which field shall say again what it said before; `reason` as for changes."""

    field: Short
    reason: ReasonText = ""


class RecordedAnswer(_Row):
    """A change that is on disk. `entry_id` is null if the field said that already."""

    field: str
    value: str
    entry_id: int | None
    meanwhile: Meanwhile | None


class SheetStateAnswer(BaseModel):
    """What came of changes, and everything that cannot be read in the sheet now."""

    recorded: list[RecordedAnswer]
    faults: dict[str, Fault]
    tow: TowAnswer


class FieldAnswer(_Row):
    """A field of the sheet."""

    key: str
    label: str
    kind: str
    part: str
    table_name: str
    effect: str
    codes: list[str]
    unit: str


class NewSurveyBody(Body):
    """A new survey."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Annotated[str, Field(pattern="^(survey|reference)$")] = "survey"
    title: Short = ""
    functional_unit: Short = ""
    vessel: Short = ""
    year: int | None = None


class GroundBody(Body):
    """A ground and what is known of it; an area needs its source."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    area_km2: float | None = None
    area_source: Short = ""
    stations_planned: int | None = None


class ProtocolBody(Body):
    """Every rule of a protocol. None has a default; the factor may be null."""

    first_minute: int
    last_minute: int
    minute_rule: Short
    line_height: float
    edge_rule: Short
    counters: int
    min_mean_per_minute: float | None
    ccc_limit: float
    correction_factor: float | None = None
    correction_source: Short = ""
    reason: Annotated[str, Field(min_length=1, max_length=1000)]

    def texts(self) -> dict[str, str]:
        """The rules as a form has them."""
        return {key: "" if value is None else str(value) for key, value in self.model_dump(exclude={"reason"}).items()}


class NewStationBody(Body):
    """A new station of a survey."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class SheetFileBody(Body):
    """A station sheet: CSV or XLSX as base64. `dry_run` says what an import would do and changes nothing."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    content_base64: str
    survey: Annotated[str, Field(max_length=100)] | None = None
    date_order: DateOrder | None = None
    utc_offset: Annotated[str, Field(max_length=20)] = ""
    reason: ReasonText = ""
    dry_run: bool = False


class SheetImportAnswer(BaseModel):
    """What an import did or would do. `outcome` is null where the file is refused; then nothing was written."""

    survey: str
    file: str
    dialect: str
    date_order: DateOrder | None
    dry_run: bool
    refused: bool
    outcome: SheetOutcome | None
    kept_columns: list[str]
    faults: list[SheetFault]


class Made(BaseModel):
    """The id of what was made."""

    id: int


def station_answer(one: StationStatus) -> StationAnswer:
    """A station of a status."""
    return StationAnswer(
        id=one.station.id,
        station=one.station.name,
        ground=one.station.ground,
        is_draft=one.station.is_draft,
        tow_id=None if one.tow is None else one.tow.id,
        tows=one.tows,
        images=one.images,
        counts=one.counts,
        counts_words=one.counts_words,
        is_counted=one.is_counted,
        origin=one.origin,
        signed=one.signed,
        needed=one.needed,
        faults=list(one.faults),
    )


def by_counts(status: SurveyStatus) -> dict[str, int]:
    """How many stations stand where."""
    names = [one.counts for one in status.stations]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def import_answer(done: SheetImport) -> SheetImportAnswer:
    """What an import did."""
    return SheetImportAnswer(
        survey=done.survey,
        file=done.plan.name,
        dialect=done.plan.dialect,
        date_order=done.plan.order,
        dry_run=done.is_dry,
        refused=done.plan.is_refused,
        outcome=done.outcome,
        kept_columns=list(done.plan.kept_columns),
        faults=list(done.plan.faults),
    )


def state_answer(state: SheetState, tow: object) -> SheetStateAnswer:
    """What came of changes."""
    return SheetStateAnswer(
        recorded=[RecordedAnswer.model_validate(one) for one in state.recorded],
        faults=dict(state.reading.faults),
        tow=TowAnswer.model_validate(tow),
    )


def entry_answer(entry: EntryRow) -> EntryAnswer:
    """An entry."""
    return EntryAnswer.model_validate(entry)


def field_answer(field: SheetField) -> FieldAnswer:
    """A field."""
    return FieldAnswer.model_validate(field)
