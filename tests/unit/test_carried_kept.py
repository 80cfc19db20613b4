"""Proposals from earlier reviews are worked out once, asked for by many threads, and never while anything else waits to be written."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from edge.errors import ReviewRefusedError
from edge.store.connection import snapshot
from edge.store.reads.footage import AnalysisRow, analysis_of_tow
from edge.store.sqlite import Connection
from edge.survey import carried_desk
from edge.survey.carried_desk import KEPT, NOTHING, CarriedDesk, CarriedOver
from tests.helpers.reviewable import analyse_again, make_reviewable
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_carried_desk import seabed


def test_many_threads_ask_for_more_tows_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance, openings=seabed(range(2)))
    with appliance.reader() as connection:
        row = analysis_of_tow(connection, of.tow_id)
    assert row is not None
    analyses = [row._replace(uuid=str(number)) for number in range(2 * KEPT + 1)]
    monkeypatch.setattr(carried_desk, "first_opening", lambda _connection, analysis_id: analysis_id)
    monkeypatch.setattr(carried_desk, "carried_over", lambda _connection, _analysis: NOTHING)
    desk, faults = CarriedDesk(), list[str]()

    def ask(first: int) -> None:
        for number in range(20_000):
            try:
                desk.of(appliance.writer, analyses[(7 * number + first) % len(analyses)])
            except Exception as error:  # noqa: BLE001 - whatever it is, a reviewer would see it
                faults.append(repr(error))

    last_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=(first,)) for first in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    finally:
        sys.setswitchinterval(last_s)
        appliance.close()
    assert faults == []


def test_they_are_paired_before_the_writers_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance, openings=seabed(range(3)))
    appliance.reviews.decide(of.tow_id, of.opening_ids, "accepted", "rita")
    again = analyse_again(of, seabed(range(3)))
    pair, used = carried_desk.carried_over, list[Connection]()

    def watched(connection: Connection, analysis: AnalysisRow) -> CarriedOver:
        used.append(connection)
        return pair(connection, analysis)

    monkeypatch.setattr(carried_desk, "carried_over", watched)
    assert appliance.reviews.carry(of.tow_id, None, "chief") == again.opening_ids
    assert len(used) == 1
    assert used[0] is not appliance.writer
    appliance.close()


def test_an_analysis_that_came_in_between_is_not_decided_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance, openings=seabed(range(3)))
    appliance.reviews.decide(of.tow_id, of.opening_ids, "accepted", "rita")
    again = analyse_again(of, seabed(range(3)))
    pair = carried_desk.carried_over

    def meanwhile(connection: Connection, analysis: AnalysisRow) -> CarriedOver:
        found = pair(connection, analysis)
        analyse_again(again, seabed(range(3)))
        return found

    monkeypatch.setattr(carried_desk, "carried_over", meanwhile)
    with pytest.raises(ReviewRefusedError, match="analysed anew at this moment"):
        appliance.reviews.carry(of.tow_id, None, "chief")
    with appliance.reader() as connection, snapshot(connection):
        assert connection.execute("SELECT count(*) FROM opening_decisions WHERE carried_from IS NOT NULL").fetchone()[0] == 0
    appliance.close()
