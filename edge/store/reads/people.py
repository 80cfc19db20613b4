"""Who has an account, who is signed in, and what is kept to find that out."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.people import RoleName
from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """An account, without what is secret. `failures` and `pin_failures`: wrong attempts since the last right one."""

    person_id: int
    uuid: str
    name: str
    full_name: str
    role: RoleName
    has_pin: bool
    failures: int
    pin_failures: int
    locked_until_utc: str | None
    added_utc: str
    retired_utc: str | None
    last_seen_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsRow:
    """What is kept of an account's password and PIN, and its lock."""

    person_id: int
    name: str
    full_name: str
    role: RoleName
    password_hash: str
    pin_hash: str | None
    failures: int
    pin_failures: int
    locked_until_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSignIn:
    """A sign-in that was not ended, with its person as they are now."""

    sign_in_id: int
    began_utc: str
    last_seen_utc: str
    person_id: int
    name: str
    full_name: str
    role: RoleName
    has_pin: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRow:
    """One sign-in of a person. `ended_utc` is None while it was neither ended by hand nor by a change of the account."""

    sign_in_id: int
    address: str
    began_utc: str
    last_seen_utc: str
    ended_utc: str | None


_PERSON = """
    SELECT id AS person_id, uuid, name, full_name, role, pin_hash IS NOT NULL AS has_pin, failures, pin_failures, locked_until_utc,
           added_utc, retired_utc, (SELECT max(last_seen_utc) FROM sign_ins WHERE person_id = people.id) AS last_seen_utc
    FROM people
"""
_SECRETS = """
    SELECT id AS person_id, name, full_name, role, password_hash, pin_hash, failures, pin_failures, locked_until_utc
    FROM people WHERE retired_utc IS NULL
"""


def has_people(connection: Connection) -> bool:
    """Whether there ever was an account."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM people)").fetchone()[0])


def has_administrator(connection: Connection) -> bool:
    """Whether somebody can sign in who administers."""
    where = "SELECT 1 FROM people WHERE role = 'administer' AND retired_utc IS NULL"
    return bool(connection.execute(f"SELECT EXISTS ({where})").fetchone()[0])


def people(connection: Connection) -> tuple[PersonRow, ...]:
    """Every account by name, retired ones last."""
    return as_values(PersonRow, connection.execute(_PERSON + "ORDER BY retired_utc IS NOT NULL, name COLLATE NOCASE"))


def person(connection: Connection, person_id: int) -> PersonRow | None:
    """An account by its id."""
    row = connection.execute(_PERSON + "WHERE id = ?", (person_id,)).fetchone()
    return None if row is None else as_value(PersonRow, row)


def find_person(connection: Connection, name: str) -> PersonRow | None:
    """An account by its name, whatever the case of its letters."""
    wanted = name.casefold()
    return next((one for one in people(connection) if one.name.casefold() == wanted), None)


def secrets_of(connection: Connection, name: str) -> SecretsRow | None:
    """What is kept for an account that is not retired, by name, whatever the case of its letters."""
    wanted = name.casefold()
    rows = connection.execute("SELECT id, name FROM people WHERE retired_utc IS NULL").fetchall()
    ids = [int(row["id"]) for row in rows if str(row["name"]).casefold() == wanted]
    return secrets_by_id(connection, ids[0]) if ids else None


def secrets_by_id(connection: Connection, person_id: int) -> SecretsRow | None:
    """What is kept for an account that is not retired."""
    row = connection.execute(_SECRETS + "AND id = ?", (person_id,)).fetchone()
    return None if row is None else as_value(SecretsRow, row)


def open_sign_in(connection: Connection, token_sha256: str) -> OpenSignIn | None:
    """The sign-in of a token, unless it was ended or its person retired. Limits of time are the caller's."""
    row = connection.execute(
        """
        SELECT sign_ins.id AS sign_in_id, began_utc, last_seen_utc, people.id AS person_id, name, full_name, role,
               pin_hash IS NOT NULL AS has_pin
        FROM sign_ins JOIN people ON people.id = person_id
        WHERE token_sha256 = ? AND ended_utc IS NULL AND retired_utc IS NULL
        """,
        (token_sha256,),
    ).fetchone()
    return None if row is None else as_value(OpenSignIn, row)


def sign_ins(connection: Connection, person_id: int, *, limit: int = 20) -> tuple[SignInRow, ...]:
    """A person's sign-ins, newest first."""
    rows = connection.execute(
        "SELECT id AS sign_in_id, address, began_utc, last_seen_utc, ended_utc FROM sign_ins WHERE person_id = ? ORDER BY id DESC LIMIT ?",
        (person_id, limit),
    )
    return as_values(SignInRow, rows)
