"""A ship and an EcoTaxa that it talks to, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.zooscan.ecotaxa.login import PASSWORD_VARIABLE
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.simulators.ecotaxa import Server, ecotaxa
from tests.simulators.ecotaxa_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = tmp_path / "server"
    folder.mkdir()
    return World(folder)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with ecotaxa(world) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.zooscan.ecotaxa.link._DELAYS_S", (0.0, 0.0))
    monkeypatch.setattr("edge.zooscan.ecotaxa.link.MAX_ANSWER_BYTES", 1_000_000)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.fixture
def ship(tmp_path: Path, server: Server) -> Iterator[EcotaxaHome]:
    home = EcotaxaHome(tmp_path / "home", server.url)
    home.sign_in()
    yield home
    home.close()
