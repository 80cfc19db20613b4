"""The main path of one image: from its bytes to what the store records."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edge.pipeline.decode import check_pixels, check_whole, decode, read_facts, reduction
from edge.pipeline.mask import masked_areas, outside, paint
from edge.pipeline.plan import DetectSettings, MeasureCrop
from edge.pipeline.quality import measure_quality
from edge.units import s_to_ms
from edge.values import ImageFacts, ImageResult, UInt8Array
from models.runtime.predict import LoadedModel, best_class, class_scores, load_model, look, merge
from models.runtime.tiling import View, plan_views

__all__ = ["LoadedModel", "decode_for", "load_model", "process_image"]


def process_image(
    data: bytes, name: str, model: LoadedModel, settings: DetectSettings, *, measure: MeasureCrop | None = None
) -> ImageResult:
    """Decode, mask, infer and measure one image. May be called from several threads at once.

    A classification gives one detection, the whole image with its best class.

    Args:
        data: the file's bytes.
        name: the file's name, for its extension.
        measure: of recipes whose images are crops of one particle each: measures it.

    Raises:
        InputError: the file cannot become a result, with the reason.
        ModelError: the model failed, or returned what its manifest does not promise.
        MemoryError: no room for the pixels.
    """
    clock = _Clock()
    facts = read_facts(data, name)
    check_pixels(facts, settings.max_pixels)
    check_whole(data, facts)
    views = plan_views(facts.width_px, facts.height_px, model.manifest.input, fit=settings.fit)
    image = decode_for(views, data, facts) if measure is None else decode(data, facts)
    areas = masked_areas(settings.masks, facts)
    paint(image, areas, facts)
    clock.stop("decode")
    contents = [view.cut(image) for view in views]
    class_score = None
    if model.manifest.task == "classify" and len(views) == 1:
        class_score = class_scores(views[0], contents[0], model)
        found = [best_class(views[0], class_score)]
    else:
        found = [look(view, content, model) for view, content in zip(views, contents, strict=True)]
    clock.stop("infer")
    detections = merge(views, found, model, width_px=facts.width_px, height_px=facts.height_px)
    if model.manifest.task != "classify":
        detections = outside(detections, areas)
    crop = None if measure is None else measure(image)
    quality = measure_quality(contents[0] if _sees_whole(views, facts) else image, areas, facts)
    clock.stop("merge")
    return ImageResult(
        facts=facts,
        quality=quality,
        detections=detections,
        labels=model.labels,
        model=model.key,
        score_threshold=model.manifest.thresholds.score,
        stage_ms=clock.stage_ms,
        class_score=class_score,
        is_measured=measure is not None,
        crop=crop,
    )


def decode_for(views: Sequence[View], data: bytes, facts: ImageFacts) -> UInt8Array:
    """Pixels of the image, reduced while decoding where the only view is of the whole and much smaller."""
    if not _sees_whole(views, facts):
        return decode(data, facts)
    seen = views[0].placement
    factor = reduction(facts, content_width_px=seen.content_width_px, content_height_px=seen.content_height_px)
    return decode(data, facts, reduce=factor)


def _sees_whole(views: Sequence[View], facts: ImageFacts) -> bool:
    """One view, of the whole image: neither tiles nor a part from its middle."""
    return len(views) == 1 and views[0].part.xyxy == (0, 0, facts.width_px, facts.height_px)


class _Clock:
    """Wall time between its stops, in milliseconds by name."""

    def __init__(self) -> None:
        self.stage_ms: dict[str, float] = {}
        self._since_s = time.perf_counter()

    def stop(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.stage_ms[stage] = s_to_ms(now_s - self._since_s)
        self._since_s = now_s
