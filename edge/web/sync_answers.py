"""What the JSON API tells and takes of what goes ashore."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.web.survey_answers import Body


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PauseAnswer(_Told):
    """Who paused it, since when and until when; without `until_utc` until somebody resumes it."""

    by: str
    since_utc: str
    until_utc: str | None


class SideAnswer(_Told):
    """A far side. Bytes of a day and a month are up and down (UTC); limits of 0 are none; `about_bytes` and `about_s` are null where
    nothing went yet to reckon by.
    """

    name: str
    kind: Literal["s3", "webdav", "directory"]
    where: str
    metered: bool
    state: Literal["paused", "sending", "closed", "away", "trouble", "waits", "refused", "new", "good"]
    words: str
    advice: str
    next_try_utc: str | None
    reached_utc: str | None
    failed_utc: str | None
    waiting: int
    waiting_bytes: int
    refused: int
    day_bytes: int
    month_bytes: int
    daily_bytes: int
    monthly_bytes: int
    about_bytes: int | None
    about_s: float | None
    about_words: str
    rate_bytes_per_s: float | None


class BacklogAnswer(_Told):
    """What waits of one priority: results in no bundle yet, bundles that a far side has not confirmed."""

    priority: int
    words: str
    results: int
    unfit: int
    about_bytes: int | None
    bundles: int
    size_bytes: int
    oldest_utc: str | None
    taken_by: tuple[str, ...]


class FailureAnswer(_Told):
    """A bundle that did not arrive, and why; without `next_try_utc` it was refused and waits for a person."""

    sha256: str
    sink: str
    state: Literal["waiting", "sending", "refused"]
    attempts: int
    code: str
    words: str
    next_try_utc: str | None
    size_bytes: int


class SyncAnswer(_Told):
    """Where everything stands that goes ashore. Nobody is asked for it."""

    vessel: str
    vessel_uuid: str
    paused: PauseAnswer | None
    no_room: str
    sides: tuple[SideAnswer, ...]
    backlog: tuple[BacklogAnswer, ...]
    sealed: int
    usb_waiting: int
    usb_results: int
    usb_at_work: str
    failures: tuple[FailureAnswer, ...]


class BundleAnswer(_Told):
    """A bundle as it was made. `deliveries`: name, state and time of confirmation at each far side."""

    sequence: int
    sha256: str
    priority: int
    size_bytes: int
    results: int
    rows: dict[str, int]
    made_utc: str
    dropped_utc: str | None
    deliveries: tuple[tuple[str, str, str | None], ...]


class ExportedAnswer(_Told):
    """What a stick got."""

    path: str
    bundles: int
    size_bytes: int
    on_own_disk: bool


class StickAnswer(BaseModel):
    """What lies on a stick: signed `models` with their `offers`, `bundles` of results, or `nothing`."""

    what: Literal["models", "bundles", "nothing"]
    words: str
    offers: tuple[dict[str, Any], ...] = ()
    bundles: int = 0
    next: str = ""


class Tried(BaseModel):
    """How many bundles wait no longer for their next attempt."""

    tried: int


class Resumed(BaseModel):
    """Whether it was paused."""

    was_paused: bool


class PauseBody(Body):
    """For how long; without `hours` until somebody resumes it."""

    hours: Annotated[float, Field(gt=0, le=24 * 366)] | None = None


class RetryBody(Body):
    """Of which far side; of all without."""

    sink: Annotated[str, Field(max_length=40)] | None = None


class FolderBody(Body):
    """A folder on the appliance's machine, such as where a stick is mounted."""

    path: Annotated[str, Field(min_length=1, max_length=4000)]
