"""What the pages need from the service: its live figures, its readers and the things a person may ask of it.

The pages never write to the database: they call the actions here, and the service writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from edge.footage import FrameGiven, FrameWanted, SheetWanted, StripGiven, StripWanted
from edge.recipes.choices import FilesChoice, VariantChoice
from edge.recipes.model_tasks import ModelTask
from edge.store.sqlite import Connection
from edge.survey.boxes_desk import BoxesDesk
from edge.survey.copy_desk import CopyDesk
from edge.survey.counting.desk import CountingDesk
from edge.survey.media_desk import MediaDesk
from edge.survey.people_desk import PeopleDesk
from edge.survey.review_desk import ReviewDesk
from edge.survey.sheet_desk import SheetDesk
from edge.survey.tables_desk import TablesDesk
from edge.survey.tow_desk import TowDesk
from edge.survey.track_desk import TrackDesk
from edge.survey.waiting_desk import WaitingDesk
from edge.zooscan.check_values import CheckPictures

if TYPE_CHECKING:
    from annotator_bridge.cvat.desk import AnnotationDesk
    from edge.zooscan.desk.desk import ScanDesk
    from edge.zooscan.ecotaxa.desk import EcotaxaDesk
    from sync.desk import SyncDesk


class Phase(StrEnum):
    """What the appliance as a whole is doing."""

    STARTING = "starting"
    WATCHING = "watching"
    PROCESSING = "processing"
    PAUSED = "paused"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootStatus:
    """A watched folder. `detail` says why it is not reachable."""

    path: str
    recipe: str
    intake: Literal["in_place", "copy"]
    reachable: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """The model that serves a recipe. `variant` is such as "int8 on openvino, CPU"; `detail` says why it failed."""

    recipe: str
    name: str
    version: str
    variant: str
    state: Literal["none", "preparing", "ready", "failed"]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A child process that decodes and infers; `rss_bytes` is its resident memory."""

    recipe: str
    pid: int | None
    state: Literal["starting", "running", "stopped", "failed"]
    rss_bytes: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskStatus:
    """The disk of the home folder. Nothing new is taken below `floor_bytes` free."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStatus:
    """What is happening now.

    Attributes:
        as_of_utc: when these figures were taken by the part that does the work; the pages mark them old after 15 s.
        phase_detail: why, such as "the disk is full" when paused, "by page 127.0.0.1" if a person paused; empty if there is
            nothing to add.
        images_per_s: results per second over the last minute; None before the first minute's first result.
        in_flight: names of the files in the workers' hands, of clips with how far they are read.
        queue_length: jobs that wait, reprocessing included.
        eta_s: seconds until the queue is empty at the present pace; None if unknown.
        last_inventory_utc: when every watched folder was last compared with the database; None before the first.
        faults: sentences; parts of the appliance itself that fail or have ended, so that files are not taken or not processed.
    """

    as_of_utc: str
    phase: Phase
    phase_detail: str
    roots: tuple[RootStatus, ...]
    images_per_s: float | None
    in_flight: tuple[str, ...]
    queue_length: int
    eta_s: float | None
    models: tuple[ModelStatus, ...]
    disk: DiskStatus
    workers: tuple[WorkerStatus, ...]
    last_inventory_utc: str | None
    started_utc: str
    software_version: str
    sqlite_version: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatus:
    """A health check. `holds` is None before its first run; `detail` says what it saw."""

    name: str
    title: str
    holds: bool | None
    detail: str
    checked_utc: str | None


class ModelDesk(Protocol):
    """Everything a person may do with packs but to let one serve; long work goes on in the background. For any thread."""

    def tasks(self) -> Sequence[ModelTask]:
        """The last installs and proofs, newest first."""

    def yielding_comparison(self) -> int | None:
        """The comparison that waits until the real queue is empty."""

    def install(self, source: Path, actor: str, *, subject: str | None = None, is_upload: bool = False) -> ModelTask:
        """Bring a pack in, from a folder or a zip; `subject` is what the pages call it. An upload's file goes when that has ended."""

    def prove(self, name: str, version: str, actor: str) -> ModelTask:
        """Run the goldens of an installed pack and measure its speed again."""

    def remove(self, name: str, version: str, actor: str) -> None:
        """Delete the files of a version that serves nothing; what it found stays."""

    def compare(self, a: VariantChoice, b: VariantChoice, files: FilesChoice, actor: str) -> int:
        """Run two models on the same files. Returns the comparison's id."""

    def cancel_comparison(self, comparison_id: int, actor: str) -> None:
        """Let a comparison end now; what was found until then stays."""

    def delete_comparison(self, comparison_id: int, actor: str) -> None:
        """Forget a comparison that has ended."""


class Appliance(Protocol):
    """The running service, as the pages see it. Every method may be called from any thread.

    Actions raise an `EdgeError` if they cannot be done; the pages show its message and advice.
    """

    @property
    def home(self) -> Path:
        """The home folder."""

    @property
    def desk(self) -> ModelDesk:
        """What may be done with packs."""

    @property
    def sheets(self) -> SheetDesk:
        """Surveys, protocols, stations and what is typed into their sheets."""

    @property
    def tracks(self) -> TrackDesk:
        """What may be done with tracks, distances and widths."""

    @property
    def tables(self) -> TablesDesk:
        """Tables of others, taken into a survey."""

    @property
    def media(self) -> MediaDesk:
        """Which images belong to which tow."""

    @property
    def waiting(self) -> WaitingDesk:
        """Folders whose files belong to no survey."""

    @property
    def copies(self) -> CopyDesk:
        """Second copies of raw media."""

    @property
    def people(self) -> PeopleDesk:
        """What may be done with accounts and sign-ins."""

    @property
    def counting(self) -> CountingDesk:
        """Blind counts: begun, saved, signed, revealed."""

    @property
    def reviews(self) -> ReviewDesk:
        """What people decide about the openings that a model found."""

    @property
    def boxes(self) -> BoxesDesk:
        """What people decide about the boxes of an image."""

    @property
    def tows(self) -> TowDesk:
        """What the footage of tows comes to."""

    @property
    def ecotaxa(self) -> EcotaxaDesk:
        """What goes to EcoTaxa and comes back."""

    @property
    def annotation(self) -> AnnotationDesk:
        """Tasks that go to CVAT, and what people made of them there."""

    @property
    def sync(self) -> SyncDesk:
        """What goes ashore, and where it stands."""

    @property
    def scans(self) -> ScanDesk:
        """ZooScan scans: found, processed, checked, cut, signed."""

    @property
    def scan_pictures(self) -> CheckPictures:
        """The pictures of scans, and what a line would cut."""

    def reader(self) -> AbstractContextManager[Connection]:
        """A read-only connection for the calling thread."""

    def clip_frame(self, wanted: FrameWanted) -> FrameGiven:
        """A frame of a clip as a picture."""

    def strip(self, wanted: StripWanted | SheetWanted) -> StripGiven:
        """Crops of several frames in one picture; or a frame strip on one sheet."""

    def live(self) -> LiveStatus:
        """The present figures. Cheap: called once a second for each open page."""

    def change_count(self) -> int:
        """Grows with every commit and every change of `live`; the pages look again when it differs."""

    def checks(self) -> Sequence[CheckStatus]:
        """The health checks and how each last ended."""

    def machine(self) -> Mapping[str, str]:
        """What this machine is, as labels and texts with units, such as "Processor cores": "2"."""

    def retry(self, file_ids: Sequence[int] | None, actor: str, *, reason: str | None = None) -> int:
        """Queue quarantined files again: these, or for None all, or all with that reason. Returns how many."""

    def rescan(self, actor: str) -> None:
        """Compare every watched folder with the database now."""

    def reprocess(self, file_ids: Sequence[int] | None, recipe: str, actor: str) -> int:
        """Run the active model again on these files, or for None on all of the recipe. Returns how many were queued."""

    def activate(self, name: str, version: str, recipe: str, actor: str) -> None:
        """Let an installed model serve a recipe from now on."""

    def rollback(self, recipe: str, actor: str) -> None:
        """Let the model before serve the recipe again."""

    def pause(self, actor: str) -> None:
        """Take nothing new until `resume`; what is in a worker's hands is finished."""

    def resume(self, actor: str) -> None:
        """Go on after `pause`."""
