"""Hold the size caps of the house: a module has at most 400 lines, a function at most 60.

Prints the ten longest of both, so that growth is seen before it hurts. Exit code 1 when a cap is broken.

Usage: python tools/check_sizes.py [FOLDER ...]
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODULE_CAP_LINES = 400
FUNCTION_CAP_LINES = 60
FOLDERS = ("edge", "models", "annotator_bridge", "sync", "installer", "tools", "tests")
SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long one module or function is."""

    lines: int
    name: str


def sources(roots: list[Path]) -> list[Path]:
    """Every Python file under the folders, sorted."""
    return sorted(path for root in roots if root.is_dir() for path in root.rglob("*.py"))


def module_size(path: Path) -> Size:
    """Lines of a file, blank ones included."""
    return Size(lines=len(path.read_text(encoding="utf-8").splitlines()), name=str(path))


def function_sizes(path: Path) -> Iterator[Size]:
    """Lines of each function of a file, from `def` to its last line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Size(lines=(node.end_lineno or node.lineno) - node.lineno + 1, name=f"{path}:{node.lineno} {node.name}")


def main(arguments: list[str]) -> int:
    """Measure, print, judge."""
    paths = sources([Path(folder) for folder in arguments or FOLDERS])
    if not paths:
        print("no Python file found: run from the top of the repository")
        return 1
    modules = [module_size(path) for path in paths]
    functions = [size for path in paths for size in function_sizes(path)]
    broken = _judge("modules", modules, MODULE_CAP_LINES) + _judge("functions", functions, FUNCTION_CAP_LINES)
    return 1 if broken else 0


def _judge(what: str, sizes: list[Size], cap_lines: int) -> int:
    longest = sorted(sizes, key=lambda size: (-size.lines, size.name))
    broken = sum(size.lines > cap_lines for size in longest)
    print(f"{len(sizes)} {what}, cap {cap_lines} lines, {broken} above it; the longest:")
    for size in longest[: max(SHOWN, broken)]:
        print(f"  {size.lines:4d} {size.name}{'   ABOVE THE CAP' if size.lines > cap_lines else ''}")
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
