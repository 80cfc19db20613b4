"""The tables that bundles carry: the public contract between ships and shore, versioned as a whole.

A later version may add tables and columns; a reader keeps what it does not know. What a column means is what docs/schema.md says of the
column of that name; names carry their unit. Rows name each other by UUID, never by the numbers of one database.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.bundle.columns import Column, Octets, Scaled, Text, Time, Whole

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of bundles. `key`: the columns that, with the vessel, name a row: one that comes again is it, maybe in a newer state."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns."""
        return tuple(column.name for column in self.columns)


def _uuid(name: str) -> Octets:
    return Octets(name, 16)


def _sha256(name: str) -> Octets:
    return Octets(name, 32)


def _px(name: str) -> Scaled:
    return Scaled(name, 10)  # a tenth of a pixel: a hundredth of what two people differ by who draw the same box


def _score(name: str) -> Scaled:
    return Scaled(name, 10_000)


MODELS = Table(
    name="models",
    key=("model", "model_version"),
    columns=(
        Text("model"),
        Text("model_version"),
        Text("title"),
        Text("task"),
        _sha256("manifest_sha256"),
        Text("labels_json"),
        Time("installed_utc"),
        Time("removed_utc"),
    ),
)

IMAGES = Table(
    name="images",
    key=("image_uuid",),
    columns=(
        _uuid("image_uuid"),
        _sha256("sha256"),
        Whole("size_bytes"),
        Text("format"),
        Whole("width_px"),
        Whole("height_px"),
        Text("capture_time_utc"),
        Text("capture_time_local"),
        Text("capture_time_source"),
        Text("folder"),
        Text("name"),
    ),
)

RUNS = Table(
    name="runs",
    key=("run_uuid",),
    columns=(
        _uuid("run_uuid"),
        _uuid("image_uuid"),
        Text("recipe"),
        _sha256("recipe_sha256"),
        Text("model"),
        Text("model_version"),
        _sha256("weights_sha256"),
        Text("runtime"),
        Text("precision"),
        Text("software_version"),
        _score("score_threshold"),
        Whole("object_count"),
        Whole("candidate_count"),
        Scaled("mean_luminance", 1000),
        Scaled("contrast", 1000),
        Scaled("sharpness", 1000),
        Time("finished_utc"),
        Whole("is_current"),
    ),
)

OBJECTS = Table(
    name="objects",
    key=("run_uuid", "ordinal"),
    columns=(
        _uuid("run_uuid"),
        Whole("ordinal"),
        Text("label"),
        _score("score"),
        _px("x_min_px"),
        _px("y_min_px"),
        _px("width_px"),
        _px("height_px"),
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in (MODELS, IMAGES, RUNS, OBJECTS)}
