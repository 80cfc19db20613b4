"""What a watched folder does with its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from edge.formats import CLIP_EXTENSIONS
from edge.pipeline.plan import ClipSettings, DetectSettings
from edge.settings import Settings
from models.manifest import Task

STILL_EXTENSIONS = frozenset((b".jpg", b".jpeg", b".png", b".tif", b".tiff", b".bmp"))
FOOTAGE_EXTENSIONS = STILL_EXTENSIONS | {extension.encode() for extension in CLIP_EXTENSIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A kind of work.

    Attributes:
        name: what folders, tables and options call it.
        extensions: endings of the files it takes, lower case.
        tasks: what a model may do to serve it.
        starter_pack: the bundled pack that serves it until another is activated.
        detect: the detection settings that follow from the settings.
        clip: how clips are read, as follows from the settings; None if it takes none.
        measure: of images that are crops of one particle each: what measures it, as `package.module:function`.
        labels: the classes that a model must have to serve it; None if it may have any.
        foreign: the classes of models that serve another recipe and never this one; None: of none.
        on_demand: its worker and its inbox are there only where a folder is watched with it, or was ever taken from.
    """

    name: str
    title: str
    extensions: frozenset[bytes]
    tasks: frozenset[Task]
    starter_pack: str
    detect: Callable[[Settings], DetectSettings]
    clip: Callable[[Settings], ClipSettings] | None = None
    measure: str | None = None
    labels: frozenset[str] | None = None
    foreign: frozenset[str] | None = None
    on_demand: bool = False

    def sha256(self, settings: Settings) -> str:
        """The identity of everything in the recipe that can change a still's result."""
        return _sha256(self._content(settings))

    def clip_sha256(self, settings: Settings) -> str:
        """The identity of everything in the recipe that can change what is read of a clip."""
        return _sha256({**self._content(settings), "clip": None if self.clip is None else asdict(self.clip(settings))})

    def _content(self, settings: Settings) -> dict[str, object]:
        content: dict[str, object] = {
            "recipe": self.name,
            "detect": asdict(self.detect(settings)),
            "file_time_pattern": settings.file_time_pattern,
        }
        return content if self.measure is None else {**content, "measure": self.measure}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRecipe:
    """A kind of work whose watched folders hold whole projects, not files: each has texts, pictures and backgrounds that belong together.

    Attributes:
        name: what folders, tables and options call it.
        tasks: what a model may do to serve it.
        starter_pack: the bundled pack that serves it until another is activated.
        command: what takes one project once, in place of `ingest`.
        labels: the classes that a model must have to serve it; None if it may have any.
        foreign: the classes of models that serve another recipe and never this one; None: of none.
    """

    name: str
    title: str
    tasks: frozenset[Task]
    starter_pack: str
    command: str
    labels: frozenset[str] | None = None
    foreign: frozenset[str] | None = None


def _sha256(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
