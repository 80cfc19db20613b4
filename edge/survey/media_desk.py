"""Keeps every image with its tow: as files arrive, and again when a sheet's times, a camera or a station change.

A thread looks after each commit. It takes the images that are new since it last looked, and those that a change can concern; so a
season of 2,000,000 images costs nothing while nothing changes. What a person attached by hand changes only by hand. A tow that people
count or have counted loses no file by a rule unless its own line or camera was changed, which asks for a reason.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from edge.errors import SettingsError
from edge.store import media as store
from edge.store.connection import snapshot
from edge.store.counted_tows import check_reason, counted_tows, counted_tows_of_survey
from edge.store.facts import get_fact, put_fact
from edge.store.media import LineRow, MediaImage
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import CameraRow, cameras
from edge.store.seal import Seal
from edge.store.sealed_runs import follow_seals, is_blind, open_images, seal_tow
from edge.store.sqlite import Connection
from edge.store.surveys import Attachment, How, attach_images
from edge.store.writer import Writes
from edge.survey.cameras import check_camera
from edge.survey.media import Placer, at_s_of, plans, window_of

log = structlog.get_logger()

ACTOR = "media"
BATCH = 2000
COALESCE_S = 0.3
AGAIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """Everything that images are attached by, at one moment."""

    lines: Mapping[int, LineRow]
    cameras: Mapping[int, tuple[CameraRow, ...]]
    names: Mapping[int, str]

    @property
    def signature(self) -> dict[str, Any]:
        """What of it matters for attaching, to see later what has changed: as JSON gives it back."""
        lines = {str(one.tow_id): [one.survey_id, one.station, one.start_utc, one.end_utc] for one in self.lines.values()}
        some = {
            str(one.id): [one.survey_id, one.name, one.time_offset_s, one.folder_pattern] for all_ in self.cameras.values() for one in all_
        }
        return {"lines": lines, "cameras": some}

    def camera_of(self, image: MediaImage, survey_id: int | None) -> CameraRow | None:
        """The camera an image was taken with, as far as is known: the one it is attached by, or the only one of the survey."""
        some = self.cameras.get(survey_id or 0, ())
        known = next((one for one in some if one.id == image.camera_id), None)
        return known or (some[0] if len(some) == 1 else None)


class MediaDesk:
    """Attaches images to tows, by itself and by hand. Every method may be called from any thread."""

    def __init__(
        self,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        seal: Seal,
        *,
        wanted: threading.Event | None = None,
    ) -> None:
        """`start` lets it work by itself, whenever `wanted` is set; without that `step` does."""
        self._writer = writer
        self._reader = reader
        self._seal = seal
        self._seen: int | None = None
        self._timed_to: tuple[int, int] | None = None
        self._folders_of_tows: dict[str, int] = {}
        self._wanted = wanted or threading.Event()
        self._stopping = threading.Event()
        self._at_work = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="media", daemon=True)

    def start(self) -> None:
        """Begin to look by itself."""
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def kick(self) -> None:
        """Something was written: look soon. Cheap."""
        self._wanted.set()

    def take_folder_for(self, folder: str, tow_id: int) -> None:
        """Images in this folder and below it belong to that tow, as `ingest --station` says."""
        self._folders_of_tows[folder.rstrip("/")] = tow_id

    def step(self) -> int:
        """Attach everything that is new or that a change concerns. Returns how many images changed their tow or their time in it."""
        with self._at_work:
            with self._reader() as connection, snapshot(connection):
                world = _world(connection)
                before = json.loads(get_fact(connection, store.PLAN_FACT) or "{}")
                if self._seen is None:
                    self._seen = int(get_fact(connection, store.SEEN_FACT) or 0)
                own = _changed_tows(world, before)
                concerned = sorted(_concerned(connection, world, before, own)) if before != world.signature else []
                held = counted_tows(connection) - own
                newest = store.last_image_id(connection)
            if not world.cameras and not self._folders_of_tows and not concerned:
                self._seen = newest  # a camera that comes later looks at every image that it can concern
                return 0
            changed = sum(self._settle(images, world, held) for images in self._batches(concerned))
            changed += sum(self._settle(images, world, held) for images in self._new(newest))
            changed += sum(self._settle(images, world, held) for images in self._timed())
            self._remember(world, before)
            return changed

    def set_camera(
        self,
        survey_id: int,
        name: str,
        *,
        time_offset_s: float,
        source: str,
        folder_pattern: str,
        actor: str,
        reason: str = "",
        laser_gap_m: float | None = None,
        laser_gap_source: str = "",
    ) -> int:
        """The id of a survey's camera, made or given these; its files are attached again.

        Raises:
            ReasonNeededError: counts were made by the cameras as they were, and there is no reason.
            SettingsError: there is no such survey, no name, an offset or a gap without its source, or a pattern that says nothing.
        """
        name, pattern = name.strip(), folder_pattern.strip()
        check_camera(
            name, time_offset_s=time_offset_s, source=source, pattern=pattern, laser_gap_m=laser_gap_m, laser_gap_source=laser_gap_source
        )

        def work(connection: Connection) -> int:
            if reads.survey(connection, survey_id) is None:
                raise SettingsError(f"there is no survey {survey_id}", advice="Choose one on the Surveys page.")
            known = next((one for one in cameras(connection, survey_id) if one.name == name), None)
            if known is None or (known.time_offset_s, known.folder_pattern) != (time_offset_s, pattern):
                counted = counted_tows_of_survey(connection, survey_id)
                check_reason(connection, counted, reason, what=f"the clock and folders of the camera {name}", actor=actor)
            return store.set_camera(
                connection,
                survey_id,
                name,
                time_offset_s=time_offset_s,
                time_offset_source=source.strip(),
                folder_pattern=pattern,
                laser_gap_m=laser_gap_m,
                laser_gap_source=laser_gap_source.strip(),
                actor=actor,
            )

        camera_id = self._writer.call(work)
        self.kick()
        return camera_id

    def attach_files(self, tow_id: int, file_ids: Sequence[int], actor: str, *, reason: str = "") -> int:
        """Let files belong to a tow because a person says so. Returns how many images changed.

        Raises:
            ReasonNeededError: they come from or go to a tow that people count or have counted, and there is no reason.
            SettingsError: there is no such tow, or none of the files has been read yet.
        """
        with self._reader() as connection:
            image_ids = store.image_ids_of_files(connection, file_ids)
        if not image_ids:
            raise SettingsError("none of these files has been read yet", advice="Wait until they are taken, then attach them.")
        return self._attach_by_hand(tow_id, image_ids, actor, reason)

    def attach_folder(self, tow_id: int, folder_id: int, actor: str, *, reason: str = "") -> int:
        """Let every image of a folder that belongs to no tow belong to this one. Returns how many.

        Raises:
            ReasonNeededError: people count this tow or have counted it, and there is no reason.
            SettingsError: there is no such tow, or no such image.
        """
        with self._reader() as connection:
            ids = sorted(store.image_ids_of_folders(connection, [folder_id]))
            free = [one.image_id for some in self._batches(ids) for one in some if one.tow_id is None]
        if not free:
            raise SettingsError("no image of the folder is without a tow", advice="Reload the page.")
        return self._attach_by_hand(tow_id, free, actor, reason)

    def _attach_by_hand(self, tow_id: int, image_ids: Sequence[int], actor: str, reason: str) -> int:
        def work(connection: Connection) -> int:
            world = _world(connection)
            line = world.lines.get(tow_id)
            if line is None:
                raise SettingsError(f"there is no tow {tow_id}", advice="Open the station from its survey's page.")
            images = store.images_by_id(connection, image_ids)
            made = [_attached(image, line, world, how="hand") for image in images]
            tows = {tow_id} | {image.tow_id for image in images if image.tow_id is not None}
            check_reason(connection, tows, reason, what="what files belong to the tow", actor=actor)
            changed = attach_images(connection, made, actor=actor)
            self._follow(connection, made)
            return changed

        return self._writer.call(work)

    def _batches(self, image_ids: Sequence[int]) -> Iterator[tuple[MediaImage, ...]]:
        for at in range(0, len(image_ids), BATCH):
            with self._reader() as connection:
                yield store.images_by_id(connection, image_ids[at : at + BATCH])

    def _new(self, newest: int) -> Iterator[tuple[MediaImage, ...]]:
        while (self._seen or 0) < newest and not self._stopping.is_set():
            with self._reader() as connection:
                images = store.images_after(connection, self._seen or 0, limit=BATCH)
            if not images:
                break
            yield images
            self._seen = images[-1].image_id

    def _timed(self) -> Iterator[tuple[MediaImage, ...]]:
        """Images whose time became known when they were read, and clips, whose length did."""
        while not self._stopping.is_set():
            with self._reader() as connection:
                if self._timed_to is None:
                    run_id, reading_id = json.loads(get_fact(connection, store.TIMED_FACT) or "[0, 0]")
                    self._timed_to = run_id, reading_id
                images, last = store.images_timed_after(connection, self._timed_to, limit=BATCH)
            if last == self._timed_to:
                return
            yield images
            self._timed_to = last
            if images:  # without any, the next start looks over a few more runs
                self._writer.call(partial(put_fact, name=store.TIMED_FACT, value=json.dumps(last)))

    def _settle(self, images: Sequence[MediaImage], world: _World, held: AbstractSet[int]) -> int:
        """Let a batch of images have the tows that they belong to now; those of `held` tows stay where they are."""
        placer = Placer(plans(list(world.lines.values()), world.names, world.cameras))
        made: list[Attachment] = []
        loose: list[int] = []
        for image in images:
            found = self._of_folder(image, world) or _kept(image, world) or placer.place(image).attachment
            if image.tow_id in held and (found is None or found.tow_id != image.tow_id):
                continue
            if found is None and image.tow_id is not None:
                loose.append(image.image_id)
            elif found is not None and not _is_same(found, image):
                made.append(found)
        if not made and not loose:
            return 0

        def work(connection: Connection) -> int:
            changed = attach_images(connection, made, actor=ACTOR) + store.detach_images(connection, loose, actor=ACTOR)
            self._follow(connection, made)
            return changed

        return self._writer.call(work)

    def _follow(self, connection: Connection, made: Sequence[Attachment]) -> None:
        """What models found on images of a blind tow is sealed with it, in the transaction that attaches them; on others it may open."""
        of_tow: dict[int, list[int]] = {}
        for one in made:
            of_tow.setdefault(one.tow_id, []).append(one.image_id)
        for tow_id, image_ids in of_tow.items():
            if is_blind(connection, tow_id):
                follow_seals(connection, image_ids, tow_id)
                seal_tow(connection, self._seal, tow_id)
            else:
                open_images(connection, self._seal, image_ids)

    def _of_folder(self, image: MediaImage, world: _World) -> Attachment | None:
        """What `ingest --station` said of the folder that an image lies in."""
        if image.how == "hand":
            return None
        for folder, tow_id in self._folders_of_tows.items():
            if image.folder == folder or image.folder.startswith(f"{folder}/"):
                return _attached(image, world.lines[tow_id], world, how="station")
        return None

    def _remember(self, world: _World, before: Mapping[str, Any]) -> None:
        """What was looked at need not be looked at again, also after the next start."""
        seen = self._seen or 0

        def work(connection: Connection) -> None:
            if before != world.signature:
                put_fact(connection, store.PLAN_FACT, json.dumps(world.signature))
            if get_fact(connection, store.SEEN_FACT) != str(seen):
                put_fact(connection, store.SEEN_FACT, str(seen))

        with self._reader() as connection:
            is_known = before == world.signature and get_fact(connection, store.SEEN_FACT) == str(seen)
        if not is_known:
            self._writer.call(work)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(AGAIN_S)
            self._wanted.clear()
            if self._stopping.wait(COALESCE_S):
                return
            try:
                self.step()
            except Exception:  # the thread's border: whatever it was, such as a full disk, what was not attached is tried again
                log.exception("media_failed")
                self._stopping.wait(AGAIN_S)
                self._wanted.set()


def _world(connection: Connection) -> _World:
    names = {one.id: one.name for one in reads.surveys(connection)}
    some = {survey_id: found for survey_id in names if (found := cameras(connection, survey_id))}
    return _World(lines={one.tow_id: one for one in store.all_lines(connection)}, cameras=some, names=names)


def _attached(image: MediaImage, line: LineRow, world: _World, *, how: How) -> Attachment:
    camera = world.camera_of(image, line.survey_id)
    is_known = camera is not None or not world.cameras.get(line.survey_id or 0)
    at_s = at_s_of(image, line, camera) if is_known else None
    camera_id = None if camera is None else camera.id
    return Attachment(image_id=image.image_id, tow_id=line.tow_id, camera_id=camera_id, how=how, at_s=at_s)


def _kept(image: MediaImage, world: _World) -> Attachment | None:
    """What a person or `ingest --station` decided, with its time by the line as it is now."""
    if image.how not in {"hand", "station"} or image.tow_id is None:
        return None
    how: How = "hand" if image.how == "hand" else "station"
    line = world.lines.get(image.tow_id)
    if line is None:  # a tow that was made since the world was looked at; it has its turn at the next look
        return Attachment(image_id=image.image_id, tow_id=image.tow_id, camera_id=image.camera_id, how=how, at_s=image.at_s)
    return _attached(image, line, world, how=how)


def _is_same(found: Attachment, image: MediaImage) -> bool:
    return (found.tow_id, found.camera_id, found.how, found.at_s) == (image.tow_id, image.camera_id, image.how, image.at_s)


def _changed_tows(world: _World, before: Mapping[str, Any]) -> set[int]:
    """Tows whose own line, or a camera of whose survey, is not as it was."""
    now = world.signature
    old_lines, old_cameras = before.get("lines", {}), before.get("cameras", {})
    surveys = {one[0] for key, one in now["cameras"].items() if old_cameras.get(key) != one}
    return {int(tow_id) for tow_id, line in now["lines"].items() if old_lines.get(tow_id) != line or line[0] in surveys}


def _concerned(connection: Connection, world: _World, before: Mapping[str, Any], changed: AbstractSet[int]) -> set[int]:
    """The images that a change since `before` can give another tow, or another time in theirs."""
    old_lines = before.get("lines", {})
    found: set[int] = set()
    for tow_id in changed:
        line = world.lines[tow_id]
        found |= store.image_ids_of_tow(connection, line.tow_id)
        some = world.cameras.get(line.survey_id or 0, ())
        previous = old_lines.get(str(tow_id))
        rows = [line] if previous is None else [line, line._replace(start_utc=previous[2], end_utc=previous[3])]
        for row in rows:
            if (window := window_of(row, some)) is not None:
                found |= store.image_ids_between(connection, *window)
                found |= store.image_ids_of_local_days(connection, _days(*window))
    stations = {(world.lines[tow_id].survey_id, world.lines[tow_id].station) for tow_id in changed}
    return found | store.image_ids_of_folders(connection, _folders(connection, world, stations))


def _days(from_utc: str, to_utc: str) -> Iterable[str]:
    return {from_utc[:10], to_utc[:10]}


def _folders(connection: Connection, world: _World, stations: set[tuple[int | None, str]]) -> list[int]:
    """Folders whose path a camera's pattern can read as one of these stations."""
    wanted = {name for survey_id, name in stations if any(one.folder_pattern for one in world.cameras.get(survey_id or 0, ()))}
    if not wanted:
        return []
    return [folder_id for folder_id, path in store.all_folders(connection).items() if any(name in path for name in wanted)]


def why_loose(connection: Connection, image_ids: Sequence[int]) -> dict[int, str]:
    """Why each of these images belongs to no tow; "" for one that will be attached at the next look."""
    world = _world(connection)
    if not world.cameras:
        return dict.fromkeys(image_ids, "no survey has a camera yet: add one, so that its clock and folders are known")
    placer = Placer(plans(list(world.lines.values()), world.names, world.cameras))
    return {image.image_id: placer.place(image).reason for image in store.images_by_id(connection, image_ids)}
