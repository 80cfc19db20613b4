"""Where results go ashore: `[[sinks]]` tables of the settings. What a far side knows us by never stands in them."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from edge.link_windows import read_windows

LONGEST_KEY = 1024  # bytes of a key of S3
_OURS = len("v1/") + 36 + len("/2026/11/22/") + 64 + len(".cbor.zst")


def _is_window(value: str) -> str:
    read_windows([value])
    return value


def _is_prefix(value: str) -> str:
    value = value.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9._/-]*", value) or "//" in value or {".", ".."} & set(value.split("/")):
        raise ValueError("a prefix has letters without accents, digits, `.`, `_`, `-`, and `/` between its parts")
    if len(value) + 1 + _OURS > LONGEST_KEY:
        raise ValueError(f"a prefix has at most {LONGEST_KEY - 1 - _OURS} letters")
    return value


def _is_folder(value: str) -> str:
    value = value.strip("/")
    if {"", ".", ".."} & set(value.split("/")) and value:
        raise ValueError("a folder there is such as `Cruise 12/bundles`")
    if any(not letter.isprintable() for letter in value):
        raise ValueError("a folder's name has letters that can be printed")
    return value


class SinkSettings(BaseModel):
    """One far side, in a `[[sinks]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")] = Field(
        title="Name", description="What it is called on pages and in commands: small letters, digits and `-`, such as `institute`."
    )
    kind: Literal["s3", "webdav", "directory"] = Field(
        title="Kind", description="`s3` (a bucket), `webdav` (Nextcloud, B2DROP), `directory` (a stick, a share of the ship)."
    )
    url: str = Field(
        default="",
        title="Address",
        description=(
            "Of `s3` the server's, such as `https://s3.example.org`; of `webdav` that of the account's files, such as "
            "`https://cloud.example.org/remote.php/dav/files/NAME`."
        ),
    )
    bucket: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")] = Field(
        default="", title="Bucket", description="Of `s3`: a bucket that is there already."
    )
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")] = Field(
        default="us-east-1", title="Region", description="Of `s3`: as the server calls it; most that are not Amazon's take `us-east-1`."
    )
    prefix: Annotated[str, AfterValidator(_is_prefix)] = Field(
        default="", title="Prefix", description="Of `s3`: what keys begin with, such as `vessel-results/input`."
    )
    folder: Annotated[str, AfterValidator(_is_folder)] = Field(
        default="", title="Folder there", description="Of `webdav`: below `url`; it is made if it is missing."
    )
    path: Path | None = Field(
        default=None, title="Folder", description="Of `directory`: a folder that was set up for bundles; a stick that is out is waited for."
    )
    profile: Literal["plain", "oscar"] = Field(
        default="plain",
        title="Profile",
        description=(
            "`oscar`: each new key below `prefix` starts a job of [OSCAR](https://docs.oscar.grycap.net), so nothing but whole bundles "
            "ever comes there."
        ),
    )
    priorities: Annotated[tuple[Annotated[int, Field(ge=0, le=4)], ...], Field(min_length=1)] = Field(
        default=(0, 1, 2, 3, 4),
        title="Priorities",
        description="What it takes: 0 heartbeat and health, 1 results, 2 thumbnails, 3 crops chosen for review, 4 originals.",
    )
    originals: bool = Field(
        default=False, title="Originals", description="Whether it also takes original images and clips, as files beside the bundles."
    )
    rate_kbps: Annotated[float, Field(ge=0, le=10_000_000)] = Field(
        default=0.0, title="Rate (kbit/s)", description="At most so fast, counted at the socket; 0: as fast as it goes."
    )
    daily_mb: Annotated[float, Field(ge=0, le=10_000_000)] = Field(
        default=0.0,
        title="Budget of a day (MB)",
        description="At most so many million bytes a day (UTC), up and down, with what was sent again; 0: no limit.",
    )
    monthly_mb: Annotated[float, Field(ge=0, le=100_000_000)] = Field(
        default=0.0, title="Budget of a month (MB)", description="The same for a calendar month (UTC)."
    )
    windows: tuple[Annotated[str, AfterValidator(_is_window)], ...] = Field(
        default=(), title="Windows", description="When it may be used (UTC), such as `mon-fri 22:00-06:00` or `sat,sun`; empty: always."
    )
    metered: bool = Field(
        default=True,
        title="Metered",
        description="Whether its bytes cost somebody: the page then tells how many the backlog will take.",
    )
    plain_http: bool = Field(
        default=False,
        title="Without TLS",
        description="Allow `url` to be plain http on another machine. Keys and results can then be read on their way: own networks only.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = {"s3": self._faults_of_s3, "webdav": self._faults_of_webdav, "directory": self._faults_of_directory}[self.kind]()
        least_mb = min((limit for limit in (self.daily_mb, self.monthly_mb) if limit), default=1.0)
        if least_mb < 1.0:
            faults.append("a budget is at least 1 MB: less would not let one bundle pass")
        if self.profile == "oscar" and (self.kind != "s3" or not self.prefix):
            faults.append("the profile oscar is for `s3` with the `prefix` that the service watches")
        if self.profile == "oscar" and self.originals:
            faults.append("the profile oscar takes no originals: each would start a job")
        if faults:
            raise ValueError(f"{self.name}: {'; '.join(faults)}")
        return self

    def _faults_of_s3(self) -> list[str]:
        faults = self._faults_of_address()
        if not self.bucket:
            faults.append("`s3` needs a `bucket`")
        if urlsplit(self.url).path not in {"", "/"}:
            faults.append("the `url` of `s3` has no path: bucket and prefix are settings of their own")
        return faults + self._not_for("folder", "path")

    def _faults_of_webdav(self) -> list[str]:
        return self._faults_of_address() + self._not_for("bucket", "prefix", "path")

    def _faults_of_directory(self) -> list[str]:
        faults = [] if self.path is not None and self.path.is_absolute() else ["`directory` needs a whole `path`"]
        return faults + self._not_for("url", "bucket", "prefix", "folder")

    def _not_for(self, *names: str) -> list[str]:
        return [f"`{name}` is nothing of `{self.kind}`" for name in names if getattr(self, name)]

    def _faults_of_address(self) -> list[str]:
        try:
            parts = urlsplit(self.url)
            port_is_one = parts.port is None or parts.port > 0
        except ValueError as error:
            return [f"`url` is no address: {error}"]
        if parts.scheme not in {"https", "http"} or not parts.hostname or not port_is_one or parts.query or parts.fragment:
            return [f"`{self.kind}` needs a `url` such as https://cloud.example.org"]
        if parts.username or parts.password:
            return ["a `url` carries no name and no password: `imagine-edge sync login` keeps them"]
        if parts.scheme == "http" and not self.plain_http and not is_loopback(parts.hostname):
            return ["`url` is plain http, keys could be read on their way; use https, or set `plain_http` on a network of your own"]
        return []


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, whatever the network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def are_different(sinks: tuple[SinkSettings, ...]) -> tuple[SinkSettings, ...]:
    """The same sinks.

    Raises:
        ValueError: two have one name, or one has that of the sticks that are brought by hand.
    """
    if any(one.name == "usb" for one in sinks):
        raise ValueError("usb is the name of the sticks of `sync usb export`: call it something else")
    twice = [name for name, count in Counter(one.name for one in sinks).items() if count > 1]
    if twice:
        raise ValueError(f"two sinks are called {twice[0]}: budgets and states are kept by name")
    return sinks
