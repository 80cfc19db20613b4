"""Which tow an image belongs to: by folder, by time, by hand; what is claimed twice belongs to none until a person decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from edge.errors import SettingsError
from edge.store import surveys
from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME, immediate, open_reader
from edge.store.files import note_capture_time
from edge.store.media import MediaImage, unattached_folders
from edge.store.readings import add_part, finish_reading
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import CameraRow
from edge.store.seal import open_seal
from edge.store.sqlite import Connection
from edge.survey.media import Line, Placer, SurveyPlan, moment_of, pattern_of
from edge.survey.media_desk import MediaDesk
from edge.survey.sheet.record import Change, record
from edge.values import CaptureTime
from tests.helpers.footage import context_of, make_part, queue_clip
from tests.helpers.seed import SEAL, Box, add_model, add_station, done, open_database
from tests.unit.test_surveys_store import RULES

T = TypeVar("T")

START = datetime(2020, 7, 16, 1, tzinfo=UTC)


def camera(pattern: str = "", *, number: int = 1, offset_s: float = 0.0, name: str = "HD") -> CameraRow:
    return CameraRow(id=number, survey_id=1, name=name, time_offset_s=offset_s, time_offset_source="", folder_pattern=pattern)


def line(station: str, tow_id: int, *, begin_min: float = 0, minutes: float | None = 10) -> Line:
    if minutes is None:
        return Line(tow_id=tow_id, station=station, start=None, end=None)
    start = START + timedelta(minutes=begin_min)
    return Line(tow_id=tow_id, station=station, start=start, end=start + timedelta(minutes=minutes))


def image(folder: str = "/data/HD/125", *, at_min: float | None = 1.0, local: str | None = None) -> MediaImage:
    utc = None if at_min is None else utc_text(START + timedelta(minutes=at_min))
    return MediaImage(
        image_id=7,
        capture_time_utc=utc,
        capture_time_local=local,
        folder_id=1,
        folder=folder,
        tow_id=None,
        camera_id=None,
        how=None,
        at_s=None,
    )


def placer(*lines: Line, cameras: tuple[CameraRow, ...] = (camera(),)) -> Placer:
    return Placer([SurveyPlan(name="CV20017", cameras=cameras, lines=lines)])


@pytest.mark.parametrize(
    ("pattern", "folder", "station", "matches"),
    [
        ("*/{station}/*", "/data/HD/125", "125", True),
        ("*/{station}/*", "/data/125/HD/a", "125", True),
        ("*/{station}/*", "/data/1250", "125", False),
        ("*/stn{station}*", "/data/stn12", "12", True),
        ("*/stn{station}*", "/data/stn125", "12", False),
        ("*/HD/*", "/data/HD", "", True),
        ("*/HD/*", "/data/HDX", "", False),
        ("/data/?{station}", "/data/s1", "1", True),
        ("*/{station}/*", "/data/a.b+c", "a.b+c", True),
        ("*\\{station}\\*", "/data/125", "125", True),
    ],
)
def test_a_pattern_reads_whole_names(pattern: str, folder: str, station: str, matches: bool) -> None:
    assert bool(pattern_of(pattern, station).fullmatch(f"{folder}/")) is matches


def test_a_folder_says_the_tow_and_the_time_where_in_it() -> None:
    made = placer(line("125", 1), line("130", 2, begin_min=60), cameras=(camera("*/{station}/*", offset_s=-30),)).place(image()).attachment
    assert made is not None
    assert (made.tow_id, made.how, made.camera_id, made.at_s) == (1, "folder", 1, 30.0)


def test_a_folder_is_enough_where_there_is_no_time() -> None:
    made = placer(line("125", 1, minutes=None), cameras=(camera("*/{station}/*"),)).place(image(at_min=None)).attachment
    assert made is not None
    assert (made.tow_id, made.at_s) == (1, None)


@pytest.mark.parametrize(("at_min", "tow_id"), [(0.0, 1), (10.0, 1), (10.1, None), (60.0, 2), (-0.1, None), (65.0, 2)])
def test_a_time_within_a_line_says_the_tow(at_min: float, tow_id: int | None) -> None:
    made = placer(line("125", 1), line("130", 2, begin_min=60)).place(image("/anything", at_min=at_min)).attachment
    assert (made and made.tow_id, made and made.how) == (tow_id, tow_id and "time")


def test_a_long_line_is_found_behind_short_ones() -> None:
    made = (
        placer(line("1", 1, minutes=100), line("2", 2, begin_min=20), line("3", 3, begin_min=40)).place(image("/x", at_min=80)).attachment
    )
    assert made is not None
    assert made.tow_id == 1


def test_the_cameras_clock_is_put_right() -> None:
    cameras = (camera(offset_s=-3600.0),)
    made = placer(line("125", 1), cameras=cameras).place(image("/x", at_min=61)).attachment
    assert made is not None
    assert made.at_s == 60.0
    for local in ("2020:07:16 02:01:00.500", "2020-07-16T02:01:00.500", "2020:07:16 04:01:00.500+02:00"):
        assert moment_of(image(at_min=None, local=local), cameras[0]) == START + timedelta(seconds=60.5)
    assert moment_of(image(at_min=None, local="0000:00:00 00:00:00"), cameras[0]) is None


def test_what_is_not_clear_is_told_and_not_guessed() -> None:
    overlap = placer(line("1", 1), line("2", 2, begin_min=5)).place(image("/x", at_min=6))
    assert (overlap.attachment, "overlap at its time" in overlap.reason) == (None, True)
    two = placer(line("1", 1), cameras=(camera(), camera(number=2, name="SD"))).place(image("/x"))
    assert (two.attachment, "HD, SD both claim it" in two.reason) == (None, True)
    timeless = placer(line("1", 1)).place(image("/x", at_min=None))
    assert (timeless.attachment, "has no time" in timeless.reason) == (None, True)
    none = placer(line("1", 1)).place(image("/x", at_min=600))
    assert (none.attachment, "no line holds its time" in none.reason) == (None, True)
    torn = placer(line("125", 1), line("130", 2, begin_min=60), cameras=(camera("*/{station}/*"),)).place(image(at_min=61))
    assert (torn.attachment, "its folder says station 125, its time station 130" in torn.reason) == (None, True)
    both = placer(line("HD", 1), line("125", 2, begin_min=60), cameras=(camera("*/{station}/*"),)).place(image())
    assert (both.attachment, "names the stations HD, 125" in both.reason) == (None, True)
    tows = placer(line("125", 1), line("125", 2, begin_min=60), cameras=(camera("*/{station}/*"),))
    assert "has 2 tows" in tows.place(image(at_min=None)).reason
    second = tows.place(image(at_min=61)).attachment
    assert second is not None
    assert second.tow_id == 2


def test_a_patterned_camera_goes_before_one_without() -> None:
    cameras = (camera("*/SD/*", number=2, name="SD", offset_s=60), camera())
    made = placer(line("125", 1), cameras=cameras).place(image("/data/SD")).attachment
    assert made is not None
    assert (made.camera_id, made.at_s) == (2, 120.0)
    other = placer(line("125", 1), cameras=cameras).place(image("/data/other")).attachment
    assert other is not None
    assert other.camera_id == 1


class Ship:
    """A database, its media desk, a survey with the stations 125 and 130, and files in the folders 125 and loose."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.db = open_database(home)
        self.survey_id = surveys.add_survey(self.db, "CV20017", actor="mary", year=2020)
        self.tows = {
            name: reads.tows(self.db, surveys.add_station(self.db, self.survey_id, name, actor="mary"))[0].id for name in ("125", "130")
        }
        self.pack = add_model(self.db)
        self.folders = {name: add_station(self.db, home / "inbox", name.encode()) for name in ("125", "loose")}
        self.desk = self.new_desk()
        self.count = 0

    def new_desk(self) -> MediaDesk:
        return MediaDesk(self, self.reader, open_seal(self.home))

    def call(self, work: Callable[[Connection], T], *, quiet: bool = False) -> T:
        with immediate(self.db):
            return work(self.db)

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        connection = open_reader(self.home / DATABASE_NAME)
        yield connection
        connection.close()

    def add(self, folder: str, at_min: float | None, *, boxes: int = 1) -> int:
        self.count += 1
        when = None if at_min is None else CaptureTime(utc=utc_text(START + timedelta(minutes=at_min)), local=None, source="file_name")
        box: list[Box] = [(1.0, 1.0, 9.0, 9.0, 0.9, 0)] * boxes
        return done(self.db, self.folders[folder], f"{self.count}.jpg".encode(), self.pack, capture_time=when, boxes=box).image_id

    def add_clip(self, begin_min: float, minutes: float) -> int:
        """A clip that has been read, with the time of its container."""
        self.count += 1
        job = queue_clip(self.db, self.folders["loose"], f"{self.count}.mp4".encode())
        when = CaptureTime(utc=utc_text(START + timedelta(minutes=begin_min)), local=None, source="container")
        part = make_part(0, b"frames", to_s=minutes * 60)
        part = replace(part, facts=replace(part.facts, duration_s=minutes * 60))
        with immediate(self.db):
            context = context_of(job, self.pack.model_id)
            add_part(self.db, SEAL, context, part)
            note_capture_time(self.db, job.image_id, when)
            finish_reading(self.db, context, parts=1, faults=[])
        return job.image_id

    def say(self, station: str, **fields: str) -> None:
        changes = [Change(field=name, value=value) for name, value in fields.items()]
        with immediate(self.db):
            record(self.db, self.tows[station], changes, source="page", actor="mary")

    def give_times(self, station: str, hour: int) -> None:
        self.say(station, start_date="2020-07-16", start_time=f"{hour:02d}:00", end_date="2020-07-16", end_time=f"{hour:02d}:10")

    def add_camera(self, name: str = "HD", pattern: str = "", offset_s: float = 0.0) -> int:
        return self.desk.set_camera(self.survey_id, name, time_offset_s=offset_s, source="GPS photo", folder_pattern=pattern, actor="mary")

    def of(self, station: str) -> list[tuple[int, str, float | None]]:
        return [(one.image_id, one.how, one.at_s) for one in reads.tow_images(self.db, self.tows[station])]


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    ship = Ship(tmp_path)
    yield ship
    ship.db.close()


def test_files_are_attached_whatever_comes_first(ship: Ship) -> None:
    early = ship.add("loose", 1)
    assert ship.desk.step() == 0
    ship.give_times("125", 1)
    assert ship.desk.step() == 0
    ship.add_camera()
    assert ship.desk.step() == 1
    late = ship.add("loose", 2)
    assert ship.desk.step() == 1
    assert ship.of("125") == [(early, "time", 60.0), (late, "time", 120.0)]
    assert ship.desk.step() == 0
    assert ship.new_desk().step() == 0


def test_a_time_that_is_known_only_when_the_file_is_read_attaches_it_then(ship: Ship) -> None:
    ship.give_times("125", 1)
    ship.add_camera()
    late = ship.add("loose", None)
    assert ship.desk.step() == 0, "nothing says when it was taken"
    when = utc_text(START + timedelta(minutes=3))
    with immediate(ship.db):
        ship.db.execute("UPDATE images SET capture_time_utc = ?, capture_time_source = 'exif' WHERE id = ?", (when, late))
    assert ship.new_desk().step() == 1
    assert ship.of("125") == [(late, "time", 180.0)]
    assert ship.new_desk().step() == 0


@pytest.mark.parametrize(
    ("begin_min", "minutes", "at_s"),
    [(-2.0, 30.0, -120.0), (1.0, 3.0, 60.0), (9.0, 20.0, 540.0), (-5.0, 4.0, None), (11.0, 5.0, None)],
)
def test_a_clip_belongs_to_the_line_that_it_ran_in(ship: Ship, begin_min: float, minutes: float, at_s: float | None) -> None:
    ship.give_times("125", 1)
    ship.add_camera()
    clip = ship.add_clip(begin_min, minutes)
    assert ship.desk.step() == (0 if at_s is None else 1)
    assert ship.of("125") == ([] if at_s is None else [(clip, "time", at_s)])


def test_a_clip_that_ran_through_two_lines_waits_for_a_person(ship: Ship) -> None:
    ship.give_times("125", 1)
    ship.give_times("130", 2)
    ship.add_camera()
    ship.add_clip(5.0, 60.0)
    assert ship.desk.step() == 0
    assert ship.of("125") == ship.of("130") == []


def test_a_line_that_comes_later_finds_the_clip_that_began_before_it(ship: Ship) -> None:
    ship.add_camera()
    clip = ship.add_clip(-2.0, 30.0)
    assert ship.desk.step() == 0
    ship.give_times("125", 1)
    assert ship.desk.step() == 1
    assert ship.of("125") == [(clip, "time", -120.0)]


def test_a_changed_time_moves_files_and_lets_go_of_others(ship: Ship) -> None:
    ship.add_camera()
    ship.give_times("125", 1)
    image_id = ship.add("loose", 5)
    ship.desk.step()
    ship.say("125", start_time="01:04")
    assert ship.desk.step() == 1
    assert ship.of("125") == [(image_id, "time", 60.0)]
    ship.say("125", start_time="01:06")
    assert ship.desk.step() == 1
    assert ship.of("125") == []
    ship.give_times("130", 1)
    ship.desk.step()
    assert ship.of("130") == [(image_id, "time", 300.0)]


def test_a_line_that_moves_away_leaves_its_files_to_the_other(ship: Ship) -> None:
    ship.add_camera()
    ship.give_times("125", 1)
    ship.give_times("130", 1)
    image_id = ship.add("loose", 5)
    ship.desk.step()
    assert (ship.of("125"), ship.of("130")) == ([], [])
    ship.give_times("130", 4)
    ship.desk.step()
    assert ship.of("125") == [(image_id, "time", 300.0)]


def test_a_changed_offset_moves_all_files_of_the_survey(ship: Ship) -> None:
    ship.add_camera()
    ship.give_times("125", 1)
    ship.give_times("130", 2)
    image_id = ship.add("loose", 5)
    ship.desk.step()
    ship.add_camera(offset_s=3600.0)
    ship.new_desk().step()
    assert (ship.of("125"), ship.of("130")) == ([], [(image_id, "time", 300.0)])


def test_a_folder_pattern_attaches_files_without_time_also_to_stations_that_come_later(ship: Ship) -> None:
    ship.add_camera(pattern="*/{station}/*")
    image_id = ship.add("125", None)
    ship.folders["131"] = add_station(ship.db, ship.home / "inbox", b"131")
    other = ship.add("131", None)
    ship.desk.step()
    assert ship.of("125") == [(image_id, "folder", None)]
    ship.tows["131"] = reads.tows(ship.db, surveys.add_station(ship.db, ship.survey_id, "131", actor="mary"))[0].id
    ship.desk.step()
    assert ship.of("131") == [(other, "folder", None)]


def test_what_a_person_attached_stays_and_follows_the_lines_start(ship: Ship) -> None:
    ship.add_camera()
    ship.give_times("125", 1)
    ship.give_times("130", 3)
    image_id = ship.add("loose", 5)
    ship.desk.step()
    (file_id,) = [row[0] for row in ship.db.execute("SELECT id FROM sightings WHERE image_id = ?", (image_id,))]
    assert ship.desk.attach_files(ship.tows["130"], [file_id], "mary") == 1
    assert (ship.of("125"), ship.of("130")) == ([], [(image_id, "hand", -6900.0)])
    ship.say("130", start_time="03:01")
    ship.desk.step()
    assert ship.of("130") == [(image_id, "hand", -6960.0)]


def test_a_folder_of_files_without_a_tow_is_listed_and_attached_by_hand(ship: Ship) -> None:
    ship.add("loose", None)
    ship.add("loose", None)
    (folder,), following = unattached_folders(ship.db, before_id=None, limit=50)
    assert (folder.images, folder.unattached, following) == (2, 2, None)
    assert ship.desk.attach_folder(ship.tows["125"], folder.folder_id, "mary") == 2
    assert unattached_folders(ship.db, before_id=None, limit=50) == ((), None)
    with pytest.raises(SettingsError, match="without a tow"):
        ship.desk.attach_folder(ship.tows["125"], folder.folder_id, "mary")
    with pytest.raises(SettingsError, match="no tow 99"):
        ship.desk.attach_files(99, [1], "mary")


def test_a_folder_named_for_a_station_is_the_stations(ship: Ship) -> None:
    ship.desk.take_folder_for(str(ship.home / "inbox" / "loose"), ship.tows["125"])
    image_id = ship.add("loose", 3)
    ship.desk.step()
    assert ship.of("125") == [(image_id, "station", None)]
    ship.give_times("125", 1)
    ship.new_desk().step()
    assert ship.of("125") == [(image_id, "station", 180.0)]


def test_what_a_model_found_is_sealed_when_its_image_is_attached_to_a_blind_tow(ship: Ship) -> None:
    ship.add_camera()
    ship.give_times("125", 1)
    ship.give_times("130", 2)
    image_id = ship.add("loose", 5, boxes=3)
    surveys.add_protocol(ship.db, ship.survey_id, RULES, reason="manual", actor="mary")
    assert ship.db.execute("SELECT count(*) FROM objects").fetchone()[0] == 3
    ship.desk.step()
    assert ship.db.execute("SELECT count(*) FROM objects").fetchone()[0] == 0
    assert ship.db.execute("SELECT object_count FROM runs").fetchone()[0] is None
    (file_id,) = [row[0] for row in ship.db.execute("SELECT id FROM sightings WHERE image_id = ?", (image_id,))]
    ship.desk.attach_files(ship.tows["130"], [file_id], "mary")
    assert ship.db.execute("SELECT tow_id FROM sealed_runs").fetchone()[0] == ship.tows["130"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": " "}, "needs a name"),
        ({"source": ""}, "no source"),
        ({"time_offset_s": float("nan")}, "cannot be"),
        ({"folder_pattern": "*/*"}, "says nothing"),
        ({"folder_pattern": "{station}{station}"}, "says nothing"),
        ({"survey_id": 9}, "no survey 9"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(ship: Ship, fields: dict[str, object], why: str) -> None:
    known: dict[str, object] = {"survey_id": 1, "name": "HD", "time_offset_s": 1.0, "source": "GPS", "folder_pattern": "", "actor": "mary"}
    known |= fields
    survey_id, name = known.pop("survey_id"), known.pop("name")
    with pytest.raises(SettingsError, match=why):
        ship.desk.set_camera(survey_id, name, **known)  # type: ignore[arg-type]
