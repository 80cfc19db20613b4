"""What a request names, as frames of a task: the stills or the clip of a tow, the vignettes of a scan, a selection of stills.

Nothing is read of what a model found here: that is read when it goes, in the very transaction that asks whether the tow is counted blind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator_bridge.cvat.labels import MULTIPLE, SINGLE, make_labels
from annotator_bridge.cvat.tools import WITHHELD_BLIND, PushRefusedError, PushTools
from annotator_bridge.cvat.values import LeftOut, PushRequest
from annotator_bridge.cvat.vignettes import VignetteFiles
from annotator_bridge.functions.function import Label, ShapeType
from edge.errors import REASON_ADVICE, InputError, Reason
from edge.export.footage import DEFAULT_LABEL
from edge.export.names import flat_stem, split_name
from edge.store.cvat import Media, NewFrame
from edge.store.export_tows import ExportTow, export_tows
from edge.store.reads import cvat_sources as reads
from edge.store.reads.footage import path_of_image
from edge.store.reads.zooscan import current_run, find_scan
from edge.store.reads.zooscan_objects import standing_objects
from edge.store.sqlite import Connection

STATION_RECIPE = "burrows"
MOST_FRAMES = 200_000
_EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "bmp": ".bmp"}
_SHAPES: dict[str, ShapeType] = {"classify": "tag"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What becomes a task.

    Attributes:
        title: what it is called if nobody says otherwise.
        frames: in the order of their numbers, from 0.
        withheld: why nothing of what a model found goes along; empty where it does.
        is_withheld: nothing at all goes along of what a model found; else `withheld` concerns some of the frames.
        left_out: files that do not go along.
    """

    media: Media
    title: str
    recipe: str
    frames: tuple[NewFrame, ...]
    labels: tuple[Label, ...]
    model_id: int | None
    withheld: str = ""
    is_withheld: bool = False
    left_out: tuple[LeftOut, ...] = ()
    tow_id: int | None = None
    scan_id: int | None = None


def gather(connection: Connection, tools: PushTools, request: PushRequest) -> Gathered:
    """Find what a request names.

    Raises:
        PushRefusedError: there is no such thing, several fit, or nothing of it can go.
        InputError: a clip cannot be read.
    """
    if request.source == "scan":
        return _scan(connection, tools, request)
    if request.source == "selection":
        return _selection(connection, request)
    tow = _tow(connection, request)
    files = reads.files_of_tow(connection, tow.tow_id)
    has_stills = any(not one.is_clip for one in files)
    media = request.media or ("images" if has_stills else "clip")
    return _clip(connection, tools, request, tow, files) if media == "clip" else _stills(connection, request, tow, files)


def frame_name(number: int, name: str, sha256: str, extension: str) -> str:
    """A name that sorts as the frames do, that people recognise, and that is harmless on every file system and in CVAT."""
    return f"{number:06d}_{flat_stem(name, sha256)}{extension}"


def _tow(connection: Connection, request: PushRequest) -> ExportTow:
    """The tow that is meant."""
    if not request.station:
        raise PushRefusedError("no station is named", advice="Name one; `imagine-edge survey status` lists them.")
    found = export_tows(connection, survey=request.survey, station=request.station)
    if request.tow is not None:
        found = tuple(tow for tow in found if tow.ordinal == request.tow)
    if not found:
        which = f" tow {request.tow}" if request.tow is not None else ""
        raise PushRefusedError(
            f"station {request.station}{which} has no footage{f' in survey {request.survey}' if request.survey else ''}",
            advice="`imagine-edge survey status` lists surveys with their stations; files have to be attached to the tow first.",
        )
    if len(found) > 1:
        named = ", ".join(f"{tow.survey or 'no survey'} tow {tow.ordinal}" for tow in found)
        raise PushRefusedError(f"station {request.station} has footage of several tows: {named}", advice="Name survey and tow.")
    return found[0]


def _title(tow: ExportTow) -> str:
    return f"{tow.survey or ''} {tow.station} tow {tow.ordinal}".strip()


def _stills(connection: Connection, request: PushRequest, tow: ExportTow, files: Sequence[reads.SourceFile]) -> Gathered:
    frames, left_out = _frames_of_stills(connection, files)
    _need(frames, left_out, f"station {tow.station} tow {tow.ordinal} has no stills that can go")
    ids = [one.image_id for one in frames if one.image_id is not None]
    withheld = "" if not request.with_model else WITHHELD_BLIND if tow.is_blind else ""
    names, shape, model_id = _classes(connection, ids, STATION_RECIPE, is_blind=bool(tow.is_blind))
    return Gathered(
        media="images",
        title=_title(tow),
        recipe=STATION_RECIPE,
        frames=frames,
        labels=make_labels(names, shape),
        model_id=model_id,
        withheld=withheld,
        is_withheld=bool(withheld),
        left_out=left_out,
        tow_id=tow.tow_id,
    )


def _clip(connection: Connection, tools: PushTools, request: PushRequest, tow: ExportTow, files: Sequence[reads.SourceFile]) -> Gathered:
    """A clip goes whole, frame by frame: then its frames have the numbers that they have in every export."""
    clips = [one for one in files if one.is_clip and request.clip in (None, one.image_uuid, one.name)]
    if not clips:
        raise PushRefusedError(f"station {tow.station} tow {tow.ordinal} has no such clip")
    if len(clips) > 1:
        named = ", ".join(one.name for one in clips)
        raise PushRefusedError(f"station {tow.station} tow {tow.ordinal} has several clips: {named}", advice="Name one with --clip.")
    clip = clips[0]
    found = _hindrance(connection, clip)
    if isinstance(found, LeftOut):
        raise PushRefusedError(f"{clip.name} cannot go: {found.reason}")
    assert clip.width_px is not None
    assert clip.height_px is not None
    with tools.hands() as hands:
        count = len(hands.frame_times(found))
    if not 0 < count <= MOST_FRAMES:
        raise PushRefusedError(f"{clip.name} has {count} frames; a task takes {MOST_FRAMES} at most", advice="Cut the clip into parts.")
    width_px, height_px = clip.width_px, clip.height_px
    frames = tuple(
        NewFrame(name=f"frame_{number:06d}", width_px=width_px, height_px=height_px, image_id=clip.image_id) for number in range(count)
    )
    is_blind = bool(tow.is_blind) or clip.is_blind
    names, _, model_id = _classes(connection, [clip.image_id], STATION_RECIPE, is_blind=is_blind)
    return Gathered(
        media="clip",
        title=f"{_title(tow)} {split_name(clip.name)[0]}",
        recipe=STATION_RECIPE,
        frames=frames,
        labels=make_labels(names or (DEFAULT_LABEL,), "rectangle"),
        model_id=model_id,
        withheld=WITHHELD_BLIND if is_blind and request.with_model else "",
        is_withheld=is_blind,
        tow_id=tow.tow_id,
    )


def _selection(connection: Connection, request: PushRequest) -> Gathered:
    files, failed = _named(connection, request)
    clips = [LeftOut(name=one.name, code="is_a_clip", reason="it is a clip: push it from its station") for one in files if one.is_clip]
    stills = [one for one in files if not one.is_clip]
    recipes = sorted({one.recipe for one in stills})
    if len(recipes) > 1:
        raise PushRefusedError(
            f"the stills are of several kinds of work: {', '.join(recipes)}", advice="Push those of one folder at a time."
        )
    frames, left_out = _frames_of_stills(connection, stills)
    left_out = (*failed, *clips, *left_out)
    _need(frames, left_out, "nothing of the selection can go")
    ids = [one.image_id for one in frames if one.image_id is not None]
    blind = reads.blind_images(connection, ids)
    names, shape, model_id = _classes(connection, ids, recipes[0], is_blind=len(blind) == len(ids))
    some = "" if len(blind) == len(ids) else f" ({len(blind)} of {len(ids)} stills)"
    return Gathered(
        media="images",
        title=request.folder.rstrip("/").rpartition("/")[2] if request.folder else f"{len(frames)} stills",
        recipe=recipes[0],
        frames=frames,
        labels=make_labels(names, shape),
        model_id=model_id,
        withheld=f"{WITHHELD_BLIND}{some}" if blind and request.with_model else "",
        is_withheld=len(blind) == len(ids),
        left_out=left_out,
    )


def _named(connection: Connection, request: PushRequest) -> tuple[tuple[reads.SourceFile, ...], list[LeftOut]]:
    if bool(request.images) == bool(request.folder):
        raise PushRefusedError("a selection is either stills by their uuids or a folder", advice="Name one of the two.")
    if request.folder:
        folder = request.folder.rstrip("/") or "/"
        files = reads.files_in_folder(connection, folder)
        failed = [_failed(one.name, one.state, one.reason) for one in reads.failed_in_folder(connection, folder)]
        if not files and not failed:
            raise PushRefusedError(
                f"no file was ever seen in {request.folder}", advice="Name a folder of an inbox, as the Files page shows it."
            )
        return files, failed
    files = reads.files_by_uuid(connection, request.images)
    known = {one.image_uuid for one in files}
    if missing := [one for one in dict.fromkeys(request.images) if one not in known]:
        raise PushRefusedError(f"there is no still {missing[0]}", advice="`imagine-edge export --format csv` lists the uuids of stills.")
    return files, []


def _scan(connection: Connection, tools: PushTools, request: PushRequest) -> Gathered:
    name = request.scan or ""
    project, slash, rest = name.rpartition("/")
    found = find_scan(connection, rest if slash else name, project=project if slash else None)
    if len(found) != 1:
        several = f"{len(found)} scans are called {name}" if found else f"there is no scan {name or 'without a name'}"
        raise PushRefusedError(several, advice="`imagine-edge zooscan list` lists them; PROJECT/NAME names one.")
    scan = found[0]
    run = current_run(connection, scan.id)
    if run is None:
        raise PushRefusedError(
            f"scan {scan.name} is not processed yet", advice=f"`imagine-edge zooscan process` does it; it is {scan.state} now."
        )
    frames: list[NewFrame] = []
    left_out: list[LeftOut] = []
    with VignetteFiles(tools.home / run.folder) as vignettes:
        for one in standing_objects(connection, scan.id):
            try:
                width_px, height_px = vignettes.size(one.vignette)
            except InputError as error:
                left_out.append(LeftOut(name=f"{scan.name}_{one.key}", code=error.reason.value, reason=str(error)))
                continue
            file = f"{len(frames):06d}_{_harmless(scan.name)}_{one.key}.png"
            frames.append(NewFrame(name=file, width_px=width_px, height_px=height_px, object_key=one.key))
    _need(tuple(frames), tuple(left_out), f"scan {scan.name} has no vignettes that can go")
    return Gathered(
        media="vignettes",
        title=f"{scan.name} vignettes",
        recipe="zooscan",
        frames=tuple(frames),
        labels=make_labels((MULTIPLE, SINGLE), "tag"),
        model_id=run.classifier_model_id,
        left_out=tuple(left_out),
        scan_id=scan.id,
    )


def _frames_of_stills(connection: Connection, files: Sequence[reads.SourceFile]) -> tuple[tuple[NewFrame, ...], tuple[LeftOut, ...]]:
    frames: list[NewFrame] = []
    left_out: list[LeftOut] = []
    for one in files:
        if one.is_clip:
            continue
        found = _hindrance(connection, one)
        if isinstance(found, LeftOut):
            left_out.append(found)
            continue
        assert one.width_px is not None
        assert one.height_px is not None
        name = frame_name(len(frames), one.name, one.sha256, _EXTENSIONS.get(one.format or "", ".img"))
        frames.append(NewFrame(name=name, width_px=one.width_px, height_px=one.height_px, image_id=one.image_id))
    return tuple(frames), tuple(left_out)


def _hindrance(connection: Connection, one: reads.SourceFile) -> Path | LeftOut:
    """Where the bytes of a file lie; or why it cannot go."""
    if one.state == "quarantined":
        return _failed(one.name, one.state, one.reason)
    if one.width_px is None or one.height_px is None:
        return LeftOut(name=one.name, code="waiting", reason="nobody looked into it yet: it waits for its turn")
    path = path_of_image(connection, one.image_id)
    try:
        size_bytes = None if path is None else path.stat().st_size
    except OSError:
        size_bytes = None
    if path is None or size_bytes is None:
        return LeftOut(name=one.name, code=Reason.VANISHED.value, reason="the file is not there: its disk may be away")
    if size_bytes != one.size_bytes:
        reason = "the file is another one than was processed"
        return LeftOut(name=one.name, code=Reason.CHANGED_WHILE_READ.value, reason=reason)
    return path


def _failed(name: str, state: str, reason: str | None) -> LeftOut:
    if state != "quarantined":
        return LeftOut(name=name, code="waiting", reason="nobody looked into it yet: it waits for its turn")
    known = next((one for one in Reason if one.value == reason), None)
    words = f"it is quarantined ({reason})" + ("" if known is None else f": {REASON_ADVICE[known]}")
    return LeftOut(name=name, code=reason or "quarantined", reason=words)


def _classes(connection: Connection, ids: Sequence[int], recipe: str, *, is_blind: bool) -> tuple[tuple[str, ...], ShapeType, int | None]:
    """Names of labels, their shape, and the model. Of what is blind only the class list of the model that serves is told."""
    serving = reads.serving_model(connection, recipe)
    ran = () if is_blind else reads.models_of_images(connection, ids, recipe)
    models = ran or (() if serving is None else (serving,))
    people = () if is_blind else reads.labels_people_gave(connection, ids, recipe)
    names = tuple(name for model in models for name in model.labels) + people
    shape = _SHAPES.get(models[0].task, "rectangle") if models else "rectangle"
    return names or (DEFAULT_LABEL,), shape, models[0].model_id if models else None


def _need(frames: Sequence[NewFrame], left_out: Sequence[LeftOut], words: str) -> None:
    if len(frames) > MOST_FRAMES:
        raise PushRefusedError(f"{len(frames)} frames are too many: a task takes {MOST_FRAMES} at most", advice="Push them by folder.")
    if frames:
        return
    why = f": {left_out[0].name}: {left_out[0].reason}" if left_out else ""
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    raise PushRefusedError(f"{words}{why}{more}")


def _harmless(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]
