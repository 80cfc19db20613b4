"""The seabed tracker as a tracking function of cvat-sdk (2.42 and later), for agents: `cvat-cli function run-agent`.

CVAT has agents in its Enterprise and Cloud editions only; within the Community edition the tracker is reached through the facade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from annotator_bridge.cvat_cli.calling import open_function, sdk_module, sent
from annotator_bridge.functions.function import Function
from edge.errors import SettingsError


def create(function: str = "seabed-tracker", *, home: str = "") -> Tracker:
    """What cvat-cli calls.

    Raises:
        UnknownFunctionError: there is no function of that name.
        SettingsError: it is no tracker, or the SDK that is installed knows none.
    """
    sdk = sdk_module("cvat_sdk.auto_annotation")
    if not hasattr(sdk, "TrackingFunctionSpec"):
        raise SettingsError("the cvat-sdk installed here knows no tracking functions", advice="They came with cvat-sdk 2.42.")
    return Tracker(open_function(home, function, "tracker", threads=1), sdk)


@dataclass(slots=True)
class _Followed:
    """What the SDK keeps of an object between its calls."""

    state: Any


class Tracker:
    """See `cvat_sdk.auto_annotation.TrackingFunction`."""

    def __init__(self, function: Function, sdk: Any) -> None:
        """`sdk`: the module `cvat_sdk.auto_annotation`."""
        self._function = function
        self._sdk = sdk
        self._spec = sdk.TrackingFunctionSpec(supported_shape_types={"rectangle"})

    @property
    def spec(self) -> Any:
        """What it follows: `TrackingFunctionSpec`."""
        return self._spec

    def preprocess_image(self, _context: Any, image: Image.Image) -> str:
        """The image as a call carries it. The protocol calls this optional, cvat-cli 2.80 calls it in any case."""
        return sent(image)

    def init_tracking_state(self, _context: Any, pp_image: str, shape: Any) -> _Followed:
        """What is known of an object where it was drawn.

        Raises:
            BadCallError: it is no box within the image.
        """
        drawn = {"type": shape.type, "points": list(shape.points)}
        return _Followed(self._function.invoke({"image": pp_image, "shapes": [drawn], "states": []})["states"][0])

    def track(self, _context: Any, pp_image: str, state: _Followed) -> Any:
        """Where the object is now; None where it is lost."""
        told = self._function.invoke({"image": pp_image, "shapes": [], "states": [state.state]})
        state.state = told["states"][0]
        shape = told["shapes"][0]
        return None if shape is None else self._sdk.TrackableShape(type=shape["type"], points=shape["points"])
