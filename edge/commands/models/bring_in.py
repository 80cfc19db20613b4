"""`models import`: a checkpoint, an ONNX file or OpenVINO IR becomes a pack."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.commands.common import JsonOption, answer, err, home_of, say, service_of, told
from edge.commands.models.group import progress_bar
from edge.errors import BusyError, SettingsError
from edge.settings import load_settings
from models.importing.facts import ImportOptions
from models.manifest import Task

if TYPE_CHECKING:
    from models.importing.importer import Imported

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint (.pt), an ONNX file, or the .xml of OpenVINO IR.")]
OutOption = Annotated[Path | None, typer.Option(help="The pack folder to make. Default: NAME-VERSION in the current folder.")]
NameOption = Annotated[str | None, typer.Option(help="Name of the pack. Default: that of the file.")]
VersionOption = Annotated[str, typer.Option(help="Version of the pack, such as 1.2.0.")]
TitleOption = Annotated[str | None, typer.Option(help="What people read. Default: the file's own description.")]
TaskOption = Annotated[Task | None, typer.Option(help="What the model does, where the file does not say.")]
LabelsOption = Annotated[
    str | None,
    typer.Option(help="Its labels in the order of the training: with commas, or a file with one per line.", metavar="NAMES|FILE"),
]
InputOption = Annotated[
    str | None, typer.Option("--input", help="Size of its input in pixels, where the file leaves it open.", metavar="WxH")
]
AphiaOption = Annotated[list[str] | None, typer.Option(help="WoRMS AphiaID of a label; may be repeated.", metavar="LABEL=ID")]
ThresholdOption = Annotated[float | None, typer.Option(help="Score from which objects are counted. Default: 0.25.", min=0.0, max=1.0)]
ImagesOption = Annotated[
    Path | None, typer.Option(help="A folder of pictures of what the model is for; three of them travel with the pack as goldens.")
]
InstallOption = Annotated[bool, typer.Option("--install", help="Install the pack at once. It serves nothing before `activate`.")]


def import_file(
    context: typer.Context,
    file: FileArgument,
    out: OutOption = None,
    name: NameOption = None,
    version: VersionOption = "1.0.0",
    title: TitleOption = None,
    task: TaskOption = None,
    labels: LabelsOption = None,
    input_size: InputOption = None,
    aphia: AphiaOption = None,
    threshold: ThresholdOption = None,
    images: ImagesOption = None,
    install: InstallOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a pack of a model that was trained elsewhere. The file itself is not changed."""
    from models.importing.importer import import_model  # loads OpenCV: not for those who only list packs

    with told(as_json=as_json):
        options = ImportOptions(
            name=name,
            version=version,
            title=title,
            task=task,
            labels=_labels(labels),
            input_px=_size(input_size),
            aphia_ids=_aphia_ids(aphia or ()),
            threshold=threshold,
        )
        home = home_of(context)
        with progress_bar(as_json=as_json) as on_step:
            workshop = load_settings(home).workshop_python
            imported = import_model(file, out, options, images=images, workshop=workshop, on_step=on_step)
        if install:
            _install(home, imported.pack.path)
    if as_json:
        answer(_described(imported))
    else:
        _tell(imported, is_installed=install)


def _install(home: Path, pack_dir: Path) -> None:
    try:
        with service_of(home) as service:
            service.keeper.install(pack_dir)
    except BusyError as error:
        command = f"imagine-edge models install {shlex.quote(str(pack_dir))}"
        advice = f"The pack is made. Stop the appliance, run `{command}`, and start it again."
        raise BusyError(str(error), advice=advice) from error


def _described(imported: Imported) -> dict[str, Any]:
    manifest = imported.pack.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "path": imported.pack.path.resolve(),
        "task": manifest.task,
        "head": manifest.head,
        "labels": [label.name for label in manifest.labels],
        "input_px": [manifest.input.width_px, manifest.input.height_px],
        "licence": manifest.licence,
        "variants": [variant.name for variant in manifest.variants],
        "warnings": list(imported.warnings),
    }


def _tell(imported: Imported, *, is_installed: bool) -> None:
    manifest, path = imported.pack.manifest, imported.pack.path
    shown = ", ".join(label.name for label in manifest.labels[:8])
    more = f" and {len(manifest.labels) - 8} more" if len(manifest.labels) > 8 else ""
    say(f"{manifest.name}@{manifest.version} lies in {path}")
    say(f"  task      {manifest.task} (head {manifest.head})")
    say(f"  labels    {len(manifest.labels)}: {shown}{more}")
    say(f"  input     {manifest.input.width_px} x {manifest.input.height_px} px, {manifest.input.fit}")
    say(f"  licence   {manifest.licence}")
    say(f"  variants  {', '.join(variant.name for variant in manifest.variants)}")
    for warning in imported.warnings:
        err.print(f"Note: {warning}.", markup=False)
    typed = shlex.quote(str(path))
    say(f"Measure it on labelled images: imagine-edge models evaluate {typed} --data DATASET")
    if is_installed:
        say(f"It is installed; let it serve: imagine-edge models activate {manifest.name} {manifest.version}")
    else:
        say(f"Install it: imagine-edge models install {typed}")


def _labels(text: str | None) -> tuple[str, ...]:
    """Names with commas, or the lines of a file of that name."""
    if text is None:
        return ()
    path = Path(text)
    if "," not in text and path.is_file():
        try:
            parts: Sequence[str] = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--labels {text} cannot be read: {error}", advice="It must be a text file in UTF-8.") from error
    else:
        parts = text.split(",")
    names = tuple(part.strip() for part in parts if part.strip())
    if not names:
        raise SettingsError("--labels names no label", advice="Give names with commas between them, or a file with one per line.")
    return names


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit() and len(text) < 12):
        raise SettingsError(f"--input {text!r} is no size", advice="Write width x height in pixels, such as --input 960x544.")
    return int(width), int(height)


def _aphia_ids(entries: Sequence[str]) -> dict[str, int]:
    ids = {}
    for entry in entries:
        label, _, number = entry.rpartition("=")
        if not label or not (number.isascii() and number.isdigit()):
            raise SettingsError(f"--aphia {entry!r} is no LABEL=ID", advice="Such as --aphia 'burrow opening=107254'.")
        ids[label.strip()] = int(number)
    return ids
