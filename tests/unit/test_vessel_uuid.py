"""What a home is called ashore: made once, kept, and different for every home."""

from __future__ import annotations

import uuid
from pathlib import Path

from edge.store.facts import vessel_uuid
from tests.helpers import seed


def test_a_home_keeps_its_identity_and_no_two_have_one(tmp_path: Path) -> None:
    found = []
    for home in ("a", "b"):
        connection = seed.open_database(tmp_path / home)
        found.append(vessel_uuid(connection))
        assert vessel_uuid(connection) == found[-1]
        connection.close()
        connection = seed.open_database(tmp_path / home)
        assert vessel_uuid(connection) == found[-1]
        connection.close()
    assert found[0] != found[1]
    assert [str(uuid.UUID(one)) for one in found] == found
