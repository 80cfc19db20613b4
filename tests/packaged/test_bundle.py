"""The frozen appliance runs where there is nothing but a kernel, glibc and zlib: no Python, no shell, no network, no environment.

Needs `make bundle` to have been run, and root to make a bare file tree and a network of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.packaged, pytest.mark.timeout(600)]

# What the bundle may expect of any Linux: the parts of glibc, and zlib, which PyInstaller's bootloader is linked with.
OF_ANY_LINUX = (
    "libz.so.1*",
    "ld-linux*.so*",
    "libc.so*",
    "libm.so*",
    "libdl.so*",
    "libpthread.so*",
    "librt.so*",
    "libutil.so*",
    "libresolv.so*",
    "libnss_*.so*",
)

IN_BARE_TREE = """
set -e
ip link set lo up
mount --make-rprivate /
mount --bind "$1" "$2/bundle"
mount -t proc proc "$2/proc"
mount -t sysfs -o ro sysfs "$2/sys"
mount --rbind /dev "$2/dev"
tree="$2"
shift 2
exec env -i HOME=/tmp "$(command -v chroot)" "$tree" /bundle/imagine-edge "$@"
"""

WITHOUT_NETWORK = """
ip link set lo up
exec env -i "$@"
"""

NEVER_PACKED = ("torch", "ultralytics", "nncf", "onnx", "mypy", "pytest", "_pytest", "selenium", "hypothesis", "openvino_telemetry", "pip")
NEVER_PACKED_LIBRARIES = (
    "libopenvino_intel_gpu",
    "libopenvino_intel_npu",
    "libopenvino_tensorflow",
    "libopenvino_pytorch",
    "libopenvino_paddle",
)


@pytest.fixture(scope="module")
def bundle(checkout: Path) -> Path:
    folder = checkout / "dist" / "imagine-edge"
    if not (folder / "imagine-edge").is_file():
        pytest.skip("no frozen bundle in dist/imagine-edge; `make bundle` makes it")
    return folder


@pytest.fixture
def unshare() -> list[str]:
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs root, unshare and ip")
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"]


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """A file tree with glibc, zlib and empty folders."""
    tree = tmp_path / "tree"
    for folder in ("bundle", "proc", "sys", "dev", "tmp", "etc"):
        (tree / folder).mkdir(parents=True)
    found = [
        path
        for folder in ("/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu")
        for name in OF_ANY_LINUX
        for path in Path(folder).glob(name)
    ]
    for path in found:
        target = tree / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert len(found) > 8, "this system keeps its libraries elsewhere"
    return tree


def selftest_in(bare_tree: Path, bundle: Path, unshare: list[str]) -> tuple[int, dict[str, bool]]:
    """Exit code, and for each check whether it passed."""
    command = [*unshare, IN_BARE_TREE, "sh", str(bundle), str(bare_tree), "selftest", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith("{"), ran.stderr[-3000:]
    checks = json.loads(ran.stdout)["checks"]
    print([check for check in checks if not check["passed"]])
    return ran.returncode, {check["name"]: check["passed"] for check in checks}


def test_selftest_passes_in_a_bare_tree(bundle: Path, bare_tree: Path, unshare: list[str]) -> None:
    assert not [path for path in bare_tree.rglob("*") if "python" in path.name or path.name in {"sh", "bash"}]
    exit_code, passed = selftest_in(bare_tree, bundle, unshare)
    assert set(passed.values()) == {True}
    assert len(passed) >= 10
    assert exit_code == 0


def test_selftest_fails_where_a_library_is_missing(bundle: Path, bare_tree: Path, unshare: list[str], tmp_path: Path) -> None:
    maimed = tmp_path / "maimed"
    shutil.copytree(bundle, maimed, symlinks=True)
    for plugin in maimed.rglob("*openvino_intel_cpu_plugin*"):
        plugin.unlink()
    exit_code, passed = selftest_in(bare_tree, maimed, unshare)
    assert not passed["OpenVINO, IR file"]
    assert passed["ONNX Runtime"]
    assert exit_code == 1


def test_ingest_works_without_network_and_environment(bundle: Path, unshare: list[str], rendered_tow: list[Path], tmp_path: Path) -> None:
    program = [str(bundle / "imagine-edge"), "--home", str(tmp_path / "home")]
    command = [*unshare, WITHOUT_NETWORK, "sh", *program, "ingest", str(rendered_tow[0].parent), "--recipe", "burrows", "--json"]
    results = []
    for _ in range(2):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-2000:]
        results.append(json.loads(ran.stdout.splitlines()[-1]))
    first, second = results
    assert (first["files"], first["done"], first["quarantined"]) == (len(rendered_tow), len(rendered_tow), 0)
    assert (second["done"], second["unchanged"]) == (0, len(rendered_tow))


def test_no_tool_of_the_developers_is_packed(bundle: Path) -> None:
    packed = {path.name for path in (bundle / "_internal").iterdir()}
    assert {"cv2", "openvino", "onnxruntime", "models"} <= packed
    assert packed & set(NEVER_PACKED) == set()
    libraries = [path.name for path in bundle.rglob("*") if path.name.startswith(NEVER_PACKED_LIBRARIES)]
    assert libraries == []
