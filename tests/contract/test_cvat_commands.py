"""`cvat login`, `push`, `doctor` and `kit` as people call them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from annotator_bridge.cvat.doctor import examine
from annotator_bridge.cvat.kit import images_of, override_text, workers_of, write_kit
from annotator_bridge.cvat.signing import log_in
from annotator_bridge.cvat.tools import WITHHELD_BLIND
from annotator_bridge.facade.listen import Listener
from edge.cli import app
from edge.commands.running import write_address
from edge.errors import ExportRefusedError, SettingsError
from edge.settings import Settings
from edge.store import surveys
from edge.store.connection import DATABASE_NAME, immediate, open_reader
from edge.store.lock import HomeLock
from edge.store.reads.cvat import tasks
from edge.store.sealed_runs import seal_survey
from tests.helpers.counted import make_protocol
from tests.helpers.cvat_push import BOX, PushHome
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import NEW, PASSWORD, USER, World


@pytest.fixture
def aboard(tmp_path: Path) -> Iterator[tuple[PushHome, Server]]:
    """A home with a station, and a CVAT; the home's settings name it."""
    with cvat(World(tmp_path / "server", version=NEW)) as server:
        here = PushHome(tmp_path, server.world, server.url)
        here.station("101", {"a.jpg": [BOX], "b.jpg": []})
        (here.home / "settings.toml").write_text(f'cvat_url = "{server.url}"\n')
        here.close()
        yield here, server


def call(home: Path, *arguments: str, given: str = "", fails_with: int = 0) -> Any:
    """Run `cvat`. Returns what the JSON of its last line says."""
    result = CliRunner().invoke(app, ["--home", str(home), "cvat", *arguments, "--json"], input=given)
    assert result.exit_code == fails_with, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_sign_in_push_and_push_again(aboard: tuple[PushHome, Server]) -> None:
    here, server = aboard
    waits = call(here.home, "push", "--station", "101", fails_with=6)
    assert waits["error"]["code"] == "login_needed"
    assert "cvat login" in waits["error"]["advice"]
    assert call(here.home, "login", "--user", USER, "--password-file", "-", given=f"{PASSWORD}\n") == {
        "server": server.url,
        "username": USER,
    }
    sent = call(here.home, "push", "--station", "101")
    assert (sent["step"], sent["frames"], sent["jobs"], sent["stood"], sent["withheld"]) == ("sent", 2, 1, True, "")
    assert sent["url"] == f"{server.url}/tasks/{sent['remote_id']}"
    assert len(server.world.tasks) == 1
    told = CliRunner().invoke(app, ["--home", str(here.home), "cvat", "push", "--station", "101"])
    assert "stood already" in told.stdout
    assert call(here.home, "login", "--forget") == {"forgotten": True}
    assert call(here.home, "login", "--forget") == {"forgotten": False}


@pytest.mark.parametrize("arguments", [(), ("--station", "101", "--scan", "x"), ("--station", "101", "--media", "film")])
def test_a_push_of_nothing_or_of_two_things_is_refused(aboard: tuple[PushHome, Server], arguments: tuple[str, ...]) -> None:
    here, server = aboard
    assert call(here.home, "push", *arguments, fails_with=2)["error"]["advice"]
    assert not server.asked


def test_a_push_by_the_running_appliance_tells_what_was_withheld_on_its_way(aboard: tuple[PushHome, Server]) -> None:
    here, server = aboard
    log_in(here.home, server.url, username=USER, password=PASSWORD, wait=lambda _: False)
    appliance = SimulatedAppliance(here.home, Settings(cvat_url=server.url))

    def becomes_blind() -> None:  # after it was planned, and before it goes
        with closing(open_reader(here.home / DATABASE_NAME)) as connection:
            while not tasks(connection):
                time.sleep(0.01)
        with immediate(appliance.writer) as connection:
            surveys.add_protocol(connection, here.survey_id, make_protocol(), reason="the manual", actor="test")
            seal_survey(connection, here.seal, here.survey_id)
        appliance.annotation.start()

    (lock := HomeLock(here.home)).acquire()
    meanwhile = Thread(target=becomes_blind)
    meanwhile.start()
    try:
        with serving(appliance) as client:
            write_address(here.home, str(client.base_url).rstrip("/"))
            sent = call(here.home, "push", "--station", "101")
    finally:
        meanwhile.join()
        appliance.annotation.stop()
        appliance.close()
        lock.release()
    assert (sent["step"], sent["stood"], sent["with_model"]) == ("sent", False, False)
    assert sent["withheld"] == WITHHELD_BLIND


def test_a_push_without_a_link_is_kept_and_told(aboard: tuple[PushHome, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    here, server = aboard
    monkeypatch.setattr("edge.commands.cvat_push._waited", lambda _: True)  # nobody waits between two attempts
    log_in(here.home, server.url, username=USER, password=PASSWORD, wait=lambda _: True)
    server.dies_after(0)
    told = call(here.home, "push", "--station", "101", fails_with=6)
    assert told["error"]["code"] == "link_down"
    with PushHome.reader(here) as connection:
        step, code, next_try = connection.execute("SELECT step, trouble_code, next_try_utc FROM cvat_tasks").fetchone()
    assert (step, code, bool(next_try)) == ("planned", "link_down", True)


def findings(home: Path, **changes: Any) -> dict[str, tuple[str, str]]:
    settings = Settings(**{"cvat_bridge": True, **changes})
    return {one.check: (one.state, f"{one.words} {one.advice}") for one in examine(home, settings, wait=lambda _: True)}


def test_the_doctor_says_what_is_missing_one_after_the_other(aboard: tuple[PushHome, Server]) -> None:
    here, server = aboard
    server.world.is_serverless = False
    found = findings(here.home, cvat_url=server.url)
    assert {name: state for name, (state, _) in found.items()} == {
        "models_served": "error",
        "models": "ok",
        "server": "ok",
        "server_version": "ok",
        "sdk": "ok",
        "models_plugin": "error",
        "login": "error",
        "disk": found["disk"][0],
    }
    assert "CVAT_SERVERLESS=1" in found["models_plugin"][1]
    assert "cvat login" in found["login"][1]
    assert "runs" in found["models_served"][1]
    report = call(here.home, "doctor", fails_with=1)
    assert not report["ok"]
    assert all(one["advice"] for one in report["findings"] if one["state"] == "error")


def test_the_doctor_looks_through_cvat_at_our_own_models(aboard: tuple[PushHome, Server]) -> None:
    """From end to end: CVAT asks our facade, and the doctor asks CVAT."""
    here, server = aboard
    log_in(here.home, server.url, username=USER, password=PASSWORD, wait=lambda _: True)
    settings = Settings(cvat_bridge=True, cvat_url=server.url, cvat_port=0, cvat_token="s-3")
    assert "503" in findings(here.home, cvat_url=server.url)["models_seen"][1]
    listener = Listener(here.home, settings)
    listener.start()
    try:
        server.world.nuclio_url = f"{listener.url}/s-3:8070"  # as CVAT puts host and port together
        found = {one.check: one for one in examine(here.home, settings, wait=lambda _: True)}
        server.world.nuclio_url = f"{listener.url}/wrong:8070"
        barred = {one.check: one for one in examine(here.home, settings, wait=lambda _: True)}
    finally:
        listener.stop()
    assert {name for name, one in found.items() if one.state != "ok"} <= {"disk"}
    assert "CVAT_NUCLIO_INVOKE_METHOD=dashboard" in found["models_seen"].words
    assert (barred["models_seen"].state, barred["models_address"].state) == ("error", "warning")
    assert "172.17.0.1" in barred["models_address"].advice
    assert "token" in barred["models_seen"].advice
    server.world.nuclio_url = server.url
    assert findings(here.home, cvat_url=server.url)["models_seen"][0] == "error", "it is CVAT itself, and no Nuclio"


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.14.3", "error"), ("2.15.0", "ok"), ("2.40.1", "ok"), ("2.80.1", "ok"), ("3.1.0", "warning"), ("x", "warning")],
)
def test_the_doctor_knows_the_versions(tmp_path: Path, version: str, state: str) -> None:
    with cvat(World(tmp_path / "server", version=version)) as server:
        assert findings(tmp_path, cvat_url=server.url)["server_version"][0] == state


def test_the_doctor_without_an_address_or_a_server(tmp_path: Path) -> None:
    assert findings(tmp_path)["server_address"][0] == "error"
    state, words = findings(tmp_path, cvat_url="http://127.0.0.1:9")["server"]
    assert (state, "cannot be reached" in words) == ("error", True)
    (found,) = (one for one in examine(tmp_path, Settings(cvat_url="http://127.0.0.1:9"), wait=lambda _: True) if one.check == "server")
    assert "`cvat_url`" in found.advice, "what to do, and not only that it is tried again"


def test_the_kit_has_what_cvats_compose_needs(tmp_path: Path) -> None:
    settings = Settings(cvat_host="172.17.0.1", cvat_port=8071, cvat_token="s-3cret")
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(
        "services:\n  cvat_server:\n    image: cvat/server:${CVAT_VERSION:-v2.80.0}\n  cvat_worker_annotation:\n"
        "    image: cvat/server:${CVAT_VERSION:-v2.80.0}\n  db:\n    image: postgres:15-alpine # old\n"
    )
    kit = write_kit(tmp_path / "kit", settings, version="v2.80.0", compose=compose)
    assert kit.images == ("cvat/server:v2.80.0", "postgres:15-alpine")
    override = yaml.safe_load((kit.folder / "docker-compose.imagine-edge.yml").read_text())
    server, worker = override["services"]["cvat_server"], override["services"]["cvat_worker_annotation"]
    assert server["environment"]["CVAT_SERVERLESS"] == "1"
    for one in (server, worker):
        assert one["extra_hosts"] == ["host.docker.internal:host-gateway"]
        environment = one["environment"]
        assert environment["CVAT_NUCLIO_INVOKE_METHOD"] == "dashboard"
        assert int(environment["CVAT_NUCLIO_DEFAULT_TIMEOUT"]) == 120
        assert (environment["CVAT_NUCLIO_HOST"], environment["CVAT_NUCLIO_PORT"]) == (
            "${IMAGINE_EDGE_NUCLIO_HOST}",
            "${IMAGINE_EDGE_NUCLIO_PORT}",
        )
    env_file = kit.folder / "imagine-edge.env"
    values = dict(line.split("=", 1) for line in env_file.read_text().splitlines() if not line.startswith("#"))
    assert values["IMAGINE_EDGE_NUCLIO_HOST"] == "host.docker.internal:8071/s-3cret"
    assert values["IMAGINE_EDGE_NUCLIO_PORT"] == "8071"
    assert env_file.stat().st_mode & 0o077 == 0, "it holds the token"
    assert all((kit.folder / name).stat().st_mode & 0o100 for name in ("save-images.sh", "load-images.sh"))
    with pytest.raises(ExportRefusedError):
        write_kit(tmp_path / "kit", settings, version="2.80.0")


@pytest.mark.parametrize(("version", "host"), [("latest", None), ("2.80.0", "a b"), ("2.80.0", "$(reboot)")])
def test_a_kit_of_nonsense_is_refused(tmp_path: Path, version: str, host: str | None) -> None:
    with pytest.raises(SettingsError):
        write_kit(tmp_path / "kit", Settings(), version=version, host=host)
    assert not (tmp_path / "kit").exists()


def test_the_kit_names_only_services_that_are_there() -> None:
    """Compose does not start with an override of a service that has no image."""
    older = "services:\n  cvat_server:\n    image: a:1\n  cvat_worker_default:\n    image: a:1\n"
    assert workers_of(older) == ("cvat_worker_default",)
    assert set(yaml.safe_load(override_text(workers_of(older)))["services"]) == {"cvat_server", "cvat_worker_default"}
    with pytest.raises(SettingsError, match="cvat_server"):
        workers_of("services:\n  web:\n    image: a:1\n")


def test_images_come_from_the_release_or_not_at_all() -> None:
    with pytest.raises(SettingsError, match="no images"):
        images_of("services: {}\n", "2.80.0")
    with pytest.raises(SettingsError, match="OTHER"):
        images_of("x:\n  image: a:${OTHER}\n", "2.80.0")
