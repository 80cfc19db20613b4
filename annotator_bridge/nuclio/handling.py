"""What runs inside of a deployed function: one function, opened once by each worker, and the answer to an event.

Nuclio itself is not imported: `main.py` of the folder passes what it has.
"""

from __future__ import annotations

import json
import os
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

from annotator_bridge.functions.function import BadCallError, Function, answer_bytes
from edge.errors import EdgeError

FACTS_NAME = "function.json"
HOME_NAME = "home"
MAX_PIXELS_NAME = "IMAGINE_EDGE_MAX_PIXELS"
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status and JSON of an answer; `trouble` is for the log of the function, empty where all went well."""

    status: int
    body: str
    trouble: str = ""


def open_function(folder: Path) -> Function:
    """The function of a generated folder: of the pack that lies in it, or the method that it names.

    Raises:
        EdgeError: its pack is damaged, or no variant of it works on this machine.
    """
    facts = json.loads((folder / FACTS_NAME).read_text("utf-8"))
    max_pixels = int(os.environ.get(MAX_PIXELS_NAME, _MAX_PIXELS))
    if facts["method"]:
        module, _, name = facts["method"].partition(":")
        return cast("Function", getattr(import_module(module), name)(max_pixels=max_pixels))
    load = import_module("annotator_bridge.functions.catalogue").load_function
    return cast("Function", load(folder / HOME_NAME, facts["id"], threads=1, max_pixels=max_pixels))


def reply(function: Function, body: Any) -> Reply:
    """The answer to an event whose body is `body`: what Nuclio made of the JSON, or the bytes that it could not read as such."""
    if isinstance(body, (bytes, bytearray, str)):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return _refused(400, "bad_call", "the call is no JSON document")
    if not isinstance(body, dict):
        return _refused(400, "bad_call", f"the call is a {type(body).__name__}, not a JSON object")
    try:
        return Reply(status=200, body=answer_bytes(function.invoke(body)).decode())
    except BadCallError as error:
        return _refused(400, error.code, str(error))
    except EdgeError as error:
        return _refused(500, error.code, str(error))
    except Exception as error:  # noqa: BLE001 (the event's border: one call that fails must not end the worker)
        return _refused(500, "function_failed", f"{type(error).__name__}: {error}", trouble=traceback.format_exc())


def _refused(status: Literal[400, 500], code: str, reason: str, *, trouble: str = "") -> Reply:
    return Reply(status=status, body=json.dumps({"code": code, "reason": reason}), trouble=trouble or f"{code}: {reason}")
