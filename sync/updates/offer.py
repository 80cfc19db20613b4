"""What shore says of a model beside its file: the signed description that ships read before they fetch anything."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from models.manifest import Manifest
from models.registry import version_key

FORMAT = 1
MAX_CARD_LETTERS = 3000
PATH = re.compile(
    r"models/(?P<name>[a-z0-9][a-z0-9-]{0,63})/(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:[.-][0-9a-z.-]+)?)/(?P=name)-(?P=version)\.zip"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model that shore offers, as it was signed.

    Attributes:
        name, version, title, task: as in the pack's manifest.
        size_bytes: of the zip.
        sha256: of the zip.
        labels: names of its classes.
        labels_sha256: of all labels with their AphiaID, in order.
        manifest_sha256: of the pack's manifest, and so of all its files.
        goldens_sha256: of the hashes of its golden images and of what is expected in them, in order.
        min_app: the oldest appliance that may take it.
        licence: as in the manifest.
        metrics: what was measured on the reference variant, fractions unless the name says otherwise.
        variants: the same of each variant.
        card: the model card, Markdown; cut where it is long, the whole is in the pack.
    """

    name: str
    version: str
    title: str
    task: str
    size_bytes: int
    sha256: str
    labels: tuple[str, ...]
    labels_sha256: str
    manifest_sha256: str
    goldens_sha256: str
    min_app: str
    licence: str
    metrics: dict[str, float]
    variants: dict[str, dict[str, float]]
    card: str

    @property
    def path(self) -> str:
        """The path of its target."""
        return target_path(self.name, self.version)


def target_path(name: str, version: str) -> str:
    """The path of a pack: as many segments as the delegation to `models` has (see `repository.MODEL_PATHS`)."""
    return f"models/{name}/{version}/{name}-{version}.zip"


def labels_sha256(manifest: Manifest) -> str:
    """SHA-256 over one line for each label: its name, a tab, its AphiaID or nothing, a line feed."""
    return _sha256("".join(f"{label.name}\t{label.aphia_id or ''}\n" for label in manifest.labels))


def goldens_sha256(manifest: Manifest) -> str:
    """SHA-256 over one line for each golden: the hashes of image and expectation with a space between, a line feed."""
    return _sha256("".join(f"{golden.image.sha256} {golden.expected.sha256}\n" for golden in manifest.goldens))


def described(manifest: Manifest, *, manifest_sha256: str, card: str, min_app: str) -> dict[str, Any]:
    """The signed description of a pack. Figures are decimal text: what is signed is canonical JSON, which has no fractions."""
    return {
        "format": FORMAT,
        "model_id": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "task": manifest.task,
        "labels": [label.name for label in manifest.labels],
        "labels_sha256": labels_sha256(manifest),
        "manifest_sha256": manifest_sha256,
        "goldens_sha256": goldens_sha256(manifest),
        "min_app": min_app,
        "licence": manifest.licence,
        "metrics": _as_text(manifest.metrics),
        "variants": {variant.name: _as_text(variant.metrics) for variant in manifest.variants},
        "card": card if len(card) <= MAX_CARD_LETTERS else card[: MAX_CARD_LETTERS - 1] + "…",
    }


def read_offer(path: str, custom: Any, *, size_bytes: int, sha256: str) -> Offer | None:
    """What a signed target says; None if it is none of ours, or its description contradicts its path."""
    match = PATH.fullmatch(path)
    if match is None or not isinstance(custom, dict) or custom.get("format") != FORMAT:
        return None
    try:
        offer = Offer(
            name=match["name"],
            version=match["version"],
            title=str(custom["title"]),
            task=str(custom["task"]),
            size_bytes=size_bytes,
            sha256=sha256,
            labels=tuple(map(str, custom["labels"])),
            labels_sha256=str(custom["labels_sha256"]),
            manifest_sha256=str(custom["manifest_sha256"]),
            goldens_sha256=str(custom["goldens_sha256"]),
            min_app=str(custom["min_app"]),
            licence=str(custom["licence"]),
            metrics=_figures(custom["metrics"]),
            variants={str(name): _figures(found) for name, found in custom["variants"].items()},
            card=str(custom["card"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return offer if (custom.get("model_id"), custom.get("version")) == (offer.name, offer.version) else None


def is_newer(version: str, than: str) -> bool:
    """Whether a version comes after another."""
    return version_key(version) > version_key(than)


def _as_text(metrics: dict[str, float]) -> dict[str, str]:
    return {name: repr(float(value)) for name, value in metrics.items()}


def _figures(found: dict[str, str]) -> dict[str, float]:
    return {str(name): float(value) for name, value in found.items()}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
