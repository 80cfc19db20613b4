"""The way to the workshop and back, with real child processes that stand for its tools."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from models.workbench import Step, ToolError, WorkshopMissingError, find_workshop, run_tool

Run = Callable[..., dict[str, Any]]

HEAD = "from models.workbench import main_of\nimport sys, os, time\nfrom edge.errors import InputError, ModelError, Reason\n"


def is_gone(pid: int) -> bool:
    """It runs no more, or ends within a moment of being killed; nobody may have collected its exit code yet."""
    try:
        psutil.Process(pid).wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


@pytest.fixture
def tool(tmp_path: Path) -> Run:
    """Write a module and run it as a tool."""

    def run(body: str, **options: Any) -> dict[str, Any]:
        (tmp_path / "some_tool.py").write_text(f"{HEAD}def work(say):\n    {body}\nsys.exit(main_of(work))\n")
        # The child finds the module through a .pth-free way that leaves PYTHONPATH to the code under test.
        wrapper = tmp_path / "python"
        wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{tmp_path}" exec {sys.executable} "$@"\n')
        wrapper.chmod(0o755)
        return run_tool("some_tool", ["an argument"], python=wrapper, **options)

    return run


def test_the_result_comes_back_and_steps_on_the_way(tool: Run) -> None:
    steps: list[Step] = []
    body = "say.step('halving', 1, 2, 'first'); print('noise'); os.write(1, b'{\"result\": 0}'); return {'argument': sys.argv[1]}"
    assert tool(body, on_step=steps.append) == {"argument": "an argument"}
    assert steps == [Step(name="halving", done=1, of=2, note="first")]


def test_what_libraries_print_is_kept(tool: Run, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "workshop.log"
    tool("print('from python'); os.system('echo from a child'); return {}", log=log)
    assert set(log.read_text().split("\n")) >= {"from python", "from a child"}


def test_a_refusal_carries_the_tools_code_and_advice(tool: Run) -> None:
    with pytest.raises(ToolError, match="no such layer") as caught:
        tool("raise ModelError('no such layer', advice='Take another.')")
    assert (caught.value.code, caught.value.advice(), caught.value.exit_code) == ("model_failed", "Take another.", 5)


def test_an_unexpected_error_shows_the_last_lines(tool: Run) -> None:
    with pytest.raises(ToolError, match="ZeroDivisionError") as caught:
        tool("return {'x': 1 / 0}")
    assert caught.value.code == "workshop_failed"


def test_a_death_is_told(tool: Run) -> None:
    with pytest.raises(ToolError, match="SIGKILL"):
        tool("os.kill(os.getpid(), 9)")


def test_an_exit_without_an_answer_is_no_result(tool: Run) -> None:
    with pytest.raises(ToolError, match="exit code 0 without an answer"):
        tool("os._exit(0)")


def test_the_tool_ends_with_the_command(tool: Run, tmp_path: Path) -> None:
    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool(f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); say.step('a', 0, None); time.sleep(600)", on_step=interrupt)
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_what_a_tool_leaves_running_ends_too(tool: Run, tmp_path: Path) -> None:
    tool(f"os.system('sleep 600 & echo $! > {tmp_path / 'pid'}'); return {{}}")
    assert is_gone(int((tmp_path / "pid").read_text()))


def test_a_workshop_that_is_named_and_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkshopMissingError, match="which is not there"):
        find_workshop(tmp_path / "python")
