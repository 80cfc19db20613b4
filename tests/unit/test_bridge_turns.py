"""Whose turn it is among calls of several functions, and for how long a caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator_bridge.facade.access import Doorman
from annotator_bridge.facade.bodies import waits_s
from annotator_bridge.facade.child import ChildSpec, Shelf
from annotator_bridge.facade.turns import Call, Turns
from annotator_bridge.functions.function import FunctionKind
from edge.errors import SettingsError


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def call(loop: asyncio.AbstractEventLoop, function: str, kind: FunctionKind = "detector") -> Call:
    return Call(function_id=function, kind=kind, mark="", body=b"", loop=loop, answer=loop.create_future())


def order(turns: Turns) -> list[str]:
    taken = []
    while (one := turns.take(0)) is not None:
        taken.append(one.function_id)
        turns.done(one)
    return taken


def test_a_person_waits_for_one_call_of_a_batch_not_for_all(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=2, limit=64)
    for function in ["batch"] * 5 + ["tracker"] * 2 + ["outline"]:
        assert turns.put(call(loop, function))
    assert order(turns) == ["batch", "tracker", "outline", "batch", "tracker", "batch", "batch", "batch"]


def test_a_batch_is_not_starved_by_people(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=1, limit=64)
    for _ in range(3):
        turns.put(call(loop, "tracker", "tracker"))
    turns.put(call(loop, "batch"))
    taken = []
    for _ in range(4):  # the tracker's people call again as soon as they are answered
        one = turns.take(0)
        assert one is not None
        taken.append(one.function_id)
        turns.done(one)
        turns.put(call(loop, "tracker", "tracker"))
    assert taken[:2] == ["tracker", "batch"]


def test_calls_of_one_function_keep_their_order(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=2, limit=64)
    calls = [call(loop, "tiny") for _ in range(4)]
    for one in calls:
        turns.put(one)
    assert [turns.take(0) for _ in range(4)] == calls


def test_reid_never_holds_every_slot(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=2, limit=64)
    turns.put(call(loop, "reid", "reid"))
    turns.put(call(loop, "reid", "reid"))
    first = turns.take(0)
    assert first is not None
    assert turns.take(0) is None
    turns.put(call(loop, "tiny"))
    second = turns.take(0)
    assert second is not None
    assert second.function_id == "tiny"
    turns.done(first)
    assert order(turns) == ["reid"]


def test_reid_runs_where_there_is_one_slot_only(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=1, limit=64)
    turns.put(call(loop, "reid", "reid"))
    assert order(turns) == ["reid"]


def test_what_waits_is_bounded_and_a_call_that_was_lost_comes_first_all_the_same(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=1, limit=2)
    waiting, again = call(loop, "tiny"), call(loop, "tiny")
    assert [turns.put(waiting), turns.put(call(loop, "other")), turns.put(call(loop, "third"))] == [True, True, False]
    assert turns.put(again, first=True)
    assert turns.take(0) is again


def test_a_call_whose_caller_went_away_is_dropped(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=1, limit=1)
    gone = call(loop, "tiny")
    turns.put(gone)
    assert turns.drop(gone)
    assert not turns.drop(gone)
    assert turns.put(call(loop, "other"))
    assert order(turns) == ["other"]


def test_after_the_end_nobody_comes_in_and_what_waited_is_told(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns(slots=1, limit=4)
    waiting = call(loop, "tiny")
    turns.put(waiting)
    assert turns.close() == [waiting]
    assert not turns.put(call(loop, "tiny"))
    assert turns.take(None) is None


def test_functions_that_were_not_called_for_longest_are_let_go(tmp_path: Path) -> None:
    shelf = Shelf(ChildSpec(home=tmp_path, threads=1, max_pixels=1_000_000, kept=2))
    was_loaded = {
        number: shelf.get(function, "")[1] is not None
        for number, function in enumerate(
            ["seabed-tracker", "outline-interactor", "seabed-tracker", "seabed-reid", "seabed-tracker", "outline-interactor"]
        )
    }
    assert was_loaded == {0: True, 1: True, 2: False, 3: True, 4: False, 5: True}


def test_a_function_whose_pack_was_exchanged_is_loaded_anew(tmp_path: Path) -> None:
    shelf = Shelf(ChildSpec(home=tmp_path, threads=1, max_pixels=1_000_000))
    assert [shelf.get("seabed-reid", mark)[1] is not None for mark in ("1", "1", "2", "2")] == [True, False, True, False]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120s", 120.0),
        ("2m", 120.0),
        ("1500ms", 1.5),
        ("30", 30.0),
        ("1h", 900.0),
        ("0s", 1.0),
        (None, 120.0),
        ("soon", 120.0),
        ("-5s", 120.0),
    ],
)
def test_the_patience_of_a_caller_is_read_as_nuclio_writes_it(header: str | None, seconds: float) -> None:
    assert waits_s(header) == seconds


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("127.0.0.1", True),
        ("172.17.0.2", True),
        ("::ffff:172.17.0.2", True),
        ("::1", True),
        ("192.168.1.20", True),
        ("192.168.1.21", False),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_callers_are_let_in_by_network(address: str, is_allowed: bool) -> None:
    doorman = Doorman(("127.0.0.0/8", "::1/128", "172.16.0.0/12", "192.168.1.20"), "")
    assert doorman.allows(address) is is_allowed


@pytest.mark.parametrize(("networks", "token"), [(("here",), ""), (("10.0.0.0/99",), ""), ((), "a/b"), ((), "with space"), ((), "ü")])
def test_who_may_call_is_said_properly_or_refused(networks: tuple[str, ...], token: str) -> None:
    with pytest.raises(SettingsError):
        Doorman(networks, token)
