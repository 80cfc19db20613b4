"""The command `yolo` of ultralytics, offline, also where torchvision lacks its C++ operators: `python -m models.workshop.yolo ...`.

For comparing speeds only. Where the operator is missing, boxes are suppressed by ultralytics' own routine in plain torch.
"""

from __future__ import annotations

from models.workshop import torchvision_shim
from models.workshop.ultralytics_offline import prepare


def main() -> None:
    """Hand the command line on."""
    prepare()
    torchvision_shim.complete()
    from ultralytics.cfg import entrypoint

    entrypoint()


if __name__ == "__main__":
    main()
