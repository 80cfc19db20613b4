"""People and their sign-ins: every change with its row in the audit trail, in one transaction.

Rules that need the whole table hold here: a name is given once, the first account administers, the last one that does
stays. Nobody is ever deleted: a name that stands in tables keeps its meaning.
"""

from __future__ import annotations

from typing import Literal

from edge.errors import AccountError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection, Row

RoleName = Literal["view", "count", "review", "administer"]

_NO_FAILURES = "failures = 0, pin_failures = 0, locked_until_utc = NULL"
_LAST = "Give somebody else the role administer first."


def add_person(connection: Connection, name: str, role: RoleName, *, full_name: str, password_hash: str, actor: str, first: bool) -> int:
    """Make an account. Returns its id.

    Args:
        connection: the writer's.
        name: as `edge.survey.people_secrets.check_name` returns it.
        role: what the person may do.
        full_name: for people to read; the name if empty.
        password_hash: what is kept of the password.
        actor: who asked.
        first: it must be the first account there is.

    Raises:
        AccountError: the name is given already, there are accounts already, or the first would not administer.
    """
    names = [str(row["name"]) for row in connection.execute("SELECT name FROM people")]
    if first and names:
        raise AccountError("there are accounts already", advice="Sign in as an administrator to add more.")
    if not names and role != "administer":
        raise AccountError("the first account has the role administer", advice="Make the account of an administrator first.")
    if name.casefold() in {one.casefold() for one in names}:
        advice = "Choose another name; one that was retired stays with the work that was done under it."
        raise AccountError(f"there is {name} already", advice=advice)
    cursor = connection.execute(
        "INSERT INTO people (uuid, name, full_name, role, password_hash, added_utc) VALUES (?, ?, ?, ?, ?, ?)",
        (uuid7(), name, full_name or name, role, password_hash, utc_now()),
    )
    audit.append(connection, actor, "person_add", f"person/{name}", {"role": role, "full_name": full_name or name})
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def set_role(connection: Connection, person_id: int, role: RoleName, *, actor: str) -> None:
    """Give another role; it holds from the person's next request on.

    Raises:
        AccountError: there is no such person, or nobody would administer any more.
    """
    person = _active(connection, person_id)
    if role != "administer":
        _check_another_administers(connection, person)
    connection.execute("UPDATE people SET role = ? WHERE id = ?", (role, person_id))
    audit.append(connection, actor, "person_role", _subject(person), {"from": person["role"], "to": role})


def set_password_hash(connection: Connection, person_id: int, password_hash: str, *, actor: str, keep_sign_in: int | None) -> None:
    """Keep a new password; every sign-in but `keep_sign_in` ends, and counts of wrong attempts begin anew.

    Raises:
        AccountError: there is no such person.
    """
    person = _active(connection, person_id)
    connection.execute(f"UPDATE people SET password_hash = ?, {_NO_FAILURES} WHERE id = ?", (password_hash, person_id))
    ended = _end_all(connection, person_id, but=keep_sign_in)
    audit.append(connection, actor, "person_password", _subject(person), {"sign_ins_ended": ended})


def renew_password_hash(connection: Connection, person_id: int, before: str, after: str) -> None:
    """Keep the same password at today's cost, unless it was changed meanwhile. Nothing that a person did: not audited."""
    connection.execute("UPDATE people SET password_hash = ? WHERE id = ? AND password_hash = ?", (after, person_id, before))


def set_pin_hash(connection: Connection, person_id: int, pin_hash: str | None, *, actor: str) -> None:
    """Keep a new PIN, or none.

    Raises:
        AccountError: there is no such person.
    """
    person = _active(connection, person_id)
    connection.execute("UPDATE people SET pin_hash = ?, pin_failures = 0 WHERE id = ?", (pin_hash, person_id))
    audit.append(connection, actor, "person_pin" if pin_hash else "person_pin_removed", _subject(person), {})


def retire(connection: Connection, person_id: int, *, actor: str) -> None:
    """Close an account: no sign-in any more; the name stays with the work.

    Raises:
        AccountError: there is no such person, or nobody would administer any more.
    """
    person = _active(connection, person_id)
    _check_another_administers(connection, person)
    connection.execute("UPDATE people SET retired_utc = ?, pin_hash = NULL WHERE id = ?", (utc_now(), person_id))
    ended = _end_all(connection, person_id, but=None)
    audit.append(connection, actor, "person_retire", _subject(person), {"sign_ins_ended": ended})


def unlock(connection: Connection, person_id: int, *, actor: str) -> None:
    """Forget wrong attempts.

    Raises:
        AccountError: there is no such person.
    """
    person = _active(connection, person_id)
    connection.execute(f"UPDATE people SET {_NO_FAILURES} WHERE id = ?", (person_id,))
    audit.append(connection, actor, "person_unlock", _subject(person), {})


def count_attempt(connection: Connection, person_id: int, *, locked_until_utc: str | None) -> int:
    """Count an attempt to sign in before its outcome is known. Returns how many there were in a row, this one included."""
    row = connection.execute(
        "UPDATE people SET failures = failures + 1, locked_until_utc = ? WHERE id = ? RETURNING failures", (locked_until_utc, person_id)
    ).fetchone()
    return 0 if row is None else int(row["failures"])


def count_attempt_of_nobody(connection: Connection) -> None:
    """Write as much for a name that does not exist as for one that does: the time that it takes must not tell which it is."""
    connection.execute("UPDATE people SET failures = failures WHERE id = (SELECT min(id) FROM people)")


def forget_failures(connection: Connection, person_id: int) -> None:
    """The password was right: wrong attempts before it no longer count, those of the PIN neither."""
    connection.execute(f"UPDATE people SET {_NO_FAILURES} WHERE id = ?", (person_id,))


def count_pin_attempt(connection: Connection, person_id: int, *, limit: int) -> bool:
    """Count an attempt to sign before its outcome is known; False if there were too many already."""
    cursor = connection.execute(
        "UPDATE people SET pin_failures = pin_failures + 1 WHERE id = ? AND pin_failures < ? AND retired_utc IS NULL", (person_id, limit)
    )
    return cursor.rowcount == 1


def pin_was_right(connection: Connection, person_id: int) -> None:
    """The count of wrong PINs begins anew."""
    connection.execute("UPDATE people SET pin_failures = 0 WHERE id = ?", (person_id,))


def add_sign_in(
    connection: Connection, person_id: int, *, token_sha256: str, address: str, replaces_sha256: str | None, at_utc: str
) -> bool:
    """Begin a sign-in; the one that the same browser had ends. False if the account was retired meanwhile.

    Args:
        connection: the writer's.
        person_id: whose password was right.
        token_sha256: of the token in the browser's cookie.
        address: where the browser is.
        replaces_sha256: of the token that it sent, if any.
        at_utc: now.
    """
    person = connection.execute("SELECT name, retired_utc FROM people WHERE id = ?", (person_id,)).fetchone()
    if person is None or person["retired_utc"] is not None:
        return False
    if replaces_sha256 is not None:
        connection.execute("UPDATE sign_ins SET ended_utc = ? WHERE token_sha256 = ? AND ended_utc IS NULL", (at_utc, replaces_sha256))
    connection.execute(f"UPDATE people SET {_NO_FAILURES} WHERE id = ?", (person_id,))
    connection.execute(
        "INSERT INTO sign_ins (token_sha256, person_id, address, began_utc, last_seen_utc) VALUES (?, ?, ?, ?, ?)",
        (token_sha256, person_id, address, at_utc, at_utc),
    )
    audit.append(connection, f"{person['name']} {address}", "sign_in", _subject(person), {})
    return True


def saw_sign_in(connection: Connection, sign_in_id: int, at_utc: str) -> None:
    """A person did something."""
    connection.execute("UPDATE sign_ins SET last_seen_utc = ? WHERE id = ? AND ended_utc IS NULL", (at_utc, sign_in_id))


def end_sign_in(connection: Connection, sign_in_id: int, *, actor: str) -> None:
    """Sign out; nothing happens where it had ended."""
    row = connection.execute(
        "UPDATE sign_ins SET ended_utc = ? WHERE id = ? AND ended_utc IS NULL RETURNING person_id", (utc_now(), sign_in_id)
    ).fetchone()
    if row is not None:
        person = connection.execute("SELECT name FROM people WHERE id = ?", (row["person_id"],)).fetchone()
        audit.append(connection, actor, "sign_out", _subject(person), {})


def end_all_sign_ins(connection: Connection, person_id: int, *, actor: str) -> int:
    """Sign out everywhere. Returns how many sign-ins ended."""
    person = _active(connection, person_id)
    ended = _end_all(connection, person_id, but=None)
    audit.append(connection, actor, "sign_out_everywhere", _subject(person), {"sign_ins_ended": ended})
    return ended


def end_everybodys_sign_ins(connection: Connection, *, actor: str, reason: str) -> int:
    """Sign everybody out, such as after a restore: what had ended since the backup must not come to life again."""
    ended = connection.execute("UPDATE sign_ins SET ended_utc = ? WHERE ended_utc IS NULL", (utc_now(),)).rowcount
    if ended:
        audit.append(connection, actor, "sign_out_everybody", "people", {"sign_ins_ended": ended, "reason": reason})
    return ended


def _end_all(connection: Connection, person_id: int, *, but: int | None) -> int:
    return connection.execute(
        "UPDATE sign_ins SET ended_utc = ? WHERE person_id = ? AND ended_utc IS NULL AND id IS NOT ?", (utc_now(), person_id, but)
    ).rowcount


def _active(connection: Connection, person_id: int) -> Row:
    person: Row | None = connection.execute(
        "SELECT id, name, role FROM people WHERE id = ? AND retired_utc IS NULL", (person_id,)
    ).fetchone()
    if person is None:
        raise AccountError("there is no such account, or it is retired", advice="`imagine-edge people list` names the accounts there are.")
    return person


def _check_another_administers(connection: Connection, person: Row) -> None:
    others = "SELECT count(*) FROM people WHERE role = 'administer' AND retired_utc IS NULL AND id <> ?"
    if person["role"] == "administer" and connection.execute(others, (person["id"],)).fetchone()[0] == 0:
        raise AccountError(f"{person['name']} is the last administrator", advice=_LAST)


def _subject(person: Row) -> str:
    return f"person/{person['name']}"
