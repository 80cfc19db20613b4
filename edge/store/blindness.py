"""When people count blind: conditions in SQL that every query and view shares, so that nothing tells what the seal hides."""

from __future__ import annotations

from edge.store.waiting import image_waits

# A tow is blind from the moment its images are attached until its counts are revealed, or an administrator releases what models
# found on it. It needs a protocol: without one nobody counts, and when a first protocol comes into force, what was found by then
# is sealed in that transaction. Footage of a reference set stays blind for good: the next person is measured on it too.
BLIND_TOWS = """
    SELECT t.id FROM tows AS t JOIN stations AS s ON s.id = t.station_id JOIN surveys AS v ON v.id = s.survey_id
    WHERE EXISTS (SELECT 1 FROM protocols AS p WHERE p.survey_id = s.survey_id)
      AND (v.kind = 'reference' OR NOT EXISTS (SELECT 1 FROM releases AS e WHERE e.tow_id = t.id)
           AND NOT EXISTS (SELECT 1 FROM counts AS c WHERE c.tow_id = t.id AND c.revealed_utc IS NOT NULL))
"""


def image_is_blind(image: str, besides: int = 0) -> str:
    """A condition in SQL: the image belongs to a blind tow, left one, or waits for a station. `image`: its id, as the query has it.

    `besides`: a tow that is not asked about.
    """
    return (
        f"(EXISTS (SELECT 1 FROM tow_images AS now_of WHERE now_of.image_id = {image} AND now_of.tow_id <> {besides:d} "
        f"AND now_of.tow_id IN ({BLIND_TOWS})) OR EXISTS (SELECT 1 FROM former_tows AS once_of WHERE once_of.image_id = {image} "
        f"AND once_of.tow_id <> {besides:d} AND once_of.tow_id IN ({BLIND_TOWS})) OR {image_waits(image)})"
    )


# Of several checks of a tow the newest tells: one that is older is of other footage. `edge.survey.miss_gate` asks for the footage itself.
_UNCOUNTED_TOWS = """
    SELECT c.tow_id FROM miss_checks AS c
    WHERE c.state = 'open' AND NOT EXISTS (SELECT 1 FROM miss_checks AS n WHERE n.tow_id = c.tow_id AND n.id > c.id)
"""
# Tows of which no figure may tell what a model found: counted blind, or with minutes of a review that were drawn and not counted yet.
HIDDEN_TOWS = f"{BLIND_TOWS} UNION ALL {_UNCOUNTED_TOWS}"


def image_is_hidden(image: str) -> str:
    """A condition in SQL: the image is blind, or belongs to a tow whose drawn minutes are to be counted first. `image`: its id."""
    return (
        f"({image_is_blind(image)} OR EXISTS (SELECT 1 FROM tow_images AS held_by WHERE held_by.image_id = {image} "
        f"AND held_by.tow_id IN ({_UNCOUNTED_TOWS})))"
    )
