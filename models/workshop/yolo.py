"""The command `yolo` of ultralytics, offline, also where torchvision lacks its C++ operators: `python -m models.workshop.yolo ...`.

For comparing speeds only. Where the operator is missing, boxes are suppressed by ultralytics' own routine in plain torch.
"""

from __future__ import annotations

from models.workshop.ultralytics_offline import prepare


def main() -> None:
    """Hand the command line on."""
    prepare()
    import torchvision
    from ultralytics.cfg import entrypoint
    from ultralytics.utils.nms import TorchNMS

    if not torchvision.extension._has_ops():  # noqa: SLF001 - there is no public way to ask
        torchvision.ops.nms = TorchNMS.nms
    entrypoint()


if __name__ == "__main__":
    main()
