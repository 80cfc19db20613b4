"""The durable queue: order, leases, suspects, retry, reprocess."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import Reason
from edge.store import away, files, jobs
from edge.store.sqlite import Connection
from tests.helpers.seed import (
    RECIPE,
    Station,
    add_model,
    add_station,
    done,
    done_again,
    open_database,
    quarantined,
    queued,
    seen_file,
    waiting,
)

OWNER = "process-1"
MAX_ATTEMPTS = 3


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path / "home")
    yield connection
    connection.close()


@pytest.fixture
def station(connection: Connection, tmp_path: Path) -> Station:
    return add_station(connection, tmp_path / "inbox", b"tow 1")


def lease(connection: Connection, limit: int = 100) -> list[jobs.Job]:
    return jobs.lease_jobs(connection, RECIPE, owner=OWNER, limit=limit)


def names(leased: list[jobs.Job]) -> list[str]:
    return [job.name for job in leased]


def state_of(connection: Connection, name: str) -> tuple[str, str | None]:
    row = connection.execute("SELECT state, reason FROM v_files WHERE name = ? AND original <> 'changed'", (name,)).fetchone()
    return row["state"], row["reason"]


def file_id(connection: Connection, name: str) -> int:
    return int(connection.execute("SELECT file_id FROM v_files WHERE name = ?", (name,)).fetchone()[0])


def test_newest_station_first_then_backlog_then_reprocess(connection: Connection, tmp_path: Path) -> None:
    pack = add_model(connection)
    old, new = (add_station(connection, tmp_path / "inbox", name) for name in (b"tow 1", b"tow 2"))
    done(connection, new, b"known.jpg", pack)
    assert jobs.reprocess(connection, RECIPE, sighting_ids=None) == 1
    for name in (b"old a.jpg", b"old b.jpg"):
        queued(connection, old, name)
    for name in (b"new a.jpg", b"new b.jpg"):
        queued(connection, new, name)
    assert names(lease(connection)) == ["new a.jpg", "new b.jpg", "old a.jpg", "old b.jpg", "known.jpg"]


def test_a_station_that_comes_later_overtakes_the_backlog(connection: Connection, station: Station, tmp_path: Path) -> None:
    for number in range(5):
        queued(connection, station, b"old %d.jpg" % number)
    assert names(lease(connection, 2)) == ["old 0.jpg", "old 1.jpg"]
    queued(connection, add_station(connection, tmp_path / "inbox", b"tow 2"), b"new.jpg")
    assert names(lease(connection, 2)) == ["new.jpg", "old 2.jpg"]


def test_a_leased_job_is_not_leased_twice(connection: Connection, station: Station) -> None:
    queued(connection, station, b"a.jpg")
    (job,) = lease(connection)
    assert lease(connection) == []
    assert state_of(connection, "a.jpg") == ("leased", None)
    assert job.path is not None
    assert job.path.name == "a.jpg"
    assert job.attempts == 0


def test_a_released_job_comes_again_untried(connection: Connection, station: Station) -> None:
    queued(connection, station, b"a.jpg")
    (job,) = lease(connection)
    jobs.release_jobs(connection, [job.job_id])
    assert lease(connection) == [job]


def test_a_finished_job_is_not_released(connection: Connection, station: Station) -> None:
    """A release that arrives late must not undo a result."""
    found = done(connection, station, b"a.jpg", add_model(connection))
    (job_id,) = connection.execute("SELECT id FROM jobs WHERE image_id = ?", (found.image_id,)).fetchone()
    jobs.release_jobs(connection, [job_id])
    assert not jobs.suspect_job(connection, job_id, max_attempts=1, reason=Reason.WORKER_DIED, detail="late")
    assert state_of(connection, "a.jpg") == ("done", None)
    assert lease(connection) == []


def test_suspects_are_leased_one_at_a_time_and_never_with_others(connection: Connection, station: Station) -> None:
    for name in (b"a.jpg", b"b.jpg", b"c.jpg"):
        queued(connection, station, name)
    for job in lease(connection, 2):
        assert not jobs.suspect_job(connection, job.job_id, max_attempts=MAX_ATTEMPTS, reason=Reason.WORKER_DIED, detail="died")
    assert names(lease(connection)) == ["c.jpg"]
    (suspect,) = jobs.lease_suspect(connection, RECIPE, owner=OWNER)
    assert (suspect.name, suspect.attempts) == ("a.jpg", 1)
    assert names(jobs.lease_suspect(connection, RECIPE, owner=OWNER)) == ["b.jpg"]
    assert jobs.lease_suspect(connection, RECIPE, owner=OWNER) == []


def test_after_so_many_deaths_a_file_is_quarantined(connection: Connection, station: Station) -> None:
    queued(connection, station, b"a.jpg")
    (job,) = lease(connection)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        ended = jobs.suspect_job(connection, job.job_id, max_attempts=MAX_ATTEMPTS, reason=Reason.WORKER_DIED, detail="died")
        assert ended == (attempt == MAX_ATTEMPTS)
        if not ended:
            (job,) = jobs.lease_suspect(connection, RECIPE, owner=OWNER)
    assert state_of(connection, "a.jpg") == ("quarantined", "worker_died")
    assert jobs.lease_suspect(connection, RECIPE, owner=OWNER) == []
    assert lease(connection) == []


def test_leases_of_a_process_that_is_gone_are_reclaimed_as_suspects(connection: Connection, station: Station) -> None:
    for name in (b"a.jpg", b"b.jpg"):
        queued(connection, station, name)
    lease(connection, 1)
    assert jobs.reclaim_leases(connection, owner=OWNER, max_attempts=MAX_ATTEMPTS) == 0
    assert jobs.reclaim_leases(connection, owner="process-2", max_attempts=MAX_ATTEMPTS) == 1
    assert names(jobs.lease_suspect(connection, RECIPE, owner="process-2")) == ["a.jpg"]


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_kills_of_the_whole_service_never_quarantine_a_file(connection: Connection, station: Station, max_attempts: int) -> None:
    queued(connection, station, b"a.jpg")
    for kill in range(10):
        leased = lease(connection) or jobs.lease_suspect(connection, RECIPE, owner=OWNER)
        assert len(leased) == 1
        assert leased[0].attempts < max_attempts
        assert jobs.reclaim_leases(connection, owner=f"process-{kill + 2}", max_attempts=max_attempts) == 1
    assert state_of(connection, "a.jpg") == ("queued", None)


def test_a_failed_job_is_listed_with_its_reason_and_retried_on_demand(connection: Connection, station: Station) -> None:
    quarantined(connection, station, b"a.jpg", reason=Reason.CORRUPT, content=b"a")
    quarantined(connection, station, b"b.jpg", reason=Reason.TRUNCATED, content=b"b")
    assert state_of(connection, "a.jpg") == ("quarantined", "corrupt")
    assert jobs.retry_files(connection, [file_id(connection, "a.jpg")]) == 1
    assert state_of(connection, "a.jpg") == ("queued", None)
    assert state_of(connection, "b.jpg") == ("quarantined", "truncated")
    assert names(lease(connection)) == ["a.jpg"]


def test_retry_of_all_and_by_reason(connection: Connection, station: Station) -> None:
    quarantined(connection, station, b"a.jpg", reason=Reason.CORRUPT, content=b"a")
    quarantined(connection, station, b"b.jpg", reason=Reason.TRUNCATED, content=b"b")
    assert jobs.retry_files(connection, None, reason=Reason.TRUNCATED) == 1
    assert jobs.retry_files(connection, None) == 1
    assert jobs.retry_files(connection, None) == 0
    assert sorted(names(lease(connection))) == ["a.jpg", "b.jpg"]


def test_retry_of_a_worn_out_suspect_begins_anew(connection: Connection, station: Station) -> None:
    queued(connection, station, b"a.jpg")
    (job,) = lease(connection)
    jobs.suspect_job(connection, job.job_id, max_attempts=1, reason=Reason.WORKER_DIED, detail="died")
    assert jobs.retry_files(connection, None) == 1
    assert [job.attempts for job in lease(connection)] == [0]


def test_retry_of_a_file_without_content_waits_for_the_next_look(connection: Connection, station: Station) -> None:
    quarantined(connection, station, b"a.jpg", reason=Reason.EMPTY_FILE)
    assert jobs.retry_files(connection, None) == 1
    assert state_of(connection, "a.jpg") == ("seen", None)
    known = files.known_file(connection, station.folder_id, b"a.jpg")
    assert known is not None
    assert known.mtime_ns != seen_file(station, b"a.jpg").mtime_ns, "the next look must find it changed"


def test_retry_touches_nothing_that_is_well(connection: Connection, station: Station) -> None:
    done(connection, station, b"a.jpg", add_model(connection))
    waiting(connection, station, b"b.jpg")
    assert jobs.retry_files(connection, None) == 0
    assert jobs.retry_files(connection, [file_id(connection, "a.jpg")]) == 0
    assert state_of(connection, "a.jpg") == ("done", None)


def test_reprocess_queues_each_content_once(connection: Connection, station: Station) -> None:
    pack = add_model(connection)
    done(connection, station, b"a.jpg", pack, content=b"same")
    queued(connection, station, b"twin.jpg", content=b"same")
    quarantined(connection, station, b"bad.jpg", content=b"bad")
    assert jobs.reprocess(connection, RECIPE, sighting_ids=None) == 1
    assert jobs.reprocess(connection, RECIPE, sighting_ids=None) == 0
    assert state_of(connection, "a.jpg") == ("done", None), "the old result stands meanwhile"


def test_reprocess_keeps_both_results(connection: Connection, station: Station) -> None:
    pack = add_model(connection)
    found = done(connection, station, b"a.jpg", pack, boxes=[(1, 1, 5, 5, 0.9, 0)])
    done_again(connection, station, found.sha256, pack, boxes=[(1, 1, 5, 5, 0.9, 0), (2, 2, 6, 6, 0.8, 0)])
    rows = connection.execute("SELECT object_count, is_current FROM runs ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [(1, 0), (2, 1)]
    assert jobs.reprocess(connection, RECIPE, sighting_ids=[file_id(connection, "a.jpg")]) == 1


def test_retry_survives_a_file_whose_reprocessing_failed_twice(connection: Connection, station: Station) -> None:
    """Two failed reprocess jobs of one image cannot both wait; the earlier one stays what it is."""
    done(connection, station, b"a.jpg", add_model(connection))
    for _ in range(2):
        assert jobs.reprocess(connection, RECIPE, sighting_ids=None) == 1
        (job,) = lease(connection)
        jobs.fail_job(connection, job.job_id, reason=Reason.MODEL_FAILED, detail="NaN")
    assert jobs.retry_files(connection, None) == 1
    assert len(lease(connection)) == 1
    assert state_of(connection, "a.jpg") == ("done", None)


def test_what_is_open_is_what_waits_or_is_in_hand(connection: Connection, station: Station) -> None:
    for name in (b"a.jpg", b"b.jpg"):
        queued(connection, station, name)
    assert (jobs.queue_length(connection, RECIPE), jobs.has_open_jobs(connection, RECIPE)) == (2, True)
    for job in lease(connection):
        assert (jobs.queue_length(connection, RECIPE), jobs.has_open_jobs(connection, RECIPE)) == (0, True)
        jobs.fail_job(connection, job.job_id, reason=Reason.CORRUPT, detail="")
    assert not jobs.has_open_jobs(connection, RECIPE)


class TestFoldersThatAreAway:
    """What lies on a medium that is out waits as queued; everything else goes on, in the same order as always."""

    def folder_id(self, connection: Connection, name: str) -> int:
        return int(connection.execute("SELECT id FROM folders WHERE relative_path = ?", (name,)).fetchone()[0])

    def stations(self, connection: Connection, tmp_path: Path) -> None:
        for tow in (b"tow 1", b"tow 2", b"tow 3"):
            station = add_station(connection, tmp_path / "inbox", tow)
            queued(connection, station, tow + b" a.jpg")
            queued(connection, station, tow + b" b.jpg")

    def test_they_are_stepped_over(self, connection: Connection, tmp_path: Path) -> None:
        self.stations(connection, tmp_path)
        away.mark_away(connection, [self.folder_id(connection, "tow 2")])
        assert names(lease(connection, 3)) == ["tow 3 a.jpg", "tow 3 b.jpg", "tow 1 a.jpg"]
        assert names(lease(connection)) == ["tow 1 b.jpg"]
        assert lease(connection) == []
        assert state_of(connection, "tow 2 a.jpg") == ("queued", None)

    def test_they_are_not_open_and_not_lost(self, connection: Connection, tmp_path: Path) -> None:
        self.stations(connection, tmp_path)
        away.mark_away(connection, [self.folder_id(connection, name) for name in ("tow 1", "tow 2", "tow 3")])
        assert not jobs.has_open_jobs(connection, RECIPE)
        assert [(root.path, root.folder, root.folders, root.files) for root in away.away_roots(connection)] == [
            (str(tmp_path / "inbox"), "tow 1", 3, 6)
        ]
        away.mark_reachable(connection, [self.folder_id(connection, "tow 1")])
        assert jobs.has_open_jobs(connection, RECIPE)
        assert names(lease(connection)) == ["tow 1 a.jpg", "tow 1 b.jpg"]
        away.forget_all(connection)
        assert len(lease(connection)) == 4
        assert away.away_roots(connection) == ()

    def test_suspects_and_reprocessing_wait_too(self, connection: Connection, tmp_path: Path) -> None:
        self.stations(connection, tmp_path)
        for job in lease(connection):
            jobs.suspect_job(connection, job.job_id, max_attempts=MAX_ATTEMPTS, reason=Reason.WORKER_DIED, detail="")
        away.mark_away(connection, [self.folder_id(connection, "tow 3")])
        assert names(jobs.lease_suspect(connection, RECIPE, owner=OWNER)) == ["tow 2 a.jpg"]

    def test_a_job_put_aside_waits_in_the_folder_where_its_file_was_looked_for(self, connection: Connection, tmp_path: Path) -> None:
        """Its first name is gone; the second lies on the medium that turned out to be away."""
        first, second = (add_station(connection, tmp_path / "inbox", tow) for tow in (b"tow 1", b"stick"))
        queued(connection, first, b"a.jpg", content=b"same")
        queued(connection, second, b"b.jpg", content=b"same")
        files.mark_gone(connection, [file_id(connection, "a.jpg")])
        (job,) = lease(connection)
        assert job.folder_id == self.folder_id(connection, "stick")
        jobs.put_aside(connection, job.job_id, folder_id=job.folder_id)
        assert state_of(connection, "b.jpg") == ("queued", None)
        assert lease(connection) == []
        away.mark_reachable(connection, [job.folder_id])
        assert names(lease(connection)) == ["b.jpg"]

    def test_another_name_of_the_bytes_that_is_there_ends_the_waiting(self, connection: Connection, tmp_path: Path) -> None:
        first, second = (add_station(connection, tmp_path / "inbox", tow) for tow in (b"stick", b"tow 1"))
        queued(connection, first, b"a.jpg", content=b"same")
        away.mark_away(connection, [self.folder_id(connection, "stick")])
        assert lease(connection) == []
        queued(connection, second, b"b.jpg", content=b"same")
        assert names(lease(connection)) == ["b.jpg"]

    def test_copies_never_wait(self, connection: Connection, tmp_path: Path) -> None:
        self.stations(connection, tmp_path)
        connection.execute("UPDATE roots SET intake = 'copy'")
        away.mark_away(connection, [self.folder_id(connection, "tow 1")])
        assert len(lease(connection)) == 6


def test_a_leased_name_is_where_the_content_still_is(connection: Connection, station: Station) -> None:
    """Of two names the one that is there is read, whichever came first."""
    queued(connection, station, b"a.jpg", content=b"same")
    queued(connection, station, b"b.jpg", content=b"same")
    files.mark_gone(connection, [file_id(connection, "b.jpg")])
    (job,) = lease(connection)
    assert job.name == "a.jpg"


def test_a_copy_is_read_rather_than_the_original(connection: Connection, station: Station, tmp_path: Path) -> None:
    seen = seen_file(station, b"a.jpg", b"bytes")
    files.store_file(connection, seen, sha256="1" * 64, copy_path=str(tmp_path / "media" / "copy.jpg"))
    (job,) = lease(connection)
    assert job.path == tmp_path / "media" / "copy.jpg"
    assert job.name == "a.jpg"
