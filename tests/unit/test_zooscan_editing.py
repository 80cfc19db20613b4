"""What people do about objects: cut them, make them whole again, undo, decide, sign; only the object touched is looked at."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import InputError, ScanOutdatedError, ScanRefusedError, SomebodyElsesActError, StoreError
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.reads.zooscan_check import check_revision, check_run
from edge.store.reads.zooscan_objects import ObjectRow, retired_keys, standing_lines, standing_objects
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.store.zooscan import scans
from edge.store.zooscan.scans import SeenScan
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.engine.engine import PixelEngine
from edge.zooscan.segment import SegmentSettings, find_particles
from tests.helpers.zooscan import SCAN, SeededScan, seed_scan


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A home with one scan and its desk."""

    desk: ScanDesk
    writer: Writer
    scan: SeededScan
    home: Path

    def reader(self) -> AbstractContextManager[Connection]:
        return self.desk.reader()

    def standing(self) -> dict[str, ObjectRow]:
        with self.reader() as connection:
            return {one.key: one for one in standing_objects(connection, self.scan.scan_id)}

    def across(self, key: str) -> list[tuple[int, int]]:
        """A line across the narrowest part of an object: the column of fewest pixels in the middle of its box, or the row."""
        whole = self.standing()[key]
        box = self.scan.clean[whole.y_px : whole.y_px + whole.height_px, whole.x_px : whole.x_px + whole.width_px] <= 243
        if whole.width_px >= whole.height_px:
            middle = slice(whole.width_px // 4, -whole.width_px // 4)
            x = whole.x_px + middle.start + int(box.sum(axis=0)[middle].argmin())
            return [(x, whole.y_px), (x, whole.y_px + whole.height_px - 1)]
        middle = slice(whole.height_px // 4, -whole.height_px // 4)
        y = whole.y_px + middle.start + int(box.sum(axis=1)[middle].argmin())
        return [(whole.x_px, y), (whole.x_px + whole.width_px - 1, y)]


@contextmanager
def open_lab(home: Path) -> Iterator[Lab]:
    writer = open_store(home, on_commit=lambda: None)
    scan = writer.call(lambda connection: seed_scan(connection, home=home, objects=6, multiples=2, touching=2))

    @contextmanager
    def reader() -> Iterator[Connection]:
        connection = open_reader(home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    desk = ScanDesk(home, writer, reader, PixelEngine(home, classifier=lambda: None, processes=1))
    yield Lab(desk=desk, writer=writer, scan=scan, home=home)
    writer.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with open_lab(tmp_path) as opened:
        yield opened


def test_a_line_cuts_its_object_and_nothing_else(lab: Lab) -> None:
    whole, before = lab.scan.keys[0], lab.standing()
    done = lab.desk.add_line(lab.scan.scan_uuid, whole, lab.across(whole), actor="mary")
    after = lab.standing()
    assert (done.what, done.retired, len(done.standing)) == ("draw", (whole,), 2)
    assert set(after) == set(before) - {whole} | set(done.standing)
    assert {one.cut_from for one in after.values() if one.key in done.standing} == {whole}
    parts = [after[key] for key in done.standing]
    area = sum(one.measures["area"] or 0 for one in parts)
    assert 0.9 < area / (before[whole].measures["area"] or 0) < 1
    with lab.reader() as connection:
        assert [(one.key, one.was_cut) for one in retired_keys(connection, lab.scan.scan_id)] == [(whole, True)]
        (line,) = standing_lines(connection, lab.scan.scan_id)
    assert (line.object_key, line.made_by, line.uuid) == (whole, "mary", done.line_uuid)
    archive, _, member = parts[0].vignette.partition("/")
    with zipfile.ZipFile(lab.home / lab.scan.folder / archive) as kept:
        assert kept.read(member).startswith(b"\x89PNG")


def test_what_a_line_leaves_is_what_the_whole_scan_gives_with_it(lab: Lab) -> None:
    for whole in lab.scan.keys[:2]:
        lab.desk.add_line(lab.scan.scan_uuid, whole, lab.across(whole), actor="mary")
    with lab.reader() as connection:
        pixels = np.concatenate([line.pixels for line in standing_lines(connection, lab.scan.scan_id)])
    clean = lab.scan.clean.copy()
    clean[pixels[:, 1], pixels[:, 0]] = 255
    told = sorted((one.x_px, one.y_px, one.width_px, one.height_px) for one in find_particles(clean, SegmentSettings()))
    assert sorted((one.x_px, one.y_px, one.width_px, one.height_px) for one in lab.standing().values()) == told


WHERE = st.tuples(*[st.integers(0, 100)] * 4)
ACTS = st.lists(st.tuples(st.sampled_from(["draw", "draw", "draw", "erase", "undo"]), st.integers(0, 20), WHERE), min_size=2, max_size=8)


@given(ACTS)
@settings(max_examples=15)
def test_whatever_is_drawn_erased_and_undone_the_objects_are_those_of_the_whole_scan_with_the_lines_that_stand(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, tuple[int, ...]]]
) -> None:
    with open_lab(tmp_path_factory.mktemp("lab")) as lab:
        for what, number, where in acts:
            _act(lab, what, number, where)
        with lab.reader() as connection:
            lines = [line.pixels for line in standing_lines(connection, lab.scan.scan_id)]
        clean = lab.scan.clean.copy()
        for pixels in lines:
            clean[pixels[:, 1], pixels[:, 0]] = 255
        told = sorted((one.x_px, one.y_px, one.width_px, one.height_px) for one in find_particles(clean, SegmentSettings()))
        assert sorted((one.x_px, one.y_px, one.width_px, one.height_px) for one in lab.standing().values()) == told
        for one in lab.standing().values():
            archive, _, member = one.vignette.partition("/")
            with zipfile.ZipFile(lab.home / lab.scan.folder / archive) as kept:
                assert member in kept.namelist()


def _act(lab: Lab, what: str, number: int, where: tuple[int, ...]) -> None:
    """Do something; what is refused is not done."""
    with lab.reader() as connection:
        lines = standing_lines(connection, lab.scan.scan_id)
    standing = list(lab.standing().values())
    with suppress(ScanRefusedError):
        if what == "undo":
            lab.desk.undo(lab.scan.scan_uuid, actor="mary")
        elif what == "erase" and lines:
            lab.desk.erase_line(lab.scan.scan_uuid, lines[number % len(lines)].uuid, actor="mary")
        elif what == "draw":
            one = standing[number % len(standing)]
            x = [one.x_px + share * one.width_px // 100 for share in where[:2]]
            y = [one.y_px + share * one.height_px // 100 for share in where[2:]]
            lab.desk.add_line(lab.scan.scan_uuid, one.key, list(zip(x, y, strict=True)), actor="mary")


def test_undo_makes_it_whole_again_under_its_old_key_and_redrawing_gives_the_same_parts(lab: Lab) -> None:
    whole, before = lab.scan.keys[0], lab.standing()
    line = lab.across(whole)
    first = lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary")
    undone = lab.desk.undo(lab.scan.scan_uuid, actor="john", anyone=True)
    assert (undone.what, undone.standing, set(undone.retired)) == ("draw", (whole,), set(first.standing))
    assert set(lab.standing()) == set(before)
    again = lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary")
    assert set(again.standing) == set(first.standing)
    with pytest.raises(ScanRefusedError, match="stands under this key"):
        lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary")


def test_a_part_is_cut_again_and_the_lines_are_erased_in_any_order(lab: Lab) -> None:
    whole, before = lab.scan.keys[0], lab.standing()
    first = lab.desk.add_line(lab.scan.scan_uuid, whole, lab.across(whole), actor="mary")
    part = first.standing[0]
    second = lab.desk.add_line(lab.scan.scan_uuid, part, lab.across(part), actor="mary")
    assert second.retired == (part,)
    assert {lab.standing()[key].cut_from for key in second.standing} == {part}
    assert first.line_uuid is not None
    assert second.line_uuid is not None
    lab.desk.erase_line(lab.scan.scan_uuid, first.line_uuid, actor="mary")
    lab.desk.erase_line(lab.scan.scan_uuid, second.line_uuid, actor="mary")
    assert set(lab.standing()) == set(before)
    lab.desk.undo(lab.scan.scan_uuid, actor="mary")
    lab.desk.undo(lab.scan.scan_uuid, actor="mary")
    assert set(lab.standing()) == set(before) - {whole, part} | set(first.standing) - {part} | set(second.standing)


def test_a_line_that_cuts_nothing_is_refused_and_leaves_nothing(lab: Lab) -> None:
    key = lab.scan.keys[0]
    whole = lab.standing()[key]
    outside = [(whole.x_px, whole.y_px)]
    for points in (outside, []):
        with pytest.raises(ScanRefusedError, match=r"does not cut|at least one point"):
            lab.desk.add_line(lab.scan.scan_uuid, key, points, actor="mary")
    with lab.reader() as connection:
        assert standing_lines(connection, lab.scan.scan_id) == ()
        assert not connection.execute("SELECT 1 FROM zooscan_actions").fetchall()
    assert sorted(path.name for path in (lab.home / lab.scan.folder).iterdir()) == ["clean.tif", "vignettes.zip"]


def test_a_line_that_runs_far_beside_its_object_is_refused_before_it_is_drawn(lab: Lab) -> None:
    key = lab.scan.keys[0]
    whole = lab.standing()[key]
    with pytest.raises(ScanRefusedError, match="lies beside the object"):
        lab.desk.add_line(lab.scan.scan_uuid, key, [(whole.x_px, whole.y_px), (1_000_000, 1_000_000)], actor="mary")


def test_an_action_that_is_sent_twice_is_done_once(lab: Lab) -> None:
    whole = lab.scan.keys[0]
    line = lab.across(whole)
    lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary", action_uuid="a-1")
    assert lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary", action_uuid="a-1").what == "nothing"
    lab.desk.decide(lab.scan.scan_uuid, [lab.scan.keys[1]], "single", actor="mary", action_uuid="a-2")
    assert lab.desk.decide(lab.scan.scan_uuid, [lab.scan.keys[1]], "single", actor="mary", action_uuid="a-2").what == "nothing"
    with lab.reader() as connection:
        assert len(standing_lines(connection, lab.scan.scan_id)) == 1


def test_decisions_are_about_what_stands(lab: Lab) -> None:
    lab.desk.decide(lab.scan.scan_uuid, lab.scan.keys[:3], "single", actor="mary")
    assert [one.decision for one in lab.standing().values()][:4] == ["single", "single", "single", None]
    for keys in (["x1y1w1h1"], []):
        with pytest.raises(ScanRefusedError, match="stands under this key"):
            lab.desk.decide(lab.scan.scan_uuid, keys, "single", actor="mary")
    assert lab.desk.undo(lab.scan.scan_uuid, actor="mary").what == "decide"
    with pytest.raises(ScanRefusedError, match="nothing to undo"):
        lab.desk.undo(lab.scan.scan_uuid, actor="mary")


def test_nobody_undoes_what_somebody_else_did_without_saying_so(lab: Lab) -> None:
    uuid, (first, second, *_) = lab.scan.scan_uuid, lab.scan.keys
    lab.desk.decide(uuid, [first], "single", actor="ann", action_uuid="a-1")
    lab.desk.decide(uuid, [second], "multiple", actor="bob", action_uuid="b-1")
    with pytest.raises(SomebodyElsesActError, match="bob's"):
        lab.desk.undo(uuid, actor="ann")
    assert [lab.standing()[key].decision for key in (first, second)] == ["single", "multiple"]
    assert lab.desk.undo(uuid, actor="ann", action_uuid="a-1").what == "decide"
    assert lab.desk.undo(uuid, actor="ann", action_uuid="a-1").what == "nothing", "asked for twice, it is taken back once"
    assert [lab.standing()[key].decision for key in (first, second)] == [None, "multiple"]
    assert lab.desk.undo(uuid, actor="ann", anyone=True).what == "decide"
    assert lab.standing()[second].decision is None


def test_a_signed_scan_is_frozen_until_the_signature_is_withdrawn_with_a_reason(lab: Lab) -> None:
    uuid, whole = lab.scan.scan_uuid, lab.scan.keys[0]
    done = lab.desk.add_line(uuid, whole, lab.across(whole), actor="mary")
    first = lab.desk.sign(uuid, actor="mary")
    assert done.line_uuid is not None
    refused: list[Callable[[], object]] = [
        lambda: lab.desk.decide(uuid, [lab.scan.keys[1]], "single", actor="mary"),
        lambda: lab.desk.add_line(uuid, lab.scan.keys[1], lab.across(lab.scan.keys[1]), actor="mary"),
        lambda: lab.desk.erase_line(uuid, str(done.line_uuid), actor="mary"),
        lambda: lab.desk.undo(uuid, actor="mary"),
        lambda: lab.desk.sign(uuid, actor="mary"),
    ]
    for attempt in refused:
        with pytest.raises(ScanRefusedError, match="signed by mary"):
            attempt()
    with pytest.raises(ScanRefusedError, match="with a reason"):
        lab.desk.withdraw(uuid, reason=" ", actor="john")
    lab.desk.withdraw(uuid, reason="a line is missing", actor="john")
    with pytest.raises(ScanRefusedError, match="not signed"):
        lab.desk.withdraw(uuid, reason="again", actor="john")
    assert lab.desk.sign(uuid, actor="mary") == first, "the same content has the same hash"
    lab.desk.withdraw(uuid, reason="once more", actor="john")
    lab.desk.undo(uuid, actor="mary")
    assert lab.desk.sign(uuid, actor="mary") != first


def test_signing_what_somebody_else_changed_is_refused(lab: Lab) -> None:
    def seen() -> str:
        with lab.reader() as connection:
            run = check_run(connection, lab.scan.scan_id)
            assert run is not None
            return check_revision(connection, run)

    def other_meta(connection: Connection) -> None:
        scans.put_scan(connection, lab.scan.project_id, SeenScan(name=SCAN, meta=b"Vol= 7\r\n"))

    changes: list[Callable[[], object]] = [
        lambda: lab.desk.decide(lab.scan.scan_uuid, [lab.scan.keys[1]], "single", actor="john"),
        lambda: lab.desk.type_in(lab.scan.scan_uuid, {"Vol": "9999"}, actor="john"),
        lambda: lab.writer.call(other_meta),
    ]
    for change in changes:
        before = seen()
        change()
        assert seen() != before
        with pytest.raises(ScanOutdatedError):
            lab.desk.sign(lab.scan.scan_uuid, actor="mary", revision=before)
    lab.desk.sign(lab.scan.scan_uuid, actor="mary", revision=seen())


def test_a_scan_that_is_not_there_or_lost_its_picture_is_told(lab: Lab) -> None:
    with pytest.raises(ScanRefusedError, match="no scan"):
        lab.desk.undo("nobody", actor="mary")
    (lab.home / lab.scan.folder / "clean.tif").unlink()
    with pytest.raises(InputError, match=r"clean\.tif is not there"):
        lab.desk.add_line(lab.scan.scan_uuid, lab.scan.keys[0], lab.across(lab.scan.keys[0]), actor="mary")


def test_a_transaction_that_fails_leaves_no_vignettes_behind(lab: Lab) -> None:
    whole = lab.scan.keys[0]
    line = lab.across(whole)
    lab.writer.close()
    with pytest.raises(StoreError, match="closed"):
        lab.desk.add_line(lab.scan.scan_uuid, whole, line, actor="mary")
    assert sorted(path.name for path in (lab.home / lab.scan.folder).iterdir()) == ["clean.tif", "vignettes.zip"]
