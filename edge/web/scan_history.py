"""What happened to a scan, told so that it can be read: what one person did in a row is one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge.store.reads.zooscan import HappenedRow
from edge.web.text import number

_FOLDED = ("decide", "draw", "erase", "undo")


@dataclass(frozen=True, slots=True, kw_only=True)
class HappenedLine:
    """One act, or several in a row of the same person and kind.

    Attributes:
        at_utc: of the newest.
        since_utc: of the oldest; None for one alone.
        acts: how many.
    """

    at_utc: str
    since_utc: str | None
    actor: str
    what: str
    detail: str
    acts: int


def folded_history(rows: Sequence[HappenedRow]) -> tuple[HappenedLine, ...]:
    """What happened, the newest first: acts on objects in a row of one person, one kind and one day are one line."""
    runs: list[list[HappenedRow]] = []
    for row in rows:
        if runs and _goes_with(runs[-1][0], row):
            runs[-1].append(row)
        else:
            runs.append([row])
    return tuple(_line(run) for run in runs)


def _goes_with(first: HappenedRow, row: HappenedRow) -> bool:
    return row.what in _FOLDED and (row.what, row.actor, row.at_utc[:10]) == (first.what, first.actor, first.at_utc[:10])


def _line(run: Sequence[HappenedRow]) -> HappenedLine:
    newest, oldest = run[0], run[-1]
    return HappenedLine(
        at_utc=newest.at_utc,
        since_utc=oldest.at_utc if len(run) > 1 else None,
        actor=newest.actor,
        what=newest.what,
        detail=_detail(run),
        acts=len(run),
    )


def _detail(run: Sequence[HappenedRow]) -> str:
    objects: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for row in run:
        for kind, count in row.objects.items():
            objects[kind] += count
        if row.detail:
            others[row.detail] += 1
    said = (
        [f"{number(sum(objects.values()))} objects: " + ", ".join(f"{number(objects[kind])} {kind}" for kind in sorted(objects))]
        if objects
        else []
    )
    said += [detail if count == 1 and len(run) == 1 else f"{number(count)} {detail}" for detail, count in others.items()]
    return "; ".join(said)
