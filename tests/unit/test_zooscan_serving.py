"""Which classifier a scan is given: the active pack's, without anybody waiting for its proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.errors import ModelError
from edge.pipeline.keeper import ModelKeeper
from edge.recipes.zooscan import ZOOSCAN
from edge.scan_work import serving_classifier
from edge.store.open import open_store
from edge.zooscan.multiples import load_classifier


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ModelKeeper]:
    writer = open_store(tmp_path, on_commit=lambda: None)
    yield ModelKeeper(tmp_path, writer)
    writer.close()


def test_in_a_fresh_home_the_starter_serves_and_is_not_measured_first(keeper: ModelKeeper) -> None:
    serving = serving_classifier(keeper)
    assert serving is not None
    assert serving.spec.variant is None, "it proves itself by its goldens as it is loaded"
    row = keeper.active(ZOOSCAN.name, ZOOSCAN.starter_pack)
    assert (row.name, row.model_id) == ("zooscan-multiples-starter", serving.model_id)
    assert keeper.verdicts(row) == []
    assert load_classifier(serving.spec).key.name == "zooscan-multiples-starter"


def test_once_its_variants_were_measured_the_fastest_serves(keeper: ModelKeeper) -> None:
    serving_classifier(keeper)
    row = keeper.active(ZOOSCAN.name, ZOOSCAN.starter_pack)
    fastest = keeper.prove(row)[0]
    serving = serving_classifier(keeper)
    assert serving is not None
    assert serving.spec.variant == fastest.name
    assert fastest.device.startswith(serving.spec.device)


def test_without_a_pack_nothing_has_a_score(keeper: ModelKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "install_bundled", list)
    assert serving_classifier(keeper) is None


def test_a_pack_of_which_nothing_works_here_is_no_pack_that_says_nothing(keeper: ModelKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    serving_classifier(keeper)
    row = keeper.active(ZOOSCAN.name, ZOOSCAN.starter_pack)
    (verdict, *_) = keeper.prove(row)
    monkeypatch.setattr(keeper, "verdicts", lambda _: [SimpleNamespace(**{**_fields(verdict), "offered": False})])
    with pytest.raises(ModelError, match="no variant of"):
        serving_classifier(keeper)


def _fields(verdict: Any) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in ("name", "device", "images_per_s")}
