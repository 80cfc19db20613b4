"""A home folder whose stills and scans really lie on the disk, and a push from it to a simulated CVAT.

here = PushHome(tmp_path, world, server.url)
here.station("101", {"a.jpg": [BOX], "b.jpg": []})
planned = here.plan(PushRequest(source="station", station="101"))
here.advance(planned.task_id)
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from annotator_bridge.cvat.login import Login
from annotator_bridge.cvat.plan import plan
from annotator_bridge.cvat.push import advance
from annotator_bridge.cvat.server import CvatServer
from annotator_bridge.cvat.session import open_server
from annotator_bridge.cvat.tools import PushTools
from annotator_bridge.cvat.values import Planned, Progress, PushRequest
from edge.recipes.footage_hands import footage_hands
from edge.settings import Settings
from edge.store import surveys
from edge.store.clock import utc_now, uuid7
from edge.store.connection import DATABASE_NAME, immediate, open_reader
from edge.store.reads.cvat import TaskRow, task_by_id
from edge.store.seal import open_seal
from edge.store.sealed_runs import release_tow, seal_survey
from edge.store.sqlite import Connection
from edge.store.surveys import Attachment
from tests.helpers import seed
from tests.helpers.counted import make_protocol
from tests.helpers.cvat_bench import Writes
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import PASSWORD, USER, Task, World

ACTOR = "rita 127.0.0.1"
WIDTH_PX, HEIGHT_PX = 64, 48
BOX: seed.Box = (4.0, 5.5, 20.25, 21.0, 0.91, 0)
OTHER: seed.Box = (30.0, 8.0, 41.0, 19.0, 0.5, 0)


class PushHome:
    """Rows in a real database and files beside them; a push is taken on by hand."""

    def __init__(self, folder: Path, world: World, url: str) -> None:
        self.home = folder / "home"
        self.world, self.url = world, url
        self.db: Connection = seed.open_database(self.home)
        self.seal = open_seal(self.home)
        self.pack = seed.add_model(self.db)
        self.folder = seed.add_station(self.db, folder / "inbox", b"tow", make=True)
        self.images = folder / "inbox" / "tow"
        with immediate(self.db):
            self.survey_id = surveys.add_survey(self.db, "CV26001", actor="test")
        self.told: list[Progress] = []
        self.stops = False

    # What is there ----------------------------------------------------------------------------------------------

    def still(self, name: str, boxes: Sequence[seed.Box] = (), *, folder: seed.Station | None = None) -> int:
        """A still on the disk with a result. Returns the image's id."""
        content = picture(name)
        (self.images / name).write_bytes(content)
        size = (WIDTH_PX, HEIGHT_PX)
        return seed.done(self.db, folder or self.folder, name.encode(), self.pack, boxes=boxes, content=content, size_px=size).image_id

    def station(self, name: str, stills: Mapping[str, Sequence[seed.Box]]) -> int:
        """A station with stills, one a second. Returns its tow."""
        ids = [self.still(still, boxes) for still, boxes in stills.items()]
        with immediate(self.db):
            station_id = surveys.add_station(self.db, self.survey_id, name, actor="test")
            (tow_id,) = self.db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
            attached = [Attachment(image_id=one, tow_id=tow_id, camera_id=None, how="hand", at_s=float(at)) for at, one in enumerate(ids)]
            surveys.attach_images(self.db, attached, actor="test")
        return int(tow_id)

    def blind(self) -> None:
        """The survey gets its rules: from now on its tows are counted blind."""
        with immediate(self.db):
            surveys.add_protocol(self.db, self.survey_id, make_protocol(), reason="the manual", actor="test")
            seal_survey(self.db, self.seal, self.survey_id)

    def release(self, tow_id: int) -> None:
        """What models found on a tow may be seen."""
        with immediate(self.db):
            release_tow(self.db, self.seal, tow_id, "the survey is over", actor="test")

    def scan(self, name: str, objects: Mapping[str, tuple[float | None, str | None]]) -> int:
        """A scan with vignettes of its objects: key -> score of multiple, decision. Returns its id."""
        folder = self.home / "scans" / name
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "vignettes.zip", "w") as archive:
            for place, key in enumerate(objects):
                archive.writestr(f"{key}.png", picture(key, size=(20 + place, 30), form="PNG"))
        with immediate(self.db):
            scan_id = _insert_scan(self.db, self.home, name)
            run_id = _insert_run(self.db, scan_id, folder.relative_to(self.home).as_posix(), self.pack.model_id)
            for key, (score, decision) in objects.items():
                _insert_object(self.db, scan_id, run_id, key, score, decision)
        return scan_id

    # The push ---------------------------------------------------------------------------------------------------

    @property
    def tools(self) -> PushTools:
        """What a push is given."""
        settings = Settings(cvat_url=self.url, cvat_job_frames=2)
        return PushTools(
            home=self.home,
            settings=settings,
            writer=Writes(self.db),
            reader=self.reader,
            hands=lambda: footage_hands(settings),
            wait=lambda _: self.stops,
            tell=self.told.append,
        )

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """A reader of its own."""
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def server(self) -> Iterator[CvatServer]:
        """The server as rita sees it."""
        token = self.world.login({"username": USER, "password": PASSWORD})
        with open_server(Login(server=self.url, username=USER, token=token), wait=lambda _: True) as server:
            yield server

    def plan(self, request: PushRequest) -> Planned:
        """Ask for a push."""
        return plan(self.tools, request, ACTOR)

    def advance(self, task_id: int) -> TaskRow:
        """Take it on, as far as it goes."""
        with self.server() as server:
            return advance(self.tools, server, task_id)

    def push(self, request: PushRequest) -> TaskRow:
        """Ask for a push, and take it to its end."""
        return self.advance(self.plan(request).task_id)

    def row(self, task_id: int) -> TaskRow:
        """A task as it stands."""
        row = task_by_id(self.db, task_id)
        assert row is not None
        return row

    def close(self) -> None:
        """Let the database go."""
        self.db.close()


def served(tmp_path: Path, version: str) -> Iterator[tuple[PushHome, Server]]:
    """A server of a version, and a home that pushes to it."""
    world = World(tmp_path / "server", version=version)
    with cvat(world) as server:
        here = PushHome(tmp_path, world, server.url)
        yield here, server
        here.close()


def only_task(here: PushHome) -> Task:
    """The one task of the server."""
    (task,) = here.world.tasks.values()
    return task


def stored(here: PushHome, kind: str) -> list[dict[str, Any]]:
    """What stands in its jobs."""
    return [one for job in here.world.jobs_of(only_task(here)) for one in getattr(job, kind)]


def values_of(here: PushHome, item: dict[str, Any]) -> dict[str, str]:
    """The values of an item's attributes by their names."""
    specs = {spec.id: spec.name for label in only_task(here).labels for spec in label.attributes}
    return {specs[one["spec_id"]]: one["value"] for one in item["attributes"]}


def picture(text: str, *, size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX), form: str = "JPEG") -> bytes:
    """A small picture that no other text gives."""
    colour = tuple(hash_byte(text, place) for place in range(3))
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue() + (text.encode() if form == "JPEG" else b"")


def hash_byte(text: str, place: int) -> int:
    """A number from 0 to 255."""
    return sum((place + 7) * letter for letter in text.encode()) % 256


def _insert_scan(connection: Connection, home: Path, name: str) -> int:
    folder = str(home / "Zooscan_apero_sn033")
    connection.execute(
        "INSERT INTO zooscan_projects (uuid, folder, name, seen_utc) VALUES (?, ?, 'apero', ?) ON CONFLICT DO NOTHING",
        (uuid7(), folder, utc_now()),
    )
    (project_id,) = connection.execute("SELECT id FROM zooscan_projects WHERE folder = ?", (folder,)).fetchone()
    cursor = connection.execute(
        "INSERT INTO zooscan_scans (uuid, project_id, name, state, seen_utc, changed_utc) VALUES (?, ?, ?, 'done', ?, ?)",
        (uuid7(), project_id, name, utc_now(), utc_now()),
    )
    return int(cursor.lastrowid or 0)


def _insert_run(connection: Connection, scan_id: int, folder: str, model_id: int) -> int:
    values: dict[str, Any] = {
        "uuid": uuid7(),
        "scan_id": scan_id,
        "raw_sha256": "aa",
        "background": "",
        "software_version": "0",
        "settings_json": "{}",
        "settings_sha256": "bb",
        "width_px": 100,
        "height_px": 100,
        "pixel_mm": 0.0106,
        "grey_min": 1,
        "grey_max": 2,
        "frame_json": json.dumps({}),
        "black_share": 0.1,
        "classifier_model_id": model_id,
        "multiple_threshold": 0.4,
        "elapsed_s": 1.0,
        "peak_rss_mib": 9.0,
        "folder": folder,
        "finished_utc": utc_now(),
        "is_current": 1,
    }
    places = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO zooscan_runs ({', '.join(values)}) VALUES ({places})", tuple(values.values()))
    return int(cursor.lastrowid or 0)


def _insert_object(connection: Connection, scan_id: int, run_id: int, key: str, score: float | None, decision: str | None) -> None:
    connection.execute(
        "INSERT INTO zooscan_objects (uuid, run_id, key, x_px, y_px, width_px, height_px, outline, multiple_score, vignettes) "
        "VALUES (?, ?, ?, 1, 1, 9, 9, x'', ?, ?)",
        (uuid7(), run_id, key, score, f"vignettes.zip/{key}.png"),
    )
    if decision is None:
        return
    cursor = connection.execute(
        "INSERT INTO zooscan_actions (uuid, scan_id, what, actor, done_utc) VALUES (?, ?, 'decide', 'anna', ?)",
        (uuid7(), scan_id, utc_now()),
    )
    connection.execute(
        "INSERT INTO zooscan_decisions (uuid, action_id, scan_id, object_key, decision, actor, made_utc) VALUES (?, ?, ?, ?, ?, 'anna', ?)",
        (uuid7(), cursor.lastrowid, scan_id, key, decision, utc_now()),
    )
