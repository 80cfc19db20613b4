"""Surveys, grounds, protocols, stations and tows: how they are made and changed. All of it is in the audit trail.

Functions take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from edge.errors import SettingsError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.counted_tows import check_reason
from edge.store.reads import surveys as reads
from edge.store.sealed_runs import is_shown, remember_tows
from edge.store.sqlite import Connection

SurveyKind = Literal["survey", "reference"]
MinuteRule = Literal["drop_minute", "scale"]
EdgeRule = Literal["any_opening_inside", "centre_inside", "whole_inside"]
How = Literal["folder", "time", "station", "hand"]

TOW_FIELDS = frozenset(
    {
        "line_name",
        "start_utc",
        "end_utc",
        "start_latitude_deg",
        "start_longitude_deg",
        "end_latitude_deg",
        "end_longitude_deg",
        "start_depth_m",
        "end_depth_m",
        "cable_out_m",
        "video_operator",
        "visibility",
        "speed",
        "ground_type",
        "usbl",
        "marine_litter",
        "backup",
        "comments",
        "is_valid",
        "in_analysis",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProtocol:
    """The rules of a survey, as somebody states them; nothing here has a default, for a default would be a silent rule.

    Attributes:
        line_height: part of the frame's height from its top, 0..1.
        min_mean_per_minute: at or below it there is no CCC; None: always compute.
        correction_factor: raw density is divided by it; None as long as nobody stated one with its source.
    """

    first_minute: int
    last_minute: int
    minute_rule: MinuteRule
    line_height: float
    edge_rule: EdgeRule
    counters: int
    min_mean_per_minute: float | None
    ccc_limit: float
    correction_factor: float | None
    correction_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An image and the tow it belongs to. `at_s`: seconds since the tow's start, None if unknown."""

    image_id: int
    tow_id: int
    camera_id: int | None
    how: How
    at_s: float | None


def add_survey(
    connection: Connection,
    name: str,
    *,
    actor: str,
    kind: SurveyKind = "survey",
    title: str = "",
    functional_unit: str = "",
    vessel: str = "",
    year: int | None = None,
) -> int:
    """A new survey's id.

    Raises:
        SettingsError: the name is empty or taken.
    """
    name = name.strip()
    if not name:
        raise SettingsError("a survey needs a name", advice="Give it the SurveyID of the station sheet, such as CV20017.")
    if reads.find_survey(connection, name) is not None:
        raise SettingsError(f"there is a survey {name} already", advice="Open it on the Surveys page, or give the new one another name.")
    cursor = connection.execute(
        "INSERT INTO surveys (uuid, name, kind, title, functional_unit, vessel, year, created_by, created_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (uuid7(), name, kind, title, functional_unit, vessel, year, actor, utc_now()),
    )
    detail = {"kind": kind, "title": title, "functional_unit": functional_unit, "vessel": vessel, "year": year}
    audit.append(connection, actor, "survey_add", f"survey/{name}", detail)
    return _id(cursor.lastrowid)


def add_ground(
    connection: Connection,
    survey_id: int,
    name: str,
    *,
    actor: str,
    area_km2: float | None = None,
    area_source: str = "",
    stations_planned: int | None = None,
) -> int:
    """The id of a ground of a survey, made or given these figures.

    Raises:
        SettingsError: it has no name, or an area without a source.
    """
    name = name.strip()
    if not name:
        raise SettingsError("a ground needs a name", advice="Give it the name that the station sheet uses.")
    if area_km2 is not None and not area_source.strip():
        raise SettingsError(
            f"the area of {name} has no source", advice="Say where the figure is from, such as the stock annex and its year."
        )
    connection.execute(
        "INSERT INTO grounds (survey_id, name, area_km2, area_source, stations_planned) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (survey_id, name) DO UPDATE SET area_km2 = excluded.area_km2, area_source = excluded.area_source, "
        "stations_planned = excluded.stations_planned",
        (survey_id, name, area_km2, area_source.strip(), stations_planned),
    )
    detail = {"name": name, "area_km2": area_km2, "area_source": area_source, "stations_planned": stations_planned}
    audit.append(connection, actor, "ground_set", f"survey/{survey_id}", detail)
    return find_ground(connection, survey_id, name) or 0


def find_ground(connection: Connection, survey_id: int, name: str) -> int | None:
    """The id of a ground by its name."""
    row = connection.execute("SELECT id FROM grounds WHERE survey_id = ? AND name = ?", (survey_id, name)).fetchone()
    return None if row is None else int(row[0])


def add_protocol(connection: Connection, survey_id: int, new: NewProtocol, *, reason: str, actor: str) -> int:
    """The id of a new version of a survey's rules: the first, or one that replaces the last from now on.

    What was counted under an earlier version stays counted under it, and goes into no estimate together with the new.

    Raises:
        SettingsError: the reason is empty, or a correction factor has no source.
    """
    if not reason.strip():
        raise SettingsError("a protocol needs a reason", advice="Say why these rules hold, such as the name of the working group's manual.")
    if new.correction_factor is not None and not new.correction_source.strip():
        raise SettingsError("the correction factor has no source", advice="Say which benchmark fixed it, and in which year.")
    last = reads.protocol_in_force(connection, survey_id)
    version = 1 if last is None else last.version + 1
    values = {**asdict(new), "uuid": uuid7(), "survey_id": survey_id, "version": version, "reason": reason.strip()}
    values |= {"made_by": actor, "made_utc": utc_now(), "correction_source": new.correction_source.strip()}
    names = ", ".join(values)
    cursor = connection.execute(f"INSERT INTO protocols ({names}) VALUES ({', '.join(f':{name}' for name in values)})", values)
    audit.append(connection, actor, "protocol_add", f"survey/{survey_id}", {"version": version, "reason": reason.strip(), **asdict(new)})
    return _id(cursor.lastrowid)


def lock_protocol(connection: Connection, protocol_id: int, *, actor: str) -> None:
    """From the first count on it cannot change. Locking it again changes nothing."""
    cursor = connection.execute("UPDATE protocols SET locked_utc = ? WHERE id = ? AND locked_utc IS NULL", (utc_now(), protocol_id))
    if cursor.rowcount:
        audit.append(connection, actor, "protocol_lock", f"protocol/{protocol_id}", {})


def add_station(
    connection: Connection,
    survey_id: int | None,
    name: str,
    *,
    actor: str,
    ground_id: int | None = None,
    is_draft: bool = False,
    planned_latitude_deg: float | None = None,
    planned_longitude_deg: float | None = None,
) -> int:
    """A new station's id, with its first tow. Without a survey it is a draft.

    Raises:
        SettingsError: the name is empty, or there is a station of that name in the survey.
    """
    name = name.strip()
    if not name:
        raise SettingsError("a station needs a name", advice="Give it the number of the station plan.")
    if connection.execute("SELECT 1 FROM stations WHERE survey_id IS ? AND name = ?", (survey_id, name)).fetchone():
        raise SettingsError(f"there is a station {name} already", advice="Open it from the list; a second tow is added on its page.")
    cursor = connection.execute(
        "INSERT INTO stations (uuid, survey_id, name, ground_id, is_draft, planned_latitude_deg, planned_longitude_deg, created_by, "
        "created_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            uuid7(),
            survey_id,
            name,
            ground_id,
            int(is_draft or survey_id is None),
            planned_latitude_deg,
            planned_longitude_deg,
            actor,
            utc_now(),
        ),
    )
    station_id = _id(cursor.lastrowid)
    audit.append(connection, actor, "station_add", f"station/{name}", {"survey_id": survey_id, "draft": is_draft or survey_id is None})
    add_tow(connection, station_id, actor=actor)
    return station_id


def ensure_station(connection: Connection, name: str, survey: str | None = None, *, actor: str) -> int:
    """The id of the station of that name; one that nobody knows becomes a draft: of that survey, of the only one there is, or of none.

    Raises:
        SettingsError: there is no such survey, or several surveys have a station of that name and none was named.
    """
    name = name.strip()
    row = None if survey is None else reads.find_survey(connection, survey)
    if survey is not None and row is None:
        raise SettingsError(f"there is no survey {survey}", advice=f"Make it first: imagine-edge survey create {survey}")
    found = connection.execute(
        "SELECT id, survey_id FROM stations WHERE name = ? AND (? IS NULL OR survey_id = ?)", (name, survey, row and row.id)
    ).fetchall()
    if len(found) > 1:
        with_survey = [one for one in found if one["survey_id"] is not None]
        if len(with_survey) > 1:
            raise SettingsError(f"several surveys have a station {name}", advice="Say which survey is meant.")
        found = with_survey
    if found:
        return int(found[0]["id"])
    if row is None:
        only = [one for one in reads.surveys(connection) if one.kind == "survey"]
        row = only[0] if len(only) == 1 else None
    return add_station(connection, row.id if row else None, name, actor=actor, is_draft=True)


def add_tow(connection: Connection, station_id: int, *, actor: str) -> int:
    """The id of a station's next tow."""
    row = connection.execute("SELECT coalesce(max(ordinal), 0) + 1 FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    cursor = connection.execute("INSERT INTO tows (uuid, station_id, ordinal) VALUES (?, ?, ?)", (uuid7(), station_id, row[0]))
    audit.append(connection, actor, "tow_add", f"station/{station_id}", {"ordinal": row[0]})
    return _id(cursor.lastrowid)


def set_tow_fields(connection: Connection, tow_id: int, values: Mapping[str, object], *, actor: str, reason: str = "") -> None:
    """Give columns of a tow what their entries were read as; None and "" where nothing could be read.

    Raises:
        ReasonNeededError: start or end of a line change that counts were made by, and there is no reason.
    """
    unknown = set(values) - TOW_FIELDS
    if unknown:
        raise ValueError(f"tows have no {', '.join(sorted(unknown))}")
    if not values:
        return
    row = connection.execute(f"SELECT {', '.join(values)} FROM tows WHERE id = ?", (tow_id,)).fetchone()
    changed = {name: value for name, value in values.items() if row[name] != value}
    for name in sorted({"start_utc", "end_utc"} & set(changed)):
        if row[name] is not None:  # the first time that is typed takes nothing from under a count
            check_reason(connection, [tow_id], reason, what=f"the {name.removesuffix('_utc')} of line", actor=actor)
    if changed:
        pairs = ", ".join(f"{name} = :{name}" for name in changed)
        connection.execute(f"UPDATE tows SET {pairs} WHERE id = :tow_id", {**changed, "tow_id": tow_id})
        before = {name: row[name] for name in changed}
        audit.append(connection, actor, "tow_set", f"tow/{tow_id}", {"from": before, "to": changed})


def attach_images(connection: Connection, attachments: Sequence[Attachment], *, actor: str) -> int:
    """Let images belong to tows. One that belongs to a tow by hand changes only by hand. Returns how many changed.

    One that comes to a tow whose results everybody may see is late: nothing of it is shown with that tow (`edge.store.waiting`).
    What `ingest --station` names is not, for that is said at the machine itself.
    """
    now = utc_now()
    of_tow: dict[int, list[int]] = {}
    for one in attachments:
        of_tow.setdefault(one.tow_id, []).append(one.image_id)
    for tow_id, image_ids in of_tow.items():
        remember_tows(connection, image_ids, but=tow_id)
    shown = {tow_id for tow_id in of_tow if is_shown(connection, tow_id)}
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO tow_images (image_id, tow_id, camera_id, how, at_s, is_late, attached_by, attached_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (image_id) DO UPDATE SET is_late = iif(tow_id = excluded.tow_id, is_late, excluded.is_late), "
        "tow_id = excluded.tow_id, camera_id = excluded.camera_id, how = excluded.how, "
        "at_s = excluded.at_s, attached_by = excluded.attached_by, attached_utc = excluded.attached_utc "
        "WHERE (how <> 'hand' OR excluded.how = 'hand') AND (tow_id, camera_id, how, at_s) IS NOT "
        "(excluded.tow_id, excluded.camera_id, excluded.how, excluded.at_s)",
        [
            (one.image_id, one.tow_id, one.camera_id, one.how, one.at_s, int(one.how != "station" and one.tow_id in shown), actor, now)
            for one in attachments
        ],
    )
    changed = connection.total_changes - before
    if changed:
        tows: dict[str, int] = {}
        for one in attachments:
            tows[f"{one.tow_id} by {one.how}"] = tows.get(f"{one.tow_id} by {one.how}", 0) + 1
        audit.append(connection, actor, "images_attach", "tows", {"changed": changed, "images_of_tow": tows})
    return changed


def _id(rowid: int | None) -> int:
    assert rowid is not None  # it was just inserted
    return rowid
