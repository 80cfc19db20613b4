"""The starter pack as it lies in the repository: its card tells the manifest's figures, and nothing that the pack does not hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.pack import Pack, verify_pack

_PACK = Path(__file__).parents[2] / "models" / "packs" / "burrow-openings-starter"
_MAX_BYTES = 25_000_000


@pytest.fixture(scope="module")
def pack() -> Pack:
    return verify_pack(_PACK)


@pytest.fixture(scope="module")
def card() -> str:
    return (_PACK / "MODEL_CARD.md").read_text(encoding="utf-8")


def _rows(card: str, below: str) -> dict[str, list[str]]:
    """First cell -> other cells of the first table below a line that ends in `below`."""
    after = card.split(below, 1)[1]
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table[0].splitlines()]
    return {row[0]: row[1:] for row in cells[2:]}


def test_the_pack_is_whole_and_small(pack: Pack) -> None:
    assert sum(file.stat().st_size for file in _PACK.rglob("*") if file.is_file()) <= _MAX_BYTES
    assert pack.manifest.name == "burrow-openings-starter"


def test_the_cards_tables_are_the_manifests_figures(pack: Pack, card: str) -> None:
    rendered, real = (_rows(card, title) for title in ("(scenes not trained on):", "(Marine Institute, 2023):"))
    names = {variant.name for variant in pack.manifest.variants}
    assert set(rendered) == set(real) == names
    for variant in pack.manifest.variants:
        told = [float(cell) for cell in (*rendered[variant.name][:2], *real[variant.name][:2])]
        assert told == [variant.metrics[key] for key in ("map50", "map50_95", "map50_real", "map50_95_real")]
        bias, mae, ccc, ece = (float(real[variant.name][place]) for place in (6, 7, 8, 9))
        assert bias == pytest.approx(variant.metrics["count_bias_real"], abs=0.006)
        assert mae == pytest.approx(variant.metrics["count_mae_real"], abs=0.006)
        assert ccc == pytest.approx(variant.metrics["count_ccc_real"], abs=6e-4)
        assert ece == pytest.approx(variant.metrics["ece_real"], abs=6e-4)


def test_every_variant_lies_within_the_limit(pack: Pack) -> None:
    original = pack.manifest.variants[0].metrics["map50"]
    for variant in pack.manifest.variants:
        assert 100 * (original - variant.metrics["map50"]) <= pack.manifest.max_map50_drop_points


def test_the_card_says_that_real_stills_shaped_the_renderer_and_gives_other_tows_apart(card: str) -> None:
    assert "no blind test" in card
    stills = [int(name.split(":")[0]) for name in _rows(card, "The same stills by tow")]
    assert stills == [66, 29]


def test_the_card_names_the_threshold_that_counts(pack: Pack, card: str) -> None:
    assert f"Counting threshold {pack.manifest.thresholds.score:.3f}:" in card
