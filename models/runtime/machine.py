"""What this machine can do, looked at once: the facts that decide which variant of a model is fastest here."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_CPU_FLAGS = ("avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")
_ARM_FLAGS = ("asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve")
_RUNTIMES = ("openvino", "onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An x-ray of the machine.

    Attributes:
        cpu: model name; cpu_flags: those of its abilities that matter for networks.
        cores: logical cores that this process may use.
        memory_bytes: physical memory.
        gpus: device files and drivers that hint at a GPU or NPU.
        runtimes: installed runtimes with their versions.
    """

    system: str
    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...]
    runtimes: tuple[str, ...]

    def fingerprint(self) -> str:
        """A short text that changes when another variant may have become the best one. Memory does not count."""
        facts = (self.system, self.cpu, self.cpu_flags, self.cores, self.gpus, self.runtimes)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def x_ray() -> Machine:
    """Look at the machine without loading a runtime: cheap, and safe in the parent process."""
    flags = _cpu_flags()
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu_name(),
        cpu_flags=tuple(flag for flag in _CPU_FLAGS + _ARM_FLAGS if flag in flags),
        cores=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        gpus=_gpus(),
        runtimes=tuple(f"{name} {_version(name)}" for name in _RUNTIMES if _version(name)),
    )


def machine_fingerprint() -> str:
    """The fingerprint of this machine; measured speeds are valid as long as it stays the same."""
    return x_ray().fingerprint()


def usable_cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _cpu_flags() -> frozenset[str]:
    match = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def _cpu_name() -> str:
    match = re.search(r"^model name\s*:\s*(.*)$", _cpuinfo(), re.MULTILINE)
    return match.group(1).strip() if match else platform.processor() or "unknown"


def _gpus() -> tuple[str, ...]:
    if not sys.platform.startswith("linux"):
        return ()
    folders = (("/dev/dri", "renderD*"), ("/dev/accel", "accel*"), ("/dev", "nvidia[0-9]*"))
    return tuple(sorted(str(path) for folder, pattern in folders for path in Path(folder).glob(pattern)))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
