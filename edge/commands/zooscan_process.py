"""`zooscan process` and `zooscan list`: scans processed in this home, and where each stands."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, home_of, make_table, out, reading, say, told
from edge.errors import BusyError, InputError, Reason, ScanRefusedError, SettingsError, StoreError

if TYPE_CHECKING:
    from edge.store.reads.zooscan import RunRow, ScanRow
    from edge.zooscan.desk.desk import ScanDesk

_ACTOR = "cli"
_LOOK_S = 0.1


def process_command(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="PROJECT_OR_TIFF", help="A project folder (Zooscan_...), or one raw scan.")],
    scan: Annotated[str | None, typer.Option("--scan", metavar="NAME", help="Only this scan of the project.")] = None,
    background: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--background", metavar="FIRST SECOND", help="The two pictures of the empty glass, for a raw scan without a project."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Process scans anew that have a result; both stay.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Process the scans of a project, or one raw scan: converted, cleaned, segmented, separated, measured. Nothing in it is changed.

    Scans that have a result already are passed over; those that failed are tried again. The last line of --json is that of the last scan.
    """
    home = home_of(context)
    failed = 0
    with told(as_json=as_json):
        try:
            failed = _process(home, Path(os.path.normpath(source.absolute())), scan, background, again=again, as_json=as_json)
        except BusyError as error:
            advice = f"Drop the project into {home / 'inbox' / 'zooscan'}: the appliance takes it by itself. Or stop the appliance first."
            raise BusyError(str(error), advice=advice) from error
    if failed:
        raise typer.Exit(InputError.exit_code)


def list_command(
    context: typer.Context,
    project: Annotated[str | None, typer.Option("--project", metavar="NAME", help="Only scans of this project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The scans of this home: where each stands, what it waits for or why it failed, how many objects it has."""
    from edge.store.reads.zooscan import list_scans

    with told(as_json=as_json), reading(home_of(context)) as connection:
        rows = [row for row in list_scans(connection, limit=10_000) if project in (None, row.project)]
    if as_json:
        answer({"scans": [_listed(row) for row in rows]})
        return
    table = make_table("scan", "project", "state", "objects", "multiples", "signed", "more", numbers=("objects", "multiples"))
    for row in rows:
        figures = ("" if figure is None else str(figure) for figure in (row.objects, row.multiples))
        table.add_row(row.name, row.project, row.state, *figures, row.signed_by or "", _more(row))
    out.print(table if rows else "No scan was seen yet. Drop a project folder into inbox/zooscan, or run `imagine-edge zooscan process`.")


def _process(home: Path, source: Path, scan: str | None, background: tuple[Path, Path] | None, *, again: bool, as_json: bool) -> int:
    """Returns how many of the scans failed."""
    from edge.commands.holding import held_store
    from edge.scan_work import scan_desk_alone
    from edge.settings import load_settings

    if not source.exists():
        raise InputError(Reason.VANISHED, f"{source} is not there", advice="Name a project folder, or a raw scan.")
    if background is not None and source.is_dir():
        raise SettingsError("--background is for a raw scan without a project", advice="A project has its own in Zooscan_back.")
    settings = load_settings(home)
    with held_store(home) as writer, scan_desk_alone(home, settings, writer) as desk:
        rows = _chosen(desk, source, scan, background)
        if again:
            _queue_again(desk, rows)
        failed = 0
        for number, row in enumerate(rows, start=1):
            if not as_json:
                say(f"{row.name} ({number} of {len(rows)})")
            with _progress(desk, quiet=as_json):
                done = _processed(desk, row)
            failed += not _told(desk, done, as_json=as_json)
    return failed


def _queue_again(desk: ScanDesk, rows: Sequence[ScanRow]) -> None:
    """Have scans with a result processed anew; those that may not be, such as signed ones, are passed over, which is said."""
    for row in rows:
        if row.state != "done":
            continue
        try:
            desk.reprocess(row.uuid, actor=_ACTOR)
        except ScanRefusedError as error:
            err.print(f"passed over: {error}", style="yellow", markup=False)


@contextmanager
def _progress(desk: ScanDesk, *, quiet: bool) -> Iterator[None]:
    """On a terminal, what is done with the scan at the moment."""
    if quiet or not out.is_terminal:
        yield
        return
    over = threading.Event()
    with out.status("  begins") as shown:

        def follow() -> None:
            while not over.wait(_LOOK_S):
                shown.update(f"  {desk.stage or 'begins'}")

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _chosen(desk: ScanDesk, source: Path, scan: str | None, background: tuple[Path, Path] | None) -> list[ScanRow]:
    """The scans that were asked for.

    Raises:
        InputError: there is none.
    """
    from edge.store.reads.zooscan import scans_of_folder

    if source.is_dir():
        folder, wanted = desk.take_project(source, actor=_ACTOR), scan
    else:
        pair = None if background is None else (background[0].absolute(), background[1].absolute())
        folder, wanted = desk.take_file(source, pair, actor=_ACTOR)
        if not wanted:
            raise InputError(Reason.UNKNOWN_FORMAT, f"{source.name} is no raw scan", advice="A raw scan is a TIFF of 16-bit grey.")
    with desk.reader() as connection:
        rows = [row for row in scans_of_folder(connection, folder) if wanted in (None, row.name) and (wanted or row.state != "gone")]
    if not rows:
        advice = "Scans lie in Zooscan_scan/_raw, as <sample>_<fraction>_raw_1.tif with its _log.txt and _meta.txt."
        raise InputError(Reason.VANISHED, f"{source.name} has no scan" + (f" {scan}" if scan else ""), advice=advice)
    return rows


def _processed(desk: ScanDesk, row: ScanRow) -> ScanRow:
    """Have a scan processed that is queued, as often as it is put back.

    Raises:
        StoreError: there is no room for its result.
    """
    from edge.store.reads.zooscan import scan_by_id

    while True:
        with desk.reader() as connection:
            now = scan_by_id(connection, row.id)
        if now is None or now.state != "queued":
            return now or row
        if not desk.may_begin():
            raise StoreError(
                "there is no room for the result of a scan", advice="Free space on the disk of the home folder, then run it again."
            )
        desk.process(row.id)


def _told(desk: ScanDesk, row: ScanRow, *, as_json: bool) -> bool:
    """Say what became of a scan. Returns whether it has a result."""
    from edge.store.reads.zooscan import count_cut, current_run

    with desk.reader() as connection:
        run = None if row.run_id is None else current_run(connection, row.id)
        separated = 0 if run is None else count_cut(connection, run.id)
    if row.state != "done" or run is None:
        if as_json:
            answer({"scan": row.name, "state": row.state, "reason": row.reason, "detail": row.detail, "lacks": row.lacks})
        else:
            err.print(f"  {_more(row)}", style="bold red", markup=False)
        return False
    figures = {"scan": row.name, "objects": row.objects, "multiples": row.multiples, "separated": separated}
    if as_json:
        answer({**figures, "elapsed_s": round(run.elapsed_s, 3), "peak_rss_mib": round(run.peak_rss_mib, 1)})
    else:
        _show(row, run, separated)
    return True


def _show(row: ScanRow, run: RunRow, separated: int) -> None:
    multiples = "nobody looked for multiples" if row.multiples is None else f"{row.multiples} multiples"
    say(f"  {row.objects} objects, {multiples}, {separated} separated; {run.elapsed_s:.1f} s, at most {run.peak_rss_mib:.0f} MiB")
    say("  " + ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in run.stages_s.items()))
    for concern in run.concerns:
        err.print(f"  {concern}", style="yellow", markup=False)


def _more(row: ScanRow) -> str:
    return "; ".join(filter(None, (_state_words(row), row.project_trouble and f"its folder is away: {row.project_trouble}")))


def _state_words(row: ScanRow) -> str:
    match row.state:
        case "waiting":
            return f"waits for {'; '.join(row.lacks)}"
        case "failed":
            return f"{row.reason}: {row.detail}"
        case "gone":
            return "its files were taken away"
        case _:
            return {"changed": "its picture was overwritten since", "gone": "its picture was deleted since"}.get(row.original, "")


def _listed(row: ScanRow) -> dict[str, Any]:
    wanted: Sequence[str] = ("uuid", "name", "project", "state", "lacks", "reason", "detail", "original", "scanned_local", "objects")
    return {name: getattr(row, name) for name in (*wanted, "multiples", "undecided", "validated", "signed_by", "signed_utc")}
