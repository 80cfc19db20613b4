"""Who works on the appliance, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do. Each role includes the ones before it."""

    VIEW = "view"
    COUNT = "count"
    REVIEW = "review"
    ADMINISTER = "administer"

    def includes(self, other: Role) -> bool:
        """Whether whoever has this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account. `name` is typed to sign in and stands in tables; `full_name` is for people to read."""

    id: int
    name: str
    full_name: str
    role: Role
    has_pin: bool

    def may(self, role: Role) -> bool:
        """Whether this person may do what `role` may."""
        return self.role.includes(role)

    @property
    def has_account(self) -> bool:
        """False for the machine's own command line, which has a role but neither a password nor a row in `people`."""
        return self.id > 0


COMMAND_LINE = Person(id=0, name="cli", full_name="the command line of this machine", role=Role.ADMINISTER, has_pin=False)
