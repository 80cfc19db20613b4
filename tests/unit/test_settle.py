"""When a file is whole: two equal looks `settle_s` apart, whatever happens in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.ingest.looks import FileLook
from edge.ingest.settle import SettleTracker, patience

SETTLE_S = 2.0
LIMIT_S = 30.0


def look(size_bytes: int = 10, mtime_ns: int = 1) -> FileLook:
    return FileLook(name_bytes=b"a.jpg", size_bytes=size_bytes, mtime_ns=mtime_ns, inode=1, is_regular=True)


def tracker() -> SettleTracker[str]:
    return SettleTracker(SETTLE_S, LIMIT_S)


def test_an_unchanged_file_is_whole_after_settle_s() -> None:
    settling = tracker()
    settling.look("a", look(), 0.0)
    assert settling.pop_due(1.99, 10) == []
    assert settling.pop_due(2.0, 10) == ["a"]
    assert settling.settled("a", look(), 2.0)


@pytest.mark.parametrize("second", [look(size_bytes=11), look(mtime_ns=2)])
def test_a_changed_size_or_time_begins_anew(second: FileLook) -> None:
    settling = tracker()
    settling.look("a", look(), 0.0)
    assert settling.pop_due(2.0, 10) == ["a"]
    assert not settling.settled("a", second, 2.0)
    assert settling.pop_due(3.0, 10) == []
    assert settling.pop_due(4.0, 10) == ["a"]
    assert settling.settled("a", second, 4.0)


def test_an_empty_file_is_never_whole() -> None:
    settling = tracker()
    settling.look("a", look(size_bytes=0), 0.0)
    for now_s in range(2, 100, 2):
        for key in settling.pop_due(float(now_s), 10):
            assert not settling.settled(key, look(size_bytes=0), float(now_s))
    assert len(settling) == 1


def test_a_popped_file_that_is_looked_at_again_is_planned_again() -> None:
    """The step that popped it failed on another file: the next inventory must bring it back."""
    settling = tracker()
    settling.look("a", look(), 0.0)
    assert settling.pop_due(2.0, 10) == ["a"]
    settling.look("a", look(), 3.0)
    assert settling.pop_due(3.0, 10) == ["a"]
    assert settling.settled("a", look(), 3.0)


def test_popped_files_come_back_without_another_look() -> None:
    """After a failed step nothing may stay tracked and unplanned: the file may be gone, and the tracker never empty again."""
    settling = tracker()
    for key in "abc":
        settling.look(key, look(), 0.0)
    assert settling.pop_due(2.0, 2) == ["a", "b"]
    settling.plan_again()
    assert sorted(settling.pop_due(2.0, 10)) == ["a", "b", "c"]


def test_a_file_that_was_forgotten_and_seen_anew_is_due_once() -> None:
    settling = tracker()
    settling.look("a", look(), 0.0)
    assert settling.forget("a")
    settling.look("a", look(), 0.5)
    assert settling.pop_due(2.0, 10) == []
    assert settling.pop_due(10.0, 10) == ["a"]
    assert settling.settled("a", look(), 10.0)
    settling.forget("a")
    assert settling.pop_due(100.0, 10) == []
    assert settling.next_due_s() is None


def test_only_as_many_as_asked_for_are_due() -> None:
    settling = tracker()
    for number in range(10):
        settling.look(str(number), look(), 0.0)
    assert settling.pop_due(5.0, 3) == ["0", "1", "2"]
    assert len(settling) == 10


def test_overdue_is_said_once() -> None:
    settling = tracker()
    settling.look("a", look(size_bytes=1), 0.0)
    assert not settling.overdue("a", LIMIT_S - 1)
    assert settling.overdue("a", LIMIT_S)
    assert not settling.overdue("a", LIMIT_S + 1)


def clip(size_bytes: int = 10, changed_s: float = 1000.0, name: bytes = b"00001.MTS") -> FileLook:
    return FileLook(name_bytes=name, size_bytes=size_bytes, mtime_ns=int(changed_s * 1e9), inode=1, is_regular=True)


def test_a_clip_must_be_quiet_for_longer() -> None:
    """A recorder that pauses for some seconds has not ended."""
    settling = SettleTracker[str](SETTLE_S, LIMIT_S, patience(SETTLE_S, 20.0, lambda: 1000.0))
    settling.look("a", clip(), 0.0)
    assert settling.pop_due(19.9, 10) == []
    assert settling.pop_due(20.0, 10) == ["a"]
    assert not settling.settled("a", clip(size_bytes=11), 20.0)
    assert settling.pop_due(39.9, 10) == []
    assert settling.pop_due(40.0, 10) == ["a"]
    assert settling.settled("a", clip(size_bytes=11), 40.0)


@pytest.mark.parametrize(
    ("look", "wanted_s"),
    [
        (clip(), 20.0),
        (clip(changed_s=995.0), 15.0),
        (clip(changed_s=10.0), SETTLE_S),
        (clip(changed_s=5000.0), 20.0),
        (clip(name=b"a.jpg"), SETTLE_S),
        (clip(name=b"\xff.mp4"), 20.0),
    ],
)
def test_what_was_quiet_before_it_was_seen_counts(look: FileLook, wanted_s: float) -> None:
    """A card of finished clips is not waited for; a clock that lies in the future changes nothing."""
    assert patience(SETTLE_S, 20.0, lambda: 1000.0)(look) == pytest.approx(wanted_s)


class Settling(RuleBasedStateMachine):
    """Any order of writes, looks and waits: ready means that the file was equal for `settle_s`, and nothing is left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker: SettleTracker[str] = SettleTracker(SETTLE_S, LIMIT_S)
        self.now_s = 0.0
        self.files: dict[str, FileLook] = {}
        self.looks: dict[str, list[tuple[float, FileLook]]] = {}

    @rule(name=st.sampled_from("abc"), size_bytes=st.integers(0, 3), mtime_ns=st.integers(0, 2))
    def write(self, name: str, size_bytes: int, mtime_ns: int) -> None:
        self.files[name] = look(size_bytes, mtime_ns)

    @rule(name=st.sampled_from("abc"))
    def inventory_sees(self, name: str) -> None:
        if name in self.files:
            self.tracker.look(name, self.files[name], self.now_s)
            self.looks.setdefault(name, []).append((self.now_s, self.files[name]))

    @rule(name=st.sampled_from("abc"))
    def vanish(self, name: str) -> None:
        self.files.pop(name, None)
        self.tracker.forget(name)
        self.looks.pop(name, None)

    @rule(wait_s=st.sampled_from([0.1, 0.5, 1.0, 1.9, 2.0, 5.0]))
    def wait(self, wait_s: float) -> None:
        self.now_s += wait_s

    @rule(limit=st.integers(1, 4))
    def take_due(self, limit: int) -> None:
        due = self.tracker.pop_due(self.now_s, limit)
        assert len(set(due)) == len(due), "a file was due twice at once"
        for name in due:
            self._take(name)

    def _take(self, name: str) -> None:
        seen = self.files[name]
        self.looks[name].append((self.now_s, seen))
        if not self.tracker.settled(name, seen, self.now_s):
            return
        equal_since_s = self.now_s
        for looked_s, before in reversed(self.looks[name]):
            if not before.equals(seen):
                break
            equal_since_s = looked_s
        assert self.now_s - equal_since_s >= SETTLE_S
        assert seen.size_bytes > 0
        self.tracker.forget(name)
        self.looks.pop(name)

    @invariant()
    def whatever_waits_comes_due(self) -> None:
        due_s = self.tracker.next_due_s()
        assert (due_s is None) == (len(self.tracker) == 0)
        assert due_s is None or due_s <= self.now_s + 2 * SETTLE_S


TestSettling = Settling.TestCase


@given(st.lists(st.tuples(st.floats(0.05, 1.9), st.integers(1, 1000)), min_size=1, max_size=30))
def test_a_growing_file_is_never_ready(steps: list[tuple[float, int]]) -> None:
    """A slow copy that grows at least every 1.9 s never passes for whole, however the looks fall."""
    settling = tracker()
    now_s, size_bytes = 0.0, 1
    settling.look("a", look(size_bytes), now_s)
    for wait_s, grown_bytes in steps:
        now_s += wait_s
        size_bytes += grown_bytes
        for key in settling.pop_due(now_s, 10):
            assert not settling.settled(key, look(size_bytes), now_s)
        settling.look("a", look(size_bytes), now_s)
