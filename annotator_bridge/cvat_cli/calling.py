"""What the modules share: the SDK that is there, the home folder, a picture of Pillow's as a call carries it, a function loaded."""

from __future__ import annotations

import base64
import io
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from annotator_bridge.functions.catalogue import read_catalogue
from annotator_bridge.functions.function import Function, FunctionKind
from edge.errors import SettingsError

HOME_VARIABLE = "IMAGINE_EDGE_HOME"
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "RGBA", "LA", "PA", "RGBX", "CMYK", "YCbCr", "HSV"})  # eight bits or less


def sdk_module(name: str) -> Any:
    """A module of cvat-sdk, which is of the server's version and not of ours.

    Raises:
        SettingsError: it is not installed beside the appliance.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        advice = "Install cvat-cli of the server's version where imagine-edge is installed: `pip install cvat-cli==VERSION`."
        raise SettingsError(f"{name} is not installed", advice=advice) from error


def home_folder(home: str) -> Path:
    """The home folder that is named, else `$IMAGINE_EDGE_HOME`, else `imagine-edge` in the user's home."""
    named = home or os.environ.get(HOME_VARIABLE, "")
    return Path(named).expanduser().absolute() if named else Path.home() / "imagine-edge"


def open_function(home: str, function_id: str, kind: FunctionKind, *, threads: int) -> Function:
    """A function of that kind, loaded into this process.

    Raises:
        UnknownFunctionError: there is none of that name.
        SettingsError: it is of another kind.
        ModelError: its pack is damaged, or no variant of it works on this machine.
    """
    from annotator_bridge.functions.catalogue import load_function

    folder = home_folder(home)
    catalogue = read_catalogue(folder)
    found = catalogue.find(function_id).info.kind
    if found != kind:
        others = ", ".join(name for name, entry in catalogue.entries.items() if entry.info.kind == kind)
        raise SettingsError(f"{function_id} is a {found}, not a {kind}", advice=f"Those of that kind are: {others or 'none'}.")
    return load_function(folder, function_id, threads=threads)


def sent(image: Image.Image) -> str:
    """A picture as base64 of a file without loss: BMP, which costs a copy; PNG where it has more than eight bits."""
    held = io.BytesIO()
    if image.mode in _PLAIN_MODES:
        image.convert("RGB").save(held, "BMP")
    elif image.mode == "F":
        raise ValueError("a picture of floating-point values has no brightest and no darkest one: it cannot be looked at")
    else:  # I;16 and its relatives; 32 bits hold what 16 can
        deep = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        Image.fromarray(deep).save(held, "PNG", compress_level=1)
    return base64.b64encode(held.getvalue()).decode()
