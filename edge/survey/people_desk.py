"""What may be done with accounts: adding, changing, signing in, signing out, and the PIN that signs a count.

The desk is the only way to them, for pages and commands alike. Every method may be called from any thread; those that
compare or make a hash take a quarter of a second.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from edge.errors import AccountError, LockedOutError, PinRefusedError, SignInRefusedError
from edge.settings import Settings
from edge.store import audit
from edge.store import people as store
from edge.store.clock import utc_text
from edge.store.keys import PIN_KEY_NAME, read_or_make_key
from edge.store.reads import people as reads
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.people import Person, Role
from edge.survey.people_locks import Locks, delay_s, left_s, locked_out
from edge.survey.people_secrets import Cost, check_name, check_password, check_pin_form, fits, is_dated, make_decoy, make_hash

PIN_ATTEMPTS = 5
_SEEN_EVERY_S = 60
_TOKEN_BYTES = 32
_NO_PIN = "Set a PIN on the page Account first."
_PIN_SPENT = "Sign in again with your password, or set a new PIN on the page Account; then it signs again."


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLimits:
    """How long a sign-in lasts: without anything done, and at all."""

    idle_s: float = 2 * 3600
    total_s: float = 12 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in that holds, and who it is."""

    sign_in_id: int
    person: Person
    last_seen: datetime


def _utc_clock() -> datetime:
    return datetime.now(UTC)


class PeopleDesk:
    """Accounts and sign-ins of one home folder."""

    def __init__(
        self,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        *,
        limits: SignInLimits | None = None,
        pin_key: bytes = b"",
        cost: Cost | None = None,
        now: Callable[[], datetime] = _utc_clock,
    ) -> None:
        """Take who writes, who reads, and the key without which no copy of the database tells a PIN; `now` and `cost` are for tests."""
        self._writer = writer
        self._reader = reader
        self.limits = limits or SignInLimits()
        self._pin_key = pin_key
        self._cost = cost or Cost()
        self._now = now
        self._decoy = make_decoy(self._cost)
        self._addresses = Locks()
        self._strangers = Locks()

    # Who there is ------------------------------------------------------------------------------------------------

    def has_accounts(self) -> bool:
        """Whether there ever was an account; from then on everybody signs in."""
        with self._reader() as connection:
            return reads.has_people(connection)

    def has_administrator(self) -> bool:
        """Whether somebody can sign in who administers."""
        with self._reader() as connection:
            return reads.has_administrator(connection)

    def find(self, name: str) -> reads.PersonRow:
        """An account by name.

        Raises:
            AccountError: there is none.
        """
        with self._reader() as connection:
            found = reads.find_person(connection, name)
        if found is None:
            raise AccountError(f"there is no account {name}", advice="`imagine-edge people list` names the accounts there are.")
        return found

    # Accounts ----------------------------------------------------------------------------------------------------

    def add(self, name: str, role: Role, password: str, *, full_name: str = "", actor: str, first: bool = False) -> int:
        """Make an account; `first` refuses where there is one already. Returns its id.

        Raises:
            AccountError: the name or the password will not do.
        """
        plain, full_name = check_name(name), " ".join(full_name.split())[:100]
        check_password(password, name=plain, full_name=full_name, role=role)
        kept = make_hash(password, self._cost)
        add = partial(store.add_person, role=role.value, full_name=full_name, password_hash=kept, actor=actor, first=first)
        return self._writer.call(lambda connection: add(connection, plain))

    def set_role(self, person_id: int, role: Role, *, actor: str) -> None:
        """Give another role, at once.

        Raises:
            AccountError: there is no such account, or nobody would administer any more.
        """
        self._writer.call(lambda connection: store.set_role(connection, person_id, role.value, actor=actor))

    def set_password(self, person_id: int, password: str, *, actor: str, keep_sign_in: int | None = None) -> None:
        """Give a new password; the person's sign-ins end, but `keep_sign_in`.

        Raises:
            AccountError: there is no such account, or the password will not do.
        """
        account = self._secrets(person_id)
        check_password(password, name=account.name, full_name=account.full_name, role=Role(account.role))
        kept = make_hash(password, self._cost)
        change = partial(store.set_password_hash, password_hash=kept, actor=actor, keep_sign_in=keep_sign_in)
        self._writer.call(lambda connection: change(connection, person_id))

    def change_own_password(self, signed_in: SignIn, old: str, new: str, *, address: str) -> None:
        """Change the password of whoever is signed in; all their other sign-ins end.

        Raises:
            SignInRefusedError: the old one is wrong.
            LockedOutError: too many wrong ones.
            AccountError: the new one will not do.
        """
        person = signed_in.person
        self._prove(person.name, old, address)
        self.set_password(person.id, new, actor=f"{person.name} {address}", keep_sign_in=signed_in.sign_in_id)

    def set_own_pin(self, person: Person, password: str, pin: str | None, *, address: str) -> None:
        """Set or remove one's PIN, with one's password.

        Raises:
            SignInRefusedError: the password is wrong.
            LockedOutError: too many wrong ones.
            AccountError: it can be no PIN.
        """
        if pin is not None:
            check_pin_form(pin)
        self._prove(person.name, password, address)
        self.set_pin(person.id, pin, actor=f"{person.name} {address}")

    def set_pin(self, person_id: int, pin: str | None, *, actor: str) -> None:
        """Set or remove a PIN.

        Raises:
            AccountError: there is no such account, or it can be no PIN.
        """
        if pin is not None:
            check_pin_form(pin)
        kept = None if pin is None else make_hash(self._keyed(pin), self._cost)
        self._writer.call(lambda connection: store.set_pin_hash(connection, person_id, kept, actor=actor))

    def retire(self, person_id: int, *, actor: str) -> None:
        """Close an account; what was done under its name stays.

        Raises:
            AccountError: there is no such account, or nobody would administer any more.
        """
        self._writer.call(lambda connection: store.retire(connection, person_id, actor=actor))

    def unlock(self, person_id: int, *, actor: str) -> None:
        """Lift a lock-out, of the person and of every address.

        Raises:
            AccountError: there is no such account.
        """
        self._writer.call(lambda connection: store.unlock(connection, person_id, actor=actor))
        self._addresses.clear()

    # Signing in and out ------------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, *, address: str, replaces: str | None = None) -> tuple[str, Person]:
        """Compare a password and begin a sign-in with a new token, which is only told here.

        Args:
            name: as it was typed.
            password: as it was typed.
            address: where it came from.
            replaces: the token that the browser sent; its sign-in ends.

        Raises:
            SignInRefusedError: the name or the password is wrong; it takes the same time either way.
            LockedOutError: too many wrong attempts for this name or from this address.
        """
        account = self._prove(name, password, address)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        begin = partial(
            store.add_sign_in,
            token_sha256=hash_token(token),
            address=address,
            replaces_sha256=None if replaces is None else hash_token(replaces),
            at_utc=utc_text(self._now()),
        )
        if not self._writer.call(lambda connection: begin(connection, account.person_id)):
            raise SignInRefusedError("the account was retired just now", advice="Ask an administrator.")
        return token, _person(account)

    def who(self, token: str) -> SignIn | None:
        """Whose token it is now; None if it is nobody's, its sign-in has ended, or lasted too long."""
        with self._reader() as connection:
            row = reads.open_sign_in(connection, hash_token(token))
        if row is None:
            return None
        now, last_seen = self._now(), datetime.fromisoformat(row.last_seen_utc)
        if (now - last_seen).total_seconds() > self.limits.idle_s:
            return None
        if (now - datetime.fromisoformat(row.began_utc)).total_seconds() > self.limits.total_s:
            return None
        person = Person(id=row.person_id, name=row.name, full_name=row.full_name, role=Role(row.role), has_pin=row.has_pin)
        return SignIn(sign_in_id=row.sign_in_id, person=person, last_seen=last_seen)

    def saw(self, signed_in: SignIn) -> None:
        """The person did something: the idle time begins anew. Written once a minute at most."""
        now = self._now()
        if abs((now - signed_in.last_seen).total_seconds()) >= _SEEN_EVERY_S:
            self._writer.call(lambda connection: store.saw_sign_in(connection, signed_in.sign_in_id, utc_text(now)), quiet=True)

    def sign_out(self, sign_in_id: int, *, actor: str) -> None:
        """End one sign-in."""
        self._writer.call(lambda connection: store.end_sign_in(connection, sign_in_id, actor=actor))

    def sign_out_everywhere(self, person_id: int, *, actor: str) -> int:
        """End all of a person's sign-ins. Returns how many."""
        return self._writer.call(lambda connection: store.end_all_sign_ins(connection, person_id, actor=actor))

    # Signing -----------------------------------------------------------------------------------------------------

    def check_pin(self, person_id: int, pin: str) -> None:
        """Whether this PIN signs for this person; call it with the person who is signed in, never with another.

        Raises:
            PinRefusedError: it is wrong, there is none, or it is no longer accepted: five wrong ones, and only the password helps.
        """
        with self._reader() as connection:
            account = reads.secrets_by_id(connection, person_id)
        if account is None:
            raise PinRefusedError("there is no such account any more")
        if account.pin_hash is None:
            raise PinRefusedError(f"{account.name} has no PIN yet", advice=_NO_PIN)
        if not self._writer.call(lambda connection: store.count_pin_attempt(connection, person_id, limit=PIN_ATTEMPTS)):
            raise PinRefusedError("the PIN is not accepted any more: too many wrong ones", advice=_PIN_SPENT)
        if fits(self._keyed(pin), account.pin_hash):
            self._writer.call(lambda connection: store.pin_was_right(connection, person_id))
            return
        left = PIN_ATTEMPTS - account.pin_failures - 1
        detail = {"left": max(0, left)}
        self._writer.call(lambda connection: audit.append(connection, account.name, "pin_refused", f"person/{account.name}", detail))
        if left <= 0:
            raise PinRefusedError("the PIN is wrong, and is not accepted any more", advice=_PIN_SPENT)
        raise PinRefusedError(f"the PIN is wrong; {left} more {'attempt' if left == 1 else 'attempts'}")

    # Inside ------------------------------------------------------------------------------------------------------

    def _keyed(self, pin: str) -> str:
        """A PIN under the key: ten thousand of them are tried in an hour, by whoever has the database without it."""
        return hmac.new(self._pin_key, pin.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _secrets(self, person_id: int) -> reads.SecretsRow:
        with self._reader() as connection:
            account = reads.secrets_by_id(connection, person_id)
        if account is None:
            raise AccountError("there is no such account, or it is retired", advice="Look at the page People.")
        return account

    def _prove(self, name: str, password: str, address: str) -> reads.SecretsRow:
        """The account whose password this is; attempts are counted first, so that many at once get no more of them."""
        with self._reader() as connection:
            account = reads.secrets_of(connection, name)
        now = self._now()
        waiting = self._addresses.begin(address, now)
        if not waiting:
            waiting = self._strangers.begin(name.casefold(), now) if account is None else self._begin(account.person_id, now)
        if waiting:
            self._tell(account, address, "sign_in_locked", {"left_s": waiting})
            raise locked_out(waiting)
        if account is None or not fits(password, account.password_hash):
            if account is None:
                fits(password, self._decoy)
                self._writer.call(store.count_attempt_of_nobody)
            self._tell(account, address, "sign_in_refused", {})
            raise self._refusal(account, name, address)
        self._addresses.forgive(address, account.failures + 1)
        self._clear(account, password)
        return account

    def _refusal(self, account: reads.SecretsRow | None, name: str, address: str) -> SignInRefusedError | LockedOutError:
        """What a wrong password is answered with: the wait, where this attempt began one."""
        now = self._now()
        own = self._strangers.left_s(name.casefold(), now) if account is None else delay_s(account.failures + 1)
        waiting = max(own, self._addresses.left_s(address, now))
        wrong = "the name or the password is wrong"
        return locked_out(waiting, after=wrong) if waiting else SignInRefusedError(wrong)

    def _begin(self, person_id: int, now: datetime) -> int:
        """Count an attempt of a person; seconds to wait if none may be made now."""

        def work(connection: Connection) -> int:
            account = reads.secrets_by_id(connection, person_id)
            if account is None:
                return 0
            until = None if account.locked_until_utc is None else datetime.fromisoformat(account.locked_until_utc)
            if waiting := left_s(until, now):
                return waiting
            wait_s = delay_s(account.failures + 1)
            until_utc = utc_text(now + timedelta(seconds=wait_s)) if wait_s else None
            store.count_attempt(connection, person_id, locked_until_utc=until_utc)
            return 0

        return self._writer.call(work)

    def _clear(self, account: reads.SecretsRow, password: str) -> None:
        renewed = make_hash(password, self._cost) if is_dated(account.password_hash, self._cost) else None

        def work(connection: Connection) -> None:
            store.forget_failures(connection, account.person_id)
            if renewed is not None:
                store.renew_password_hash(connection, account.person_id, account.password_hash, renewed)

        self._writer.call(work)

    def _tell(self, account: reads.SecretsRow | None, address: str, action: str, detail: dict[str, object]) -> None:
        subject = "person/unknown" if account is None else f"person/{account.name}"  # what was typed may be a password
        self._writer.call(lambda connection: audit.append(connection, f"page {address}", action, subject, detail))


def open_people(home: Path, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]], settings: Settings) -> PeopleDesk:
    """The desk of a home folder; the caller holds the home's lock.

    Raises:
        StoreError: the key of the PINs cannot be read or made.
    """
    limits = SignInLimits(idle_s=settings.sign_in_idle_min * 60.0, total_s=settings.sign_in_limit_h * 3600.0)
    return PeopleDesk(writer, reader, limits=limits, pin_key=read_or_make_key(home / PIN_KEY_NAME))


def hash_token(token: str) -> str:
    """What is kept of a token; it is random and long, so one plain SHA-256 does."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _person(account: reads.SecretsRow) -> Person:
    has_pin = account.pin_hash is not None
    return Person(id=account.person_id, name=account.name, full_name=account.full_name, role=Role(account.role), has_pin=has_pin)
