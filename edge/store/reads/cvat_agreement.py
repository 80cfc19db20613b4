"""How far a model and the people who corrected it in CVAT agree, per task and per station; nothing of what is counted blind."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Agreement over the completed jobs of a task, or of all tasks of a station.

    Attributes:
        task_uuid: None of a row of a station.
        jobs: completed jobs that it is about.
        frames: their frames, without those that people took out.
        kept, moved, relabelled, removed, added: what became of what went along, and what people added; None where nothing went along.
        compared: images on which people's boxes were compared with the model's objects.
        matched: pairs of one label with an overlap (IoU) of 0.5 at least; only_model, only_person: what has no partner.
        precision, recall, f1: of the model, taking people's boxes as the truth; None where they cannot be told.
        mean_difference: of the model's number of objects less people's, per image; None where nothing was compared.
        words: why there are no figures; empty where there are.
    """

    task_uuid: str | None
    title: str
    survey: str | None
    station: str | None
    station_uuid: str | None
    model: str | None
    model_version: str | None
    jobs: int
    frames: int
    kept: int | None
    moved: int | None
    relabelled: int | None
    removed: int | None
    added: int | None
    compared: int
    matched: int
    only_model: int
    only_person: int
    precision: float | None
    recall: float | None
    f1: float | None
    mean_difference: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of each task that has completed jobs, newest first, and of each station."""

    tasks: tuple[AgreementRow, ...]
    stations: tuple[AgreementRow, ...]


def agreement(connection: Connection, *, task_id: int | None = None) -> Agreement:
    """Agreement of model and human as it stands now; of one task if it is named."""
    raise NotImplementedError
