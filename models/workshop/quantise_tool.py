"""The tool behind `imagine-edge models quantise`: `python -m models.workshop.quantise_tool REQUEST.json`.

    {"action": "quantise", "source": "model.xml", "target": "int8.xml", "images": [..], "input": {..}, "keep_float": "box arithmetic",
     "also_float": [..], "full_range": false}         -> {"int8_layers": [..], "float_layers": [..]}
    {"action": "rank", "source": "model.xml", "images": [..], "input": {..}}  -> {"layers": [{"name", "gain"}], "kept_float": ..}

`input` is the manifest's `InputSpec`. Answers and steps are those of `models.workbench`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.manifest import InputSpec
from models.workbench import Reporter, main_of
from models.workshop.quantise import KeepFloat, quantise
from models.workshop.sensitivity import rank_request


def main(argv: list[str] | None = None) -> int:
    """Do what the request file asks for; returns the exit code."""
    (path,) = sys.argv[1:] if argv is None else argv
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    return main_of(lambda reporter: answer(request, reporter))


def answer(request: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """The result of a request.

    Raises:
        EdgeError: as `quantise` and `rank_layers`.
    """
    if request["action"] == "rank":
        return rank_request(request, lambda done, of: reporter.step("ranking layers", done, of))
    images = [Path(image) for image in request["images"]]
    quantised = quantise(
        Path(request["source"]),
        Path(request["target"]),
        images,
        keep_float=KeepFloat(request["keep_float"]),
        also_float=request["also_float"],
        spec=InputSpec.model_validate(request["input"]),
        full_range=request["full_range"],
        on_image=lambda count: reporter.step("calibrating", min(count, len(images)), len(images)),
    )
    return asdict(quantised)


if __name__ == "__main__":
    sys.exit(main())
