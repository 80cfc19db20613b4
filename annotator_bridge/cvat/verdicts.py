"""What became of what went out: kept, moved, relabelled or removed; everything else was added.

A shape says by its attribute `edge_id` which proposal it was, and by its digest whether it is as it was. Where several claim to be the
same one (copies carry the attribute along) it is the one that is as it was, else the one of its label, the nearest one, the oldest; the
others were added. Of several that are as it was each further one is nobody's work (it was sent twice, since an answer was lost, or pasted
where it lay): they count once. What claims a proposal of another frame or task was added. Of a track CVAT makes one in each job that it
passes, with keyframes of its own where jobs meet: each job is judged by the keyframes that went out into it, and what lies between them
must lie on the line between them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from annotator_bridge.cvat.bounds import Box
from annotator_bridge.cvat.digest import OUTSIDE, shape_digest
from annotator_bridge.cvat.labels import LONGEST_NAME
from annotator_bridge.cvat.returned import Returned, ReturnedJob, ReturnedTrack
from annotator_bridge.cvat.values import EDGE_ID
from edge.store.cvat import NewAnnotation, Verdict
from edge.store.reads.cvat import ProposalRow

_SAME_PX = 0.05  # CVAT interpolates in floating point what was sent with two decimals


class Span(NamedTuple):
    """The frames of a job, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What went out with a task.

    Attributes:
        proposals: by uuid.
        boxes: where the model saw them, where that may be known now; by uuid.
        seen: keyframes of returned tracks by the proposal that they claim, of all jobs of the task: frame -> keyframe.
    """

    proposals: Mapping[str, ProposalRow]
    boxes: Mapping[str, Box] = field(default_factory=dict)
    seen: Mapping[str, Mapping[int, Returned]] = field(default_factory=dict)


def keyframes_by_claim(jobs: Iterable[ReturnedJob]) -> dict[str, dict[int, Returned]]:
    """Of all jobs of a task the keyframes of tracks that claim a proposal; of two on one frame the first."""
    found: dict[str, dict[int, Returned]] = {}
    for job in jobs:
        for track in job.tracks:
            keyframes = found.setdefault(track.attributes.get(EDGE_ID, ""), {})
            for one in track.keyframes:
                keyframes.setdefault(one.frame, one)
    found.pop("", None)
    return found


def judge(job: ReturnedJob, span: Span, sent: Sent, *, deleted: Collection[int]) -> list[NewAnnotation]:
    """The rows of a job: what stands in it with what became of it, then what was removed.

    Args:
        job: what stands there.
        span: its frames.
        sent: what went out.
        deleted: frames that people took out of the task: nothing on them is told.
    """
    claimed: dict[str, Returned | ReturnedTrack] = {}
    doubles: set[int] = set()
    for uuid, claims in _claims(job, sent.proposals).items():
        claimed[uuid] = min(claims, key=lambda one: _rank(one, sent.proposals[uuid], sent.boxes.get(uuid)))
        doubles |= {id(one) for one in claims if one is not claimed[uuid] and _is_double(one, claimed[uuid], sent.proposals[uuid])}
    proposal_of = {id(one): sent.proposals[uuid] for uuid, one in claimed.items()}
    rows: list[NewAnnotation] = []
    for shape in (one for one in job.shapes if id(one) not in doubles):
        verdict, proposal_id = _of_shape(shape, proposal_of.get(id(shape)))
        rows.append(_row(shape, verdict, proposal_id, shape.attributes))
    for number, track in enumerate(job.tracks):
        if id(track) in doubles:
            continue
        proposal = proposal_of.get(id(track))
        verdict = "added" if proposal is None else _of_track(track, proposal, span, sent)
        proposal_id = None if proposal is None else proposal.id
        rows += [_row(one, verdict, proposal_id, {**track.attributes, **one.attributes}, track=number) for one in track.keyframes]
    rows += [
        NewAnnotation(frame=frame, verdict="removed", label=proposal.label, proposal_id=proposal.id)
        for uuid, proposal in sent.proposals.items()
        if uuid not in claimed and (frame := _first_shown(proposal, span, deleted)) is not None
    ]
    return [row for row in rows if row.frame not in deleted]


def _claims(job: ReturnedJob, proposals: Mapping[str, ProposalRow]) -> dict[str, list[Returned | ReturnedTrack]]:
    found: dict[str, list[Returned | ReturnedTrack]] = {}
    for shape in job.shapes:
        proposal = proposals.get(shape.attributes.get(EDGE_ID, ""))
        if proposal is not None and proposal.keyframes is None and proposal.frame == shape.frame:
            found.setdefault(proposal.uuid, []).append(shape)
    for track in job.tracks:
        proposal = proposals.get(track.attributes.get(EDGE_ID, ""))
        if proposal is None:
            continue
        frames = {one.frame for one in track.keyframes}
        if proposal.keyframes is not None or proposal.frame in frames:  # a person may make a track of a box
            found.setdefault(proposal.uuid, []).append(track)
    return found


def _rank(one: Returned | ReturnedTrack, proposal: ProposalRow, box: Box | None) -> tuple[bool, int, bool, float, float]:
    """Smallest: the one that the proposal is."""
    if isinstance(one, ReturnedTrack):
        sent = proposal.keyframes or {proposal.frame: proposal.digest}
        unlike = sum(_digest(key, proposal) != sent[key.frame] for key in one.keyframes if key.frame in sent)
        differs, distance = unlike > 0, 0.0
        fewer = -sum(key.frame in sent for key in one.keyframes) + unlike
    else:
        differs, fewer = _digest(one, proposal) != proposal.digest, 0
        distance = _distance(one.box, box)
    return differs, fewer, not _has_label(one, proposal), distance, float("inf") if one.number is None else one.number


def _is_double(one: Returned | ReturnedTrack, claimed: Returned | ReturnedTrack, proposal: ProposalRow) -> bool:
    """Whether what claims a proposal, beside the one that is it, is only the same once more; halves of a track that was cut are not."""
    if isinstance(one, Returned):
        return _digest(one, proposal) == proposal.digest
    if isinstance(claimed, Returned) or not _has_label(one, proposal) or not _has_label(claimed, proposal):
        return False
    return {key.frame: _digest(key, proposal) for key in one.keyframes} == {key.frame: _digest(key, proposal) for key in claimed.keyframes}


def _distance(one: Box | None, other: Box | None) -> float:
    """How far two boxes are apart, by their middles; 0 where one is not known."""
    if one is None or other is None:
        return 0.0
    across = (one.x_min_px + one.x_max_px - other.x_min_px - other.x_max_px) / 2
    down = (one.y_min_px + one.y_max_px - other.y_min_px - other.y_max_px) / 2
    return float((across**2 + down**2) ** 0.5)


def _of_shape(shape: Returned, proposal: ProposalRow | None) -> tuple[Verdict, int | None]:
    if proposal is None:
        return "added", None
    if not _has_label(shape, proposal):
        return "relabelled", proposal.id
    return "kept" if _digest(shape, proposal) == proposal.digest else "moved", proposal.id


def _of_track(track: ReturnedTrack, proposal: ProposalRow, span: Span, sent: Sent) -> Verdict:
    if not _has_label(track, proposal):
        return "relabelled"
    here = {one.frame: one for one in track.keyframes}
    if proposal.keyframes is None:  # a box that a person made a track of
        return "kept" if _digest(here[proposal.frame], proposal) == proposal.digest else "moved"
    shows_something = False
    for frame, digest in sorted(proposal.keyframes.items()):
        if not span.first <= frame <= span.last:
            continue
        if not _is_as_sent(here.get(frame), digest, proposal, is_first=not shows_something):
            return "moved"
        shows_something = shows_something or not digest.startswith(OUTSIDE)
    seen = {**sent.seen.get(proposal.uuid, {}), **here}
    extra = [one for one in track.keyframes if one.frame not in proposal.keyframes]
    return "kept" if all(_is_on_the_line(one, proposal, seen, span) for one in extra) else "moved"


def _is_as_sent(one: Returned | None, digest: str, proposal: ProposalRow, *, is_first: bool) -> bool:
    """Of a keyframe that begins a gap nothing may be left: CVAT drops those before the first in a job that shows something."""
    return is_first and digest.startswith(OUTSIDE) if one is None else _digest(one, proposal) == digest


def _is_on_the_line(one: Returned, proposal: ProposalRow, seen: Mapping[int, Returned], span: Span) -> bool:
    """Whether a keyframe that did not go out changes nothing: it lies between two that did as the line between them has it."""
    sent = proposal.keyframes or {}
    before = max((frame for frame in sent if frame < one.frame), default=None)
    if before is None:
        return False  # it is longer than it was
    if sent[before].startswith(OUTSIDE):
        return one.is_outside
    if one.is_outside:
        return False
    left = seen.get(before)
    if left is None or _digest(left, proposal) != sent[before]:
        return one.frame in span  # what lies before is not as it went, or not here: CVAT's own keyframe where jobs meet
    after = min((frame for frame in sent if frame > one.frame), default=None)
    right = left if after is None else seen.get(after)
    if right is None or (after is not None and _digest(right, proposal) != sent[after]):
        return one.frame in span
    share = 0.0 if after is None else (one.frame - before) / (after - before)
    if one.kind != left.kind or len(one.points) != len(left.points) or len(right.points) != len(left.points):
        return one.frame in span
    return all(abs(x + share * (y - x) - z) <= _SAME_PX for x, y, z in zip(left.points, right.points, one.points, strict=True))


def _first_shown(proposal: ProposalRow, span: Span, deleted: Collection[int]) -> int | None:
    """The first frame of a job on which a proposal that did not come back was to be seen; None: on none of it."""
    shown = [proposal.frame] if proposal.keyframes is None else _shown_frames(proposal.keyframes, span)
    return next((frame for frame in shown if span.first <= frame <= span.last and frame not in deleted), None)


def _shown_frames(keyframes: Mapping[int, str], span: Span) -> Iterable[int]:
    frames = sorted(keyframes)
    for frame, following in pairwise([*frames, span.last + 1]):
        if not keyframes[frame].startswith(OUTSIDE):
            yield from range(max(frame, span.first), min(following, span.last + 1))


def _has_label(one: Returned | ReturnedTrack, proposal: ProposalRow) -> bool:
    """CVAT keeps so many letters of a label's name and no more."""
    return one.label == proposal.label[:LONGEST_NAME]


def _digest(one: Returned, proposal: ProposalRow) -> str:
    label = proposal.label if _has_label(one, proposal) else one.label
    return shape_digest(label, one.kind, one.points, rotation_deg=one.rotation_deg, is_outside=one.is_outside)


def _row(
    one: Returned, verdict: Verdict, proposal_id: int | None, attributes: Mapping[str, str], *, track: int | None = None
) -> NewAnnotation:
    box: Sequence[float | None] = one.box or (None, None, None, None)
    x_min_px, y_min_px, x_max_px, y_max_px = box
    return NewAnnotation(
        frame=one.frame,
        verdict=verdict,
        label=one.label,
        shape=one.kind,
        proposal_id=proposal_id,
        track=track,
        points=None if one.kind == "tag" else one.points,
        rotation_deg=None if one.kind == "tag" else one.rotation_deg,
        x_min_px=x_min_px,
        y_min_px=y_min_px,
        x_max_px=x_max_px,
        y_max_px=y_max_px,
        is_outside=one.is_outside,
        is_occluded=one.is_occluded,
        attributes=attributes,
        made_by=one.made_by,
    )
