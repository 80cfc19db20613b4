"""Failed scans and projects that cannot be read are issues, with the doctor too."""

from __future__ import annotations

from pathlib import Path

from edge.errors import Reason
from edge.health.doctor import examine
from edge.settings import load_settings
from edge.store.zooscan.scans import put_project, set_failed
from tests.helpers.seed import open_database
from tests.helpers.zooscan import seed_scan


def test_failed_scans_and_lost_projects_are_told(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    try:
        settings = load_settings(tmp_path, ballast_mb=0)
        assert not [one for one in examine(tmp_path, settings) if one.code.startswith("scan")]
        seeded = seed_scan(connection, objects=1)
        set_failed(connection, seeded.scan_id, Reason.NO_FRAME, "no frame")
        put_project(connection, "/scans/Zooscan_other_sn1", "other", "sn1", trouble="the folder is not there")
        told = {one.code: one for one in examine(tmp_path, settings) if one.code.startswith("scan")}
    finally:
        connection.close()
    assert set(told) == {"scans_failed", "scan_project_unreadable"}
    assert (told["scans_failed"].severity, told["scans_failed"].message) == ("warning", "1 scan of test became no result.")
    assert told["scan_project_unreadable"].message == "The ZooScan project /scans/Zooscan_other_sn1: the folder is not there."
