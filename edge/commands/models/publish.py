"""Give a pack to others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.common import JsonOption, answer, home_of, say, told
from edge.commands.models.group import PackArgument, pack_of
from edge.errors import SettingsError
from models.publish.ai4 import LINKS, Facts
from models.publish.bundle import publish, read_experiment, training_day


def publish_model(
    context: typer.Context,
    pack: PackArgument,
    source_code: Annotated[str, typer.Option(metavar="URL", help="Where the code that made the model is; the catalogue requires it.")],
    out_dir: Annotated[Path | None, typer.Option("--out", help="Folder to make; default published/NAME-VERSION.")] = None,
    link: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="Another link: dataset, weights, documentation, citation, ...")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag for the catalogue, such as vo.imagine-ai.eu.")] = None,
    doi: Annotated[str | None, typer.Option(help="DOI of the model, such as 10.5281/zenodo.1234567.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier, where the pack does not state its licence.")] = None,
    created: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day on which the model was made; default as its training says.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a pack as folder and zip with ai4-metadata.yml for the AI4OS catalogue, and checksums. Nothing is sent anywhere."""
    with told(as_json=as_json), pack_of(home_of(context), pack) as source:
        manifest = source.pack.manifest
        today = datetime.now(UTC).date()
        facts = Facts(
            links={"source_code": source_code, **_links(link or [])},
            created=_day(created) or training_day(read_experiment(source.pack)) or today,
            updated=today,
            tags=tuple(tag or ()),
            doi=doi,
            licence=licence,
        )
        result = publish(source.pack, out_dir or Path("published") / f"{manifest.name}-{manifest.version}", facts)
    if as_json:
        answer(result)
        return
    say(f"{result.zip_path} ({result.zip_bytes / 1e6:.1f} MB), SHA-256 {result.zip_sha256}")
    say(f"{result.metadata_path} describes it for the AI4OS catalogue; {result.sums_path.name} lists every file's checksum.")
    say(f"The pack holds {result.golden_images} golden images: whoever gets it sees them.")


def _links(given: list[str]) -> dict[str, str]:
    links = {}
    for one in given:
        name, separator, address = one.partition("=")
        if not separator or name not in LINKS:
            raise SettingsError(f"--link {one!r} is no NAME=URL", advice=f"The names are {', '.join(LINKS)}.")
        links[name] = address
    return links


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"--created {text!r} is no day", advice="Write it as 2026-11-21.") from error
