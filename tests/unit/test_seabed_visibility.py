"""What is measured of the view: silt of known cover, darkness, and the real stills and clips that are known to be bad."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.footage import Visibility
from edge.pipeline.plan import Mask
from edge.pipeline.seabed.ground import Light, Texture, cloudy_cells
from edge.pipeline.seabed.observer import SeabedObserver
from edge.values import UInt8Array
from tests.helpers.sledge import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX, Sledge, Weather, swell
from tests.helpers.still_times import taken_s

_TEXT = (Mask(y_max_px=22),)


def _observer(width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> SeabedObserver:
    return SeabedObserver(width_px, height_px, masks=_TEXT, line_height=LINE_HEIGHT, rate_hz=6.0)


@pytest.mark.parametrize("drifts", [True, False])
def test_the_share_that_silt_hides_is_measured(drifts: bool) -> None:
    shares = {5: 0.2, 6: 0.3, 7: 0.45, 8: 0.6, 9: 0.97, 10: 0.4}
    observer, errors = _observer(), []
    for sight in Sledge(51, Weather(silt=shares, silt_drifts=drifts)).sail(swell(13, 6.0, 51), 6.0):
        silt = observer.observe(sight.image, sight.at_s).visibility.silt_fraction
        errors.append(silt - float((sight.hidden > 0.5).mean()))
    assert np.abs(errors).max() < 0.2
    assert float(np.mean(np.abs(errors))) < 0.06


def test_clear_mud_has_no_silt_and_more_contrast_than_faint_mud() -> None:
    seen = []
    for texture in (1.0, 0.4):
        observer = _observer()
        seen.append(
            [observer.observe(s.image, s.at_s).visibility for s in Sledge(12, Weather(texture=texture)).sail(swell(4, 6.0, 12), 6.0)]
        )
    assert max(one.silt_fraction for views in seen for one in views) < 0.05
    assert min(one.contrast for one in seen[0]) > 1.5 * max(one.contrast for one in seen[1])
    assert min(one.sharpness for one in seen[0]) > max(one.sharpness for one in seen[1])


def test_what_lamps_do_not_reach_is_dark_not_silt() -> None:
    observer = _observer()
    reach = 1 / (1 + np.exp(-np.linspace(-40, 40, WIDTH_PX)))[None, :, None]
    for sight in Sledge(12).sail(swell(4, 6.0, 12), 6.0):
        visibility = observer.observe(np.asarray(sight.image * reach, np.uint8), sight.at_s).visibility
        assert visibility.dark_fraction == pytest.approx(0.5, abs=0.05)
        assert visibility.silt_fraction < 0.1


def test_light_that_changes_slowly_is_learned_and_a_cloud_is_not() -> None:
    rng = np.random.default_rng(1)
    light = Light()
    nothing = np.zeros((13, 24), np.bool_)
    for number in range(30):
        grey = np.full((270, 480), 100.0 - number, np.float32) + rng.normal(0, 2, (270, 480)).astype(np.float32)
        off = light.off(grey)
        light.learn(off)
        assert not off.any()
    grey[:, 300:] *= np.float32(0.7)
    for _ in range(10):
        off = light.off(grey)
        light.learn(off)
    assert off.mean() == pytest.approx(180 / 480, abs=0.06)
    assert not cloudy_cells(off, np.ones((13, 24))).any()  # ground in another light keeps its texture
    assert (cloudy_cells(off, np.full((13, 24), 0.6)) == off).all()
    assert cloudy_cells(nothing, np.full((13, 24), 0.2)).all()


def test_texture_is_a_share_of_what_is_usual() -> None:
    rng = np.random.default_rng(1)
    texture = Texture()
    for _ in range(10):
        mud = np.clip(128 + 25 * cv2.GaussianBlur(rng.normal(0, 3, (270, 480)), (0, 0), 1.5), 0, 255).astype(np.uint8)
        share = texture.share(mud)
        texture.learn(np.zeros((13, 24), np.bool_))
    assert float(np.median(share)) == pytest.approx(1.0, abs=0.1)
    half = np.asarray((mud.astype(np.float32) - 128) * 0.4 + 128, np.uint8)
    assert float(np.median(texture.share(half))) == pytest.approx(0.4, abs=0.06)
    assert not texture.share(np.full((270, 480), 128, np.uint8)).any()


def test_stills_with_silt_show_more_of_it_than_the_rest_of_their_run(real_stills: list[Path]) -> None:
    run = [path for path in real_stills if "2023-06-03T16" in path.name]
    observer = _observer()
    shares = {
        path.name: observer.observe(np.asarray(cv2.imread(str(path)), np.uint8), taken_s(path)).visibility.silt_fraction for path in run
    }
    silty = [share for name, share in shares.items() if "16-26-42-864" in name or "16-26-43-504" in name]
    assert min(silty) > 0.08
    assert float(np.median(list(shares.values()))) < 0.06


def _clip_views(path: Path) -> list[Visibility]:
    with av.open(str(path)) as container:
        frames = [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in list(container.decode(video=0))[::10]]
    views: list[Visibility] = []
    observer = _observer(frames[0].shape[1], frames[0].shape[0])
    for number, frame in enumerate(frames):
        image: UInt8Array = frame
        seen = observer.observe(image, number / 6)
        assert seen.lasers is None
        views.append(seen.visibility)
    return views


def test_deep_sea_clips_without_lasers_give_none_and_the_near_black_one_is_dark(shared_data: Path) -> None:
    clips = sorted((shared_data / "video" / "mbari_deepsea_ai").glob("*.mp4"))
    if not clips:
        pytest.skip("no MBARI clips in the real data")
    dark = [max(view.dark_fraction for view in _clip_views(clip)) for clip in clips]
    assert max(dark) > 0.6
