"""What the store makes of files: one result per content, every name remembered, nothing lost when originals come and go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.errors import Reason
from edge.store import files, jobs, runs
from edge.store.connection import immediate
from edge.store.sqlite import Connection, Row
from tests.helpers.seed import RECIPE, Station, add_model, add_station, make_result, open_database

MAX_ATTEMPTS = 3


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path / "home")
    yield connection
    connection.close()


@pytest.fixture
def station(connection: Connection, tmp_path: Path) -> Station:
    return add_station(connection, tmp_path / "inbox", b"tow 1")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def seen(station: Station, name: bytes, content: bytes, mtime_ns: int = 1) -> files.SeenFile:
    return files.SeenFile(
        folder_id=station.folder_id,
        recipe=station.recipe,
        folder_path_bytes=station.path_bytes,
        name_bytes=name,
        size_bytes=len(content),
        mtime_ns=mtime_ns,
        inode=1,
    )


def store(connection: Connection, station: Station, name: bytes, content: bytes, mtime_ns: int = 1) -> bool:
    return files.store_file(connection, seen(station, name, content, mtime_ns), sha256=sha256(content), copy_path=None)


def fail(
    connection: Connection, station: Station, name: bytes, content: bytes, reason: Reason, *, mtime_ns: int = 1, waiting: bool = False
) -> None:
    files.fail_file(connection, seen(station, name, content, mtime_ns), reason=reason, detail="told", waiting=waiting)


def rows(connection: Connection, columns: str = "name, state, reason, original") -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(f"SELECT {columns} FROM v_files ORDER BY file_id")]


def lease_one(connection: Connection) -> jobs.Job:
    leased = jobs.lease_jobs(connection, RECIPE, owner="test", limit=1) or jobs.lease_suspect(connection, RECIPE, owner="test")
    assert leased
    return leased[0]


def finish(connection: Connection, model_id: int, job: jobs.Job, objects: int = 1) -> bool:
    pack = add_model(connection)
    assert pack.model_id == model_id
    context = runs.RunContext(job_id=job.job_id, image_id=job.image_id, recipe=RECIPE, recipe_sha256="0" * 64, model_id=model_id)
    result = make_result(pack, [(1, 1, 9, 9, 0.9, 0)] * objects)
    return runs.record_run(connection, context, result, None)


def ids(connection: Connection, *names: str) -> list[int]:
    return [
        int(connection.execute("SELECT id FROM sightings WHERE name = ? AND original <> 'changed'", (name,)).fetchone()[0])
        for name in names
    ]


def job_count(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def test_the_same_bytes_twice_are_one_job_and_two_sightings(connection: Connection, station: Station) -> None:
    assert store(connection, station, b"a.jpg", b"same")
    assert not store(connection, station, b"b.jpg", b"same")
    assert job_count(connection) == 1
    assert rows(connection, "name, sha256, state") == [("a.jpg", sha256(b"same"), "queued"), ("b.jpg", sha256(b"same"), "queued")]
    finish(connection, add_model(connection).model_id, lease_one(connection))
    assert rows(connection, "name, state, object_count") == [("a.jpg", "done", 1), ("b.jpg", "done", 1)]
    assert not store(connection, station, b"c.jpg", b"same")
    assert rows(connection, "name, state, object_count")[2] == ("c.jpg", "done", 1)
    assert job_count(connection) == 1


def test_the_same_file_again_adds_nothing(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"same")
    assert not store(connection, station, b"a.jpg", b"same", mtime_ns=2)
    assert len(rows(connection)) == 1


def test_an_overwritten_original_is_kept_as_changed_with_both_hashes(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    finish(connection, add_model(connection).model_id, lease_one(connection))
    assert store(connection, station, b"a.jpg", b"second", mtime_ns=2)
    assert rows(connection, "name, sha256, state, original, replaced_by_sha256") == [
        ("a.jpg", sha256(b"first"), "done", "changed", sha256(b"second")),
        ("a.jpg", sha256(b"second"), "queued", "present", None),
    ]


def test_a_file_replaced_while_it_waits_is_listed_as_such(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    store(connection, station, b"a.jpg", b"second", mtime_ns=2)
    assert rows(connection) == [
        ("a.jpg", "quarantined", "changed_while_read", "changed"),
        ("a.jpg", "queued", None, "present"),
    ]
    assert lease_one(connection).sha256 == sha256(b"second")


def test_a_file_replaced_while_it_waits_is_read_under_its_other_name(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    store(connection, station, b"twin.jpg", b"first")
    store(connection, station, b"a.jpg", b"second", mtime_ns=2)
    assert rows(connection, "name, state, original") == [
        ("a.jpg", "queued", "changed"),
        ("twin.jpg", "queued", "present"),
        ("a.jpg", "queued", "present"),
    ]
    assert {lease_one(connection).name, lease_one(connection).name} == {"twin.jpg", "a.jpg"}


def test_a_content_lost_under_one_name_is_read_under_the_other(connection: Connection, station: Station) -> None:
    """The worker found the name overwritten before the intake did; once that is known the twin is read."""
    store(connection, station, b"twin.jpg", b"first")
    store(connection, station, b"a.jpg", b"first")
    job = lease_one(connection)
    assert job.name == "a.jpg"
    jobs.fail_job(connection, job.job_id, reason=Reason.CHANGED_WHILE_READ, detail="another hash")
    store(connection, station, b"a.jpg", b"second", mtime_ns=2)
    assert ("twin.jpg", "queued", None, "present") in rows(connection)


def test_a_content_gone_under_one_name_is_read_under_the_other(connection: Connection, station: Station) -> None:
    store(connection, station, b"twin.jpg", b"first")
    store(connection, station, b"a.jpg", b"first")
    job = lease_one(connection)
    jobs.fail_job(connection, job.job_id, reason=Reason.VANISHED, detail="gone")
    files.mark_gone(connection, ids(connection, "a.jpg"))
    assert rows(connection) == [("twin.jpg", "queued", None, "present"), ("a.jpg", "queued", None, "gone")]
    assert lease_one(connection).name == "twin.jpg"


def test_an_overwritten_content_that_was_copied_is_still_read(connection: Connection, station: Station) -> None:
    files.store_file(connection, seen(station, b"a.jpg", b"first"), sha256=sha256(b"first"), copy_path="/media/first.jpg")
    files.store_file(connection, seen(station, b"a.jpg", b"second", 2), sha256=sha256(b"second"), copy_path="/media/second.jpg")
    assert {lease_one(connection).path, lease_one(connection).path} == {Path("/media/first.jpg"), Path("/media/second.jpg")}


def test_the_old_content_comes_back(connection: Connection, station: Station) -> None:
    model_id = add_model(connection).model_id
    store(connection, station, b"a.jpg", b"first")
    finish(connection, model_id, lease_one(connection))
    store(connection, station, b"a.jpg", b"second", mtime_ns=2)
    assert not store(connection, station, b"a.jpg", b"first", mtime_ns=3)
    assert rows(connection, "sha256, state, original") == [
        (sha256(b"first"), "done", "changed"),
        (sha256(b"second"), "quarantined", "changed"),
        (sha256(b"first"), "done", "present"),
    ]


def test_gone_and_back(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    finish(connection, add_model(connection).model_id, lease_one(connection))
    (file_id,) = ids(connection, "a.jpg")
    files.mark_gone(connection, [file_id])
    assert rows(connection) == [("a.jpg", "done", None, "gone")]
    files.mark_present(connection, [file_id])
    assert rows(connection) == [("a.jpg", "done", None, "present")]
    assert job_count(connection) == 1


@pytest.mark.parametrize("reason", [Reason.VANISHED, Reason.UNREADABLE_FILE])
def test_what_failed_for_its_absence_is_queued_when_it_is_back(connection: Connection, station: Station, reason: Reason) -> None:
    store(connection, station, b"a.jpg", b"first")
    jobs.fail_job(connection, lease_one(connection).job_id, reason=reason, detail="")
    (file_id,) = ids(connection, "a.jpg")
    files.mark_gone(connection, [file_id])
    assert rows(connection) == [("a.jpg", "quarantined", reason, "gone")]
    files.mark_present(connection, [file_id])
    assert rows(connection) == [("a.jpg", "queued", None, "present")]


def test_what_failed_for_its_content_stays_quarantined_when_it_is_back(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    jobs.fail_job(connection, lease_one(connection).job_id, reason=Reason.TRUNCATED, detail="")
    (file_id,) = ids(connection, "a.jpg")
    files.mark_gone(connection, [file_id])
    files.mark_present(connection, [file_id])
    assert rows(connection) == [("a.jpg", "quarantined", "truncated", "present")]


def test_a_growing_file_is_listed_and_then_taken(connection: Connection, station: Station) -> None:
    fail(connection, station, b"a.jpg", b"fir", Reason.STILL_GROWING, waiting=True)
    fail(connection, station, b"a.jpg", b"firs", Reason.STILL_GROWING, mtime_ns=2, waiting=True)
    assert rows(connection, "name, state, reason, size_bytes") == [("a.jpg", "seen", "still_growing", 4)]
    assert store(connection, station, b"a.jpg", b"first", mtime_ns=3)
    assert rows(connection, "name, state, reason, sha256") == [("a.jpg", "queued", None, sha256(b"first"))]


def test_a_growing_file_that_goes_is_listed_as_vanished(connection: Connection, station: Station) -> None:
    fail(connection, station, b"a.jpg", b"fir", Reason.STILL_GROWING, waiting=True)
    files.mark_gone(connection, ids(connection, "a.jpg"))
    assert rows(connection) == [("a.jpg", "quarantined", "vanished", "gone")]
    assert store(connection, station, b"a.jpg", b"first", mtime_ns=2)
    assert rows(connection) == [("a.jpg", "queued", None, "present")]


def test_a_result_is_overwritten_by_a_file_that_cannot_be_taken(connection: Connection, station: Station) -> None:
    store(connection, station, b"a.jpg", b"first")
    finish(connection, add_model(connection).model_id, lease_one(connection))
    fail(connection, station, b"a.jpg", b"", Reason.EMPTY_FILE, mtime_ns=2)
    assert rows(connection) == [("a.jpg", "done", None, "changed"), ("a.jpg", "quarantined", "empty_file", "present")]


def test_the_same_file_that_cannot_be_read_for_now_is_not_called_changed(connection: Connection, station: Station) -> None:
    """A file with a result whose permissions went away: same size, same time; nobody overwrote anything."""
    store(connection, station, b"a.jpg", b"first")
    finish(connection, add_model(connection).model_id, lease_one(connection))
    fail(connection, station, b"a.jpg", b"first", Reason.UNREADABLE_FILE)
    assert rows(connection) == [("a.jpg", "done", None, "present")]


def test_folder_ids_grow_in_the_order_of_first_sight(connection: Connection, tmp_path: Path) -> None:
    first, second = (add_station(connection, tmp_path / "inbox", name).folder_id for name in (b"z", b"a"))
    assert first < second
    assert add_station(connection, tmp_path / "inbox", b"z").folder_id == first


def test_hostile_names_are_kept_as_bytes_and_shown_as_text(connection: Connection, station: Station) -> None:
    for number, name in enumerate((b"caf\xe9.jpg", b"new\nline.jpg", "\u202egpj.jpg".encode(), b"n" * 251 + b".jpg")):
        store(connection, station, name, b"%d" % number)
        known = files.known_file(connection, station.folder_id, name)
        assert known is not None
        assert known.name_bytes == name
    assert [row[0] for row in rows(connection, "name")][:2] == ["caf\\xe9.jpg", "new\nline.jpg"]


CONTENTS = (b"one", b"two", b"three")
NAMES = (b"a.jpg", b"b.jpg", b"c.jpg")
REASONS = (Reason.CORRUPT, Reason.VANISHED, Reason.CHANGED_WHILE_READ, Reason.UNREADABLE_FILE, Reason.WORKER_DIED)


class StoreLife(RuleBasedStateMachine):
    """Any order of what intake, dispatcher and people do: the books balance after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.connection = open_database(Path(self.folder.name))
        self.stations = [add_station(self.connection, Path("/inbox"), name) for name in (b"tow 1", b"tow 2")]
        self.pack = add_model(self.connection)
        self.leased: list[jobs.Job] = []
        self.finished: set[str] = set()
        self.mtime_ns = 0
        self.owner = 0

    def teardown(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    @rule(station=st.integers(0, 1), name=st.sampled_from(NAMES), content=st.sampled_from(CONTENTS), copied=st.booleans())
    def store(self, station: int, name: bytes, content: bytes, copied: bool) -> None:
        self.mtime_ns += 1
        copy_path = f"/media/{content.decode()}" if copied else None
        with immediate(self.connection) as connection:
            files.store_file(
                connection, seen(self.stations[station], name, content, self.mtime_ns), sha256=sha256(content), copy_path=copy_path
            )

    @rule(station=st.integers(0, 1), name=st.sampled_from(NAMES), waiting=st.booleans())
    def fail_to_store(self, station: int, name: bytes, waiting: bool) -> None:
        self.mtime_ns += 1
        with immediate(self.connection) as connection:
            fail(connection, self.stations[station], name, b"", Reason.EMPTY_FILE, mtime_ns=self.mtime_ns, waiting=waiting)

    @rule(data=st.data())
    def go_and_come(self, data: st.DataObject) -> None:
        present = [row["id"] for row in self.connection.execute("SELECT id FROM sightings WHERE original = 'present'")]
        gone = [row["id"] for row in self.connection.execute("SELECT id FROM sightings WHERE original = 'gone' AND image_id IS NOT NULL")]
        with immediate(self.connection) as connection:
            if present:
                files.mark_gone(connection, data.draw(st.lists(st.sampled_from(present), unique=True), "gone"))
            if gone:
                files.mark_present(connection, data.draw(st.lists(st.sampled_from(gone), unique=True), "back"))

    @rule(limit=st.integers(1, 3), suspect=st.booleans())
    def lease(self, limit: int, suspect: bool) -> None:
        owner = f"process-{self.owner}"
        with immediate(self.connection) as connection:
            if suspect:
                self.leased += jobs.lease_suspect(connection, RECIPE, owner=owner)
            else:
                self.leased += jobs.lease_jobs(connection, RECIPE, owner=owner, limit=limit)

    @rule(data=st.data(), objects=st.integers(0, 3))
    def finish(self, data: st.DataObject, objects: int) -> None:
        if not self.leased:
            return
        job = self.leased.pop(data.draw(st.integers(0, len(self.leased) - 1)))
        with immediate(self.connection) as connection:
            if finish(connection, self.pack.model_id, job, objects):
                self.finished.add(job.sha256)

    @rule(data=st.data(), reason=st.sampled_from(REASONS), died=st.booleans())
    def fail(self, data: st.DataObject, reason: Reason, died: bool) -> None:
        if not self.leased:
            return
        job = self.leased.pop(data.draw(st.integers(0, len(self.leased) - 1)))
        end = partial(jobs.suspect_job, max_attempts=MAX_ATTEMPTS) if died else jobs.fail_job
        with immediate(self.connection) as connection:
            end(connection, job_id=job.job_id, reason=reason, detail="told")

    @rule()
    def kill_and_start_again(self) -> None:
        self.owner += 1
        self.leased.clear()
        with immediate(self.connection) as connection:
            jobs.reclaim_leases(connection, owner=f"process-{self.owner}", max_attempts=MAX_ATTEMPTS)

    @rule()
    def retry(self) -> None:
        with immediate(self.connection) as connection:
            jobs.retry_files(connection, None)

    @rule()
    def reprocess(self) -> None:
        with immediate(self.connection) as connection:
            jobs.reprocess(connection, RECIPE, sighting_ids=None)

    def all(self, query: str) -> list[Row]:
        return self.connection.execute(query).fetchall()

    @invariant()
    def counters_equal_a_recount(self) -> None:
        counted = {(row["kind"], row["name"]): row["total"] for row in self.all("SELECT * FROM counters WHERE total <> 0")}
        recount = {("files", row["state"]): row["n"] for row in self.all("SELECT state, count(*) AS n FROM sightings GROUP BY state")}
        (objects,) = self.all("SELECT coalesce(sum(object_count), 0) AS n FROM runs WHERE is_current = 1")
        if objects["n"]:
            recount["objects", "counted"] = objects["n"]
        assert counted == recount

    @invariant()
    def a_file_is_in_the_state_of_its_job(self) -> None:
        assert not self.all(
            "SELECT s.name FROM sightings AS s LEFT JOIN jobs AS j ON j.image_id = s.image_id AND j.recipe = s.recipe "
            "AND j.kind = 'ingest' "
            "WHERE s.image_id IS NOT NULL AND s.state IS NOT j.state"
        )
        assert not self.all("SELECT 1 FROM sightings WHERE image_id IS NULL AND state NOT IN ('seen', 'quarantined')")

    @invariant()
    def each_content_has_one_job_and_at_most_one_current_run(self) -> None:
        assert not self.all("SELECT image_id FROM jobs WHERE kind = 'ingest' GROUP BY image_id HAVING count(*) > 1")
        assert not self.all("SELECT image_id FROM runs WHERE is_current = 1 GROUP BY image_id HAVING count(*) > 1")
        done = {row["sha256"] for row in self.all("SELECT DISTINCT sha256 FROM v_runs WHERE is_current = 1")}
        assert done == self.finished, "a result was lost"

    @invariant()
    def every_run_has_its_outbox_row(self) -> None:
        assert not self.all("SELECT uuid FROM runs WHERE 'run/' || uuid NOT IN (SELECT dedup_key FROM outbox)")
        assert self.all("SELECT count(*) FROM outbox")[0][0] == self.all("SELECT count(*) FROM runs")[0][0]

    @invariant()
    def what_is_quarantined_says_why(self) -> None:
        assert not self.all("SELECT 1 FROM sightings WHERE state = 'quarantined' AND (reason IS NULL OR detail IS NULL)")
        assert not self.all("SELECT 1 FROM sightings WHERE state IN ('queued', 'leased', 'done') AND reason IS NOT NULL")

    @invariant()
    def one_current_row_per_name(self) -> None:
        assert not self.all("SELECT 1 FROM sightings WHERE original <> 'changed' GROUP BY folder_id, name_bytes HAVING count(*) > 1")
        assert not self.all("SELECT 1 FROM sightings WHERE original = 'changed' AND replaced_by_id IS NULL")


TestStoreLife = StoreLife.TestCase
TestStoreLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
