"""Write docs/settings.md, docs/cli.md and docs/zooscan-features.md from the code, so that they cannot disagree with it.

Usage, from the top of the repository: python -m tools.write_docs [--check]   (--check writes nothing and fails where a page is out of date)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

import annotated_types
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge.cli import app
from edge.settings import SETTINGS_NAME, Settings, WatchedFolder
from edge.sink_settings import SinkSettings
from tools.measures_page import features_page

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Written by `make docs` from the code: change the code, not this page. -->\n"

SHELL_OPTIONS = ("install_completion", "show_completion")  # typer's own, for the shell that asks

SETTINGS_HEAD = f"""# Settings

{NOTE}
Settings stand in `{SETTINGS_NAME}` in the home folder (`imagine-edge --home FOLDER`), in [TOML](https://toml.io). A missing file
means that every setting has its default. An environment variable wins over the file, an option of the command line over both.
A name that is not on this page is refused at start, with exit code 2. Settings are read once, at start.

```toml
settle_s = 10.0

[[watched]]
path = "/mnt/camera"
recipe = "burrows"
intake = "copy"
```
"""

CLI_HEAD = f"""# Commands

{NOTE}
`imagine-edge --help` and `imagine-edge COMMAND --help` say the same. Exit codes: 0 done, 1 an unexpected failure, 2 a wrong setting
or option, 3 the database or its disk, 4 an input file, 5 a model, 6 a link, 7 the home folder is in use, 8 who asked may not.
"""


def settings_page() -> str:
    """docs/settings.md."""
    parts = [SETTINGS_HEAD, *_fields(Settings, heading="##", is_environment=True)]
    parts += [
        "## `[[watched]]` tables\n\nEach watched folder has these keys.\n",
        *_fields(WatchedFolder, heading="###", is_environment=False),
        "## `[[sinks]]` tables\n\nEach far side has these keys; [results ashore](sync.md) has whole ones to copy.\n",
        *_fields(SinkSettings, heading="###", is_environment=False),
    ]
    return "\n".join(parts)


def _fields(model: type[BaseModel], *, heading: str, is_environment: bool) -> Iterator[str]:
    for name, field in model.model_fields.items():
        lines = [f"{heading} {name}", "", f"**{field.title}.** {field.description}", "", f"- Default: {_default(field)}"]
        if limits := _limits(field):
            lines.append(f"- Limits: {limits}")
        if is_environment:
            lines.append(f"- Environment: `IMAGINE_EDGE_{name.upper()}`")
        yield "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "none, it must be given"
    if field.default == ():
        return "an empty list"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{json.dumps(value, default=_plain)}`" if not isinstance(value, str) else f"`{value}`"


def _plain(value: object) -> str:
    if isinstance(value, PurePath):
        return value.as_posix()
    raise TypeError(f"no plain form of {value!r}")


def _limits(field: FieldInfo) -> str:
    words = []
    for limit in field.metadata:
        match limit:
            case annotated_types.Ge(ge=bound):
                words.append(f"at least {bound}")
            case annotated_types.Gt(gt=bound):
                words.append(f"more than {bound}")
            case annotated_types.Le(le=bound):
                words.append(f"at most {bound}")
            case _:
                continue
    return ", ".join(words)


def cli_page() -> str:
    """docs/cli.md."""
    return "\n".join([CLI_HEAD, *_command(typer.main.get_command(app), ("imagine-edge",))])


def _command(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False) and parameter.name not in SHELL_OPTIONS]
    options = [f"- {_parameter(parameter)}" for parameter in shown]
    yield "\n".join([f"## `{' '.join(path)}`", "", (command.help or "").strip(), "", *options]) + "\n"
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield from _command(child, (*path, name))


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{(parameter.metavar or parameter.name).upper()}`"
    else:
        names = list(parameter.opts) + list(parameter.secondary_opts)
        name = ", ".join(f"`{option}`" for option in names)
        if not parameter.is_flag:
            words = "|".join(type(parameter.default)) if isinstance(parameter.default, StrEnum) else parameter.name.upper()
            name += f" {parameter.metavar or words}"
    text = (getattr(parameter, "help", None) or "").strip()
    has_default = isinstance(parameter.default, (str, int, float)) and not isinstance(parameter.default, bool)
    return (f"{name}: {text}" if text else name) + (f" Default: `{parameter.default}`." if has_default else "")


def pages() -> dict[Path, str]:
    """Every written page with its text."""
    return {
        DOCS / "settings.md": settings_page(),
        DOCS / "cli.md": cli_page(),
        DOCS / "zooscan-features.md": features_page(NOTE, DOCS / "zooscan-agreement.json"),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are out of date."""
    is_check = arguments == ["--check"]
    stale = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if is_check:
            print(f"{path} is out of date: run `make docs`")
        else:
            path.write_text(pages()[path], encoding="utf-8")
            print(f"wrote {path}")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
