"""Files with which a CVAT in Docker finds the appliance's models, and with which it is brought aboard without internet.

The names of services and variables are those of CVAT's own docker-compose.yml and components/serverless/docker-compose.serverless.yml.
Of the images only what CVAT's release itself says is listed: a list of ours would be wrong with its next version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ExportRefusedError, SettingsError
from edge.settings import Settings

OVERRIDE_NAME, ENV_NAME, IMAGES_NAME = "docker-compose.imagine-edge.yml", "imagine-edge.env", "images.txt"
DOCKER_HOST = "host.docker.internal"
SERVER, WORKER = "cvat_server", "cvat_worker_annotation"
_OLDER_WORKERS = ("cvat_worker_default", "cvat_worker_low")  # of before 2.4: they ran models too
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
_IMAGE = re.compile(r"^\s+image:\s*[\"']?([^\"'\s#]+)", re.MULTILINE)
_SERVICE = re.compile(r"^  ([A-Za-z0-9_-]+):[ \t]*$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What was written: the folder, the files in it, and the images that the given compose file names (none without one)."""

    folder: Path
    files: tuple[str, ...]
    images: tuple[str, ...]


def write_kit(folder: Path, settings: Settings, *, version: str, host: str | None = None, compose: Path | None = None) -> Kit:
    """Write the files of a kit.

    Args:
        folder: is made; must be empty where it is there.
        settings: port, token and address of the models.
        version: of CVAT, such as "2.80.0".
        host: the name or address under which CVAT's containers reach the appliance; None: the machine that they run on.
        compose: the docker-compose.yml of that release, whose images are listed.

    Raises:
        SettingsError: the version, the host or the compose file is none.
        ExportRefusedError: there is something in the folder.
    """
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        raise SettingsError(f"{version!r} is no version of CVAT", advice="Such as 2.80.0; CVAT shows it under About.")
    if host is not None and not _HOST.fullmatch(host):
        raise SettingsError(f"{host!r} is no name or address of a machine")
    text = None if compose is None else _text_of(compose)
    images = () if text is None else images_of(text, found[1])
    workers = (WORKER,) if text is None else workers_of(text)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportRefusedError(f"{folder} is not empty", advice="Name a new folder.")
    files = {
        OVERRIDE_NAME: override_text(workers),
        "save-images.sh": _SAVE,
        "load-images.sh": _LOAD,
        "README.txt": _readme(settings, found[1], host),
    }
    if images:
        files[IMAGES_NAME] = "\n".join(images) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
            (folder / name).chmod(0o755 if name.endswith(".sh") else 0o644)
        _write_private(folder / ENV_NAME, env_text(settings, found[1], host))
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror}", advice="Name another folder.") from error
    return Kit(folder=folder, files=tuple(sorted((*files, ENV_NAME))), images=images)


def images_of(compose: str, version: str) -> tuple[str, ...]:
    """The images that a compose file names, with its variables put in: CVAT_VERSION is the version, others have their defaults.

    Raises:
        SettingsError: it names none, or a variable without a default.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name == "CVAT_VERSION":
            return f"v{version}"
        if not default:
            raise SettingsError(f"the compose file takes an image from the variable {name}, which is not known here")
        return default

    found = [_VARIABLE.sub(value, image) for image in _IMAGE.findall(compose)]
    if not found:
        raise SettingsError("the compose file names no images", advice="Give the docker-compose.yml of the CVAT release.")
    return tuple(sorted(set(found)))


def workers_of(compose: str) -> tuple[str, ...]:
    """The services of a compose file that call models besides the server: an override of one that is not there would not start.

    Raises:
        SettingsError: there is no server, or none of them.
    """
    services = set(_SERVICE.findall(compose))
    found = (WORKER,) if WORKER in services else tuple(name for name in _OLDER_WORKERS if name in services)
    if SERVER not in services or not found:
        advice = "Give the docker-compose.yml of the CVAT release."
        raise SettingsError(f"the compose file has no {SERVER} with a {WORKER}", advice=advice)
    return found


def override_text(workers: tuple[str, ...] = (WORKER,)) -> str:
    """The compose file that is started together with CVAT's own."""
    shared = (
        "      CVAT_NUCLIO_HOST: ${IMAGINE_EDGE_NUCLIO_HOST}",
        "      CVAT_NUCLIO_PORT: ${IMAGINE_EDGE_NUCLIO_PORT}",
        "      CVAT_NUCLIO_INVOKE_METHOD: dashboard",
        '      CVAT_NUCLIO_DEFAULT_TIMEOUT: "120"',
        "    extra_hosts:",
        f'      - "{DOCKER_HOST}:host-gateway"',
    )
    lines = ["# Started together with CVAT's own docker-compose.yml: CVAT takes the appliance for Nuclio.", "services:"]
    lines += [f"  {SERVER}:", "    environment:", '      CVAT_SERVERLESS: "1"', *shared]
    for worker in workers:
        lines += [f"  {worker}:", "    environment:", *shared]
    return "\n".join(lines) + "\n"


def env_text(settings: Settings, version: str, host: str | None) -> str:
    """The variables. CVAT makes its addresses as scheme, host and port put together: a token has its place behind the host."""
    where = host or DOCKER_HOST
    token = f":{settings.cvat_port}/{settings.cvat_token}" if settings.cvat_token else ""
    return (
        f"CVAT_VERSION=v{version}\n"
        "# The name under which people open CVAT: its proxy answers to no other.\n"
        "CVAT_HOST=localhost\n"
        "# Where CVAT's containers reach the appliance's models.\n"
        f"IMAGINE_EDGE_NUCLIO_HOST={where}{token}\n"
        f"IMAGINE_EDGE_NUCLIO_PORT={settings.cvat_port}\n"
        f"no_proxy={where}\n"
    )


def _text_of(compose: Path) -> str:
    try:
        return compose.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{compose} cannot be read: {error}", advice="Name the docker-compose.yml of the CVAT release.") from error


def _write_private(path: Path, text: str) -> None:
    """It may hold a token."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8", newline="\n")


def _readme(settings: Settings, version: str, host: str | None) -> str:
    where = host or f"this machine ({DOCKER_HOST} from within a container)"
    return f"""CVAT {version} with the models of iMagine Edge

What is here
  {OVERRIDE_NAME}   CVAT takes the appliance for Nuclio: no Nuclio and no function container is needed
  {ENV_NAME}                    the variables of it; it may hold the token of the models, so keep it to yourself
  save-images.sh                     ashore: pulls CVAT's images and packs them into cvat-images.tar.gz
  load-images.sh                     aboard: unpacks them, without internet

Ashore, with internet
  1. Get the release v{version} of CVAT (github.com/cvat-ai/cvat) and unpack it, say into cvat/.
  2. ./save-images.sh cvat
  3. Take this folder and cvat/ aboard.

Aboard
  1. ./load-images.sh
  2. The appliance has to listen where Docker reaches it: set cvat_host to the address of Docker's bridge (mostly 172.17.0.1)
     in its settings, and start it. Now it is {settings.cvat_host}, port {settings.cvat_port}; CVAT will ask {where}.
  3. In {ENV_NAME} set CVAT_HOST to the name under which people open CVAT, and start it:
     docker compose -f cvat/docker-compose.yml -f {OVERRIDE_NAME} --env-file {ENV_NAME} up -d
  4. The first time make an account:
     docker exec -it cvat_server bash -ic 'python3 ~/manage.py createsuperuser'
  5. Set cvat_url in the appliance's settings to the address of CVAT (http://localhost:8080), then
     imagine-edge cvat login
     imagine-edge cvat doctor

The doctor says what is missing, one line each. The port of the models belongs behind a firewall: only CVAT has to reach it.
"""


_SAVE = f"""#!/bin/sh
# Pulls the images that CVAT's own compose file names, and packs them. Usage: ./save-images.sh FOLDER-OF-CVAT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cvat=${{1:?name the folder of the CVAT release}}
images=$(docker compose -f "$cvat/docker-compose.yml" -f "$here/{OVERRIDE_NAME}" --env-file "$here/{ENV_NAME}" config --images | sort -u)
for image in $images; do docker pull "$image"; done
printf '%s\\n' $images > "$here/{IMAGES_NAME}"
docker save -o "$here/cvat-images.tar" $images
gzip -f "$here/cvat-images.tar"
echo "packed: $here/cvat-images.tar.gz"
"""

_LOAD = """#!/bin/sh
# Unpacks the images that save-images.sh packed. Needs no internet.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
docker load -i "$here/cvat-images.tar.gz"
"""
