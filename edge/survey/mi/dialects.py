"""The five tables of the Marine Institute by name: their columns, and how the originals write a cell.

Headers of the recounts, the clicks and the table of FU20-21 are those of the published files of 2013 to 2020 (ices-eg/wg_WGNEPS,
MIT). Those of the view and of the analysis table are the columns that the assessment's scripts ask for (ices-advice,
2025_nep.fu.17); no such file is published, so its cells are written as R writes them.

`Density` is raw in mi-fu2021 and adjusted in mi-analysis: a table without its dialect's name tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.errors import SettingsError

Format = Literal["mi-view", "mi-analysis", "mi-fu2021", "mi-recounts", "mi-clicks"]
Quotes = Literal["text", "all", "none"]
NOT_AVAILABLE = "NA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One table.

    Attributes:
        columns: its header, exactly.
        needed: the columns without which a row says nothing.
        quotes: what the original puts into quotation marks: texts (R's write.csv), every cell, or none.
        unquoted: columns of texts that R does not take for texts: its dates and times.
        line_end: of the original.
        is_by_station: whether a row is a station, rather than a minute or a click.
    """

    name: Format
    title: str
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    quotes: Quotes
    line_end: str
    is_by_station: bool
    unquoted: frozenset[str] = frozenset()


RECOUNTS = Dialect(
    name="mi-recounts",
    title="Recounts: one row per counter and minute",
    columns=(
        "RecountID",
        "Video_Line_Name",
        "SurveyID",
        "VideoOperatorID",
        "Minute",
        "BurrowCount",
        "NephropsIn",
        "NephropsOut",
        "StopTime",
        "StartTime",
        "Unusuable",
    ),
    needed=("Video_Line_Name", "VideoOperatorID", "Minute", "BurrowCount"),
    quotes="text",
    line_end="\n",
    is_by_station=False,
    unquoted=frozenset({"StopTime", "StartTime"}),
)
CLICKS = Dialect(
    name="mi-clicks",
    title="Clicks of the annotation app: one row per burrow system",
    columns=(
        "survey",
        "station",
        "counter_ID",
        "time",
        "still_n",
        "feature",
        "x",
        "y",
        "annotation_time",
        "VideoOperatorID",
        "minute",
    ),
    needed=("survey", "station", "counter_ID", "time", "feature", "minute"),
    quotes="all",
    line_end="\n",
    is_by_station=False,
)
FU2021 = Dialect(
    name="mi-fu2021",
    title="Stations as in the table of FU20-21: Density is raw",
    columns=(
        "FU",
        "Survey",
        "Year",
        "Station",
        "MidDeglong",
        "MidDegLat",
        "Density",
        "Density_Adjusted",
        "DoGm",
        "m2",
        "Count",
        "Ground",
        "DoGSource",
        "Vessel",
    ),
    needed=("Survey", "Year", "Station", "Density", "DoGm", "m2", "Count"),
    quotes="none",
    line_end="\r\n",
    is_by_station=True,
)
VIEW = Dialect(
    name="mi-view",
    title="Stations as in the database view of the survey: density is adjusted",
    columns=(
        "Year",
        "Ground",
        "StationNumber",
        "Ship_Mid_Longitude",
        "SHIP_Mid_Latitude",
        "NephropsBurrowCount",
        "DistanceOverGround",
        "DistanceSource",
        "FOVMultiplier",
        "AdjustedBurrowDensity",
    ),
    needed=("Year", "StationNumber", "NephropsBurrowCount", "DistanceOverGround", "FOVMultiplier"),
    quotes="text",
    line_end="\n",
    is_by_station=True,
)
ANALYSIS = Dialect(
    name="mi-analysis",
    title="Stations as in the table of the analysis: Density is adjusted, density.unadj is raw",
    columns=(
        "Year",
        "FU",
        "Survey",
        "longitude",
        "latitude",
        "density.unadj",
        "Density",
        "DoG_m",
        "Area_m2",
        "Count_n",
        "Station",
        "DoGSource",
        "Status",
        "Ground",
        "Source",
        "Area_km2",
    ),
    needed=("Year", "Survey", "Station", "density.unadj", "DoG_m", "Area_m2", "Count_n"),
    quotes="text",
    line_end="\n",
    is_by_station=True,
)
DIALECTS: dict[str, Dialect] = {one.name: one for one in (VIEW, ANALYSIS, FU2021, RECOUNTS, CLICKS)}


def find_dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in DIALECTS:
        raise SettingsError(f"there is no table format {name}", advice=f"The formats are {', '.join(DIALECTS)}.")
    return DIALECTS[name]
