"""Which version of a pack answers CVAT, and which packs give a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from annotator_bridge.functions import loading
from annotator_bridge.functions.catalogue import CatalogueReader, list_functions, load_function, read_catalogue
from annotator_bridge.functions.function import UnknownFunctionError
from annotator_bridge.functions.methods import METHODS
from edge.errors import ModelError
from edge.store import packs
from edge.store.connection import immediate
from edge.store.packs import VariantVerdict
from edge.values import UInt8Array
from models.pack import Pack
from models.registry import BUNDLED_PACKS
from models.runtime import goldens, predict
from models.runtime.machine import machine_fingerprint
from models.runtime.negotiate import GoldenProof
from tests.helpers.bridge import tiny_pack
from tests.helpers.seed import open_database
from tests.unit.tiny_models import detector_onnx

CLASSES = {"task": "classify", "head": "classify"}


def pack_of(home: Path, name: str) -> str:
    return {info.id: info.pack for info in list_functions(home)}[name]


def verdict(name: str, *, offered: bool, images_per_s: float, reason: str = "") -> VariantVerdict:
    return VariantVerdict(
        name=name,
        runtime="onnxruntime",
        precision="fp32",
        sha256="0" * 64,
        device="CPU f32",
        offered=offered,
        reason=reason,
        latency_ms=1.0,
        images_per_s=images_per_s,
        goldens_json="[]",
    )


def register(home: Path, pack: Pack, *verdicts: VariantVerdict, serves: str = "") -> None:
    connection = open_database(home)
    with immediate(connection):
        row = packs.add_pack(connection, pack.manifest, pack_path=pack.path, manifest_sha256=pack.manifest_sha256)
        packs.record_verdicts(connection, row.model_id, machine_fingerprint(), list(verdicts))
        if serves:
            packs.activate(connection, serves, row.model_id, actor="test")
    connection.close()


def test_a_home_folder_that_was_never_started_offers_what_came_with_the_program(tmp_path: Path) -> None:
    bundled = {path.parent.name for path in BUNDLED_PACKS.glob("*/manifest.json")} - {"vignettes-unclassified"}  # which tells nothing
    assert {info.id for info in list_functions(tmp_path / "nowhere")} == bundled | set(METHODS)
    assert not (tmp_path / "nowhere").exists()


def test_the_newest_version_answers_until_another_serves_a_recipe(tmp_path: Path) -> None:
    old, _ = tiny_pack(tmp_path, "tiny", version="1.9.0"), tiny_pack(tmp_path, "tiny", version="1.10.0")
    assert pack_of(tmp_path, "tiny") == "tiny@1.10.0"
    register(tmp_path, old, serves="burrows")
    assert pack_of(tmp_path, "tiny") == "tiny@1.9.0"


def test_a_database_that_cannot_be_read_leaves_the_newest(tmp_path: Path) -> None:
    tiny_pack(tmp_path, "tiny")
    (tmp_path / "edge.db").write_bytes(b"no database" * 100)
    assert pack_of(tmp_path, "tiny") == "tiny@1.0.0"


def test_a_pack_with_the_name_of_a_method_gives_no_function(tmp_path: Path) -> None:
    tiny_pack(tmp_path, "seabed-tracker")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.entries["seabed-tracker"].pack is None
    assert [one.name for one in catalogue.left_out] == ["seabed-tracker"]


def test_the_list_is_read_again_after_a_second(tmp_path: Path) -> None:
    now_s = [0.0]
    reader = CatalogueReader(tmp_path, clock=lambda: now_s[0])
    assert "late" not in reader.read().entries
    tiny_pack(tmp_path, "late")
    assert "late" not in reader.read().entries
    was_fresh = reader.fresh is not None
    now_s[0] = 1.5
    assert [was_fresh, reader.fresh is not None] == [True, False]
    assert "late" in reader.read().entries


def test_what_is_told_of_a_method_is_what_it_says_itself() -> None:
    for method in METHODS.values():
        module, _, name = method.where.partition(":")
        function = getattr(pytest.importorskip(module), name)(max_pixels=1_000_000)
        assert function.info == method.info


def test_an_unknown_function_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(UnknownFunctionError, match="nowhere"):
        load_function(tmp_path, "nowhere", threads=1)


def test_what_was_measured_on_this_machine_chooses_the_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [
        {"name": name, "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]} for name in ("slow", "refused", "fast")
    ]
    pack = tiny_pack(tmp_path, "tiny", variants=variants)
    shown = [
        verdict("slow", offered=True, images_per_s=5.0),
        verdict("refused", offered=False, images_per_s=99.0),
        verdict("fast", offered=True, images_per_s=50.0),
    ]
    register(tmp_path, pack, *shown)
    chosen = []
    real = predict.load_model

    def spy(folder: Path, variant: str, **options: object) -> object:
        chosen.append((variant, options["device"]))
        return real(folder, variant, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "load_model", spy)
    loading.load_fastest(tmp_path, pack, threads=1)
    assert chosen == [("fast", "CPU")]


def test_a_pack_none_of_whose_variants_works_here_says_why(tmp_path: Path) -> None:
    pack = tiny_pack(tmp_path, "tiny")
    register(tmp_path, pack, verdict("onnx-fp32", offered=False, images_per_s=0.0, reason="a golden did not hold"))
    with pytest.raises(ModelError, match="a golden did not hold"):
        loading.load_fastest(tmp_path, pack, threads=1)


def test_a_variant_that_was_never_proven_has_to_hold_its_goldens(tmp_path: Path) -> None:
    sound = tiny_pack(tmp_path, "sound")
    assert loading.load_fastest(tmp_path, sound, threads=1).key.name == "sound"
    assert "onnx-fp32" in (tmp_path / loading.CHOSEN_NAME).read_text("utf-8")
    weak = tiny_pack(tmp_path, "weak", onnx=detector_onnx(factor=0.3))
    with pytest.raises(ModelError, match="golden"):
        loading.load_fastest(tmp_path, weak, threads=1)


def test_what_was_chosen_before_is_loaded_without_trying_and_a_damaged_note_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tiny_pack(tmp_path, "tiny")
    loading.load_fastest(tmp_path, pack, threads=1)
    tried: list[str] = []

    def spy(model: predict.LoadedModel, images: Sequence[UInt8Array]) -> tuple[GoldenProof, ...]:
        tried.append(model.key.name)
        return goldens.check_goldens(model, images)

    monkeypatch.setattr(loading, "check_goldens", spy)
    loading.load_fastest(tmp_path, pack, threads=1)
    assert tried == []
    (tmp_path / loading.CHOSEN_NAME).write_text("[1", "utf-8")
    loading.load_fastest(tmp_path, pack, threads=1)
    assert tried == ["tiny"]
