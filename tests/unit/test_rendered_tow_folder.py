"""A rendered tow as a folder: what is in its files, the footage's times, and the log as our own reader takes it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from edge.survey.navigation.cleaning import Flag, flag_fixes, smooth_track
from edge.survey.navigation.distance import legs_m
from edge.survey.navigation.fixes import Window
from edge.survey.navigation.read import choose_stream, read_log
from models.workshop.tow.film import UNFINISHED, Film, FilmError, Order, film_of
from models.workshop.tow.navigation import nmea_log
from models.workshop.tow.path import LINE_HEIGHT
from models.workshop.tow.path import Path as Way
from models.workshop.tow.video import recording
from models.workshop.tow.write import write_tow

START = datetime(2026, 6, 14, 23, 58, 0, tzinfo=UTC)
SIZE = "192x108"


def film(container: str = "mp4", *, codec: str | None = None, rate: str = "25", is_interlaced: bool = False, size: str = SIZE) -> Film:
    return film_of(codec=codec, container=container, size=size, rate=rate, is_interlaced=is_interlaced)


def order(**changed: Any) -> Order:
    usual = {"seed": 2, "seconds": 2.0, "density_per_m2": 6.0, "silt_every_s": None, "start_utc": START, "film": film()}
    return Order(**{**usual, **changed})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tow") / "made" / "here"
    write_tow(out, order())
    return out


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="ascii") as file:
        return list(csv.DictReader(file))


def pts_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        found = [float(frame.pts * frame.time_base) for frame in container.decode(video=0) if frame.pts is not None and frame.time_base]
    return [at - found[0] for at in found]


def test_the_folder_holds_what_its_readme_says(folder: Path, truth: dict[str, Any]) -> None:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["README.txt", "boxes.csv", "frames.csv", "navigation/tow.nmea", "tow.mp4", "truth.json"]
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    for name in names[1:]:
        assert name in readme
    assert f"{truth['openings']} openings, {truth['systems']} burrow systems" in readme


def test_the_truth_has_plain_numbers_and_every_item(truth: dict[str, Any]) -> None:
    assert (truth["schema_version"], truth["seed"], truth["line_height"], truth["size"]) == (1, 2, LINE_HEIGHT, [192, 108])
    assert truth["fps"] == 25.0
    assert truth["start_utc"] == "2026-06-14T23:58:00.000Z"
    assert truth["end_utc"] == "2026-06-14T23:58:01.960Z"
    openings = [item for item in truth["items"] if item["kind"] == "opening"]
    crossed = [item for item in openings if item["crossing_s"] is not None]
    assert truth["openings"] == len(crossed) > 0
    assert truth["systems"] == len({item["system"] for item in crossed})
    assert truth["per_minute"] == [{"minute": 1, "openings": truth["openings"], "systems": truth["systems"]}]
    for item in crossed:
        assert 0 <= item["crossing_x_px"] < 192
        assert item["minute"] == 1
    assert [row["second"] for row in truth["seconds"]] == [0, 1]
    assert truth["viewed_area_m2"] == pytest.approx(truth["distance_m"] * truth["width_m"], rel=0.05)


def test_the_recorded_homographies_bring_every_item_to_its_box(folder: Path, truth: dict[str, Any]) -> None:
    matrices = {
        row["frame"]: np.array([float(row[f"h{i}{j}"]) for i in range(3) for j in range(3)]).reshape(3, 3)
        for row in rows(folder / "frames.csv")
    }
    items = {str(item["id"]): item for item in truth["items"] if item["kind"] == "opening"}
    boxes = rows(folder / "boxes.csv")
    assert len(boxes) > 50
    seen: dict[str, int] = {}
    for row in boxes:
        item = items[row["opening_id"]]
        x, y, scale = matrices[row["frame"]] @ [item["across_m"], item["along_m"], 1.0]
        assert (float(row["x0_px"]) + float(row["x1_px"])) / 2 == pytest.approx(x / scale, abs=0.02)
        assert (float(row["y0_px"]) + float(row["y1_px"])) / 2 == pytest.approx(y / scale, abs=0.02)
        assert 0 <= float(row["visible"]) <= 1
        assert str(item["system"]) == row["system_id"]
        seen[row["opening_id"]] = seen.get(row["opening_id"], 0) + 1
    assert seen == {number: item["frames_in_view"] for number, item in items.items()}


def test_the_counts_follow_from_the_boxes_of_the_file(folder: Path, truth: dict[str, Any]) -> None:
    before: dict[str, float] = {}
    crossed = set()
    for row in rows(folder / "boxes.csv"):
        centre = (float(row["y0_px"]) + float(row["y1_px"])) / 2
        inside = 0 <= (float(row["x0_px"]) + float(row["x1_px"])) / 2 < 192
        if before.get(row["opening_id"], 1e9) < LINE_HEIGHT * 108 <= centre and inside:
            crossed.add(row["opening_id"])
        before[row["opening_id"]] = centre
    assert len(crossed) == truth["openings"]


def test_the_video_has_the_frames_and_times_of_the_truth(folder: Path, truth: dict[str, Any]) -> None:
    told = [float(row["pts_s"]) for row in rows(folder / "frames.csv")]
    assert len(told) == truth["media"]["frames"] == 50
    assert pts_s(folder / "tow.mp4") == pytest.approx(told, abs=1e-6)


def test_the_same_order_gives_the_same_bytes_of_truth(folder: Path, tmp_path: Path) -> None:
    write_tow(tmp_path, order())
    for name in ("truth.json", "frames.csv", "boxes.csv", "navigation/tow.nmea"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).digest() == hashlib.sha256((folder / name).read_bytes()).digest(), name
    for one, other in zip(pictures(tmp_path / "tow.mp4"), pictures(folder / "tow.mp4"), strict=True):
        # Within one process the encoder's rounding depends on where a picture lies in memory; the pictures are the same to the eye.
        assert np.abs(one - other).mean() < 0.5


def pictures(clip: Path) -> list[npt.NDArray[np.float64]]:
    with av.open(str(clip)) as container:
        return [frame.to_ndarray(format="gray").astype(np.float64) for frame in container.decode(video=0)]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise OSError(28, "No space left on device")

    for out in (tmp_path / "new", tmp_path):
        with pytest.raises(OSError, match="No space"):
            write_tow(out, order(seconds=1.0), on_frames=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_rendering_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).mkdir()
    (tmp_path / UNFINISHED / "boxes.csv").write_text("half", encoding="ascii")
    write_tow(tmp_path, order(seconds=1.0, density_per_m2=0.0))
    assert not (tmp_path / UNFINISHED).exists()
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["openings"] == 0


def test_stills_bear_the_names_and_times_of_the_recorder(tmp_path: Path) -> None:
    truth = write_tow(tmp_path, order(seconds=1.0, film=film("stills", size="123x69")))
    names = sorted(path.name for path in (tmp_path / "stills").iterdir())
    assert len(names) == truth["media"]["frames"] == 13
    told = [float(row["pts_s"]) for row in rows(tmp_path / "frames.csv")]
    for name, at_s in zip(names, told, strict=True):
        assert re.fullmatch(r"image_D\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{6}Z_0\.jpg", name)
        taken = datetime.strptime(name, "image_D%Y-%m-%dT%H-%M-%S-%fZ_0.jpg").replace(tzinfo=UTC)
        assert (taken - START).total_seconds() == pytest.approx(at_s, abs=1e-6)


FILMS = [
    film(),
    film(codec="hevc"),
    film(rate="vfr"),
    film("mov", codec="mjpeg", rate="29.97"),
    film("mkv", codec="mpeg4", rate="vfr"),
    film("avi"),
    film("mpg", is_interlaced=True),
    film("ts", rate="50"),
    film("mts", rate="29.97", is_interlaced=True),
]


@pytest.mark.parametrize("chosen", FILMS, ids=lambda one: f"{one.codec}-{one.container}-{one.rate_hz}-{one.is_interlaced}")
def test_every_film_keeps_its_times_and_fields(tmp_path: Path, chosen: Film) -> None:
    at_s = chosen.times_s(0.6, seed=1)
    picture: npt.NDArray[np.uint8] = np.tile(np.arange(192, dtype=np.uint8)[None, :, None], (108, 1, 3))
    with recording(tmp_path, chosen, start_utc=START, jpeg_quality=80) as recorder:
        for number, at in enumerate(at_s):
            recorder.take(np.roll(picture, 3 * number, axis=1), float(at))
    with av.open(str(tmp_path / recorder.file)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
    assert stream.codec_context.name.startswith({"mpeg2": "mpeg2video"}.get(chosen.codec, chosen.codec))
    assert {frame.interlaced_frame for frame in frames} == {chosen.is_interlaced}
    assert pts_s(tmp_path / recorder.file) == pytest.approx(at_s.tolist(), abs=1e-3 if chosen.rate_hz is None else 2e-4)


def test_a_variable_rate_is_variable_and_an_even_one_even() -> None:
    assert len(set(np.round(np.diff(film(rate="vfr").times_s(20, seed=1)), 4))) > 4
    assert film(rate="29.97").times_s(2, seed=1)[30] == pytest.approx(1.001)
    assert len(film(rate="25").times_s(600, seed=1)) == 15_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"container": "wmv"}, "no container wmv"),
        ({"codec": "divx"}, "no codec divx"),
        ({"codec": "mpeg2"}, "does not go into mp4"),
        ({"size": "big"}, "no frame size"),
        ({"size": "641x360"}, "cannot be rendered"),
        ({"size": "20000x10000"}, "cannot be rendered"),
        ({"rate": "fast"}, "no frame rate"),
        ({"rate": "1/0"}, "no frame rate"),
        ({"rate": "nan"}, "no frame rate"),
        ({"container": "avi", "rate": "vfr"}, "no variable frame rate"),
        ({"container": "mpg", "rate": "12"}, "MPEG-2 has no frame rate"),
        ({"codec": "hevc", "is_interlaced": True}, "not recorded interlaced"),
        ({"container": "stills", "rate": "50"}, "stills come at 12.5"),
    ],
)
def test_a_film_that_cannot_be_is_refused_with_what_can(words: dict[str, Any], message: str) -> None:
    usual = {"codec": None, "container": "mp4", "size": SIZE, "rate": "25", "is_interlaced": False}
    with pytest.raises(FilmError, match=message) as caught:
        film_of(**{**usual, **words})
    assert caught.value.advice


@pytest.mark.parametrize("seed", [1, 2])
def test_our_reader_finds_the_true_distance_in_the_log(tmp_path: Path, seed: int) -> None:
    way = Way(seed=seed, seconds=600)
    path = tmp_path / "tow.nmea"
    path.write_text("".join(nmea_log(way, seed=seed, seconds=600, start_utc=START)), encoding="ascii")
    end = START + timedelta(seconds=600)
    log = read_log(path, Window(start=START, end=end)).log
    true_m = float(way.along_m(np.array([600.0]))[0])
    stream, fixes, _ = choose_stream(log, "usbl")
    flags = flag_fixes(fixes)
    assert stream.name == "beacon 1"
    assert len(fixes) < 600 + 2 * 60
    assert Flag.JUMP in flags
    used = [fix for fix, flag in zip(fixes, flags, strict=True) if flag is Flag.USED]
    line = smooth_track(used, START, end)
    assert float(np.nansum(legs_m(line))) == pytest.approx(true_m, rel=0.03)
    assert line.gaps
    _, ship, _ = choose_stream(log, "ship")
    assert float(np.nansum(legs_m(smooth_track(ship, START, end)))) == pytest.approx(true_m, rel=0.12)


def test_a_log_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="UTC"):
        next(nmea_log(Way(seed=1, seconds=2), seed=1, seconds=2, start_utc=START.replace(tzinfo=None)))


def test_the_room_that_a_tow_takes_is_not_told_too_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < film().about_bytes(2.0)
    assert film(size="1920x1080").about_bytes(600) == pytest.approx(800e6, rel=0.1)
    assert film().rate_hz == Fraction(25)
