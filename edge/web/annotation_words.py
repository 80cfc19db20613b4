"""Tasks of CVAT as the pages and the JSON API tell them: states in words and shapes, jobs, what people made of the model's results.

Of a task whose station is counted blind nothing is told that says what is on its images: neither what a model found nor what people drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.store.reads import cvat_page as page_reads
from edge.store.reads.cvat import JobRow, TaskRow, trouble_told
from edge.store.reads.cvat_page import VERDICTS, JobTally
from edge.store.sqlite import Connection
from edge.web.text import NOTHING, number

TaskStateName = Literal["waiting", "trouble", "with_people", "back", "cancelled", "gone"]
STATES: dict[TaskStateName, str] = {
    "waiting": "on the way",
    "trouble": "in trouble",
    "with_people": "with people",
    "back": "completed",
    "cancelled": "cancelled",
    "gone": "gone from CVAT",
}
STEPS = {"planned": "planned", "created": "made in CVAT", "uploaded": "files sent", "ready": "frames made", "sent": "sent"}
HIDDEN = "hidden: its station is counted blind, whole or in minutes, and not done"
STILL_THERE = "its station is counted blind now, and they stand in CVAT all the same: who counts it must not look there"
_JOB_MARKS = {"new": "queued", "in progress": "processing", "completed": "done", "rejected": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """How far a task is. `shape` is a mark's name, `colour` a state's class; `detail` what hinders it, `advice` what to do."""

    name: TaskStateName
    words: str
    shape: str
    colour: str
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask:
    """A task in the list.

    Attributes:
        verdicts: counts by verdict; None where they are hidden, or nothing was brought in (`verdict_words` says which).
        stood_percent: of what went along, how much people did not remove; None where nothing went along or nothing came back.
        pull_waits: somebody asked for a pull that has not come about; pull_trouble: or why it did not.
    """

    task: TaskRow
    state: TaskState
    tally: JobTally
    source_words: str
    source_address: str
    model_words: str
    verdicts: dict[str, int] | None
    verdict_words: str
    stood_percent: float | None
    pulled_utc: str | None
    pulled_by: str | None
    task_address: str
    job_address: str
    can_retry: bool
    can_pull: bool
    can_cancel: bool
    pull_waits: bool
    pull_trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the steps of a task."""

    words: str
    shape: str
    now: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedJob:
    """A job with its state in words and where people see it."""

    row: JobRow
    words: str
    shape: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """The server that is set (empty: none), and pulls that were asked for and have not come about: they wait, or something hinders them."""

    server: str = ""
    asked: frozenset[int] = frozenset()
    troubles: dict[int, str] = field(default_factory=dict)


def listed(connection: Connection, tasks: Sequence[TaskRow], pulls: PullState) -> list[ListedTask]:
    """These tasks with everything that the list tells of them; `pulls` says which server is set."""
    ids = [one.id for one in tasks]
    tallies = page_reads.job_tallies(connection, ids)
    last = page_reads.last_pulls(connection, ids)
    counts = page_reads.verdict_counts(connection, [one.id for one in tasks if not one.is_blind])
    stations = _station_ids(connection, tasks)
    found = []
    for task in tasks:
        tally, pulled, verdicts = tallies.get(task.id, JobTally()), last.get(task.id), counts.get(task.id)
        state = task_state(task, tally, pulls)
        is_open = task.cancelled_utc is None and task.gone_utc is None
        is_ours = is_open and task.server_url == pulls.server
        address = task_address(task)
        found.append(
            ListedTask(
                task=task,
                state=state,
                tally=tally,
                source_words=source_words(task),
                source_address=_source_address(task, stations),
                model_words=model_words(task),
                verdicts=verdicts,
                verdict_words=HIDDEN if task.is_blind else verdict_words(verdicts) if verdicts is not None or is_open else NOTHING,
                stood_percent=_stood_percent(verdicts) if task.with_model else None,
                pulled_utc=pulled.pulled_utc if pulled else None,
                pulled_by=pulled.pulled_by if pulled else None,
                task_address=address,
                job_address=f"{address}/jobs/{tally.open_job}" if address and is_open and tally.open_job is not None else "",
                can_retry=is_ours and state.name == "trouble",
                can_pull=is_ours and task.step == "sent",
                can_cancel=is_open,
                pull_waits=task.id in pulls.asked,
                pull_trouble=pulls.troubles.get(task.id, ""),
            )
        )
    return found


def task_state(task: TaskRow, tally: JobTally, pulls: PullState) -> TaskState:
    """Where a task stands, with what hinders it."""
    if task.cancelled_utc is not None:
        return TaskState(name="cancelled", words="cancelled", shape="unknown", colour="cancelled")
    if task.gone_utc is not None:
        advice = "Somebody deleted the task in CVAT. What had come back stays; send it again if it is needed."
        return TaskState(name="gone", words="gone from CVAT", shape="unknown", colour="warning", advice=advice)
    if pulls.server and task.server_url != pulls.server:
        advice = "Set `cvat_url` to that address again to go on with it, or cancel it here and send it anew."
        detail = f"it is in {task.server_url}, and the appliance is set to {pulls.server}"
        return TaskState(name="trouble", words="in another CVAT", shape="unknown", colour="warning", detail=detail, advice=advice)
    if task.trouble:
        waits = task.next_try_utc is not None
        words = f"{STEPS[task.step]}, waits" if waits else f"{STEPS[task.step]}, stopped"
        advice = "" if waits else "Correct what the reason names, then press Try again: it goes on where it was."
        shape, colour = ("warning", "warning") if waits else ("bad", "error")
        return TaskState(name="trouble", words=words, shape=shape, colour=colour, detail=task.trouble, advice=advice)
    if task.step != "sent":
        part = f"{number(task.sent_frames)} of {number(task.frames)} images annotated" if task.sent_frames else ""
        return TaskState(name="waiting", words=f"{STEPS[task.step]}, goes on", shape="processing", colour="processing", detail=part)
    return _sent_state(task, tally, pulls)


def _sent_state(task: TaskRow, tally: JobTally, pulls: PullState) -> TaskState:
    trouble = pulls.troubles.get(task.id, "") or task.job_trouble
    if trouble:
        advice = "What came back before stays. Correct what the reason names, then press Pull now."
        return TaskState(name="trouble", words="cannot be fetched", shape="warning", colour="warning", detail=trouble, advice=advice)
    detail = "a pull was asked for" if task.id in pulls.asked else ""
    if tally.all and tally.done == tally.all:
        return TaskState(name="back", words="every job completed", shape="done", colour="good", detail=detail)
    return TaskState(name="with_people", words="with people", shape="leased", colour="processing", detail=detail)


def steps_of(task: TaskRow) -> list[Step]:
    """The steps of a task: done, the present one, and those to come."""
    at = list(STEPS).index(task.step)
    found = []
    for place, words in enumerate(STEPS.values()):
        shape = "good" if place < at or task.step == "sent" else "processing" if place == at else "queued"
        found.append(Step(words=words, shape=shape, now=place == at))
    return found


def listed_jobs(task: TaskRow, jobs: Sequence[JobRow]) -> list[ListedJob]:
    """Jobs in words; copies for checking say what they are."""
    address = task_address(task)
    found = []
    for row in jobs:
        kind = "" if row.kind == "annotation" else f", {row.kind.replace('_', ' ')}: not taken"
        words = f"gone ({row.state})" if row.gone_utc else f"{row.state}{kind}"
        shape = "unknown" if row.gone_utc else _JOB_MARKS.get(row.state, "notice")
        shown = row._replace(trouble=trouble_told(row.trouble, is_blind=task.is_blind))
        found.append(ListedJob(row=shown, words=words, shape=shape, address=f"{address}/jobs/{row.remote_id}" if address else ""))
    return found


def task_address(task: TaskRow) -> str:
    """Where people see a task; empty while it is not there (any more)."""
    if task.remote_id is None or task.gone_utc is not None:
        return ""
    return f"{task.server_url.rstrip('/')}/tasks/{task.remote_id}"


def source_words(task: TaskRow) -> str:
    """What a task was made of."""
    media = {"images": "stills", "clip": "clip", "vignettes": "vignettes"}[task.media]
    if task.source == "scan":
        return f"scan {task.project}/{task.scan}, {media}"
    if task.station is not None:
        tow = f", tow {task.tow}" if task.tow and task.tow > 1 else ""
        return f"{task.survey + ', ' if task.survey else ''}station {task.station}{tow}, {media}"
    return f"a selection of {media}"


def model_words(task: TaskRow) -> str:
    """Whether a model's results went along, of which model, or why not."""
    if task.with_model:
        words = f"with {task.model} {task.model_version}" if task.model else "with the model's"
        went_there = task.is_blind and task.remote_id is not None and task.gone_utc is None  # before a new round, for instance
        return f"{words}; {STILL_THERE}" if went_there else words
    return f"withheld: {task.withheld}" if task.withheld else "without"


def verdict_words(verdicts: dict[str, int] | None) -> str:
    """Counts by verdict in one line."""
    if verdicts is None:
        return "not yet"
    parts = [f"{number(verdicts[key])} {key}" for key in VERDICTS if verdicts.get(key)]
    return ", ".join(parts) or "nothing stands there"


def _stood_percent(verdicts: dict[str, int] | None) -> float | None:
    if verdicts is None:
        return None
    stood = sum(verdicts.get(key, 0) for key in ("kept", "moved", "relabelled"))
    sent = stood + verdicts.get("removed", 0)
    return 100.0 * stood / sent if sent else None


def _source_address(task: TaskRow, stations: dict[int, int]) -> str:
    if task.source == "scan" and task.scan_id is not None:
        return f"/scans/{task.scan_id}"
    return f"/stations/{stations[task.tow_id]}" if task.tow_id in stations else ""


def _station_ids(connection: Connection, tasks: Sequence[TaskRow]) -> dict[int, int]:
    return page_reads.stations_of_tows(connection, [one.tow_id for one in tasks if one.tow_id is not None])
