"""The documentation says what is: every table, column, setting, command and link of it is checked against the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from edge.cli import app
from edge.settings import Settings, WatchedFolder
from edge.sink_settings import SinkSettings
from edge.store.connection import migrate, open_writer
from tools.write_docs import pages


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Columns of every table and view of a new database, but those of the migrations' own table."""
    connection = open_writer(tmp_path_factory.mktemp("schema") / "edge.db")
    migrate(connection)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")]
    columns = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names if not name.startswith("_")}
    connection.close()
    return columns


def documented_tables(text: str) -> dict[str, list[str]]:
    """Names of headings, each with the first cells of its table."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {section.split("\n", 1)[0].strip(): re.findall(r"^\| (\w+) \| (?!meaning)", section, flags=re.MULTILINE) for section in sections}


def test_schema_page_names_every_table_and_column_in_order(checkout: Path, schema: dict[str, list[str]]) -> None:
    assert len(schema) > 15, "the walk no longer finds the tables"
    assert documented_tables((checkout / "docs" / "schema.md").read_text(encoding="utf-8")) == schema


def test_a_column_missing_from_the_page_would_be_seen() -> None:
    page = "# X\n\n## roots\n\nText.\n\n| column | meaning |\n|---|---|\n| id | number |\n| path | as text |\n"
    assert documented_tables(page) == {"roots": ["id", "path"]}


@pytest.mark.parametrize("page", sorted(pages()), ids=lambda page: page.name)
def test_written_pages_are_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == pages()[page], "run `make docs`"


def test_check_of_written_pages_passes(checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "tools.write_docs", "--check"], cwd=checkout, check=True, capture_output=True)


def test_every_setting_has_its_heading_and_a_description(checkout: Path) -> None:
    headings = re.findall(r"^##+ (\w+)$", (checkout / "docs" / "settings.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings == [*Settings.model_fields, *WatchedFolder.model_fields, *SinkSettings.model_fields]
    assert [name for name, field in Settings.model_fields.items() if not field.description or not field.title] == []


def test_every_command_appears_and_has_help(checkout: Path) -> None:
    page = (checkout / "docs" / "cli.md").read_text(encoding="utf-8")
    commands = dict(_commands(typer.main.get_command(app), "imagine-edge"))
    assert len(commands) > 12, "the walk no longer finds the commands"
    assert [name for name in commands if f"## `{name}`\n" not in page] == []
    assert [name for name, text in commands.items() if not text] == []


def test_every_link_leads_somewhere(checkout: Path) -> None:
    pages_with_links = [checkout / "README.md", *(checkout / "docs").rglob("*.md")]
    links = [(page, link) for page in pages_with_links for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))]
    inside = [(page, link) for page, link in links if not link.startswith(("http://", "https://"))]
    assert len(inside) > 20, "the walk no longer finds the links"
    assert [f"{page.relative_to(checkout)} -> {link}" for page, link in inside if not (page.parent / link).exists()] == []


def test_readme_names_make_targets_that_exist(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    texts = [page.read_text(encoding="utf-8") for page in (checkout / "README.md", *(checkout / "docs").rglob("*.md"))]
    named = {target for text in texts for target in re.findall(r"(?:`| {4})make ([a-z-]+)", text)}
    assert {"run", "test"} <= named
    assert [target for target in named if f"\n{target}:" not in makefile] == []


def _commands(command: object, path: str) -> list[tuple[str, str]]:
    found = [(path, getattr(command, "help", "") or "")]
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            found += _commands(child, f"{path} {name}")
    return found
