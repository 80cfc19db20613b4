"""What every function of the bridge is: what it says of itself, and a call with a document that came over the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from edge.errors import EdgeError

FunctionKind = Literal["detector", "tracker", "interactor", "reid"]
ShapeType = Literal["rectangle", "polygon", "mask", "tag"]


class BadCallError(EdgeError):
    """A call that cannot be answered: what came is no image, no box, no state of ours, or lacks something."""

    code: ClassVar[str] = "bad_call"
    exit_code: ClassVar[int] = 4
    default_advice: ClassVar[str] = "Look at the Annotate page: it names the last calls that failed, with the reason of each."


class UnknownFunctionError(EdgeError):
    """There is no function of that name."""

    code: ClassVar[str] = "unknown_function"
    exit_code: ClassVar[int] = 4
    default_advice: ClassVar[str] = "Reload the list of models in CVAT: the pack was removed, or is not installed on this appliance."


class FunctionFailedError(EdgeError):
    """A function failed on our side: its model, its process or its memory."""

    code: ClassVar[str] = "function_failed"
    default_advice: ClassVar[str] = "Look at the Annotate page and at the log; try again, or let another model serve."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of a label, as CVAT knows them; `values` are those to choose from, of a number least, greatest and step."""

    name: str
    input_type: Literal["text", "number", "select", "checkbox"]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A class that a function may answer with."""

    name: str
    shape: ShapeType
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """What a function says of itself.

    Attributes:
        id: its name on the wire, of letters, digits and `_.-`.
        title: what people see.
        description: one or two sentences, with model, version and precision where it has one.
        labels: of a detector; empty for the others.
        help: what a person does with it, in a sentence.
        pack: name and version of its model pack, such as "burrow-openings-starter@1.1.0"; empty for a method without a model.
        min_pos_points, min_neg_points: clicks that an interactor needs at least; -1: none are used.
        starts_with_box: an interactor that may begin from a box.
    """

    id: str
    kind: FunctionKind
    title: str
    description: str
    labels: tuple[Label, ...] = ()
    help: str = ""
    pack: str = ""
    min_pos_points: int = 1
    min_neg_points: int = 0
    starts_with_box: bool = False


@dataclass(frozen=True, slots=True)
class RawJson:
    """An answer that is JSON text already: a mask of two million numbers takes a hundred times as long through `json`.

    Attributes:
        data: one JSON document, UTF-8.
    """

    data: bytes

    def document(self) -> Any:
        """What it says, read again."""
        return json.loads(self.data)


def answer_bytes(answer: Any) -> bytes:
    """What `Function.invoke` returned, as the bytes that go over the wire.

    Raises:
        ValueError: a NaN or an infinity: neither is JSON.
        TypeError: what JSON cannot hold.
    """
    if isinstance(answer, RawJson):
        return answer.data
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()


class Function(Protocol):
    """A function that is ready to be called, from several threads at once."""

    @property
    def info(self) -> FunctionInfo:
        """What it says of itself."""

    def invoke(self, payload: Mapping[str, Any]) -> Any:
        """Answer a call.

        Args:
            payload: the document of the call; nothing in it was checked but that it is a JSON object.

        Returns:
            What goes back as JSON: valid, clipped to the image, without NaN; a `RawJson` where it is JSON text already. `answer_bytes`
            makes the bytes of either.

        Raises:
            BadCallError: the call cannot be answered as it is.
            ModelError: a model failed or returned what it does not promise.
        """
