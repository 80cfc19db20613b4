"""What people do about the objects of a scan: decide, draw and erase separation lines, take it back, sign.

After a line was drawn or erased only the object that it touches is segmented anew, with all lines that stand there; its parts are
measured, and everything is written in one transaction. What is no longer there is retired and stays listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.errors import ScanOutdatedError, ScanRefusedError, SomebodyElsesActError
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan_check import check_revision, check_run, object_place
from edge.store.reads.zooscan_objects import (
    FamilyMember,
    line_by_id,
    members_of_run,
    pack_pixels,
    standing_keys,
    standing_lines,
    standing_objects,
)
from edge.store.sqlite import Connection
from edge.store.zooscan import actions
from edge.store.zooscan.actions import Decision, HumanLine
from edge.store.zooscan.runs import NewObject, add_objects, restore_objects, retire_objects
from edge.values import Int32Array
from edge.zooscan.desk.core import CheckedScan, DeskCore
from edge.zooscan.desk.engine import Cut, CutTask
from edge.zooscan.line_pixels import check_points, line_pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done.

    Attributes:
        what: "decide", "draw", "erase", of what was undone the same; "nothing" if this very action was done before.
        retired: keys of the objects that stand no more.
        standing: keys of those that stand now in their place.
        line_uuid: the line that was drawn.
    """

    what: Literal["decide", "draw", "erase", "nothing"]
    retired: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    line_uuid: str | None = None


NOTHING = Done(what="nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What becomes of a run's objects when other lines stand."""

    retired: tuple[str, ...]
    restored: tuple[str, ...]
    new: tuple[NewObject, ...]
    cuts: tuple[Cut, ...]

    @property
    def standing(self) -> tuple[str, ...]:
        return (*self.restored, *(one.key for one in self.new))


class Editing(DeskCore):
    """What people do about the objects of a scan. Every method refuses a scan that is signed or being processed (`ScanRefusedError`).

    `action_uuid` is chosen by who asks: the same action sent twice is done once.
    """

    def decide(self, scan_uuid: str, keys: Sequence[str], decision: Decision, *, actor: str, action_uuid: str | None = None) -> Done:
        """Say of objects whether each is one animal or several.

        Raises:
            ScanRefusedError: an object does not stand.
        """

        def work(connection: Connection) -> Done:
            if action_uuid is not None and actions.is_known(connection, action_uuid):
                return NOTHING
            checked = self.editable(connection, scan_uuid)
            standing = standing_keys(connection, checked.scan.id)
            if strange := [key for key in keys if key not in standing] or (not keys and ["none"]):
                raise ScanRefusedError(f"no object of {checked.scan.name} stands under this key: {', '.join(strange[:5])}")
            actions.decide(connection, checked.scan.id, keys, decision, actor=actor, uuid=action_uuid)
            return Done(what="decide", standing=tuple(keys))

        return self.writer.call(work)

    def add_line(self, scan_uuid: str, key: str, points: Sequence[tuple[int, int]], *, actor: str, action_uuid: str | None = None) -> Done:
        """Cut an object along a line.

        Args:
            scan_uuid: of the scan.
            key: of the object.
            points: x and y in the clean scan of the pixels that the line passes, straight between one and the next.
            actor: who draws it.
            action_uuid: identity of this action.

        Raises:
            ScanRefusedError: the object does not stand, or the line does not cut it.
            InputError: the clean scan is gone.
            DiskFullError: there is no room.
        """
        if not points:
            raise ScanRefusedError("a line has at least one point")
        scan = self.scan_of(scan_uuid)
        with self.reader() as connection:
            run = check_run(connection, scan.id)
            place = None if run is None else object_place(connection, run.id, key)
        if place is None:
            raise ScanRefusedError(f"no object of {scan.name} stands under this key: {key}")
        check_points(points, (place.x_px, place.y_px, place.width_px, place.height_px))
        return self.add_pixels(scan_uuid, key, line_pixels(points), actor=actor, action_uuid=action_uuid)

    def add_pixels(self, scan_uuid: str, key: str, pixels: Int32Array, *, actor: str, action_uuid: str | None = None) -> Done:
        """Cut an object by taking away pixels, such as those that a separator proposed and a person accepted.

        Args:
            scan_uuid: of the scan.
            key: of the object.
            pixels: (N, 2) int32, x and y in the clean scan.
            actor: who wants it cut.
            action_uuid: identity of this action.

        Raises:
            ScanRefusedError, InputError, DiskFullError: as for `add_line`.
        """
        with self.editing:
            with self.reader() as connection:
                if action_uuid is not None and actions.is_known(connection, action_uuid):
                    return NOTHING
                checked = self.editable(connection, scan_uuid)
                members = members_of_run(connection, checked.run.id)
                lines = standing_lines(connection, checked.scan.id)
            target = members.get(key)
            if target is None or target.is_retired:
                raise ScanRefusedError(f"no object of {checked.scan.name} stands under this key: {key}")
            pixels = self.engine.clip(target, pixels)
            change = self._change(checked, members, pixels, [*(line.pixels for line in lines), pixels])
            if not change.retired:
                self._forget(change)
                raise ScanRefusedError("the line does not cut the object", advice="Draw it from one edge of the object to another.")
            human = HumanLine(object_key=key, pixels=pack_pixels(pixels))

            def note(connection: Connection) -> str:
                line_id = actions.draw_line(connection, checked.scan.id, human, actor=actor, uuid=action_uuid)
                return actions.line_uuid(connection, line_id)

            line_uuid = self._write(checked, change, note)
        return Done(what="draw", retired=change.retired, standing=change.standing, line_uuid=line_uuid)

    def erase_line(self, scan_uuid: str, line_uuid: str, *, actor: str, action_uuid: str | None = None) -> Done:
        """Take a line away, a person's or the separator's: what it cut is whole again as far as no other line cuts it.

        Raises:
            ScanRefusedError: no such line stands.
            InputError, DiskFullError: as for `add_line`.
        """
        with self.editing:
            with self.reader() as connection:
                if action_uuid is not None and actions.is_known(connection, action_uuid):
                    return NOTHING
                checked = self.editable(connection, scan_uuid)
                members = members_of_run(connection, checked.run.id)
                lines = standing_lines(connection, checked.scan.id)
            line = next((one for one in lines if one.uuid == line_uuid), None)
            if line is None:
                raise ScanRefusedError(f"no line {line_uuid} of {checked.scan.name} stands")
            change = self._change(checked, members, line.pixels, [one.pixels for one in lines if one is not line])
            line_id = line.id

            def note(connection: Connection) -> str:
                actions.erase_line(connection, checked.scan.id, line_id, actor=actor, uuid=action_uuid)
                return ""

            self._write(checked, change, note)
        return Done(what="erase", retired=change.retired, standing=change.standing)

    def undo(self, scan_uuid: str, *, actor: str, action_uuid: str | None = None, anyone: bool = False) -> Done:
        """Take the newest action about a scan back, if it is one's own; or the one of this uuid.

        Args:
            scan_uuid: of the scan.
            actor: who takes it back.
            action_uuid: the action that is meant; asked for twice, it is taken back once.
            anyone: without one, the newest, whoever did it.

        Raises:
            ScanRefusedError: there is nothing to undo, it is somebody else's, or something else was done since about lines.
            InputError, DiskFullError: as for `add_line`.
        """
        with self.editing:
            with self.reader() as connection:
                checked = self.editable(connection, scan_uuid)
                members = members_of_run(connection, checked.run.id)
                if action_uuid is None:
                    action = actions.last_undoable(connection, checked.scan.id)
                elif (action := actions.undoable_named(connection, checked.scan.id, action_uuid)) is None and actions.is_known(
                    connection, action_uuid
                ):
                    return NOTHING  # it was taken back already
                newest = actions.last_undoable(connection, checked.scan.id)
                lines = standing_lines(connection, checked.scan.id)
                line = None if action is None or action.line_id is None else line_by_id(connection, checked.scan.id, action.line_id)
            if action is None:
                raise ScanRefusedError(f"there is nothing to undo about {checked.scan.name}", advice="What was signed or typed stays.")
            if action_uuid is None and not anyone and action.actor != actor:
                raise SomebodyElsesActError(f"the last act about {checked.scan.name} is {action.actor}'s")
            if action.what != "decide" and action != newest:  # lines are taken back in the order they were drawn; decisions in any
                raise ScanRefusedError(
                    f"something else was done about {checked.scan.name} since", advice="Undo once more takes back the newest."
                )
            change = _Change(retired=(), restored=(), new=(), cuts=())
            if line is not None:
                others = [one.pixels for one in lines if one.id != line.id]
                change = self._change(checked, members, line.pixels, [*others, line.pixels] if action.what == "erase" else others)

            def note(connection: Connection) -> str:
                now = actions.last_undoable(connection, checked.scan.id)
                if now != newest or actions.undoable_named(connection, checked.scan.id, action.uuid) is None:
                    raise ScanOutdatedError(f"somebody did something else about {checked.scan.name} just now")
                actions.undo(connection, checked.scan.id, action, run_id=checked.run.id, actor=actor)
                return ""

            self._write(checked, change, note)
        return Done(what=action.what, retired=change.retired, standing=change.standing)

    def sign(self, scan_uuid: str, *, actor: str, revision: str | None = None) -> str:
        """Answer for the check of a scan. Returns the SHA-256 of what was signed.

        Args:
            scan_uuid: of the scan.
            actor: who signs.
            revision: of the scan as the signer saw it (`edge.store.reads.zooscan_check.check_revision`); None signs what stands.

        Raises:
            ScanRefusedError: the scan has no result, its last processing did not give one, or it is signed.
            ScanOutdatedError: something changed since the signer looked.
        """

        def work(connection: Connection) -> str:
            checked = self.editable(connection, scan_uuid)
            if checked.scan.state != "done":  # the result of one whose next run failed is of another picture, or of other settings
                advice = "Process it again first: what is signed is the last outcome."
                raise ScanRefusedError(f"the scan {checked.scan.name} is {checked.scan.state}; signed is what is done", advice=advice)
            shown = check_run(connection, checked.scan.id)
            if revision is not None and (shown is None or check_revision(connection, shown) != revision):
                raise ScanOutdatedError(f"something about {checked.scan.name} changed since you looked at it")
            content = signed_content(connection, checked)
            actions.sign(
                connection,
                checked.scan.id,
                run_id=checked.run.id,
                objects=checked.scan.objects or 0,
                multiples=checked.scan.multiples or 0,
                content_sha256=content,
                actor=actor,
            )
            return content

        return self.writer.call(work)

    def withdraw(self, scan_uuid: str, *, reason: str, actor: str) -> None:
        """Take the standing signature back, so that the scan can be changed again.

        Raises:
            ScanRefusedError: there is none, or no reason.
        """
        if not reason.strip():
            raise ScanRefusedError("a signature is withdrawn with a reason", advice="Say what was wrong; it is kept beside the signature.")
        scan = self.scan_of(scan_uuid)
        if not self.writer.call(lambda connection: actions.withdraw(connection, scan.id, reason=reason.strip(), actor=actor)):
            raise ScanRefusedError(f"the scan {scan.name} is not signed")

    def _change(self, checked: CheckedScan, members: dict[str, FamilyMember], touched: Int32Array, lines: Sequence[Int32Array]) -> _Change:
        """What becomes of the objects that some pixels touch, when these lines stand."""
        pixels = np.concatenate([np.zeros((0, 2), np.int32), *lines])
        retired: list[str] = []
        restored: list[str] = []
        cuts: list[Cut] = []
        for whole in members.values():
            if whole.cut_from is not None or not len(self.engine.clip(whole, touched)):
                continue
            family = _family(members, whole.key)
            cut = self.engine.cut(
                CutTask(
                    folder=self.home / checked.run.folder,
                    settings=checked.run.settings,
                    whole=whole,
                    family=family,
                    line_pixels=pixels,
                )
            )
            if not cut.standing:
                raise ScanRefusedError("nothing large enough would be left of the object", advice="Draw the line elsewhere.")
            cuts.append(cut)
            retired += [key for key, one in family.items() if not one.is_retired and key not in cut.standing]
            restored += [key for key in cut.standing if key in family and family[key].is_retired]
        return _Change(
            retired=tuple(retired), restored=tuple(restored), new=tuple(one for cut in cuts for one in cut.new), cuts=tuple(cuts)
        )

    def _write(self, checked: CheckedScan, change: _Change, note: Callable[[Connection], str]) -> str:
        """A change and what led to it, in one transaction; its vignettes go again if that fails."""

        def work(connection: Connection) -> str:
            now = self.editable(connection, checked.scan.uuid)
            if now.run.id != checked.run.id:
                raise ScanOutdatedError(f"the scan {checked.scan.name} was processed anew just now")
            noted = note(connection)
            retire_objects(connection, checked.run.id, change.retired)
            restore_objects(connection, checked.run.id, change.restored)
            add_objects(connection, checked.run.id, change.new)
            return noted

        try:
            return self.writer.call(work)
        except BaseException:
            self._forget(change)
            raise

    @staticmethod
    def _forget(change: _Change) -> None:
        for cut in change.cuts:
            if cut.archive is not None:
                cut.archive.unlink(missing_ok=True)


def signed_content(connection: Connection, checked: CheckedScan) -> str:
    """SHA-256 of what a signature is about: picture, objects with their decisions, lines, META and what was typed over it."""
    texts = reads.scan_texts(connection, checked.scan.id)
    content = {
        "scan": checked.scan.uuid,
        "run": checked.run.uuid,
        "raw_sha256": checked.run.raw_sha256,
        "objects": [[one.key, one.decision, one.is_multiple] for one in standing_objects(connection, checked.scan.id)],
        "lines": [
            [line.uuid, line.is_human, hashlib.sha256(pack_pixels(line.pixels)).hexdigest()]
            for line in standing_lines(connection, checked.scan.id)
        ],
        "meta_sha256": hashlib.sha256(texts.meta or b"").hexdigest(),
        "entries": reads.entries_standing(connection, checked.scan.id),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _family(members: dict[str, FamilyMember], root: str) -> dict[str, FamilyMember]:
    """An object and everything that was ever cut from it, or from that."""
    found = {root: members[root]}
    for key, one in members.items():  # a part stands behind what it was cut from
        if one.cut_from in found:
            found[key] = one
    return found
