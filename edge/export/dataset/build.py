"""A training set from begin to end: gather, divide by station, leave out what repeats, write; the manifest last."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge import __version__
from edge.errors import InputError, SettingsError
from edge.export.dataset.cvat import Corrected, with_corrected
from edge.export.dataset.divide import PARTS, Part, divide
from edge.export.dataset.sources import ReviewedPicture, reviewed_pictures
from edge.export.dataset.thin import Lookalikes, without_overlap
from edge.export.dataset.write import SetWriter, picture_name
from edge.export.folder import replaced_folder
from edge.export.footage import FootageHands, LeftOutTow
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.durable import file_sha256
from edge.store.files import list_roots
from edge.store.lock import LOCK_NAME
from edge.store.sqlite import Connection

MANIFEST_NAME = "manifest.json"
MADE_BY = "imagine-edge dataset build"
FORMS = {"yolo": frozenset(("yolo",)), "coco": frozenset(("coco",)), "yolo+coco": frozenset(("yolo", "coco"))}
Progress = Callable[[str, int, int], None]


class NothingReviewedError(SettingsError):
    """There is nothing that people reviewed."""

    code = "nothing_reviewed"
    default_advice = "Review the openings of a tow, or mark stills as reviewed on their page; then build again."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a training set is made of.

    Attributes:
        form: yolo, coco or yolo+coco.
        survey: only stations of this survey.
        recipe: whose objects.
        with_cvat: with what people corrected in CVAT.
        licence: of pictures and labels, as the user states it; None where nobody said.
        overlap_limit: share of a frame's height that two frames of a tow may share.
        val_share, test_share: of the stations.
        seed: another one divides otherwise.
    """

    form: str = "yolo+coco"
    survey: str | None = None
    recipe: str = "burrows"
    with_cvat: bool = True
    licence: str | None = None
    overlap_limit: float = 0.25
    val_share: float = 0.15
    test_share: float = 0.15
    seed: int = 0


@dataclass(slots=True, kw_only=True)
class BuildSummary:
    """What was written.

    Attributes:
        pictures, objects, stations: by part.
        repeated: pictures left out because a kept one shows the same seabed.
        unusable: why pictures could not be had, and how many.
        from_cvat: of the pictures, how many were corrected in CVAT.
        cvat_left_out: why pictures of tasks in CVAT, or that somebody disputes there, are left out, and how many.
        disputed: the pictures about which people disagree.
        tows_left_out: tows that could not be had, with a reason; never how much there was.
    """

    folder: Path
    pictures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    objects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    stations: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in PARTS})
    repeated: int = 0
    unusable: dict[str, int] = field(default_factory=dict)
    from_cvat: int = 0
    cvat_left_out: dict[str, int] = field(default_factory=dict)
    disputed: list[dict[str, Any]] = field(default_factory=list)
    tows_left_out: list[dict[str, Any]] = field(default_factory=list)


def build_dataset(
    connection: Connection, hands: FootageHands, out_dir: Path, request: BuildRequest, *, progress: Progress | None = None
) -> BuildSummary:
    """Write a training set into a folder that appears whole or not at all.

    Args:
        connection: a reader; it sees one moment from begin to end.
        hands: who looks into files.
        out_dir: a new or empty folder.
        request: what is wanted.
        progress: called with a step, how many pictures are done and how many there are.

    Raises:
        SettingsError: the folder is not empty or lies in a watched one, a share or limit cannot be.
        NothingReviewedError: nobody reviewed anything of what was asked for.
        TooFewStationsError: fewer than three stations.
        DiskFullError: no room; nothing is left behind.
    """
    if request.form not in FORMS:
        raise SettingsError(f"a training set is written as {', '.join(FORMS)}, not as {request.form}", advice="Leave --format out.")
    if not 0 <= request.overlap_limit <= 1:
        raise SettingsError(f"--overlap must lie in 0..1, not {request.overlap_limit:g}", advice="It is a share, such as 0.25.")
    tell = progress or (lambda _step, _done, _total: None)
    moment: AbstractContextManager[object] = nullcontext() if connection.in_transaction else snapshot(connection)
    with moment, replaced_folder(out_dir, watched=[root.path for root in list_roots(connection)], may_replace=False) as folder:
        left_out: list[LeftOutTow] = []
        unusable: Counter[str] = Counter()
        gathered = _gathered(connection, hands, request, left_out, tell)
        pictures = _without_lost(gathered.pictures, unusable, tell)
        counts = Counter(picture.station.key for picture in pictures)
        parts = divide(counts, val_share=request.val_share, test_share=request.test_share, seed=request.seed)
        classes = _classes(pictures)
        writer = SetWriter(folder, hands, classes, forms=FORMS[request.form])
        summary = _written(pictures, parts, writer, unusable, hands=hands, limit=request.overlap_limit, tell=tell)
        summary.folder = out_dir
        summary.tows_left_out = [one._asdict() for one in left_out]
        summary.from_cvat = sum(one["cvat"] is not None for one in writer.sources)
        summary.cvat_left_out, summary.disputed = gathered.left_out, [one._asdict() for one in gathered.disputed]
        writer.finish(
            {"description": f"Reviewed objects, {request.survey or 'all surveys'}", "contributor": MADE_BY, "date_created": utc_now()}
        )
        _write_manifest(folder, request, summary, writer.sources, classes)
    return summary


def _gathered(connection: Connection, hands: FootageHands, request: BuildRequest, left_out: list[LeftOutTow], tell: Progress) -> Corrected:
    """Every reviewed and corrected picture, those of each tow in the order of their times."""
    pictures: list[ReviewedPicture] = []
    for picture in reviewed_pictures(connection, hands, recipe=request.recipe, survey=request.survey, left_out=left_out):
        pictures.append(picture)
        tell("gather", len(pictures), 0)
    found = Corrected(pictures=pictures, left_out={}, disputed=[])
    if request.with_cvat:
        found = with_corrected(connection, hands, pictures, recipe=request.recipe, survey=request.survey, left_out=left_out)
    if not found.pictures:
        where = f" in survey {request.survey}" if request.survey else ""
        blind = f"; {len(left_out)} tows could not be had, such as {left_out[0].station}: {left_out[0].reason}" if left_out else ""
        lost = "".join(f"; {count} pictures are left out: {why}" for why, count in found.left_out.items())
        raise NothingReviewedError(f"there is no picture{where} on which everything is reviewed{blind}{lost}")
    ordered = sorted(found.pictures, key=lambda one: (one.station.key, one.tow or "", one.order, one.frame or 0))
    return found._replace(pictures=ordered)


def _without_lost(pictures: Sequence[ReviewedPicture], unusable: Counter[str], tell: Progress) -> list[ReviewedPicture]:
    """The pictures whose file is there; of clips those that are what was reviewed, byte for byte. Before stations are divided."""
    paths = {(one.path, one.sha256) for one in pictures if one.path is not None and one.at_s is not None}
    lost: dict[tuple[Path | None, str], str] = {}
    for done, (path, sha256) in enumerate(sorted(paths), start=1):
        tell("check clips", done, len(paths))
        try:
            if file_sha256(path) != sha256:
                lost[path, sha256] = f"{path.name} is no longer what was reviewed"
        except OSError as error:
            lost[path, sha256] = f"{path.name} cannot be read: {error.strerror or error}"
    kept = []
    for one in pictures:
        why = f"{one.name} is no longer there" if one.path is None else lost.get((one.path, one.sha256))
        if why is None:
            kept.append(one)
        else:
            unusable[why] += 1
    return kept


def _classes(pictures: Sequence[ReviewedPicture]) -> list[tuple[str, int | None]]:
    """Names in the order of the alphabet, each with its taxon where one is known."""
    found: dict[str, int | None] = {}
    for picture in pictures:
        for one in picture.objects:
            found[one.label] = found.get(one.label) or one.aphia_id
    if not found:
        raise NothingReviewedError("nothing is on the reviewed pictures: there is no class to learn")
    return sorted(found.items())


def _written(
    pictures: Sequence[ReviewedPicture],
    parts: dict[str, Part],
    writer: SetWriter,
    unusable: Counter[str],
    *,
    hands: FootageHands,
    limit: float,
    tell: Progress,
) -> BuildSummary:
    summary = BuildSummary(folder=Path())

    def hash_of(picture: ReviewedPicture) -> int:
        with tempfile.TemporaryDirectory(prefix="imagine-edge-") as folder:
            target = Path(folder) / picture_name(picture)
            writer.put(picture, target)
            return hands.still_hash(target)

    fresh = without_overlap(pictures, limit)
    lookalikes = Lookalikes(hash_of)
    stations: dict[Part, set[str]] = {part: set() for part in PARTS}
    for done, picture in enumerate(fresh, start=1):
        part = parts[picture.station.key]
        try:
            if lookalikes.is_new(picture):
                summary.objects[part] += writer.add(picture, part)
                summary.pictures[part] += 1
                stations[part].add(picture.station.folder)
        except InputError as error:
            unusable[str(error)] += 1
        tell("write", done, len(fresh))
    summary.repeated, summary.unusable = len(pictures) - len(fresh) + lookalikes.removed, dict(unusable)
    summary.stations = {part: sorted(names) for part, names in stations.items()}
    if empty := [part for part in PARTS if not summary.pictures[part]]:
        raise NothingReviewedError(f"none of the pictures for {', '.join(empty)} could be had: {'; '.join(list(unusable)[:3])}")
    return summary


def _write_manifest(
    folder: Path, request: BuildRequest, summary: BuildSummary, sources: Sequence[dict[str, Any]], classes: Sequence[tuple[str, int | None]]
) -> None:
    """The last file: a folder without it is no training set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME)
    manifest = {
        "format": 1,
        "made_by": MADE_BY,
        "software_version": __version__,
        "made_utc": utc_now(),
        "licence": request.licence,
        "settings": asdict(request),
        "labels": [{"name": name, "aphia_id": aphia_id} for name, aphia_id in classes],
        "divided_by": "station",
        "parts": {
            part: {"stations": summary.stations[part], "pictures": summary.pictures[part], "objects": summary.objects[part]}
            for part in PARTS
        },
        "reviewers": sorted({name for source in sources for name in source["reviewers"]}),
        "models": sorted({source["model"] for source in sources}),
        "left_out": {
            "same_seabed": summary.repeated,
            "unusable": summary.unusable,
            "tows": summary.tows_left_out,
            "cvat": summary.cvat_left_out,
            "disputed": summary.disputed,
        },
        "sources": list(sources),
        "files": {path.relative_to(folder).as_posix(): {"sha256": file_sha256(path), "size_bytes": path.stat().st_size} for path in files},
    }
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
