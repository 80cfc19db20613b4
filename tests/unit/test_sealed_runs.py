"""What a model found on a blind tow: sealed, out of every page of the database, and back bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import CountRefusedError, StoreError
from edge.store import surveys
from edge.store.comparisons import ComparedSide, FileOutcome, NewComparison, add_comparison, record_outcomes
from edge.store.connection import DATABASE_NAME, immediate
from edge.store.export_rows import ExportFilter, iter_files, iter_results
from edge.store.facts import put_fact
from edge.store.jobs import lease_jobs, reprocess
from edge.store.reads import overview
from edge.store.reads.comparisons import newest_files
from edge.store.reads.files import files_by_id
from edge.store.runs import RunContext, record_run
from edge.store.seal import Seal
from edge.store.sealed_runs import COUNTED_BLIND, LOG_HOLDS_SEALED, blind_tow_of_image, empty_log, open_tow, seal_tow
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_blind_survey, make_protocol
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield appliance
    appliance.close()


def shown(appliance: SimulatedAppliance) -> dict[str, list[tuple[Any, ...]]]:
    """Everything of the results that can be read."""
    db = appliance.writer
    queries = {
        "objects": "SELECT * FROM objects ORDER BY id",
        "runs": "SELECT * FROM runs ORDER BY id",
        "v_objects": "SELECT * FROM v_objects ORDER BY object_id",
        "v_files": "SELECT * FROM v_files ORDER BY file_id",
        "v_runs": "SELECT * FROM v_runs ORDER BY run_uuid",
        "counters": "SELECT * FROM counters WHERE total <> 0 ORDER BY kind, recipe, name",
    }
    found = {name: [tuple(row) for row in db.execute(query)] for name, query in queries.items()}
    found["results"] = list(iter_results(db, ExportFilter()))
    found["files"] = [(one,) for one in iter_files(db, ExportFilter())]
    return found


def values_of(appliance: SimulatedAppliance, which: str) -> frozenset[float]:
    """The boxes and scores of images that are attached to a tow (IN), or not (NOT IN)."""
    rows = appliance.writer.execute(
        "SELECT score, x_min_px, y_min_px, x_max_px, y_max_px FROM objects AS o JOIN runs AS r ON r.id = o.run_id "
        f"WHERE r.image_id {which} (SELECT image_id FROM tow_images)"
    )
    return frozenset(value for row in rows for value in row)


def places_of(values: frozenset[float], path: Path) -> int:
    """How many of these doubles stand in a file, wherever they begin."""
    content = path.read_bytes()
    wanted = np.array(sorted(values), dtype=">f8").view(">u8").astype(np.uint64)
    hits: set[int] = set()
    for offset in range(8):
        length = (len(content) - offset) // 8 * 8
        words = np.frombuffer(content[offset : offset + length], dtype=">u8").astype(np.uint64)
        hits |= set(words[np.isin(words, wanted)].tolist())
    return len(hits)


def test_sealed_and_opened_everything_is_as_it_was(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance, sealed=False)
    before = shown(appliance)
    with immediate(appliance.writer) as db:
        assert seal_tow(db, appliance.seal, blind.tow_id) == len(blind.image_ids)
        assert seal_tow(db, appliance.seal, blind.tow_id) == 0
    sealed = shown(appliance)
    assert sealed["objects"] == sealed["v_objects"] == sealed["results"] == []
    assert {row[0] for row in appliance.writer.execute("SELECT object_count FROM runs")} == {None}
    with immediate(appliance.writer) as db:
        assert open_tow(db, appliance.seal, blind.tow_id) == len(blind.image_ids)
        db.execute("DELETE FROM facts WHERE name = ?", (LOG_HOLDS_SEALED,))
    assert shown(appliance) == before


def test_nothing_sealed_stands_in_the_files_of_the_database(appliance: SimulatedAppliance) -> None:
    """Also where the results of other images stay on the same pages: those that empty are merged."""
    blind = make_blind_survey(appliance, stills=900, sealed=False)
    db, home = appliance.writer, appliance.home
    db.execute("DELETE FROM tow_images WHERE image_id % 3 = 0")
    sealed = values_of(appliance, "IN")
    secret = sealed - values_of(appliance, "NOT IN")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert places_of(secret, home / DATABASE_NAME) > len(secret) * 0.9
    with immediate(db):
        seal_tow(db, appliance.seal, blind.tow_id)
    assert empty_log(db)
    assert db.execute("PRAGMA secure_delete").fetchone()[0] == 1
    for path in home.glob("edge.db*"):
        assert places_of(secret, path) == 0, path.name


def test_the_log_is_emptied_when_no_reader_needs_it(appliance: SimulatedAppliance) -> None:
    make_blind_survey(appliance)
    appliance.writer.execute("PRAGMA busy_timeout = 50")
    with appliance.reader() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM runs").fetchone()
        with immediate(appliance.writer) as db:
            put_fact(db, "written", "while somebody reads")
        assert not empty_log(appliance.writer)
        connection.execute("ROLLBACK")
    assert empty_log(appliance.writer)
    assert appliance.writer.execute("SELECT 1 FROM facts WHERE name = ?", (LOG_HOLDS_SEALED,)).fetchone() is None
    assert (appliance.home / "edge.db-wal").stat().st_size < 100_000


def test_a_result_that_comes_later_is_sealed_at_once(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance, stills=4)
    db = appliance.writer
    with immediate(db):
        reprocess(db, seed.RECIPE, sighting_ids=list(blind.file_ids[:1]))
        (job,) = lease_jobs(db, seed.RECIPE, owner="test", limit=1)
    pack = seed.add_model(db)
    context = RunContext(job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id)
    result = seed.make_result(pack, [(1, 2, 30, 40, 0.7, 0), (5, 6, 70, 80, 0.2, 0)])
    with pytest.raises(StoreError, match="counted blind"), immediate(db):
        record_run(db, context, result, None)
    with immediate(db):
        assert record_run(db, context, result, None, seal=appliance.seal)
    assert db.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    row = db.execute("SELECT object_count, candidate_count, is_current FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    assert tuple(row) == (None, None, 1)
    with immediate(db):
        open_tow(db, appliance.seal, blind.tow_id)
    row = db.execute("SELECT id, object_count, candidate_count FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    assert tuple(row)[1:] == (1, 1)
    found = db.execute("SELECT x_min_px, y_max_px FROM objects WHERE run_id = ? ORDER BY ordinal", (row["id"],)).fetchall()
    assert [tuple(one) for one in found] == [(1, 40), (5, 80)]


def test_seals_of_few_and_of_many_objects_are_of_one_length(appliance: SimulatedAppliance) -> None:
    make_blind_survey(appliance, stills=3)
    assert {row[0] for row in appliance.writer.execute("SELECT length(sealed) FROM sealed_runs")} == {8 * 1024 + 36}


def test_totals_and_files_say_sealed_and_never_zero(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance, stills=5)
    totals = overview.sum_totals(overview.totals_by_recipe(appliance.writer))
    assert (totals.objects, totals.sealed) == (None, 5)
    for file in files_by_id(appliance.writer, list(blind.file_ids)):
        assert (file.object_count, file.candidate_count, file.sealed_station) == (None, None, "101")
    listed = list(iter_files(appliance.writer, ExportFilter(), without_result=True))
    assert {(one.reason, one.detail, one.object_count) for one in listed} == {
        ("sealed", "until the counts of station 101 are signed", None)
    }


def test_without_rules_or_after_a_reveal_nothing_is_sealed(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance, stills=3, sealed=False)
    db = appliance.writer
    with immediate(db):
        other = surveys.add_survey(db, "NO-RULES", actor="test")
        station = surveys.add_station(db, other, "1", actor="test")
        (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station,)).fetchone()
        db.execute("UPDATE tow_images SET tow_id = ? WHERE image_id = ?", (tow_id, blind.image_ids[0]))
        assert seal_tow(db, appliance.seal, tow_id) == 0
    assert blind_tow_of_image(db, blind.image_ids[0]) is None
    found = blind_tow_of_image(db, blind.image_ids[1])
    assert found is not None
    assert found.station == "101"
    with immediate(db):
        surveys.add_protocol(db, other, make_protocol(), reason="now", actor="test")
        assert seal_tow(db, appliance.seal, tow_id) == 1


def test_what_another_key_sealed_stays_sealed_and_holds_nothing_up(appliance: SimulatedAppliance) -> None:
    """Such as a database that was restored without its key: the counts are revealed all the same."""
    blind: BlindSurvey = make_blind_survey(appliance, stills=3)
    with immediate(appliance.writer) as db:
        assert open_tow(db, Seal(b"another key of exactly 32 bytes."), blind.tow_id) == 0
    assert appliance.writer.execute("SELECT count(*) FROM sealed_runs").fetchone()[0] == 3
    assert appliance.writer.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    with immediate(appliance.writer) as db:
        assert open_tow(db, appliance.seal, blind.tow_id) == 3
    assert appliance.writer.execute("SELECT count(*) FROM objects").fetchone()[0] == 9


def test_two_models_are_not_compared_on_what_is_counted_blind(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance, stills=4, sealed=False)
    db = appliance.writer
    side = ComparedSide(model_id=seed.add_model(db, serves=None).model_id, variant="onnx-fp32", device="CPU", score_threshold=0.25)

    def compare(file_ids: tuple[int, ...]) -> int:
        new = NewComparison(recipe=seed.RECIPE, a=side, b=side, files_chosen="chosen", file_ids=file_ids, actor="test")
        with immediate(db):
            return add_comparison(db, new)

    with pytest.raises(CountRefusedError, match="1 file belongs to a station"):
        compare(blind.file_ids[:1])
    assert newest_files(db, seed.RECIPE, limit=9) == []
    db.execute("CREATE TEMP TABLE kept AS SELECT * FROM tow_images")
    db.execute("DELETE FROM tow_images")
    assert len(newest_files(db, seed.RECIPE, limit=9)) == 4
    compare(blind.file_ids[:2])
    first, second = [row["id"] for row in db.execute("SELECT id FROM comparison_files ORDER BY id")]
    found = {"a_count": 3, "b_count": 2, "matched": 2, "only_a": 1, "only_b": 0, "boxes_json": '{"a": [], "b": []}'}
    with immediate(db):
        record_outcomes(db, [FileOutcome(row_id=first, a_infer_ms=1.0, b_infer_ms=1.0, **found)])  # type: ignore[arg-type]
        db.execute("INSERT INTO tow_images SELECT * FROM kept")
        seal_tow(db, appliance.seal, blind.tow_id)
        record_outcomes(db, [FileOutcome(row_id=second, a_infer_ms=1.0, b_infer_ms=1.0, **found)])  # type: ignore[arg-type]
    for row in db.execute("SELECT state, detail, a_count, b_count, matched, only_a, only_b, boxes_json FROM comparison_files"):
        assert tuple(row) == ("failed", COUNTED_BLIND, None, None, None, None, None, None)
