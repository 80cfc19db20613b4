"""Scans of a watched folder become results; what cannot is listed with its reason; what people did stands after the next run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from edge.errors import Reason, ScanRefusedError
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan_check import check_run, object_place
from edge.store.reads.zooscan_objects import ObjectRow, erased_machine_lines, standing_lines, standing_objects
from edge.web.scan_cards import told_card
from edge.zooscan.engine.engine import PixelEngine
from models.runtime.vision import cv2
from tests.helpers.scan_lab import ScanLab, scan_lab
from tests.helpers.tiny_home import wait_until
from tests.helpers.zooscan import draw_objects, log_text, meta_text, write_backgrounds, write_project, write_raw

RAW = "Zooscan_scan/_raw/st66_d1_raw_1.tif"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ScanLab]:
    with scan_lab(tmp_path / "home", tmp_path / "scans") as opened:
        yield opened


def project_of(lab: ScanLab) -> Path:
    return lab.folder / "Zooscan_test_sn033"


def standing_keys(lab: ScanLab) -> set[str]:
    with lab.desk.reader() as connection:
        return {one.key for one in standing_objects(connection, lab.scan().id)}


def test_a_dropped_project_becomes_results_the_latest_scan_first(lab: ScanLab) -> None:
    write_project(project_of(lab), scans=("st66_d1_1", "st67_d1_1"), objects=5)
    (project_of(lab) / "Zooscan_scan/_raw/st67_d1_1_log.txt").write_text(log_text(date="20260613_1015"))
    assert [row.state for row in lab.look()] == ["queued", "queued"]
    names = []
    while (row := lab.desk.process_next()) is not None:
        names.append(row.name)
    assert names == ["st67_d1_1", "st66_d1_1"]
    assert [(row.state, row.objects, row.attempts) for row in lab.scans()] == [("done", 5, 1)] * 2
    with lab.desk.reader() as connection:
        run = reads.current_run(connection, lab.scans()[0].id)
    assert run is not None
    assert {path.name for path in (lab.home / run.folder).iterdir()} >= {"clean.tif", "vignettes.zip"}
    assert (run.background, run.frame["missing"]) == ("20260613_0805_background_large_manual.tif", ["left", "top", "bottom"])
    assert lab.look()[0].state == "done"
    assert (lab.desk.at_work, lab.desk.stage) == (None, "")
    assert lab.desk.process_next() is None


def test_a_bare_scan_becomes_a_result(lab: ScanLab) -> None:
    write_raw(lab.folder / "tow 7.tif", draw_objects(4))
    write_backgrounds(lab.folder, "20260613_0805")
    lab.look()
    stages: list[str] = []
    lab.desk._set_stage = stages.append  # type: ignore[assignment]
    lab.desk.process_next()
    assert (lab.scan().name, lab.scan().state, lab.scan().objects) == ("tow 7", "done", 4)
    assert stages[0] == "load"
    assert {"convert", "segment", "measure"} <= set(stages), "each stage is told as it begins"


def truncated(project: Path) -> None:
    content = (project / RAW).read_bytes()
    (project / RAW).write_bytes(content[: len(content) // 2])


def eight_bits(project: Path) -> None:
    tifffile.imwrite(project / RAW, np.full((2400, 1200), 200, np.uint8), photometric="minisblack")


def no_tiff(project: Path) -> None:
    (project / RAW).write_bytes(b"this is no picture" * 1000)


def another_resolution(project: Path) -> None:
    (project / "Zooscan_scan/_raw/st66_d1_1_log.txt").write_text(log_text(resolution="4"))


def another_glass(project: Path) -> None:
    write_backgrounds(project / "Zooscan_back", "20260613_0900", height_px=800)
    for path in (project / "Zooscan_back").glob("20260613_0805*"):
        path.unlink()


BAD: list[tuple[Callable[[Path], None], Reason, str]] = [
    (truncated, Reason.TRUNCATED, "of at least"),
    (eight_bits, Reason.UNSUPPORTED_PIXELS, "16-bit grey"),
    (no_tiff, Reason.UNKNOWN_FORMAT, "is no TIFF"),
    (another_resolution, Reason.WRONG_RESOLUTION, "has 1200 pixels per inch"),
    (another_glass, Reason.BACKGROUND_MISMATCH, "do not show the same glass"),
]


@pytest.mark.parametrize(("spoil", "reason", "words"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_what_cannot_be_processed_is_listed_with_its_reason_and_leaves_nothing(
    lab: ScanLab, spoil: Callable[[Path], None], reason: Reason, words: str
) -> None:
    write_project(project_of(lab), objects=3)
    spoil(project_of(lab))
    lab.look()
    lab.desk.process_next()
    row = lab.scan()
    assert (row.state, row.reason, row.objects) == ("failed", reason, None)
    assert words in row.detail
    assert lab.desk.process_next() is None, "it is not tried again by itself"
    assert lab.run_folders() == []


def test_a_scan_that_was_half_copied_is_taken_when_its_copy_has_ended(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    whole = (project_of(lab) / RAW).read_bytes()
    truncated(project_of(lab))
    lab.look()
    lab.desk.process_next()
    assert lab.scan().state == "failed"
    (project_of(lab) / RAW).write_bytes(whole)
    lab.look()
    lab.desk.process_next()
    assert (lab.scan().state, lab.scan().objects) == ("done", 3)


def test_a_project_that_went_while_its_scan_waited_its_turn_is_no_failure(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    away = lab.folder.parent / "away"
    project_of(lab).rename(away)
    lab.desk.process_next()
    row = lab.scan()
    assert (row.state, row.attempts, row.reason) == ("queued", 0, "")
    assert lab.desk.process_next() is None, "its folder is away"
    assert "its medium is out" in lab.desk.troubles[0].trouble
    away.rename(project_of(lab))
    lab.look()
    lab.desk.process_next()
    assert lab.scan().state == "done"


def test_a_background_that_went_while_its_scan_waited_its_turn_is_waited_for(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    for path in (project_of(lab) / "Zooscan_back").iterdir():
        path.unlink()
    lab.desk.process_next()
    assert (lab.scan().state, lab.scan().attempts) == ("queued", 0)
    (row,) = lab.look()
    assert row.state == "waiting"
    assert row.lacks == ("both pictures of a background of the large frame dated 2026-06-13 09:15 or before",)
    write_backgrounds(project_of(lab) / "Zooscan_back", "20260613_0900")
    lab.look()
    lab.desk.process_next()
    assert lab.scan().state == "done"


def test_a_failed_scan_is_tried_again_when_a_person_asks(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    another_resolution(project_of(lab))
    lab.look()
    lab.desk.process_next()
    (project_of(lab) / "Zooscan_scan/_raw/st66_d1_1_log.txt").write_text(log_text())
    lab.look()
    assert lab.desk.retry(None, actor="mary") == 1
    lab.desk.process_next()
    assert lab.scan().state == "done"
    with pytest.raises(ScanRefusedError, match="cannot be queued now: it is done"):
        lab.desk.retry(lab.scan().uuid, actor="mary")


def test_what_people_did_stands_after_the_next_run(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=6, touching=2)
    lab.look()
    lab.desk.process_next()
    uuid, first = lab.scan().uuid, standing_keys(lab)
    with lab.desk.reader() as connection:
        single, *_, other, pair = sorted(standing_objects(connection, lab.scan().id), key=lambda one: one.measures["area"] or 0)
    across = [(pair.x_px + pair.width_px // 2, pair.y_px), (pair.x_px + pair.width_px // 2, pair.y_px + pair.height_px)]
    if pair.height_px > pair.width_px:
        across = [(pair.x_px, pair.y_px + pair.height_px // 2), (pair.x_px + pair.width_px, pair.y_px + pair.height_px // 2)]
    lab.desk.add_line(uuid, pair.key, across, actor="mary")
    lab.desk.decide(uuid, [other.key], "multiple", actor="mary")
    lab.desk.decide(uuid, [single.key], "single", actor="mary")
    before = standing_keys(lab)
    assert lab.desk.reprocess(uuid, actor="mary") == 1
    lab.desk.process_next()
    assert before - {other.key} <= standing_keys(lab)
    assert before != first
    with lab.desk.reader() as connection:
        lines = [line for line in standing_lines(connection, lab.scan().id) if not line.is_human]
        decided = {one.key: one.decision for one in standing_objects(connection, lab.scan().id) if one.decision is not None}
        assert len(reads.runs_of(connection, lab.scan().id)) == 2
    assert decided[single.key] == "single"
    assert [line.object_key for line in lines] == [other.key], "what a person called multiple is given to the separator"
    lab.desk.erase_line(uuid, lines[0].uuid, actor="mary")
    assert standing_keys(lab) == before
    lab.desk.reprocess(uuid, actor="mary")
    lab.desk.process_next()
    assert standing_keys(lab) == before, "the separator draws no line again that a person erased"
    with lab.desk.reader() as connection:
        assert len(erased_machine_lines(connection, lab.scan().id)) == 1
    lab.desk.undo(uuid, actor="mary")
    assert standing_keys(lab) != before, "the erased line of an earlier run stands again"


def processed_again(lab: ScanLab) -> set[str]:
    lab.desk.reprocess(lab.scan().uuid, actor="mary")
    lab.desk.process_next()
    return standing_keys(lab)


def parts_of_the_pair(lab: ScanLab) -> tuple[str, list[ObjectRow]]:
    """The key of a pair that a person called multiple, and what the separator made of it."""
    write_project(project_of(lab), objects=4, touching=1)
    lab.look()
    lab.desk.process_next()
    with lab.desk.reader() as connection:
        pair = max(standing_objects(connection, lab.scan().id), key=lambda one: one.measures["area"] or 0)
    lab.desk.decide(lab.scan().uuid, [pair.key], "multiple", actor="mary")
    processed_again(lab)
    with lab.desk.reader() as connection:
        return pair.key, [one for one in standing_objects(connection, lab.scan().id) if one.cut_from == pair.key]


def machine_lines(lab: ScanLab) -> list[tuple[str, str, float | None]]:
    with lab.desk.reader() as connection:
        lines = [line for line in standing_lines(connection, lab.scan().id) if not line.is_human]
    return [(line.object_key, line.made_by, line.score) for line in lines]


def lines_shown(lab: ScanLab, key: str) -> int:
    """How many lines the check page shows on an object."""
    with lab.desk.reader() as connection:
        run = check_run(connection, lab.scan().id)
        assert run is not None
        place = object_place(connection, run.id, key)
        assert place is not None
        return len(told_card(connection, run, place).lines)


def test_what_a_person_called_multiple_stays_cut_run_after_run(lab: ScanLab) -> None:
    pair, parts = parts_of_the_pair(lab)
    assert len(parts) == 2
    stands = standing_keys(lab)
    assert [processed_again(lab) for _ in range(2)] == [stands] * 2
    assert [key for key, _, _ in machine_lines(lab)] == [pair]
    lab.desk.undo(lab.scan().uuid, actor="mary")
    assert pair in processed_again(lab), "what was taken back holds no more"


def test_a_separators_cut_stays_when_a_person_went_on_from_it(lab: ScanLab) -> None:
    pair, (part, other) = parts_of_the_pair(lab)
    made = machine_lines(lab)
    middle = part.y_px + part.height_px // 2
    lab.desk.add_line(lab.scan().uuid, part.key, [(part.x_px, middle), (part.x_px + part.width_px, middle)], actor="mary")
    stands = standing_keys(lab)
    assert len(stands) == 6
    lab.desk.engine = PixelEngine(lab.home, classifier=lambda: None, separate=False, processes=1)
    assert processed_again(lab) == stands
    assert machine_lines(lab) == made, "the lines are the new run's, and still of whom they were"
    assert {lines_shown(lab, key) for key in stands if "p" in key} == {2}, "also those on a part that only the run before had"
    assert processed_again(lab) == stands
    lab.desk.undo(lab.scan().uuid, actor="mary")
    assert {part.key, other.key} <= standing_keys(lab), "they are still there to be gone back to"
    assert pair in processed_again(lab), "now nobody has worked on the parts, and nothing cuts any more"


def test_a_separators_cut_stays_when_a_person_said_what_its_parts_are(lab: ScanLab) -> None:
    pair, (part, _) = parts_of_the_pair(lab)
    lab.desk.decide(lab.scan().uuid, [part.key], "single", actor="mary")
    stands = standing_keys(lab)
    lab.desk.engine = PixelEngine(lab.home, classifier=lambda: None, separate=False, processes=1)
    assert [processed_again(lab) for _ in range(2)] == [stands] * 2
    with lab.desk.reader() as connection:
        (line,) = standing_lines(connection, lab.scan().id)
    lab.desk.erase_line(lab.scan().uuid, line.uuid, actor="mary")
    lab.desk.engine = PixelEngine(lab.home, classifier=lambda: None, processes=1)
    assert pair in processed_again(lab), "a line that was erased is not drawn again, even where a person said multiple"


def test_the_separator_is_told_the_projects_smallest_object(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    clean = np.full((400, 600), 255, np.uint8)
    for x, y in ((200, 200), (223, 200), (420, 200)):
        cv2.circle(clean, (x, y), 12, 100, cv2.FILLED)  # 450 pixels, less than the 631 that projects begin with
    write_raw(project_of(lab) / RAW, clean)
    (project_of(lab) / "Zooscan_config/process_install_both_config.txt").write_text("minsizeesd_mm= 0.1\n")
    lab.look()
    lab.desk.process_next()
    with lab.desk.reader() as connection:
        pair = max(standing_objects(connection, lab.scan().id), key=lambda one: one.width_px)
    lab.desk.decide(lab.scan().uuid, [pair.key], "multiple", actor="mary")
    assert len(processed_again(lab) - {pair.key}) == 3
    assert [key for key, _, _ in machine_lines(lab)] == [pair.key]


def test_a_name_stays_with_its_pixels_whichever_lines_were_drawn_before(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=5)
    lab.look()
    lab.desk.process_next()
    uuid = lab.scan().uuid
    with lab.desk.reader() as connection:
        whole = max(standing_objects(connection, lab.scan().id), key=lambda one: one.width_px * one.height_px)
    x, top, bottom = whole.x_px + whole.width_px // 2, whole.y_px, whole.y_px + whole.height_px - 1

    def bent(share: float) -> list[tuple[int, int]]:
        begin, end = top + round(whole.height_px * share), top + round(whole.height_px * (share + 0.1))
        return [(x, top), (x, begin), (x + 1, begin), (x + 1, end), (x, end), (x, bottom)]

    first = lab.desk.add_line(uuid, whole.key, bent(0.35), actor="mary")
    lab.desk.decide(uuid, [first.standing[0]], "multiple", actor="mary")
    assert first.line_uuid is not None
    lab.desk.erase_line(uuid, first.line_uuid, actor="mary")
    second = lab.desk.add_line(uuid, whole.key, bent(0.55), actor="mary")
    assert [key.partition("p")[0] for key in first.standing] == [key.partition("p")[0] for key in second.standing], "the boxes are the same"
    assert not set(first.standing) & set(second.standing)
    assert set(second.standing) <= processed_again(lab)
    with lab.desk.reader() as connection:
        decided = {one.key for one in standing_objects(connection, lab.scan().id) if one.decision is not None}
    assert not decided, "what was said of other pixels is not said of these"


def test_a_scan_whose_picture_is_gone_keeps_its_result_and_is_not_processed_anew(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    lab.desk.process_next()
    lab.desk.reprocess(lab.scan().uuid, actor="mary")
    (project_of(lab) / RAW).unlink()
    for text in (project_of(lab) / "Zooscan_scan" / "_raw").iterdir():
        text.unlink()
    lab.look()
    row = lab.scan()
    assert (row.state, row.original, row.objects) == ("done", "gone", 3)
    with pytest.raises(ScanRefusedError, match="its picture is gone"):
        lab.desk.reprocess(row.uuid, actor="mary")
    lab.desk.sign(row.uuid, actor="mary")


def test_a_paused_desk_begins_nothing(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.desk.may_begin = lambda: False
    lab.desk.start()
    wait_until(lambda: [row.state for row in lab.scans()] == ["queued"], "it is found")
    lab.desk.may_begin = lambda: True
    lab.desk.kick()
    wait_until(lambda: lab.scan().state == "done", "it is processed")
    assert lab.desk.failure is None


def test_a_signed_scan_is_not_processed_anew(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    lab.desk.process_next()
    lab.desk.sign(lab.scan().uuid, actor="mary")
    with pytest.raises(ScanRefusedError, match="signed by mary"):
        lab.desk.reprocess(lab.scan().uuid, actor="mary")


def test_the_metas_bytes_are_kept_whatever_they_are(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    meta = meta_text(Scanop="Hélène").encode("cp1252") + b"\x81\x00 nothing= \r\n"
    (project_of(lab) / "Zooscan_scan/_raw/st66_d1_1_meta.txt").write_bytes(meta)
    lab.look()
    with lab.desk.reader() as connection:
        assert reads.scan_texts(connection, lab.scan().id).meta == meta
