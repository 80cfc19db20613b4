"""Run a variant of a pack over a data set, the way the appliance runs it, and say how good it is.

    measurement = measure_variant(pack, "openvino-int8", dataset)     what it finds in each image, and how long it takes
    figures(measurement, dataset)                                     how good that is; see models.evaluate.figures

Decoding, placing, suppression and merging of tiles are the appliance's own. Only the floor of the scores is lower, since average
precision asks for the whole curve; what lies at or above the pack's own floor is what the appliance would report, in the same
boxes and as many of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from edge.errors import InputError, ModelError
from edge.pipeline.decode import check_pixels, check_whole, read_bytes, read_facts
from edge.pipeline.detect import decode_for
from edge.values import Detections
from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.errors import DatasetImageError
from models.datasets.finish import MAX_FILE_BYTES, MAX_PIXELS
from models.evaluate.figures import Figures, figures
from models.evaluate.measurement import Measurement
from models.evaluate.values import ImageFound
from models.manifest import Thresholds
from models.pack import Pack
from models.runtime.devices import CPU
from models.runtime.machine import usable_cores
from models.runtime.predict import LoadedModel, load_model, look, merge
from models.runtime.tiling import View, plan_views
from models.workbench import OnProgress, Step

__all__ = ["SCORE_FLOOR", "Figures", "Measurement", "figures", "measure_variant"]

SCORE_FLOOR = 0.005
LEAST_MAX_OBJECTS = 1_000  # of the tail below the pack's floor too


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """One image done, and the seconds that its parts took in its thread."""

    found: ImageFound
    decode_s: float
    infer_s: float
    total_s: float


def measure_variant(
    pack: Pack, variant_name: str, dataset: Dataset, *, threads: int = 0, device: str = CPU, on_step: OnProgress | None = None
) -> Measurement:
    """What a variant finds in every image of a data set, down to a score of SCORE_FLOOR.

    Args:
        threads: that decode and infer side by side; 0 is one more than there are cores, as in the appliance.
        device: one of `models.runtime.devices.devices_for`.
        on_step: told after each image.

    Raises:
        PackInvalidError: the pack has no such variant, or its files are damaged.
        ModelError: the runtime cannot load it, or failed on an image; or the model is promptable.
        DatasetImageError: an image cannot be decoded.
    """
    threads = threads or usable_cores() + 1
    if pack.manifest.task == "prompt":
        raise ModelError(f"{pack.manifest.name} waits for a click: it finds nothing by itself that could be compared with boxes")
    model = load_model(pack.path, variant_name, threads=threads, device=device)
    low = _with_low_floor(model)
    begun_s = time.perf_counter()
    looked: list[_Looked] = []
    for one in _in_order(dataset.images, model, low, threads):
        looked.append(one)
        if on_step is not None:
            on_step(Step(name=f"evaluate {variant_name}", done=len(looked), of=len(dataset.images)))
    wall_s = time.perf_counter() - begun_s
    return Measurement(
        pack=pack.manifest.name,
        version=pack.manifest.version,
        variant=variant_name,
        runtime=model.key.runtime,
        precision=model.key.precision,
        device=model.device,
        task=pack.manifest.task,
        labels=model.labels,
        thresholds=pack.manifest.thresholds,
        score_floor=low.manifest.thresholds.score_floor,
        founds=tuple(one.found for one in looked),
        image_s=tuple(one.total_s for one in looked),
        decode_s=sum(one.decode_s for one in looked),
        infer_s=sum(one.infer_s for one in looked),
        wall_s=wall_s,
        threads=threads,
    )


def _with_low_floor(model: LoadedModel) -> LoadedModel:
    manifest = model.manifest
    thresholds = Thresholds(
        score=manifest.thresholds.score,
        score_floor=min(SCORE_FLOOR, manifest.thresholds.score_floor),
        nms_iou=manifest.thresholds.nms_iou,
        max_objects=max(LEAST_MAX_OBJECTS, manifest.thresholds.max_objects),
    )
    return replace(model, pack=replace(model.pack, manifest=manifest.model_copy(update={"thresholds": thresholds})))


def _in_order(images: Sequence[LabelledImage], model: LoadedModel, low: LoadedModel, threads: int) -> Iterator[_Looked]:
    """Results in the order of the images; only a few images are in memory at once."""
    with ThreadPoolExecutor(threads, thread_name_prefix="evaluate") as pool:
        ahead: deque[Future[_Looked]] = deque()
        try:
            for image in images:
                ahead.append(pool.submit(_look_at, image, model, low))
                if len(ahead) > 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _look_at(image: LabelledImage, model: LoadedModel, low: LoadedModel) -> _Looked:
    begun_s = time.perf_counter()
    try:
        data = read_bytes(image.path.resolve(), max_file_bytes=MAX_FILE_BYTES)
        facts = read_facts(data, image.path.name)
        check_pixels(facts, MAX_PIXELS)
        check_whole(data, facts)
        views = plan_views(facts.width_px, facts.height_px, model.manifest.input)
        pixels = decode_for(views, data, facts)
    except InputError as error:
        raise DatasetImageError(f"{image.name} cannot be decoded ({error.reason}): {error}") from error
    except MemoryError as error:
        raise DatasetImageError(f"{image.name} does not fit into memory") from error
    decoded_s = time.perf_counter()
    try:
        seen = [look(view, view.cut(pixels), low) for view in views]
    except ModelError as error:
        raise ModelError(f"{image.name}: {error}") from error
    inferred_s = time.perf_counter()
    found = _as_reported(views, seen, model, low, image)
    return _Looked(
        found=ImageFound(boxes_xyxy_px=found.xyxy, score=found.score, label_index=found.label_index),
        decode_s=decoded_s - begun_s,
        infer_s=inferred_s - decoded_s,
        total_s=time.perf_counter() - begun_s,
    )


def _as_reported(
    views: Sequence[View], seen: Sequence[Detections], model: LoadedModel, low: LoadedModel, image: LabelledImage
) -> Detections:
    """What the appliance reports, then the tail below its floor.

    Suppression never lets a worse box change a better one, but merging tiles may: a faint piece can lengthen an object that
    a border cut. So what the appliance sees is merged by itself.
    """
    if model.manifest.task == "classify":
        best = merge(views, seen, model, width_px=image.width_px, height_px=image.height_px)
        # The model may look at the middle only; the answer is for the whole image.
        return replace(best, xyxy=np.array([[0, 0, image.width_px, image.height_px]], np.float32))
    floor = model.manifest.thresholds.score_floor
    most = model.manifest.thresholds.max_objects
    reported = [one.select(np.flatnonzero(one.score >= floor)[:most]) for one in seen]
    top = merge(views, reported, model, width_px=image.width_px, height_px=image.height_px)
    every = merge(views, seen, low, width_px=image.width_px, height_px=image.height_px)
    tail = every.select(every.score < floor)
    return Detections(
        xyxy=np.concatenate([top.xyxy, tail.xyxy]),
        score=np.concatenate([top.score, tail.score]),
        label_index=np.concatenate([top.label_index, tail.label_index]),
    )
