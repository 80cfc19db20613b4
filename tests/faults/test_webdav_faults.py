"""A cloud's folder has a bundle under its name only when it is whole, whatever the link and the server do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import LinkDownError, LoginNeededError, ServerFailedError, ServerRefusedError, TransportError
from edge.sink_settings import SinkSettings
from sync.sinks.secrets import Secret
from sync.sinks.sink import NotConfirmedError, SinkFullError
from sync.sinks.webdav import READ_BACK_BYTES, WebDavSink
from tests.helpers.ashore import Cargo, Meter, cargo
from tests.simulators.chaos import EMPTY_SUCCESS, PORTAL, Trouble, chaos
from tests.simulators.webdav import PASSWORD, ROOT, USER, Cloud, webdav

FOLDER = "Fahrt 12/bündel"
KB = 1000
MakeSink = Callable[..., WebDavSink]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with webdav() as running:
        yield running


@pytest.fixture
def make_sink() -> Iterator[MakeSink]:
    made = []

    def make(url: str, *, password: str = PASSWORD, meter: Meter | None = None) -> WebDavSink:
        settings = SinkSettings(name="cloud", kind="webdav", url=url, folder=FOLDER)
        made.append(WebDavSink(settings, Secret(name=USER, word=password), meter or Meter(), stall_s=5))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def until_held(sink: WebDavSink, sent: Cargo, *, most: int = 12) -> list[str]:
    """Ask, bring, ask, as a delivery does, until it is there. Returns what went wrong on the way."""
    troubles: list[str] = []
    for _ in range(most):
        try:
            if sent.is_held(sink):
                return troubles
            sent.put(sink)
        except TransportError as error:
            if isinstance(error, ServerRefusedError):
                raise
            troubles.append(error.code)
    raise AssertionError(troubles)


def finals(cloud: Cloud) -> dict[str, bytes]:
    return {path: content for path, content in cloud.files.items() if not path.endswith(".incoming")}


def test_folders_are_made_once_and_a_bundle_has_its_name_when_it_is_whole(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    sink, first, second = make_sink(cloud.url), cargo(tmp_path, 20 * KB), cargo(tmp_path, 20 * KB, seed=2)
    assert until_held(sink, first) == []
    assert until_held(sink, second) == []
    assert cloud.files == {f"/{FOLDER}/{one.key}": one.content for one in (first, second)}
    assert cloud.count("^MKCOL") == len(FOLDER.split("/")) + 5
    assert cloud.count("^PUT .*[.]incoming$") == cloud.count("^PUT") == 2
    assert cloud.count("^GET") == 0, "the server says itself what it received"
    assert until_held(make_sink(cloud.url), first) == []
    assert cloud.count("^PUT") == 2


def test_a_server_that_says_nothing_is_read_back(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    cloud.tells_hash = cloud.keeps_sums = False
    sink, sent = make_sink(cloud.url), cargo(tmp_path, 20 * KB)
    assert until_held(sink, sent) == []
    assert cloud.count("^GET") == 1
    assert sent.is_held(make_sink(cloud.url))
    assert cloud.count("^GET") == 2
    cloud.files[f"/{FOLDER}/{sent.key}"] = bytes(len(sent.content))
    assert not sent.is_held(make_sink(cloud.url))


def test_what_cannot_be_confirmed_does_not_stay(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    cloud.tells_hash = cloud.keeps_sums = False
    with pytest.raises(ServerRefusedError, match="read back"):
        cargo(tmp_path, READ_BACK_BYTES + 1).put(make_sink(cloud.url))
    assert cloud.files == {}


@pytest.mark.parametrize("tells_hash", [True, False])
def test_a_cloud_that_lies_is_not_believed(cloud: Cloud, make_sink: MakeSink, tmp_path: Path, tells_hash: bool) -> None:
    cloud.tells_hash = tells_hash
    sink, sent = make_sink(cloud.url), cargo(tmp_path, 20 * KB)
    cloud.breaks("^PUT", "damage")
    with pytest.raises(NotConfirmedError):
        sent.put(sink)
    assert cloud.files == {}
    cloud.breaks("^PUT", "swallow")
    with pytest.raises(TransportError):
        sent.put(sink)
    cloud.breaks("^MOVE", "swallow")
    sent.put(sink)
    assert not sent.is_held(sink), "it said that it moved it, and did not"
    assert until_held(sink, sent) == []
    cloud.files[f"/{FOLDER}/{sent.key}"] += b"?"
    assert not sent.is_held(sink)


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cut_at_any_byte_leaves_no_half_file_under_its_name(cloud: Cloud, make_sink: MakeSink, tmp_path: Path, way: str) -> None:
    sent = cargo(tmp_path, 30 * KB)
    with chaos(cloud.port) as proxy:
        url = f"{proxy.url}{ROOT}"
        ups = (0, 300, 700, 1500, 2500, 4000, 20_000, 33_000, 34_000)
        for number in ups if way == "up" else (0, 1, 250, 600, 900, 1300):
            cloud.files.clear()
            cloud.folders = {""}
            proxy.plan(Trouble(cut_up_bytes=number) if way == "up" else Trouble(cut_down_bytes=number))
            sink = make_sink(url)
            assert set(until_held(sink, sent)) <= {"link_down"}
            assert finals(cloud) == {f"/{FOLDER}/{sent.key}": sent.content}


@pytest.mark.parametrize("where", ["^MKCOL", "^PUT", "^MOVE", "^PROPFIND"])
def test_a_lost_answer_at_every_request(cloud: Cloud, make_sink: MakeSink, tmp_path: Path, where: str) -> None:
    sent = cargo(tmp_path, 10 * KB)
    cloud.breaks(where, "lose_answer", times=2)
    assert set(until_held(make_sink(cloud.url), sent)) == {"link_down"}
    assert cloud.files == {f"/{FOLDER}/{sent.key}": sent.content}


@pytest.mark.parametrize("lie", [PORTAL, EMPTY_SUCCESS, PORTAL.replace(b"200 OK", b"302 Found\r\nLocation: http://127.0.0.1:9/")])
def test_a_sign_in_page_is_no_success(cloud: Cloud, make_sink: MakeSink, tmp_path: Path, lie: bytes) -> None:
    sent = cargo(tmp_path, 2 * KB)
    with chaos(cloud.port) as proxy:
        proxy.always = Trouble(lie=lie)
        sink = make_sink(f"{proxy.url}{ROOT}")
        for call in (lambda: sent.is_held(sink), lambda: sent.put(sink)):
            with pytest.raises(ServerFailedError) as told:
                call()
            assert "sign-in page" in told.value.advice()


@pytest.mark.parametrize(
    ("status", "kind", "named"),
    [
        (507, SinkFullError, "no room"),
        (401, LoginNeededError, "sign-in"),
        (403, ServerRefusedError, "on purpose"),
        (413, ServerRefusedError, "413"),
        (423, ServerFailedError, "cannot do it now"),
        (503, ServerFailedError, "cannot do it now"),
        (409, LinkDownError, "made again"),
    ],
)
def test_what_a_cloud_refuses_is_told(
    cloud: Cloud, make_sink: MakeSink, tmp_path: Path, status: int, kind: type[TransportError], named: str
) -> None:
    sink, sent = make_sink(cloud.url), cargo(tmp_path, 2 * KB)
    for where in ("^MKCOL", "^PUT", "^MOVE"):
        cloud.breaks(where, status=status)
        with pytest.raises(kind, match=named) as told:
            sent.put(sink)
        assert PASSWORD not in str(told.value) + told.value.advice()
    assert finals(cloud) == {}
    assert until_held(sink, sent) == []


def test_a_wrong_password_names_the_command(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    with pytest.raises(LoginNeededError) as told:
        cargo(tmp_path, KB).is_held(make_sink(cloud.url, password="old"))
    assert "sync login" in told.value.advice()


def test_a_folder_that_somebody_removed_is_made_again(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    sink = make_sink(cloud.url)
    assert until_held(sink, cargo(tmp_path, KB)) == []
    cloud.files.clear()
    cloud.folders = {""}
    assert until_held(sink, cargo(tmp_path, KB, seed=2)) == ["link_down"]


def test_hostile_xml_is_no_answer(cloud: Cloud, make_sink: MakeSink, tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    lie = b"HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(bomb)
    with chaos(cloud.port) as proxy:
        proxy.always = Trouble(lie=lie + bomb)
        with pytest.raises(ServerFailedError):
            cargo(tmp_path, KB).is_held(make_sink(f"{proxy.url}{ROOT}"))
