"""`imagine-edge demo --tow SECONDS --out DIR`, seen from outside: what it writes, what it tells, what it refuses."""

from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.commands.demo_tow import TowAsked, render_into_folder
from edge.errors import SettingsError
from tests.helpers.small_disk import small_disk
from tests.helpers.tiny_home import wait_until

LIMIT_S = 240
SMALL = ("--size", "160x90", "--density", "5")


def demo(command: list[str], *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, "demo", *map(str, words)], capture_output=True, text=True, check=False, timeout=LIMIT_S)


def refused(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["error"]
    assert error["advice"]
    return error


def test_a_tow_is_rendered_and_told(edge_command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "made" / "tow"
    done = demo(edge_command, "--tow", "2", "--out", out, "--seed", "3", *SMALL, "--start", "2026-05-01T12:00:00+02:00", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    truth = json.loads((out / "truth.json").read_text(encoding="utf-8"))
    assert (told["openings"], told["systems"], told["frames"]) == (truth["openings"], truth["systems"], 50)
    assert (truth["seed"], truth["start_utc"]) == (3, "2026-05-01T10:00:00.000Z")
    assert (out / told["file"]).is_file()
    with (out / "frames.csv").open(encoding="ascii") as file:
        assert len(list(csv.reader(file))) == 51
    assert not (Path.home() / "imagine-edge" / "inbox" / "tow").exists()

    again = demo(edge_command, "--tow", "2", "--out", out, *SMALL, "--json")
    assert (again.returncode, refused(again)["code"]) == (2, "settings_invalid")
    assert "not empty" in refused(again)["message"]
    assert json.loads((out / "truth.json").read_text(encoding="utf-8")) == truth


def test_a_person_is_told_the_numbers(edge_command: list[str], tmp_path: Path) -> None:
    done = demo(edge_command, "--tow", "1", "--out", tmp_path, "--container", "stills", "--size", "123x69")
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert f"openings {truth['openings']}, burrow systems {truth['systems']}" in done.stdout
    assert "Nothing of it was filmed at sea" in done.stdout
    assert len(list((tmp_path / "stills").glob("image_D*.jpg"))) == 13


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tow", "nan", "--out", "x"], "a tow of nan s cannot be rendered"),
        (["--codec", "h264"], "needs --tow SECONDS and --out DIR"),
        (["--tow", "5", "--out", "x", "--codec", "divx"], "no codec divx"),
        (["--tow", "5", "--out", "x", "--once"], ": --once cannot be used"),
        (["--tow", "5", "--out", "x", "--stills", "24", "--port", "0"], ": --stills and --port cannot be used"),
        (["--tow", "5", "--out", "x", "--host", "127.0.0.1"], ": --host cannot be used"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_advice(tmp_path: Path, words: list[str], message: str) -> None:
    named = [str(tmp_path / "x") if word == "x" else word for word in words]
    done = demo([sys.executable, "-m", "edge"], *named, "--json")
    assert done.returncode == 2
    assert message in refused(done)["message"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tow": 0.0}, "a tow of 0 s cannot be rendered"),
        ({"tow": -5.0}, "a tow of -5 s cannot be rendered"),
        ({"tow": 90_000.0}, "cannot be rendered"),
        ({"tow": None}, "needs --tow SECONDS and --out DIR"),
        ({"out": None}, "needs --tow SECONDS and --out DIR"),
        ({"container": "wmv"}, "no container wmv"),
        ({"rate": "fast"}, "no frame rate"),
        ({"density": math.nan}, "cannot be rendered"),
        ({"density": 41.0}, "cannot be rendered"),
        ({"silt_every": -1.0}, "silt cannot come"),
        ({"silt_every": math.nan}, "silt cannot come"),
        ({"start": "yesterday"}, "yesterday is no time"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    unsaid = dict.fromkeys(("density", "silt_every", "container", "codec", "size", "rate", "start"))
    words: dict[str, Any] = {"tow": 5.0, "out": tmp_path / "x", "seed": 1, "interlaced": False, **unsaid, **changed}
    with pytest.raises(SettingsError, match=message) as caught:
        render_into_folder(TowAsked(**words), as_json=True)
    assert caught.value.advice()
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(edge_command: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = demo(edge_command, "--tow", "2", "--out", tmp_path / "file", "--json")
    assert done.returncode == 2
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    below = demo(edge_command, "--tow", "2", "--out", tmp_path / "file" / "below", "--json")
    assert below.returncode == 2
    assert "no folder that can be written" in refused(below)["message"]


@pytest.mark.parametrize("is_there", [False, True])
def test_an_interrupted_tow_leaves_nothing(edge_command: list[str], tmp_path: Path, *, is_there: bool) -> None:
    out = tmp_path / "tow"
    if is_there:
        out.mkdir()
    process = subprocess.Popen(
        [*edge_command, "demo", "--tow", "600", "--out", str(out), *SMALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until((out / ".unfinished" / "tow.mp4").exists, "the film is begun")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "nothing of the tow was left" in told
    assert out.exists() == is_there
    assert not is_there or list(out.iterdir()) == []


def test_a_full_disk_is_told_before_and_while(edge_command: list[str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        before = demo(edge_command, "--tow", "2", "--out", disk / "tow", *SMALL, "--json")
        assert (before.returncode, refused(before)["code"]) == (3, "disk_full")
        assert "MB are free" in refused(before)["message"]
        code = (
            "import sys; from models.workshop.tow.film import Film; Film.about_bytes = lambda self, seconds: 0; "
            "from edge.cli import main; sys.argv = ['imagine-edge', *sys.argv[1:]]; main()"
        )
        (disk / "filler").write_bytes(bytes(4 * 1024 * 1024 - 24 * 1024))
        words = ["demo", "--tow", "60", "--out", str(disk / "tow"), *SMALL, "--json"]
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=LIMIT_S)
        assert (done.returncode, refused(done)["code"]) == (3, "disk_full")
        assert not (disk / "tow").exists()


def test_the_command_itself_loads_no_image_library(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edge.commands.demo_tow import TowAsked, render_into_folder\n"
        "if __name__ == '__main__':\n"
        "    words = dict.fromkeys(('silt_every', 'container', 'codec', 'rate', 'start'))\n"
        f"    out = Path({str(tmp_path / 'tow')!r})\n"
        "    asked = TowAsked(tow=1.0, out=out, seed=1, density=0.0, size='96x64', interlaced=False, **words)\n"
        "    render_into_folder(asked, as_json=True)\n"
        "    print([name for name in ('cv2', 'av', 'openvino') if name in sys.modules])\n"
    )
    script = tmp_path / "command.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
