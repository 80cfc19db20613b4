"""`cvat doctor` and `cvat kit`: what is missing between CVAT and the appliance, and the files that CVAT's Docker needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, out, plain, say, told

_WORDS = {"ok": "ok", "warning": "WARNING", "error": "MISSING", "unknown": "unknown"}
_COLOURS = {"ok": "green", "warning": "yellow", "error": "bold red", "unknown": "dim"}
FAULTS_FOUND = 1


def doctor_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say in plain words what is missing between CVAT and the appliance. Ends with 1 if something is."""
    from annotator_bridge.cvat.doctor import examine
    from edge.settings import load_settings

    home = home_of(context)
    with told(as_json=as_json):
        findings = examine(home, load_settings(home))
    wrong = sum(one.state == "error" for one in findings)
    if as_json:
        answer({"ok": not wrong, "findings": plain(findings)})
    else:
        for one in findings:
            out.print(f"{_WORDS[one.state]:<8}", style=_COLOURS[one.state], end="  ")
            say(one.words)
            if one.advice and one.state != "ok":
                say(f"          {one.advice}")
        say("nothing is missing" if not wrong else f"missing: {wrong}")
    if wrong:
        raise typer.Exit(FAULTS_FOUND)


def kit_command(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder.")],
    version: Annotated[str, typer.Option("--cvat-version", metavar="VERSION", help="The version of CVAT, such as 2.80.0.")] = "2.80.0",
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where CVAT's containers reach the appliance; else the machine that they run on.")
    ] = None,
    compose: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The docker-compose.yml of that release: its images are listed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what a CVAT in Docker needs to use the appliance's models, and scripts that bring its images aboard without internet."""
    from annotator_bridge.cvat.kit import write_kit
    from edge.settings import load_settings

    home = home_of(context)
    with told(as_json=as_json):
        kit = write_kit(to.absolute(), load_settings(home), version=version, host=host, compose=compose)
    if as_json:
        answer(kit)
        return
    say(f"{kit.folder}: {', '.join(kit.files)}")
    say(f"images: {', '.join(kit.images)}" if kit.images else "save-images.sh lists CVAT's images from its release, and packs them")
    say("README.txt says what to do with them")
