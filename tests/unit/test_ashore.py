"""Every kind of result goes ashore and is there row for row; what people count blind is in no bundle before it is revealed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.footage_pack import pack_frames
from edge.store import bundles, decisions, miss_checks, reviews, surveys
from edge.store.analyses import record_analysis
from edge.store.clock import uuid7
from edge.store.connection import immediate
from edge.store.decisions import BoxPx, Decision
from edge.store.issues import settle_issues
from edge.store.outbox import put_out_report
from edge.store.readings import add_part, finish_reading
from edge.store.reads.ashore_kinds import QUERIES
from edge.store.sealed_runs import seal_tow
from edge.store.sqlite import Connection
from edge.store.surveys import Attachment
from edge.store.zooscan import actions, labels, runs
from edge.store.zooscan.actions import HumanLine
from edge.store.zooscan.labels import NewLabel
from edge.survey.result import station_result
from sync.bundle.columns import Scaled
from sync.bundle.files import open_bundle
from sync.bundle.schema import TABLES
from sync.bundle.write import Sender
from sync.densities import counts_ashore
from sync.packing import KINDS, Packer
from sync.shore.merge import merge, shore_database
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_blind_survey
from tests.helpers.footage import context_of, make_frame, make_part, queue_clip
from tests.helpers.reviewable import default_openings, make_analysis
from tests.helpers.zooscan import seed_scan
from tests.simulators.appliance import DirectWriter, SimulatedAppliance

SENDER = Sender(vessel_uuid="01980000-0000-7000-8000-000000000001", vessel="RV Tom Crean", software_version="0.1.0")
SHA256 = "ab" * 32
Row = tuple[Any, ...]


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield appliance
    appliance.close()


def packer_of(appliance: SimulatedAppliance) -> Packer:
    return Packer(appliance.home, DirectWriter(appliance), appliance.reader, SENDER, max_bytes=1_000_000)


def ashore(appliance: SimulatedAppliance) -> dict[str, list[Row]]:
    """What shore holds after all that may go went there; without the ship and the bundle's number."""
    packer = packer_of(appliance)
    with shore_database(appliance.home.parent / "shore.db") as shore:
        while (packed := packer.pack(["bucket"])) is not None:
            merge(shore, open_bundle(packer.path_of(packed.sha256)))
        return {
            name: [tuple(row) for row in shore.execute(f"SELECT {', '.join(table.names)} FROM {name} ORDER BY {', '.join(table.key)}")]
            for name, table in TABLES.items()
        }


def aboard(db: Connection) -> dict[str, list[Row]]:
    """The same as the ship has it now, in the steps of the bundles."""
    found: dict[str, dict[Row, Row]] = {name: {} for name in TABLES}
    for kind, read in KINDS.items():
        subjects = [row[0] for row in db.execute("SELECT substr(dedup_key, length(kind) + 2) FROM outbox WHERE kind = ?", (kind,))]
        for name, rows in read(db, subjects).items():
            table = TABLES[name]
            for row in rows:
                values = tuple(
                    round(value * column.per_unit) / column.per_unit if isinstance(column, Scaled) and value is not None else value
                    for column, value in zip(table.columns, row, strict=True)
                )
                found[name][tuple(values[table.names.index(one)] for one in table.key)] = values
    return {name: [rows[key] for key in sorted(rows)] for name, rows in found.items()}


def column(rows: dict[str, list[Row]], table: str, name: str) -> list[Any]:
    return [row[TABLES[table].names.index(name)] for row in rows[table]]


def states(db: Connection) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for kind, state in db.execute("SELECT DISTINCT kind, state FROM outbox"):
        found.setdefault(kind, set()).add(state)
    return found


def all_in(state: str, kinds: set[str]) -> dict[str, set[str]]:
    return {kind: {state} for kind in kinds}


def test_every_query_has_the_columns_of_its_table(appliance: SimulatedAppliance) -> None:
    for table, query in itertools.chain.from_iterable(queries.items() for queries in QUERIES.values()):
        assert tuple(one[0] for one in appliance.writer.execute(query, ("[]",)).description) == TABLES[table].names
    assert set(TABLES) == {"densities"}.union(*QUERIES.values())
    assert set(QUERIES) == set(KINDS)


def make_blind_footage(appliance: SimulatedAppliance) -> BlindSurvey:
    """A blind tow of everything: stills with decisions about them, a clip that was read, two analyses, a review, a check of misses."""
    blind = make_blind_survey(appliance, stills=4, sealed=False)
    db, seal = appliance.writer, appliance.seal
    run = decisions.decided_run(db, db.execute("SELECT uuid FROM runs ORDER BY id").fetchone()[0])
    assert run is not None
    (object_id,) = db.execute("SELECT id FROM objects WHERE run_id = ? AND ordinal = 1", (run.run_id,)).fetchone()
    moved = Decision(uuid=uuid7(), object_id=object_id, added_uuid=None, decision="moved", label=None, box=BoxPx(1.5, 2, 40, 50))
    model_id = db.execute("SELECT id FROM models").fetchone()[0]
    with immediate(db):
        decisions.add_decisions(db, run, [moved], decided_by="ana")
        decisions.add_image_decision(db, run, "reviewed", decided_by="ana")
        job = queue_clip(db, seed.add_station(db, appliance.home / "footage", b"clips", make=True))
        context = context_of(job, model_id, SHA256)
        add_part(db, seal, context, make_part(0, pack_frames([make_frame(0.0)]), to_s=0.2, frames=1))
        finish_reading(db, context, parts=1, faults=[])
        clip = Attachment(image_id=job.image_id, tow_id=blind.tow_id, camera_id=None, how="hand", at_s=None)
        surveys.attach_images(db, [clip], actor="test")
        analysis = make_analysis(default_openings(), made_from_sha256=SHA256, model_id=model_id)
        seen = record_analysis(db, seal, blind.tow_id, analysis, is_sealed=False)
        openings = [row[0] for row in db.execute("SELECT id FROM tow_openings ORDER BY ordinal")]
        reviews.group(db, seen, openings[:2], actor="rita")
        reviews.undo(db, reviews.decide(db, seen, openings[2:4], decision="rejected", actor="rita"), actor="rita")
        check = miss_checks.NewCheck(
            tow_id=blind.tow_id,
            analysis_id=seen,
            footage_sha256=SHA256,
            seed="seed",
            pool=[1, 2],
            minutes=[2],
            line_height=0.83,
            width_px=1920,
            height_px=1080,
            counter="rita",
        )
        miss_checks.end_check(db, miss_checks.add_check(db, check, actor="rita"), "done", actor="rita")
        record_analysis(db, seal, blind.tow_id, analysis, is_sealed=True)
        seal_tow(db, seal, blind.tow_id, again=True)
    return blind


BLIND_KINDS = {"run", "object_decision", "reading", "tow_analysis", "review_action", "miss_check"}


def test_nothing_of_a_blind_station_leaves_before_the_reveal_and_everything_after_it(appliance: SimulatedAppliance) -> None:
    blind = make_blind_footage(appliance)
    db = appliance.writer
    assert packer_of(appliance).pack(["bucket"]) is None
    assert states(db) == all_in("sealed", BLIND_KINDS)
    blind.sign("jd", [3.0, 20.0, 41.5])
    assert packer_of(appliance).pack(["bucket"]) is None
    assert db.execute("SELECT count(*) FROM bundles").fetchone()[0] == 0
    blind.sign("cl", [3.0, 20.0, 71.5])
    assert states(db) == all_in("waiting", BLIND_KINDS | {"counts"}), "the reveal lets them go at once"
    found = ashore(appliance)
    assert states(db) == all_in("bundled", BLIND_KINDS | {"counts"})
    assert found == aboard(db)
    assert {name for name, rows in found.items() if not rows} == {name for name in TABLES if name.startswith("zooscan_")} | {
        *("heartbeats", "issues", "active_models", "model_variants", "grounds")
    }
    assert column(found, "count_minutes", "systems") == [
        row[0]
        for row in db.execute(
            "SELECT m.systems FROM count_minutes AS m JOIN counts AS c ON c.id = m.count_id ORDER BY c.uuid, m.minute",
        )
    ]
    assert len(found["objects"]) == 3 * len(blind.image_ids)
    assert sorted(column(found, "tow_analyses", "is_current")) == [0, 1]
    assert column(found, "tow_openings", "system") == [1, 1, None, 2, 2, 3] * 2
    decided = zip(*(column(found, "object_decisions", name) for name in ("place", "decision", "width_px")), strict=True)
    assert sorted(decided) == [(1, "moved", 38.5), (2, "reviewed", None)]
    undone = {row[0]: row[3:5] for row in found["review_actions"]}
    assert sorted(what for what, _ in undone.values()) == ["decide", "group", "undo"]
    assert [undone[undoes][0] for _, undoes in undone.values() if undoes] == ["decide"]
    assert sorted(column(found, "opening_decisions", "decision")) == ["cleared", "cleared", "rejected", "rejected"]


def test_densities_are_those_of_the_stations_page(appliance: SimulatedAppliance) -> None:
    blind = make_blind_survey(appliance)
    (tow_uuid,) = appliance.writer.execute("SELECT uuid FROM tows").fetchone()
    assert counts_ashore(appliance.writer, [f"{tow_uuid}/1"])["densities"] == []
    blind.sign("jd", [5.0, 15, 25, 35, 45, 70, 80])
    blind.sign("cl", [6.0, 16, 26, 36, 46, 71, 81, 90])
    with immediate(appliance.writer) as db:
        db.execute(
            "INSERT INTO distances (tow_id, source, distance_m, covers, entered_by, entered_utc) "
            "VALUES (1, 'observed', 53.25, 'counted', 'a', 'b')"
        )
        db.execute(
            "INSERT INTO widths (tow_id, method, width_m, uncertainty_m, row_height, source, entered_by, entered_utc) "
            "VALUES (1, 'fixed', 0.75, 0.05, 0.83, 'ruler', 'a', 'b')"
        )
    result = station_result(appliance.writer, blind.tow_id)
    assert result.density_raw_per_m2 is not None
    (row,) = ashore(appliance)["densities"]
    found = dict(zip(TABLES["densities"].names, row, strict=True))
    assert found["systems"] == result.systems == 7.5
    assert found["counters"] == "jd, cl"
    assert found["density_raw_per_m2"] == pytest.approx(result.density_raw_per_m2, abs=1e-6)
    assert found["density_raw_sd_per_m2"] == pytest.approx(result.density_raw_sd_per_m2, abs=1e-6)
    assert (found["area_m2"], found["width_m"], found["distance_source"]) == (round(result.area_m2 or 0, 3), 0.75, "observed")
    assert found["density_adjusted_per_m2"] is None


def test_what_becomes_blind_while_it_is_packed_stays_aboard(appliance: SimulatedAppliance) -> None:
    make_blind_footage(appliance)
    db = appliance.writer
    with immediate(db):
        db.execute("UPDATE outbox SET state = 'waiting' WHERE kind <> 'run'")
        for kind in BLIND_KINDS - {"run"}:
            ids = [row[0] for row in db.execute("SELECT id FROM outbox WHERE kind = ?", (kind,))]
            assert ids
            note = partial(bundles.record_bundle, db, ids, ["bucket"], sequence=1, sha256=SHA256, size_bytes=1, rows={})
            assert note() is None, kind
            read = KINDS[kind](db, [row[0] for row in db.execute("SELECT substr(dedup_key, length(kind) + 2) FROM outbox")])
            assert not any(read.values()), kind
    assert db.execute("SELECT count(*) FROM bundles").fetchone()[0] == 0


def test_a_scan_goes_with_what_people_did_and_ecotaxa_said(appliance: SimulatedAppliance) -> None:
    db = appliance.writer
    with immediate(db):
        scan = seed_scan(db, home=appliance.home, objects=5, multiples=2)
    first = ashore(appliance)
    assert first == aboard(db)
    assert len(first["zooscan_objects"]) == 5
    (run_id,) = db.execute("SELECT id FROM zooscan_runs").fetchone()
    whole, part = scan.keys[0], runs.NewObject(**{**small_part(), "cut_from": scan.keys[0]})
    label = NewLabel(scan.keys[2], "Copepoda", "80", "living>Copepoda", "validated", "Ana", "2026-07-01 10:00:00")
    with immediate(db):
        actions.decide(db, scan.scan_id, scan.keys[1:3], "single", actor="ana", uuid="an act of a browser")
        actions.draw_line(db, scan.scan_id, HumanLine(object_key=whole, pixels=b"\0" * 8), actor="ana")
        runs.retire_objects(db, run_id, [whole])
        runs.add_objects(db, run_id, [part])
        actions.sign(db, scan.scan_id, run_id=run_id, objects=5, multiples=1, content_sha256=SHA256, actor="ana")
        labels.add_labels(db, scan.scan_id, [label], source="ecotaxa 42", actor="ana")
        labels.add_labels(db, scan.scan_id, [label], source="ecotaxa 42", actor="ana")
    assert db.execute("SELECT count(*) FROM outbox WHERE kind = 'zooscan_labels'").fetchone()[0] == 1
    cut = ashore(appliance)
    assert cut == aboard(db)
    assert [row[1] for row in cut["zooscan_objects"] if row[-1] is not None] == [whole]
    assert [row[1:4] for row in cut["zooscan_labels"]] == [(scan.keys[2], "Copepoda", "80")]
    assert "Ana" not in cut["zooscan_labels"][0], "who said so in EcoTaxa is not told"
    with immediate(db):
        actions.withdraw(db, scan.scan_id, reason="one more look", actor="ana")
        last = actions.last_undoable(db, scan.scan_id)
        assert last is not None
        actions.undo(db, scan.scan_id, last, run_id=run_id, actor="bo")
        runs.restore_objects(db, run_id, [whole])
        runs.retire_objects(db, run_id, [part.key])
    undone = ashore(appliance)
    assert undone == aboard(db)
    assert [row[1] for row in undone["zooscan_objects"] if row[-1] is not None] == [part.key]
    assert column(undone, "zooscan_signatures", "withdrawn_reason") == ["one more look"]
    assert sorted(column(undone, "zooscan_actions", "undone_by"), key=str) == [None, "bo"]


def small_part() -> dict[str, Any]:
    values: dict[str, Any] = {"key": "part", "x_px": 1, "y_px": 1, "width_px": 9, "height_px": 9, "measures": {"area": 60.0}}
    return {**values, "outline": b"", "multiple_score": None, "vignettes": "part.png"}


class Issue:
    code, severity, reference, message, advice = "disk_low", "error", "/data", "the disk is nearly full", "Free some."


def test_a_newer_report_replaces_the_one_that_waits(appliance: SimulatedAppliance) -> None:
    db = appliance.writer
    station, pack = seed.add_station(db, appliance.home / "inbox"), seed.add_model(db)
    seed.done(db, station, b"one.jpg", pack)
    seed.quarantined(db, station, b"two.jpg")
    with immediate(db):
        settle_issues(db, [Issue()], covered=["disk_low"])
        for kind in ("heartbeat", "health", "models", "heartbeat", "health", "models"):
            put_out_report(db, kind)
    assert db.execute("SELECT count(*), max(priority) FROM outbox WHERE kind <> 'run'").fetchone()[:] == (3, 0)
    packed = packer_of(appliance).pack(["bucket"])
    assert packed is not None
    assert packed.results == 3, "reports go before results"
    put_out_report(db, "heartbeat")
    found = ashore(appliance)
    names = TABLES["heartbeats"].names
    (beat,) = [dict(zip(names, row, strict=True)) for row in found["heartbeats"]]
    assert (beat["files_waiting"], beat["files_done"], beat["files_failed"]) == (0, 1, 1)
    assert (beat["results_waiting"], beat["bundles_waiting"], beat["open_issues"], beat["open_errors"]) == (1, 1, 1, 1)
    assert beat["bundle_bytes_waiting"] == packed.size_bytes
    kept = open_bundle(packer_of(appliance).path_of(packed.sha256))
    assert [row[0] for row in kept.tables["issues"]] == ["disk_low"]
    assert [row[:3] for row in kept.tables["active_models"]] == [("burrows", pack.name, pack.version)]
    assert [row[:2] for row in kept.tables["models"]] == [(pack.name, pack.version)]


def test_what_is_below_the_threshold_stays_aboard_until_a_person_decides_about_it(appliance: SimulatedAppliance) -> None:
    db = appliance.writer
    station, pack = seed.add_station(db, appliance.home / "inbox"), seed.add_model(db)
    seed.done(db, station, b"one.jpg", pack, boxes=[(1, 2, 30, 40, 0.9, 0), (5, 6, 70, 80, 0.25, 0), (9, 9, 20, 20, 0.125, 0)])
    found = ashore(appliance)
    assert column(found, "objects", "score") == [0.9, 0.25]
    assert (column(found, "runs", "object_count"), column(found, "runs", "candidate_count")) == ([2], [1])
    run = decisions.decided_run(db, column(found, "runs", "run_uuid")[0])
    (object_id,) = db.execute("SELECT id FROM objects WHERE ordinal = 2").fetchone()
    kept = Decision(uuid=uuid7(), object_id=object_id, added_uuid=None, decision="confirmed", label=None, box=None)
    assert run is not None
    with immediate(db):
        decisions.add_decisions(db, run, [kept], decided_by="ana")
    found = ashore(appliance)
    assert column(found, "objects", "score") == [0.9, 0.25, 0.125]
    assert column(found, "object_decisions", "ordinal") == [2]
