"""What is missing between CVAT and the appliance, in plain words: the server, the sign-in, and whether CVAT sees the models."""

from __future__ import annotations

import ipaddress
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from annotator_bridge.cvat.address import checked_address
from annotator_bridge.cvat.login import read_login
from annotator_bridge.cvat.rest import RestServer
from annotator_bridge.cvat.sdk import sdk_generation
from annotator_bridge.cvat.server import CvatServer, ServerAbout
from annotator_bridge.cvat.session import open_anonymously, open_server
from annotator_bridge.cvat.values import Finding
from annotator_bridge.facade.record import BridgeRecord, read_record
from annotator_bridge.functions.catalogue import list_functions
from edge.errors import EdgeError, LinkDownError, ServerFailedError, ServerRefusedError
from edge.settings import Settings

OLDEST, NEWEST = (2, 15), (2, 80)  # the generations that the bridge is tested with
KIT = "`imagine-edge cvat kit --out DIR` writes what CVAT's compose needs; start CVAT with it."
SILENT = (
    "Does CVAT run, and does a browser on this machine open it under the very address in `cvat_url`? Nothing is lost: what waits goes "
    "by itself when CVAT answers."
)
_LEAST_FREE_MB = 1024

Wait = Callable[[float], bool]


def examine(home: Path, settings: Settings, *, wait: Wait = lambda _: False) -> tuple[Finding, ...]:
    """Look at everything, one after the other. What hangs on something that is missing is not asked.

    Args:
        home: the appliance's folder.
        settings: of it.
        wait: where retries wait.
    """
    found = (*_of_models(home, settings), *_of_server(home, settings, wait), *_of_disk(home, settings))
    is_seen = any(one.check == "models_seen" and one.state == "ok" for one in found)
    return tuple(replace(one, state="ok", advice="") if is_seen and one.check == "models_address" else one for one in found)


def _of_models(home: Path, settings: Settings) -> Iterator[Finding]:
    record = read_record(home)
    if not settings.cvat_bridge:
        yield Finding(
            check="models_served",
            state="warning",
            words="models are not served to CVAT: the setting cvat_bridge is off",
            advice="Switch it on, or run `imagine-edge cvat serve`, if people in CVAT shall use the appliance's models.",
        )
    if record is not None and record.is_serving:
        yield Finding(check="models_served", state="ok", words=f"models are served at {record.url}")
        yield _address(settings, record)
    elif settings.cvat_bridge:
        why = f": {record.fault}" if record is not None and record.fault else ": neither the appliance nor `cvat serve` runs"
        advice = f"Start the appliance. If the port is taken, choose another with cvat_port (it is {settings.cvat_port})."
        yield Finding(check="models_served", state="error", words=f"models are not served to CVAT now{why}", advice=advice)
    try:
        functions = list_functions(home)
    except EdgeError as error:
        yield Finding(check="models", state="error", words=f"the list of models cannot be made: {error}", advice=error.advice())
        return
    if functions:
        yield Finding(check="models", state="ok", words=f"functions for CVAT: {', '.join(one.id for one in functions)}")
    else:
        yield Finding(check="models", state="error", words="there is no model to serve", advice="Run `imagine-edge models list`.")


def _address(settings: Settings, record: BridgeRecord) -> Finding:
    """Whether a container can reach it, as far as its own address tells."""
    try:
        is_own = ipaddress.ip_address(settings.cvat_host).is_loopback
    except ValueError:
        is_own = settings.cvat_host == "localhost"
    if is_own:
        words = f"models are served on this machine only ({settings.cvat_host}): a CVAT in Docker would not reach them"
        advice = (
            "Set cvat_host to the address of Docker's bridge (`ip addr show docker0`, mostly 172.17.0.1) and start the appliance again."
        )
        return Finding(check="models_address", state="warning", words=words, advice=advice)
    if not settings.cvat_token:
        words = f"models are served on {settings.cvat_host} to whoever is in {', '.join(settings.cvat_allowed_from)}, without a token"
        return Finding(check="models_address", state="ok", words=words)
    return Finding(check="models_address", state="ok", words=f"models are served on {settings.cvat_host}, with a token ({record.url})")


def _of_server(home: Path, settings: Settings, wait: Wait) -> Iterator[Finding]:
    try:
        server = checked_address(settings.cvat_url, plain_allowed=settings.cvat_plain_http)
    except EdgeError as error:
        yield Finding(check="server_address", state="error", words=str(error), advice=error.advice())
        return
    try:
        with open_anonymously(server, wait=wait) as (_, rest):
            about = rest.about()
            yield Finding(check="server", state="ok", words=f"{server} answers: {about.name} {about.version}")
            yield _version(about)
            yield _sdk(about)
            yield _plugin(rest)
    except EdgeError as error:
        is_silent = isinstance(error, LinkDownError) and error.advice() == LinkDownError("").advice()
        yield Finding(check="server", state="error", words=str(error), advice=SILENT if is_silent else error.advice())
        return
    yield from _of_account(home, settings, server, wait)


def _version(about: ServerAbout) -> Finding:
    named = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    if about.generation is None:
        words = f"the server calls its version {about.version!r}, which cannot be read"
        return Finding(check="server_version", state="warning", words=words, advice=f"Known are versions {named}.")
    if about.generation < OLDEST:
        advice = f"Known are versions {named}: install one of them."
        return Finding(
            check="server_version", state="error", words=f"version {about.version} is older than any that is known", advice=advice
        )
    if about.generation > NEWEST:
        advice = f"Known are versions {named}. It may work; tell the developers if it does not."
        words = f"version {about.version} is newer than any that is known"
        return Finding(check="server_version", state="warning", words=words, advice=advice)
    if about.generation in (OLDEST, NEWEST):
        return Finding(check="server_version", state="ok", words=f"version {about.version} is one of those that the bridge is tested with")
    words = f"version {about.version} lies between those that the bridge is tested with ({named})"
    return Finding(check="server_version", state="ok", words=words)


def _sdk(about: ServerAbout) -> Finding:
    mine = sdk_generation()
    if mine is None:
        return Finding(check="sdk", state="ok", words="cvat-sdk is not installed: the server is asked over REST, which needs nothing else")
    version = f"{mine[0]}.{mine[1]}"
    if mine == about.generation:
        return Finding(check="sdk", state="ok", words=f"cvat-sdk {version} fits the server, and is used")
    return Finding(check="sdk", state="ok", words=f"cvat-sdk {version} is for another version of the server: REST is used instead")


def _plugin(rest: RestServer) -> Finding:
    if rest.plugins().get("MODELS"):
        return Finding(check="models_plugin", state="ok", words="CVAT shows its Models page (CVAT_SERVERLESS is set)")
    advice = f"Set CVAT_SERVERLESS=1 on cvat_server. {KIT}"
    return Finding(check="models_plugin", state="error", words="CVAT hides its Models page: CVAT_SERVERLESS is not set", advice=advice)


def _of_account(home: Path, settings: Settings, server: str, wait: Wait) -> Iterator[Finding]:
    try:
        login = read_login(home, server)
        if login is None:
            advice = "Run `imagine-edge cvat login`, or sign in on the Annotate page."
            yield Finding(check="login", state="error", words=f"nobody is signed in at {server}", advice=advice)
            return
        with open_server(login, wait=wait) as opened:
            yield Finding(check="login", state="ok", words=f"signed in as {opened.who()}")
            yield _seen(home, settings, opened)
    except EdgeError as error:
        yield Finding(check="login", state="error", words=str(error), advice=error.advice())


def _seen(home: Path, settings: Settings, server: CvatServer) -> Finding:
    """Whether CVAT finds our functions at what it takes for Nuclio."""
    where = f"CVAT_NUCLIO_HOST and CVAT_NUCLIO_PORT (ours is {settings.cvat_port})"
    try:
        seen = set(server.functions())
    except ServerFailedError as error:
        advice = (
            f"In CVAT's containers look at {where}, and whether host.docker.internal is known there (extra_hosts). Here, is cvat_host an "
            f"address that Docker reaches, and does a firewall stand between? {KIT}"
        )
        return Finding(check="models_seen", state="error", words=f"CVAT does not reach the models: {error}", advice=advice)
    except ServerRefusedError as error:
        advice = f"Is CVAT's address within cvat_allowed_from, and does CVAT_NUCLIO_HOST carry the token, if cvat_token is set? {KIT}"
        return Finding(check="models_seen", state="error", words=f"CVAT is not let in where it looks for models: {error}", advice=advice)
    mine = {one.id for one in list_functions(home)}
    if mine and not mine & seen:
        words = f"CVAT sees {len(seen)} functions, and none of ours: it asks something else"
        return Finding(check="models_seen", state="error", words=words, advice=f"Look at {where} in CVAT's containers. {KIT}")
    if mine - seen:
        advice = "Reload CVAT's Models page; the log of the appliance names packs that were left out."
        words = f"CVAT does not see {', '.join(sorted(mine - seen))}"
        return Finding(check="models_seen", state="warning", words=words, advice=advice)
    words = f"CVAT sees our {len(mine)} functions"
    return Finding(check="models_seen", state="ok", words=f"{words}. {_invoked(read_record(home))}")


def _invoked(record: BridgeRecord | None) -> str:
    """What can be told of the way CVAT calls; how it is set cannot be asked."""
    if record is not None and record.calls > record.failed:
        return "It has called them, so CVAT_NUCLIO_INVOKE_METHOD is right."
    return "It has called none yet: if calls fail while the list is there, set CVAT_NUCLIO_INVOKE_METHOD=dashboard."


def _of_disk(home: Path, settings: Settings) -> Iterator[Finding]:
    least_mb = max(_LEAST_FREE_MB, settings.min_free_mb)
    try:
        free_mb = shutil.disk_usage(home).free // 1024**2
    except OSError as error:
        yield Finding(check="disk", state="error", words=f"the disk of {home} cannot be looked at: {error.strerror}")
        return
    if free_mb < least_mb:
        advice = "Free space. CVAT keeps copies of all that it is sent: look at its disk too."
        yield Finding(check="disk", state="warning", words=f"{free_mb} MiB are free in the home folder", advice=advice)
    else:
        yield Finding(check="disk", state="ok", words=f"{free_mb} MiB are free in the home folder")
