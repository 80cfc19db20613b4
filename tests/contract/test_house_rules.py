"""Rules of the house that no linter knows. Each rule is shown to catch its own breach."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HEAVY = ("cv2", "openvino", "onnxruntime", "torch", "ultralytics", "nncf", "onnx")
SLOW = (
    *HEAVY,
    "av",
    "fastapi",
    "numpy",
    "pydantic",
    "sqlite_utils",
    "structlog",
    "uvicorn",
)  # not to be waited for by who does not use them
TRAINING = frozenset({"torch", "torchvision", "ultralytics", "nncf", "onnx"})
# What the parent process loads; the rest of the pipeline and the runtimes belong to its children.
PARENT_SIDE = (
    *("edge/cli.py", "edge/commands", "edge/service.py", "edge/live.py", "edge/settings.py", "edge/logs.py"),
    *(
        "edge/web",
        "edge/store",
        "edge/ingest",
        "edge/export",
        "edge/health",
        "edge/recipes",
        "edge/pipeline/dispatcher",
        "edge/pipeline/keeper",
    ),
)

LIST_LOADED = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(",".join(sorted(set(sys.modules) & set(sys.argv[2].split(",")))))
"""


def module_names(checkout: Path, prefixes: tuple[str, ...]) -> list[str]:
    """Dotted names of the modules whose path begins with one of the prefixes."""
    paths = sorted(path.relative_to(checkout) for path in (checkout / "edge").rglob("*.py"))
    chosen = [path for path in paths if path.as_posix().startswith(prefixes)]
    return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in chosen if path.name != "__main__.py"]


def heavy_modules_loaded_by(names: list[str], checkout: Path, heavy: tuple[str, ...] = HEAVY) -> str:
    """Which heavy libraries a fresh interpreter holds after importing the modules, joined by commas."""
    command = [sys.executable, "-c", LIST_LOADED, ",".join(names), ",".join(heavy)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=checkout).stdout.strip()


def imported_roots(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere, inside functions too."""
    roots: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            roots.add(node.module.split(".")[0])
    return roots


def test_parent_side_modules_load_nothing_heavy(checkout: Path) -> None:
    names = module_names(checkout, PARENT_SIDE)
    assert len(names) > 15, "the walk no longer finds the modules"
    assert heavy_modules_loaded_by(names, checkout) == ""


def test_the_command_line_loads_only_the_command_that_is_called(checkout: Path) -> None:
    assert heavy_modules_loaded_by(["edge.cli", "edge.commands.models", "edge.commands.survey"], checkout, SLOW) == ""
    assert heavy_modules_loaded_by(["edge.cli", "edge.commands.inspect"], checkout, SLOW) == "pydantic", "of the settings"


def test_the_check_of_slow_imports_sees_the_pages(checkout: Path) -> None:
    assert set(heavy_modules_loaded_by(["edge.web.app"], checkout, SLOW).split(",")) >= {"fastapi", "numpy", "structlog"}


def test_the_heavy_import_check_sees_a_heavy_import(checkout: Path) -> None:
    assert heavy_modules_loaded_by(["edge.values", "cv2"], checkout) == "cv2"


def test_nothing_outside_the_workshop_imports_what_trains(checkout: Path) -> None:
    files = [path for folder in ("edge", "models", "installer") for path in (checkout / folder).rglob("*.py")]
    outside = [path for path in files if "workshop" not in path.parts]
    assert len(outside) > 30, "the walk no longer finds the sources"
    assert {str(path): roots for path in outside if (roots := imported_roots(path) & TRAINING)} == {}


def test_the_training_import_check_looks_inside_functions(tmp_path: Path) -> None:
    source = tmp_path / "hidden.py"
    source.write_text("def load():\n    from torch.nn import Module\n    return Module\n")
    assert imported_roots(source) & TRAINING == {"torch"}


@pytest.mark.parametrize(("lines", "exit_code"), [(60, 0), (61, 1)])
def test_size_caps_count_functions(checkout: Path, tmp_path: Path, lines: int, exit_code: int) -> None:
    body = "".join(f"    x = {number}\n" for number in range(lines - 1))
    (tmp_path / "long.py").write_text("def long():\n" + body)
    ran = subprocess.run([sys.executable, "tools/check_sizes.py", str(tmp_path)], cwd=checkout, capture_output=True, text=True, check=False)
    assert ran.returncode == exit_code, ran.stdout
    assert f"{lines:4d} {tmp_path / 'long.py'}:1 long" in ran.stdout


@pytest.mark.parametrize(("lines", "exit_code"), [(400, 0), (401, 1)])
def test_size_caps_count_modules(checkout: Path, tmp_path: Path, lines: int, exit_code: int) -> None:
    (tmp_path / "long.py").write_text("x = 1\n" * lines)
    ran = subprocess.run([sys.executable, "tools/check_sizes.py", str(tmp_path)], cwd=checkout, capture_output=True, text=True, check=False)
    assert ran.returncode == exit_code, ran.stdout


@pytest.mark.parametrize(
    ("version_answer", "has_venv", "expected"),
    [("3.12", True, "python"), ("3.9", True, "is 3.9 (too old)"), ("3.12", False, "apt install python3.12-venv")],
)
def test_make_finds_a_python_that_fits(checkout: Path, tmp_path: Path, version_answer: str, has_venv: bool, expected: str) -> None:
    candidate = tmp_path / "python"
    old = int(version_answer == "3.9")
    candidate.write_text(f"""#!/bin/sh
case "$2" in
  *print*) echo {version_answer} ;;
  *sys.exit*) exit {old} ;;
  *venv*) exit {int(not has_venv)} ;;
esac
""")
    candidate.chmod(0o755)
    command = ["sh", "tools/find-python.sh", str(tmp_path / "absent"), str(candidate)]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert expected in ran.stdout + ran.stderr
    assert ran.returncode == (0 if expected == "python" else 1)


def test_the_workshop_has_one_list_that_brings_no_display_and_no_cuda(checkout: Path) -> None:
    """The extra `train` is read from the file that `make workshop` installs; what would bring more comes without its requirements."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert "optional-dependencies" not in project["project"]
    lists = {name: required_names(checkout / place) for name, places in extras.items() for place in places["file"]}
    assert {"torch", "nncf", "onnx", "opencv-python-headless"} <= lists["train"]
    assert {"pytest", "ruff", "mypy"} <= lists["dev"]
    unwanted = {"ultralytics", "torchvision", "opencv-python", "opencv-contrib-python"}
    assert not unwanted & (lists["train"] | lists["dev"])
    assert {"ultralytics", "torchvision"} <= required_names(checkout / "models" / "workshop" / "requirements-no-deps.txt")


def required_names(path: Path) -> set[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {re.split(r"[<>=~!;\[ ]", line, maxsplit=1)[0].lower() for line in lines if line and not line.startswith("#")}
