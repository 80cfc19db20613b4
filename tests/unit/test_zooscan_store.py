"""What is written about scans is read again as it stands; what people did stays, is undone, is frozen by a signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import Reason
from edge.store.reads import zooscan as reads
from edge.store.reads import zooscan_check as check
from edge.store.reads import zooscan_objects as objects
from edge.store.reads.zooscan_exports import same_raw
from edge.store.sqlite import Connection
from edge.store.zooscan import actions, entries, runs, scans
from edge.store.zooscan.actions import HumanLine
from edge.store.zooscan.runs import NewLine, NewObject, NewRun
from edge.store.zooscan.scans import SeenScan
from tests.helpers.seed import open_database
from tests.helpers.zooscan import SCAN, seed_scan

PIXELS = np.array([[300, 40], [301, 41]], np.int32)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path)
    yield connection
    connection.close()


def complete(name: str = "a_1", **changes: object) -> SeenScan:
    return SeenScan(**{"name": name, "raw_path": f"/p/{name}.tif", "raw_bytes": 10, "raw_mtime_ns": 1, **changes})  # type: ignore[arg-type]


def state_of(db: Connection, scan_id: int) -> tuple[str, str, int]:
    row = reads.scan_by_id(db, scan_id)
    assert row is not None
    return row.state, row.reason, row.attempts


def small_run(*, uuid: str = "run-1", keys: tuple[str, ...] = ("x1y1w9h9",)) -> NewRun:
    found = [
        NewObject(
            key=key,
            x_px=1,
            y_px=1,
            width_px=9,
            height_px=9,
            measures={"area": 60.0, "skew": float("nan")},
            outline=b"\1\0\2\0",
            multiple_score=0.4,
            cut_from=None,
            vignettes=f"vignettes.zip/{key}.png",
        )
        for key in keys
    ]
    return NewRun(
        uuid=uuid,
        raw_sha256="0" * 64,
        background="b",
        settings_json="{}",
        settings_sha256="1" * 64,
        width_px=100,
        height_px=50,
        pixel_mm=0.01,
        grey_min=1,
        grey_max=2,
        frame={},
        black_share=0.1,
        concerns=("dark",),
        classifier_model_id=None,
        multiple_threshold=0.4,
        separator="watershed",
        stages_s={"measure": 0.25},
        elapsed_s=1.0,
        peak_rss_mib=2.0,
        folder="zooscan/s/r",
        objects=found,
        lines=[NewLine(object_key=keys[0], pixels=objects.pack_pixels(PIXELS), score=0.7)],
    )


def test_a_scan_waits_says_what_it_lacks_and_is_queued_when_it_lacks_nothing(db: Connection) -> None:
    project = scans.put_project(db, "/p/Zooscan_a_sn1", "a", "sn1")
    scan_id = scans.put_scan(db, project, SeenScan(name="a_1", lacks=("a_raw_1.tif", "a background of before it")))
    (row,) = reads.list_scans(db)
    assert (row.state, row.lacks, row.objects) == ("waiting", ("a_raw_1.tif", "a background of before it"), None)
    assert reads.next_queued(db) is None
    assert scans.put_scan(db, project, complete(scanned_local="2026-06-13T09:15")) == scan_id
    assert reads.next_queued(db) == scan_id
    scans.put_scan(db, project, SeenScan(name="a_1", lacks=("a_raw_1.tif",)))
    assert state_of(db, scan_id)[0] == "waiting"


def test_the_latest_scanned_is_processed_first(db: Connection) -> None:
    project = scans.put_project(db, "/p/Zooscan_a_sn1", "a", "sn1")
    late = scans.put_scan(db, project, complete("late_1", scanned_local="2026-06-14T09:15"))
    scans.put_scan(db, project, complete("early_1", scanned_local="2026-06-13T09:15"))
    assert reads.next_queued(db) == late


def test_a_project_keeps_its_row_and_its_trouble_comes_and_goes(db: Connection) -> None:
    first = scans.put_project(db, "/p/Zooscan_a_sn1", "a", "sn1", trouble="it is away")
    assert [project.trouble for project in reads.list_projects(db)] == ["it is away"]
    assert scans.put_project(db, "/p/Zooscan_a_sn1", "a", "sn1") == first
    assert [project.trouble for project in reads.list_projects(db)] == [""]


def test_what_an_appliance_left_behind_is_queued_again_and_fails_after_too_many_attempts(db: Connection) -> None:
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    for attempt in (1, 2):
        assert scans.begin(db, scan_id)
        assert not scans.begin(db, scan_id)
        assert scans.reclaim(db, 3) == 1
        assert state_of(db, scan_id) == ("queued", "", attempt)
    assert scans.begin(db, scan_id)
    scans.reclaim(db, 3)
    assert state_of(db, scan_id) == ("failed", Reason.WORKER_DIED, 3)
    assert scans.queue_again(db, None, states=["failed"], actor="mary", action="zooscan_retry") == 1
    assert state_of(db, scan_id) == ("queued", "", 0)


def test_a_result_is_written_once_with_its_outbox_row_and_read_again(db: Connection) -> None:
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    assert runs.record_run(db, scan_id, small_run()) is None, "nobody works on it"
    assert scans.begin(db, scan_id)
    assert runs.record_run(db, scan_id, small_run(), raw=(11, 12)) is not None
    assert runs.record_run(db, scan_id, small_run(uuid="run-2")) is None
    run = reads.current_run(db, scan_id)
    assert run is not None
    assert (run.uuid, run.concerns, run.stages_s, run.is_current) == ("run-1", ("dark",), {"measure": 0.25}, True)
    (found,) = objects.standing_objects(db, scan_id)
    assert (found.key, found.measures["area"], found.measures["skew"], found.is_multiple) == ("x1y1w9h9", 60.0, None, False)
    (line,) = objects.standing_lines(db, scan_id)
    assert (line.pixels.tolist(), line.score, line.is_human, line.made_by) == (PIXELS.tolist(), 0.7, False, "watershed")
    assert [tuple(row) for row in db.execute("SELECT kind, dedup_key FROM outbox")] == [("zooscan_run", "zooscan_run/run-1")]
    (row,) = reads.list_scans(db)
    assert (row.state, row.objects, row.multiples, row.undecided, row.raw_bytes) == ("done", 1, 0, 1, 11)


@pytest.mark.parametrize(("score", "is_multiple"), [(0.39, False), (0.4, False), (0.41, True)])
def test_what_is_above_the_threshold_is_a_multiple_wherever_it_is_asked(db: Connection, score: float, is_multiple: bool) -> None:
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    scans.begin(db, scan_id)
    run = small_run()
    runs.record_run(db, scan_id, replace(run, objects=[replace(one, multiple_score=score) for one in run.objects]))
    (found,) = objects.standing_objects(db, scan_id)
    (listed,) = reads.list_scans(db)
    checked = check.check_run(db, scan_id)
    assert checked is not None
    tally = check.check_tally(db, checked)
    assert (found.is_multiple, listed.multiples, tally.multiples, tally.proposed) == (is_multiple, *[int(is_multiple)] * 3)


def test_a_separators_line_is_counted_in_its_own_run_only(db: Connection) -> None:
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    for number in (1, 2):
        db.execute("UPDATE zooscan_scans SET state = 'queued'")
        scans.begin(db, scan_id)
        kept = NewLine(object_key="x1y1w9h9", pixels=objects.pack_pixels(PIXELS), score=0.5, made_by="watershed of before")
        assert runs.record_run(db, scan_id, replace(small_run(uuid=f"run-{number}"), lines=[kept, *small_run().lines][:number])) is not None
    checked = check.check_run(db, scan_id)
    assert checked is not None
    assert check.check_tally(db, checked).separator_lines == 2
    assert [line.made_by for line in objects.standing_lines(db, scan_id)] == ["watershed of before", "watershed"]


def test_seeded_scan_is_whole(db: Connection, tmp_path: Path) -> None:
    seeded = seed_scan(db, home=tmp_path, objects=7, multiples=2, touching=2)
    found = list(objects.standing_objects(db, seeded.scan_id))
    assert [one.key for one in found] == list(seeded.keys)
    assert [one.is_multiple for one in found] == [True] * 2 + [False] * 5
    assert found[0].measures["feret"] is not None
    outline = dict(objects.outlines(db, seeded.scan_id))[seeded.keys[0]]
    assert (outline.max(axis=0) < (found[0].width_px, found[0].height_px)).all()
    assert (tmp_path / seeded.folder / "vignettes.zip").exists()


def test_an_unscored_object_is_neither_single_nor_multiple(db: Connection) -> None:
    seeded = seed_scan(db, objects=2, scored=False)
    assert [one.is_multiple for one in objects.standing_objects(db, seeded.scan_id)] == [None, None]
    (row,) = reads.list_scans(db)
    assert (row.multiples, row.undecided) == (None, 0)


def test_a_decision_stands_over_the_score_until_it_is_undone(db: Connection) -> None:
    seeded = seed_scan(db, objects=3, multiples=1)
    first, second, _ = seeded.keys
    actions.decide(db, seeded.scan_id, [first], "single", actor="mary", uuid="u1")
    assert actions.is_known(db, "u1")
    actions.decide(db, seeded.scan_id, [second], "multiple", actor="john")
    found = {one.key: (one.decision, one.decided_by, one.is_multiple) for one in objects.standing_objects(db, seeded.scan_id)}
    assert found[first] == ("single", "mary", False)
    assert found[second] == ("multiple", "john", True)
    newest = actions.last_undoable(db, seeded.scan_id)
    assert newest is not None
    actions.undo(db, seeded.scan_id, newest, run_id=seeded.run_id, actor="mary")
    decided = objects.object_by_key(db, seeded.scan_id, second)
    assert decided is not None
    assert (decided.decision, decided.is_multiple) == (None, False)
    assert [happened.what for happened in reads.history(db, seeded.scan_id)][:1] in (["undo"], ["decide"])
    older = actions.last_undoable(db, seeded.scan_id)
    assert older is not None
    assert (older.uuid, older.what) == ("u1", "decide")


def test_decisions_stand_in_the_next_run_too_and_lost_keys_are_listed(db: Connection) -> None:
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    for uuid, keys in (("run-1", ("x1y1w9h9", "x20y1w9h9")), ("run-2", ("x1y1w9h9",))):
        assert scans.begin(db, scan_id)
        assert runs.record_run(db, scan_id, small_run(uuid=uuid, keys=keys))
        if uuid == "run-1":
            actions.decide(db, scan_id, ["x1y1w9h9"], "single", actor="mary")
            assert scans.queue_again(db, [scan_id], states=["done"], actor="mary", action="zooscan_reprocess") == 1
    (found,) = objects.standing_objects(db, scan_id)
    assert found.decision == "single"
    (retired,) = objects.retired_keys(db, scan_id)
    assert (retired.key, retired.was_cut) == ("x20y1w9h9", False)
    assert len(reads.runs_of(db, scan_id)) == 2
    assert len(objects.standing_lines(db, scan_id)) == 1, "an earlier run's lines stand no more"


def test_a_drawn_line_is_erased_by_undo_and_an_erased_one_put_back(db: Connection) -> None:
    seeded = seed_scan(db, objects=2)
    line = HumanLine(object_key=seeded.keys[0], pixels=objects.pack_pixels(PIXELS))
    line_id = actions.draw_line(db, seeded.scan_id, line, actor="mary")
    actions.erase_line(db, seeded.scan_id, line_id, actor="john")
    assert objects.standing_lines(db, seeded.scan_id) == ()
    for standing in (1, 0):
        action = actions.last_undoable(db, seeded.scan_id)
        assert action is not None
        actions.undo(db, seeded.scan_id, action, run_id=seeded.run_id, actor="mary")
        assert len(objects.standing_lines(db, seeded.scan_id)) == standing
    assert actions.last_undoable(db, seeded.scan_id) is None
    erased = objects.line_by_id(db, seeded.scan_id, line_id)
    assert erased is not None
    assert erased.erased_by == "mary"


def test_what_a_runs_own_separator_cut_never_stood_and_is_no_lost_id(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    at_utc = "2026-11-22T04:00:00.000Z"
    monkeypatch.setattr(runs, "utc_now", lambda: at_utc)
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete())
    assert scans.begin(db, scan_id)
    run = small_run(uuid="run-1", keys=("x1y1w9h9", "x20y1w9h9"))
    run_id = runs.record_run(db, scan_id, replace(run, objects=[replace(run.objects[0], is_retired=True), run.objects[1]]))
    assert run_id is not None
    assert objects.retired_keys(db, scan_id) == ()
    assert objects.members_of_run(db, run_id)["x1y1w9h9"].is_retired
    runs.retire_objects(db, run_id, ["x20y1w9h9"])  # in the very millisecond in which the run ended
    assert [(one.key, one.was_cut) for one in objects.retired_keys(db, scan_id)] == [("x20y1w9h9", True)]
    runs.restore_objects(db, run_id, ["x1y1w9h9"])
    runs.retire_objects(db, run_id, ["x1y1w9h9"])
    assert len(objects.retired_keys(db, scan_id)) == 2


def test_cut_objects_are_retired_and_stand_again(db: Connection) -> None:
    seeded = seed_scan(db, objects=2)
    whole, other = seeded.keys
    part = NewObject(
        key="x9y9w9h9",
        x_px=9,
        y_px=9,
        width_px=9,
        height_px=9,
        measures={},
        outline=b"",
        multiple_score=None,
        cut_from=whole,
        vignettes="vignettes-1.zip/x9y9w9h9.png",
    )
    runs.retire_objects(db, seeded.run_id, [whole])
    runs.add_objects(db, seeded.run_id, [part])
    assert [one.key for one in objects.standing_objects(db, seeded.scan_id)] == [other, part.key]
    assert [(one.key, one.was_cut) for one in objects.retired_keys(db, seeded.scan_id)] == [(whole, True)]
    runs.retire_objects(db, seeded.run_id, [part.key])
    assert objects.members_of_run(db, seeded.run_id)[whole].is_retired
    runs.restore_objects(db, seeded.run_id, [whole])
    assert [one.key for one in objects.standing_objects(db, seeded.scan_id)] == [whole, other]


def test_the_texts_of_a_signed_scan_stay_as_they_were_signed(db: Connection) -> None:
    seeded = seed_scan(db, objects=1)
    (project, signed) = (seeded.project_id, reads.scan_texts(db, seeded.scan_id))
    scans.put_scan(db, project, complete("st66_d1_1", log=signed.log, meta=b"Vol= 1\r\n"))
    assert reads.scan_texts(db, seeded.scan_id).meta == b"Vol= 1\r\n"
    actions.sign(db, seeded.scan_id, run_id=seeded.run_id, objects=1, multiples=0, content_sha256="2" * 64, actor="mary")
    scans.put_scan(db, project, complete("st66_d1_1", log=signed.log, meta=b"Vol= 2\r\n"))
    assert reads.scan_texts(db, seeded.scan_id).meta == b"Vol= 1\r\n"


def test_a_signed_scan_is_not_processed_again_until_its_signature_is_withdrawn(db: Connection) -> None:
    seeded = seed_scan(db, objects=2)
    actions.sign(db, seeded.scan_id, run_id=seeded.run_id, objects=2, multiples=0, content_sha256="2" * 64, actor="mary")
    assert actions.is_signed(db, seeded.scan_id)
    assert scans.queue_again(db, None, states=["done"], actor="mary", action="zooscan_reprocess") == 0
    assert actions.withdraw(db, seeded.scan_id, reason="a line was missed", actor="john")
    assert not actions.withdraw(db, seeded.scan_id, reason="again", actor="john")
    (signature,) = reads.signatures_of(db, seeded.scan_id)
    assert (signature.actor, signature.withdrawn_by, signature.withdrawn_reason) == ("mary", "john", "a line was missed")
    assert scans.queue_again(db, None, states=["done"], actor="mary", action="zooscan_reprocess") == 1


def test_a_signed_scan_that_failed_is_not_queued_by_itself_and_says_what_changed(db: Connection) -> None:
    seeded = seed_scan(db, objects=2)
    actions.sign(db, seeded.scan_id, run_id=seeded.run_id, objects=2, multiples=0, content_sha256="2" * 64, actor="mary")
    scans.set_failed(db, seeded.scan_id, Reason.TRUNCATED, "it ends too early")
    assert not scans.queue_changed(db, seeded.scan_id)
    row = reads.scan_by_id(db, seeded.scan_id)
    assert row is not None
    assert (row.state, row.original, row.detail) == ("failed", "changed", "changed under a signature: withdraw it to process again")
    db.execute("UPDATE zooscan_scans SET state = 'queued'")
    assert not scans.begin(db, seeded.scan_id)
    db.execute("UPDATE zooscan_scans SET state = 'processing'")
    assert runs.record_run(db, seeded.scan_id, small_run()) is None
    assert actions.withdraw(db, seeded.scan_id, reason="another picture", actor="mary")
    assert runs.record_run(db, seeded.scan_id, small_run()) is not None


def test_scans_with_the_same_picture_are_named_with_their_project(db: Connection) -> None:
    seeded = seed_scan(db, objects=1)
    seed_scan(db, objects=1, project="Zooscan_other_sn044")
    db.execute("UPDATE zooscan_runs SET raw_sha256 = ?", ("5" * 64,))
    names = {one.name: one.project for one in reads.list_scans(db)}
    assert len(names) == 1, "two scans of one name"
    (twin,) = same_raw(db, seeded.scan_id, "5" * 64)
    project, _, name = twin.partition("/")
    assert (project in {one.project for one in reads.list_scans(db)}, name) == (True, SCAN)


def test_a_signature_is_of_the_result_that_was_signed(db: Connection) -> None:
    seeded = seed_scan(db, objects=2)
    actions.sign(db, seeded.scan_id, run_id=seeded.run_id, objects=2, multiples=0, content_sha256="2" * 64, actor="mary")
    row = reads.scan_by_id(db, seeded.scan_id)
    assert row is not None
    assert row.signed_by == "mary"
    db.execute("UPDATE zooscan_runs SET is_current = 0")
    row = reads.scan_by_id(db, seeded.scan_id)
    assert row is not None
    assert row.signed_by is None


def test_every_version_of_a_text_is_kept_and_none_is_replaced_by_nothing(db: Connection) -> None:
    seeded = seed_scan(db, objects=1)
    for meta in (b"Vol= 1\r\n", b"", None, b"Vol= 2\r\n", b"Vol= 2\r\n"):
        scans.put_scan(db, seeded.project_id, complete("st66_d1_1", log=None, meta=meta))
    assert reads.scan_texts(db, seeded.scan_id).meta == b"Vol= 2\r\n"
    kept = [row.content for row in reads.texts_seen(db, seeded.scan_id) if row.kind == "meta"]
    assert kept[-2:] == [b"Vol= 1\r\n", b"Vol= 2\r\n"]
    told = db.execute("SELECT detail_json FROM audit WHERE action = 'zooscan_text_changed'").fetchall()
    assert len(told) == len(kept) - 1
    assert [one.detail[:12] for one in reads.history(db, seeded.scan_id) if one.what == "text"] == ["META changed"] * len(told)
    waiting = scans.put_scan(db, seeded.project_id, complete("st67_d1_1", meta=b"Vol= 3\r\n", lacks=("something",)))
    scans.put_scan(db, seeded.project_id, complete("st67_d1_1", meta=b"", lacks=("something",)))
    assert reads.scan_texts(db, waiting).meta == b"Vol= 3\r\n"


TYPED = st.lists(
    st.tuples(st.sampled_from(["Vol", "Zmax", "Remarks"]), st.none() | st.text(max_size=20).filter(lambda text: "\0" not in text))
)


@given(TYPED)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_typed_is_lost(db: Connection, typed: list[tuple[str, str | None]]) -> None:
    name = f"scan {db.total_changes}"
    scan_id = scans.put_scan(db, scans.put_project(db, "/p", "a", None), complete(name))
    for field, value in typed:
        entries.add_entries(db, scan_id, {field: value}, actor="mary")
    assert [(row.field, row.value) for row in reads.entries_of(db, scan_id)] == typed
    standing = {field: value for field, value in dict(typed).items() if value is not None}
    assert reads.entries_standing(db, scan_id) == standing
