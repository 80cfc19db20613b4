"""Headless Chromium for tests: one of a test's own, or one that a module keeps and each test finds as if it were new."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver

WINDOW_PX = (1366, 768)  # the laptop that the pages are made for
LOOK_S = 0.1  # between two looks at a page that a test waits for


class Chromium(webdriver.Chrome):
    """A browser that knows which servers it was sent to."""

    def __init__(self, profile: Path) -> None:
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        driver = shutil.which("chromedriver")
        if browser is None or driver is None:
            pytest.skip("no Chromium with chromedriver here (Debian: apt install chromium chromium-driver)")
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
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        super().__init__(options=options, service=webdriver.ChromeService(executable_path=driver))
        self.set_page_load_timeout(60)
        self.visited: set[str] = set()

    def get(self, url: str) -> None:
        """Open an address."""
        address = urlsplit(url)
        if address.netloc:
            self.visited.add(f"{address.scheme}://{address.netloc}")
        super().get(url)

    def renew(self) -> None:
        """A tab of its own for the next test, and nothing of the tests before: no tab, cookie, stored word or line of the console."""
        old = self.window_handles
        self.switch_to.new_window("tab")
        new = self.current_window_handle
        for origin in self.visited:
            self.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        self.visited.clear()
        for handle in old:
            self.execute_cdp_cmd("Target.closeTarget", {"targetId": handle})
        self.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.execute_cdp_cmd("Network.clearBrowserCache", {})
        self.switch_to.window(new)
        self.execute_cdp_cmd("Page.bringToFront", {})  # only then it has the focus, as the first tab of a new browser has
        self.get_log("browser")  # type: ignore[no-untyped-call]
