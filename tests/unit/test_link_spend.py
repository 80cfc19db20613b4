"""What a link may cost: days and months, hours, a pause, a rate; and what it did cost is counted as the kernel counts it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.sink_settings import SinkSettings
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads.links import Spent
from edge.store.writer import Writer
from sync.link.budget import LUMP_BYTES, Budget
from sync.link.counter import CountingBackend
from sync.link.errors import BudgetSpentError, PausedError, WindowClosedError
from sync.link.sockets import congestion_control, kernel_traffic, socket_options
from sync.link.spend import LinkSpend, StoredLedger, spending
from sync.link.throttle import Throttle
from sync.link.windows import read_windows
from tests.helpers import seed
from tests.helpers.ashore import Meter

MORNING = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)  # a Sunday


class Now:
    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Ledger:
    def __init__(self) -> None:
        self.rows: dict[date, list[int]] = {}
        self.writes = 0

    def spent(self, day: date) -> Spent:
        of_month = sum(sum(row) for other, row in self.rows.items() if (other.year, other.month) == (day.year, day.month))
        return Spent(sum(self.rows.get(day, [0])), of_month)

    def add(self, day: date, *, up_bytes: int, down_bytes: int) -> None:
        self.writes += 1
        row = self.rows.setdefault(day, [0, 0])
        row[0] += up_bytes
        row[1] += down_bytes


def test_a_day_is_spent_and_goes_on_at_midnight() -> None:
    now, ledger = Now(), Ledger()
    budget = Budget("vsat", ledger, daily_mb=1, now=now)
    budget.add(up_bytes=600_000, down_bytes=300_000)
    budget.check(100_000)
    with pytest.raises(BudgetSpentError, match=r"0\.90 of the 1 MB of the day") as told:
        budget.check(100_001)
    assert told.value.until == datetime(2026, 11, 23, tzinfo=UTC)
    assert told.value.after_s == 16 * 3600
    assert "2026-11-23 00:00 UTC" in told.value.advice()
    now.at = told.value.until
    budget.check(1_000_000)
    assert budget.spent() == Spent(0, 900_000)


def test_a_month_is_spent_and_goes_on_at_the_first() -> None:
    now = Now(datetime(2026, 12, 30, 12, tzinfo=UTC))
    budget = Budget("vsat", Ledger(), daily_mb=1, monthly_mb=2, now=now)
    for _ in range(2):
        budget.add(up_bytes=1_000_000, down_bytes=0)
        now.at += timedelta(days=1)
    now.at = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(BudgetSpentError, match="month") as told:
        budget.check(1)
    assert told.value.until == datetime(2027, 1, 1, tzinfo=UTC)


def test_costs_are_written_in_lumps_and_none_is_lost() -> None:
    now, ledger = Now(), Ledger()
    budget = Budget("vsat", ledger, now=now)
    for _ in range(100):
        budget.add(up_bytes=LUMP_BYTES // 10, down_bytes=1)
    assert ledger.writes <= 11
    now.at += timedelta(days=1)
    budget.add(up_bytes=7, down_bytes=0)
    budget.flush()
    assert ledger.rows == {MORNING.date(): [LUMP_BYTES // 10 * 100, 100], now.at.date(): [7, 0]}
    budget.check(10**12)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Path, Writer]]:
    seed.open_database(tmp_path).close()
    writer = Writer(tmp_path / DATABASE_NAME)
    writer.start()
    yield tmp_path, writer
    writer.close()


def test_costs_of_a_link_outlive_the_process(home: tuple[Path, Writer]) -> None:
    folder, writer = home

    def reading() -> Any:
        return closing(open_reader(folder / DATABASE_NAME))

    settings = SinkSettings(name="vsat", kind="s3", url="https://s3.example.org", bucket="results", daily_mb=1)

    def spend_and_end() -> None:
        with spending(settings, writer, reading) as spend:
            spend.sent(1000)
            spend.received(200)
            spend.cost_more(up_bytes=34, down_bytes=0)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        spend_and_end()
    today = datetime.now(UTC).date()
    assert StoredLedger("vsat", writer, reading).spent(today).month_bytes == 1234
    assert StoredLedger("other", writer, reading).spent(today) == Spent(0, 0)
    with spending(settings, writer, reading) as spend:
        spend.may_begin(500_000)
        with pytest.raises(BudgetSpentError):
            spend.may_begin(1_000_000)


def test_pause_and_hours_end_what_is_under_way() -> None:
    now, paused = Now(), [False]
    spend = LinkSpend(
        "vsat",
        budget=Budget("vsat", Ledger(), now=now),
        throttle=Throttle(0),
        windows=read_windows(["sun 06:00-09:00"]),
        is_paused=lambda: paused[0],
        now=now,
    )
    spend.sent(1)
    paused[0] = True
    with pytest.raises(PausedError):
        spend.may_begin(0)
    with pytest.raises(PausedError) as stopped:
        spend.sent(1)
    assert "resume" in stopped.value.advice()
    paused[0] = False
    now.at += timedelta(hours=1)
    with pytest.raises(WindowClosedError) as closed:
        spend.sent(1)
    assert closed.value.until == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert closed.value.after_s == timedelta(days=6, hours=21).total_seconds()


def test_what_was_sent_again_counts_against_the_rate() -> None:
    clock = [0.0]

    def wait(seconds: float) -> None:
        clock[0] += seconds

    throttle = Throttle(8.0, clock=lambda: clock[0], wait=wait)  # 1000 bytes a second
    throttle.take(1000)
    throttle.owe(5000)
    throttle.take(1)
    assert clock[0] == pytest.approx(5.0, abs=0.01)


def test_the_kernel_tells_more_than_was_written() -> None:
    """Headers of IP and TCP at the least; where it tells nothing, what was written and read is counted."""
    meter = Meter()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        answering = threading.Thread(target=answer_once, args=(server,))
        answering.start()
        stream = CountingBackend(meter).connect_tcp("127.0.0.1", server.getsockname()[1], timeout=5, socket_options=socket_options())
        stream.write(b"x" * 100_000, timeout=5)
        assert stream.read(1024, timeout=5) == b"thanks"
        traffic = kernel_traffic(stream.get_extra_info("socket"))
        stream.close()
        answering.join()
    assert (meter.up_bytes, meter.down_bytes) == (100_000, 6)
    if traffic is not None:
        assert 100_000 < traffic.up_bytes < 130_000
        assert meter.more_bytes >= traffic.up_bytes + traffic.down_bytes - 100_006, "it looks again when it closes"


def answer_once(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        left = 100_000
        while left:
            left -= len(client.recv(65536))
        client.sendall(b"thanks")


def test_bbr_is_asked_for_where_the_kernel_has_it() -> None:
    options = [one[2] for one in socket_options()]
    assert (b"bbr" in options) == (congestion_control() == "bbr")
    with socket.socket() as connection:
        for level, name, value in socket_options():
            connection.setsockopt(level, name, value)
