"""A rendered scan: what lies on the glass is what the appliance finds there, and the same seed gives the same bytes."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.zooscan.project.config import ProcessSettings, read_settings
from edge.zooscan.project.files import background_before, look_at_project, scanned_at
from edge.zooscan.project.sample import read_sample
from edge.zooscan.project.texts import read_keyed_text, read_table
from edge.zooscan.raw import open_raw
from edge.zooscan.scan import CleanScan, clean_scan
from edge.zooscan.segment import find_particles
from models.workshop.scan.drawing import DARK_ENOUGH, KINDS, draw_animal, draw_touching
from models.workshop.scan.layout import lay_out, paint
from models.workshop.scan.render import UNFINISHED, LayoutError, RenderedProject, ScanOrder, render_project, render_sheet
from models.workshop.scan.truth import TrueObject

SMALL = ScanOrder(seed=7, objects=28, width_px=2500, height_px=1500, touching=0.25)
PLAIN = read_settings(None, None)

Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderedProject:
    return render_project(tmp_path_factory.mktemp("rendered"), SMALL)


@pytest.fixture(scope="module")
def clean(rendered: RenderedProject) -> CleanScan:
    return cleaned(rendered, PLAIN)


def cleaned(rendered: RenderedProject, settings: ProcessSettings) -> CleanScan:
    first, second = rendered.backgrounds
    with open_raw(rendered.raw) as raw, open_raw(first) as one, open_raw(second) as other:
        return clean_scan(raw, (one, other), settings, threads=1)


def box_of(one: TrueObject) -> Box:
    return one.x_px, one.y_px, one.width_px, one.height_px


def shared(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def test_what_lies_on_the_glass_is_found_and_nothing_else(rendered: RenderedProject, clean: CleanScan) -> None:
    found = [(one.x_px, one.y_px, one.width_px, one.height_px) for one in find_particles(clean.image, PLAIN.segment)]
    assert len(found) == len(rendered.truth) == SMALL.objects
    best = [max(shared(box_of(true), box) for box in found) for true in rendered.truth]
    assert min(best) > 0.95  # the noise moves an edge by a pixel here and there
    assert np.median(best) == 1.0


def test_areas_are_those_of_the_truth_but_for_what_noise_does_at_the_edge(rendered: RenderedProject, clean: CleanScan) -> None:
    areas = {(one.x_px, one.y_px): int(one.filled.sum()) for one in find_particles(clean.image, PLAIN.segment)}
    pairs = [(areas[true.x_px, true.y_px], true.area_px) for true in rendered.truth if (true.x_px, true.y_px) in areas]
    assert len(pairs) > 0.8 * SMALL.objects
    assert all(abs(seen - told) < 0.05 * told for seen, told in pairs)


def test_the_clean_picture_shows_the_painted_greys(clean: CleanScan) -> None:
    painted = paint(lay_out(SMALL), 0, SMALL.width_px, SMALL.height_px)
    frame = clean.frame
    inner = np.s_[frame.top + 60 : frame.bottom - 60, frame.left + 60 : frame.right - 60]
    off = (255 - clean.image[inner].astype(int)) - painted[inner]
    dark = painted[inner] > DARK_ENOUGH
    assert abs(float(off[dark].mean())) < 1.0
    assert float(off[dark].std()) < 2.0
    assert float((clean.image[inner][painted[inner] == 0] <= PLAIN.segment.upper_grey).mean()) < 1e-4


def test_the_frame_is_seen_and_nothing_is_wrong_with_the_scan(clean: CleanScan) -> None:
    assert (clean.frame.missing, clean.concerns) == ((), ())
    assert 0.01 < clean.black_share < 0.15


def test_the_folder_is_a_project_of_the_field(rendered: RenderedProject) -> None:
    project = look_at_project(rendered.folder)
    assert (project.name, project.serial, len(project.scans), len(project.backgrounds)) == ("render", "sn033", 1, 1)
    (scan,) = project.scans
    assert (scan.name, scan.lacks, scan.raw) == (rendered.scan, (), rendered.raw)
    assert scan.log is not None
    assert scan.meta is not None
    at_local = scanned_at(read_keyed_text(scan.log.read_text(encoding="utf-8")).value("Scanning_date"))
    assert at_local is not None
    background = background_before(project, at_local)
    assert background is not None
    assert (background.first, background.second) == rendered.backgrounds
    sample = read_sample(read_keyed_text(scan.meta.read_text(encoding="utf-8")))
    assert sample.problems == ()
    assert (sample.latitude_deg, sample.longitude_deg, sample.volume_m3, sample.split) == (43.68333, 7.31667, 18.7, 8)
    config = rendered.folder / "Zooscan_config"
    texts = ((config / name).read_text(encoding="utf-8") for name in ("lut.txt", "process_install_both_config.txt"))
    assert read_settings(*texts) == PLAIN
    (row,) = read_table((rendered.folder / "Zooscan_meta" / "zooscan_scan_header_table.csv").read_text(encoding="latin-1"))
    assert (row["scanid"], row["sampleid"]) == (rendered.scan, sample.sample_id)


def test_the_raw_scan_has_the_scanners_orientation_and_says_its_resolution(rendered: RenderedProject) -> None:
    with open_raw(rendered.raw) as raw, open_raw(rendered.backgrounds[0]) as background:
        assert (raw.header.width_px, raw.header.height_px, raw.header.resolution_dpi) == (1500, 2500, 2400.0)
        assert (background.header.width_px, background.header.height_px, background.header.resolution_dpi) == (187, 312, 300.0)


def test_the_tables_tell_every_object_and_its_parts(rendered: RenderedProject) -> None:
    with (rendered.folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        objects = list(csv.DictReader(file))
    with (rendered.folder / "parts.csv").open(encoding="utf-8", newline="") as file:
        parts = list(csv.DictReader(file))
    assert [int(row["object"]) for row in objects] == list(range(1, SMALL.objects + 1))
    assert sum(int(row["animals"]) > 1 for row in objects) == round(SMALL.touching * SMALL.objects)
    assert [(row["class"], int(row["animals"])) for row in objects] == [("+".join(one.kinds), one.animals) for one in rendered.truth]
    assert len(parts) == sum(one.animals for one in rendered.truth)
    assert all(int(row["seen_px"]) > 0 for row in parts)


def digest(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(rendered: RenderedProject, tmp_path: Path) -> None:
    again = render_project(tmp_path / "again", SMALL)
    assert digest(again.folder) == digest(rendered.folder)
    other = render_project(tmp_path / "other", ScanOrder(seed=8, objects=3, width_px=1200, height_px=900))
    assert other.raw.read_bytes() != rendered.raw.read_bytes()


def test_a_project_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    order = ScanOrder(seed=1, objects=2, width_px=1200, height_px=900, specks=5)

    def stop(done: int, _of: int) -> None:
        if done > 600:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_project(tmp_path / "out", order, on_rows=stop)
    assert not (tmp_path / "out").exists()
    made = render_project(tmp_path / "out", order)
    assert made.raw.is_file()
    assert not (tmp_path / "out" / UNFINISHED).exists()
    with pytest.raises(FileExistsError):
        render_project(tmp_path / "out", order)
    assert made.raw.is_file()


@pytest.mark.parametrize(
    "order",
    [
        ScanOrder(seed=1, objects=1, width_px=700, height_px=900),
        ScanOrder(seed=1, objects=-1),
        ScanOrder(seed=-1, objects=1),
        ScanOrder(seed=1, objects=1, touching=1.5),
    ],
)
def test_what_is_no_scan_is_refused(tmp_path: Path, order: ScanOrder) -> None:
    with pytest.raises(ValueError, match="a scan has"):
        render_project(tmp_path / "out", order)
    assert not (tmp_path / "out").exists()


def test_a_glass_that_is_full_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError):
        render_project(tmp_path / "out", ScanOrder(seed=1, objects=90, width_px=800, height_px=800, touching=0.0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_one_object_in_its_box(kind: str) -> None:
    drawing = draw_animal(np.random.default_rng(3), kind, 2000.0)
    assert drawing.kinds == (kind,)
    assert_one_object(drawing.alone, drawing.filled)
    assert np.unique(drawing.owner).tolist() in ([0, 1], [1])
    assert (draw_animal(np.random.default_rng(3), kind, 2000.0).darkness == drawing.darkness).all()


@pytest.mark.parametrize("seed", range(6))
def test_touching_animals_are_one_object_and_each_is_seen(seed: int) -> None:
    drawing = draw_touching(np.random.default_rng(seed), animals=2 + seed % 2, area_px=1500.0)
    assert_one_object(drawing.alone, drawing.filled)
    assert drawing.animals == 2 + seed % 2
    assert set(np.unique(drawing.owner)) - {0} == set(range(1, drawing.animals + 1))
    assert ((drawing.owner > 0) == (drawing.darkness >= DARK_ENOUGH)).all()


def assert_one_object(alone: NDArray[np.uint8], filled: NDArray[np.bool_]) -> None:
    """It is found as one, fills its box, and its pixels with holes are those that the segmenter fills."""
    sheet = np.pad(alone, 5, constant_values=255)
    (found,) = find_particles(sheet, PLAIN.segment)
    assert (found.x_px, found.y_px, found.width_px, found.height_px) == (5, 5, alone.shape[1], alone.shape[0])
    assert (found.filled == filled).all()
    assert int(filled.sum()) > PLAIN.segment.min_area_px


def test_a_sheet_without_noise_has_exactly_its_truth() -> None:
    order = ScanOrder(seed=5, objects=6, width_px=1600, height_px=1000, noise_levels=0.0)
    sheet, truth = render_sheet(order)
    found = list(find_particles(sheet, PLAIN.segment))
    assert [(one.x_px, one.y_px, one.width_px, one.height_px, int(one.filled.sum())) for one in found] == [
        (*box_of(true), true.area_px) for true in truth
    ]
