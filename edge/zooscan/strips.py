"""Work on a large picture, some rows at a time, on several cores: OpenCV and numpy let go of the interpreter meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_strips(work: Callable[[int, int], Result], begin: int, end: int, rows: int, threads: int) -> list[Result]:
    """Call `work(top, bottom)` for each strip between two rows; the results are in the order of the strips.

    Args:
        work: what is to be done; must not mind being called by several threads.
        begin, end: the first row, and the one after the last.
        rows: of a strip.
        threads: how many work at a time.
    """
    strips = [(top, min(top + rows, end)) for top in range(begin, end, rows)]
    if threads == 1:
        return [work(top, bottom) for top, bottom in strips]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda strip: work(*strip), strips))
