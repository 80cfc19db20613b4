"""What a client of an iMagine module sends besides the image: read, checked, and refused where it cannot be done.

Names, defaults' meaning and messages are those of the YOLO base module (ai4os-yolo-torch, `PredArgsSchema`) and of the FlowCam module
(phyto-plankton-classification), as DEEPaaS 2.6 with webargs answers them: 422 and `{"argument": ["message"]}`.
A value that a module would take and this appliance cannot honour is refused in the same way, never passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from edge.errors import EdgeError
from models.manifest import Manifest, Task

Media = Literal["application/json", "image/png"]
Shape = Literal["yolo", "flowcam"]
T = TypeVar("T")
Raw = Mapping[str, Sequence[str]]

TASK_TYPES: dict[Task, tuple[str, ...]] = {"detect": ("det",), "segment": ("seg", "det"), "classify": ("cls",)}
FILE_FIELDS = ("files", "input", "image", "data")
ZIP_FIELDS = ("zip", "zip_data")
FLOWCAM_FIELDS = ("image", *ZIP_FIELDS)
MISSING = "Missing data for required field."
_TRUE = frozenset({"t", "true", "1", "on", "y", "yes"})
_FALSE = frozenset({"f", "false", "0", "off", "n", "no"})


class ArgumentsError(EdgeError):
    """Arguments of a prediction that cannot be taken; `messages` are by the name of the argument."""

    code: ClassVar[str] = "bad_arguments"
    default_advice: ClassVar[str] = "The arguments of each model stand in /swagger.json and on the page /api."

    def __init__(self, messages: Mapping[str, Any]) -> None:
        super().__init__(json.dumps(messages))
        self.messages = messages


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictArguments:
    """How to predict, and how to answer.

    Attributes:
        score: objects at or above it are answered.
        iou: boxes of one class that overlap more are one object.
        classes: indices of the classes to answer; None: all.
        media: what the answer is.
        ignored: names of arguments that no module here knows; DEEPaaS passes over such, and so do we, but tell.
    """

    score: float
    iou: float
    classes: frozenset[int] | None
    show_labels: bool
    show_conf: bool
    show_boxes: bool
    media: Media
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came with a call: the argument that carried it, its name there, and its bytes."""

    argument: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An argument as Swagger 2.0 tells it; `swagger` is the part of it beyond name and description."""

    name: str
    description: str
    swagger: Mapping[str, Any]


def media_of(manifest: Manifest) -> tuple[Media, ...]:
    """What answers a model can give: JSON, and a picture with boxes where it finds boxes."""
    return ("application/json",) if manifest.task == "classify" else ("application/json", "image/png")


def arguments_of(manifest: Manifest) -> tuple[Argument, ...]:
    """The arguments that a model takes besides the files, for the description of its route."""
    spec, thresholds = manifest.input, manifest.thresholds
    accept = Argument(
        name="accept",
        description="Media type of the answer; the header Accept says the same.",
        swagger={"type": "string", "default": "application/json", "enum": [*media_of(manifest), "*/*"]},
    )
    task = Argument(
        name="task_type",
        description="What the model does; another model is another route.",
        swagger={"type": "string", "default": TASK_TYPES[manifest.task][0], "enum": list(TASK_TYPES[manifest.task])},
    )
    size = Argument(
        name="imgsz",
        description=f"Height and width of the network's input, which is fixed: {spec.height_px}, {spec.width_px}.",
        swagger={**_INTEGERS, "default": [spec.height_px, spec.width_px], "maxItems": 2},
    )
    model = Argument(
        name="model",
        description="Version of the model; only the one that serves can be asked for.",
        swagger={"type": "string", "default": manifest.version},
    )
    if manifest.task == "classify":
        return model, task, size, accept
    return (
        model,
        task,
        size,
        Argument(name="conf", description="Score from which on an object is answered.", swagger=_fraction(thresholds.score)),
        Argument(name="iou", description="Overlap (IoU) above which two boxes are one object.", swagger=_fraction(thresholds.nms_iou)),
        Argument(name="classes", description="Indices of the classes to answer; none: all.", swagger={**_INTEGERS, "x-nullable": True}),
        Argument(name="show_labels", description="Write the class beside each box of a picture.", swagger=_BOOLEAN),
        Argument(name="show_conf", description="Write the score beside each box of a picture.", swagger=_BOOLEAN),
        Argument(name="show_boxes", description="Draw the boxes of a picture.", swagger=_BOOLEAN),
        accept,
    )


def read_arguments(raw: Raw, manifest: Manifest, *, accept_header: str = "") -> PredictArguments:
    """The arguments of a call.

    Args:
        raw: every value of each argument, of the query and of the form; empty texts count as not given.
        accept_header: the header `Accept`, which an argument of that name overrules.

    Raises:
        ArgumentsError: with a message for each argument that is wrong or cannot be honoured.
    """
    reader = _Reader({name: [value for value in values if value.strip()] for name, values in raw.items()})
    thresholds = manifest.thresholds
    score = reader.one("conf", _to_fraction, thresholds.score)
    iou = reader.one("iou", _to_fraction, thresholds.nms_iou)
    classes = reader.many("classes", _to_integer)
    show_labels = reader.one("show_labels", _to_boolean, default=True)
    show_conf = reader.one("show_conf", _to_boolean, default=True)
    show_boxes = reader.one("show_boxes", _to_boolean, reader.one("boxes", _to_boolean, default=True))
    media = reader.media(media_of(manifest), accept_header)
    _refuse_what_cannot_be(reader, manifest, classes)
    if reader.messages:
        raise ArgumentsError(reader.messages)
    return PredictArguments(
        score=score,
        iou=iou,
        classes=None if classes is None else frozenset(classes),
        show_labels=show_labels,
        show_conf=show_conf and show_labels,  # as the base module says: without labels no scores
        show_boxes=show_boxes,
        media=media,
        ignored=tuple(sorted(set(raw) - reader.asked - set(FILE_FIELDS) - set(ZIP_FIELDS))),
    )


def _refuse_what_cannot_be(reader: _Reader, manifest: Manifest, classes: Sequence[int] | None) -> None:
    names = TASK_TYPES[manifest.task]
    task = reader.one("task_type", str, names[0])
    if task not in names:
        reader.refuse("task_type", f"This model does {' or '.join(names)}, not {task}; GET /v2/models/ lists the others.")
    spec = manifest.input
    size = reader.many("imgsz", _to_integer)
    if size is not None and len(size) > 2:
        reader.refuse("imgsz", "Longer than maximum length 2.")
    elif size is not None and list(size) not in ([spec.height_px, spec.width_px], [max(spec.height_px, spec.width_px)]):
        reader.refuse("imgsz", f"The network's input is fixed: {spec.height_px}, {spec.width_px} (height, width).")
    version = reader.one("model", str, manifest.version)
    if version not in (manifest.version, f"{manifest.name}@{manifest.version}"):
        reader.refuse("model", f"Version {manifest.version} serves; activate another one on the Models page.")
    for name, reason in _NOT_HERE.items():
        if reader.one(name, _to_boolean, default=False):
            reader.refuse(name, reason)
    wrong = [index for index in classes or () if not 0 <= index < len(manifest.labels)]
    if wrong:
        reader.refuse("classes", f"No class has the index {wrong[0]}; they run from 0 to {len(manifest.labels) - 1}.")


_NOT_HERE = {
    "mlflow_fetch": "This appliance works without a network: models come as packs.",
    "augment": "An image is looked at once, as it is.",
}
_INTEGERS: dict[str, Any] = {"type": "array", "collectionFormat": "multi", "items": {"type": "integer", "format": "int32"}}
_BOOLEAN: dict[str, Any] = {"type": "boolean", "default": True}


def _fraction(default: float) -> dict[str, Any]:
    return {"type": "number", "format": "float", "minimum": 0, "maximum": 1, "default": default}


class _Reader:
    """Takes values by name and collects what is wrong with them."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.asked: set[str] = set()
        self.messages: dict[str, Any] = {}

    def refuse(self, name: str, message: str) -> None:
        self.messages.setdefault(name, [message])

    def one(self, name: str, convert: Callable[[str], T], default: T) -> T:
        self.asked.add(name)
        values = self._raw.get(name, ())
        if not values:
            return default
        try:
            return convert(values[0].strip())
        except ValueError as error:
            self.refuse(name, str(error))
            return default

    def many(self, name: str, convert: Callable[[str], T]) -> list[T] | None:
        """A list, given as repeated values, as "0,2" or as "[0, 2]"; None where it was not given."""
        self.asked.add(name)
        parts = [part.strip() for value in self._raw.get(name, ()) for part in value.strip().removeprefix("[").removesuffix("]").split(",")]
        if not parts or parts == ["null"]:
            return None
        taken: list[T] = []
        for place, part in enumerate(parts):
            try:
                taken.append(convert(part))
            except ValueError as error:
                self.messages.setdefault(name, {})[str(place)] = [str(error)]
        return taken

    def media(self, possible: tuple[Media, ...], header: str) -> Media:
        """The first of those that are possible which the caller takes."""
        self.asked.add("accept")
        wanted = self._raw.get("accept") or [part.split(";")[0].strip() for part in header.split(",")]
        for media in (part.strip().lower() for part in wanted if part.strip()):
            if media in ("*/*", "application/*"):
                return possible[0]
            for name in possible:
                if media in (name, f"{name.split('/', maxsplit=1)[0]}/*"):
                    return name
        if any(part.strip() for part in wanted):
            self.refuse("accept", f"Must be one of: {', '.join((*possible, '*/*'))}.")
        return possible[0]


def _to_fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("Not a valid number.") from None
    if not math.isfinite(value):
        raise ValueError("Special numeric values (nan or infinity) are not permitted.")
    if not 0 <= value <= 1:
        raise ValueError("Must be greater than or equal to 0 and less than or equal to 1.")
    return value


def _to_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("Not a valid integer.") from None


def _to_boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("Not a valid boolean.")
