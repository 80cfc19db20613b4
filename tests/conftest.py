"""Fixtures of every suite: real data where it is present, a browser where one is installed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models.workshop.synthetic import write_tow

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some tests import ONNX Runtime themselves
if TYPE_CHECKING:
    from selenium import webdriver

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job passes on that Ctrl-C is ignored, to all programs we start
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]
WINDOW_PX = (1366, 768)  # the laptop that the pages are made for


LONGEST = ("test_kill.py",)  # modules that take minutes begin first, so that no process waits for another at the end


@pytest.hookimpl(trylast=True)  # after the order was drawn by chance
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


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


@pytest.fixture
def chromium(open_chromium: Callable[[str], webdriver.Chrome]) -> webdriver.Chrome:
    """A headless Chromium with a profile of its own; console errors are kept for `get_log("browser")`."""
    return open_chromium("chromium")


@pytest.fixture
def open_chromium(tmp_path: Path) -> Iterator[Callable[[str], webdriver.Chrome]]:
    """Opens a headless Chromium with a profile of its own by name, for tests with several people."""
    from selenium import webdriver  # the workshop's environment has none

    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no Chromium with chromedriver here (Debian: apt install chromium chromium-driver)")
    windows: list[webdriver.Chrome] = []

    def open_one(profile: str) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for argument in (
            "--headless=new",
            "--no-sandbox",  # the tests may run as root
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--no-proxy-server",
            f"--window-size={WINDOW_PX[0]},{WINDOW_PX[1]}",
            f"--user-data-dir={tmp_path / profile}",
        ):
            options.add_argument(argument)
        window = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
        window.set_page_load_timeout(60)
        windows.append(window)
        return window

    try:
        yield open_one
    finally:
        for window in windows:
            window.quit()
