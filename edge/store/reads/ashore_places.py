"""What results ashore hang on: images, models, and the tows, stations and surveys that they belong to. Each goes with what needs it.

The argument of each function is a query for the numbers of the rows; its parameter ?1 is a JSON list of the outbox's subjects.
"""

from __future__ import annotations

from edge.store.reads.ashore import Queries


def models_of(ids: str) -> str:
    """Models by their number."""
    return f"""
    SELECT m.name AS model, m.version AS model_version, m.title, m.task, m.manifest_sha256,
           (SELECT json_group_array(json_object('name', l.name, 'aphia_id', l.aphia_id)) FROM
               (SELECT name, aphia_id FROM labels WHERE model_id = m.id ORDER BY label_index) AS l) AS labels_json,
           m.installed_utc, m.removed_utc
    FROM models AS m WHERE m.id IN ({ids}) ORDER BY m.id
    """


def images_of(ids: str) -> str:
    """Images by their number. Of several names of a content the first: that and its folder stand for it ashore, as in exports."""
    return f"""
    SELECT i.uuid AS image_uuid, i.sha256, i.size_bytes, i.format, i.width_px, i.height_px, i.capture_time_utc, i.capture_time_local,
           i.capture_time_source, f.relative_path AS folder, s.name
    FROM images AS i
    LEFT JOIN sightings AS s ON s.id = (SELECT min(id) FROM sightings WHERE image_id = i.id)
    LEFT JOIN folders AS f ON f.id = s.folder_id
    WHERE i.id IN ({ids}) ORDER BY i.id
    """


def places_of_images(ids: str) -> Queries:
    """Which tow images belong to, and what is above it; nothing for images of no tow."""
    tow_images = f"""
    SELECT i.uuid AS image_uuid, t.uuid AS tow_uuid, a.how, a.at_s
    FROM tow_images AS a JOIN images AS i ON i.id = a.image_id JOIN tows AS t ON t.id = a.tow_id
    WHERE a.image_id IN ({ids}) ORDER BY i.id
    """
    return {"tow_images": tow_images, **places_of_tows(f"SELECT tow_id FROM tow_images WHERE image_id IN ({ids})")}


def places_of_tows(ids: str) -> Queries:
    """Tows by their number, with their stations, surveys and grounds. Who operated the video stays aboard, as it stays out of exports."""
    stations = f"SELECT station_id FROM tows WHERE id IN ({ids})"
    surveys = f"SELECT survey_id FROM stations WHERE id IN ({stations})"
    return {
        "surveys": f"""
    SELECT uuid AS survey_uuid, name AS survey, kind, title, functional_unit, vessel AS survey_vessel, year, created_utc
    FROM surveys WHERE id IN ({surveys}) ORDER BY id
    """,
        "grounds": f"""
    SELECT v.uuid AS survey_uuid, g.name AS ground, g.area_km2, g.area_source, g.stations_planned
    FROM grounds AS g JOIN surveys AS v ON v.id = g.survey_id
    WHERE g.id IN (SELECT ground_id FROM stations WHERE id IN ({stations})) ORDER BY g.id
    """,
        "stations": f"""
    SELECT s.uuid AS station_uuid, v.uuid AS survey_uuid, s.name AS station, g.name AS ground, s.is_draft, s.planned_latitude_deg,
           s.planned_longitude_deg
    FROM stations AS s LEFT JOIN surveys AS v ON v.id = s.survey_id LEFT JOIN grounds AS g ON g.id = s.ground_id
    WHERE s.id IN ({stations}) ORDER BY s.id
    """,
        "tows": f"""
    SELECT t.uuid AS tow_uuid, s.uuid AS station_uuid, t.ordinal, t.line_name, t.start_utc, t.end_utc, t.start_latitude_deg,
           t.start_longitude_deg, t.end_latitude_deg, t.end_longitude_deg, t.start_depth_m, t.end_depth_m, t.cable_out_m, t.visibility,
           t.speed, t.ground_type, t.usbl, t.marine_litter, t.comments, t.is_valid, t.in_analysis
    FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE t.id IN ({ids}) ORDER BY t.id
    """,
    }
