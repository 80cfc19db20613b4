"""The card of a model that was brought from elsewhere: what the file says of itself, what was found out here, what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """What a card tells.

    Attributes:
        claims: (what, said) pairs in the file's own words.
        variants: (name, precision, largest score difference to the first) triples.
        golden_objects: per golden the number of objects that are counted in it.
        golden_source: where the golden images come from, such as "rendered scenes of burrow openings".
    """

    title: str
    file_name: str
    file_sha256: str
    imported_utc: str
    software: str
    task: str
    head: str
    labels: Sequence[str]
    input_px: tuple[int, int]
    fit: str
    threshold: float
    licence: str
    claims: Sequence[tuple[str, str]]
    variants: Sequence[tuple[str, str, float]]
    golden_objects: Sequence[int]
    golden_source: str
    images_tried: int
    warnings: Sequence[str]


_TASKS = {
    "detect": "finds objects and draws a box around each",
    "segment": "finds objects and draws a box around each; the outlines that it could give are not kept by this version",
    "classify": "says of a whole image which class it shows",
    "prompt": "outlines what was clicked",
}
_FITS = {
    "letterbox": "scaled to fit, with grey borders",
    "crop": "scaled so that the shorter side fits, its middle cut out",
}
_SHOWN_LABELS = 100
_NEXT_STEPS = """## Before it is used

Evaluate it on labelled images that it was not trained on, and put what came out into a pack of the next version:

    imagine-edge models evaluate PACK --data DATASET

Find out under what licence its weights and the images it learned from may be used and passed on.
"""


def imported_card(model: ImportedModel) -> str:
    """The card as Markdown."""
    parts = [_head(model), _claims(model), _found_out(model), _goldens(model), _NEXT_STEPS]
    if model.warnings:
        parts.append("## Warnings at the import\n\n" + "".join(f"* {_plain(warning)}\n" for warning in model.warnings))
    return "\n".join(parts)


def _head(model: ImportedModel) -> str:
    return (
        f"# {_plain(model.title)}\n\n"
        f"Imported from `{_plain(model.file_name)}` (SHA-256 `{model.file_sha256}`) on {model.imported_utc} with {model.software}.\n\n"
        "**Not evaluated yet.** Nobody has measured on labelled images what this pack finds and misses. Do not report its counts.\n"
    )


def _claims(model: ImportedModel) -> str:
    lines = ["## What the file says of itself", "", "Nothing of this was checked.", ""]
    lines.append(f"* licence: {_plain(model.licence)}")
    lines += [f"* {what}: {_plain(said)}" for what, said in model.claims]
    return "\n".join(lines) + "\n"


def _found_out(model: ImportedModel) -> str:
    width_px, height_px = model.input_px
    shown = ", ".join(_plain(label) for label in model.labels[:_SHOWN_LABELS])
    more = f" and {len(model.labels) - _SHOWN_LABELS} more" if len(model.labels) > _SHOWN_LABELS else ""
    lines = [
        "## What was found out at the import",
        "",
        f"It {_TASKS[model.task]} (task `{model.task}`, head `{model.head}`).",
        f"An image is {_FITS[model.fit]}: {width_px} x {height_px} px (w x h), RGB, 0 to 1.",
        f"Labels ({len(model.labels)}): {shown}{more}.",
        f"Counting threshold {model.threshold:g}: chosen by habit or by hand, not measured.",
        "",
        "| variant | precision | largest score difference to the first, over every candidate of every image tried |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {name} | {precision} | {difference:.4f} |" for name, precision, difference in model.variants]
    return "\n".join(lines) + "\n"


def _goldens(model: ImportedModel) -> str:
    told = ", ".join(str(count) for count in model.golden_objects)
    text = (
        "## Goldens\n\n"
        f"{len(model.golden_objects)} of {model.images_tried} images tried, from {_plain(model.golden_source)}; these images travel with "
        f"the pack. Objects counted in them: {told}.\n"
    )
    if model.task != "classify" and not any(model.golden_objects):
        text += "They hold no object, so they prove little: import again with `--images` and pictures of what the model is for.\n"
    return text


def _plain(text: str) -> str:
    """Text of others as text: no markup, no line of its own."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return "".join(f"\\{character}" if character in "\\`*_[]<>#|!" else character for character in line)
