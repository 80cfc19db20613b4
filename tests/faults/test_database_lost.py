"""Somebody deletes the database under the running appliance: what it held is kept, work stops, and nothing begins anew unasked."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from edge.commands.running import read_address
from edge.store.backup import list_backups
from edge.store.connection import DATABASE_NAME
from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, query, states, wait_until, write_picture

STILLS = 4
EXIT_STORE = 3


def health_of(home: Path) -> str:
    """What the appliance answers to whoever watches over it, also when it is not well."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{read_address(home)}/healthz", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


@pytest.mark.timeout(300)
def test_the_database_is_deleted_while_the_appliance_runs(tmp_path: Path, edge_command: list[str]) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    inbox = home / "inbox" / "burrows"
    for number in range(STILLS):
        write_picture(inbox, f"{number}.png", seed=number)
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        wait_until(lambda: states(home) == {"done": STILLS}, "all have results")
        runs = query(home, "SELECT uuid FROM runs ORDER BY uuid")
        wait_until(lambda: bool(list_backups(home)), "the day's backup is there")
        before = list_backups(home)
        for part in ("", "-wal", "-shm"):
            (home / f"{DATABASE_NAME}{part}").unlink(missing_ok=True)
        wait_until(lambda: "store_lost" in health_of(home), "it is told")
        wait_until(lambda: len(list_backups(home)) == len(before) + 1, "what it held is kept")
        write_picture(inbox, "late.png", seed=100)
        assert appliance.stop() == 0
    finally:
        appliance.kill()
    assert not (home / DATABASE_NAME).exists()

    started = subprocess.run(
        [*edge_command, "--home", str(home), "run", "--port", "0"], capture_output=True, text=True, check=False, timeout=120
    )
    assert started.returncode == EXIT_STORE
    assert "restore --latest" in started.stderr
    assert not (home / DATABASE_NAME).exists()
    examined = subprocess.run([*edge_command, "--home", str(home), "doctor"], capture_output=True, text=True, check=False, timeout=120)
    assert (examined.returncode, "restore --latest" in examined.stdout) == (EXIT_STORE, True)

    subprocess.run([*edge_command, "--home", str(home), "restore", "--latest"], check=True, capture_output=True, timeout=120)
    assert query(home, "SELECT uuid FROM runs ORDER BY uuid") == runs
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        wait_until(lambda: states(home) == {"done": STILLS + 1}, "work goes on")
        assert appliance.stop() == 0
    finally:
        appliance.kill()
    assert_accounted_for(home, STILLS + 1)
