"""Passwords and PINs: what is accepted, how they are kept, how they are compared.

Kept as scrypt (RFC 7914) with its parameters and a salt in the text, `scrypt$LOG2_N$R$P$SALT$KEY`, so that the cost can grow:
a text that was made with less is made anew at the next sign-in. The default costs 32 MiB and a quarter of a second on the
slowest machine that was tried; it is the work of one of OWASP's equal settings (2^15, 8, 3).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
import unicodedata
from dataclasses import dataclass

from edge.errors import AccountError
from edge.survey.people import Role

MIN_LENGTH = 8
MIN_LENGTH_ADMINISTER = 10
MAX_LENGTH = 512
_SALT_BYTES = 16
_KEY_BYTES = 32
_PIN = re.compile(r"[0-9]{4,8}")
_NAME = re.compile(r"[^\W_](?:[\w.-]{0,30}[\w])?")
_RESERVED_NAMES = frozenset({"cli", "api", "page", "local", "nobody", "appliance", "web", "health"})  # the audit trail's other actors
_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 32 MiB and a core


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The work of one comparison: 128 * r * 2^log2_n bytes of memory, p times."""

    log2_n: int = 15
    r: int = 8
    p: int = 3


def make_hash(secret: str, cost: Cost) -> str:
    """What is kept of a password or PIN."""
    salt = os.urandom(_SALT_BYTES)
    return _text(cost, salt, _derive(secret, salt, cost))


def make_decoy(cost: Cost) -> str:
    """A text that no secret fits, and that takes as long to find out as any other."""
    return _text(cost, os.urandom(_SALT_BYTES), os.urandom(_KEY_BYTES))


def fits(secret: str, kept: str) -> bool:
    """Whether a secret is the one that was kept; a damaged text fits none."""
    try:
        cost, salt, key = _parts(kept)
    except ValueError:
        return False
    return hmac.compare_digest(_derive(secret, salt, cost), key)


def is_dated(kept: str, cost: Cost) -> bool:
    """Whether a text was made with another cost than today's."""
    try:
        return _parts(kept)[0] != cost
    except ValueError:
        return True


def check_name(name: str) -> str:
    """A name as it is kept (Unicode NFC).

    Raises:
        AccountError: it is not 1 to 32 letters, digits, `.`, `_`, `-`, or is one that the audit trail uses for what is no person.
    """
    plain = unicodedata.normalize("NFC", name)
    if not _NAME.fullmatch(plain):
        advice = "Use 1 to 32 letters and digits; points, hyphens and underscores may stand between them. Initials such as JD do."
        raise AccountError(f"{name!r} cannot be a name", advice=advice)
    if plain.casefold() in _RESERVED_NAMES:
        raise AccountError(f"the name {plain} belongs to the appliance itself", advice="Choose another name.")
    return plain


def check_password(password: str, *, name: str, full_name: str, role: Role) -> None:
    """Length alone, and not the name: rules of composition make passwords worse.

    Raises:
        AccountError: too short, too long, or the name.
    """
    least = MIN_LENGTH_ADMINISTER if role is Role.ADMINISTER else MIN_LENGTH
    if len(password) < least:
        advice = "A few words in a row are good and easy to type."
        raise AccountError(f"a password for the role {role} has at least {least} characters", advice=advice)
    if len(password) > MAX_LENGTH:
        raise AccountError(f"a password has at most {MAX_LENGTH} characters", advice="Choose a shorter one.")
    if _plain(password).casefold() in {_plain(one).casefold() for one in (name, full_name)}:
        raise AccountError("a name is no password", advice="Choose something that is not written on the page People.")


def check_pin_form(pin: str) -> None:
    """Whether it can be a PIN.

    Raises:
        AccountError: it is not 4 to 8 digits, or is one digit over and over.
    """
    if not _PIN.fullmatch(pin):
        raise AccountError("a PIN has 4 to 8 digits", advice="Choose 4 to 8 digits.")
    if len(set(pin)) == 1:
        raise AccountError("a PIN of one digit over and over is no secret", advice="Choose other digits.")


def _derive(secret: str, salt: bytes, cost: Cost) -> bytes:
    n = 1 << cost.log2_n
    with _AT_ONCE:
        return hashlib.scrypt(
            _plain(secret[:MAX_LENGTH]).encode("utf-8", "surrogatepass"),
            salt=salt,
            n=n,
            r=cost.r,
            p=cost.p,
            maxmem=128 * cost.r * (n + cost.p + 2),
            dklen=_KEY_BYTES,
        )


def _plain(text: str) -> str:
    """One form of what looks alike: keyboards differ in how they compose letters."""
    return unicodedata.normalize("NFKC", text)


def _text(cost: Cost, salt: bytes, key: bytes) -> str:
    return "$".join(["scrypt", str(cost.log2_n), str(cost.r), str(cost.p), *(base64.b64encode(one).decode() for one in (salt, key))])


def _parts(kept: str) -> tuple[Cost, bytes, bytes]:
    kind, log2_n, r, p, salt, key = kept.split("$")
    if kind != "scrypt":
        raise ValueError(f"{kind} is no kind of hash that is known")
    cost = Cost(log2_n=int(log2_n), r=int(r), p=int(p))
    if not (4 <= cost.log2_n <= 20 and 1 <= cost.r <= 16 and 1 <= cost.p <= 16):
        raise ValueError("a cost that was never used")
    try:
        return cost, base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
