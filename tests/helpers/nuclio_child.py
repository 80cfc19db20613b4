"""Call the handler of a function folder as Nuclio's Python wrapper does, in a process that sees that folder and no checkout.

    python nuclio_child.py FOLDER CALLS RESULTS

CALLS is a JSON list of {"body": base64, "content_type"}; RESULTS becomes {"replies": [...], "modules": {name: file}}.
"""

import base64
import importlib
import json
import sys
from pathlib import Path

folder, calls_path, results_path = sys.argv[1:]
OWN = ("annotator_bridge", "edge", "models")
# The editable install of the checkout must not help out: neither its finder nor its path.
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
sys.path[:] = [folder, *(entry for entry in sys.path if entry and not (Path(entry) / "pyproject.toml").is_file() and entry != sys.path[0])]

import nuclio_sdk  # noqa: E402
from nuclio_sdk.event import EventDeserializerKinds  # noqa: E402
from nuclio_sdk.test import Platform  # noqa: E402


def event_of(call: dict[str, str]) -> nuclio_sdk.Event:
    """As it comes from the processor: MessagePack, not parsed yet."""
    told = {
        b"body": base64.b64decode(call["body"]),
        b"content_type": call["content_type"].encode(),
        b"trigger": {b"kind": b"http", b"name": b"myHttpTrigger"},
        **dict.fromkeys((b"fields", b"headers", b"id", b"method", b"path", b"url", b"type", b"type_version", b"version"), b""),
        **dict.fromkeys((b"size", b"timestamp", b"shard_id", b"num_shards"), 0),
    }
    event: nuclio_sdk.Event = EventDeserializerKinds.msgpack_raw.value.deserialize(told)
    return event


handler = importlib.import_module("main").handler
platform = Platform()
replies = [
    nuclio_sdk.Response.from_entrypoint_output(json.dumps, platform.call_handler(handler, event_of(call)))
    for call in json.loads(Path(calls_path).read_text())
]
loaded = {name: str(module.__file__) for name, module in list(sys.modules.items()) if name.split(".")[0] in OWN}
Path(results_path).write_text(json.dumps({"replies": replies, "modules": loaded}))
