"""Read a checkpoint of ultralytics without running what it brings along.

A pickle is a program: it names functions and calls them. Here it may name what stands in this module only, and of that it may
*call* a handful of functions that make tensors, arrays and plain values. Classes of networks are not called: their constructors
evaluate text (`DetectionModel` evaluates `activation`), so a network is made empty and filled (`NEWOBJ`, `BUILD`), which is how
torch writes it. What was filled in is looked through before anything of it runs: no function, no class and no hook may be in it.
"""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import pickle
import re
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from models.importing.facts import ImportRefusedError

NETWORKS = frozenset(("DetectionModel", "SegmentationModel", "ClassificationModel"))
_TASKS = "ultralytics.nn.tasks"
_LAYERS = ("ultralytics.nn.modules", "torch.nn.modules")
# Training state that is not wanted; its objects are replaced by empty ones, whatever they are.
_DROPPED = ("ultralytics.utils.loss", "ultralytics.utils.tal", "torch.optim", "torch.amp", "torch.cuda.amp")
_ADVICE = "If you trust its origin, open it with the program that wrote it and export it as ONNX; that is imported without any pickle."
_MOST_DEPTH = 12


class Dropped:
    """Stands for an object that nobody needs: takes whatever is given and keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """An empty one."""
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class Settings(types.SimpleNamespace):
    """Stands for ultralytics' IterableSimpleNamespace."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The dictionary that a checkpoint holds, its networks empty of anything that runs by itself.

    Raises:
        ImportRefusedError: it is no checkpoint of torch 1.6 or later, is damaged, or names what it must not.
    """
    _check_archive(path)
    try:
        loaded = torch.load(path, map_location="cpu", pickle_module=_pickle_module(), weights_only=False)
    except ImportRefusedError:
        raise
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
        MemoryError,
    ) as error:
        advice = "Copy the file again; if it is whole, export it as ONNX where it was trained and import that."
        raise ImportRefusedError(f"{path.name} cannot be read as a checkpoint: {type(error).__name__}: {error}", advice=advice) from error
    if not isinstance(loaded, dict):
        raise ImportRefusedError(f"{path.name} holds a {type(loaded).__name__}, not the dictionary of a checkpoint", advice=_ADVICE)
    return loaded


def check_network(network: nn.Module) -> None:
    """Refuse a network whose parts would run something else than their classes say.

    Raises:
        ImportRefusedError: naming the part.
    """
    waiting: list[tuple[str, nn.Module]] = [("", network)]
    seen: set[int] = set()
    while waiting:
        name, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        _check_module(name, module)
        parts = module._modules.items()  # noqa: SLF001 - what it truly holds
        waiting += [(f"{name}.{key}".strip("."), part) for key, part in parts if part is not None]


def _check_module(name: str, module: nn.Module) -> None:
    where = f"{type(module).__name__} {name!r}"
    if not all(isinstance(part, (nn.Module, type(None))) for part in module._modules.values()):  # noqa: SLF001
        raise ImportRefusedError(f"the checkpoint puts something else than a layer into {where}", advice=_ADVICE)
    for key, value in vars(module).items():
        if key == "_modules":
            continue
        if key.endswith("_hooks") and value:
            raise ImportRefusedError(f"the checkpoint hangs a hook on {where}", advice=_ADVICE)
        if _is_own_method(module, value):
            continue
        if callable(value) and callable(getattr(type(module), key, None)):
            raise ImportRefusedError(f"the checkpoint replaces {key!r} of {where}", advice=_ADVICE)
        if any(callable(one) for one in _flat(value, 0)):
            raise ImportRefusedError(f"the checkpoint puts a function into {key!r} of {where}", advice=_ADVICE)


def _is_own_method(module: nn.Module, value: object) -> bool:
    """Such as `forward_fuse`, which a network with folded layers keeps as its `forward`."""
    return (
        isinstance(value, types.MethodType) and value.__self__ is module and value.__func__ is getattr(type(module), value.__name__, None)
    )


def _flat(value: object, depth: int) -> Iterator[object]:
    """A value and what it holds. Tensors, arrays and layers are callable or large, and known."""
    if depth > _MOST_DEPTH:
        raise ImportRefusedError("the settings of a layer are nested beyond reason", advice=_ADVICE)
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(key, depth + 1)
            yield from _flat(one, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _flat(one, depth + 1)
    elif isinstance(value, Settings):
        yield from _flat(vars(value), depth + 1)
    elif not isinstance(value, (torch.Tensor, np.ndarray, nn.Module, torch.dtype, torch.device)):
        yield value


def _check_archive(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        advice = "Copy it again if it was cut off. A file of torch 1.5 or older must be saved again by a newer ultralytics."
        raise ImportRefusedError(f"{path.name} is no checkpoint of torch 1.6 or later, or its end is missing", advice=advice)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise ImportRefusedError(f"{path.name} is damaged: {error}", advice="Copy the file again.") from error
    if any(entry.filename.endswith("/constants.pkl") or "/code/" in entry.filename for entry in entries):
        advice = "Give the checkpoint of the training (best.pt) itself, or an ONNX export."
        raise ImportRefusedError(f"{path.name} is a TorchScript program, not a checkpoint", advice=advice)
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ImportRefusedError(f"{path.name} is compressed, which no checkpoint of torch is", advice="Unpack it first.")


def _pickle_module() -> types.ModuleType:
    """What torch takes for the module `pickle`."""
    module = types.ModuleType("restricted_pickle")
    module.Unpickler = RestrictedUnpickler  # type: ignore[attr-defined]
    module.load = lambda file, **options: RestrictedUnpickler(file, **options).load()  # type: ignore[attr-defined]
    return module


_PythonUnpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]  # noqa: SLF001 - the C one cannot be held back


class RestrictedUnpickler(_PythonUnpickler):  # type: ignore[misc]
    """Python's own unpickler; every name, every call and every filling is checked."""

    dispatch = dict(_PythonUnpickler.dispatch)  # noqa: RUF012 - a table of the base class

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle may name; see `resolve`."""
        return resolve(module, name)

    def load_reduce(self) -> None:
        """Call a function: only one of those that make values."""
        function = self.stack[-2]
        if not any(function is allowed for allowed in _CALLED):
            raise ImportRefusedError(f"the checkpoint wants to call {_told(function)}", advice=_ADVICE)
        super().load_reduce()

    def load_newobj(self) -> None:
        """Make an object without calling its constructor."""
        self._check_new(self.stack[-2], self.stack[-1])
        super().load_newobj()

    def load_build(self) -> None:
        """Fill an object that was made before; never a class or a function."""
        made = self.stack[-2]
        if not isinstance(made, (nn.Module, OrderedDict, Settings, Dropped, np.ndarray, np.dtype)):
            raise ImportRefusedError(f"the checkpoint wants to change {_told(made)}", advice=_ADVICE)
        super().load_build()

    def refuse(self) -> None:
        """Other ways to call something, which torch does not use."""
        raise ImportRefusedError("the checkpoint uses a form of pickle that torch does not write", advice=_ADVICE)

    @staticmethod
    def _check_new(made: object, arguments: object) -> None:
        is_layer = isinstance(made, type) and issubclass(made, nn.Module) and arguments == ()
        if not (is_layer or (isinstance(made, type) and issubclass(made, (Dropped, Settings)))):
            raise ImportRefusedError(f"the checkpoint wants to make {_told(made)}", advice=_ADVICE)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build
    for _opcode in (pickle.NEWOBJ_EX, pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_opcode[0]] = refuse


def resolve(module: str, name: str) -> Any:
    """The object behind a name in a checkpoint.

    Raises:
        ImportRefusedError: it is none that a checkpoint needs.
    """
    module = re.sub(r"^ultralytics\.yolo\.", "ultralytics.", module)  # before ultralytics 8.1
    if (module, name) in _NAMED:
        return _NAMED[module, name]
    if (module, name) in {("ultralytics.utils", "IterableSimpleNamespace"), ("types", "SimpleNamespace")}:
        return Settings
    if module.startswith(_DROPPED):
        return Dropped
    if module == "torch" and isinstance(kind := getattr(torch, name, None), torch.dtype):
        return kind
    if module == _TASKS or module == _LAYERS[0] or module.startswith(tuple(f"{one}." for one in _LAYERS)):
        return _layer(module, name)
    hint = _ADVICE
    if module.split(".")[0] == "models":
        hint = "It looks like a checkpoint of YOLOv5 or YOLOv7, which are not read. Train a YOLOv8 or YOLO11 on the same images."
    raise ImportRefusedError(f"the checkpoint names {module}.{name}, which no checkpoint needs", advice=hint)


def _layer(module: str, name: str) -> type[nn.Module]:
    """A class of network layers that is defined where the checkpoint says, not merely imported there."""
    if module == _TASKS and name not in NETWORKS:
        advice = "Boxes (detect), segmentations (segment) and whole images (classify) are what the appliance works with."
        raise ImportRefusedError(f"the checkpoint holds a {name}, which the appliance has no use for", advice=advice)
    found = getattr(importlib.import_module(module), name, None) if "." not in name and _exists(module) else None
    home = getattr(found, "__module__", "")
    if not (isinstance(found, type) and issubclass(found, nn.Module) and (home == _TASKS or home.startswith(_LAYERS))):
        advice = "The workshop's ultralytics may be older than the one that trained it: run `make workshop` again. " + _ADVICE
        raise ImportRefusedError(f"the checkpoint names {module}.{name}, which is no layer known here", advice=advice)
    return found


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _told(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__name__)}".strip(".")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """`_codecs.encode`, as pickle writes bytes in its second protocol."""
    if encoding not in {"latin1", "latin-1"}:
        raise ImportRefusedError(f"the checkpoint wants to encode text as {encoding!r}", advice=_ADVICE)
    return text.encode("latin1")


def _path(*parts: str) -> pathlib.PurePath:
    """A path of the machine that trained it: text only, on whatever system."""
    return pathlib.PurePosixPath(*(str(part) for part in parts))


def _method(owner: object, name: str) -> Callable[..., object]:
    """`getattr`, as a network with folded layers needs it for its own `forward_fuse`."""
    if not (isinstance(owner, nn.Module) and re.fullmatch(r"forward_\w+", name)):
        raise ImportRefusedError(f"the checkpoint wants {name!r} of {_told(owner)}", advice=_ADVICE)
    method = getattr(type(owner), name, None)
    if not isinstance(method, types.FunctionType):
        raise ImportRefusedError(f"the checkpoint wants {name!r} of {_told(owner)}, which has none", advice=_ADVICE)
    return types.MethodType(method, owner)


def _array(kind: type, *_: object) -> np.ndarray[Any, Any]:
    """`numpy._core.multiarray._reconstruct`: an empty array, filled by what follows."""
    if kind is not np.ndarray:
        raise ImportRefusedError(f"the checkpoint wants an array of the kind {_told(kind)}", advice=_ADVICE)
    return np.ndarray((0,), np.int8)


def _scalar(kind: object, data: bytes) -> object:
    """`numpy._core.multiarray.scalar`."""
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise ImportRefusedError("the checkpoint wants a number of an unknown kind", advice=_ADVICE)
    return np.frombuffer(data, kind, count=1)[0]


def _dtype(code: str, *_: object) -> np.dtype[Any]:
    """`numpy.dtype`; objects are not arrays' business."""
    kind = np.dtype(str(code))
    if kind.hasobject:
        raise ImportRefusedError("the checkpoint wants an array of objects", advice=_ADVICE)
    return kind


def _make_set(values: object = ()) -> set[object]:
    return set(values) if isinstance(values, (list, tuple, set)) else set()


def _named() -> dict[tuple[str, str], Any]:
    """What a checkpoint may name besides layers, as it stands in the file."""
    rebuild = torch._utils  # noqa: SLF001 - the functions that torch itself names in every checkpoint
    named: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
        ("_codecs", "encode"): _encode,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _dtype,
    }
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter"):
        named["torch._utils", name] = getattr(rebuild, name)
    for builtins in ("builtins", "__builtin__"):
        named[builtins, "set"] = _make_set
        named[builtins, "getattr"] = _method
        named |= {(builtins, kind.__name__): kind for kind in (slice, complex)}
    for multiarray in ("numpy.core.multiarray", "numpy._core.multiarray"):
        named |= {(multiarray, "_reconstruct"): _array, (multiarray, "scalar"): _scalar}
    for system in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
        named |= {(package, system): _path for package in ("pathlib", "pathlib._local")}
    return named


_NAMED = _named()
# Of what may be named, what may be called. Layers are not among them.
_CALLED = (*(value for value in _NAMED.values() if value is not np.ndarray), Settings, Dropped)
