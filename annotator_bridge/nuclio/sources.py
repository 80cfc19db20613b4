"""Which of our own modules a function needs, and which packages of others: read from the import statements, nothing is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from edge.errors import SettingsError

OWN = frozenset({"annotator_bridge", "edge", "models"})
_NO_SOURCES = "Make the folder with an installation from source or from the wheel: the frozen program holds no sources to copy."


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a function imports.

    Attributes:
        modules: our own, by path below the folder of the code (`edge/errors.py`), with the file that it is copied from.
        requirements: distributions of others as they are installed here, such as `numpy==2.4.0`.
    """

    modules: dict[PurePosixPath, Path]
    requirements: tuple[str, ...]


def needs_of(roots: Iterable[str]) -> Needs:
    """All that these modules import, in functions too; what stands under `TYPE_CHECKING` is not needed.

    Raises:
        SettingsError: a module's source is not there.
    """
    found: dict[str, Path] = {}
    others: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if top not in OWN:
            others |= {top} - set(sys.stdlib_module_names)
            continue
        if name in found or (path := _source(name)) is None:
            continue
        found[name] = path
        waiting += [parent for parent in (name.rpartition(".")[0],) if parent]
        waiting += _imported(path)
    modules = {_place(name, path): path for name, path in sorted(found.items())}
    return Needs(modules=modules, requirements=_pinned(others))


def _source(name: str) -> Path | None:
    """The file of a module; None where the name is no module but something within one."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None:
        return None
    if spec.origin is None or not spec.origin.endswith(".py") or not Path(spec.origin).is_file():
        raise SettingsError(f"the source of {name} is not on this machine", advice=_NO_SOURCES)
    return Path(spec.origin)


def _imported(path: Path) -> Iterator[str]:
    for node in _executed(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, without what only a type checker reads."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _executed(other)
        else:
            yield from _executed(child)


def _place(name: str, path: Path) -> PurePosixPath:
    parts = PurePosixPath(*name.split("."))
    return parts / "__init__.py" if path.name == "__init__.py" else parts.with_suffix(".py")


def _pinned(modules: Iterable[str]) -> tuple[str, ...]:
    """The distributions that bring these modules, in the version that is installed; what is not installed here is optional."""
    known = packages_distributions()
    names = {distribution for module in modules for distribution in known.get(module, ())[:1]}
    return tuple(sorted(f"{name}=={version(name)}" for name in names))
