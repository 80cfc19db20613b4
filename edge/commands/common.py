"""What every command shares: the home folder, answers as text or JSON, errors as exit codes.

Every command loads this module, so it imports only what each of them needs; the rest where it is used.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleDimensions
from rich.table import Table

from edge.errors import BusyError, EdgeError
from edge.store.clock import utc_text

if TYPE_CHECKING:
    from edge.service import Service
    from edge.store.sqlite import Connection

HOME_VARIABLE = "IMAGINE_EDGE_HOME"

JsonOption = Annotated[bool, typer.Option("--json", help="Answer with JSON; the last line is the result.")]

_PIPE_COLUMNS = 100_000


class _Console(Console):
    """As wide as its terminal; without one, in a pipe or a file, nothing is wrapped: a row of a table is a line."""

    @property
    def size(self) -> ConsoleDimensions:
        size = super().size
        return size if self.is_terminal else ConsoleDimensions(_PIPE_COLUMNS, size.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size


out = _Console(highlight=False, soft_wrap=True, emoji=False)  # :CD: in a fingerprint is no disc
err = _Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def default_home() -> Path:
    """`$IMAGINE_EDGE_HOME`, or `imagine-edge` in the user's home (in this folder, where the user has none)."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named)
    try:
        return Path.home() / "imagine-edge"
    except RuntimeError:  # an account without a home, such as a service's
        return Path.cwd() / "imagine-edge"


def make_table(*headings: str, numbers: Collection[str] = (), title: str | None = None) -> Table:
    """A table that fits a narrow terminal; `numbers` are the headings of columns of figures."""
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    return table


def home_of(context: typer.Context) -> Path:
    """The home folder that `--home` named."""
    home = context.find_root().obj
    assert isinstance(home, Path)
    return home


def say(text: str) -> None:
    """A line for a person."""
    out.print(text, markup=False)


def answer(value: object) -> None:
    """The result as one JSON line."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Values as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return utc_text(value)
    return value


@contextmanager
def told(*, as_json: bool) -> Iterator[None]:
    """Turn our own errors into a message, an advice and the exit code of their family."""
    try:
        yield
    except EdgeError as error:
        fail(error, as_json=as_json)


def fail(error: EdgeError, *, as_json: bool) -> NoReturn:
    """Tell an error and end with its exit code."""
    if as_json:
        answer({"error": {"code": error.code, "message": str(error), "advice": error.advice()}})
    else:
        err.print(f"Error: {error}", style="bold red", markup=False)
        err.print(error.advice(), markup=False)
    raise typer.Exit(error.exit_code)


@contextmanager
def reading(home: Path) -> Iterator[Connection]:
    """A read-only connection to the home folder's database, whether or not the service runs."""
    from edge.store.connection import DATABASE_NAME, open_reader

    connection = open_reader(home / DATABASE_NAME)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def service_of(home: Path, *, patient: bool = True, options: Mapping[str, object] | None = None) -> Iterator[Service]:
    """An open service on this home folder; nothing is watched yet."""
    from edge.logs import configure_logs
    from edge.service import Service
    from edge.settings import load_settings

    settings = load_settings(home, **(options or {}))
    home.mkdir(parents=True, exist_ok=True)
    configure_logs(home)
    service = Service(home, settings, patient=patient)
    service.open()
    try:
        yield service
    finally:
        service.close()


def or_running(error: BusyError, home: Path, method: str, path: str, body: dict[str, object]) -> Any:
    """Ask the appliance that runs on this home folder to do it; if it cannot be reached the error stands."""
    from edge.commands.running import ask

    return ask(home, method, path, body, instead_of=error)
