"""Passwords, PINs and names: what is accepted, how they are kept and compared."""

from __future__ import annotations

import base64
import hashlib
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import AccountError
from edge.survey.people import Role
from edge.survey.people_secrets import Cost, check_name, check_password, check_pin_form, fits, is_dated, make_decoy, make_hash

CHEAP = Cost(log2_n=4, r=8, p=1)


@given(st.text(max_size=80), st.text(max_size=80))
@settings(deadline=None)
def test_a_secret_fits_its_own_text_and_no_other(secret: str, other: str) -> None:
    kept = make_hash(secret, CHEAP)
    assert fits(secret, kept)
    assert fits(other, kept) == (unicodedata.normalize("NFKC", other) == unicodedata.normalize("NFKC", secret))


def test_what_is_kept_is_scrypt_with_its_parameters() -> None:
    kind, log2_n, r, p, salt, key = make_hash("correct horse", Cost()).split("$")
    assert (kind, log2_n, r, p) == ("scrypt", "15", "8", "3")
    expected = hashlib.scrypt(b"correct horse", salt=base64.b64decode(salt), n=1 << 15, r=8, p=3, maxmem=1 << 27, dklen=32)
    assert base64.b64decode(key) == expected


def test_no_two_texts_of_one_secret_are_equal() -> None:
    assert make_hash("1234", CHEAP) != make_hash("1234", CHEAP)


def test_a_cost_that_grew_makes_a_text_dated() -> None:
    kept = make_hash("secret", CHEAP)
    assert not is_dated(kept, CHEAP)
    assert is_dated(kept, Cost(log2_n=5, r=8, p=1))
    assert fits("secret", kept)


def test_nothing_fits_a_decoy() -> None:
    decoy = make_decoy(CHEAP)
    assert not is_dated(decoy, CHEAP)
    assert not any(fits(secret, decoy) for secret in ("", "secret", decoy))


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "scrypt",
        "md5$4$8$1$AAAA$AAAA",
        "scrypt$4$8$1$%%%%$AAAA",
        "scrypt$40$8$1$AAAA$AAAA",
        "scrypt$4$8$999$AAAA$AAAA",
        "scrypt$x$8$1$A$A",
    ],
)
def test_a_damaged_text_fits_nothing_and_costs_nothing(kept: str) -> None:
    assert not fits("secret", kept)
    assert is_dated(kept, CHEAP)


def test_letters_that_look_alike_are_alike() -> None:
    assert fits("Bergstro\u0308m", make_hash("Bergstr\u00f6m", CHEAP))


@pytest.mark.parametrize("name", ["JD", "anna", "a.b", "Jo-Ann", "x_1", "Zoë", "Ø", "7", "a" * 32])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "a b", ".a", "a.", "-", "a" * 33, "a/b", "a'b", "<b>", "a\nb", "../x", "a\u202eb", "cli", "API", "Page", "a%"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(AccountError):
        check_name(name)


def test_passwords_go_by_length_alone() -> None:
    for role, least in ((Role.VIEW, 8), (Role.COUNT, 8), (Role.REVIEW, 8), (Role.ADMINISTER, 10)):
        check_password("x" * least, name="jd", full_name="", role=role)
        with pytest.raises(AccountError, match=str(least)):
            check_password("x" * (least - 1), name="jd", full_name="", role=role)
    with pytest.raises(AccountError, match="at most"):
        check_password("x" * 513, name="jd", full_name="", role=Role.VIEW)


@pytest.mark.parametrize("password", ["Jonathan", "JONATHAN", "jonathan doe", "Jonathan Doe"])
def test_a_name_is_no_password(password: str) -> None:
    with pytest.raises(AccountError, match="no password"):
        check_password(password, name="Jonathan", full_name="Jonathan Doe", role=Role.COUNT)


@given(st.text(string.digits + "x ", max_size=10))
def test_pins_are_four_to_eight_digits(pin: str) -> None:
    is_one = 4 <= len(pin) <= 8 and set(pin) <= set(string.digits) and len(set(pin)) > 1
    if is_one:
        check_pin_form(pin)
    else:
        with pytest.raises(AccountError):
            check_pin_form(pin)


def test_digits_of_other_scripts_make_no_pin() -> None:
    with pytest.raises(AccountError):
        check_pin_form("\u0661\u0662\u0663\u0664")
