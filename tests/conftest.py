"""Fixtures of every suite: real data where it is present, a browser where one is installed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from models.workshop.synthetic import write_tow

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some tests import ONNX Runtime themselves
os.environ.setdefault("IMAGINE_EDGE_CVAT_BRIDGE", "false")  # or every appliance of the suite would want the one port
if TYPE_CHECKING:
    from tests.helpers.chromium import Chromium

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job passes on that Ctrl-C is ignored, to all programs we start
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]

if sys.dont_write_bytecode:  # nothing shall lie beside the sources: but hundreds of programs would each compile the whole appliance
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(CHECKOUT / ".pytest_cache" / "compiled")

settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
settings.load_profile("untimed")

# Modules that take a minute or more begin first, the longest before all, so that no process waits for another at the end.
LONGEST = (
    "test_kill.py",
    "test_counting_kept.py",
    "test_ingest_command.py",
    "test_worker_faults.py",
    "test_no_packets.py",
    "test_counting.py",
    "test_clip_faults.py",
    "test_boxes.py",
    "test_watch.py",
    "test_survey_commands.py",
    "test_media_away.py",
    "test_import_model.py",
    "test_look_and_keys.py",
)


@pytest.hookimpl(trylast=True)  # after the order was drawn by chance
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first, and in each module what waits for a thing that goes on beside its other tests last."""
    modules: dict[Path, int] = {}
    for item in items:
        modules.setdefault(item.path, len(modules))

    def place(item: pytest.Item) -> tuple[int, int, bool]:
        name = item.path.name
        rank = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return rank, modules[item.path], item.get_closest_marker("comes_last") is not None

    items.sort(key=place)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def edge_command() -> list[str]:
    """How to call `imagine-edge` of this very environment."""
    return [str(Path(sys.executable).with_name("imagine-edge"))]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which is never part of the repository."""
    folder = Path(os.environ.get("IMAGINE_EDGE_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; name the folder in IMAGINE_EDGE_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def real_stills(shared_data: Path) -> list[Path]:
    """The UWTV stills of the real data, in order of their names (and so of time)."""
    stills = sorted((shared_data / "uwtv_stills" / "images").glob("*.jp*g"))
    if not stills:
        pytest.skip(f"no stills in {shared_data / 'uwtv_stills' / 'images'}")
    return stills


@pytest.fixture(scope="session")
def rendered_tow(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six consecutive stills of the project's own generator. Shared: copy them before changing one."""
    return write_tow(tmp_path_factory.mktemp("tow"), seed=2, n_stills=6)


@pytest.fixture(scope="module")
def kept_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A headless Chromium that the tests of a module share, each in a tab of its own: see `chromium`."""
    from tests.helpers.chromium import Chromium  # the workshop's environment has no selenium

    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.quit()


@pytest.fixture
def chromium(kept_chromium: Chromium) -> Chromium:
    """A headless Chromium with nothing of the tests before; console errors are kept for `get_log("browser")`."""
    kept_chromium.renew()
    return kept_chromium


@pytest.fixture
def open_chromium(tmp_path: Path) -> Iterator[Callable[[str], Chromium]]:
    """Opens a headless Chromium with a profile of its own by name, for tests with several people, and for those that end it."""
    from tests.helpers.chromium import Chromium

    windows: list[Chromium] = []

    def open_one(profile: str) -> Chromium:
        windows.append(Chromium(tmp_path / profile))
        return windows[-1]

    try:
        yield open_one
    finally:
        for window in windows:
            window.quit()
