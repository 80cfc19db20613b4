"""The way from the appliance to the workshop, whose libraries (torch, NNCF, ultralytics) live in an environment of their own.

    run_tool("models.workshop.quantise", ["--pack", ...], python=..., on_step=...) -> what the tool answers

A tool is a module of `models.workshop` that writes one JSON object per line to stdout: {"step": ..} while it works, and last
{"result": {..}} or {"error": {"code", "message", "advice"}}. Whatever its libraries print goes to stderr, which is kept.
`Reporter` is the tool's side of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from edge.errors import EdgeError, InputError, ModelError, SettingsError

WORKSHOP_FOLDER = ".venv-workshop"
_TOP = Path(__file__).resolve().parents[1]
_STOP_GRACE_S = 20.0
_KEPT_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far one step of a long command is. `of` is None where the end is not known."""

    name: str
    done: float
    of: float | None
    note: str = ""


OnProgress = Callable[[Step], None]


class WorkshopMissingError(SettingsError):
    """The environment with torch and NNCF is not there."""

    code = "workshop_missing"
    default_advice = "Run `make workshop` in a checkout of the project, or set `workshop_python` in settings.toml."


class ToolError(ModelError):
    """A tool of the workshop refused its input or failed; `code` is the tool's own."""

    def __init__(self, code: str, message: str, *, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.code = code  # type: ignore[misc]  # the tool names it

    default_advice = "The last lines of the tool's output say more; they are above."


def find_workshop(chosen: Path | None) -> Path:
    """The Python of the workshop's environment.

    Raises:
        WorkshopMissingError: there is none where it should be.
    """
    if chosen is not None:
        if not chosen.is_file():
            raise WorkshopMissingError(f"`workshop_python` names {chosen}, which is not there")
        return chosen
    for relative in ("bin/python", "Scripts/python.exe"):
        if (python := _TOP / WORKSHOP_FOLDER / relative).is_file():
            return python
    raise WorkshopMissingError("importing checkpoints, quantising and training need the workshop, which is not installed")


def run_tool(
    module: str, arguments: Sequence[str], *, python: Path, on_step: OnProgress | None = None, log: Path | None = None
) -> dict[str, Any]:
    """Run `python -m module arguments` and return its result. Ctrl-C ends the tool before it goes on up.

    Args:
        log: file that keeps everything that the tool's libraries print.

    Raises:
        ToolError: the tool refused, failed or died; its message is the tool's own.
    """
    command = [os.fspath(python), "-P", "-m", module, *arguments]
    # Threads of torch that wait by spinning starve each other where the appliance works beside them: 16 s for a step instead of 1 s.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": os.fspath(_TOP), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,  # its own children end with it
    )
    assert process.stdout is not None
    assert process.stderr is not None
    last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
    keeper = threading.Thread(target=_keep, args=(process.stderr, last_lines, log), daemon=True)
    keeper.start()
    try:
        answer = _follow(process.stdout, on_step, last_lines)
        exit_code = process.wait()
    finally:
        _end(process)
        keeper.join()
        process.stdout.close()
        process.stderr.close()
    if answer is not None and "result" in answer and exit_code == 0:
        result: dict[str, Any] = answer["result"]
        return result
    raise _failure(module, answer, exit_code, last_lines)


def _follow(stdout: IO[str], on_step: OnProgress | None, last_lines: deque[str]) -> dict[str, Any] | None:
    answer = None
    for line in stdout:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            last_lines.append(line.rstrip())
        elif "step" in message:
            if on_step is not None:
                on_step(Step(**message["step"]))
        else:
            answer = message
    return answer


def _keep(stderr: IO[str], last_lines: deque[str], log: Path | None) -> None:
    if log is None:
        last_lines.extend(line.rstrip() for line in stderr)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        for line in stderr:
            file.write(line)
            last_lines.append(line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    """A tool, with what it started, never outlives the command that started it."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_GRACE_S)
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _failure(module: str, answer: dict[str, Any] | None, exit_code: int, last_lines: deque[str]) -> ToolError:
    if answer is not None and isinstance(error := answer.get("error"), dict):
        return ToolError(error["code"], error["message"], advice=error["advice"])
    told = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    tail = "\n".join(list(last_lines)[-8:])
    return ToolError("workshop_failed", f"{module} {told} without an answer" + (f":\n{tail}" if tail else ""))


class Reporter:
    """A tool's side: `Step`s and one answer on the real stdout, everything else that is printed on stderr."""

    def __init__(self) -> None:
        # Libraries print to file descriptor 1 from Python and from C++; only this object may write to the pipe.
        self._lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def step(self, name: str, done: float, of: float | None, note: str = "") -> None:
        """How far a step is."""
        self._write({"step": asdict(Step(name=name, done=done, of=of, note=note))})

    def _write(self, message: dict[str, Any]) -> None:
        self._lines.write(json.dumps(message, ensure_ascii=False) + "\n")
        self._lines.flush()

    def run(self, work: Callable[[], dict[str, Any]]) -> int:
        """Do the work, answer, and return the exit code of the tool. SIGTERM ends it as Ctrl-C does."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            result = work()
        except EdgeError as error:
            code = f"{error.code}/{error.reason}" if isinstance(error, InputError) else error.code
            self._write({"error": {"code": code, "message": str(error), "advice": error.advice()}})
            return error.exit_code
        except KeyboardInterrupt:
            with suppress(BrokenPipeError):
                self._write({"error": {"code": "cancelled", "message": "cancelled", "advice": "Nothing was kept of it."}})
            return 130
        self._write({"result": result})
        return 0


def main_of(work: Callable[[Reporter], dict[str, Any]]) -> int:
    """The exit code of a tool whose whole work is `work`."""
    reporter = Reporter()
    return reporter.run(lambda: work(reporter))
