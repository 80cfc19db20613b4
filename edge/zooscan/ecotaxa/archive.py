"""What an import archive holds: the ids it brings, their samples, and the names by which it is known again where it was unpacked."""

from __future__ import annotations

import csv
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge.errors import InputError, Reason
from edge.zooscan.ecotaxa.categories import as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Of an archive.

    Attributes:
        object_ids: of its tables.
        samples: the sample ids of its tables.
        names: of its files and folders, the topmost only.
    """

    object_ids: frozenset[str]
    samples: frozenset[str]
    names: frozenset[str]


def read_contents(path: Path) -> Contents:
    """Look into an archive.

    Raises:
        InputError: it is none, or holds no table with objects.
    """
    ids: set[str] = set()
    samples: set[str] = set()
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for name in names:
                if Path(name).name.startswith("ecotaxa") and name.endswith((".tsv", ".txt")):
                    with archive.open(name) as file, as_text(file) as text:
                        for number, row in enumerate(csv.DictReader(text, delimiter="\t")):
                            if number > 0:  # behind the line of types
                                ids.add(row["object_id"])
                                samples.add(row.get("sample_id") or "")
    except (OSError, zipfile.BadZipFile, zlib.error, csv.Error, KeyError, EOFError) as error:
        raise InputError(Reason.CORRUPT, f"{path.name} is no import archive: {error!r}", advice="Push the scan again.") from error
    if not ids:
        raise InputError(Reason.CORRUPT, f"{path.name} holds no objects", advice="Push the scan again.")
    return Contents(object_ids=frozenset(ids), samples=frozenset(samples - {""}), names=frozenset(name.partition("/")[0] for name in names))
