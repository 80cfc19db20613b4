"""Packs that are installed, proven, removed and compared in a real service, with real models in child processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import ModelError, PackInvalidError, SettingsError
from edge.pipeline.keeper import BUNDLED_PACKS, PackNeededError
from edge.recipes.choices import FilesChoice, VariantChoice
from edge.recipes.model_tasks import ModelTask
from edge.service import Service
from edge.settings import load_settings
from edge.store import packs
from edge.store.reads.comparisons import ComparedFile, ComparisonRow, compared_files, get_comparison
from models.pack import read_pack
from models.pack_zip import zip_pack
from tests.helpers.tiny_home import make_tiny_home, query, wait_until, write_picture
from tests.unit import tiny_models
from tests.unit.tiny_models import make_tiny_pack

STARTER_VERSION = read_pack(BUNDLED_PACKS / "burrow-openings-starter").manifest.version
NEWEST = FilesChoice(recipe="burrows", which="newest", limit=10)
SHARP, DULL = VariantChoice(name="tiny-burrows", version="1.0.0"), VariantChoice(name="tiny-burrows", version="2.0.0")


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """For tests that leave the packs as they are."""
    yield from make_service(tmp_path_factory.mktemp("steady"))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """For tests that change the packs."""
    yield from make_service(tmp_path)


def make_service(tmp_path: Path) -> Iterator[Service]:
    """Three pictures are processed by the tiny detector; nothing waits."""
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "sharp", ir=False)
    for number in range(3):
        write_picture(home / "inbox" / "burrows" / "station", f"still{number}.png", number)
    service = Service(home, load_settings(home))
    service.open()
    service.watch_all()
    try:
        wait_until(lambda: query(home, "SELECT count(*) FROM runs") == [(3,)], "three pictures are done")
        yield service
    finally:
        service.close()


def make_dull_pack(folder: Path) -> Path:
    """Version 2 scores a third of what version 1 does."""
    make_tiny_pack(folder, name="tiny-burrows", version="2.0.0", onnx=tiny_models.detector_onnx(factor=0.4), ir=False)
    (folder / "golden.json").write_text('{"xyxy": [[8, 16, 16, 24], [40, 24, 48, 32]], "score": [0.4, 0.4], "label_index": [0, 1]}')
    (folder / "manifest.json").unlink()
    return make_tiny_pack_again(folder)


def make_tiny_pack_again(folder: Path) -> Path:
    from models.pack import write_pack

    variants = [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]}]
    draft = {
        "name": "tiny-burrows",
        "version": "2.0.0",
        "title": "A dull one",
        "task": "detect",
        "head": "yolo_v8",
        "labels": tiny_models.LABELS,
        "input": {"width_px": 64, "height_px": 64},
        "licence": "CC0-1.0",
        "trained_on": "nothing",
        "card": "CARD.md",
        "variants": variants,
        "goldens": [{"image": "golden.png", "expected": "golden.json"}],
    }
    return write_pack(folder, draft).path


def ended(service: Service, task: ModelTask) -> ModelTask:
    def now() -> ModelTask:
        return next(one for one in service.desk.tasks() if one.task_id == task.task_id)

    wait_until(lambda: not now().is_open, "the task has ended")
    return now()


def compared(service: Service, comparison_id: int) -> tuple[ComparisonRow, tuple[ComparedFile, ...]]:
    def now() -> ComparisonRow:
        with service.reader() as connection:
            row = get_comparison(connection, comparison_id)
        assert row is not None
        return row

    wait_until(lambda: not now().is_open, "the comparison has ended")
    with service.reader() as connection:
        return now(), compared_files(connection, comparison_id, order="name")


def versions(service: Service) -> list[str]:
    with service.reader() as connection:
        return sorted(row.version for row in packs.list_packs(connection) if row.name == "tiny-burrows")


def leftovers(service: Service) -> list[str]:
    return [path.name for path in (service.home / "packs").iterdir() if path.name.startswith(".")]


def test_a_pack_is_installed_and_serves_nothing_and_what_is_needed_stays(service: Service, tmp_path: Path) -> None:
    archive = zip_pack(make_dull_pack(tmp_path / "dull"), tmp_path / "dull.zip")
    task = ended(service, service.desk.install(archive, "test", subject="dull.zip", is_upload=True))
    assert (task.state, task.model, task.version, task.detail) == ("done", "tiny-burrows", "2.0.0", "")
    assert versions(service) == ["1.0.0", "2.0.0"]
    assert not archive.exists(), "an upload goes when it was installed"
    active = query(service.home, "SELECT m.version FROM active_models AS a JOIN models AS m ON m.id = a.model_id")
    assert active == [("1.0.0",)]
    asked = [action for (action,) in query(service.home, "SELECT action FROM audit ORDER BY id DESC LIMIT 2")]
    assert asked == ["model_installed", "model_install"]

    # What is needed stays.
    with pytest.raises(PackNeededError, match="it serves burrows"):
        service.desk.remove("tiny-burrows", "1.0.0", "test")
    service.activate("tiny-burrows", "2.0.0", "burrows", "test")
    with pytest.raises(PackNeededError, match="rolled back to it"):
        service.desk.remove("tiny-burrows", "1.0.0", "test")
    service.rollback("burrows", "test")
    with pytest.raises(PackNeededError, match="came with the program"):
        service.desk.remove("burrow-openings-starter", STARTER_VERSION, "test")
    with pytest.raises(ModelError, match="no pack"):
        service.desk.remove("tiny-burrows", "9.9.9", "test")


def test_a_pack_that_does_not_work_here_is_refused_whole(steady: Service, tmp_path: Path) -> None:
    wrong = make_tiny_pack(tmp_path / "wrong", name="tiny-burrows", version="3.0.0", onnx=tiny_models.detector_onnx(factor=0.5), ir=False)
    task = ended(steady, steady.desk.install(wrong.path, "test"))
    assert (task.state, task.code) == ("failed", "model_failed")
    assert "was not found" in task.detail
    (wrong.path / "CARD.md").write_text("changed")
    task = ended(steady, steady.desk.install(wrong.path, "test"))
    assert (task.state, task.code) == ("failed", PackInvalidError.code)
    assert versions(steady) == ["1.0.0"]
    assert query(steady.home, "SELECT count(*) FROM models WHERE version = '3.0.0'") == [(0,)]
    assert leftovers(steady) == []


@pytest.mark.parametrize("path", ["relative/pack", "/nowhere/at/all"])
def test_a_path_that_names_nothing_is_refused_at_once(steady: Service, path: str) -> None:
    with pytest.raises(SettingsError):
        steady.desk.install(Path(path), "test")
    assert path not in {task.subject for task in steady.desk.tasks()}


def test_a_version_that_serves_nothing_is_removed_and_its_name_stays(service: Service, tmp_path: Path) -> None:
    ended(service, service.desk.install(make_dull_pack(tmp_path / "dull"), "test"))
    service.desk.remove("tiny-burrows", "2.0.0", "test")
    assert versions(service) == ["1.0.0"]
    assert not (service.home / "packs" / "tiny-burrows" / "2.0.0").exists()
    with pytest.raises(ModelError, match="were removed"):
        service.activate("tiny-burrows", "2.0.0", "burrows", "test")
    ended(service, service.desk.install(tmp_path / "dull", "test"))
    assert versions(service) == ["1.0.0", "2.0.0"], "it can be installed again"


def test_a_pack_is_proven_again(steady: Service) -> None:
    before = query(steady.home, "SELECT checked_utc FROM variants AS v JOIN models AS m ON m.id = v.model_id WHERE m.name = 'tiny-burrows'")
    task = ended(steady, steady.desk.prove("tiny-burrows", "1.0.0", "test"))
    assert (task.state, task.kind) == ("done", "prove")
    after = query(steady.home, "SELECT checked_utc FROM variants AS v JOIN models AS m ON m.id = v.model_id WHERE m.name = 'tiny-burrows'")
    assert after > before


def test_two_models_are_compared_and_no_result_is_touched(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended(service, service.desk.install(make_dull_pack(tmp_path / "dull"), "test"))
    gone = service.home / "inbox" / "burrows" / "station" / "still1.png"
    gone.write_bytes(gone.read_bytes()[:80])  # overwritten after it was processed
    before = query(service.home, "SELECT id, object_count, is_current FROM runs ORDER BY id")
    outbox = query(service.home, "SELECT count(*) FROM outbox")
    row, files = compared(service, service.desk.compare(SHARP, DULL, NEWEST, "test"))
    assert (row.state, row.files_done + row.files_failed) == ("done", len(files))
    states = {file.name: file.state for file in files}
    assert states["still0.png"] == states["still2.png"] == "done"
    assert states.get("still1.png", "failed") == "failed", "one that cannot be compared fails alone"
    assert all((file.b_count or 0) <= (file.a_count or 0) for file in files)
    assert any((file.only_a or 0) > 0 for file in files), "the dull one sees less"
    recorded = query(service.home, "SELECT id, object_count, is_current FROM runs WHERE id <= 3 ORDER BY id")
    assert recorded == before
    assert query(service.home, "SELECT count(*) FROM outbox") <= [(outbox[0][0] + 1,)]

    # The next one waits for the queue, and is cancelled.
    monkeypatch.setattr(service.desk._comparing, "_must_wait", lambda: True)
    comparison_id = service.desk.compare(SHARP, DULL, NEWEST, "test")
    wait_until(lambda: service.desk.yielding_comparison() == comparison_id, "it waits")
    with pytest.raises(PackNeededError, match="a comparison is running it"):
        service.desk.remove("tiny-burrows", "2.0.0", "test")
    service.desk.cancel_comparison(comparison_id, "test")
    row, files = compared(service, comparison_id)
    assert (row.state, {file.state for file in files}) == ("cancelled", {"waiting"})
    assert service.desk.yielding_comparison() is None


def test_what_cannot_be_compared_is_refused_at_once(steady: Service) -> None:
    with pytest.raises(SettingsError, match="the same"):
        steady.desk.compare(SHARP, SHARP, NEWEST, "test")
    with pytest.raises(ModelError, match="no pack"):
        steady.desk.compare(SHARP, DULL, NEWEST, "test")
    with pytest.raises(SettingsError, match="there is no recipe"):
        steady.desk.compare(SHARP, DULL, FilesChoice(recipe="nope", which="newest", limit=1), "test")
    with pytest.raises(ModelError, match="cannot run on this machine"):
        steady.desk.compare(SHARP, VariantChoice(name="tiny-burrows", version="1.0.0", variant="none"), NEWEST, "test")


def test_an_end_in_the_middle_is_made_good_at_the_next_start(service: Service, tmp_path: Path) -> None:
    ended(service, service.desk.install(make_dull_pack(tmp_path / "dull"), "test"))
    home, folder = service.home, service.home / "packs" / "tiny-burrows" / "2.0.0"
    kept = tmp_path / "kept"
    folder.rename(kept)
    service.writer.call(lambda connection: packs.remove_pack(connection, "tiny-burrows", "2.0.0"))
    kept.rename(folder)  # removed in the database, and then the power went
    service.writer.call(lambda connection: connection.execute("UPDATE models SET name = 'other' WHERE name = 'burrow-openings-starter'"))
    service.close()
    again = Service(home, load_settings(home))
    again.open()
    try:
        assert not folder.exists(), "the removal was ended"
        assert ("burrow-openings-starter", STARTER_VERSION) in again.writer.call(packs.known_versions), (
            "a whole pack that no row knew was adopted"
        )
    finally:
        again.close()
