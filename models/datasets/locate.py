"""Find the image that a label file names, whichever folder the two were exported to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from models.datasets.draft import some, walk_images
from models.datasets.errors import DatasetImagesMissingError


class ImageFinder:
    """Looks under some folders, first for the whole relative path, last for a file name that only one image has."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = [folder for folder in dict.fromkeys(folders) if folder.is_dir()]
        self._by_name: dict[str, list[Path]] | None = None
        self._missing: list[str] = []

    def find(self, name: str) -> Path | None:
        """The image, or None; `refuse_missing` tells all that were not found."""
        path = PurePosixPath(name.replace("\\", "/"))
        inside = not path.is_absolute() and ".." not in path.parts
        for folder in self._folders if inside else ():
            if (candidate := folder.joinpath(*path.parts)).is_file():
                return candidate
        same_name = self._images().get(path.name, [])
        if len(same_name) == 1:
            return same_name[0]
        self._missing.append(name)
        return None

    def refuse_missing(self) -> None:
        """Raise if any image was not found.

        Raises:
            DatasetImagesMissingError: naming the first few and where they were looked for.
        """
        if self._missing:
            looked = ", ".join(str(folder) for folder in self._folders)
            raise DatasetImagesMissingError(
                f"{len(self._missing)} labelled images are missing: {some(self._missing)}; looked below {looked}"
            )

    def _images(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for path in _unique(path for folder in self._folders for path in walk_images(folder)):
                self._by_name.setdefault(path.name, []).append(path)
        return self._by_name


def _unique(paths: Iterable[Path]) -> Sequence[Path]:
    return list(dict.fromkeys(path.resolve() for path in paths))
