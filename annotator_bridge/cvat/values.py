"""What a person asks for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Source = Literal["station", "scan", "selection"]
Media = Literal["images", "clip", "vignettes"]
Step = Literal["planned", "created", "uploaded", "ready", "sent"]
STEPS: tuple[Step, ...] = ("planned", "created", "uploaded", "ready", "sent")

EDGE_ID = "edge_id"
CONFIDENCE = "confidence"
CONFIDENCE_PERCENT = "confidence_percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """What shall become a task.

    Attributes:
        source: a tow of a station, a ZooScan scan, or a selection of stills.
        survey, station: names; the survey may be None where only one has a station of that name.
        tow: number of the tow within its station; None: its only one that has files.
        scan: name, PROJECT/NAME or uuid of a scan.
        images: uuids of stills. folder: instead of them, stills that were seen in this folder (relative to its inbox, or whole).
        media: of a station, its stills or its clip; None: what it has.
        clip: uuid of the clip where a tow has several.
        with_model: what a model found goes along, unless the station is counted blind.
        job_frames: frames of a job; None: the setting.
        title: what people read in CVAT; empty: made from the source.
        again: make another task although one stands.
    """

    source: Source
    survey: str | None = None
    station: str | None = None
    tow: int | None = None
    scan: str | None = None
    images: tuple[str, ...] = ()
    folder: str | None = None
    media: Literal["images", "clip"] | None = None
    clip: str | None = None
    with_model: bool = True
    job_frames: int | None = None
    title: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that does not go along, and why: a `code` and words."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a push is. `bytes_sent` of `bytes_total` of its files, `frames_sent` of `frames_total` with their annotations."""

    step: Step
    bytes_sent: int = 0
    bytes_total: int = 0
    frames_sent: int = 0
    frames_total: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What came of a request: the task, whether it stood before, and what does not go along."""

    task_id: int
    task_uuid: str
    stood: bool
    withheld: str = ""
    left_out: tuple[LeftOut, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the doctor looked at: whether it is as it has to be, in words, with what to do where it is not."""

    check: str
    state: Literal["ok", "warning", "error", "unknown"]
    words: str
    advice: str = ""
