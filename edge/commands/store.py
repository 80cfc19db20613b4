"""`backup` and `restore`: the ring of copies of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, say, told
from edge.errors import StoreError
from edge.logs import configure_logs
from edge.store.backup import BackupKind, list_backups, make_backup
from edge.store.clock import utc_text
from edge.store.connection import DATABASE_NAME
from edge.store.lock import HomeLock
from edge.store.restore import restore as restore_backup


def backup(
    context: typer.Context,
    list_only: Annotated[bool, typer.Option("--list", help="Show the backups there are, and make none.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy the database into the ring of backups; works while the appliance runs."""
    home = home_of(context)
    with told(as_json=as_json):
        _check_home(home)
        configure_logs(home)
        made = [] if list_only else [make_backup(home, BackupKind.MANUAL)]
        shown = made or list(list_backups(home))
    rows = [{"path": item.path, "kind": item.kind, "made_utc": utc_text(item.made_utc), "size_bytes": item.size_bytes} for item in shown]
    if as_json:
        answer(rows if list_only else rows[0])
        return
    if not rows:
        say("There is no backup yet.")
        return
    table = make_table("made (UTC)", "kind", "bytes", "file", numbers=("bytes",))
    for row in rows:
        table.add_row(str(row["made_utc"]), str(row["kind"]), str(row["size_bytes"]), str(row["path"]))
    out.print(table)


def restore(
    context: typer.Context,
    source: Annotated[Path | None, typer.Argument(help="A backup file; see `imagine-edge backup --list`.")] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Take the newest backup.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back. The present database is moved aside, never deleted; stop the appliance first."""
    home = home_of(context)
    with told(as_json=as_json):
        configure_logs(home)
        chosen = source or _latest(home, wanted=latest)
        lock = HomeLock(home)
        lock.acquire()
        try:
            restored = restore_backup(home, chosen)
        finally:
            lock.release()
    if as_json:
        answer(restored)
    else:
        say(f"{chosen} is the database now. Files that came after it are found again at the next start.")


def _check_home(home: Path) -> None:
    if not (home / DATABASE_NAME).is_file():
        raise StoreError(f"there is no database at {home / DATABASE_NAME}", advice="Start the appliance once, or check --home.")


def _latest(home: Path, *, wanted: bool) -> Path:
    backups = list_backups(home)
    if not wanted or not backups:
        message = "there is no backup" if wanted else "name a backup, or say --latest"
        raise StoreError(message, advice="`imagine-edge backup --list` shows the backups there are.")
    return backups[0].path
