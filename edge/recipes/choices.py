"""What a person chooses for a comparison: two variants, and the files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_COMPARED_FILES = 1000

WhichFiles = Literal["newest", "random", "folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChoice:
    """A pack, and one of its variants; None is the one that would serve on this machine."""

    name: str
    version: str
    variant: str | None = None

    @property
    def label(self) -> str:
        """In one line."""
        return f"{self.name}@{self.version}" + (f" {self.variant}" if self.variant else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesChoice:
    """Which files of a recipe are compared: its newest, the newest of one folder, or some drawn by chance.

    Only files that have a result and whose originals are there are taken.
    """

    recipe: str
    which: WhichFiles
    limit: int
    folder_id: int | None = None

    @property
    def words(self) -> str:
        """In a few words."""
        if self.which == "random":
            return f"{self.limit} drawn by chance"
        return f"the newest {self.limit}" + (" of one folder" if self.which == "folder" else "")
