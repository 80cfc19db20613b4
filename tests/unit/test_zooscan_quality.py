"""What stands about a sample after corrections, and the checks made before a scan leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.zooscan.counted import CountedObject
from edge.zooscan.project.texts import decode_text, read_keyed_text
from edge.zooscan.quality import MOST_BLACK, Finding, Relative, ScanFacts, findings, wanted_files
from edge.zooscan.scan import MOST_BLACK as MOST_BLACK_OF_SCANS
from edge.zooscan.standing import Standing, meta_bytes, what_stands

META = (
    b"SampleId= tow_1\r\nDate= 20230705-0503\r\nLatitude= 51.5293\r\nLongitude= 19.2159\r\nNettype= bioness\r\nNetmesh= 500\r\n"
    b"Zmax= 1008\r\nZmin= 820\r\nVol= 357\r\nFracId= d2_1_sur_2\r\nFracmin= 1000\r\nFracsup= 2000\r\nFracnb= 4\r\nSubMethod= motoda\r\n"
    b"Depth= 99999\r\nlatitude_end= 51.3000\r\nlongitude_end= 19.3000\r\n"
)
LOG = b"PID\r\n[Image]\r\nScanning_date= 20240529_1541\r\n"


def _standing(**entries: str) -> Standing:
    return what_stands(META, LOG, entries)


def test_what_was_typed_stands_in_place_of_the_metas_own() -> None:
    standing = _standing(vol="400", SHIP="thalassa")
    assert (standing.sample.volume_m3, standing.values["ship"], standing.values["sampleid"]) == (400, "thalassa", "tow_1")
    assert "depth" not in standing.values
    assert (standing.latitude_end_deg, standing.longitude_end_deg) == (51.5, -19.5)
    assert standing.scanned_at is not None
    assert f"{standing.scanned_at:%Y-%m-%d %H:%M}" == "2024-05-29 15:41"


def test_positions_are_degrees_and_minutes_until_somebody_says_otherwise() -> None:
    assert (_standing().sample.latitude_deg, _standing().is_format_said) == (51.88217, False)
    decimal = _standing(position_format="decimal")
    assert (decimal.sample.latitude_deg, decimal.latitude_end_deg, decimal.is_format_said) == (51.5293, 51.3, True)
    (problem,) = _standing(latitude_end="51.75").problems
    assert problem == "latitude_end is no position in degrees.minutes: 51.75"


def test_two_volumes_are_kept() -> None:
    standing = _standing(volume_filtered_m3="714", volume_is="fractioned")
    assert (standing.sample.volume_m3, standing.volume_filtered_m3, standing.volume_is) == (357, 714, "fractioned")
    assert not {"volume_is", "volume_filtered_m3"} & set(standing.values)
    assert b"volume_is" not in meta_bytes(META, {"volume_is": "fractioned", "Vol": "357"})
    assert _standing(volume_filtered_m3="99999").volume_filtered_m3 is None
    assert _standing(volume_filtered_m3="lots").problems == ("volume_filtered_m3 is no volume: lots",)


def test_a_scan_without_texts_states_nothing() -> None:
    standing = what_stands(None, None, {})
    assert (standing.values, standing.scanned_at, standing.sample.sample_id) == ({}, None, None)


def test_a_meta_leaves_as_it_came_unless_something_was_typed() -> None:
    assert meta_bytes(META, {"position_format": "decimal"}) == META
    typed = meta_bytes(META, {"vol": "400", "Ship": "Zo\u00eb"})
    assert b"Vol= 400\r\n" in typed
    assert typed.count(b"Vol= ") == 1
    assert decode_text(typed).endswith("Ship= Zo\u00eb\r\n")
    assert decode_text(meta_bytes(None, {"Ship": "\u0141\u00f3d\u017a"})) == "Ship= \u0141\u00f3d\u017a\r\n"


@given(st.dictionaries(st.sampled_from(["Ship", "Vol", "Sample_comment"]), st.text(max_size=30), min_size=1))
def test_whatever_was_typed_is_read_back_from_the_meta_that_leaves(typed: dict[str, str]) -> None:
    read = read_keyed_text(decode_text(meta_bytes(META, typed)))
    for key, value in typed.items():
        shown = " ".join(value.split())
        assert (read.value(key) or "") == shown.encode("utf-8", "replace").decode()


_KEYS = st.sampled_from(
    ["SampleId", "Date", "Latitude", "Longitude", "Zmax", "Vol", "FracId", "Fracnb", "Fracmin", "SubMethod", "latitude_end"]
)
_VALUES = st.text(max_size=20) | st.sampled_from(
    ["1e400", "-0", "nan", "inf", "9999", "1_0", "\u0663", "d1_0_sur_0", "d1_9_sur_2", "motoda", "0"]
)


@given(st.binary(max_size=80), st.binary(max_size=80), st.dictionaries(_KEYS, _VALUES))
def test_whatever_is_in_the_texts_of_a_scan_is_read_and_looked_at(meta: bytes, log: bytes, typed: dict[str, str]) -> None:
    standing = what_stands(META + meta, log, typed)
    assert {one.check for one in findings(_facts(standing))} >= {"statements", "volume", "sieves", "object_count"}
    for value in (standing.sample.latitude_deg, standing.latitude_end_deg):
        assert value is None or -90 <= value <= 90


def _object(category: str | None = None, *, multiple: bool = False, hierarchy: str | None = None) -> CountedObject:
    return CountedObject(
        category=category,
        hierarchy=hierarchy,
        status="validated" if category else None,
        ellipsoid_mm3=1.0,
        sphere_mm3=1.0,
        is_multiple=multiple,
    )


def _facts(standing: Standing | None = None, **changes: object) -> ScanFacts:
    facts = ScanFacts(
        name="tow_1_d2_1_sur_2_1",
        raw="present",
        duplicates=(),
        black_share=0.03,
        pixel_mm=25.4 / 2400,
        resolution_dpi=2400,
        concerns=(),
        objects=[_object()] * 1200,
        lines=3,
        separator="watershed",
        signed=True,
        undecided=0,
        standing=standing or _standing(),
        instrument="zooscan_sn033",
        relatives=(Relative(name="tow_1_d3_1", fraction_id="d3", has_same_sample=True, sieves_um=(500, 1000)),),
        vignettes=1200,
        work_files=None,
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def _by_check(facts: ScanFacts) -> dict[str, Finding]:
    return {one.check: one for one in reversed(findings(facts))}


def test_a_good_scan_has_nothing_to_look_at_and_says_what_was_looked_at() -> None:
    found = findings(_facts())
    assert {one.check for one in found if one.level != "ok"} == {"work_folder"}
    assert {one.check for one in found} == {
        *("statements", "black_white_ratio", "pixel_size", "object_count", "multiples", "signature", "separation", "vignettes"),
        *("work_folder", "raw", "instrument", "fraction", "sieves", "volume"),
    }
    assert all(one.words for one in found)


@pytest.mark.parametrize(
    ("change", "check", "level"),
    [
        (lambda facts: replace(facts, black_share=0.3), "black_white_ratio", "look"),
        (lambda facts: replace(facts, black_share=0.0), "black_white_ratio", "look"),
        (lambda facts: replace(facts, black_share=float("inf")), "black_white_ratio", "wrong"),
        (lambda facts: replace(facts, pixel_mm=0.0212), "pixel_size", "wrong"),
        (lambda facts: replace(facts, resolution_dpi=4800), "pixel_size", "look"),
        (lambda facts: replace(facts, objects=[_object()] * 999, vignettes=999), "object_count", "look"),
        (lambda facts: replace(facts, objects=[_object()] * 2501, vignettes=2501), "object_count", "look"),
        (lambda facts: replace(facts, objects=[], vignettes=0), "object_count", "look"),
        (lambda facts: replace(facts, objects=[_object()] * 999, standing=_standing(Fracnb="1")), "object_count", "ok"),
        (lambda facts: replace(facts, objects=[_object()] * 600, standing=_standing(FracId="d1")), "object_count", "ok"),
        (lambda facts: replace(facts, objects=[_object()] * 1600, standing=_standing(FracId="d1")), "object_count", "look"),
        (lambda facts: replace(facts, standing=_standing(FracId="")), "object_count", "unknown"),
        (lambda facts: replace(facts, objects=[_object(multiple=True)] * 300 + [_object()] * 900), "multiples", "look"),
        (lambda facts: replace(facts, signed=False), "signature", "look"),
        (lambda facts: replace(facts, undecided=1), "signature", "look"),
        (lambda facts: replace(facts, lines=0), "separation", "look"),
        (lambda facts: replace(facts, lines=0, standing=_standing(Fracnb="1")), "separation", "ok"),
        (lambda facts: replace(facts, vignettes=1199), "vignettes", "wrong"),
        (lambda facts: replace(facts, vignettes=None), "vignettes", "unknown"),
        (lambda facts: replace(facts, raw="gone"), "raw", "look"),
        (lambda facts: replace(facts, duplicates=("other",)), "raw", "look"),
        (lambda facts: replace(facts, instrument="zooscan_nan"), "instrument", "look"),
        (lambda facts: replace(facts, concerns=("no frame was seen",)), "processing", "look"),
        (lambda facts: replace(facts, standing=_standing(Latitude="51.75")), "statements", "wrong"),
        (lambda facts: replace(facts, standing=_standing(Zmin="2000")), "statements", "look"),
        (lambda facts: replace(facts, standing=_standing(Fracnb="6")), "statements", "look"),
        (lambda facts: replace(facts, standing=_standing(Vol="")), "volume", "look"),
        (lambda facts: replace(facts, standing=_standing(Sample_comment="including_on_board_fractioning")), "volume", "look"),
        (
            lambda facts: replace(facts, standing=_standing(Sample_comment="on board", volume_is="fractioned")),
            "volume",
            "ok",
        ),
        (lambda facts: replace(facts, standing=_standing(Fracmin="")), "sieves", "unknown"),
        (lambda facts: replace(facts, standing=_standing(Fracmin="900")), "sieves", "look"),
    ],
)
def test_each_check_finds_what_it_is_for(change: Callable[[ScanFacts], ScanFacts], check: str, level: str) -> None:
    found = _by_check(change(_facts()))[check]
    assert found.level == level
    assert found.advice or level in {"ok", "unknown"}


def test_scans_of_one_sample_are_held_together() -> None:
    twin = Relative(name="twin", fraction_id="D2_1_SUR_2", has_same_sample=False, sieves_um=(1000, 2000))
    found = _by_check(_facts(relatives=(twin,)))
    assert (found["fraction"].level, found["sample"].level) == ("wrong", "look")
    assert "twin" in found["fraction"].words


def test_multiples_are_looked_for_among_copepods_and_others_once_there_are_classes() -> None:
    calanoida = _object("Calanoida", hierarchy="living>Crustacea>Copepoda>Calanoida")
    objects = [calanoida] * 80 + [_object("multiple<Copepoda", hierarchy="living>Crustacea>Copepoda>multiple")] * 20
    objects += [_object("Salpida", hierarchy="living>Salpida")] * 95 + [_object("Salpida", hierarchy="living>Salpida", multiple=True)] * 5
    objects += [_object("detritus", hierarchy="not-living>detritus", multiple=True)] * 500
    found = _by_check(_facts(objects=objects))
    told = {check: (found[check].level, found[check].words) for check in ("multiples", "multiples_copepods", "multiples_others")}
    assert told["multiples"] == ("ok", "multiples among living objects: 12.5 % in numbers and 12.5 % in biovolume; below 20 % is wanted")
    assert told["multiples_copepods"][0] == "look"
    assert told["multiples_others"][0] == "ok"


def test_a_work_folder_is_held_against_what_belongs_into_it() -> None:
    files = {*wanted_files("tow_1_d2_1_sur_2_1", with_separation=True), *(f"tow_1_d2_1_sur_2_1_{n}.jpg" for n in range(1, 1201))}
    assert _by_check(_facts(work_files=frozenset(files)))["work_folder"].level == "ok"
    lacking = _by_check(_facts(work_files=frozenset(files - {"tow_1_d2_1_sur_2_1_sep.gif", "tow_1_d2_1_sur_2_1_7.jpg"})))["work_folder"]
    assert (lacking.level, "_sep.gif" in lacking.words, "there are 1199" in lacking.words) == ("look", True, True)


def test_the_ratio_is_the_one_that_scans_are_warned_about() -> None:
    assert MOST_BLACK == MOST_BLACK_OF_SCANS
