"""Who guesses waits: lock-outs of people and addresses, and PINs, with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from edge.commands.common import reading
from edge.errors import EdgeError, LockedOutError, PinRefusedError, SignInRefusedError
from edge.survey.people import Role
from edge.survey.people_desk import PeopleDesk
from edge.survey.people_locks import FREE_FAILURES, MAX_DELAY_S, Locks, delay_s, left_s
from edge.survey.people_secrets import fits
from tests.helpers.people import PASSWORD
from tests.helpers.ship import CHEAP, HERE, THERE, Ship


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    ship = Ship(tmp_path)
    ship.add("anna", Role.ADMINISTER)
    yield ship
    ship.writer.close()


@pytest.fixture
def jd(ship: Ship) -> int:
    return ship.add("jd")


# Lock-out


def test_five_attempts_are_free_then_the_delay_doubles_up_to_its_limit() -> None:
    assert [delay_s(failures) for failures in (0, 4, 5, 6, 7, 9, 10, 50)] == [0, 0, 30, 60, 120, 480, 900, MAX_DELAY_S]


def test_a_person_is_locked_out_from_everywhere_and_let_in_again(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES)
    with pytest.raises(LockedOutError, match="30 s") as told:
        ship.sign_in(address=THERE)
    assert told.value.left_s == 30
    ship.wait(29)
    with pytest.raises(LockedOutError, match=r"in 1 s"):
        ship.sign_in(address=THERE)
    ship.wait(1)
    assert ship.sign_in(address=THERE)
    assert ship.desk.find("jd").failures == 0


def test_each_further_failure_doubles_the_wait(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES)
    for expected in (60, 120, 240, 480, 900, 900):
        ship.wait(MAX_DELAY_S)
        with pytest.raises(LockedOutError) as told:
            ship.sign_in(password="wrong")
        assert told.value.left_s == expected


def test_the_wait_is_told_with_the_attempt_that_begins_it(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES - 1)
    with pytest.raises(LockedOutError, match=r"wrong; the next attempt may be made in 30 s"):
        ship.sign_in(password="wrong")


def test_attempts_while_locked_out_do_not_count(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES + 50)
    assert ship.desk.find("jd").failures == FREE_FAILURES
    ship.wait(30)
    assert ship.sign_in()


def test_a_lock_out_outlives_a_restart(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES)
    ship.desk = ship.make_desk()
    with pytest.raises(LockedOutError):
        ship.sign_in(address=THERE)


def test_an_administrator_lifts_it(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES)
    ship.desk.unlock(jd, actor="anna")
    assert ship.sign_in()


def test_a_clock_that_was_set_back_locks_nobody_out_for_long(ship: Ship, jd: int) -> None:
    ship.fail(FREE_FAILURES)
    ship.wait(-86_400)
    assert ship.sign_in(address=THERE)
    assert left_s(ship.now + timedelta(days=1), ship.now) == 0


def test_an_address_that_tries_many_names_waits(ship: Ship, jd: int) -> None:
    for name in ("rita", "cl", "vera", "jd", "tom"):
        ship.fail(1, name)
    with pytest.raises(LockedOutError):
        ship.sign_in("anna")
    assert ship.sign_in("anna", address=THERE)
    ship.wait(30)
    assert ship.sign_in("anna")


def test_ones_own_success_forgives_only_ones_own_failures(ship: Ship, jd: int) -> None:
    """Whoever has an account must not be able to guess at others' without end by signing in between."""
    for _ in range(2):
        ship.fail(2, "anna")
        ship.sign_in("jd")
    ship.fail(1, "anna")
    with pytest.raises(LockedOutError):
        ship.sign_in("jd")


def test_the_clumsy_do_not_lock_their_laptop(ship: Ship, jd: int) -> None:
    for _ in range(10):
        ship.fail(3)
        ship.sign_in()


def test_a_name_that_is_not_there_looks_like_one_that_is(ship: Ship, jd: int) -> None:
    def story(name: str) -> list[tuple[str, str]]:
        told = []
        for attempt in range(FREE_FAILURES + 2):
            with pytest.raises(EdgeError) as error:
                ship.sign_in(name, "wrong", address=f"192.168.7.{attempt + 20}")
            told.append((error.value.code, str(error.value)))
        return told

    assert story("jd") == story("nobody-here")
    assert ship.desk.find("jd").failures == FREE_FAILURES


def test_a_name_that_is_not_there_costs_the_same_work(ship: Ship, jd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def counted(secret: str, kept: str) -> bool:
        compared.append(kept.rsplit("$", 2)[0])
        return fits(secret, kept)

    monkeypatch.setattr("edge.survey.people_desk.fits", counted)
    ship.fail(1, "jd")
    ship.fail(1, "nobody-here")
    assert compared == ["scrypt$4$8$1"] * 2


def test_many_at_once_get_no_more_attempts(ship: Ship, jd: int) -> None:
    def attempt(number: int) -> str:
        try:
            ship.sign_in(password=f"guess {number}", address=f"192.168.8.{number}")
        except LockedOutError as error:
            return "wrong" if "wrong;" in str(error) else "locked"
        except SignInRefusedError:
            return "wrong"
        return "in"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(attempt, range(40)))
    assert outcomes.count("wrong") == FREE_FAILURES
    assert outcomes.count("locked") == 40 - FREE_FAILURES


def test_locks_in_memory_stay_bounded_and_forget() -> None:
    locks, now = Locks(), datetime(2026, 6, 3, tzinfo=UTC)
    for number in range(5000):
        locks.begin(f"name {number}", now)
    assert len(locks._counts) == 1000
    for _ in range(FREE_FAILURES):
        assert locks.begin("here", now) == 0
    assert locks.begin("here", now) == 30
    assert locks.begin("here", now + timedelta(hours=2)) == 0
    assert locks._counts["here"].failures == 1


# PIN


def test_a_pin_signs_for_its_owner_only(ship: Ship, jd: int) -> None:
    cl = ship.add("cl")
    ship.desk.set_pin(jd, "4711", actor="test")
    ship.desk.set_pin(cl, "0815", actor="test")
    ship.desk.check_pin(jd, "4711")
    for person_id, pin in ((jd, "0815"), (cl, "4711"), (jd, ""), (jd, PASSWORD), (jd, " 4711")):
        with pytest.raises(PinRefusedError, match="wrong"):
            ship.desk.check_pin(person_id, pin)


def test_a_pin_opens_nothing(ship: Ship, jd: int) -> None:
    ship.desk.set_pin(jd, "4711", actor="test")
    with pytest.raises(SignInRefusedError):
        ship.sign_in(password="4711")


def test_a_pin_can_be_tried_five_times_and_then_only_the_password_helps(ship: Ship, jd: int) -> None:
    ship.desk.set_pin(jd, "4711", actor="test")
    for left in (4, 3, 2, 1):
        with pytest.raises(PinRefusedError, match=f"{left} more"):
            ship.desk.check_pin(jd, "0000")
    with pytest.raises(PinRefusedError, match="not accepted any more"):
        ship.desk.check_pin(jd, "0000")
    for _ in range(3):
        ship.wait(86_400)
        with pytest.raises(PinRefusedError, match="too many"):
            ship.desk.check_pin(jd, "4711")
    ship.sign_in()
    ship.desk.check_pin(jd, "4711")


def test_a_right_pin_begins_the_count_anew(ship: Ship, jd: int) -> None:
    ship.desk.set_pin(jd, "4711", actor="test")
    for _ in range(4):
        for _ in range(4):
            with pytest.raises(PinRefusedError):
                ship.desk.check_pin(jd, "0000")
        ship.desk.check_pin(jd, "4711")


def test_many_pins_at_once_get_no_more_attempts(ship: Ship, jd: int) -> None:
    ship.desk.set_pin(jd, "4711", actor="test")

    def attempt(number: int) -> bool:
        with pytest.raises(PinRefusedError) as error:
            ship.desk.check_pin(jd, f"{number:04}")
        return "too many" not in str(error.value)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(40))) == 5


def test_the_database_alone_tells_no_pin(ship: Ship, jd: int) -> None:
    """Whoever has a copy without the key cannot even try the ten thousand; and a lost key asks for new PINs, not for less care."""
    keyed = PeopleDesk(ship.writer, partial(reading, ship.home), cost=CHEAP, pin_key=b"k" * 32)
    keyed.set_pin(jd, "4711", actor="test")
    keyed.check_pin(jd, "4711")
    with reading(ship.home) as connection:
        (kept,) = connection.execute("SELECT pin_hash FROM people WHERE id = ?", (jd,)).fetchone()
    assert not any(fits(f"{pin:04}", kept) for pin in range(4700, 4720))
    with pytest.raises(PinRefusedError, match="wrong"):
        ship.desk.check_pin(jd, "4711")


def test_no_pin_signs_nothing(ship: Ship, jd: int) -> None:
    with pytest.raises(PinRefusedError, match="no PIN"):
        ship.desk.check_pin(jd, "")
    ship.desk.set_pin(jd, "4711", actor="test")
    ship.desk.set_pin(jd, None, actor="test")
    with pytest.raises(PinRefusedError, match="no PIN"):
        ship.desk.check_pin(jd, "4711")
    ship.desk.set_pin(jd, "4711", actor="test")
    ship.desk.retire(jd, actor="test")
    with pytest.raises(PinRefusedError, match="no such account"):
        ship.desk.check_pin(jd, "4711")


def test_ones_own_pin_needs_the_password(ship: Ship, jd: int) -> None:
    found = ship.desk.who(ship.sign_in())
    assert found is not None
    with pytest.raises(SignInRefusedError):
        ship.desk.set_own_pin(found.person, "wrong", "4711", address=HERE)
    ship.desk.set_own_pin(found.person, PASSWORD, "4711", address=HERE)
    ship.desk.check_pin(jd, "4711")
