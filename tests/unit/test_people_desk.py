"""Accounts and sign-ins over a real database, and what the audit trail tells of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from edge.commands.common import reading
from edge.errors import AccountError, PinRefusedError, SignInRefusedError
from edge.store.connection import DATABASE_NAME
from edge.store.reads.audit_trail import AuditFilter, all_audit_rows
from edge.store.reads.people import people, sign_ins
from edge.survey.people import Role
from edge.survey.people_desk import hash_token
from edge.survey.people_locks import FREE_FAILURES
from edge.survey.people_secrets import Cost
from tests.helpers.people import PASSWORD
from tests.helpers.ship import HERE, THERE, Ship


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    ship = Ship(tmp_path)
    ship.add("anna", Role.ADMINISTER)
    yield ship
    ship.writer.close()


@pytest.fixture
def jd(ship: Ship) -> int:
    return ship.add("jd")


# Accounts


def test_the_first_account_administers(tmp_path: Path) -> None:
    ship = Ship(tmp_path)
    assert not ship.desk.has_accounts()
    with pytest.raises(AccountError, match="administer"):
        ship.add("jd")
    assert not ship.desk.has_accounts()
    ship.add("anna", Role.ADMINISTER)
    assert ship.desk.has_accounts()
    assert ship.desk.has_administrator()
    with pytest.raises(AccountError, match="already"):
        ship.desk.add("eve", Role.ADMINISTER, PASSWORD, actor="page", first=True)
    ship.writer.close()


@pytest.mark.parametrize("name", ["jd", "JD", "Jd"])
def test_a_name_is_given_once(ship: Ship, jd: int, name: str) -> None:
    with pytest.raises(AccountError, match="already"):
        ship.add(name)
    ship.desk.retire(jd, actor="test")
    with pytest.raises(AccountError, match="already"):
        ship.add(name)


def test_names_beyond_ascii_are_given_once(ship: Ship) -> None:
    ship.add("Øyvind")
    with pytest.raises(AccountError, match="already"):
        ship.add("øyvind")
    assert ship.sign_in("ØYVIND")


def test_the_last_administrator_stays(ship: Ship, jd: int) -> None:
    anna = ship.desk.find("anna").person_id
    for change in (partial(ship.desk.retire, anna), partial(ship.desk.set_role, anna, Role.REVIEW)):
        with pytest.raises(AccountError, match="last administrator"):
            change(actor="test")
    ship.desk.set_role(jd, Role.ADMINISTER, actor="test")
    ship.desk.retire(anna, actor="test")
    with pytest.raises(AccountError, match="last administrator"):
        ship.desk.set_role(jd, Role.VIEW, actor="test")
    assert ship.desk.has_administrator()


def test_two_administrators_cannot_retire_each_other_at_once(ship: Ship) -> None:
    other = ship.add("rita", Role.ADMINISTER)
    anna = ship.desk.find("anna").person_id
    start = threading.Barrier(2)

    def retire(person_id: int) -> bool:
        start.wait()
        try:
            ship.desk.retire(person_id, actor="test")
        except AccountError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(retire, (anna, other))) == [False, True]
    assert ship.desk.has_administrator()


def test_whoever_is_not_there_cannot_be_changed(ship: Ship, jd: int) -> None:
    ship.desk.retire(jd, actor="test")
    for person_id in (jd, 999):
        changes: tuple[Callable[..., None], ...] = (
            partial(ship.desk.set_role, person_id, Role.VIEW),
            partial(ship.desk.set_password, person_id, PASSWORD),
            partial(ship.desk.set_pin, person_id, "4711"),
            partial(ship.desk.retire, person_id),
            partial(ship.desk.unlock, person_id),
        )
        for change in changes:
            with pytest.raises(AccountError, match="no such account"):
                change(actor="test")
    with pytest.raises(AccountError, match="no account"):
        ship.desk.find("nobody-here")


# Sign-ins


def test_a_token_is_told_once_and_kept_as_its_hash(ship: Ship, jd: int) -> None:
    token = ship.sign_in()
    found = ship.desk.who(token)
    assert found is not None
    assert (found.person.id, found.person.name, found.person.role) == (jd, "jd", Role.COUNT)
    content = b"".join(path.read_bytes() for path in ship.home.glob(f"{DATABASE_NAME}*"))
    assert token.encode() not in content
    assert hash_token(token).encode() in content


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "\udcff", "a" * 10_000])
def test_what_is_no_token_is_nobody(ship: Ship, jd: int, token: str) -> None:
    ship.sign_in()
    assert ship.desk.who(token) is None


def test_a_sign_in_ends_when_idle_and_at_its_limit(ship: Ship, jd: int) -> None:
    token = ship.sign_in()
    for _ in range(11):
        ship.wait(3599)
        found = ship.desk.who(token)
        assert found is not None
        ship.desk.saw(found)
    ship.wait(3599)
    found = ship.desk.who(token)
    assert found is not None
    ship.desk.saw(found)
    ship.wait(20)
    assert ship.desk.who(token) is None, "twelve hours are over"
    token = ship.sign_in()
    ship.wait(3601)
    assert ship.desk.who(token) is None, "nothing was done for an hour"


def test_signing_in_again_gives_a_new_token_and_ends_the_old(ship: Ship, jd: int) -> None:
    first = ship.sign_in()
    second = ship.sign_in(replaces=first)
    assert first != second
    assert ship.desk.who(first) is None
    assert ship.desk.who(second) is not None


def test_a_token_that_the_browser_chose_is_never_taken(ship: Ship, jd: int) -> None:
    token = ship.sign_in(replaces="chosen by somebody else")
    assert token != "chosen by somebody else"
    assert ship.desk.who("chosen by somebody else") is None


def test_out_and_out_everywhere(ship: Ship, jd: int) -> None:
    tokens = [ship.sign_in(address=address) for address in (HERE, THERE, THERE)]
    first = ship.desk.who(tokens[0])
    assert first is not None
    ship.desk.sign_out(first.sign_in_id, actor="jd")
    assert [ship.desk.who(token) is not None for token in tokens] == [False, True, True]
    assert ship.desk.sign_out_everywhere(jd, actor="jd") == 2
    assert not any(ship.desk.who(token) for token in tokens)
    with reading(ship.home) as connection:
        assert all(row.ended_utc for row in sign_ins(connection, jd))


def test_retiring_lowering_and_a_new_password_hold_at_once(ship: Ship, jd: int) -> None:
    token = ship.sign_in()
    ship.desk.set_role(jd, Role.VIEW, actor="test")
    found = ship.desk.who(token)
    assert found is not None
    assert found.person.role is Role.VIEW
    ship.desk.set_password(jd, "another long password", actor="test")
    assert ship.desk.who(token) is None
    with pytest.raises(SignInRefusedError):
        ship.sign_in()
    token = ship.sign_in(password="another long password")
    ship.desk.retire(jd, actor="test")
    assert ship.desk.who(token) is None
    with reading(ship.home) as connection:
        assert all(row.ended_utc for row in sign_ins(connection, jd))
    with pytest.raises(SignInRefusedError):
        ship.sign_in(password="another long password")


def test_ones_own_password_needs_the_old_one_and_keeps_this_sign_in(ship: Ship, jd: int) -> None:
    here, there = ship.sign_in(), ship.sign_in(address=THERE)
    me = ship.desk.who(here)
    assert me is not None
    with pytest.raises(SignInRefusedError):
        ship.desk.change_own_password(me, "wrong", "a new long password", address=HERE)
    with pytest.raises(AccountError, match="at least 8"):
        ship.desk.change_own_password(me, PASSWORD, "short", address=HERE)
    ship.desk.change_own_password(me, PASSWORD, "a new long password", address=HERE)
    assert ship.desk.who(here) is not None
    assert ship.desk.who(there) is None


def test_a_dated_hash_is_made_anew_at_the_next_sign_in(ship: Ship, jd: int) -> None:
    dearer = ship.make_desk(Cost(log2_n=5, r=8, p=1))
    kept = [row["password_hash"] for row in _rows(ship, "SELECT password_hash FROM people WHERE name = 'jd'")]
    dearer.sign_in("jd", PASSWORD, address=HERE)
    renewed = [row["password_hash"] for row in _rows(ship, "SELECT password_hash FROM people WHERE name = 'jd'")]
    assert kept[0].startswith("scrypt$4$")
    assert renewed[0].startswith("scrypt$5$")
    dearer.sign_in("jd", PASSWORD, address=HERE)
    assert _rows(ship, "SELECT password_hash FROM people WHERE name = 'jd'")[0]["password_hash"] == renewed[0]


# The audit trail


def test_everything_is_in_the_trail_and_no_secret_is(ship: Ship, jd: int) -> None:
    secrets = (PASSWORD, "wrong-pa55word", "typed in the wrong field", "471188", "000123", "a new long password")
    ship.desk.set_pin(jd, "471188", actor="anna 10.0.0.1")
    token = ship.sign_in()
    with pytest.raises(SignInRefusedError):
        ship.sign_in(password="wrong-pa55word")
    with pytest.raises(SignInRefusedError):
        ship.sign_in("typed in the wrong field", "x")
    with pytest.raises(PinRefusedError):
        ship.desk.check_pin(jd, "000123")
    ship.fail(FREE_FAILURES + 1, address=THERE)
    ship.desk.unlock(jd, actor="anna 10.0.0.1")
    ship.desk.set_role(jd, Role.REVIEW, actor="anna 10.0.0.1")
    ship.desk.set_password(jd, "a new long password", actor="anna 10.0.0.1")
    ship.desk.sign_out_everywhere(jd, actor="jd 10.0.0.2")
    ship.desk.retire(jd, actor="anna 10.0.0.1")
    told = ship.actions()
    for action in (
        "person_add",
        "person_pin",
        "sign_in",
        "sign_in_refused",
        "sign_in_locked",
        "pin_refused",
        "person_unlock",
        "person_role",
    ):
        assert action in told
    assert {"person_password", "sign_out_everywhere", "person_retire"} <= set(told)
    with reading(ship.home) as connection:
        rows = list(all_audit_rows(connection, AuditFilter()))
        assert all(json.loads(row.detail_json) is not None for row in rows)
    content = b"".join(path.read_bytes() for path in ship.home.glob(f"{DATABASE_NAME}*"))
    for secret in (*secrets, token):
        assert secret.encode() not in content, secret


def test_the_trail_is_narrowed_and_paged(ship: Ship, jd: int) -> None:
    ship.desk.set_role(jd, Role.VIEW, actor="anna 10.0.0.1")
    ship.desk.set_role(jd, Role.COUNT, actor="annabel 10.0.0.1")
    ship.desk.set_role(jd, Role.REVIEW, actor="an_a 10.0.0.1")
    assert ship.actions(person="anna") == ["person_role"]
    assert ship.actions(person="ANNA") == ["person_role"]
    assert ship.actions(person="an_a") == ["person_role"]
    assert ship.actions(person="test", action="person_add") == ["person_add", "person_add"]
    assert ship.actions(subject="person/jd") == ["person_role"] * 3 + ["person_add"]
    assert ship.actions(subject="%") == []
    with reading(ship.home) as connection:
        day = next(all_audit_rows(connection, AuditFilter())).at_utc[:10]
    assert len(ship.actions(since_utc=day, until_utc=day)) == 5
    assert ship.actions(since_utc="2999-01-01") == []
    assert ship.actions(until_utc="1999-01-01") == []


def test_accounts_are_listed_without_secrets(ship: Ship, jd: int) -> None:
    ship.desk.set_pin(jd, "4711", actor="test")
    with reading(ship.home) as connection:
        rows = people(connection)
    assert [(row.name, row.role, row.has_pin) for row in rows] == [("anna", "administer", False), ("jd", "count", True)]
    assert "scrypt" not in repr(rows)


def _rows(ship: Ship, query: str) -> list[dict[str, str]]:
    with reading(ship.home) as connection:
        return [dict(row) for row in connection.execute(query)]
