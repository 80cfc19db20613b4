"""A survey whose station is counted blind: stills with results attached to its tow, rules, and a crew with PINs.

blind = make_blind_survey(appliance)
ana = blind.desk.begin(blind.tow_id, blind.person("jd"))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads.people import people
from edge.store.sealed_runs import seal_tow
from edge.store.surveys import Attachment, NewProtocol, SurveyKind
from edge.survey.counting.content import CountContent, Mark
from edge.survey.counting.desk import CountingDesk
from edge.survey.people import Person, Role
from tests.helpers import seed
from tests.helpers.people import make_people
from tests.simulators.appliance import SimulatedAppliance

PIN = "2468"
STILLS = 240
STEP_S = 0.5
UTC = "2026-11-21T12:00:00.000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSurvey:
    """What `make_blind_survey` made. `values` are the boxes and scores of the model, which nobody may see."""

    appliance: SimulatedAppliance
    survey_id: int
    station_id: int
    tow_id: int
    image_ids: tuple[int, ...]
    file_ids: tuple[int, ...]
    values: frozenset[float]

    @property
    def desk(self) -> CountingDesk:
        return self.appliance.counting

    def person(self, name: str) -> Person:
        with self.appliance.reader() as connection:
            row = next(one for one in people(connection) if one.name == name)
        return Person(id=row.person_id, name=row.name, full_name=row.full_name, role=Role(row.role), has_pin=True)

    def save(self, name: str, seconds: list[float], **changes: object) -> tuple[int, int]:
        """A saved count of that person with a click at each second, everything looked at. Returns its id and revision."""
        person = self.person(name)
        count_id = self.desk.begin(self.tow_id, person)
        revision = self.desk.own(count_id, person).content.revision
        content = make_content(seconds, revision=revision, **changes)
        return count_id, self.desk.save(count_id, person, content)

    def sign(self, name: str, seconds: list[float], **changes: object) -> int:
        count_id, revision = self.save(name, seconds, **changes)
        self.desk.sign(count_id, self.person(name), PIN, revision=revision)
        return count_id


def make_content(seconds: list[float], **changes: object) -> CountContent:
    marks = tuple(Mark(at_s=at_s, image_id=None, feature="system", x=0.5, y=0.83, marked_utc=UTC) for at_s in seconds)
    values: dict[str, object] = {"marks": marks, "seen": ((0.0, 120.0),), "position_s": 120.0, **changes}
    return CountContent(**values)  # type: ignore[arg-type]


def make_protocol(**changes: object) -> NewProtocol:
    values: dict[str, object] = {
        "first_minute": 1,
        "last_minute": 2,
        "minute_rule": "drop_minute",
        "line_height": 0.83,
        "edge_rule": "any_opening_inside",
        "counters": 2,
        "min_mean_per_minute": 0.5,
        "ccc_limit": 0.5,
        "correction_factor": None,
        "correction_source": "",
    }
    return NewProtocol(**{**values, **changes})  # type: ignore[arg-type]


def make_blind_survey(
    appliance: SimulatedAppliance, *, kind: SurveyKind = "survey", stills: int = STILLS, sealed: bool = True, **rules: object
) -> BlindSurvey:
    """Two minutes of stills at two per second, each with a result of three boxes that no other image has."""
    db, chance = appliance.writer, np.random.default_rng(7)
    folder = seed.add_station(db, appliance.home / "footage", b"tow", make=True)
    pack = seed.add_model(db, serves=None)
    values: set[float] = set()
    with immediate(db):
        for number in range(stills):
            boxes = [_box(chance) for _ in range(3)]
            values |= {value for box in boxes for value in box[:5]}
            seed.done(db, folder, b"%04d.jpg" % number, pack, boxes=boxes, size_px=(2000, 2000))
    make_people(appliance)
    with appliance.reader() as connection:
        crew = [one.person_id for one in people(connection)]
    for person_id in crew:
        appliance.people.set_pin(person_id, PIN, actor="test")
    ids = tuple(
        row["id"]
        for row in db.execute(
            "SELECT id FROM images WHERE id IN (SELECT image_id FROM sightings WHERE path LIKE ?) ORDER BY id", ("%footage%",)
        )
    )
    files = tuple(row["id"] for row in db.execute("SELECT id FROM sightings WHERE path LIKE ? ORDER BY id", ("%footage%",)))
    with immediate(db):
        survey_id = surveys.add_survey(db, "CV26001", kind=kind, actor="test")
        surveys.add_protocol(db, survey_id, make_protocol(**rules), reason="the manual", actor="test")
        station_id = surveys.add_station(db, survey_id, "101", actor="test")
        (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
        attached = [
            Attachment(image_id=image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=place * STEP_S)
            for place, image_id in enumerate(ids)
        ]
        surveys.attach_images(db, attached, actor="test")
        if sealed:
            seal_tow(db, appliance.seal, tow_id, again=True)  # as if nobody had seen what was found before there were rules
    return BlindSurvey(
        appliance=appliance,
        survey_id=survey_id,
        station_id=station_id,
        tow_id=tow_id,
        image_ids=ids,
        file_ids=files,
        values=frozenset(values),
    )


def _box(chance: np.random.Generator) -> seed.Box:
    x, y, width, height = (float(np.float32(value)) for value in chance.uniform([1, 1, 20, 20], [900, 900, 90, 90]))
    return x, y, float(np.float32(x + width)), float(np.float32(y + height)), float(np.float32(chance.uniform(0.3, 0.9))), 0
