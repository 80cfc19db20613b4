"""Import OpenVINO and ONNX Runtime without their telemetry, and keep the allocator from giving memory back between images.

OpenVINO 2026.4 reports each `import openvino` to Google Analytics: `openvino/tools/ovc/__init__.py` calls
`init_ovc_telemetry('OpenVINO')` and `send_event("ov", "import", ...)`, with `enable_opt_in_dialog=False`, which
openvino-telemetry 2025.2 takes as consent unless a file in the user's home or a CI variable says otherwise. All three
places that import `openvino_telemetry` fall back to `telemetry_stub`, whose methods do nothing, when that import fails.

ONNX Runtime since 1.29 reports to Microsoft from Linux too (mobile.events.data.microsoft.com; github.com/microsoft/onnxruntime,
pull request 27379), some seconds after its import, and leaves a device's identity in ~/.cache/Microsoft.
`disable_telemetry_events()` comes too late for the first event; the variable ORT_DISABLE_TELEMETRY is read once, at the import, and
then nothing is made, kept or sent.
"""

from __future__ import annotations

import ctypes
import os
import sys
from types import ModuleType

from edge.errors import ModelError
from edge.units import mib_to_bytes

_TELEMETRY = "openvino_telemetry"
_M_TRIM_THRESHOLD = -1  # malloc.h of glibc
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = mib_to_bytes(64)  # per arena of the allocator, so about per thread
_LARGEST_KEPT_BLOCK_BYTES = mib_to_bytes(32)  # the most that glibc accepts


def import_openvino() -> ModuleType:
    """The `openvino` package, which cannot send anything.

    Raises:
        ModelError: it was imported before with its telemetry, or is not installed.
    """
    if sys.modules.get(_TELEMETRY) is not None:
        raise ModelError("openvino-telemetry is loaded; openvino must be imported through models.runtime.quiet only")
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        import openvino
    except ImportError as error:
        raise ModelError(f"OpenVINO cannot be loaded: {error}") from error
    package: ModuleType = openvino
    return package


def import_onnxruntime() -> ModuleType:
    """The `onnxruntime` package, which cannot send anything.

    Raises:
        ModelError: it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(f"ONNX Runtime cannot be loaded: {error}") from error
    package: ModuleType = onnxruntime
    # On Windows events are the operating system's, and this is the switch.
    package.disable_telemetry_events()
    return package


def keep_freed_memory() -> None:
    """Let glibc keep what images free, instead of asking the kernel for each image anew.

    Page faults cost more than half of a JPEG's decoding: 5.0 ms with them, 1.9 ms without, for 1229 x 691 on the machine where
    it was measured. Elsewhere than on glibc this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK_BYTES)


def give_freed_memory_back() -> None:
    """Return to the kernel what `keep_freed_memory` held; for a process that has nothing to do."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
