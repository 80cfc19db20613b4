"""Make the folder of a function: `function.yaml`, `main.py`, the pack, our code, and what pip is to install.

The folder is made beside and renamed in one step: a name that is there is a whole function.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from annotator_bridge.facade.wire import function_document
from annotator_bridge.functions.catalogue import PACKS_FOLDER, Entry, read_catalogue
from annotator_bridge.nuclio.handling import FACTS_NAME, HOME_NAME
from annotator_bridge.nuclio.sources import Needs, needs_of
from edge import __version__
from edge.errors import DiskFullError, SettingsError
from edge.units import mib_to_bytes
from models.pack import verify_pack

CODE_NAME, WHEELS_NAME = "code", "wheels"
RUNTIME = "python:3.11"
PACK_ROOTS = ("annotator_bridge.functions.catalogue", "annotator_bridge.functions.loading", "annotator_bridge.functions.detector")
_BODY_MIB = {"reid": 64}  # two images of up to 24 MiB each, a third longer in base64
_USUAL_BODY_MIB = 32  # one image of up to 24 MiB
_DEPLOYED = "/opt/nuclio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A folder that was made. `size_bytes` without the wheels, which are not in it yet."""

    id: str
    kind: str
    folder: Path
    modules: int
    requirements: tuple[str, ...]
    size_bytes: int


def make_folder(home: Path, function_id: str, out: Path) -> Made:
    """Make the folder of one function below `out`, under the function's name.

    Raises:
        UnknownFunctionError: there is no such function on this appliance.
        SettingsError: a folder of its name is there already, or the sources of our code are not on this machine.
        ModelError: its pack is damaged.
        DiskFullError: no room.
    """
    entry = read_catalogue(home).find(function_id)
    target = out / entry.info.id
    if target.exists():
        raise SettingsError(f"{target} is there already", advice="Remove it, or name another folder with --out.")
    needs = needs_of(_roots(entry))
    staging = out / f".{entry.info.id}-{uuid.uuid4().hex}"
    try:
        staging.mkdir(parents=True)
        _fill(staging, entry, needs)
        staging.rename(target)
    except OSError as error:
        raise DiskFullError(f"{target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    size_bytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    return Made(
        id=entry.info.id,
        kind=entry.info.kind,
        folder=target,
        modules=len(needs.modules),
        requirements=needs.requirements,
        size_bytes=size_bytes,
    )


def function_yaml(entry: Entry) -> dict[str, Any]:
    """What Nuclio deploys: names and annotations as the facade tells them, nothing that is fetched while it is built."""
    info = entry.info
    document = function_document(info, port=0)
    body_bytes = mib_to_bytes(_BODY_MIB.get(info.kind, _USUAL_BODY_MIB))
    return {
        "metadata": {"name": info.id, "namespace": "cvat", "annotations": document["metadata"]["annotations"]},
        "spec": {
            "description": info.description,
            "runtime": RUNTIME,
            "handler": "main:handler",
            "eventTimeout": "30s",
            "build": {
                "image": f"cvat.imagine-edge.{info.id}:{__version__}",
                "baseImage": RUNTIME,
                # The folder itself is copied to /opt/nuclio by Nuclio; these run after that, and find everything there.
                "directives": {
                    "preCopy": [{"kind": "ENV", "value": "ORT_DISABLE_TELEMETRY=1 PIP_DISABLE_PIP_VERSION_CHECK=1"}],
                    "postCopy": [
                        {
                            "kind": "RUN",
                            "value": f"python -m pip install --no-cache-dir --no-index --find-links {_DEPLOYED}/{WHEELS_NAME} "
                            f"--requirement {_DEPLOYED}/requirements.txt",
                        }
                    ],
                },
            },
            "triggers": {
                "myHttpTrigger": {
                    "kind": "http",
                    "maxWorkers": 2,
                    "workerAvailabilityTimeoutMilliseconds": 10000,
                    "attributes": {"maxRequestBodySize": body_bytes},
                }
            },
            "platform": {"attributes": {"restartPolicy": {"name": "always", "maximumRetryCount": 3}, "mountMode": "volume"}},
        },
    }


def _roots(entry: Entry) -> Sequence[str]:
    if entry.method is not None:
        return ("annotator_bridge.nuclio.handling", entry.method.where.partition(":")[0])
    return ("annotator_bridge.nuclio.handling", *PACK_ROOTS)


def _fill(folder: Path, entry: Entry, needs: Needs) -> None:
    for place, source in needs.modules.items():
        copy = folder / CODE_NAME / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    if entry.pack is not None:
        manifest = verify_pack(entry.pack.path).manifest
        shutil.copytree(entry.pack.path, folder / HOME_NAME / PACKS_FOLDER / manifest.name / manifest.version)
    facts = {"id": entry.info.id, "kind": entry.info.kind, "method": entry.method.where if entry.method else "", "version": __version__}
    _write(folder / FACTS_NAME, json.dumps(facts, indent=2) + "\n")
    _write(folder / "function.yaml", yaml.safe_dump(function_yaml(entry), sort_keys=False, allow_unicode=True, width=120))
    _write(folder / "requirements.txt", "".join(f"{requirement}\n" for requirement in needs.requirements))
    _write(folder / "main.py", _template("main.py.txt"))
    _write(folder / WHEELS_NAME / "README", _template("wheels.txt"))
    _write(folder / "README.md", _readme(entry))


def _readme(entry: Entry) -> str:
    info = entry.info
    what = f"pack {info.pack}" if info.pack else "no model"
    text = _template("readme.md.txt")
    for name, value in {"id": info.id, "title": info.title, "kind": info.kind, "what": what, "version": __version__}.items():
        text = text.replace(f"@{name}@", value)
    return text


def _template(name: str) -> str:
    return files("annotator_bridge.nuclio").joinpath("templates", name).read_text("utf-8")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
