"""A watched root, and what is remembered of it between two looks."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import structlog

from edge.ingest.media import FolderIdentity, folder_identity, is_within
from edge.store import away, files
from edge.store.sqlite import Connection
from edge.store.writer import Writer

log = structlog.get_logger()


@dataclass(slots=True)
class WatchedRoot:
    """A root and what is remembered of it: something for each folder, nothing for each file.

    Attributes:
        root: as the store knows it.
        extensions: which files are taken.
        start: the folder in it from which files are taken; empty for all of it.
        identity: the folder that its files were seen in.
        folder_ids: the store's number of each folder that is known there.
        folder_mtimes_ns: the time of each folder when it was last looked at; -1 if it may have changed since unnoticed.
        mounts: folders at which something of its own is mounted.
        away: folders whose jobs wait until they can be looked at.
        ignored: files of no use to the recipe, by folder.
        unfinished: files that were seen and could not be taken in hand yet, by folder.
        troubles: why a folder cannot be looked at, in a sentence.
        is_due: its folder was exchanged: all of it must be looked at anew.
    """

    root: files.Root
    extensions: frozenset[bytes]
    start: bytes = b""
    identity: FolderIdentity | None = None
    folder_ids: dict[bytes, int] = field(default_factory=dict)
    folder_mtimes_ns: dict[bytes, int] = field(default_factory=dict)
    mounts: set[bytes] = field(default_factory=set)
    away: set[bytes] = field(default_factory=set)
    ignored: dict[bytes, int] = field(default_factory=dict)
    unfinished: dict[bytes, int] = field(default_factory=dict)
    troubles: dict[bytes, str] = field(default_factory=dict)
    is_due: bool = False
    file_count: int = 0
    looked_utc: str | None = None

    def path_of(self, folder: bytes) -> bytes:
        """A folder relative to the root, as a full path."""
        return os.path.join(self.root.path_bytes, folder) if folder else self.root.path_bytes

    def recall(self, reader: Connection) -> None:
        """Take from the store what it remembers of this root, as far as another thread may have changed it."""
        if not self.folder_ids:
            self.folder_ids = files.known_folders(reader, self.root.root_id)
            self.mounts = away.known_mounts(reader, self.root.root_id)
        self.away = away.away_folders(reader, self.root.root_id)

    def folder_id(self, writer: Writer, folder: bytes) -> int:
        """The store's number of a folder, which is made known to it if it is new."""
        if folder not in self.folder_ids:
            self.folder_ids[folder] = writer.call(lambda connection: files.add_folder(connection, self.root.root_id, folder))
        return self.folder_ids[folder]

    def is_exchanged(self) -> bool:
        """Whether the root is another folder than its files were seen in, or none: a medium came or went."""
        return folder_identity(self.root.path_bytes) != self.identity

    def refuse(self, writer: Writer, folder: bytes, trouble: str) -> None:
        """A folder cannot be looked at: this is told, and what waits in it and below it goes on waiting."""
        if self.troubles.get(folder) != trouble:
            log.warning("folder_unreadable", trouble=trouble)
        self.troubles[folder] = trouble
        for remembered in (self.folder_mtimes_ns, self.unfinished):
            for known in [known for known in remembered if is_within(known, folder)]:
                del remembered[known]  # whatever is there when it can be read again, it is looked at
        lost = {known for known in self.folder_ids if is_within(known, folder)} - self.away
        if lost and self.root.intake == "in_place":
            ids = [self.folder_ids[known] for known in lost]
            writer.call(lambda connection: away.mark_away(connection, ids))
            self.away |= lost

    def accept(self, writer: Writer, folder: bytes) -> None:
        """A folder was looked at, or is certainly gone: nothing waits for it any longer."""
        self.troubles.pop(folder, None)
        if folder in self.away:
            self.away.discard(folder)
            ids = [self.folder_ids[folder]] if folder in self.folder_ids else []
            writer.submit(lambda connection: away.mark_reachable(connection, ids))

    def note_mount(self, writer: Writer, folder: bytes, *, mounted: bool) -> None:
        """Remember whether a medium of its own is mounted at a folder."""
        if mounted == (folder in self.mounts):
            return
        folder_id = self.folder_id(writer, folder)
        writer.call(lambda connection: away.note_mount(connection, folder_id, is_mount=mounted))
        (self.mounts.add if mounted else self.mounts.discard)(folder)


def told(path: bytes, error: OSError) -> str:
    """A sentence for the person who wonders why nothing comes from this folder."""
    return f"{files.shown(path)} cannot be read: {error.strerror or error}"
