"""From a model file to a pack folder: `import_model` is the whole way, step by step.

    1. a checkpoint (`.pt`) becomes ONNX in the workshop, which alone may unpickle it
    2. a first look at the file, without running anything of it
    3. the input's size; the files of the variants; what they return for one image
    4. task, head and labels from the shapes of that
    5. a trial on images: the variants must agree; the goldens come from it
    6. card and manifest; the pack appears whole or not at all

Steps 2, 3 and 5 handle a file that nobody vouches for and run in child processes.
"""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from edge.errors import DiskFullError
from models.assemble import PackExistsError, assemble_pack
from models.card import ImportedModel, imported_card
from models.importing.checkpoint import export_checkpoint
from models.importing.child import work_apart
from models.importing.convert import Converted, VariantFiles, convert, examine
from models.importing.facts import Detected, FileFacts, Form, ImportOptions, ImportRefusedError
from models.importing.layout import detect_layout, input_size
from models.importing.metadata import read_training_data, told
from models.importing.pictures import Pictures, pictures_of
from models.importing.trial import Trial, try_pack
from models.manifest import InputSpec, Manifest, Thresholds
from models.pack import Pack, hash_file, write_pack
from models.runtime.negotiate import SAME_SCORES
from models.workbench import OnProgress, Step

_FORMS: dict[str, Form] = {".onnx": "onnx", ".xml": "ir"}
_LOOK_TIMEOUT_S, _WORK_TIMEOUT_S = 180.0, 900.0
_STEPS = ("checkpoint", "first look", "conversion", "trial on images", "pack")
_CLAIMED = ("description", "author", "date", "version", "docs", "task", "imgsz", "producer", "model_type", "epochs", "base")
_CARD = "MODEL_CARD.md"
_PROVISIONAL = "provisional"
_NOT_STATED = "not stated"
_SAYS_NOTHING = frozenset(("best", "last", "model", "weights", "yolo"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A pack that was made, what was detected, and what the person should know."""

    pack: Pack
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """A scratch folder and what was brought: `source` is the ONNX or IR file, `original` what the person named."""

    folder: Path
    original: Path
    source: Path
    form: Form
    reference: Path | None
    claims: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Everything that is known when the pack is written."""

    work: _Work
    facts: FileFacts
    draft: dict[str, Any]
    converted: Converted
    pictures: Pictures
    trial: Trial
    warnings: tuple[str, ...]

    @property
    def kept(self) -> list[VariantFiles]:
        """The variants that agree with the first."""
        return [variant for variant in self.converted.variants if variant.name not in self.trial.refused]


def import_model(
    path: Path, out: Path | None, options: ImportOptions, *, images: Path | None, workshop: Path | None, on_step: OnProgress | None = None
) -> Imported:
    """Make a pack of a model file.

    Args:
        out: the pack folder to make; None takes `<name>-<version>` in the current folder.
        images: folder of pictures to try it on; None renders scenes.
        workshop: the workshop's Python as the settings name it, for a checkpoint.

    Raises:
        ImportRefusedError: the file cannot become a pack, with what would help.
        PackExistsError: something lies already where the pack should go.
        WorkshopMissingError, ToolError: a checkpoint, and no workshop, or one that refused it.
        DiskFullError: no room for the pack, or for the files on the way to it.
    """
    try:
        return _import(path, out, options, images, workshop, on_step or _nobody_listens)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(
                f"no room for the pack: {error}", advice="Free space there or in the folder for temporary files."
            ) from error
        raise ImportRefusedError(f"the pack cannot be written: {error}", advice="Name another folder with --out.") from error


def _import(  # noqa: PLR0917 - the arguments of import_model, handed on
    path: Path, out: Path | None, options: ImportOptions, images: Path | None, workshop: Path | None, say: OnProgress
) -> Imported:
    name = _name(path, options)
    target = out or Path.cwd() / f"{name}-{options.version}"
    if target.exists():
        raise PackExistsError(f"{target} exists already")
    _check_file(path)
    with tempfile.TemporaryDirectory(prefix="imagine-edge-import-") as scratch:
        work = _source(path, Path(scratch), options, workshop, say)
        say(_step(1))
        facts = work_apart(examine, work.source, work.form, doing=f"reading {path.name}", timeout_s=_LOOK_TIMEOUT_S)
        facts = replace(facts, metadata={**facts.metadata, **work.claims})
        input_px = input_size(facts, options)
        say(_step(2))
        converted = work_apart(
            convert, work.source, facts, input_px, work.folder, work.reference, doing=f"converting {path.name}", timeout_s=_WORK_TIMEOUT_S
        )
        detected = detect_layout(facts, converted.outputs, input_px, options)
        draft = _draft(name, options, detected, facts)
        say(_step(3))
        pictures = pictures_of(images, work.folder / "scenes")
        trial = _tried(work, draft, converted, pictures)
        say(_step(4))
        warnings = (*converted.warnings, *_warnings(path, options, detected, facts, trial))
        attempt = _Attempt(work=work, facts=facts, draft=draft, converted=converted, pictures=pictures, trial=trial, warnings=warnings)
        return Imported(pack=_packed(target, attempt), warnings=warnings)


def _nobody_listens(_: Step) -> None:
    pass


def _check_file(path: Path) -> None:
    if path.is_dir():
        advice = "Name the file itself: the .xml of an OpenVINO folder, the .pt of a training run."
        raise ImportRefusedError(f"{path} is a folder", advice=advice)
    if not path.is_file():
        raise ImportRefusedError(f"there is no file {path}", advice="Check the path.")
    if path.suffix.lower() == ".bin":
        raise ImportRefusedError(f"{path.name} holds weights only", advice="Name the .xml that lies beside it.")
    if path.suffix.lower() not in {*_FORMS, ".pt"}:
        advice = "Known are ultralytics' checkpoints (.pt), ONNX (.onnx) and OpenVINO (.xml with its .bin)."
        raise ImportRefusedError(f"{path.name} has an ending that is not known", advice=advice)


def _source(path: Path, folder: Path, options: ImportOptions, workshop: Path | None, say: OnProgress) -> _Work:
    """What the appliance itself can read: the file as it is, or what the workshop made of a checkpoint."""
    if path.suffix.lower() != ".pt":
        form = _FORMS[path.suffix.lower()]
        return _Work(folder=folder, original=path, source=path, form=form, reference=None, claims={})
    say(_step(0))
    exported = export_checkpoint(path, folder, input_px=options.input_px, workshop=workshop)
    return _Work(folder=folder, original=path, source=exported.onnx, form="onnx", reference=exported.reference, claims=exported.claims)


def _draft(name: str, options: ImportOptions, detected: Detected, facts: FileFacts) -> dict[str, Any]:
    """The manifest as far as it is known before the trial."""
    width_px, height_px = detected.input_px
    score = Thresholds().score if options.threshold is None else options.threshold
    licence = _licence(facts)
    data = read_training_data(facts.metadata)
    return {
        "name": name,
        "version": options.version,
        "title": options.title or told(facts.metadata, "description") or name,
        "task": detected.task,
        "head": detected.head,
        "labels": [{"name": label, "aphia_id": options.aphia_ids.get(label)} for label in detected.labels],
        "input": InputSpec(width_px=width_px, height_px=height_px, fit="crop" if detected.task == "classify" else "letterbox").model_dump(
            mode="json"
        ),
        "thresholds": Thresholds(score=score, score_floor=min(score, Thresholds().score_floor)).model_dump(mode="json"),
        "licence": licence if licence == _NOT_STATED else f"{licence} (claimed by the file itself, not checked)",
        "trained_on": f"{data} (named by the file itself)" if data else _NOT_STATED,
        "card": _CARD,
    }


def _tried(work: _Work, draft: dict[str, Any], converted: Converted, pictures: Pictures) -> Trial:
    """The trial runs on a pack of its own that never leaves the scratch folder; its golden stands for those to come."""
    folder = work.folder / _PROVISIONAL
    folder.mkdir()
    (folder / _CARD).write_text("# Provisional\n", encoding="utf-8")
    (folder / "golden.json").write_text("{}\n", encoding="utf-8")
    (folder / "golden.jpg").write_bytes(b"stands for an image")
    for variant in converted.variants:
        for file in variant.files:
            if not (folder / file).exists():
                (work.folder / file).rename(folder / file)
    goldens = [{"image": "golden.jpg", "expected": "golden.json"}]
    write_pack(folder, {**draft, "variants": [_variant(variant) for variant in converted.variants], "goldens": goldens})
    doing = f"trying {work.original.name} on images"
    return work_apart(try_pack, folder, pictures.paths, work.folder, doing=doing, timeout_s=_WORK_TIMEOUT_S)


def _packed(target: Path, attempt: _Attempt) -> Pack:
    kept = attempt.kept
    files: dict[str, Path] = {}
    goldens = []
    for variant in kept:
        files |= {file: attempt.work.folder / _PROVISIONAL / file for file in variant.files}
    for number, golden in enumerate(attempt.trial.goldens, start=1):
        image, expected = f"goldens/image_{number}{golden.image.suffix.lower()}", f"goldens/image_{number}.json"
        files |= {image: golden.image, expected: golden.expected}
        goldens.append({"image": image, "expected": expected})
    variants = [_variant(variant, attempt.trial.score_difference_max[variant.name]) for variant in kept]
    card = attempt.work.folder / _CARD
    card.write_text(_card(attempt), encoding="utf-8")
    return assemble_pack(target, {**attempt.draft, "variants": variants, "goldens": goldens}, {**files, _CARD: card})


def _variant(variant: VariantFiles, difference: float | None = None) -> dict[str, Any]:
    metrics = {} if difference is None else {SAME_SCORES: round(difference, 6)}
    return {
        "name": variant.name,
        "runtime": variant.runtime,
        "precision": variant.precision,
        "files": list(variant.files),
        "metrics": metrics,
    }


def _card(attempt: _Attempt) -> str:
    draft, trial, metadata = attempt.draft, attempt.trial, attempt.facts.metadata
    sha256, _ = hash_file(attempt.work.original.resolve())
    claims = [(key, said) for key in _CLAIMED if (said := told(metadata, key))]
    return imported_card(
        ImportedModel(
            title=draft["title"],
            file_name=attempt.work.original.name,
            file_sha256=sha256,
            imported_utc=f"{datetime.now(UTC):%Y-%m-%d}",
            software=f"imagine-edge {version_of('imagine-edge')}",
            task=draft["task"],
            head=draft["head"],
            labels=[label["name"] for label in draft["labels"]],
            input_px=(draft["input"]["width_px"], draft["input"]["height_px"]),
            fit=draft["input"]["fit"],
            threshold=draft["thresholds"]["score"],
            licence=_licence(attempt.facts),
            claims=[*claims, ("trained on", draft["trained_on"])],
            variants=[(variant.name, variant.precision, trial.score_difference_max[variant.name]) for variant in attempt.kept],
            golden_objects=[golden.objects for golden in trial.goldens],
            golden_source=attempt.pictures.source,
            images_tried=trial.images,
            warnings=attempt.warnings,
        )
    )


def _warnings(path: Path, options: ImportOptions, detected: Detected, facts: FileFacts, trial: Trial) -> list[str]:
    found = [f"{name} is left out: {reason}" for name, reason in trial.refused.items()]
    if _licence(facts) == _NOT_STATED:
        found.append("the file does not say under what licence it may be used")
    if detected.task != "classify" and not any(golden.objects for golden in trial.goldens):
        found.append("nothing was found in the golden images, so they prove little; --images names pictures of what the model is for")
    if options.name is None and path.stem.lower() in _SAYS_NOTHING:
        found.append(f"the name {path.stem!r} says nothing of the model; --name gives another")
    if detected.task == "classify":
        found.append("an image is cut to its middle, as ultralytics does it; another trainer may have done otherwise")
    if detected.task == "segment":
        found.append("the boxes of a segmentation are used, its outlines are not kept")
    return found


def _licence(facts: FileFacts) -> str:
    return told(facts.metadata, "license") or told(facts.metadata, "licence") or _NOT_STATED


def _name(path: Path, options: ImportOptions) -> str:
    """The pack's name: as given, or the file's without what a name must not have."""
    name = options.name if options.name is not None else re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:64].strip("-") or "model"
    for field, value in (("name", name), ("version", options.version)):
        pattern = next(part.pattern for part in Manifest.model_fields[field].metadata if hasattr(part, "pattern"))
        if not re.match(pattern, value):
            advice = "A name has lower-case letters, digits and hyphens; a version looks like 1.0.0."
            raise ImportRefusedError(f"--{field} {value!r} cannot be used", advice=advice)
    return name


def _step(done: int) -> Step:
    return Step(name="import", done=done, of=len(_STEPS), note=_STEPS[done])
