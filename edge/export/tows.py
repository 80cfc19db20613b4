"""Tows into an export's folder, in the format that was asked for, with a word on each tow that was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge import __version__
from edge.export.coco_tracks import COCO_TRACKS_NAME, write_coco_tracks
from edge.export.cvat_video import write_cvat_video
from edge.export.footage import FootageHands, LeftOutTow, Piece, PieceTracks, TowChoice, tracks_of_tows
from edge.export.frames import boxes_by_frame, frame_name, frame_row, label_text, open_frames, piece_stem, write_frame
from edge.export.ifdo import IFDO_NAME, write_ifdo
from edge.export.viame import write_viame
from edge.export.yolo import IMAGES_FOLDER, LABELS_FOLDER
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

SOFTWARE = f"iMagine Edge {__version__}"
TowProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TowRequest:
    """What of tows is wanted besides the format.

    Attributes:
        choice: which openings.
        hands: who looks into files.
        extract: extract the frames (COCO and YOLO).
        header: fields that an iFDO's header gets from people.
        on_piece: told the name of each clip before its frames are numbered.
    """

    choice: TowChoice
    hands: FootageHands
    extract: bool = False
    header: dict[str, Any] = field(default_factory=dict)
    on_piece: TowProgress | None = None


@dataclass(slots=True)
class TowTally:
    """What was written of tows.

    Attributes:
        tows: those in the manifest, with their files.
        tracks, frames: openings that were exported; frames that were extracted.
        missing_fields: of an iFDO that nobody told.
    """

    tows: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOutTow] = field(default_factory=list)
    tracks: int = 0
    frames: int = 0
    missing_fields: list[str] = field(default_factory=list)


def write_tows(connection: Connection, folder: Path, form: str, request: TowRequest, *, classes: Sequence[str] = ()) -> TowTally:
    """Write the tows of an export.

    Args:
        connection: a reader on one moment.
        folder: of the export; names of tows' files are no others'.
        form: cvat-video, viame, ifdo, coco, or yolo, for which there is something only if frames are extracted.
        request: what is wanted.
        classes: YOLO: the class names of data.yaml, in their order.
    """
    tally = TowTally()
    found = _counted(connection, request, tally)
    made_utc = utc_now()
    if form == "cvat-video":
        for one in found:
            write_cvat_video(folder / f"{piece_stem(one.piece)}.xml", one, made_utc=made_utc)
    elif form == "viame":
        for one in found:
            write_viame(folder / f"{piece_stem(one.piece)}.viame.csv", one, made_utc=made_utc, software=SOFTWARE)
    elif form == "ifdo":
        name = " ".join(part for part in (request.choice.survey, request.choice.station) if part) or "burrow openings"
        tally.missing_fields = write_ifdo(folder / IFDO_NAME, found, name=name, uuid=uuid7(), given=request.header, software=SOFTWARE)
    elif form == "coco":
        _write_coco(folder, found, request, tally)
    elif request.extract:
        _write_yolo(folder, found, request, tally, classes)
    return tally


def _counted(connection: Connection, request: TowRequest, tally: TowTally) -> Iterator[PieceTracks]:
    for tow, pieces in tracks_of_tows(connection, request.hands, request.choice, tally.left_out):
        for one in pieces:
            if request.on_piece is not None:
                request.on_piece(one.piece.first.name)
            yield one
        tally.tracks += sum(len(one.tracks) for one in pieces)
        tally.tows.append(
            {
                "survey": tow.survey,
                "station": tow.station,
                "tow": tow.ordinal,
                "analysis_uuid": tow.analysis_uuid,
                "model": f"{tow.model} {tow.model_version}",
                "tracker": tow.tracker,
                "openings": len({track.opening.id for one in pieces for track in one.tracks}),
                "footage": [_footage(one.piece) for one in pieces],
            }
        )


def _footage(piece: Piece) -> dict[str, Any]:
    told: dict[str, Any] = {"file": piece_stem(piece), "frames": len(piece.times_s), "begins_at_s": piece.from_s}
    if not piece.is_clip:
        return {**told, "stills": [row.name for row in piece.rows]}
    return {**told, "source": piece.first.name, "sha256": piece.first.sha256, "faults": piece.first.faults_json}


def _write_coco(folder: Path, found: Iterator[PieceTracks], request: TowRequest, tally: TowTally) -> None:
    (folder / IMAGES_FOLDER).mkdir(exist_ok=True)

    def extract(piece: Piece, frame: int, name: str) -> None:
        if request.extract and piece.is_clip:
            write_frame(request.hands, piece, frame, folder / name)
            tally.frames += 1

    info = {"description": "Burrow openings followed through footage", "version": __version__, "date_created": utc_now()}
    write_coco_tracks(
        folder / COCO_TRACKS_NAME,
        found,
        info={**info, "contributor": SOFTWARE},
        name_of=lambda piece, frame: f"{IMAGES_FOLDER}/{frame_name(piece, frame)}",
        on_frame=extract,
    )
    if not any((folder / IMAGES_FOLDER).iterdir()):
        (folder / IMAGES_FOLDER).rmdir()


def _write_yolo(folder: Path, found: Iterator[PieceTracks], request: TowRequest, tally: TowTally, classes: Sequence[str]) -> None:
    """Frames of clips; the stills of tows are among the images already."""
    with open_frames(folder) as table, (folder / "images.txt").open("a", encoding="ascii", newline="\n") as names:
        for one in found:
            piece = one.piece
            for frame, boxes in boxes_by_frame(one).items() if piece.is_clip else ():
                name, row = frame_name(piece, frame), piece.row_of(frame)
                write_frame(request.hands, piece, frame, folder / IMAGES_FOLDER / name)
                numbered = [(classes.index(track.label), box) for track, box in boxes]
                text = label_text(numbered, width_px=row.width_px, height_px=row.height_px)
                (folder / LABELS_FOLDER / name).with_suffix(".txt").write_text(text, "ascii")
                names.write(f"./{IMAGES_FOLDER}/{name}\n")
                table.write(frame_row(piece, frame, name))
                tally.frames += 1
