"""Training the starter: the same plan ends at the same weights, also after an interruption; another plan is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from models.workshop import learner, train_starter
from models.workshop.crops import Crop
from models.workshop.train_starter import Plan

_TINY = ["--steps", "4", "--n-train", "2", "--n-val", "1", "--device", "cpu", "--first-scene-seed", "70"]


def _plan(*more: str) -> Plan:
    return train_starter.plan_of(train_starter.options().parse_args([*_TINY, *more]))


def _log(out: Path) -> dict[str, object]:
    log: dict[str, object] = json.loads((out / "train.json").read_text(encoding="utf-8"))
    return log


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("starter")
    train_starter.run(out, _plan())
    return out


def test_the_same_plan_ends_at_the_same_weights_and_another_seed_does_not(trained: Path, tmp_path: Path) -> None:
    train_starter.run(tmp_path / "again", _plan())
    train_starter.run(tmp_path / "other", _plan("--seed", "3"))
    assert _log(tmp_path / "again")["weights_sha256"] == _log(trained)["weights_sha256"]
    assert _log(tmp_path / "other")["weights_sha256"] != _log(trained)["weights_sha256"]


def test_an_interrupted_training_ends_at_the_weights_of_one_that_was_not(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_starter, "SAVE_EVERY_STEPS", 2)
    learn = learner.Learner.learn

    def stop_at_3(self: learner.Learner, crops: list[Crop]) -> None:
        if self.step == 3:
            raise KeyboardInterrupt
        learn(self, crops)

    monkeypatch.setattr(learner.Learner, "learn", stop_at_3)
    with pytest.raises(KeyboardInterrupt):
        train_starter.run(tmp_path, _plan())
    monkeypatch.setattr(learner.Learner, "learn", learn)
    assert not (tmp_path / "last.pt").exists()
    train_starter.run(tmp_path, _plan())
    assert _log(tmp_path)["weights_sha256"] == _log(trained)["weights_sha256"]
    assert _log(tmp_path)["steps"] == 4


def test_a_folder_of_another_plan_is_refused(trained: Path) -> None:
    before = (trained / "train.json").read_bytes()
    with pytest.raises(SystemExit, match="another seed, steps"):
        train_starter.run(trained, _plan("--seed", "3", "--steps", "5"))
    assert (trained / "train.json").read_bytes() == before


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    state = learner.Learner.start(_plan())
    next(state.network.parameters()).data.fill_(float("nan"))
    crop = Crop(image=np.zeros((320, 320, 3), np.uint8), boxes=np.array([[10, 10, 40, 40]], np.float32))
    with pytest.raises(FloatingPointError, match="step 1 is nan"):
        state.learn([crop, crop])


def test_the_learning_rate_rises_falls_and_ends_near_nothing() -> None:
    plan = _plan("--steps", "1000")
    rates = [learner.rate_at(plan, step) for step in range(1, 1001)]
    top = rates.index(max(rates))
    assert top + 1 == plan.warmup_steps
    assert all(before < after for before, after in itertools.pairwise(rates[: top + 1]))
    assert all(before > after for before, after in itertools.pairwise(rates[top:]))
    assert max(rates) <= plan.learning_rate
    assert rates[-1] < 0.01 * plan.learning_rate


def test_the_log_tells_what_was_done(trained: Path) -> None:
    log = _log(trained)
    assert log["crops"] == 64
    assert log["stills"] == 2
    assert log["plan"] == json.loads((trained / "plan.json").read_text(encoding="utf-8"))
