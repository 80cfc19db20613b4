"""Transfers that need a person are issues; one that went well afterwards ends them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from edge.health.doctor import examine
from edge.settings import load_settings
from edge.store.zooscan import uploads as store
from tests.helpers.ecotaxa_home import EcotaxaHome


def told(ship: EcotaxaHome) -> dict[str, str]:
    found = examine(ship.home, load_settings(ship.home, ballast_mb=0))
    return {one.code: f"{one.severity} {one.message}" for one in found if one.code.startswith("transfers")}


def test_questions_failures_and_waiting_are_told_until_they_end(tmp_path: Path) -> None:
    ship = EcotaxaHome(tmp_path / "home", "http://127.0.0.1:9/api")
    ids = []
    for name in ("asks_1", "fails_1", "waits_1", "goes_1"):
        ship.add_scan(name)
        ids.append(ship.desk.push(name, "rita"))

    def step(upload_id: int, of: store.State, to: store.State, **values: Any) -> None:
        assert ship.writer.call(partial(store.go_on, upload_id=upload_id, of=of, to=to, **values))

    assert told(ship) == {}
    step(ids[0], "queued", "asking", detail="EcoTaxa asks: taxa")
    step(ids[1], "queued", "failed", detail="no rights")
    step(ids[2], "queued", "queued", detail="nobody has signed in", attempts=2)
    all_of = "1 of the transfers to and from EcoTaxa"
    assert told(ship) == {
        "transfers_ask": f"warning {all_of} wait for an answer, such as the push of asks_1: EcoTaxa asks: taxa",
        "transfers_failed": f"warning {all_of} failed, such as the push of fails_1: no rights",
        "transfers_wait": f"notice {all_of} wait and are tried again, such as the push of waits_1: nobody has signed in",
    }
    again = ship.desk.push("fails_1", "rita")
    step(again, "queued", "done")
    assert set(told(ship)) == {"transfers_ask", "transfers_wait"}
    ship.close()
