"""What became of what went out: copies, other frames, other tasks, and tracks that are cut, made longer or ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from annotator_bridge.cvat.bounds import Box, bounds_of
from annotator_bridge.cvat.digest import shape_digest, track_digest
from annotator_bridge.cvat.returned import Returned, ReturnedJob, ReturnedTrack
from annotator_bridge.cvat.verdicts import Sent, Span, judge, keyframes_by_claim
from edge.store.reads.cvat import ProposalRow

BOX = (10.0, 10.0, 20.0, 20.0)
WHOLE = Span(0, 9)
Key = tuple[int, tuple[float, ...], bool]
TRACK: tuple[Key, ...] = ((2, (0.0, 0.0, 10.0, 10.0), False), (6, (8.0, 0.0, 18.0, 10.0), False), (7, (8.0, 0.0, 18.0, 10.0), True))


def proposal(uuid: str = "p", frame: int = 1, points: Sequence[float] = BOX, label: str = "opening") -> ProposalRow:
    return _row(uuid, frame, label, shape_digest(label, "rectangle", points), None)


def track_proposal(keys: Sequence[Key] = TRACK, uuid: str = "t") -> ProposalRow:
    digests = {frame: shape_digest("opening", "rectangle", points, is_outside=gone) for frame, points, gone in keys}
    return _row(uuid, keys[0][0], "opening", track_digest(digests), digests)


def _row(uuid: str, frame: int, label: str, digest: str, keyframes: Mapping[int, str] | None) -> ProposalRow:
    return ProposalRow(
        id=sum(uuid.encode()),
        uuid=uuid,
        frame=frame,
        label=label,
        digest=digest,
        keyframes=keyframes,
        run_id=None,
        ordinal=None,
        opening_uuid=None,
        object_key=None,
    )


def shape(
    points: Sequence[float] = BOX,
    *,
    frame: int = 1,
    claims: str = "p",
    label: str = "opening",
    number: int | None = 1,
    kind: str = "rectangle",
    gone: bool = False,
) -> Returned:
    attributes = {"edge_id": claims} if claims else {}
    box = bounds_of(kind, points)
    return Returned(
        frame=frame, label=label, kind=kind, points=tuple(points), box=box, attributes=attributes, number=number, is_outside=gone
    )


def track(keys: Sequence[Key], *, claims: str = "t", label: str = "opening", number: int = 1) -> ReturnedTrack:
    keyframes = tuple(shape(points, frame=frame, claims="", label=label, gone=gone) for frame, points, gone in keys)
    return ReturnedTrack(label=label, keyframes=keyframes, attributes={"edge_id": claims}, made_by="auto", number=number)


def verdicts(
    *items: Returned | ReturnedTrack,
    proposals: Sequence[ProposalRow],
    span: Span = WHOLE,
    boxes: Mapping[str, Box] | None = None,
    others: Sequence[ReturnedJob] = (),
    deleted: Sequence[int] = (),
) -> list[tuple[int, str]]:
    job = ReturnedJob(
        shapes=tuple(one for one in items if isinstance(one, Returned)),
        tracks=tuple(one for one in items if isinstance(one, ReturnedTrack)),
        same=None,
    )
    sent = Sent(proposals={one.uuid: one for one in proposals}, boxes=boxes or {}, seen=keyframes_by_claim([job, *others]))
    return [(row.frame, row.verdict) for row in judge(job, span, sent, deleted=deleted)]


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (shape(), "kept"),
        (shape((10.004, 10.0, 20.0, 20.0)), "kept"),
        (shape((10.01, 10.0, 20.0, 20.0)), "moved"),
        (shape((10, 10, 20, 10, 20, 20), kind="polygon"), "moved"),
        (shape(label="crab"), "relabelled"),
        (shape((11.0, 10.0, 20.0, 20.0), label="crab"), "relabelled"),
    ],
)
def test_a_shape_says_what_it_was(came: Returned, verdict: str) -> None:
    assert verdicts(came, proposals=[proposal()]) == [(1, verdict)]


@pytest.mark.parametrize(
    "came",
    [shape(frame=2), shape(claims="of another task"), shape(claims="")],
    ids=["another frame", "another task", "no proposal"],
)
def test_what_claims_what_it_cannot_be_was_added_and_the_proposal_removed(came: Returned) -> None:
    assert sorted(verdicts(came, proposals=[proposal()])) == sorted([(came.frame, "added"), (1, "removed")])


def test_of_copies_the_one_that_is_as_it_was_is_the_proposal() -> None:
    moved, same = shape((12.0, 10.0, 22.0, 20.0), number=1), shape(number=2)
    assert verdicts(moved, same, proposals=[proposal()]) == [(1, "added"), (1, "kept")]


def test_of_copies_the_nearer_one_is_the_proposal() -> None:
    far, near = shape((40.0, 10.0, 50.0, 20.0), number=1), shape((12.0, 10.0, 22.0, 20.0), number=2)
    assert verdicts(far, near, proposals=[proposal()], boxes={"p": Box(*BOX)}) == [(1, "added"), (1, "moved")]
    assert verdicts(far, near, proposals=[proposal()]) == [(1, "moved"), (1, "added")], "while nothing may be known, the older one"


def test_a_proposal_that_was_sent_twice_counts_once() -> None:
    """The answer to the first sending was lost: it stands there a second time, and nobody added it."""
    first, again = shape(number=1), shape(number=9)
    assert verdicts(first, again, proposals=[proposal()]) == [(1, "kept")]
    assert verdicts(again, first, shape((12.0, 10.0, 22.0, 20.0), number=3), proposals=[proposal()]) == [(1, "kept"), (1, "added")]


def test_of_a_proposal_that_was_sent_twice_one_was_worked_on() -> None:
    """Which of both a person moved cannot be told: the one that is as it was is the proposal, the other one is work of a person."""
    assert verdicts(shape(number=1), shape((12.0, 10.0, 22.0, 20.0), number=9), proposals=[proposal()]) == [(1, "kept"), (1, "added")]
    other = shape(label="crab", number=9)
    assert verdicts(shape(number=1), other, proposals=[proposal()]) == [(1, "kept"), (1, "added")]


def test_a_track_that_was_sent_twice_counts_once() -> None:
    once = verdicts(track(TRACK), proposals=[track_proposal()])
    assert verdicts(track(TRACK), track(TRACK, number=2), proposals=[track_proposal()]) == once


def test_the_halves_of_a_track_that_was_cut_are_both_told() -> None:
    """In a job between the keyframes that went out; the second half lies on the line as the whole track did."""
    halves = track(((3, (2.0, 0.0, 12.0, 10.0), False), (4, MIDDLE[1], True))), track((MIDDLE,), number=2)
    assert {frame for frame, _ in verdicts(*halves, proposals=[track_proposal()], span=Span(3, 5))} == {3, 4}
    assert len(verdicts(*halves, proposals=[track_proposal()], span=Span(3, 5))) == 3


def test_on_a_frame_that_was_taken_out_nothing_was_removed() -> None:
    assert verdicts(proposals=[proposal(), proposal("q", 3)], deleted=[1]) == [(3, "removed")]


def test_a_tag_is_kept_by_its_label() -> None:
    sent = _row("p", 1, "single", shape_digest("single", "tag", ()), None)
    for label, verdict in (("single", "kept"), ("multiple", "relabelled")):
        assert verdicts(shape((), kind="tag", label=label), proposals=[sent]) == [(1, verdict)]


def test_a_long_label_comes_back_shorter_and_is_the_same() -> None:
    label = "a label of a model " * 5
    assert verdicts(shape(label=label[:64]), proposals=[proposal(label=label)]) == [(1, "kept")]


MIDDLE: Key = (4, (4.0, 0.0, 14.0, 10.0), False)
ASIDE: Key = (4, (5.0, 0.0, 15.0, 10.0), False)


@pytest.mark.parametrize(
    ("keys", "verdict"),
    [
        (TRACK, "kept"),
        (sorted((*TRACK, MIDDLE)), "kept"),
        (sorted((*TRACK, ASIDE)), "moved"),
        (TRACK[:2], "moved"),
        ((TRACK[0], *TRACK[2:]), "moved"),
        ((*TRACK[:2], (8, TRACK[1][1], True)), "moved"),
        (((1, TRACK[0][1], False), *TRACK), "moved"),
        ((TRACK[0], (4, MIDDLE[1], True), *TRACK[1:]), "moved"),
    ],
    ids=["as it was", "on the line", "beside it", "runs on", "a place less", "ends later", "begins earlier", "a gap"],
)
def test_a_track_says_what_was_done_to_it(keys: Sequence[Key], verdict: str) -> None:
    found = verdicts(track(keys), proposals=[track_proposal()])
    assert found == [(frame, verdict) for frame, *_ in keys]


def test_a_track_of_another_label_is_relabelled() -> None:
    assert {verdict for _, verdict in verdicts(track(TRACK, label="crab"), proposals=[track_proposal()])} == {"relabelled"}


def test_each_job_judges_its_part_of_a_track() -> None:
    """Cut between frames 4 and 5: CVAT makes a keyframe on 5, where the second job begins."""
    first, second = track(TRACK[:1]), track([(5, (6.0, 0.0, 16.0, 10.0), False), *TRACK[1:]])
    other = ReturnedJob(shapes=(), tracks=(first,), same=None)
    assert verdicts(first, proposals=[track_proposal()], span=Span(0, 4)) == [(2, "kept")]
    found = verdicts(second, proposals=[track_proposal()], span=Span(5, 9), others=[other])
    assert found == [(5, "kept"), (6, "kept"), (7, "kept")]
    pushed = track([(5, (6.5, 0.0, 16.0, 10.0), False), *TRACK[1:]])
    assert {verdict for _, verdict in verdicts(pushed, proposals=[track_proposal()], span=Span(5, 9), others=[other])} == {"moved"}


@pytest.mark.parametrize(("span", "removed"), [(Span(0, 1), []), (Span(0, 4), [(2, "removed")]), (Span(5, 9), [(5, "removed")])])
def test_a_track_that_did_not_come_back_was_removed_where_it_was_seen(span: Span, removed: list[tuple[int, str]]) -> None:
    assert verdicts(proposals=[track_proposal()], span=span) == removed
    assert verdicts(proposals=[track_proposal()], span=Span(7, 9)) == [], "it had ended"


def test_a_gap_is_no_place_to_remove_a_track_from() -> None:
    keys = (*TRACK, (9, TRACK[0][1], False))
    assert verdicts(proposals=[track_proposal(keys)], span=Span(7, 8)) == []


def test_of_two_parts_of_a_track_in_one_job_one_is_the_proposal() -> None:
    """A person split it: both carry the proposal's name."""
    front, back = track(TRACK[:1], number=1), track(TRACK[1:], number=2)
    found = verdicts(front, back, proposals=[track_proposal()])
    assert sorted({verdict for _, verdict in found}) == ["added", "moved"]
    assert (2, "added") in found


def test_a_box_that_became_a_track_is_known_by_its_frame() -> None:
    keys: list[Key] = [(1, BOX, False), (3, BOX, True)]
    assert verdicts(track(keys, claims="p"), proposals=[proposal()]) == [(1, "kept"), (3, "kept")]
