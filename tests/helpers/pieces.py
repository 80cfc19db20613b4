"""Work that goes in pieces, all of it at once."""

from __future__ import annotations

from edge.ingest.looks import Pieces, T


def finish(pieces: Pieces[T]) -> T:
    """What it returns in the end."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            value: T = end.value
            return value
