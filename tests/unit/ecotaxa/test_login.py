"""Who the appliance is to EcoTaxa: tokens are renewed, passwords stay where a person put them, and go to nobody else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from edge.errors import LinkDownError, LoginNeededError
from edge.zooscan.ecotaxa.login import LOGIN_NAME, PASSWORD_VARIABLE, USER_VARIABLE, read_login
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import SCAN
from tests.simulators.ecotaxa import Server, ecotaxa
from tests.simulators.ecotaxa_world import NAME, PASSWORD, USER, World


def test_an_expired_token_is_renewed_with_the_kept_password(ship: EcotaxaHome, world: World) -> None:
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    assert world.logins == 1
    world.expire_tokens()
    assert ship.run(upload_id).state == "done"
    assert world.logins == 2


def test_an_older_servers_word_for_an_expired_token_is_understood(ship: EcotaxaHome, world: World) -> None:
    world.is_old = True
    ship.add_scan()
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    world.expire_tokens()
    assert ship.run(upload_id).state == "done"


def test_without_a_password_it_waits_for_a_person(ship: EcotaxaHome, world: World, server: Server) -> None:
    ship.add_scan()
    assert ship.desk.sign_in(USER, PASSWORD, keep_password=False) == NAME
    upload_id = ship.desk.push(SCAN, "rita")
    ship.desk.step()
    world.expire_tokens()
    row = ship.run(upload_id, steps=3)
    assert row.state == "importing"
    assert "has expired" in row.detail
    assert "zooscan login" in row.detail
    asked = len(server.asked)
    ship.run(upload_id, steps=3)
    assert len(server.asked) == asked, "an account that is asked for again and again may be locked"
    ship.desk.sign_in(USER, PASSWORD, keep_password=False)
    assert ship.run(upload_id).state == "done"


def test_name_and_password_may_come_from_the_environment(ship: EcotaxaHome, monkeypatch: pytest.MonkeyPatch) -> None:
    (ship.home / LOGIN_NAME).unlink()
    monkeypatch.setenv(USER_VARIABLE, USER)
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    ship.add_scan()
    assert ship.run(ship.desk.push(SCAN, "rita")).state == "done"
    kept = read_login(ship.home)
    assert kept is not None
    assert kept.password is None


def test_a_wrong_password_is_told_and_nothing_of_it_kept(ship: EcotaxaHome) -> None:
    (ship.home / LOGIN_NAME).unlink()
    with pytest.raises(LoginNeededError, match="does not accept"):
        ship.desk.sign_in(USER, "wrong password", keep_password=True)
    assert not (ship.home / LOGIN_NAME).exists()


def test_a_password_that_is_typed_at_sea_is_kept_only_if_it_shall_be(ship: EcotaxaHome) -> None:
    away = ship.new_desk(server="http://127.0.0.1:9/api")
    with pytest.raises(LinkDownError):
        away.sign_in(USER, PASSWORD, keep_password=False)
    assert away.sign_in(USER, PASSWORD, keep_password=True) is None
    assert away.login_state().keeps_password


def test_what_is_secret_stands_in_one_private_file_only(ship: EcotaxaHome, caplog: pytest.LogCaptureFixture) -> None:
    ship.add_scan()
    ship.desk.sign_in(USER, PASSWORD, keep_password=True)
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "done"
    path = ship.home / LOGIN_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = str(json.loads(path.read_text())["token"])
    holders = [
        one
        for one in ship.home.rglob("*")
        if one.is_file() and any(text in one.read_bytes() for text in (PASSWORD.encode(), token.encode()))
    ]
    assert holders == [path]
    assert PASSWORD not in caplog.text
    assert token not in caplog.text
    kept = read_login(ship.home)
    assert PASSWORD not in repr(kept)
    assert token not in repr(kept)


def test_a_token_never_goes_to_another_server(ship: EcotaxaHome, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with ecotaxa(World(folder)) as other:
        ship.add_scan()
        row = ship.row(ship.new_desk(server=other.url).push(SCAN, "rita"))
        ship.desk.step()
        assert "nobody has signed in" in ship.row(row.id).detail
        assert other.asked == []


def test_a_file_that_others_can_read_is_not_used(ship: EcotaxaHome, server: Server) -> None:
    (ship.home / LOGIN_NAME).chmod(0o644)
    ship.add_scan()
    row = ship.run(ship.desk.push(SCAN, "rita"))
    assert row.state == "failed"
    assert "others than the appliance's account can read" in row.detail
    assert server.asked == []
