"""Which seconds of real clips are proposed as not countable, against what a person says who looked at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.pipeline.seabed.observer import SeabedObserver
from edge.pipeline.video import ClipReader, probe_clip
from edge.survey.tow.countable import CountableSettings, propose_not_countable

# Looked at frame by frame: whether anybody could count on them.
LOOKED_AT = {
    "mbari_deepsea_ai/V4361_20211006T162656Z_h265_1sec.mp4": True,  # mud in good light
    "mbari_deepsea_ai/V4361_20211006T163256Z_h265_1sec.mp4": False,  # black but for a patch of seabed
    "mbari_deepsea_ai/V4361_20211006T163856Z_h265_1sec.mp4": False,  # marine snow in dark water above a strip of seabed
    "deepsea_detector/coral_trimmed.mp4": True,
    "deepsea_detector/shrimp_trimmed.mp4": True,  # rock in weak light
    "crabs_burrows/NINJAV_S001_S001_T003_subclip_p1_05s.mp4": True,  # burrows under heavy text
    "crabs_burrows/NINJAV_S001_S001_T003_subclip_p2_05s.MP4": True,
}


@pytest.mark.parametrize("name", list(LOOKED_AT))
def test_what_is_proposed_is_what_a_person_says(shared_data: Path, name: str) -> None:
    path = shared_data / "video" / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    facts = probe_clip(path)
    observer = SeabedObserver(facts.width_px, facts.height_px, masks=(), line_height=0.83, rate_hz=6.0)
    with ClipReader(path, rate_hz=6.0, threads=1) as reader:
        seen = [(frame.at_s, observer.observe(frame.pixels, frame.at_s).visibility) for frame in reader.frames()]
    proposed = propose_not_countable([at_s for at_s, _ in seen], [one for _, one in seen], CountableSettings())
    seconds = sorted({int(at_s) for at_s, _ in seen})
    assert proposed == ([] if LOOKED_AT[name] else seconds)
