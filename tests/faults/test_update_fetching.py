"""Models over a link that breaks, lies, stalls or costs: what is here stays, what is missing is fetched, nothing is believed unseen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.errors import EdgeError, LinkDownError, ServerFailedError, ServerRefusedError, SettingsError, TransportError
from sync.sinks.sink import Free
from sync.updates.client import brought_before
from sync.updates.errors import UpdatesUntrustedError
from sync.updates.source import checked_source
from tests.helpers.updates_ship import UpdatesShip
from tests.simulators.models_server import ModelsServer
from tests.simulators.shore import Shore, measured_pack

SIZE_BYTES = 300_000
NO_OP_BYTES = 400


@pytest.fixture
def shore(tmp_path: Path) -> Shore:
    """A model that does not pack well, as weights do not."""
    shore = Shore(tmp_path / "repo")
    shore.publish(measured_pack(tmp_path / "pack", weights=os.urandom(SIZE_BYTES)).path)
    return shore


@pytest.fixture
def server(shore: Shore) -> Iterator[ModelsServer]:
    with ModelsServer(shore.public).serving() as server:
        yield server


@pytest.fixture
def ship(tmp_path: Path, shore: Shore, server: ModelsServer) -> Iterator[UpdatesShip]:
    ship = UpdatesShip(tmp_path / "home", shore.root, server.url)
    yield ship
    ship.close()


def model_answers(server: ModelsServer) -> list[int]:
    """How many bytes of the model each answer brought."""
    return [one.body_bytes for one in server.asked if one.path.startswith("/targets/")]


def test_a_check_that_finds_nothing_new_costs_a_few_hundred_bytes(ship: UpdatesShip, server: ModelsServer) -> None:
    assert ship.offered() == ["tiny 1.0.0"]
    first = server.body_bytes
    server.asked.clear()
    assert ship.offered() == ["tiny 1.0.0"]
    assert [(one.method, one.path) for one in server.asked] == [("HEAD", "/metadata/2.root.json"), ("GET", "/metadata/timestamp.json")]
    assert server.body_bytes <= NO_OP_BYTES
    assert first < 5000


def test_a_model_comes_in_pieces_over_a_link_that_breaks(ship: UpdatesShip, server: ModelsServer, shore: Shore) -> None:
    server.manners.cut_after_bytes = 70_000
    size = shore.target_file().stat().st_size
    assert ship.bring().path.read_bytes() == shore.target_file().read_bytes()
    assert model_answers(server) == [70_000] * (size // 70_000) + [size % 70_000]
    assert {one.if_range for one in server.asked if one.asked_range} == {'"one"'}
    assert ship.parts() == []


def test_the_next_process_goes_on_where_the_last_one_ended(ship: UpdatesShip, server: ModelsServer, shore: Shore) -> None:
    class Budget:
        left = 150_000

        def sent(self, count_bytes: int) -> None:
            pass

        def received(self, count_bytes: int) -> None:
            self.left -= count_bytes
            if self.left < 0:
                raise TransportError("the budget of today is spent")

    ship.spend = Budget()
    with pytest.raises(TransportError, match="the budget of today is spent"):
        ship.bring()
    (part,) = ship.parts()
    here = part.stat().st_size
    assert 0 < here < 150_000
    assert ship.staged() == []
    server.asked.clear()
    ship.spend = Free()
    assert ship.bring().path.read_bytes() == shore.target_file().read_bytes()
    assert model_answers(server) == [shore.target_file().stat().st_size - here]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_tag_the_address_itself_says_that_it_is_the_same(ship: UpdatesShip, server: ModelsServer, etag: str) -> None:
    server.manners.cut_after_bytes, server.manners.etag = 200_000, etag
    ship.bring()
    assert {one.if_range for one in server.asked if one.asked_range} == {""}


def test_a_file_that_was_exchanged_begins_anew(ship: UpdatesShip, server: ModelsServer, shore: Shore) -> None:
    server.manners.cut_after_bytes = 100_000

    def exchange(_: float) -> None:
        server.manners.etag, server.manners.cut_after_bytes = '"two"', None

    ship.wait = exchange
    assert ship.bring().path.read_bytes() == shore.target_file().read_bytes()
    assert model_answers(server) == [100_000, shore.target_file().stat().st_size]


def test_a_server_that_knows_no_parts(ship: UpdatesShip, server: ModelsServer, shore: Shore) -> None:
    server.manners.no_ranges, server.manners.cut_after_bytes = True, 100_000
    with pytest.raises(LinkDownError, match="cannot be reached"):
        ship.bring()
    assert ship.waits
    server.manners.cut_after_bytes = None
    assert ship.bring().path.read_bytes() == shore.target_file().read_bytes()


def test_a_server_that_answers_with_another_part(ship: UpdatesShip, server: ModelsServer) -> None:
    server.manners.cut_after_bytes, server.manners.wrong_range = 100_000, True
    with pytest.raises(LinkDownError, match="another part than was asked for"):
        ship.bring()
    assert ship.parts() == []


def test_a_part_that_was_damaged_on_the_disk_is_not_believed(ship: UpdatesShip, server: ModelsServer, shore: Shore) -> None:
    server.manners.cut_after_bytes, server.manners.no_ranges = 100_000, True
    with pytest.raises(LinkDownError):
        ship.bring()
    (part,) = ship.parts()
    part.write_bytes(bytes(part.stat().st_size))
    server.manners.cut_after_bytes, server.manners.no_ranges = None, False
    with pytest.raises(UpdatesUntrustedError):
        ship.bring()
    assert ship.parts() == []
    assert ship.bring().path.read_bytes() == shore.target_file().read_bytes()


@pytest.mark.parametrize("name", ["/targets/", "/metadata/timestamp.json", "/metadata/2.root.json"])
def test_data_without_an_end(ship: UpdatesShip, server: ModelsServer, name: str) -> None:
    server.manners.endless = name
    with pytest.raises(UpdatesUntrustedError, match="more comes than was signed"):
        ship.bring()
    assert ship.parts() == []
    assert ship.staged() == []


@pytest.mark.parametrize(
    ("status", "kind"), [(503, ServerFailedError), (429, ServerFailedError), (302, ServerFailedError), (401, ServerRefusedError)]
)
def test_a_server_that_will_not(ship: UpdatesShip, server: ModelsServer, status: int, kind: type[EdgeError]) -> None:
    server.manners.status = {"timestamp.json": status}
    with pytest.raises(kind, match=str(status)):
        ship.check()
    server.manners.status = {".zip": status}
    with pytest.raises(kind, match=str(status)):
        ship.bring()
    server.manners.status = {}
    ship.bring()


@pytest.mark.parametrize("status", [403, 404])
def test_a_bucket_that_hides_what_is_not_there(ship: UpdatesShip, server: ModelsServer, status: int) -> None:
    server.manners.status = {"2.root.json": status}
    assert ship.offered() == ["tiny 1.0.0"]


@pytest.mark.parametrize("status", [405, 501])
def test_a_server_without_head(ship: UpdatesShip, server: ModelsServer, shore: Shore, status: int) -> None:
    shore.rotate("root")
    server.manners.status = {"3.root.json": status}
    with pytest.raises((ServerFailedError, ServerRefusedError), match=str(status)):
        ship.check()
    assert [one.method for one in server.asked if one.path.endswith("3.root.json")] == ["HEAD", "GET"]


def test_the_sign_in_page_of_a_network(ship: UpdatesShip, server: ModelsServer) -> None:
    server.manners.page = b"<html>Welcome aboard! Type your cabin number.</html>"
    with pytest.raises(UpdatesUntrustedError, match="no signed metadata") as caught:
        ship.check()
    assert "sign-in page" in caught.value.advice()


def test_nobody_answers(ship: UpdatesShip) -> None:
    ship.source = "http://127.0.0.1:1/"
    with pytest.raises(LinkDownError, match=r"127\.0\.0\.1:1 cannot be reached"):
        ship.check()
    assert len(ship.waits) == 3


def test_what_was_brought_is_not_fetched_again(ship: UpdatesShip, server: ModelsServer) -> None:
    brought = ship.bring()
    server.asked.clear()
    assert ship.bring() == brought
    assert model_answers(server) == []
    server.asked.clear()
    assert brought_before(ship.aboard, "tiny", "1.0.0") == brought
    assert server.asked == []
    brought.path.write_bytes(b"damaged")
    assert brought_before(ship.aboard, "tiny", "1.0.0") is None
    assert ship.bring() == brought


def test_what_passes_is_counted(ship: UpdatesShip, server: ModelsServer) -> None:
    class Count:
        up = down = 0

        def sent(self, count_bytes: int) -> None:
            self.up += count_bytes

        def received(self, count_bytes: int) -> None:
            self.down += count_bytes

    ship.spend = count = Count()
    ship.bring()
    assert server.body_bytes < count.down < server.body_bytes + 600 * len(server.asked)
    assert count.up >= 300 * len(server.asked)


@pytest.mark.parametrize(
    "given",
    ["http://example.org/models", "ftp://example.org/", "https://", "https://me:secret@example.org/", "https://example.org/?a=1", " "],
)
def test_an_address_that_cannot_be_used(ship: UpdatesShip, given: str) -> None:
    with pytest.raises(SettingsError):
        checked_source(given)
    ship.source = given
    with pytest.raises(SettingsError):
        ship.check()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://example.org/models", "https://example.org/models/"),
        ("http://192.168.1.5:8000/", "http://192.168.1.5:8000/"),
        ("http://[::1]:8000", "http://[::1]:8000/"),
        ("http://localhost/m", "http://localhost/m/"),
        ("/media/stick", Path("/media/stick")),
    ],
)
def test_an_address_that_can(given: str, meant: Any) -> None:
    assert checked_source(given) == meant
