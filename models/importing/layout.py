"""Which of the known layouts a model has: from the shapes of its input and outputs, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from models.importing.facts import Detected, FileFacts, ImportOptions, ImportRefusedError
from models.importing.metadata import MAX_NAME_CHARACTERS, read_input_px, read_labels, read_stride_px, told
from models.manifest import Head, Task

_MIN_SIDE_PX, _MAX_SIDE_PX = 32, 8192
_KNOWN = (
    "Known are YOLOv8 and YOLO11 (4 + classes, candidates), end-to-end YOLOv10 and YOLO26 (candidates, 6), their segmentations, and "
    "classifications (classes)."
)
_PROTOTYPE_STRIDE = 4

Shape = Sequence[int]


def input_size(facts: FileFacts, options: ImportOptions) -> tuple[int, int]:
    """(width, height) of the network's input in pixels.

    Raises:
        ImportRefusedError: it takes no single colour image in float32, or nothing says how large.
    """
    source = facts.source
    if source.element != "float32":
        advice = "Export it without `half` and without quantisation; the appliance makes smaller variants itself."
        raise ImportRefusedError(f"its input {source.name} is {source.element}, not float32", advice=advice)
    if len(source.shape) != 4:
        raise ImportRefusedError(f"its input has the shape {source.told}, not [1, 3, height, width]")
    batch, channels, height_px, width_px = source.shape
    if channels not in {3, None}:
        hint = "its channels come last; export it with the channels first" if width_px == 3 else "only colour images are given to a model"
        raise ImportRefusedError(f"its input has the shape {source.told}: {hint}")
    if batch not in {1, None}:
        raise ImportRefusedError(f"it takes {batch} images at once", advice="Export it with batch=1.")
    return _chosen_size((width_px, height_px), facts, options)


def _chosen_size(fixed: tuple[int | None, int | None], facts: FileFacts, options: ImportOptions) -> tuple[int, int]:
    said = options.input_px or read_input_px(facts.metadata)
    if said is None and None in fixed:
        advice = "Say it with --input WIDTHxHEIGHT: the size that it was trained with, such as 640x640."
        raise ImportRefusedError("it takes images of any size and does not say which", advice=advice)
    if options.input_px is not None:
        check_size(options.input_px, read_stride_px(facts.metadata))
    chosen = tuple(have if have is not None else want for have, want in zip(fixed, said or (0, 0), strict=True))
    if options.input_px not in {None, chosen}:
        raise ImportRefusedError(
            f"its input is fixed at {chosen[0]}x{chosen[1]}, --input says {options.input_px[0]}x{options.input_px[1]}",
            advice="Leave --input away, or export the model again in the size that you want.",
        )
    width_px, height_px = chosen
    if not (_MIN_SIDE_PX <= width_px <= _MAX_SIDE_PX and _MIN_SIDE_PX <= height_px <= _MAX_SIDE_PX):
        raise ImportRefusedError(f"an input of {width_px}x{height_px} px is outside {_MIN_SIDE_PX} to {_MAX_SIDE_PX} px")
    return width_px, height_px


def check_size(input_px: tuple[int, int], stride_px: int) -> None:
    """Refuse a size that the network's stages cannot halve evenly.

    Raises:
        ImportRefusedError: a side is no multiple of the stride.
    """
    if any(side % stride_px for side in input_px):
        nearest = "x".join(str(max(1, round(side / stride_px)) * stride_px) for side in input_px)
        advice = f"Say --input {nearest}."
        raise ImportRefusedError(f"--input {input_px[0]}x{input_px[1]}: both sides must be multiples of {stride_px}", advice=advice)


def detect_layout(facts: FileFacts, outputs: Sequence[Shape], input_px: tuple[int, int], options: ImportOptions) -> Detected:
    """Task, head and labels.

    Args:
        outputs: shapes of what the model really returned for one image.

    Raises:
        ImportRefusedError: the layout is none of those known, or contradicts what the file or the person says.
    """
    wanted = _wanted_task(facts.metadata, options)
    known_labels = options.labels or read_labels(facts.metadata)
    shapes = ", ".join(str(list(shape)) for shape in outputs)
    head = _head(outputs, input_px, len(known_labels))
    if head is None:
        raise ImportRefusedError(f"its outputs {shapes} have no layout that is known", advice=_KNOWN)
    task: Task = "classify" if head == "classify" else "segment" if head.endswith("_seg") else "detect"
    if wanted not in {None, task}:
        raise ImportRefusedError(f"it is said to {wanted}, but its outputs {shapes} are those of a model that does {task}", advice=_KNOWN)
    labels = _labels(known_labels, _class_count(head, outputs), is_said=bool(options.labels))
    unknown = sorted(set(options.aphia_ids) - set(labels))
    if unknown:
        raise ImportRefusedError(f"--aphia names {unknown[0]!r}, which is no label of it", advice=f"Its labels: {', '.join(labels[:20])}.")
    return Detected(task=task, head=head, labels=labels, input_px=input_px)


def _wanted_task(metadata: Mapping[str, str], options: ImportOptions) -> str | None:
    said = told(metadata, "task")
    if said and said not in get_args(Task):
        advice = "Boxes (detect), segmentations (segment) and whole images (classify) are what the appliance works with."
        raise ImportRefusedError(f"it does the task {said!r}, which the appliance does not", advice=advice)
    if said and options.task not in {None, said}:
        raise ImportRefusedError(f"--task says {options.task}, the file itself says {said}", advice="Leave --task away.")
    return options.task or said or None


def _head(outputs: Sequence[Shape], input_px: tuple[int, int], label_count: int) -> Head | None:
    """The head whose layout the outputs have; `label_count` is 0 where nobody said it."""
    candidates = [shape for shape in outputs if len(shape) == 3 and shape[0] == 1]
    prototypes = [shape for shape in outputs if len(shape) == 4 and shape[0] == 1]
    if len(outputs) == 1 and len(outputs[0]) == 2:
        return "classify" if outputs[0][0] == 1 and outputs[0][1] >= 2 else None
    if len(outputs) == 1 and candidates:
        return _boxes_head(candidates[0], 0, label_count)
    if len(outputs) == 2 and candidates and prototypes:
        width_px, height_px = input_px
        if tuple(prototypes[0][2:]) != (height_px // _PROTOTYPE_STRIDE, width_px // _PROTOTYPE_STRIDE):
            return None
        head = _boxes_head(candidates[0], prototypes[0][1], label_count)
        return None if head is None else "yolo_v8_seg" if head == "yolo_v8" else "yolo_end2end_seg"
    return None


def _boxes_head(shape: Shape, masks: int, label_count: int) -> Head | None:
    _, rows, columns = shape
    if columns == 6 + masks and rows > columns:
        return "yolo_end2end"
    if label_count and columns == 5 + label_count + masks and rows > columns:
        raise ImportRefusedError(
            f"its output {list(shape)} is that of YOLOv5 or YOLOv7, which give a score for 'any object' besides the classes",
            advice="Train a YOLOv8 or YOLO11 model, or one of ultralytics' own YOLOv5u, on the same images. " + _KNOWN,
        )
    return "yolo_v8" if rows > 4 + masks and columns > rows else None


def _class_count(head: Head, outputs: Sequence[Shape]) -> int | None:
    """How many classes the outputs have; None for an end-to-end model, which does not show it."""
    if head == "classify":
        return outputs[0][1]
    if head.startswith("yolo_end2end"):
        return None
    masks = sum(shape[1] for shape in outputs if len(shape) == 4)
    return next(shape[1] for shape in outputs if len(shape) == 3) - 4 - masks


def _labels(labels: tuple[str, ...], count: int | None, *, is_said: bool) -> tuple[str, ...]:
    source = "--labels gives" if is_said else "the file names"
    if not labels:
        told_count = "its classes" if count is None else f"its {count} classes"
        raise ImportRefusedError(
            f"the file does not say what {told_count} are called",
            advice="Say it with --labels: names with commas, or a file of one per line.",
        )
    if count is not None and len(labels) != count:
        advice = "Give --labels, one for each class, in the order of the training."
        raise ImportRefusedError(f"{source} {len(labels)} labels, the model has {count} classes", advice=advice)
    unfit = [label for label in labels if len(label) > MAX_NAME_CHARACTERS or not label.isprintable()]
    if unfit:
        advice = f"Give --labels, each one line of at most {MAX_NAME_CHARACTERS} characters."
        raise ImportRefusedError(f"{source} a label that is no name: {unfit[0][:40]!r}", advice=advice)
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ImportRefusedError(f"{source} {twice[0]!r} twice", advice="Give --labels with a name of its own for each class.")
    return labels
