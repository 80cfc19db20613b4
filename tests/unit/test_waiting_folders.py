"""Folders whose files belong to no survey: declared by an administrator, opened some at a time, taken back."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.store.analyses import NewAnalysis, record_analysis
from edge.store.connection import immediate
from edge.store.facts import get_fact, put_fact
from edge.store.seal import Seal
from edge.store.sealed_runs import holds_blind_files, open_images
from edge.store.sqlite import Connection
from edge.store.waiting import TO_OPEN, free_folder, freed_folders, images_to_open, is_opening, note_opened
from tests.helpers import seed
from tests.helpers.counted import make_blind_survey
from tests.helpers.waiting import Loose, drop, tow_of
from tests.helpers.watching import wait_until
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def loose(tmp_path: Path) -> Iterator[Loose]:
    appliance = SimulatedAppliance(tmp_path / "home")
    yield drop(make_blind_survey(appliance))
    appliance.close()


def open_folder(loose: Loose, folder_id: int) -> int:
    """Free it, and open what is sealed there."""
    loose.blind.appliance.waiting.free(folder_id, "a test of the tank", "anna")
    return loose.blind.appliance.waiting.resume()


def test_a_folder_of_no_survey_shows_what_is_and_what_comes(loose: Loose) -> None:
    blind, desk, folder_id = loose.blind, loose.blind.appliance.waiting, loose.folder.folder_id
    elsewhere = drop(blind, b"another")
    desk.free(folder_id, "a test of the tank", "anna")
    assert (loose.seen(), is_opening(blind.appliance.writer)) == (0, True)
    assert images_to_open(blind.appliance.writer) == list(loose.image_ids), "not what waits elsewhere"
    assert desk.resume() == 2
    assert (loose.seen(), elsewhere.seen()) == (4, 0)
    (declared,) = freed_folders(blind.appliance.writer)
    assert (declared.folder_id, declared.reason, declared.declared_by) == (folder_id, "a test of the tank", "anna")
    later = drop(blind, b"unknown/deeper", files=3)
    assert later.seen() == 6, "what is below it is freed too"
    desk.take_back(folder_id, "it was the wrong one", "anna")
    assert freed_folders(blind.appliance.writer) == ()
    assert drop(blind, b"unknown/after").seen() == 0
    assert loose.seen() == 4, "what was shown stays so"
    actions = [row[0] for row in blind.appliance.writer.execute("SELECT action FROM audit WHERE action LIKE 'folder_%'")]
    assert actions == ["folder_of_no_survey", "folder_of_survey_again"]


def test_what_footage_of_a_freed_folder_came_to_is_shown_too(loose: Loose) -> None:
    """A draft of no survey, counted by the model alone."""
    db, seal = loose.blind.appliance.writer, loose.blind.appliance.seal
    draft = tow_of(loose.blind, "tank", survey="NEXT", rules=False)
    loose.attach(draft)
    assert holds_blind_files(db, draft)
    made = NewAnalysis(made_from="{}", made_from_sha256="0" * 64, model_id=None, tracker="test", state="done", systems=12.5)
    with immediate(db):
        record_analysis(db, seal, draft, made, is_sealed=holds_blind_files(db, draft))
    assert db.execute("SELECT systems FROM tow_analyses").fetchone()[0] is None
    open_folder(loose, loose.folder.folder_id)
    assert db.execute("SELECT systems FROM tow_analyses").fetchone()[0] == 12.5


def test_a_sibling_with_the_same_beginning_is_not_freed(loose: Loose) -> None:
    sibling = drop(loose.blind, b"unknown-2")
    open_folder(loose, loose.folder.folder_id)
    assert (loose.seen(), sibling.seen()) == (4, 0)


def test_files_of_a_station_that_is_counted_stay_sealed_in_a_freed_folder(loose: Loose) -> None:
    loose.attach(loose.blind.tow_id)
    assert open_folder(loose, loose.folder.folder_id) == 0
    assert loose.seen() == 0


def test_a_second_copy_in_a_freed_folder_opens_nothing(loose: Loose) -> None:
    db = loose.blind.appliance.writer
    with immediate(db):
        freed = seed.add_station(db, loose.blind.appliance.home / "tank", b"tank", make=True)
        for number in range(2):
            seed.queued(db, freed, b"%d.jpg" % number, loose.folder.path_bytes + b"/%d.jpg" % number)
    assert open_folder(loose, freed.folder_id) == 0
    assert loose.seen() == 0


def test_a_folder_is_freed_with_a_reason_and_only_if_it_is_there(loose: Loose) -> None:
    desk = loose.blind.appliance.waiting
    with pytest.raises(SettingsError, match="needs a reason"):
        desk.free(loose.folder.folder_id, " ", "anna")
    with pytest.raises(SettingsError, match="no folder"):
        desk.free(9999, "a test", "anna")
    with pytest.raises(SettingsError, match="may belong to a survey already"):
        desk.take_back(loose.folder.folder_id, "a test", "anna")


def test_opening_goes_on_after_it_was_interrupted(loose: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, db = loose.blind.appliance.waiting, loose.blind.appliance.writer
    monkeypatch.setattr("edge.survey.waiting_desk.open_images", _dies)
    desk.free(loose.folder.folder_id, "a test of the tank", "anna")
    with pytest.raises(KeyboardInterrupt):
        desk.resume()
    assert loose.seen() == 0
    monkeypatch.undo()
    assert get_fact(db, TO_OPEN) is not None
    assert desk.resume() == 2
    assert get_fact(db, TO_OPEN) is None
    assert (desk.resume(), loose.seen()) == (0, 4)


def _dies(*_: object) -> int:
    raise KeyboardInterrupt


def test_what_is_asked_for_meanwhile_is_not_forgotten(loose: Loose) -> None:
    db = loose.blind.appliance.writer
    with immediate(db):
        put_fact(db, TO_OPEN, "later")
        note_opened(db, "earlier")
    assert get_fact(db, TO_OPEN) == "later"


def test_whoever_frees_a_folder_is_answered_before_it_is_open_and_the_end_waits_for_the_batch(
    loose: Loose, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, db, begun, go_on = loose.blind.appliance.waiting, loose.blind.appliance.writer, threading.Event(), threading.Event()

    def opens_when_told(connection: Connection, seal: Seal, image_ids: Sequence[int]) -> int:
        begun.set()
        assert go_on.wait(60)
        return open_images(connection, seal, image_ids)

    monkeypatch.setattr("edge.survey.waiting_desk.open_images", opens_when_told)
    desk.start()
    desk.free(loose.folder.folder_id, "a test of the tank", "anna")
    assert begun.wait(60)
    ending = threading.Thread(target=desk.stop)
    ending.start()
    assert ending.is_alive(), "it waits for the batch in hand"
    go_on.set()
    ending.join(60)
    assert not ending.is_alive()
    assert loose.seen() == 4
    desk.resume()
    assert not is_opening(db)


def test_what_was_asked_for_is_told_apart_within_a_millisecond(loose: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    db = loose.blind.appliance.writer
    monkeypatch.setattr("edge.store.waiting.utc_now", lambda: "2026-06-03T16:26:07.584Z")
    asked = []
    for _ in range(2):
        with immediate(db):
            free_folder(db, loose.folder.folder_id, "a test", actor="anna")
        asked.append(get_fact(db, TO_OPEN))
    assert asked[0] != asked[1]


def test_a_full_disk_puts_it_off(loose: Loose, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, failed = loose.blind.appliance.waiting, threading.Event()

    def fails_once(connection: Connection, seal: Seal, image_ids: Sequence[int]) -> int:
        if not failed.is_set():
            failed.set()
            raise OSError(28, "No space left on device")
        return open_images(connection, seal, image_ids)

    monkeypatch.setattr("edge.survey.waiting_desk.open_images", fails_once)
    monkeypatch.setattr("edge.survey.waiting_desk.AGAIN_S", 0.01)
    desk.start()
    desk.free(loose.folder.folder_id, "a test of the tank", "anna")
    wait_until(lambda: not is_opening(loose.db))
    desk.stop()
    assert (failed.is_set(), loose.seen()) == (True, 4)
