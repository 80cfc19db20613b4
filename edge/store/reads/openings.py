"""What models saw on the stills of a station. Sealed results have no figure, so what is blind adds up to None."""

from __future__ import annotations

import os
from typing import NamedTuple

from edge.store.sqlite import Connection


class OpeningsRow(NamedTuple):
    """Objects counted over stills. `openings` is None where no still has a result, or one of them is sealed."""

    stills: int
    with_result: int
    openings: int | None


_SUM = (
    "SELECT count(*), count(r.id), CASE WHEN count(r.id) = count(r.object_count) AND count(r.id) > 0 THEN sum(r.object_count) END "
    "FROM {stills} AS i LEFT JOIN runs AS r ON r.image_id = i.image_id AND r.is_current = 1 AND r.recipe = 'burrows'"
)


def of_tow(connection: Connection, tow_id: int) -> OpeningsRow:
    """The stills attached to a tow."""
    query = _SUM.format(stills="(SELECT image_id FROM tow_images WHERE tow_id = ? AND image_id NOT IN (SELECT image_id FROM clips))")
    return OpeningsRow._make(connection.execute(query, (tow_id,)).fetchone())


def of_folder_named(connection: Connection, name: str) -> OpeningsRow:
    """The stills in watched folders of that name which are attached to no tow: what a draft has before anybody attached anything."""
    stills = (
        "(SELECT DISTINCT s.image_id FROM sightings AS s JOIN folders AS f ON f.id = s.folder_id JOIN roots AS d ON d.id = f.root_id "
        "WHERE s.image_id IS NOT NULL AND s.original <> 'changed' "
        "AND s.image_id NOT IN (SELECT image_id FROM tow_images UNION SELECT image_id FROM clips) "
        "AND substr(rtrim(:slash || d.path || :slash || f.relative_path, :slash), -length(:slash || :name)) = :slash || :name)"
    )
    row = connection.execute(_SUM.format(stills=stills), {"name": name, "slash": os.sep}).fetchone()
    return OpeningsRow._make(row)
