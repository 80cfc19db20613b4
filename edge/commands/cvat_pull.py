"""`cvat pull`: what people made in CVAT comes back, as versions beside what the model found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from edge.commands.common import JsonOption, answer, home_of, or_running, plain, reading, say, told
from edge.commands.holding import held_store
from edge.errors import BusyError, EdgeError, ServerRefusedError, SettingsError, TransportError

if TYPE_CHECKING:
    from annotator_bridge.cvat.pull import PullSummary
    from annotator_bridge.cvat.server import CvatServer
    from edge.store.reads.cvat import TaskRow
    from edge.store.writer import Writer

ACTOR = "cli"
LOOK_S = 0.5
_HIDDEN = "what became of what the model found is not told while its station is counted blind"


class Pulled(NamedTuple):
    """What a pull of tasks came to, task by task; `exit_code` is that of the first that failed, 0 where none did."""

    results: list[dict[str, Any]]
    exit_code: int


def pull_command(
    context: typer.Context,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Its uuid or CVAT's number of it, its title or its station; else every task.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in what stands in the jobs of tasks, completed or not. Nothing of it enters a count, and CVAT is not changed."""
    home = home_of(context)
    with told(as_json=as_json):
        pulled = _pulled(home, task)
    if as_json:
        answer({"tasks": pulled.results})
    else:
        if not pulled.results:
            say("no task was sent to this CVAT yet: `imagine-edge cvat status` lists what is on its way")
        for one in pulled.results:
            _tell(one)
    if pulled.exit_code:
        raise typer.Exit(pulled.exit_code)


def _pulled(home: Path, named: str | None) -> Pulled:
    from annotator_bridge.cvat.address import checked_address
    from edge.settings import load_settings

    settings = load_settings(home)
    server = checked_address(settings.cvat_url, plain_allowed=settings.cvat_plain_http)
    try:
        with held_store(home) as writer:
            chosen = _chosen(home, named, server)
            return _pull_here(home, writer, server, chosen) if chosen else Pulled([], 0)
    except BusyError as error:
        return _each(_chosen(home, named, server), partial(_pull_there, error, home))


def _chosen(home: Path, named: str | None, server: str) -> list[TaskRow]:
    """The tasks that are meant, oldest first.

    Raises:
        SettingsError: there is none of that name, or it cannot be pulled.
    """
    from edge.store.reads.cvat import find_tasks, tasks

    with reading(home) as connection:
        found = tasks(connection) if named is None else find_tasks(connection, named)
    can = [row for row in found if row.step == "sent" and row.server_url == server and not (row.cancelled_utc or row.gone_utc)]
    if named is not None and not can:
        hindrance = "there is no such task" if not found else f"{found[0].title}: {_hindrance(found[0], server)}"
        raise SettingsError(f"nothing can be pulled of {named}: {hindrance}", advice="`imagine-edge cvat status` lists the tasks.")
    return can[::-1]


def _hindrance(row: TaskRow, server: str) -> str:
    if row.cancelled_utc or row.gone_utc:
        return "it was cancelled" if row.cancelled_utc else "it is no longer in CVAT"
    return f"it is in {row.server_url}" if row.server_url != server else "it is still on its way to CVAT"


def _pull_here(home: Path, writer: Writer, server: str, chosen: Sequence[TaskRow]) -> Pulled:
    from annotator_bridge.cvat.login import needed_login
    from annotator_bridge.cvat.pull import pull_task
    from annotator_bridge.cvat.session import open_server

    with open_server(needed_login(home, server), wait=_waited) as opened:
        return _each(
            chosen,
            lambda row: _as_result(pull_task(writer, partial(reading, home), opened, row.id, actor=ACTOR)),
            answers=partial(_answers, opened),
        )


def _answers(server: CvatServer) -> bool:
    """Whether the server, at which a task just failed, answers at all, and to us."""
    try:
        server.who()
    except TransportError:
        return False
    return True


def _each(chosen: Sequence[TaskRow], pull: Callable[[TaskRow], dict[str, Any]], *, answers: Callable[[], bool] = lambda: False) -> Pulled:
    """Task by task: one that fails stops none of the others, a server that does not answer any more, or not to us, all that are left.

    Raises:
        SettingsError, TransportError: of the only task, or of the first one where the server does not answer.
    """
    results: list[dict[str, Any]] = []
    exit_code = 0
    for place, row in enumerate(chosen):
        try:
            results.append(pull(row))
        except (TransportError, SettingsError) as error:
            goes_on = isinstance(error, (ServerRefusedError, SettingsError)) or answers()
            if len(chosen) == 1 or (place == 0 and not goes_on):
                raise
            exit_code = exit_code or error.exit_code
            results += [_failed(one, error) for one in ((row,) if goes_on else chosen[place:])]
            if not goes_on:
                break
    return Pulled(results, exit_code)


def _failed(row: TaskRow, error: EdgeError) -> dict[str, Any]:
    return {"task_uuid": row.uuid, "title": row.title, "error": str(error).removeprefix(f"{row.title}: "), "advice": error.advice()}


def _pull_there(error: BusyError, home: Path, row: TaskRow) -> dict[str, Any]:
    """The running appliance does it, and is waited for.

    Raises:
        SettingsError: it was cancelled, or found to be gone from CVAT, since it was chosen.
        ServerRefusedError: what stands there is not the task, or cannot be taken.
        TransportError: the server does not answer.
    """
    from edge.commands.cvat_running import check_reached
    from edge.store.clock import utc_now
    from edge.store.reads.cvat import task_by_id

    begin_utc = utc_now()
    or_running(error, home, "POST", f"/api/annotate/tasks/{row.uuid}/pull", {})
    while (there := or_running(error, home, "GET", f"/api/annotate/tasks/{row.uuid}", {}))["pull_waits"]:
        check_reached(error, home, row.title, since_utc=begin_utc)
        time.sleep(LOOK_S)
    if there["pull_trouble"]:
        raise ServerRefusedError(f"{row.title}: {there['pull_trouble']}", advice="Correct what it names, then pull again.")
    with reading(home) as connection:
        now = task_by_id(connection, row.id)
    assert now is not None  # it was read before, and rows stay
    return _since(home, now, begin_utc)


def _since(home: Path, row: TaskRow, begin_utc: str) -> dict[str, Any]:
    """What the appliance brought in, read from the database."""
    from edge.store.reads.cvat import annotations_of, frames_of, jobs_of, trouble_told

    verdicts = dict.fromkeys(("kept", "moved", "relabelled", "added", "removed"), 0)
    with reading(home) as connection:
        jobs = [one for one in jobs_of(connection, row.id) if one.kind == "annotation"]
        deleted = sum(one.is_deleted for one in frames_of(connection, row.id))
        here = [one for one in jobs if one.gone_utc is None]
        fresh = [one.pull_id for one in here if one.pull_id is not None and (one.pulled_utc or "") >= begin_utc]
        for pull_id in fresh:  # of a track each keyframe is a row, and it is one object
            rows = {(one.verdict, one.id if one.track is None else -one.track - 1) for one in annotations_of(connection, pull_id)}
            for verdict, _ in rows:
                verdicts[verdict] += 1
    new = len(fresh)
    refused = [{"remote_id": one.remote_id, "reason": trouble_told(one.trouble, is_blind=row.is_blind)} for one in here if one.trouble]
    return {
        "task_uuid": row.uuid,
        "title": row.title,
        "gone": row.gone_utc is not None,
        "jobs": len(here),
        "completed": row.completed,
        "gone_jobs": len(jobs) - len(here),
        "new": new,
        "unchanged": len(here) - new - len(refused),
        "refused": refused,
        "deleted_frames": deleted,
        "is_blind": row.is_blind,
        "verdicts": None if row.is_blind else verdicts,
    }


def _as_result(summary: PullSummary) -> dict[str, Any]:
    return {**plain(summary), "is_blind": summary.verdicts is None and not summary.gone}


def _waited(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _tell(one: dict[str, Any]) -> None:
    if "error" in one:
        say(f"{one['title']}: {one['error']}")
        say(f"  {one['advice']}")
        return
    if one["gone"]:
        say(f"{one['title']}: it is no longer in CVAT; what was brought in before stays")
        return
    say(f"{one['title']}: {one['new']} of {one['jobs']} jobs brought something new, {one['completed']} are completed")
    if one["verdicts"] is not None and one["new"]:
        say("  " + ", ".join(f"{count} {verdict}" for verdict, count in one["verdicts"].items()))
    elif one["is_blind"]:
        say(f"  {_HIDDEN}")
    for refused in one["refused"]:
        say(f"  job {refused['remote_id']} cannot be taken: {refused['reason']}")
    if one["gone_jobs"]:
        say(f"  {one['gone_jobs']} jobs are no longer there; what came of them stays")
    if one["deleted_frames"]:
        say(f"  {one['deleted_frames']} images were taken out there")
