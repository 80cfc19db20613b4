"""Whether what a model found on a tow can be reviewed, and why not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.errors import ReviewRefusedError
from edge.store.reads import footage as footage_reads
from edge.store.reads.footage import AnalysisRow
from edge.store.sealed_runs import holds_blind_files
from edge.store.sqlite import Connection


class ReviewState(StrEnum):
    """Whether a tow can be reviewed, and why not."""

    NO_FOOTAGE = "no_footage"
    WAITING = "waiting"  # nothing was analysed yet
    REFUSED = "refused"
    FAILED = "failed"
    SEALED = "sealed"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the review of a tow stands.

    Attributes:
        words: a sentence; empty where it can be reviewed.
        analysis: what is reviewed; also there, with its reason, where footage was refused. None otherwise.
        unfinished: files of the tow that still wait for their result.
    """

    state: ReviewState
    words: str
    analysis: AnalysisRow | None
    unfinished: int


def standing(connection: Connection, tow_id: int) -> Standing:
    """Where the review of a tow stands."""
    unfinished = footage_reads.unfinished_of_tow(connection, tow_id)

    def told(state: ReviewState, words: str, analysis: AnalysisRow | None = None) -> Standing:
        return Standing(state=state, words=words, analysis=analysis, unfinished=unfinished)

    if not footage_reads.footage_states(connection, tow_id):
        return told(ReviewState.NO_FOOTAGE, "no still and no clip is attached to this tow")
    analysis = footage_reads.analysis_of_tow(connection, tow_id)
    if holds_blind_files(connection, tow_id) or (analysis is not None and analysis.is_sealed):
        return told(ReviewState.SEALED, "people count this tow blind: what a model found is sealed until they have signed")
    if analysis is None:
        rest = f"{unfinished} of its files still wait for their result" if unfinished else "its turn comes by itself"
        return told(ReviewState.WAITING, f"the footage is not analysed yet: {rest}")
    if analysis.state != "done":
        state = ReviewState.REFUSED if analysis.state == "refused" else ReviewState.FAILED
        return told(
            state, f"the footage was {analysis.state if state is ReviewState.REFUSED else 'not analysed'}: {analysis.reason}", analysis
        )
    return told(ReviewState.READY, "", analysis)


def open_analysis(connection: Connection, tow_id: int) -> AnalysisRow:
    """The analysis of a tow that can be reviewed.

    Raises:
        ReviewRefusedError: there is none, or the tow is counted blind.
    """
    found = standing(connection, tow_id)
    if found.state is not ReviewState.READY or found.analysis is None:
        raise ReviewRefusedError(found.words)
    return found.analysis
