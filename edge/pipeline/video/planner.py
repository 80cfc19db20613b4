"""Which packets need not be decoded: told from their times and their kinds alone, before the decoder sees them.

A frame that is not asked for must still be decoded where others are predicted from it. Two kinds of packets need not be:

* Those from which nothing is predicted (the decoder knows them once it is told that the frame is not wanted).
* All between the last wanted frame and a key frame at which the decoder could begin anew, if the next wanted frame is not shown
  before that key frame. Frames that are shown before a key frame but stored behind it (an open group) lean on what was dropped and
  go as well.

So the same frames come out, with the same pixels, as when everything is decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_WAITING = 256
_MOST_WAITING_BYTES = 32 * 1024 * 1024


class Need(Enum):
    """What the decoder does with a packet."""

    FRAME = "frame"
    REFERENCE = "reference"
    NOTHING = "nothing"


@dataclass(slots=True, kw_only=True)
class Coded(Generic[T]):
    """A packet, its number as stored, its times in units of the stream; `hidden` ones are decoded and never shown (edit lists)."""

    packet: T
    number: int
    pts: int
    dts: int | None
    is_key: bool
    size_bytes: int
    hidden: bool = False
    wanted: bool | None = None
    leans_on_dropped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Generic[T]):
    """A packet and what it is needed for; `anew`: the decoder forgets what it knows before it."""

    packet: T
    number: int
    need: Need
    anew: bool = False


class Planner(Generic[T]):
    """Takes packets in the order in which they are stored, gives them back in the same order with what they are needed for.

    `wants` is asked once for each shown frame, in order of presentation. A packet waits here until the next wanted frame is known:
    as many as lie between two ticks, and those that are stored out of order.
    """

    def __init__(self, wants: Callable[[int], bool], *, may_drop: bool = True) -> None:
        self._wants = wants
        self._may_drop = may_drop
        self._waiting: deque[Coded[T]] = deque()
        self._bytes = 0

    def add(self, coded: Coded[T]) -> Iterator[Planned[T]]:
        """One more packet; yields those whose fate is known now."""
        self._waiting.append(coded)
        self._bytes += coded.size_bytes
        if coded.dts is not None:
            self._resolve(coded.dts)
            yield from self._settled()
        if len(self._waiting) > _MOST_WAITING or self._bytes > _MOST_WAITING_BYTES:
            self._resolve(None)
            yield from self._let_go(len(self._waiting), drop=0)

    def rest(self) -> Iterator[Planned[T]]:
        """All that still wait; no more packets come."""
        self._resolve(None)
        yield from self._settled()
        left = len(self._waiting)
        yield from self._let_go(left, drop=left if self._may_drop else 0)

    def _resolve(self, known_before: int | None) -> None:
        """No packet to come is shown before `known_before`, so what is shown earlier is known in its order."""
        open_ones = [coded for coded in self._waiting if coded.wanted is None and (known_before is None or coded.pts < known_before)]
        for coded in sorted(open_ones, key=lambda coded: coded.pts):
            coded.wanted = not coded.hidden and self._wants(coded.pts)

    def _settled(self) -> Iterator[Planned[T]]:
        while (found := self._next_wanted()) is not None:
            yield from self._let_go(found + 1, drop=self._droppable(found))

    def _next_wanted(self) -> int | None:
        """The first packet that is wanted, if all before it are known not to be."""
        for index, coded in enumerate(self._waiting):
            if coded.wanted is None:
                return None
            if coded.wanted:
                return index
        return None

    def _droppable(self, found: int) -> int:
        """How many packets before the wanted one are needed by nobody: those before the last key frame that it does not lean past."""
        if not self._may_drop:
            return 0
        for index in range(found, 0, -1):
            key = self._waiting[index]
            if key.is_key:
                leaning = any(
                    coded.pts < key.pts and coded.wanted is not False for position, coded in enumerate(self._waiting) if position > index
                )
                return 0 if leaning or self._waiting[found].pts < key.pts else index
        return 0

    def _let_go(self, count: int, *, drop: int) -> Iterator[Planned[T]]:
        key = self._waiting[drop] if 0 < drop < count else None
        if key is not None:
            self._forget_leaning(key)
        for index in range(count):
            coded = self._waiting.popleft()
            self._bytes -= coded.size_bytes
            need = Need.FRAME if coded.wanted else Need.REFERENCE
            if index < drop or coded.leans_on_dropped:
                need = Need.NOTHING
            yield Planned(packet=coded.packet, number=coded.number, need=need, anew=coded is key)

    def _forget_leaning(self, key: Coded[T]) -> None:
        """What is shown before the key frame and stored behind it leans on what was dropped."""
        is_behind = False
        for coded in self._waiting:
            if is_behind and coded.pts < key.pts:
                coded.leans_on_dropped = True
            is_behind = is_behind or coded is key
