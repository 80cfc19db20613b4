"""Read what files say of themselves, in the words of ultralytics' exports. It is data: nothing of it is evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from models.importing.facts import ImportRefusedError

MAX_NAME_CHARACTERS = 200
_MAX_LITERAL_CHARACTERS = 1_000_000
_DEFAULT_STRIDE_PX = 32
_ABSOLUTE_PATH = re.compile(r"^(?:[A-Za-z]:|~)?[/\\].*[/\\](?=[^/\\])|^(?:[A-Za-z]:|~)?[/\\](?=[^/\\])")


def read_labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The labels in the order of their numbers; empty if the file does not say.

    Raises:
        ImportRefusedError: what it says is no list of names.
    """
    if "names" in metadata:
        names = _literal(metadata["names"])
        if isinstance(names, dict):
            numbered = {str(key): value for key, value in names.items()}
            names = [numbered.get(str(number)) for number in range(len(numbered))]
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise ImportRefusedError(
                "the labels that it names cannot be read", advice="Give them with --labels, in the order of the classes."
            )
        return tuple(names)
    # OpenVINO's Model API joins labels with blanks, after it put underscores for the blanks in each.
    return tuple(label.replace("_", " ") for label in metadata.get("labels", "").split())


def read_input_px(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(width, height) that the file was trained or exported for; ultralytics' `imgsz` is a side, or [height, width]."""
    sides = [int(number) for number in re.findall(r"\d{1,5}", metadata.get("imgsz", ""))]
    if len(sides) == 1:
        return sides[0], sides[0]
    return (sides[1], sides[0]) if len(sides) == 2 else None


def read_stride_px(metadata: Mapping[str, str]) -> int:
    """What the input's sides must be multiples of."""
    numbers = [int(number) for number in re.findall(r"\d{1,4}", metadata.get("stride", ""))]
    return max(numbers, default=0) or _DEFAULT_STRIDE_PX


def told(metadata: Mapping[str, str], key: str) -> str:
    """One entry as a line of plain text, shortened; empty if it is not there.

    Of a path on the machine that trained, which ultralytics writes into its description, only the last part stays.
    """
    line = " ".join("".join(character if character.isprintable() else " " for character in metadata.get(key, "")).split())
    return " ".join(_ABSOLUTE_PATH.sub("", word) for word in line.split())[:MAX_NAME_CHARACTERS]


def read_training_data(metadata: Mapping[str, str]) -> str:
    """The name of the data set that it says it was trained on; empty if it does not say."""
    if data := told(metadata, "data"):
        return data
    found = re.search(r"trained on (\S+)", told(metadata, "description"))
    return found.group(1) if found else ""


def _literal(text: str) -> object:
    if len(text) > _MAX_LITERAL_CHARACTERS:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
