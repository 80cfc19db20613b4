"""A served survey, made once for the tests that only read it and anew for those that change it; an intake at work on a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.helpers.watching import Watching, watching
from tests.helpers.web import Survey, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running appliance, the ids of its files, and a client."""

    appliance: SimulatedAppliance
    survey: Survey
    client: httpx.Client


def _serve(home: Path) -> Iterator[Served]:
    appliance = SimulatedAppliance(home)
    survey = make_survey(appliance)
    with serving(appliance) as client:
        yield Served(appliance=appliance, survey=survey, client=client)
        appliance.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change nothing."""
    yield from _serve(tmp_path_factory.mktemp("served") / "home")


@pytest.fixture
def served_anew(tmp_path: Path) -> Iterator[Served]:
    """For tests that change something."""
    yield from _serve(tmp_path / "home")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder, not made yet."""
    return tmp_path / "home"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder to watch."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def appliance(home: Path, root: Path) -> Iterator[Watching]:
    """An intake that watches the root: rescans as often as the settings allow, events on."""
    with watching(home, root) as appliance:
        yield appliance
