"""Groups of commands whose modules are loaded when one of them is called.

`imagine-edge status` must not wait for web servers and image libraries that only other commands use. So a group names
where its commands stand, and importing it imports none of them. The names are text: the frozen program holds every
module of `edge` (installer/imagine-edge.spec), and a contract test loads every command that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperGroup


class LazyGroup(TyperGroup):
    """A group that finds its commands in `where`, in the order of its help. Subclass it and pass the class to `typer.Typer`."""

    where: ClassVar[Mapping[str, str]] = {}
    """Name of a command -> `module:function`, or `module:app` for a group of commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("MutableMapping[str, Any]", _Commands(self.where))

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of commands; loads none, unlike the group of typer."""
        return list(self.where)


class _Commands(Mapping[str, Any]):
    """Commands by name, each loaded when it is first looked at."""

    def __init__(self, where: Mapping[str, str]) -> None:
        self._where = where
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._where[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)


def _load(name: str, where: str) -> Any:
    module, _, attribute = where.partition(":")
    found = getattr(import_module(module), attribute)
    holder = typer.Typer()
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    return typer.main.get_group(holder).commands[name]
