"""`ai4-metadata.yml`, by which AI4OS and the iMagine marketplace describe a module: what it says of a pack, and whether it is valid.

Fields, enumerations and required ones are those of the schema 2.3.0 of ai4os/ai4-metadata (`ai4-apps-v2.3.0.json`), which allows further
fields: `license` and `provenance` are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from models.manifest import Manifest

SCHEMA_VERSION = "2.3.0"
REQUIRED = ("metadata_version", "title", "summary", "description", "links", "libraries", "tasks", "categories", "tags")
LINKS = ("source_code", "documentation", "docker_image", "zenodo_doi", "dataset", "weights", "citation", "base_model", "self")
ENUMERATIONS: dict[str, frozenset[str]] = {
    "libraries": frozenset({"TensorFlow", "PyTorch", "Keras", "Scikit-learn", "XGBoost", "LightGBM", "CatBoost", "Other"}),
    "tasks": frozenset({
        "Computer Vision", "Natural Language Processing", "Time Series", "Recommender Systems", "Anomaly Detection", "Regression",
        "Classification", "Clustering", "Dimensionality Reduction", "Generative Models", "Graph Neural Networks", "Optimization",
        "Reinforcement Learning", "Transfer Learning", "Uncertainty Estimation", "Other",
    }),
    "categories": frozenset({"AI4 pre trained", "AI4 trainable", "AI4 inference", "AI4 tools"}),
    "data-type": frozenset({"Image", "Text", "Time Series", "Tabular", "Graph", "Audio", "Video", "Other"}),
}  # fmt: skip
RESOURCES = ("cpu", "gpu", "memory_MB", "gpu_memory_MB", "storage_MB")
_BEFORE_VERSION_2 = ("tosca", "sources", "dataset_url", "cite_url", "date_creation", "keywords")
_MOST_SUMMARY_CHARACTERS = 250
_TASKS = {
    "detect": ["Computer Vision", "Other"],
    "segment": ["Computer Vision", "Other"],
    "classify": ["Computer Vision", "Classification"],
}
_LICENCES = re.compile(
    r"(Apache-2\.0|MIT|BSD-[23]-Clause|ISC|MPL-2\.0|EUPL-1\.[12]|(?:A|L)?GPL-[23]\.[01](?:-only|-or-later)?"
    r"|CC0-1\.0|CC-BY(?:-NC)?(?:-SA|-ND)?-[34]\.0)(?![\w.])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a pack cannot know of itself. `links` by name (see LINKS); `created` and `updated` are days."""

    links: Mapping[str, str]
    created: date
    updated: date
    tags: tuple[str, ...] = ()
    doi: str | None = None
    licence: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int = 0


def licence_id(text: str) -> str | None:
    """The SPDX identifier that a licence text begins with; None where it begins with none that is known here."""
    found = _LICENCES.match(text.strip())
    return found[0] if found else None


def describe(manifest: Manifest, card: str, facts: Facts) -> dict[str, Any]:
    """The content of `ai4-metadata.yml` for a pack whose model card is `card` (Markdown)."""
    paragraphs = _introduction(card)
    summary = _sentence(paragraphs[0] if paragraphs else manifest.title)
    tuned = ["Transfer Learning"] if facts.provenance.get("base") else []
    metadata: dict[str, Any] = {
        "metadata_version": SCHEMA_VERSION,
        "title": manifest.title,
        "summary": summary,
        "description": "\n\n".join([*paragraphs, _facts_text(manifest)]),
        "dates": {"created": facts.created.isoformat(), "updated": facts.updated.isoformat()},
        "links": {name: facts.links[name] for name in LINKS if name in facts.links},
        "tags": _unique([*facts.tags, "imagine-edge", "openvino", "onnx", manifest.task, *(label.name for label in manifest.labels[:10])]),
        "tasks": [*_TASKS[manifest.task], *tuned],
        "categories": ["AI4 pre trained", "AI4 inference"],
        "libraries": ["PyTorch", "Other"],
        "data-type": ["Image"],
        "resources": {"inference": {"cpu": 1, "gpu": 0, "storage_MB": -(-facts.size_bytes // 1_000_000)}},
        "license": facts.licence or licence_id(manifest.licence) or manifest.licence,
        "provenance": {"name": manifest.name, "version": manifest.version, **facts.provenance},
    }
    if facts.doi is not None:
        metadata["doi"] = facts.doi
    return metadata


def faults(metadata: Mapping[str, Any]) -> list[str]:
    """What the schema would refuse, one sentence each; empty for a valid description."""
    found = [f"{name} is missing" for name in REQUIRED if not metadata.get(name)]
    found += [f"{name} belongs to version 1" for name in _BEFORE_VERSION_2 if name in metadata]
    for name in ("metadata_version", "title", "summary", "description"):
        if name in metadata and not isinstance(metadata[name], str):
            found.append(f"{name} is no text")
    if not re.fullmatch(r"2\.\d+\.\d+", str(metadata.get("metadata_version", ""))):
        found.append("metadata_version is no version 2 of the schema")
    for name in ("tags", *ENUMERATIONS):
        found += _list_faults(name, metadata.get(name, []))
    found += _link_faults(metadata.get("links") or {}, metadata.get("doi"))
    found += _date_faults(metadata.get("dates"))
    for use, resources in (metadata.get("resources") or {}).items():
        wrong = [name for name in resources if name in RESOURCES and not (isinstance(resources[name], int) and resources[name] >= 0)]
        found += [f"resources.{use}.{name} is no count" for name in wrong]
    return found


def _list_faults(name: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return [f"{name} is no list of texts"]
    found = [f"{name} holds {value!r}, which the schema does not know" for value in values if value not in ENUMERATIONS.get(name, values)]
    return [*found, f"{name} holds something twice"] if len(set(values)) != len(values) else found


def _link_faults(links: Any, doi: Any) -> list[str]:
    if not isinstance(links, Mapping):
        return ["links is no table"]
    found = [] if links.get("source_code") else ["links.source_code is missing"]
    for name, link in links.items():
        # The hub's own modules name their Docker image without a scheme, and its checks let that pass.
        if name != "docker_image" and not (isinstance(link, str) and urlsplit(link).scheme in {"http", "https"} and urlsplit(link).netloc):
            found.append(f"links.{name} is no web address: {link!r}")
    if doi is not None and not re.fullmatch(r"10\.\d{4,9}/\S+", str(doi)):
        found.append(f"doi is no DOI: {doi!r} (such as 10.5281/zenodo.1234567)")
    return found


def _date_faults(dates: Any) -> list[str]:
    if dates is None:
        return []
    found = []
    for name in ("created", "updated"):
        try:
            date.fromisoformat(dates[name])
        except (KeyError, TypeError, ValueError):
            found.append(f"dates.{name} is no day such as 2026-11-21")
    return found


def _introduction(card: str) -> list[str]:
    """The paragraphs of a card before its first section, the title left out."""
    before = re.split(r"^## ", card, maxsplit=1, flags=re.MULTILINE)[0]
    paragraphs = [" ".join(part.split()) for part in before.split("\n\n")]
    return [part for part in paragraphs if part and not part.startswith(("#", "|"))]


def _sentence(text: str) -> str:
    """The first sentence of a text, without Markdown's emphasis."""
    plain = text.replace("**", "").replace("*", "").replace("`", "")
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", plain, maxsplit=1)[0]
    return first if len(first) <= _MOST_SUMMARY_CHARACTERS else first[: _MOST_SUMMARY_CHARACTERS - 3].rsplit(" ", 1)[0] + "..."


def _facts_text(manifest: Manifest) -> str:
    labels = ", ".join(label.name + (f" (AphiaID {label.aphia_id})" if label.aphia_id else "") for label in manifest.labels)
    variants = ", ".join(variant.name for variant in manifest.variants)
    lines = [
        f"* Model pack {manifest.name} {manifest.version} for the iMagine Edge appliance: {variants}",
        f"* Labels: {labels}",
        f"* Input: {manifest.input.width_px} x {manifest.input.height_px} px ({manifest.input.fit})",
        f"* Trained on: {manifest.trained_on}",
        f"* Licence: {manifest.licence}",
        *(f"* {name}: {value:g}" for name, value in sorted(manifest.metrics.items())),
    ]
    return "\n".join(lines)


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))
