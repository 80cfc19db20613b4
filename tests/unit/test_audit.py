from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.store import audit
from edge.store.connection import immediate
from edge.store.reads.condition import last_actions
from tests.helpers.seed import open_database


def test_what_was_done_is_read_back(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    audit.append(connection, "web 127.0.0.1", "retry", "files", {"file_ids": [1, 2], "path": tmp_path})
    (row,) = last_actions(connection)
    assert (row.actor, row.action, row.subject) == ("web 127.0.0.1", "retry", "files")
    assert json.loads(row.detail_json) == {"file_ids": [1, 2], "path": str(tmp_path)}


def test_a_name_that_is_no_text_does_not_stop_the_trail(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    audit.append(connection, "cli", "export", "files", {"path": "\udcff\n\u202e"})
    assert json.loads(last_actions(connection)[0].detail_json) == {"path": "\udcff\n\u202e"}


def test_the_row_goes_with_the_transaction_it_tells_of(tmp_path: Path) -> None:
    connection = open_database(tmp_path)

    def retry_that_fails() -> None:
        with immediate(connection):
            audit.append(connection, "cli", "retry", "files", {})
            raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file"):
        retry_that_fails()
    assert last_actions(connection) == ()
