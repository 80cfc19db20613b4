"""Freeze the appliance: `python installer/build.py` leaves dist/imagine-edge, a folder that needs no Python.

The build has an environment of its own (build/venv) with what the appliance needs at run time and PyInstaller, so that no
tool of the developers gets in. Time stamps and hash seeds are fixed: the same sources give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
ENVIRONMENT = TOP / "build" / "venv"
BUNDLE = TOP / "dist" / "imagine-edge"
SHOWN = 12


def main() -> int:
    """Make the environment, freeze, and say where the megabytes go."""
    python = make_environment()
    freeze(python)
    print_sizes(BUNDLE)
    print(f"{BUNDLE}: {size_mb(BUNDLE):.0f} MB; try {BUNDLE / 'imagine-edge'} selftest")
    return 0


def make_environment() -> Path:
    """The build's own Python, made again whenever pyproject.toml is newer."""
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = ENVIRONMENT / ".installed"
    if stamp.is_file() and stamp.stat().st_mtime > (TOP / "pyproject.toml").stat().st_mtime:
        return python
    print("Installing what the bundle needs into build/venv", flush=True)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--editable", ".", "pyinstaller>=6.22"], cwd=TOP, check=True)
    stamp.touch()
    return python


def freeze(python: Path) -> None:
    """Run PyInstaller with everything fixed that would make two builds differ."""
    environment = {**os.environ, "PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", last_commit_time())}
    command = [str(python), "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN"]
    places = ["--workpath", str(TOP / "build" / "pyinstaller"), "--distpath", str(BUNDLE.parent)]
    subprocess.run([*command, *places, str(TOP / "installer" / "imagine-edge.spec")], cwd=TOP, env=environment, check=True)


def last_commit_time() -> str:
    """Seconds since 1970 of the last commit; 1 January 2026 where there is no git."""
    ran = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=TOP, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or "1767225600"


def print_sizes(bundle: Path) -> None:
    """The largest parts of the bundle."""
    parts = sorted(((size_mb(part), part.name) for part in (bundle / "_internal").iterdir()), reverse=True)
    for size, name in parts[:SHOWN]:
        print(f"  {size:6.1f} MB  {name}")


def size_mb(path: Path) -> float:
    """Bytes of a file, or of every file below a folder, in millions."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
