"""Categories come back to the objects that they are of; what belongs to nothing here is listed, and nothing is dropped."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, SettingsError
from edge.store.reads.zooscan_exports import labels_of
from edge.store.reads.zooscan_objects import standing_objects
from edge.store.reads.zooscan_uploads import ScanKeys
from edge.zooscan.ecotaxa.categories import Categorised, read_categories
from edge.zooscan.ecotaxa.client import EcoTaxa
from edge.zooscan.ecotaxa.matching import KnownScan, match
from tests.helpers.ecotaxa_home import EcotaxaHome
from tests.helpers.small_import import KEYS, SAMPLE, SCAN
from tests.simulators.ecotaxa import Server
from tests.simulators.ecotaxa_world import FOREIGN_PROJECT, PROJECT, Object, World

EXPORT = r"POST /object_set/export"
HEADING = "object_id\tobject_annotation_status\tobject_annotation_category\tobject_annotation_category_id\tobject_annotation_hierarchy\n"


def put(world: World, object_id: str, *, sample: str = SAMPLE, **what: Any) -> None:
    """An object that the project has."""
    project = world.projects[PROJECT]
    project.samples.setdefault(sample, 7000 + len(project.samples))
    project.objects[object_id] = Object(object_id=object_id, sample_id=sample, values={}, **what)


def test_validated_categories_come_back_and_newer_ones_stand(ship: EcotaxaHome, world: World, server: Server) -> None:
    scan_id = ship.add_scan()
    for key in KEYS:
        put(world, f"{SCAN}_{key}", status="predicted", category="detritus", category_id=9)
    assert ship.run(ship.desk.pull(SCAN, "rita")).state == "done"
    first = world.projects[PROJECT].objects[f"{SCAN}_{KEYS[0]}"]
    first.status, first.category, first.category_id, first.person = "validated", "Calanus<Copepoda", 45, "Rita Zoo"
    row = ship.run(ship.desk.pull(SCAN, "rita"))
    assert row.report is not None
    assert (row.report["objects"], row.report["new_labels"], row.report["by_status"]) == (3, 1, {"predicted": 2, "validated": 1})
    assert ship.labels()[3:] == [(scan_id, KEYS[0], "Calanus<Copepoda", "45", "validated")]
    assert len(ship.labels()) == 4
    assert server.count(r"DELETE /jobs/\d+") == 2
    assert not (ship.home / "zooscan" / "ecotaxa" / row.uuid).exists()


def test_what_belongs_to_nothing_is_listed(ship: EcotaxaHome, world: World) -> None:
    scan_id = ship.add_scan()
    ship.add_run(scan_id, KEYS[:2], retired=("xAAy1w2h3",))
    ship.add_scan("apero_st66_d_n1_d2_1", ("x1y1w1h1",))
    put(world, f"{SCAN}_{KEYS[0]}", status="validated", category="Calanus")
    put(world, f"{SCAN}_{KEYS[2]}", status="validated", category="Oithona")  # of the run before
    put(world, f"{SCAN}_xAAy1w2h3", status="dubious", category="multiple")
    put(world, f"{SCAN}_x9y9w9h9", status="validated", category="Calanus")
    put(world, f"{SCAN}_17", status="validated", category="Calanus")
    put(world, f"{SCAN}_{KEYS[1]}")
    put(world, "apero_st66_d_n1_d2_1_x1y1w1h1", status="validated", category="Calanus")
    put(world, "apero_st66_d_n1_d9_1_x1y1w1h1", status="validated", category="Calanus")
    put(world, "elsewhere_x1y1w1h1", sample="elsewhere", status="validated", category="Calanus")
    row = ship.run(ship.desk.pull(SCAN, "rita"))
    assert row.state == "done", row.detail
    report = row.report
    assert report is not None
    found = {name: report[name]["ids"] for name in ("retired", "unclassified", "numbered", "unknown", "foreign", "contradictory", "absent")}
    assert found == {
        "retired": [f"{SCAN}_{KEYS[2]}", f"{SCAN}_xAAy1w2h3"],
        "unclassified": [f"{SCAN}_{KEYS[1]}"],
        "numbered": [f"{SCAN}_17"],
        "unknown": [f"{SCAN}_x9y9w9h9"],
        "foreign": ["apero_st66_d_n1_d9_1_x1y1w1h1"],
        "contradictory": [],
        "absent": [],
    }
    assert {label[1] for label in ship.labels()} == {KEYS[0], KEYS[2], "xAAy1w2h3"}
    assert "1 with a number instead of a place" in row.detail


@pytest.mark.parametrize(
    ("where", "how"),
    [
        (EXPORT, "lose_answer"),
        (EXPORT, "status"),
        (r"GET /jobs/\d+/$", "page"),
        (r"GET /jobs/\d+/file", "cut_answer"),
        (r"GET /jobs/\d+/file", "page"),
        (r"GET /jobs/\d+/file", "status"),
        ("DELETE", "status"),
    ],
)
def test_whatever_breaks_the_labels_come_once(ship: EcotaxaHome, world: World, server: Server, where: str, how: str) -> None:
    server.breaks(where, how, times=1)  # type: ignore[arg-type]
    ship.add_scan()
    for key in KEYS:
        put(world, f"{SCAN}_{key}", status="validated", category="Calanus")
    row = ship.run(ship.desk.pull(SCAN, "rita"))
    assert row.state == "done", row.detail
    assert len(ship.labels()) == 3


def test_a_job_that_is_gone_is_asked_for_anew(ship: EcotaxaHome, world: World) -> None:
    ship.add_scan()
    put(world, f"{SCAN}_{KEYS[0]}", status="validated", category="Calanus")
    upload_id = ship.desk.pull(SCAN, "rita")
    ship.desk.step()
    world.jobs.clear()
    assert ship.run(upload_id).state == "done"


def test_a_project_without_the_sample_or_the_right_to_read_it_is_told(ship: EcotaxaHome) -> None:
    ship.add_scan()
    assert "has no sample that" in ship.run(ship.desk.pull(SCAN, "rita")).detail
    foreign = ship.run(ship.desk.pull(SCAN, "rita", project_id=FOREIGN_PROJECT))
    assert (foreign.state, "403" in foreign.detail) == ("failed", True)


def test_a_sample_that_the_scan_is_not_named_after_is_found_by_its_meta(ship: EcotaxaHome, world: World) -> None:
    scan_id = ship.add_scan()
    ship.writer.call(lambda connection: connection.execute("UPDATE zooscan_scans SET meta = ?", (b"SampleId= other_haul\r\n",)))
    put(world, f"{SCAN}_{KEYS[0]}", sample="other_haul", status="validated", category="Calanus")
    assert ship.run(ship.desk.pull(SCAN, "rita")).state == "done"
    assert ship.labels() == [(scan_id, KEYS[0], "Calanus", None, "validated")]


def test_a_pull_that_was_cancelled_writes_nothing(ship: EcotaxaHome, world: World) -> None:
    ship.add_scan()
    put(world, f"{SCAN}_{KEYS[0]}", status="validated", category="Calanus")
    upload_id = ship.desk.pull(SCAN, "rita")
    ship.desk.step()
    ship.desk.cancel(upload_id, "rita")
    assert ship.run(upload_id).state == "cancelled"
    assert ship.labels() == []


def test_cancelled_while_the_table_comes_nothing_is_written(ship: EcotaxaHome, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ship.add_scan()
    put(world, f"{SCAN}_{KEYS[0]}", status="validated", category="Calanus")
    upload_id = ship.desk.pull(SCAN, "rita")
    fetch = EcoTaxa.fetch

    def cancel_then_fetch(client: EcoTaxa, job_id: int, to: Path, **how: int) -> int:
        ship.desk.cancel(upload_id, "rita")
        return fetch(client, job_id, to, **how)

    monkeypatch.setattr(EcoTaxa, "fetch", cancel_then_fetch)
    assert ship.run(upload_id).state == "cancelled"
    assert ship.labels() == []


# Tables that a person exported


def table(tmp_path: Path, *lines: str, heading: str = HEADING, encoding: str = "utf-8-sig") -> Path:
    path = tmp_path / "export.tsv"
    path.write_bytes((heading + "".join(f"{line}\n" for line in lines)).encode(encoding))
    return path


def test_a_file_is_taken_in_for_every_scan_that_it_tells_of(ship: EcotaxaHome, tmp_path: Path) -> None:
    first, second = ship.add_scan(), ship.add_scan("b_1", ("x1y2w3h4",))
    path = table(
        tmp_path,
        "[t]\t[t]\t[t]\t[f]\t[t]",
        f'"{SCAN}_{KEYS[0]}"\t"validated"\t"Calanus"\t45\t"living>Calanus"',
        f"{SCAN}_{KEYS[0]}\tvalidated\tCalanus\t45\tliving>Calanus",
        f"{SCAN}_{KEYS[1]}\tvalidated\tCalanus\t45\tliving>Calanus",
        f"{SCAN}_{KEYS[1]}\tvalidated\tOithona\t46\tliving>Oithona",
        "b_1_X1Y2W3H4\tdiscarded\tbubble\t\t",
    )
    report = ship.desk.pull_file(path, "rita")
    assert ship.labels() == [(first, KEYS[0], "Calanus", "45", "validated"), (second, "x1y2w3h4", "bubble", None, "discarded")]
    assert report["contradictory"]["ids"] == [f"{SCAN}_{KEYS[1]}"]
    assert report["absent"]["ids"] == [f"{SCAN}_{KEYS[2]}"]
    assert ship.desk.pull_file(path, "rita", scan="b_1")["new_labels"] == 0


def test_a_label_that_says_less_than_what_stands_is_no_new_one(ship: EcotaxaHome, tmp_path: Path) -> None:
    ship.add_scan()
    ship.desk.pull_file(table(tmp_path, f"{SCAN}_{KEYS[0]}\tvalidated\tCalanus\t45\t"), "rita")
    assert ship.desk.pull_file(table(tmp_path, f"{SCAN}_{KEYS[0]}\tvalidated\tCalanus\t\t"), "rita")["new_labels"] == 0
    assert ship.desk.pull_file(table(tmp_path, f"{SCAN}_{KEYS[0]}\tvalidated\tCalanus\t45\tliving"), "rita")["new_labels"] == 1


def test_what_was_set_back_there_is_called_nothing_here(ship: EcotaxaHome, world: World) -> None:
    scan_id = ship.add_scan()
    for key in KEYS[:2]:
        put(world, f"{SCAN}_{key}", status="validated", category="Calanus", category_id=45)
    put(world, f"{SCAN}_{KEYS[2]}")
    row = ship.run(ship.desk.pull(SCAN, "rita"))
    assert row.report is not None
    assert (row.report["reset"]["ids"], row.report["unclassified"]["ids"]) == ([], [f"{SCAN}_{KEYS[2]}"])
    again = world.projects[PROJECT].objects[f"{SCAN}_{KEYS[0]}"]
    again.status, again.category, again.category_id = "", "", None
    row = ship.run(ship.desk.pull(SCAN, "rita"))
    assert row.report is not None
    assert (row.report["objects"], row.report["new_labels"], row.report["reset"]["ids"]) == (1, 0, [f"{SCAN}_{KEYS[0]}"])
    assert "1 set back there" in row.detail
    with ship.reader() as connection:
        assert set(labels_of(connection, scan_id)) == {KEYS[1]}
        shown = {one.key: (one.category, one.category_status) for one in standing_objects(connection, scan_id)}
    assert shown[KEYS[0]] == (None, None)
    assert len(ship.labels()) == 3
    ship.run(ship.desk.pull(SCAN, "rita"))
    assert len(ship.labels()) == 3


DATED = (
    "object_id\tobject_annotation_status\tobject_annotation_category\tobject_annotation_category_id\tobject_annotation_date\t"
    "object_annotation_time\n"
)


def test_a_file_of_before_does_not_take_back_what_was_said_since(ship: EcotaxaHome, tmp_path: Path) -> None:
    ship.add_scan()

    def take(*lines: str) -> dict[str, Any]:
        return ship.desk.pull_file(table(tmp_path, *(f"{SCAN}_{line}" for line in lines), heading=DATED), "rita")

    assert take(f"{KEYS[0]}\tvalidated\tOithona\t46\t20260801\t100000")["new_labels"] == 1
    report = take(f"{KEYS[0]}\tpredicted\tCalanus\t45\t20260601\t235959", f"{KEYS[1]}\tpredicted\tCalanus\t45\t20260601\t235959")
    assert (report["new_labels"], report["older"]) == (1, {"count": 1, "ids": [f"{SCAN}_{KEYS[0]}"]})
    assert [label[1:3] for label in ship.labels()] == [(KEYS[0], "Oithona"), (KEYS[1], "Calanus")]
    # Of the same day without a time nobody can say that it is older; what has no date at all neither.
    assert take(f"{KEYS[0]}\tvalidated\tOithona\t47\t2026-08-01\t")["new_labels"] == 1
    assert take(f"{KEYS[0]}\tvalidated\tOithona\t48\t\t")["new_labels"] == 1
    # It was set back; the file that called it something before does not bring that back, a later word does.
    assert take(f"{KEYS[1]}\t\t\t\t\t")["reset"]["count"] == 1
    assert take(f"{KEYS[1]}\tpredicted\tCalanus\t45\t20260601\t235959")["older"]["count"] == 1
    assert take(f"{KEYS[1]}\tvalidated\tCalanus\t45\t20260901\t080000")["new_labels"] == 1


def test_a_classification_that_was_restored_there_is_taken_although_it_is_older(ship: EcotaxaHome, world: World, tmp_path: Path) -> None:
    ship.add_scan()
    ship.desk.pull_file(table(tmp_path, f"{SCAN}_{KEYS[0]}\tvalidated\tOithona\t46\t29990101\t100000", heading=DATED), "rita")
    put(world, f"{SCAN}_{KEYS[0]}", status="validated", category="Calanus", category_id=45)
    assert ship.run(ship.desk.pull(SCAN, "rita")).state == "done"
    assert [label[2] for label in ship.labels()] == ["Oithona", "Calanus"]


def test_scans_of_one_name_are_not_mixed_up(ship: EcotaxaHome, tmp_path: Path) -> None:
    ship.add_scan(SCAN, project="x")
    ship.add_scan(SCAN, project="y")
    path = table(tmp_path, f"{SCAN}_{KEYS[0]}\tvalidated\tCalanus\t45\t")
    with pytest.raises(SettingsError, match="two projects have a scan"):
        ship.desk.pull_file(path, "rita")
    assert ship.desk.pull_file(path, "rita", scan=f"y/{SCAN}")["new_labels"] == 1
    assert ship.labels()[0][0] == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "has not the columns"),
        (b"object_id\tobject_annotation_status\nx\ty\n", "has not the columns"),
        (HEADING.encode() + b"a\tb\n", "line 2 has 2 cells instead of 5"),
        (HEADING.encode() + b'"' + b"a" * 200_000 + b'"\n', "line 2: field larger than"),
        (b"PK\x03\x04 no zip", "has not the columns"),
    ],
)
def test_what_is_no_such_table_is_refused_whole(ship: EcotaxaHome, tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "export.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        ship.desk.pull_file(path, "rita")


def test_damaged_and_empty_archives_are_told(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.tsv", HEADING + "a\tvalidated\tCalanus\t1\t\n" * 5000)
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(20) + whole[80:])
    with pytest.raises(InputError, match="damaged archive"):
        list(read_categories(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.md", "")
    with pytest.raises(InputError, match="holds no table"):
        list(read_categories(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_categories(tmp_path / "nowhere.tsv"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_letters_come_through_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    (row,) = read_categories(table(tmp_path, "a\tvalidated\tœuf\t1\tété".replace("œ", "ö"), encoding=encoding))
    assert (row.category, row.hierarchy) == ("öuf", "été")


hexadecimal = st.integers(0, 0xFFFF).map(lambda number: f"{number:X}")
keys = st.builds(
    lambda x, y, w, h, tail: f"x{x}y{y}w{w}h{h}{tail}",
    hexadecimal,
    hexadecimal,
    hexadecimal,
    hexadecimal,
    st.sampled_from(["", "p0000001F", "pDEADBEEF"]),
)
names = st.from_regex(r"[a-z0-9_x]{1,12}_1", fullmatch=True)


@given(scans=st.dictionaries(names, st.sets(keys, max_size=4), max_size=4), other=st.lists(st.text(max_size=20), max_size=4))
def test_every_row_ends_in_exactly_one_place(scans: dict[str, set[str]], other: list[str]) -> None:
    known = {
        name: KnownScan(scan_id=number, keys=ScanKeys(standing=frozenset(found), retired=frozenset()))
        for number, (name, found) in enumerate(scans.items())
    }
    ours = [(name, key) for name, found in scans.items() for key in found]
    ids = [f"{name}_{key}" for name, key in ours] + other
    rows = [Categorised(object_id=one, category="c", category_id="", hierarchy="", status="validated", person="", at="") for one in ids]
    matched = match(rows, known)
    places = [*matched.numbered, *matched.unknown, *matched.foreign, *matched.unclassified, *matched.contradictory]
    assert matched.objects + len(places) == len(set(ids))
    assert {(number, label.object_key) for number, labels in matched.labels.items() for label in labels} >= {
        (known[name].scan_id, key) for name, key in ours
    }
    assert matched.absent == []
