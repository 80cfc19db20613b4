"""`sync read` and `shore merge`: what bundles hold, line by line, or as one database of all ships."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.common import JsonOption, answer, err, make_table, out, say, told

if TYPE_CHECKING:
    from sync.bundle.read import ReadBundle

PathsArgument = Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="Bundles, or folders that hold some.")]


def read_command(
    paths: PathsArgument,
    table: Annotated[str | None, typer.Option(help="Only rows of this table, such as objects.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a Parquet file for each table into DIR instead, each row once (extra shore).")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="Only what each bundle is, not its rows.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the rows of bundles as lines of JSON (NDJSON), each with its table and its ship. Needs no home folder."""
    from sync.bundle.columns import BundleDamagedError
    from sync.bundle.files import find_bundles, open_bundle
    from sync.bundle.schema import TABLES

    with told(as_json=as_json):
        if table is not None and table not in TABLES:
            raise BundleDamagedError(f"bundles have no table {table}", advice=f"Use one of: {', '.join(TABLES)}.")
        if parquet is not None:
            _write_parquet(paths, parquet, table, as_json=as_json)
            return
        shown = make_table("bundle", "ship", "no.", "made (UTC)", "rows", numbers=("no.",))
        for path in [file for given in paths for file in find_bundles(given)]:
            bundle = open_bundle(path)
            if bundle.unknown:
                err.print(f"{path}: a newer program wrote {', '.join(bundle.unknown)} too; it is left out here", markup=False)
            if summary and as_json:
                answer(_about(bundle))
            elif summary:
                rows = ", ".join(f"{len(rows)} {name}" for name, rows in bundle.tables.items())
                shown.add_row(bundle.sha256[:12], bundle.vessel, str(bundle.sequence), bundle.made_utc, rows)
            else:
                _write_rows(bundle, table)
        if summary and not as_json:
            out.print(shown)


def merge_command(
    paths: PathsArgument,
    database: Annotated[Path, typer.Option("--into", help="The SQLite file; made where it is not there.")],
    as_json: JsonOption = False,
) -> None:
    """Merge bundles of any ships into one SQLite file, each row once; a damaged bundle is told and left out, the others are merged."""
    from sync.bundle.columns import BundleDamagedError
    from sync.bundle.files import find_bundles, open_bundle
    from sync.shore.merge import merge, shore_database

    done = _Done()
    with told(as_json=as_json):
        files = [file for given in paths for file in find_bundles(given)]
        with shore_database(database) as connection:
            for path in files:
                try:
                    merged = merge(connection, open_bundle(path))
                except BundleDamagedError as error:
                    done.damaged.append(str(error))
                    continue
                done.bundles += not merged.is_repeat
                done.repeats += merged.is_repeat
                done.rows += merged.rows
    if as_json:
        answer(done)
    else:
        say(f"{done.bundles} bundles merged into {database}: {done.rows} rows that are new or newer; {done.repeats} had been merged before")
        for damaged in done.damaged:
            err.print(f"left out: {damaged}", style="bold red", markup=False)
        if done.damaged:
            err.print(BundleDamagedError.default_advice, markup=False)
    if done.damaged:
        raise typer.Exit(BundleDamagedError.exit_code)


def _write_parquet(paths: list[Path], folder: Path, table: str | None, *, as_json: bool) -> None:
    from sync.bundle.files import find_bundles, open_bundle
    from sync.bundle.schema import TABLES
    from sync.shore.parquet import must_have_parquet, write_parquet

    must_have_parquet()
    bundles = (open_bundle(file) for given in paths for file in find_bundles(given))
    rows = write_parquet(bundles, folder, tables=tuple(TABLES) if table is None else (table,))
    if as_json:
        answer(rows)
    else:
        say(f"{sum(rows.values())} rows of {len(rows)} tables written into {folder}")


@dataclass(slots=True)
class _Done:
    bundles: int = 0
    repeats: int = 0
    rows: int = 0
    damaged: list[str] = field(default_factory=list)


def _about(bundle: ReadBundle) -> dict[str, object]:
    names = ("sha256", "schema", "vessel_uuid", "vessel", "software_version", "sequence", "made_utc", "unknown")
    about: dict[str, object] = {name: getattr(bundle, name) for name in names}
    return {**about, "rows": {name: len(rows) for name, rows in bundle.tables.items()}}


def _write_rows(bundle: ReadBundle, table: str | None) -> None:
    from sync.bundle.schema import TABLES

    for name, rows in bundle.tables.items():
        if table in {None, name}:
            for row in rows:
                document = {"table": name, "vessel_uuid": bundle.vessel_uuid, "vessel": bundle.vessel, "bundle_sequence": bundle.sequence}
                document.update(zip(TABLES[name].names, row, strict=True))
                sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
