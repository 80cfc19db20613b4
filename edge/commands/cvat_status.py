"""`cvat status` and `cvat conflicts`: where tasks and jobs stand, how far model and people agree, and where people do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, home_of, make_table, out, plain, reading, say, told

if TYPE_CHECKING:
    from edge.store.reads.cvat import Agreement, AgreementRow, ConflictRow, JobRow, TaskRow

_STATES = {
    "planned": "waits",
    "created": "its files are on their way",
    "uploaded": "CVAT makes frames",
    "ready": "boxes are on their way",
}
_VERDICTS = ("kept", "moved", "relabelled", "removed", "added")


def status_command(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Cancelled tasks too, and those that are no longer in CVAT.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List tasks and jobs as they were looked at last, and how far the model and people agree. CVAT is not asked."""
    from edge.store.connection import snapshot
    from edge.store.reads import cvat as reads

    with told(as_json=as_json), reading(home_of(context)) as connection, snapshot(connection):
        tasks = reads.tasks(connection, only_open=not every)
        found = reads.agreement(connection)
        jobs = {task.id: reads.jobs_of(connection, task.id) for task in tasks}
    if as_json:
        listed = [{**_task(task), "jobs_there": [_job(task, job) for job in jobs[task.id]]} for task in tasks]
        answer({"tasks": listed, "agreement": plain(found)})
        return
    if not tasks:
        say("no task was made in CVAT yet; `imagine-edge cvat push --station NAME` makes one")
        return
    _show_tasks(tasks)
    _show_agreement(found)


def conflicts_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """List where what people made in CVAT disagrees: between tasks and jobs, with the review here, and with itself."""
    from edge.store.connection import snapshot
    from edge.store.reads.cvat import conflicts

    with told(as_json=as_json), reading(home_of(context)) as connection, snapshot(connection):
        found = conflicts(connection)
    if as_json:
        answer([plain(one) for one in found])
        return
    if not found:
        say("nobody disagrees (stations that are counted blind are left out until their counts are signed)")
    for one in found:
        _show_conflict(one)


def _task(task: TaskRow) -> dict[str, Any]:
    hidden = {"id", "tow_id", "scan_id", "model_id", "labels", "upload"}
    return {name: value for name, value in plain(task).items() if name not in hidden} | {"url": _url(task)}


def _job(task: TaskRow, job: JobRow) -> dict[str, Any]:
    from edge.store.reads.cvat import trouble_told

    told_of = {name: value for name, value in job._asdict().items() if name not in ("id", "pull_id")}
    hidden = {"versions": None, "trouble": trouble_told(job.trouble, is_blind=True)} if task.is_blind else {}
    return {**told_of, **hidden}


def _url(task: TaskRow) -> str:
    return "" if task.remote_id is None else f"{task.server_url}/tasks/{task.remote_id}"


def _show_tasks(tasks: tuple[TaskRow, ...]) -> None:
    table = make_table("task", "what", "state", "images", "jobs done", "looked at (UTC)", numbers=("images",))
    for task in tasks:
        done = f"{task.completed} of {task.jobs}" + (f", {task.rejected} rejected" if task.rejected else "")
        looked = (task.pulled_utc or "")[:16]
        table.add_row(task.uuid[:13], task.title, _state(task), str(task.frames), done if task.jobs else "", looked)
    out.print(table)
    for task in tasks:
        for words in filter(None, (task.trouble, task.job_trouble)):
            say(f"{task.title}: {words}")


def _state(task: TaskRow) -> str:
    if task.cancelled_utc or task.gone_utc:
        return "cancelled" if task.cancelled_utc else "no longer in CVAT"
    if task.trouble and task.next_try_utc is None:
        return "STOPPED"
    if task.step != "sent":
        return _STATES[task.step]
    with_words = "with the model's boxes" if task.with_model and not task.withheld else "without the model's boxes"
    return f"in CVAT, {with_words}"


def _show_agreement(found: Agreement) -> None:
    """Stations first; tasks of none below them."""
    rows = [*found.stations, *(one for one in found.tasks if one.station is None)]
    if not rows:
        say("no job is completed yet: nothing to compare")
        return
    table = make_table(
        "completed jobs of", "images", *_VERDICTS, "compared", "precision", "recall", "F1", "model - people", numbers=(*_VERDICTS, "images")
    )
    for row in rows:
        name = f"{row.survey} {row.station}" if row.survey and row.station else row.title
        verdicts = ["" if (count := getattr(row, name)) is None else str(count) for name in _VERDICTS]
        table.add_row(name, str(row.frames), *verdicts, str(row.compared), *_shares(row))
    out.print(table)
    for row in rows:
        if row.words:
            say(f"{row.title}: {row.words}")


def _shares(row: AgreementRow) -> list[str]:
    shares = ["" if value is None else f"{100 * value:.0f} %" for value in (row.precision, row.recall, row.f1)]
    return [*shares, "" if row.mean_difference is None else f"{row.mean_difference:+.2f} per image"]


def _show_conflict(one: ConflictRow) -> None:
    say(f"{one.title}: {one.words}")
    for side in one.sides:
        who = f" ({side.by or 'nobody named'}, {(side.utc or '')[:16]} UTC)"
        say(f"  {side.where}: {side.words}{who}")
    if one.keeps_out:
        say(f"  {one.keeps_out}")
