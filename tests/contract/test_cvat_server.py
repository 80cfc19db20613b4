"""What is asked of a CVAT server: over REST of both generations, and through cvat-sdk where it fits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator_bridge.cvat import link as link_module
from annotator_bridge.cvat import rest as rest_module
from annotator_bridge.cvat import sdk as sdk_module
from annotator_bridge.cvat.address import checked_address
from annotator_bridge.cvat.labels import make_labels
from annotator_bridge.cvat.login import LOGIN_NAME, Login, forget_login, keep_login, known_login, read_login, scheme_of
from annotator_bridge.cvat.rest import RestServer, sign_in
from annotator_bridge.cvat.server import CvatServer, UploadFile, generation_of
from annotator_bridge.cvat.session import open_anonymously, open_server
from annotator_bridge.cvat.signing import log_in
from edge.errors import LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError, SettingsError, StoreError
from tests.helpers.cvat_push import picture
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import NEW, OLD, PASSWORD, USER, World

LABELS = make_labels(("burrow", "crab"), "rectangle")


def at_once(_seconds: float) -> bool:
    return False


@pytest.fixture(params=[(OLD, False), (NEW, False), (NEW, True)], ids=["rest 2.15", "rest 2.80", "sdk 2.80"])
def asked(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[CvatServer, Server]]:
    version, by_sdk = request.param
    if not by_sdk:
        monkeypatch.setattr("importlib.metadata.version", lambda _: "2.1.0")
    with cvat(World(tmp_path / "server", version=version)) as server:
        token = server.world.login({"username": USER, "password": PASSWORD})
        with open_server(Login(server=server.url, username=USER, token=token), wait=at_once) as opened:
            assert opened.how == ("sdk" if by_sdk else "rest")
            yield opened, server


def with_data(server: CvatServer, folder: Path, *, stills: int = 3, segment: int = 2) -> int:
    """A task with frames."""
    task_id = server.create_task("tow [abc]", LABELS, segment)
    files = []
    for number in range(stills):
        path = folder / f"{number}.jpg"
        path.write_bytes(picture(str(number)))
        files.append(UploadFile(name=f"{number:06d}.jpg", path=path, size_bytes=path.stat().st_size))
    told: list[tuple[int, int]] = []
    work = server.upload(task_id, files, kept={}, keep=lambda _: None, sent=lambda out, of: told.append((out, of)))
    assert told[-1][0] == told[-1][1] == sum(file.size_bytes for file in files)
    while server.data_status(task_id, work).state != "done":
        pass
    return task_id


def test_a_task_from_nothing_to_annotations(asked: tuple[CvatServer, Server], tmp_path: Path) -> None:
    server, world = asked[0], asked[1].world
    assert (server.about().version, server.who(), server.find_task("[abc]")) == (world.version, USER, None)
    task_id = with_data(server, tmp_path)
    found = server.find_task(" [abc]")
    assert found is not None
    assert (found.id, found.name, found.frames, found.url) == (task_id, "tow [abc]", 3, f"{asked[1].url}/tasks/{task_id}")
    assert [(one.name, one.width_px, one.height_px) for one in server.meta(task_id).frames] == [(f"{n:06d}.jpg", 64, 48) for n in range(3)]
    assert [(one.first_frame, one.last_frame, one.state, one.kind) for one in server.jobs(task_id)] == [
        (0, 1, "new", "annotation"),
        (2, 2, "new", "annotation"),
    ]
    labels = server.labels(task_id)
    assert [(one.name, one.shape, [spec.name for spec in one.attributes]) for one in labels] == [
        ("burrow", "rectangle", ["edge_id", "confidence", "confidence_percent"]),
        ("crab", "rectangle", ["edge_id", "confidence", "confidence_percent"]),
    ]
    shape = {
        "type": "rectangle",
        "frame": 2,
        "label_id": labels[0].id,
        "group": 0,
        "source": "auto",
        "occluded": False,
        "outside": False,
        "z_order": 0,
        "rotation": 0.0,
        "points": [1.5, 2.0, 9.0, 8.25],
        "attributes": [{"spec_id": labels[0].attributes[0].id, "value": "u-1"}],
    }
    server.add_annotations(task_id, {"version": 0, "tags": [], "shapes": [shape], "tracks": []})
    (stored,) = server.task_annotations(task_id)["shapes"]
    assert stored["points"] == [1.5, 2.0, 9.0, 8.25]
    assert server.job_annotations(server.jobs(task_id)[1].id)["shapes"] == [stored]
    assert server.job_annotations(server.jobs(task_id)[0].id)["shapes"] == []
    server.delete_task(task_id)
    assert server.task(task_id) is None


def test_what_a_document_may_not_hold_is_refused_with_the_servers_words(asked: tuple[CvatServer, Server], tmp_path: Path) -> None:
    server, _ = asked
    task_id = with_data(server, tmp_path, stills=1)
    label = server.labels(task_id)[0]
    shape = {
        "type": "rectangle",
        "frame": 0,
        "label_id": 99999,
        "group": 0,
        "occluded": False,
        "points": [1.0, 1.0, 2.0, 2.0],
        "attributes": [],
    }
    with pytest.raises(ServerRefusedError, match="label_id"):
        server.add_annotations(task_id, {"version": 0, "tags": [], "shapes": [shape], "tracks": []})
    good = {**shape, "label_id": label.id}
    with pytest.raises(ServerRefusedError, match="label_id"):
        server.add_annotations(task_id, {"version": 0, "tags": [], "shapes": [good, shape], "tracks": []})
    assert server.task_annotations(task_id)["shapes"] == [], "all of a document or nothing"


def test_lists_are_read_to_their_end(asked: tuple[CvatServer, Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_module, "_PAGE", 2)
    monkeypatch.setattr(sdk_module, "_PAGE", 2)
    server, simulated = asked
    task_id = with_data(server, tmp_path, stills=5, segment=1)
    assert [one.first_frame for one in server.jobs(task_id)] == [0, 1, 2, 3, 4]
    assert simulated.count("GET /api/jobs") == 3


def test_data_that_was_never_begun_or_is_forgotten_is_none(asked: tuple[CvatServer, Server], tmp_path: Path) -> None:
    """A queue that knows nothing of a task calls that finished: its frames tell."""
    server, simulated = asked
    task_id = server.create_task("x", LABELS, 2)
    assert server.data_status(task_id, None).state == "none"
    simulated.world.fails_data_of = "x"
    path = tmp_path / "a.jpg"
    path.write_bytes(picture("a"))
    file = UploadFile(name="a.jpg", path=path, size_bytes=path.stat().st_size)
    work = server.upload(task_id, [file], kept={}, keep=lambda _: None, sent=lambda *_: None)
    assert server.data_status(task_id, work).state == "working"
    failed = server.data_status(task_id, work)
    assert (failed.state, "No space left" in failed.message) == ("failed", True)
    simulated.world.tasks[task_id].rq_is_gone = True
    assert server.data_status(task_id, work).state == "none"
    with pytest.raises(ServerRefusedError) as gone:
        server.data_status(9999, None)
    assert gone.value.status == 404


@pytest.mark.parametrize(
    ("how", "about", "error"),
    [
        ("page", {}, ServerFailedError),
        ("redirect", {}, ServerFailedError),
        ("cut_answer", {}, LinkDownError),
        ("status", {"status": 502}, ServerFailedError),
        ("status", {"status": 403}, ServerRefusedError),
        ("status", {"status": 401}, LoginNeededError),
        ("lie", {"value": {"id": "x"}}, ServerFailedError),
        ("lie", {"value": []}, ServerFailedError),
    ],
)
def test_what_is_no_answer_is_an_error_with_advice(
    asked: tuple[CvatServer, Server], how: Any, about: dict[str, Any], error: type[Exception]
) -> None:
    server, simulated = asked
    task_id = server.create_task("x", LABELS, 2)
    simulated.breaks(f"GET /api/tasks/{task_id}$", how, times=9, **about)
    with pytest.raises(error) as told:
        server.task(task_id)
    assert told.value.advice()  # type: ignore[attr-defined]
    assert not any("elsewhere" in line for line in simulated.asked)


@pytest.mark.parametrize(("status", "error"), [(200, ServerFailedError), (400, ServerRefusedError), (404, ServerRefusedError)])
def test_an_answer_without_a_floor_is_an_error_too(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        link_module.answer_of("http://cvat.ship", link_module.Reply(status=status, headers={}, content=b"[" * 200_000))


def test_what_may_be_asked_twice_is_tried_again(tmp_path: Path) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    with cvat(World(tmp_path / "server")) as server, open_anonymously(server.url, wait=wait) as (_, rest):
        server.breaks("about", "status", times=2, status=503, after_s=3)
        assert rest.about().version == OLD
    assert waited == [3.0, 4.0]


def test_an_answer_without_an_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MAX_ANSWER_BYTES", 1_000_000)
    with cvat(World(tmp_path / "server")) as server, open_anonymously(server.url, wait=lambda _: True) as (_, rest):
        server.breaks("about", "long")
        with pytest.raises(ServerFailedError, match="more than"):
            rest.about()


def test_another_name_than_that_of_cvats_proxy_is_told(tmp_path: Path) -> None:
    """Traefik answers a request for another host with a page that is no JSON."""
    world = World(tmp_path / "server")
    world.host_rule = "cvat.ship"
    with cvat(world) as server, open_anonymously(server.url, wait=at_once) as (_, rest), pytest.raises(ServerRefusedError) as told:
        rest.about()
    assert "CVAT_HOST" in told.value.advice()


@pytest.mark.parametrize("version", ["2.79.0", "2.81.0", "garbage"])
def test_a_package_of_another_version_is_not_used(tmp_path: Path, version: str) -> None:
    with cvat(World(tmp_path / "server", version=version)) as server:
        token = server.world.login({"username": USER, "password": PASSWORD})
        with open_server(Login(server=server.url, username=USER, token=token), wait=at_once) as opened:
            assert (opened.how, opened.who()) == ("rest", USER)


def test_a_package_that_cannot_be_loaded_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk.api_client", None)
    with cvat(World(tmp_path / "server", version=NEW)) as server:
        token = server.world.login({"username": USER, "password": PASSWORD})
        with open_server(Login(server=server.url, username=USER, token=token), wait=at_once) as opened:
            assert (opened.how, opened.who()) == ("rest", USER)


def test_signing_out_in_cvat_ends_the_token(tmp_path: Path) -> None:
    with cvat(World(tmp_path / "server")) as server:
        login = log_in(tmp_path / "home", server.url, username=USER, password=PASSWORD, wait=at_once)
        with open_server(login, wait=at_once) as opened:
            link = link_module.Link(server.url, authorization=login.authorization)
            assert link.carry("POST", "/api/auth/logout").status == 200
            link.close()
            with pytest.raises(LoginNeededError) as told:
                opened.who()
    assert "account" in told.value.advice()


def test_signing_in_keeps_a_token_that_nobody_else_can_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with cvat(World(tmp_path / "server")) as server:
        login = log_in(home, server.url, username=USER, password=PASSWORD, wait=at_once)
        assert (login.username, login.scheme) == (USER, "Token")
        kept = home / LOGIN_NAME
        assert kept.stat().st_mode & 0o077 == 0
        assert PASSWORD not in kept.read_text()
        assert read_login(home, server.url) == login
        assert read_login(home, "https://elsewhere") is None, "a token is for its server only"
        assert login.token not in repr(login)
        with pytest.raises(LoginNeededError, match="does not accept"):
            log_in(home, server.url, username=USER, password="wrong", wait=at_once)
        assert read_login(home, server.url) == login
        server.world.expire_tokens()
        with open_server(login, wait=at_once) as opened, pytest.raises(LoginNeededError):
            opened.who()
    kept.chmod(0o644)
    with pytest.raises(StoreError, match="others"):
        read_login(home, server.url)
    assert forget_login(home)
    assert not forget_login(home)


def test_a_personal_access_token_is_a_bearers(tmp_path: Path) -> None:
    with cvat(World(tmp_path / "server", version=NEW)) as server:
        token = server.world.make_access_token()
        login = log_in(tmp_path / "home", server.url, token=token, wait=at_once)
        assert (login.username, login.scheme) == (USER, "Bearer")
        assert any(one.get("Authorization") == f"Bearer {token}" for one in server.headers)


def test_the_environment_can_have_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGINE_EDGE_CVAT_TOKEN", "ab" * 20)
    login = read_login(tmp_path, "https://cvat.ship")
    assert login is not None
    assert (login.token, login.scheme) == ("ab" * 20, "Token")
    keep_login(tmp_path, Login(server="https://cvat.ship", username="x", token="kept"))
    found = read_login(tmp_path, "https://cvat.ship")
    assert found is not None
    assert found.token == "kept"


@pytest.mark.parametrize("token", ["pat.top\nsecret", "pat.top\r\nX: y", "pat.t\u00f6p", "pat.top secret", " "], ids=ascii)
def test_a_token_that_no_header_can_carry_is_refused_and_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    with cvat(World(tmp_path / "server")) as server:
        with pytest.raises(LoginNeededError) as told:
            log_in(tmp_path, server.url, token=token, wait=at_once)
        assert server.asked == []
        monkeypatch.setenv("IMAGINE_EDGE_CVAT_TOKEN", token)
        with pytest.raises(LoginNeededError) as of_environment:
            read_login(tmp_path, server.url)
    for error in (told.value, of_environment.value):
        assert "pat." not in f"{error} {error.advice()}"
    assert known_login(tmp_path, server.url) is None
    assert not (tmp_path / LOGIN_NAME).exists()


def test_a_line_end_behind_a_token_is_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGINE_EDGE_CVAT_TOKEN", "ab" * 20 + "\r\n")
    login = read_login(tmp_path, "https://cvat.ship")
    assert login is not None
    assert (login.token, login.scheme) == ("ab" * 20, "Token")


def test_a_sign_in_that_answers_nonsense_is_no_sign_in(tmp_path: Path) -> None:
    with cvat(World(tmp_path / "server")) as server, open_anonymously(server.url, wait=at_once) as (link, _):
        server.breaks("login", "lie", value={"key": "two\nlines"})
        with pytest.raises(ServerFailedError, match="no token"):
            sign_in(link, USER, PASSWORD)


@pytest.mark.parametrize(
    "address",
    ["", "ftp://x", "http://", "cvat", "http://user:pw@localhost", "http://localhost/api", "http://localhost:0", "http://192.168.1.5:8080"],
)
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    with pytest.raises(SettingsError) as told:
        checked_address(address)
    assert told.value.advice()


def test_addresses_and_tokens_by_their_kind() -> None:
    assert checked_address(" http://localhost:8080/ ") == "http://localhost:8080"
    assert checked_address("http://192.168.1.5:8080", plain_allowed=True) == "http://192.168.1.5:8080"
    assert (scheme_of("0" * 40), scheme_of("abcd.efgh")) == ("Token", "Bearer")
    assert [generation_of(one) for one in ("2.15.0", "2.80.1.dev2", "2", "x.y")] == [(2, 15), (2, 80), None, None]


def test_the_real_server_would_refuse_what_the_simulated_one_refuses(tmp_path: Path) -> None:
    """Rules of CVAT that a client must keep: the kind of answer it accepts, an origin for uploads, a name within 256 letters."""
    with cvat(World(tmp_path / "server")) as server, open_anonymously(server.url, wait=at_once) as (link, _):
        assert link.carry("GET", "/api/server/about", headers={"Accept": "application/json"}).status == 406
        assert link.carry("GET", "/api/tasks").status == 401
        token = server.world.login({"username": USER, "password": PASSWORD})
        signed = link_module.Link(server.url, authorization=f"Token {token}")
        rest = RestServer(signed, wait=at_once)
        with pytest.raises(ServerRefusedError, match="256"):
            rest.create_task("x" * 257, LABELS, 1)
        with pytest.raises(ServerRefusedError, match="unique"):
            rest.create_task("x", [*LABELS, LABELS[0]], 1)
        signed.close()
    assert os.environ.get("IMAGINE_EDGE_CVAT_TOKEN") is None
