"""`zooscan login`, `push`, `pull` and `uploads` as a person calls them, with the real export, against an EcoTaxa on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.commands.common import reading
from edge.errors import Reason
from edge.store.open import open_store
from edge.store.zooscan.scans import set_failed
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.ecotaxa.login import LOGIN_NAME
from edge.zooscan.engine.engine import PixelEngine
from tests.helpers.zooscan import SCAN, SeededScan, seed_scan
from tests.simulators.ecotaxa import Server, ecotaxa
from tests.simulators.ecotaxa_world import NAME, PASSWORD, PROJECT, USER, World


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A home with a signed scan, and the server that it talks to."""

    home: Path
    scan: SeededScan
    server: Server

    @property
    def world(self) -> World:
        return self.server.world

    def call(self, *words: str, code: int = 0, typed: str = "") -> str:
        done = CliRunner().invoke(app, ["--home", str(self.home), "zooscan", *words], input=typed)
        assert done.exit_code == code, done.output
        return done.output

    def json(self, *words: str, code: int = 0, typed: str = "") -> Any:
        return json.loads(self.call(*words, "--json", code=code, typed=typed).splitlines()[-1])

    def login(self) -> None:
        assert self.json("login", "--user", USER, "--keep-password", typed=f"{PASSWORD}\n")["name"] == NAME


def make_signed(home: Path) -> SeededScan:
    """A scan with a result that somebody signed."""
    home.mkdir(parents=True)
    writer = open_store(home, on_commit=lambda: None)
    scan = writer.call(lambda connection: seed_scan(connection, home=home, objects=6, multiples=1))
    desk = ScanDesk(home, writer, partial(reading, home), PixelEngine(home, classifier=lambda: None, processes=1))
    desk.sign(scan.scan_uuid, actor="mary")
    writer.close()
    return scan


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    folder = tmp_path / "server"
    folder.mkdir()
    with ecotaxa(World(folder)) as server:
        monkeypatch.setattr("edge.zooscan.ecotaxa.link._DELAYS_S", (0.0, 0.0))
        monkeypatch.setenv("IMAGINE_EDGE_ECOTAXA_URL", server.url)
        monkeypatch.setenv("IMAGINE_EDGE_ECOTAXA_PROJECT", str(PROJECT))
        yield Lab(home=home, scan=make_signed(home), server=server)


def test_a_scan_goes_there_is_sorted_and_comes_back(lab: Lab) -> None:
    lab.login()
    pushed = lab.json("push", SCAN)
    assert pushed["state"] == "done", pushed
    objects = lab.world.projects[PROJECT].objects
    assert set(objects) == {f"{SCAN}_{key}" for key in lab.scan.keys}
    first = f"{SCAN}_{lab.scan.keys[0]}"
    for object_id, one in objects.items():
        one.status, one.category, one.category_id, one.person = "validated", "Calanus", 45074, NAME
        if object_id == first:
            one.status, one.category = "", ""
    pulled = lab.json("pull", SCAN)
    assert (pulled["state"], pulled["report"]["by_status"], pulled["report"]["new_labels"]) == ("done", {"validated": 5}, 5)
    assert pulled["report"]["unclassified"]["ids"] == [first]
    text = lab.call("pull", SCAN)
    assert "5 objects have a category (5 validated); 0 of them are new here" in text
    assert "1 have no category" in text
    listed = lab.json("uploads")
    assert [(one["kind"], one["state"]) for one in listed] == [("pull", "done"), ("pull", "done"), ("push", "done")]
    assert "6 objects are in project 42" in lab.call("uploads")
    lab.world.taxa["calanus"] = 45074
    assert lab.json("push", SCAN, "--update")["state"] == "done", "the zip now has the categories too"
    refused = lab.json("push", SCAN, code=6)
    assert refused["error"]["code"] == "import_failed"
    assert "6 of 6 objects" in refused["error"]["message"]


def test_without_a_link_it_is_queued_and_goes_later(lab: Lab) -> None:
    lab.login()
    lab.server.breaks(".", "lose_answer", times=50)
    waiting = lab.json("push", SCAN)
    assert (waiting["state"], waiting["attempts"]) == ("sending", 1)
    assert "cannot be reached" in waiting["detail"]
    lab.server.faults.clear()
    lab.call("uploads", "retry")
    assert lab.json("uploads")[0]["state"] == "done"


def test_nobody_signed_in_wrong_passwords_and_wrong_words(lab: Lab) -> None:
    waiting = lab.json("push", SCAN)
    assert waiting["state"] == "queued"
    assert "nobody has signed in" in waiting["detail"]
    assert lab.json("uploads", "cancel", str(waiting["id"]))["state"] == "cancelled"
    wrong = lab.json("login", "--user", USER, code=6, typed="wrong\n")
    assert wrong["error"]["code"] == "login_needed"
    assert not (lab.home / LOGIN_NAME).exists()
    assert "there is no scan nothing" in lab.call("push", "nothing", code=2)
    assert "two pushes" in lab.call("push", SCAN, "--add", "--update", code=2)
    assert "is no NAME=NUMBER" in lab.call("uploads", "answer", "1", "--taxon", "calanus", code=2)
    assert "name a scan" in lab.call("pull", code=2)
    assert lab.server.count("POST /login") == 1


def test_an_unsigned_scan_is_not_sent(lab: Lab) -> None:
    lab.login()
    writer = open_store(lab.home, on_commit=lambda: None)
    desk = ScanDesk(lab.home, writer, partial(reading, lab.home), PixelEngine(lab.home, classifier=lambda: None, processes=1))
    desk.withdraw(lab.scan.scan_uuid, reason="another look", actor="mary")
    writer.close()
    refused = lab.json("push", SCAN, code=6)
    assert "nobody signed the check" in refused["error"]["message"]
    assert lab.server.count("POST /user_files/$") == 0


def test_what_was_exported_by_hand_is_taken_in(lab: Lab, tmp_path: Path) -> None:
    table = tmp_path / "export.tsv"
    lines = [f"{SCAN}_{lab.scan.keys[0]}\tvalidated\tCalanus", f"{SCAN}_17\tvalidated\tCalanus", "other_x1y1w1h1\tpredicted\tdetritus"]
    heading = "object_id\tobject_annotation_status\tobject_annotation_category"
    table.write_text("\n".join([heading, *lines]) + "\n")
    report = lab.json("pull", "--from-file", str(table))
    assert (report["objects"], report["new_labels"], report["absent"]["count"]) == (1, 1, 5)
    assert report["numbered"]["ids"] == [f"{SCAN}_17"]
    assert report["foreign"]["ids"] == ["other_x1y1w1h1"]
    assert lab.json("pull", SCAN, "--from-file", str(table))["new_labels"] == 0
    table.write_text("no table\n")
    assert lab.json("pull", "--from-file", str(table), code=4)["error"]["code"] == "input_invalid"
    assert lab.server.asked == []


def test_a_login_is_forgotten(lab: Lab) -> None:
    lab.login()
    assert lab.json("login", "--forget") == {"forgotten": True}
    assert lab.json("login", "--forget") == {"forgotten": False}


def test_without_a_terminal_a_scan_is_one_line_and_nothing_is_cut(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scan = make_signed(home)
    writer = open_store(home, on_commit=lambda: None)
    detail = "the background does not fit " * 40
    writer.call(lambda connection: set_failed(connection, scan.scan_id, Reason.BACKGROUND_MISMATCH, detail.strip()))
    writer.close()
    done = CliRunner().invoke(app, ["--home", str(home), "zooscan", "list"])
    rows = [line for line in done.output.splitlines() if SCAN in line]
    assert len(rows) == 1
    assert detail.strip() in rows[0]
    assert len(done.output.strip().splitlines()) == 3, "headings, a line, the scan"
