"""A home folder with accounts and a clock that the test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from edge.commands.common import reading
from edge.errors import LockedOutError, SignInRefusedError
from edge.store.open import open_store
from edge.store.reads.audit_trail import AuditFilter, all_audit_rows
from edge.store.writer import Writer
from edge.survey.people import Role
from edge.survey.people_desk import PeopleDesk, SignInLimits
from edge.survey.people_secrets import Cost
from tests.helpers.people import PASSWORD

CHEAP = Cost(log2_n=4, r=8, p=1)
HERE, THERE = "192.168.7.11", "192.168.7.12"


class Ship:
    """A home folder with a desk and a clock."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.now = datetime(2026, 6, 3, 12, 0, tzinfo=UTC)
        self.writer: Writer = open_store(home, on_commit=lambda: None)
        self.desk = self.make_desk()

    def make_desk(self, cost: Cost = CHEAP) -> PeopleDesk:
        limits = SignInLimits(idle_s=3600, total_s=12 * 3600)
        return PeopleDesk(self.writer, partial(reading, self.home), limits=limits, cost=cost, now=lambda: self.now)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def add(self, name: str, role: Role = Role.COUNT) -> int:
        return self.desk.add(name, role, PASSWORD, actor="test")

    def sign_in(self, name: str = "jd", password: str = PASSWORD, address: str = HERE, replaces: str | None = None) -> str:
        return self.desk.sign_in(name, password, address=address, replaces=replaces)[0]

    def fail(self, times: int, name: str = "jd", address: str = HERE) -> None:
        for _ in range(times):
            with pytest.raises((SignInRefusedError, LockedOutError)):
                self.sign_in(name, "wrong", address)

    def actions(self, **which: str) -> list[str]:
        with reading(self.home) as connection:
            return [row.action for row in all_audit_rows(connection, AuditFilter(**which))]
