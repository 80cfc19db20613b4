"""What the documentation says of queries, exports and issues is run and compared."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import Reason
from edge.export import export
from edge.health.issue import IssueCode
from edge.store import audit
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.files import store_file
from edge.store.sqlite import Connection
from edge.values import CaptureTime
from tests.helpers.cvat_results import answer, plan
from tests.helpers.seed import add_model, add_station, done, done_again, open_database, quarantined, queued, seen_file

QUERIES = Path(__file__).resolve().parents[2] / "docs" / "guides" / "queries.md"


def example_queries(page: str) -> dict[str, str]:
    """Headings of a page, each with the SQL below it."""
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return {section.split("\n", 1)[0]: section.split("```sql\n")[1].split("```")[0] for section in sections}


@pytest.fixture(scope="module")
def cruise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which every example query has something to answer."""
    home = tmp_path_factory.mktemp("cruise")
    connection = open_database(home)
    station = add_station(connection, home / "inbox", b"tow 07")
    pack = add_model(connection)
    captured = CaptureTime(utc="2026-06-03T16:26:07.584Z", local=None, source="file_name")
    box = (10.0, 20.0, 30.0, 60.0, 0.55, 0)
    first = done(connection, station, b"one.jpg", pack, boxes=[box, (1, 2, 3, 4, 0.15, 0)], capture_time=captured)
    done(connection, station, b"zero.jpg", pack, capture_time=captured)
    done(connection, station, b"no time.jpg", pack, boxes=[box])
    done(connection, station, b"no time.jpg", pack, content=b"overwritten")
    done_again(connection, station, first.sha256, add_model(connection, version="2.0.0"), capture_time=captured)
    store_file(connection, seen_file(station, b"copy.jpg"), sha256=first.sha256, copy_path=None)
    queued(connection, station, b"queued.jpg")
    quarantined(connection, station, b"cut.jpg", reason=Reason.TRUNCATED)
    audit.append(connection, "cli", "retry", "files", {"count": 1})
    task = plan(connection, [first.image_id])
    answer(connection, task, {0: [(*box[:4], "opening")]})
    connection.close()
    return home


def test_the_page_of_queries_is_found() -> None:
    page = QUERIES.read_text("utf-8")
    assert len(example_queries(page)) == page.count("```sql") > 12


@pytest.mark.parametrize("heading", example_queries(QUERIES.read_text("utf-8")))
def test_each_example_query_answers(cruise: Path, heading: str) -> None:
    reader = open_reader(cruise / DATABASE_NAME)
    rows = reader.execute(example_queries(QUERIES.read_text("utf-8"))[heading]).fetchall()
    reader.close()
    assert rows, "an example that answers nothing explains nothing"


def ask(reader: Connection, heading: str) -> list[dict[str, object]]:
    return [dict(row) for row in reader.execute(example_queries(QUERIES.read_text("utf-8"))[heading])]


def test_the_answers_are_right(cruise: Path) -> None:
    reader = open_reader(cruise / DATABASE_NAME)
    assert ask(reader, "How far is each folder?") == [{"folder": "tow 07", "files": 7, "done": 5, "waiting": 1, "failed": 1}]
    minutes = {row["minute_utc"]: (row["stills"], row["objects"]) for row in ask(reader, "Objects per minute of a tow")}
    assert minutes == {"2026-06-03T16:26": (3, 0), "no time known": (2, 1)}
    by_threshold = {row["threshold"]: row["objects"] for row in ask(reader, "How would the count change with another threshold?")}
    assert (by_threshold[0.1], by_threshold[0.5], by_threshold[0.6]) == (1, 1, 0)
    (changed,) = ask(reader, "What did a newer model change?")
    assert (changed["version_before"], changed["objects_before"], changed["version_after"], changed["objects_after"]) == (
        "1.0.0",
        1,
        "2.0.0",
        0,
    )
    (twice,) = ask(reader, "The same bytes under several names")
    assert twice["names"] == 2
    (overwritten,) = ask(reader, "Originals that were deleted or overwritten after they were processed")
    assert (overwritten["original"], overwritten["object_count"]) == ("changed", 1)
    reader.close()


def test_sqlite_utils_asks_as_the_page_says(cruise: Path) -> None:
    tool = Path(sys.executable).with_name("sqlite-utils")
    command = [str(tool), "query", f"file:{cruise / DATABASE_NAME}?mode=ro", "SELECT recipe, name, total FROM counters"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert {"recipe": "burrows", "name": "quarantined", "total": 1} in rows


def test_each_issue_code_is_documented(checkout: Path) -> None:
    page = (checkout / "docs" / "health.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (notice|warning|error) \|", page, flags=re.MULTILINE)
    assert [code for code, _ in rows] == sorted(code.value for code in IssueCode)


def test_the_export_page_names_what_is_written(cruise: Path, checkout: Path, tmp_path: Path) -> None:
    page = (checkout / "docs" / "exports.md").read_text("utf-8")
    reader = open_reader(cruise / DATABASE_NAME)
    for form in ("csv", "coco", "yolo"):
        export(reader, format=form, out_dir=tmp_path / form)
        assert [path.name for path in (tmp_path / form).iterdir() if path.is_file() and f"`{path.name}`" not in page] == []
    reader.close()
    coco = json.loads((tmp_path / "coco" / "coco.json").read_text())
    standard = {"id", "name", "supercategory", "file_name", "width", "height", "date_captured"}
    standard |= {"image_id", "category_id", "bbox", "area", "segmentation", "iscrowd"}
    for part in ("categories", "images", "annotations"):
        assert [field for field in coco[part][0] if field not in standard and f"`{field}`" not in page] == []
