"""What the health page says of the models for CVAT."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from annotator_bridge.facade.record import RECORD_NAME, Recorder, read_record
from edge.health.checks import bridge
from edge.health.context import HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import IssueCode, Severity
from tests.helpers.seed import open_database

MIB = 1024 * 1024


@pytest.fixture
def look(tmp_path: Path) -> HealthContext:
    return HealthContext(
        connection=open_database(tmp_path),
        home=tmp_path,
        now_utc=datetime.now(UTC) + timedelta(seconds=1),
        disk_level=DiskLevel.OK,
        free_bytes=5000 * MIB,
        floor_bytes=1024 * MIB,
        backup_every_h=24.0,
        machine="this machine",
    )


def record(home: Path, *, fault: str = "") -> Recorder:
    return Recorder(home, url="" if fault else "http://127.0.0.1:8070", fault=fault)


def edit(home: Path, **fields: Any) -> None:
    path = home / RECORD_NAME
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **fields}), "utf-8")


def test_nothing_is_said_where_nobody_ever_served(look: HealthContext) -> None:
    assert bridge.run_check(look) == []


def test_all_is_well_when_calls_are_answered(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.answered("openings", 31.0)
    recorder.close()
    assert bridge.run_check(look) == []
    read = read_record(tmp_path)
    assert read is not None
    assert (read.calls, read.failed, read.functions["openings"].p95_ms) == (1, 0, 31.0)


def test_a_failed_call_is_told_with_its_reason(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.failed("openings", 500, "model_failed", "the model returned a box that is not a number", caller="172.18.0.5")
    recorder.close()
    (issue,) = bridge.run_check(look)
    assert (issue.code, issue.severity) == (IssueCode.BRIDGE_CALLS_FAILED, Severity.WARNING)
    assert "openings" in issue.message
    assert "not a number" in issue.message


def test_a_call_that_failed_long_ago_is_not_told_any_more(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.failed("openings", 500, "model_failed", "it broke")
    recorder.close()
    (failure,) = json.loads((tmp_path / RECORD_NAME).read_text("utf-8"))["failures"]
    before = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    edit(tmp_path, failures=[{**failure, "at_utc": before}])
    assert bridge.run_check(look) == []


def test_a_page_that_was_closed_is_no_failure(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.failed("openings", 499, "caller_gone", "the caller went away")
    recorder.close()
    assert bridge.run_check(look) == []


def test_a_refused_caller_is_named(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.failed("", 403, "caller_refused", "192.168.7.9 is in none of the networks of cvat_allowed_from", caller="192.168.7.9")
    recorder.close()
    (issue,) = bridge.run_check(look)
    assert issue.code is IssueCode.BRIDGE_CALLERS_REFUSED
    assert "192.168.7.9" in issue.message
    assert "cvat_allowed_from" in issue.advice


def test_a_taken_port_is_told_as_long_as_the_appliance_runs(look: HealthContext, tmp_path: Path) -> None:
    record(tmp_path, fault="CVAT's models cannot be served on 127.0.0.1:8070: Address already in use").close()
    (issue,) = bridge.run_check(look)
    assert issue.code is IssueCode.BRIDGE_NOT_SERVING
    assert "8070" in issue.message
    edit(tmp_path, pid=2**22 + 5)  # more than Linux gives out: the appliance is gone
    assert bridge.run_check(look) == []


def test_a_broken_pack_is_named(look: HealthContext, tmp_path: Path) -> None:
    recorder = record(tmp_path)
    recorder.leave_out([("litter@1.0.0", "manifest.json is not valid")])
    recorder.close()
    (issue,) = bridge.run_check(look)
    assert (issue.code, issue.reference, issue.severity) == (IssueCode.BRIDGE_PACK_LEFT_OUT, "litter@1.0.0", Severity.NOTICE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "url": 3}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cvat").mkdir()
    (tmp_path / RECORD_NAME).write_text(text, "utf-8")
    assert read_record(tmp_path) is None


def test_failures_of_the_start_before_are_kept_and_counted_no_more(tmp_path: Path) -> None:
    first = record(tmp_path)
    first.failed("openings", 500, "model_failed", "it broke")
    first.close()
    second = record(tmp_path)
    second.close()
    read = read_record(tmp_path)
    assert read is not None
    assert [failure.reason for failure in read.failures] == ["it broke"]
    assert (read.failed, read.url, read.pid) == (0, "", os.getpid())


def test_only_the_last_fifty_failures_are_kept(tmp_path: Path) -> None:
    recorder = record(tmp_path)
    for number in range(60):
        recorder.failed("openings", 500, "model_failed", f"number {number}")
    recorder.close()
    read = read_record(tmp_path)
    assert read is not None
    assert [failure.reason for failure in read.failures] == [f"number {number}" for number in range(59, 9, -1)]


def test_another_process_that_serves_by_now_keeps_its_record(tmp_path: Path) -> None:
    recorder = record(tmp_path)
    edit(tmp_path, pid=os.getppid(), url="http://127.0.0.1:9999")
    recorder.close()
    read = read_record(tmp_path)
    assert read is not None
    assert read.url == "http://127.0.0.1:9999"
