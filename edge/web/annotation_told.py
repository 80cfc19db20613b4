"""CVAT's state, the models' and agreement as the pages and the JSON API tell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.store.reads.cvat import AgreementRow, ConflictRow
from edge.web.annotation_words import PullState
from edge.web.text import utc

if TYPE_CHECKING:
    from annotator_bridge.cvat.shown import FacadeStatus
    from edge.web.appliance import Appliance

_SILENT = {"link_down": "unreachable", "server_failed": "cannot answer", "disk_full": "waits for room on the disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldServer:
    """CVAT's state in words. `url` is empty where none is configured."""

    url: str
    words: str
    shape: str
    colour: str
    trouble: str
    next_try_utc: str | None
    version: str
    username: str | None
    at_work: str
    at_work_uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldBridge:
    """The models that CVAT may call, and in what state that is."""

    status: FacadeStatus
    words: str
    shape: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictLine:
    """A disagreement, with where its task is."""

    row: ConflictRow
    frames: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementLine:
    """Agreement of a station or a task in percent; None where it cannot be told.

    Attributes:
        stood_percent: of what went along, how much people did not remove.
        precision_percent, recall_percent: of the model, by boxes, with people's as the truth.
    """

    row: AgreementRow
    words: str
    address: str
    stood_percent: float | None
    precision_percent: float | None
    recall_percent: float | None
    f1_percent: float | None


def told_server(appliance: Appliance) -> ToldServer:
    """What is known of CVAT, without asking it."""
    state = appliance.annotation.server_state()
    reach = state.reach
    words, shape, colour = "not asked yet", "unknown", "seen"
    if reach.is_blocked:
        words, shape, colour = "waits for a sign-in", "warning", "warning"
    elif reach.answers is False:
        words, shape, colour = f"{_SILENT.get(reach.code, 'nothing goes on')} since {utc(reach.since_utc)}", "bad", "error"
    elif reach.answers:
        words, shape, colour = "answers", "good", "good"
    uuid, doing = state.at_work or ("", "")
    return ToldServer(
        url=state.url,
        words=words,
        shape=shape,
        colour=colour,
        trouble=reach.words,
        next_try_utc=reach.next_try_utc,
        version=reach.version,
        username=state.username,
        at_work=doing,
        at_work_uuid=uuid,
    )


def told_bridge(appliance: Appliance) -> ToldBridge:
    """What is known of the models' side."""
    status = appliance.annotation.facade_status()
    if not status.is_on:
        words, shape, colour = "switched off (cvat_bridge)", "unknown", "seen"
    elif status.is_running:
        words, shape, colour = "answers", "good", "good"
    else:
        words, shape, colour = "not running", "bad", "error"
    return ToldBridge(status=status, words=words, shape=shape, colour=colour)


def pull_state(appliance: Appliance) -> PullState:
    """The server that is set, and pulls that were asked for."""
    asked = appliance.annotation.asked_pulls()
    return PullState(
        server=appliance.annotation.server,
        asked=frozenset(task_id for task_id, one in asked.items() if not one.trouble),
        troubles={task_id: one.trouble for task_id, one in asked.items() if one.trouble},
    )


def conflict_lines(rows: Iterable[ConflictRow]) -> list[ConflictLine]:
    """Conflicts with the frames that people count from 1."""
    found = []
    for row in rows:
        first, last = row.first_frame + 1, row.last_frame + 1
        frames = f"image {first}" if first == last else f"images {first} to {last}"
        found.append(ConflictLine(row=row, frames=frames, address=f"/annotate/tasks/{row.task_uuid}"))
    return found


def agreement_lines(rows: Sequence[AgreementRow]) -> list[AgreementLine]:
    """Agreement in percent."""
    return [
        AgreementLine(
            row=row,
            words=row.title if row.task_uuid else f"{row.survey + ', ' if row.survey else ''}{row.station}",
            address=f"/annotate/tasks/{row.task_uuid}" if row.task_uuid else "",
            stood_percent=_stood(row),
            precision_percent=_percent(row.precision),
            recall_percent=_percent(row.recall),
            f1_percent=_percent(row.f1),
        )
        for row in rows
    ]


def _stood(row: AgreementRow) -> float | None:
    stood = (row.kept or 0) + (row.moved or 0) + (row.relabelled or 0)
    sent = stood + (row.removed or 0)
    return 100.0 * stood / sent if sent else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
