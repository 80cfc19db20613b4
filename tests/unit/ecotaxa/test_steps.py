"""The power goes between any two steps of a push: the scan is in EcoTaxa once and whole, and its end is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge.zooscan.ecotaxa.desk import EcotaxaDesk
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import KEYS
from tests.simulators.ecotaxa import Server
from tests.simulators.ecotaxa_world import PROJECT, World


class PowerCutError(BaseException):
    """Nothing of ours catches it, as nothing catches a kill."""


class Power:
    """Lets so many steps happen, then none."""

    def __init__(self) -> None:
        self.left = 10_000
        self.used = 0

    def cut_after(self, steps: int) -> None:
        self.left, self.used = steps, 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **how: Any) -> Any:
            if self.left <= 0:
                raise PowerCutError
            self.left -= 1
            self.used += 1
            return call(*args, **how)

        return counted


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Power:
    """Every request to the server, and every write to the database, is a step."""
    from edge.store.writer import Writer
    from edge.zooscan.ecotaxa.link import Link

    power = Power()
    for kind, name in ((Link, "_ask_once"), (Link, "send"), (Link, "fetch"), (Writer, "call")):
        monkeypatch.setattr(kind, name, power.around(getattr(kind, name)))
    return power


def run_once(ship: EcotaxaHome, upload_id: int, desk: EcotaxaDesk) -> bool:
    """Whether the transfer came to its end before the power went."""
    try:
        return ship.run(upload_id, desk=desk).state == "done"
    except PowerCutError:
        return False


@pytest.mark.parametrize("kind", ["push", "pull"])
def test_a_cut_after_any_step_loses_and_doubles_nothing(ship: EcotaxaHome, server: Server, world: World, power: Power, kind: str) -> None:
    if kind == "pull":
        ship.add_scan("whole_1", sample="whole")
        assert ship.run(ship.desk.push("whole_1", "rita")).state == "done"
        for one in world.projects[PROJECT].objects.values():
            one.status, one.category = "validated", "Calanus"
    steps = 0
    while True:
        scan = f"cut_{steps}_1" if kind == "push" else "whole_1"
        if kind == "push":
            ship.add_scan(scan, sample=f"cut_{steps}")
        upload_id = getattr(ship.desk, kind)(scan, "rita")
        power.cut_after(steps)
        if run_once(ship, upload_id, ship.new_desk()):
            break
        power.cut_after(10_000)
        assert run_once(ship, upload_id, ship.new_desk()), ship.row(upload_id).detail
        check(world, scan, ship, kind)
        steps += 1
    assert steps > (15 if kind == "push" else 6), "the steps are no longer seen"


def check(world: World, scan: str, ship: EcotaxaHome, kind: str) -> None:
    objects = world.projects[PROJECT].objects
    assert {f"{scan}_{key}" for key in KEYS} <= set(objects)
    if kind == "pull":
        assert len(ship.labels()) == len(KEYS)
        return
    ours = [job for job in world.jobs.values() if job.type == "FileImport" and ship.row(ship_id(ship, scan)).uuid in str(job.params)]
    assert [job.state for job in ours] == ["F"], [job.errors for job in ours]


def ship_id(ship: EcotaxaHome, scan: str) -> int:
    with ship.reader() as connection:
        (found,) = connection.execute(
            "SELECT u.id FROM zooscan_uploads AS u JOIN zooscan_scans AS s ON s.id = u.scan_id WHERE s.name = ?", (scan,)
        ).fetchone()
    return int(found)
