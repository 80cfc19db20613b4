"""Settings of the appliance: `settings.toml` in the home folder, environment variables `IMAGINE_EDGE_*` over it.

There is no module-level settings object: `load_settings` reads them once and they are passed in.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from edge.errors import SettingsError
from edge.sink_settings import SinkSettings, are_different

SETTINGS_NAME = "settings.toml"


def _is_time_pattern(value: str) -> str:
    try:
        groups = set(re.compile(value).groupindex)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    missing = {"year", "month", "day", "hour", "minute", "second"} - groups
    if missing:
        raise ValueError(f"the pattern lacks the named groups {', '.join(sorted(missing))}")
    return value


class WatchedFolder(BaseModel):
    """One more watched folder, in a `[[watched]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path = Field(
        title="Folder", description="The folder to watch, subfolders included. It must not lie inside another watched folder."
    )
    recipe: str = Field(title="Recipe", description="What happens to its files, such as `burrows`; `zooscan` takes whole ZooScan projects.")
    intake: Literal["in_place", "copy"] = Field(
        default="in_place",
        title="Intake",
        description="`in_place` leaves files where they are; `copy` keeps a verified copy in the home folder (removable media).",
    )


class Settings(BaseSettings):
    """Everything that can be set. Unknown names are refused."""

    model_config = SettingsConfigDict(env_prefix="IMAGINE_EDGE_", extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", title="Address", description="The address that the pages are served on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8765, title="Port", description="The port that the pages are served on; 0 takes a free one."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "[::1]"),
        title="Allowed host names",
        description="Names under which a browser may call the pages; any other is refused (DNS rebinding).",
    )
    tls_certificate: Path | None = Field(
        default=None,
        title="Certificate",
        description="The ship's own certificate chain (PEM) for the pages; empty makes one when `host` is not the machine's own loopback.",
    )
    tls_key: Path | None = Field(
        default=None, title="Certificate's key", description="The private key (PEM) that belongs to `tls_certificate`."
    )
    sign_in_idle_min: Annotated[int, Field(ge=5, le=1440)] = Field(
        default=120, title="Sign-in, idle (min)", description="Whoever does nothing for this long signs in again."
    )
    sign_in_limit_h: Annotated[int, Field(ge=1, le=168)] = Field(
        default=12, title="Sign-in, at most (h)", description="A sign-in ends after this time, whatever is done; a watch fits in it."
    )
    watched: tuple[WatchedFolder, ...] = Field(
        default=(), title="Watched folders", description="Folders watched besides `inbox/<recipe>` in the home folder."
    )
    settle_s: Annotated[float, Field(ge=0.1, le=600)] = Field(
        default=2.0, title="Settle time (s)", description="A file is whole when its size and time are equal on two looks this far apart."
    )
    clip_settle_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=30.0,
        title="Settle time of clips (s)",
        description="A clip is whole when nothing changed it for so long: recorders pause while they write.",
    )
    growing_limit_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=30.0,
        title="Growing limit (s)",
        description="A file that is still empty or changing after this time is listed with that reason; it is taken later by itself.",
    )
    rescan_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=15.0, title="Rescan (s)", description="How often changed folders are looked for, whatever the watcher reports."
    )
    full_rescan_s: Annotated[float, Field(ge=10, le=86_400)] = Field(
        default=900.0, title="Full rescan (s)", description="How often every file of every folder is compared with the database."
    )
    file_time_pattern: Annotated[str, AfterValidator(_is_time_pattern)] = Field(
        default=(
            r"D(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)T(?P<hour>\d\d)-(?P<minute>\d\d)-(?P<second>\d\d)"
            r"(?:-(?P<microsecond>\d{1,6}))?(?P<utc>Z)?"
        ),
        title="Capture time in file names",
        description="A regular expression with the groups year, month, day, hour, minute, second, and optionally microsecond and utc.",
    )
    text_band_px: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=22, title="Text band (px)", description="Height of the burnt-in text at the top of burrow stills; nothing is found in it."
    )
    max_pixels: Annotated[int, Field(ge=1_000_000)] = Field(
        default=100_000_000, title="Largest image (pixels)", description="An image with more pixels is quarantined before it is decoded."
    )
    max_file_bytes: Annotated[int, Field(ge=1_000_000)] = Field(
        default=1_073_741_824, title="Largest file (bytes)", description="A file with more bytes is quarantined without being read."
    )
    clip_rate_hz: Annotated[float, Field(gt=0, le=60)] = Field(
        default=6.0,
        title="Frames looked at per second of a clip (Hz)",
        description="An opening of a towed survey stays in view for about a second: fewer than 5 lose some.",
    )
    max_clip_bytes: Annotated[int, Field(ge=1_000_000)] = Field(
        default=137_438_953_472, title="Largest clip (bytes)", description="A clip with more bytes is quarantined without being read."
    )
    worker_threads: Annotated[int, Field(ge=0, le=256)] = Field(
        default=0, title="Worker threads", description="Images processed at once; 0 takes one more than there are processor cores."
    )
    worker_timeout_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=60.0, title="Worker timeout (s)", description="An image that takes longer is given up and its worker is replaced."
    )
    worker_memory_mb: Annotated[int, Field(ge=512)] = Field(
        default=4096, title="Worker memory (MiB)", description="A worker that uses more memory is replaced."
    )
    worker_attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, title="Attempts", description="An image whose worker died this often is quarantined."
    )
    min_free_mb: Annotated[int, Field(ge=16)] = Field(
        default=1024, title="Free space floor (MiB)", description="Below this much free space in the home folder nothing new is taken."
    )
    ballast_mb: Annotated[int, Field(ge=0, le=4096)] = Field(
        default=64, title="Ballast (MiB)", description="Space held back, so that the database can finish when the disk is full."
    )
    backup_every_h: Annotated[float, Field(gt=0, le=720)] = Field(
        default=24.0, title="Backup interval (h)", description="How often the database is backed up by itself."
    )
    workshop_python: Path | None = Field(
        default=None,
        title="Workshop",
        description=(
            "The Python of the environment that `make workshop` builds, for importing checkpoints, quantising and training; "
            "empty looks for `.venv-workshop` beside the program."
        ),
    )
    zooscan_multiple_score: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.4,
        title="Score of multiples on a scan",
        description="An object with a higher score is taken for several animals that touch. Scores are stored; a run keeps its threshold.",
    )
    zooscan_separate: bool = Field(
        default=True,
        title="Separate touching animals on a scan",
        description="Cut what is taken for several animals where it is narrow. Without it only people's lines cut.",
    )
    ecotaxa_url: str = Field(
        default="https://ecotaxa.obs-vlfr.fr/api",
        title="EcoTaxa",
        description="The EcoTaxa server that `zooscan push` and `zooscan pull` talk to; nothing is contacted before one of them is called.",
    )
    ecotaxa_project: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        title="EcoTaxa project",
        description="The project there of scans whose own project folder names none (in `Zooscan_config/ecotaxa_project.txt`).",
    )
    ecotaxa_plain_http: bool = Field(
        default=False,
        title="EcoTaxa without TLS",
        description="Allow `ecotaxa_url` to be plain http on another machine. Passwords can then be read on their way: own networks only.",
    )
    cvat_bridge: bool = Field(
        default=True,
        title="Models for CVAT",
        description="Answer CVAT as Nuclio would, on `cvat_host` and `cvat_port`: models run when somebody calls them, not before.",
    )
    cvat_host: str = Field(
        default="127.0.0.1",
        title="Address for CVAT",
        description="Where CVAT reaches the models; for a CVAT in Docker on this machine the address of its bridge, such as 172.17.0.1.",
    )
    cvat_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8070, title="Port for CVAT", description="The port of the same, Nuclio's own by default; 0 takes a free one."
    )
    cvat_allowed_from: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128", "172.16.0.0/12"),
        title="Callers of the models",
        description="Networks from which models may be called; any other caller is refused. Docker's own lie in 172.16.0.0/12.",
    )
    cvat_token: str = Field(
        default="",
        title="Token of the callers",
        description="If set, every call has to carry it as the first part of its path (`/TOKEN/api/functions`).",
    )
    cvat_body_mb: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=64, title="Largest call (MiB)", description="A call with a larger body is refused; two images in base64 have to fit in it."
    )
    cvat_url: str = Field(
        default="",
        title="CVAT",
        description="The CVAT server that tasks go to, such as `http://localhost:8080`; empty: none, and nothing is contacted.",
    )
    cvat_plain_http: bool = Field(
        default=False,
        title="CVAT without TLS",
        description="Allow `cvat_url` to be plain http on another machine. Passwords can then be read on their way: own networks only.",
    )
    cvat_job_frames: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=50,
        title="Frames of a job in CVAT",
        description="A task is divided into jobs of so many images, so that several people can share it.",
    )
    vessel: Annotated[str, Field(max_length=80)] = Field(
        default="",
        title="Vessel",
        description="The name of the ship or lab, as people ashore read it. Two of one name stay apart: each home has a number of its own.",
    )
    sync_bundle_kb: Annotated[int, Field(ge=64, le=512)] = Field(
        default=256,
        title="Bundle (kB)",
        description="Results go ashore in bundles of at most so many thousand bytes: what goes again when a link breaks. 64 for slow ones.",
    )
    sync_keep_days: Annotated[int, Field(ge=0, le=3650)] = Field(
        default=30,
        title="Bundles kept (days)",
        description="The file of a bundle that every far side has confirmed stays so many days more, should shore want it again.",
    )
    sinks: Annotated[tuple[SinkSettings, ...], AfterValidator(are_different)] = Field(
        default=(), title="Far sides", description="Where results go ashore, each in a `[[sinks]]` table; none: nothing is contacted."
    )
    updates_url: str = Field(
        default="",
        title="Updates of models",
        description="Where signed models are offered, such as `https://models.example.org/edge`; empty: nothing is asked for.",
    )
    backups_kept: Annotated[int, Field(ge=1, le=365)] = Field(
        default=7, title="Backups kept", description="How many of the daily backups stay."
    )


def load_settings(home: Path, **options: object) -> Settings:
    """The settings of a home folder.

    Args:
        home: holds `settings.toml`, which may be missing.
        options: values that win over the file and the environment, such as `port`.

    Raises:
        SettingsError: the file cannot be read, or names or values are wrong; the message says which.
    """
    path = home / SETTINGS_NAME

    class FileSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return FileSettings(**options)  # type: ignore[arg-type]
    except ValidationError as error:
        faults = "; ".join(_fault(".".join(map(str, fault["loc"])), fault["type"], fault["msg"]) for fault in error.errors())
        raise SettingsError(f"{path} or the environment: {faults}") from error
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _fault(name: str, kind: str, message: str) -> str:
    return f"there is no setting {name}" if kind == "extra_forbidden" else f"{name}: {message}"
