"""Abundances, biovolumes and spectra of a sample against figures made by hand; and when there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ExportRefusedError
from edge.zooscan.abundance import ALL_CLASSES, NOT_SAID, class_abundances, size_abundances
from edge.zooscan.counted import CountedObject, CountedScan, Refusal, Wanted
from edge.zooscan.sizes import Body, SizeStep, ellipsoid_mm3, numbered_class, size_class, sphere_mm3
from edge.zooscan.taxa import Taxon

ASKED = Wanted()


def _object(
    category: str | None = "Calanoida", *, status: str = "validated", ellipsoid: float = 0.5, multiple: bool = False
) -> CountedObject:
    return CountedObject(
        category=category,
        hierarchy=f"living>{category}" if category else None,
        status=status if category else None,
        ellipsoid_mm3=ellipsoid,
        sphere_mm3=2 * ellipsoid,
        is_multiple=multiple,
    )


def _scan(fraction: str = "d1", objects: tuple[CountedObject, ...] | None = (), **changes: object) -> CountedScan:
    number, of = (int(fraction.split("_")[1]), int(fraction.split("_")[3])) if "_sur_" in fraction else (1, 1)
    scan = CountedScan(
        name=f"tow_{fraction}_1",
        sample_id="tow",
        fraction_id=fraction,
        scan_of_fraction=(number, of),
        split=4.0,
        volume_m3=200.0,
        volume_filtered_m3=None,
        fraction_min_um=None,
        fraction_max_um=None,
        problems=(),
        signed=True,
        undecided=0,
        objects=objects,
    )
    return replace(scan, **changes)  # type: ignore[arg-type]


def test_a_sphere_and_an_ellipsoid_of_one_shape_have_one_volume() -> None:
    assert sphere_mm3(math.pi) == pytest.approx(4 / 3 * math.pi)
    assert ellipsoid_mm3(2.0, 2.0) == pytest.approx(4 / 3 * math.pi)
    assert ellipsoid_mm3(3.0, 1.0) == pytest.approx(4 / 3 * math.pi * 1.5 * 0.25)


def test_a_fraction_on_two_scans_is_added_up_before_its_part_is_applied() -> None:
    scans = [_scan("d1_1_sur_2", (_object(),) * 3), _scan("d1_2_sur_2", (_object(),) * 5)]
    everything, calanoida = class_abundances(scans, ASKED)
    # 8 on both scans, which are a quarter of the sample, of 200 m3.
    assert (everything.category, everything.objects, calanoida.category) == (ALL_CLASSES, 8, "Calanoida")
    assert everything.abundance_m3 == pytest.approx(8 * 4 / 200)
    assert calanoida.ellipsoid_mm3_m3 == pytest.approx(8 * 4 / 200 * 0.5)
    assert calanoida.sphere_mm3_m3 == pytest.approx(8 * 4 / 200)
    assert (calanoida.hierarchy, calanoida.status, calanoida.fractions) == ("living>Calanoida", "validated", ("d1",))


def test_fractions_of_a_sample_are_added_up_each_with_its_own_part() -> None:
    scans = [_scan("d1", (_object(),) * 10, split=1.0), _scan("d2", (_object(),) * 10, split=8.0)]
    everything, *_ = class_abundances(scans, ASKED)
    assert everything.abundance_m3 == pytest.approx(10 / 200 + 80 / 200)
    assert everything.fractions == ("d1", "d2")


def test_what_is_not_validated_is_not_counted_as_its_class() -> None:
    scans = [_scan("d1", (_object(), _object(status="predicted"), _object(None)))]
    rows = {row.category: row for row in class_abundances(scans, ASKED)}
    assert {name: row.objects for name, row in rows.items()} == {ALL_CLASSES: 3, "Calanoida": 1, NOT_SAID: 2}
    assert (rows["Calanoida"].is_complete, rows["Calanoida"].not_said) == (False, 2)
    every = {(row.category, row.status): row.objects for row in class_abundances(scans, replace(ASKED, every_status=True))}
    assert every == {(ALL_CLASSES, ""): 3, ("Calanoida", "validated"): 1, ("Calanoida", "predicted"): 1, (NOT_SAID, ""): 1}


def test_none_found_is_nought_and_nobody_looked_is_not() -> None:
    other = [Taxon("Salpida", "living>Salpida", "")]
    looked = {row.category: row for row in class_abundances([_scan("d1", (_object(),))], ASKED, other)}
    assert (looked["Salpida"].objects, looked["Salpida"].abundance_m3, looked["Salpida"].hierarchy) == (0, 0.0, "living>Salpida")
    nobody = {row.category: row for row in class_abundances([_scan("d1", (_object(), _object(None)))], ASKED, other)}
    assert (nobody["Salpida"].objects, nobody["Salpida"].abundance_m3, nobody["Salpida"].ellipsoid_mm3_m3) == (None, None, None)


def test_where_nothing_is_classified_nothing_is_complete_but_the_count_of_all() -> None:
    rows = {row.category: row for row in class_abundances([_scan("d1", (_object(None), _object(None)))], ASKED)}
    assert {name: row.is_complete for name, row in rows.items()} == {"all objects": True, "not classified": False}
    assert rows["not classified"].looked_for == "nobody said what these are"
    assert rows["all objects"].looked_for == "counted, whatever they are"


def test_a_scan_on_which_nothing_lay_is_an_abundance_of_nought() -> None:
    (everything,) = class_abundances([_scan("d1", ())], ASKED)
    assert (everything.objects, everything.abundance_m3, everything.is_complete) == (0, 0.0, True)
    assert size_abundances([_scan("d1", ())], ASKED) == []


def test_multiples_are_told() -> None:
    everything, *_ = class_abundances([_scan("d1", (_object(), _object(multiple=True)))], ASKED)
    assert everything.multiples == 1


SETS: list[tuple[list[CountedScan], str, str]] = [
    ([_scan("d2_2_sur_2", ())], "tow d2", "it lies on 2 scans, and these are not here: 1_sur_2"),
    ([_scan("d2_1_sur_4", ()), _scan("d2_3_sur_4", ())], "tow d2", "it lies on 4 scans, and these are not here: 2_sur_4, 4_sur_4"),
    (
        [_scan("d1", ()), _scan("d1", (), name="tow_d1_2")],
        "tow d1",
        "there are 2 scans of the part 1 of 1: tow_d1_1, tow_d1_2",
    ),
    ([_scan("d2_1_sur_2", ()), _scan("d2_2_sur_3", ())], "tow d2", "its scans say it lies on 2 and on 3 scans"),
    ([_scan("d2_1_sur_2", ()), _scan("d2_2_sur_2", (), split=8.0)], "tow d2", "its scans state different Fracnb: 4, 8"),
    ([_scan("d1", ()), _scan("d2", (), volume_m3=400.0)], "tow", "its scans state different volumes: 200, 400 m3"),
    ([_scan("d2_1_sur_2", ()), _scan("d2_2_sur_2", None)], "tow_d2_2_sur_2_1", "it has no result"),
    ([_scan("d1", (), split=None)], "tow_d1_1", "Fracnb is not known: nobody knows which part of the sample was scanned"),
    ([_scan("d1", (), volume_m3=None)], "tow_d1_1", "Vol is not known"),
    ([_scan("d1", (), sample_id="")], "tow_d1_1", "no SampleId is stated"),
    ([_scan("d1", (), fraction_id="")], "tow_d1_1", "no FracId is stated"),
    ([_scan("d1", (), problems=("Vol is no number: 3x",))], "tow_d1_1", "Vol is no number: 3x"),
    ([_scan("d1", (), signed=False)], "tow_d1_1", "its check is not signed"),
    (
        [_scan("d1", (), signed=False, undecided=3)],
        "tow_d1_1",
        "its check is not signed, and 3 proposed multiples wait for a decision",
    ),
    ([_scan("d1", (), undecided=2)], "tow_d1_1", "it is signed, but nobody decided about proposed multiples: 2"),
    ([_scan("d1", (_object(ellipsoid=math.nan),))], "tow_d1_1", "2 biovolumes of its objects are not defined"),
]


@pytest.mark.parametrize("compute", [class_abundances, size_abundances])
@pytest.mark.parametrize(("scans", "where", "words"), SETS)
def test_no_figure_is_made_of_what_is_not_all_there(
    scans: list[CountedScan], where: str, words: str, compute: Callable[[list[CountedScan], Wanted], object]
) -> None:
    with pytest.raises(ExportRefusedError) as refused:
        compute(scans, ASKED)
    assert [(one.where, one.what) for one in refused.value.problems if isinstance(one, Refusal)] == [(where, words)]
    assert words in str(refused.value)
    assert refused.value.advice()


def test_all_reasons_are_told_at_once() -> None:
    scans = [_scan("d1", (), volume_m3=None, split=None), _scan("d2_2_sur_2", (), signed=False)]
    with pytest.raises(ExportRefusedError) as refused:
        class_abundances(scans, ASKED)
    assert len(refused.value.problems) == 4


def test_unsigned_scans_are_taken_when_that_is_asked_for() -> None:
    assert class_abundances([_scan("d1", (_object(),), signed=False, undecided=1)], replace(ASKED, unsigned=True))
    assert class_abundances([_scan("d1", (_object(),), undecided=1)], replace(ASKED, unresolved=True))


def test_a_spectrum_against_figures_made_by_hand() -> None:
    scans = [_scan("d1", (_object(ellipsoid=0.3), _object(ellipsoid=0.4), _object("Salpida", ellipsoid=1.5)))]
    rows = [row for row in size_abundances(scans, replace(ASKED, smallest_mm3=0.26)) if row.category == ALL_CLASSES]
    told = [(row.size.lower_mm3, row.size.upper_mm3, row.objects, row.is_cut) for row in rows]
    assert told == [(0.25, 0.5, 2, True), (0.5, 1.0, 0, False), (1.0, 2.0, 1, False)]
    per = 4 / 200
    assert [row.abundance_m3 for row in rows] == pytest.approx([2 * per, 0, per])
    assert [row.nbss_m3 for row in rows] == pytest.approx([0.7 * per / 0.25, 0, 1.5 * per / 1.0])
    salps = [row for row in size_abundances(scans, ASKED) if row.category == "Salpida"]
    assert [(row.size.lower_mm3, row.objects) for row in salps] == [(1.0, 1)]


_VOLUMES = st.floats(1e-4, 1e4)
_CLASSES = st.sampled_from(["Calanoida", "Salpida", None])


@given(
    st.lists(st.tuples(_VOLUMES, _CLASSES), min_size=1, max_size=40),
    st.sampled_from(list(SizeStep)),
    st.sampled_from(list(Body)),
    st.floats(1, 64),
    st.floats(0.1, 1e5),
)
def test_a_spectrum_added_up_over_its_classes_is_the_biovolume(
    drawn: list[tuple[float, str | None]], step: SizeStep, body: Body, split: float, volume_m3: float
) -> None:
    objects = tuple(_object(category, ellipsoid=volume) for volume, category in drawn)
    scans = [_scan("d1", objects, split=split, volume_m3=volume_m3)]
    wanted = replace(ASKED, step=step, body=body)
    totals = {(row.category, row.status): row for row in class_abundances(scans, wanted)}
    rows = size_abundances(scans, wanted)
    for name, spectrum in groupby(rows, key=lambda row: (row.category, row.status)):
        classes = list(spectrum)
        total = totals.pop(name)
        biovolume = total.ellipsoid_mm3_m3 if body is Body.ELLIPSOID else total.sphere_mm3_m3
        assert math.fsum(row.nbss_m3 * row.size.width_mm3 for row in classes) == pytest.approx(biovolume)
        assert math.fsum(row.abundance_m3 for row in classes) == pytest.approx(total.abundance_m3)
        assert [row.size.number for row in classes] == list(range(classes[0].size.number, classes[0].size.number + len(classes)))
    assert totals == {}


@given(st.floats(1e-6, 1e6) | st.integers(-20, 20).map(lambda power: 2.0**power), st.sampled_from(list(SizeStep)))
def test_a_biovolume_lies_in_its_class(volume: float, step: SizeStep) -> None:
    found = size_class(volume, step)
    assert found.lower_mm3 <= volume < found.upper_mm3
    assert found == numbered_class(found.number, step)
    assert found.upper_mm3 == numbered_class(found.number + 1, step).lower_mm3


@pytest.mark.parametrize("step", list(SizeStep))
def test_an_edge_belongs_to_the_class_above_it_and_what_is_just_below_to_the_one_below(step: SizeStep) -> None:
    for number in range(-80, 80):
        edge = numbered_class(number, step).lower_mm3
        assert size_class(edge, step).number == number
        assert size_class(math.nextafter(edge, 0), step).number == number - 1


def test_letters_of_a_fraction_may_be_small_or_large() -> None:
    with pytest.raises(ExportRefusedError, match="there are 2 scans of the part 1 of 1: tow_d1_1, tow_D1_1"):
        class_abundances([_scan("d1", (_object(),)), _scan("D1", (_object(),))], ASKED)
    everything, *_ = class_abundances([_scan("d2_1_sur_2", (_object(),)), _scan("D2_2_sur_2", (_object(),))], ASKED)
    assert (everything.objects, everything.fractions) == (2, ("d2",))


def _sieved(fraction: str, low: float | None, high: float | None) -> CountedScan:
    return _scan(fraction, (_object(),), fraction_min_um=low, fraction_max_um=high)


TWICE: list[tuple[list[CountedScan], str]] = [
    (
        [_sieved("tot", 200, None), _sieved("d1", 1000, None), _sieved("d2", 200, 1000)],
        "tot is the whole sample, and beside it there are: d1, d2",
    ),
    ([_sieved("d1", 1000, None), _sieved("Total", None, None)], "total is the whole sample, and beside it there are: d1"),
    ([_sieved("d1", 500, None), _sieved("d2", 200, 1000)], "the sieves of its fractions overlap: d1 is above 500 um, d2 is 200 to 1000 um"),
    (
        [_sieved("d1", 200, 1000), _sieved("d2", 200, 1000)],
        "the sieves of its fractions overlap: d1 is 200 to 1000 um, d2 is 200 to 1000 um",
    ),
    (
        [_scan("d1", (_object(),), raw_sha256="ab"), _scan("d2", (_object(),), raw_sha256="ab")],
        "these scans are the same picture, to the byte: tow_d1_1, tow_d2_1",
    ),
]


@pytest.mark.parametrize(("scans", "words"), TWICE)
def test_nothing_of_a_sample_is_counted_twice(scans: list[CountedScan], words: str) -> None:
    with pytest.raises(ExportRefusedError) as refused:
        class_abundances(scans, ASKED)
    assert [(one.where, one.what) for one in refused.value.problems if isinstance(one, Refusal)] == [("tow", words)]


def test_fractions_whose_sieves_follow_one_another_or_are_not_stated_are_added_up() -> None:
    follow = [_sieved("d1", 1000, None), _sieved("d2", 500, 1000), _sieved("d3", 200, 500)]
    assert class_abundances(follow, ASKED)[0].objects == 3
    assert class_abundances([_sieved("d1", None, None), _sieved("d2", 200, 1000)], ASKED)[0].objects == 2
    assert class_abundances([replace(_scan("d1", ()), raw_sha256=""), replace(_scan("d2", ()), raw_sha256="")], ASKED)


def _told(category: str, hierarchy: str | None, number: str | None, **changes: str) -> CountedObject:
    return replace(_object(category, **changes), hierarchy=hierarchy, category_id=number)  # type: ignore[arg-type]


def test_two_taxa_of_one_name_are_two_rows() -> None:
    crab, snail = _told("larvae", "living>Crustacea>larvae", None), _told("larvae", "living>Mollusca>larvae", None)
    scans = [_scan("d1", (crab, crab, snail))]
    rows = [(row.category, row.hierarchy, row.objects) for row in class_abundances(scans, ASKED)[1:]]
    assert rows == [("larvae", "living>Crustacea>larvae", 2), ("larvae", "living>Mollusca>larvae", 1)]
    sizes = [(row.category, row.hierarchy, row.objects) for row in size_abundances(scans, ASKED)[1:]]
    assert sizes == rows
    numbered = [_scan("d1", (_told("larvae", None, "5"), _told("larvae", None, "7"), _told("larvae", None, "7")))]
    assert [(row.category_id, row.objects) for row in class_abundances(numbered, ASKED)[1:]] == [("5", 1), ("7", 2)]


def test_a_class_is_one_by_its_number_whatever_is_known_of_its_name() -> None:
    told = (_told("category 45074", None, "45074"), _told("Calanus", "living>Calanus", "45074"), _told("Calanus", "living>Calanus", None))
    (_, calanus) = class_abundances([_scan("d1", told)], ASKED)
    assert (calanus.category, calanus.hierarchy, calanus.category_id, calanus.objects) == ("Calanus", "living>Calanus", "45074", 3)
    # The name is known from another sample only; here the class is the same one, and not one more that nobody found.
    (_, alone) = class_abundances([_scan("d1", told[:1])], ASKED, [Taxon("Calanus", "living>Calanus", "45074")])
    assert (alone.category, alone.objects) == ("Calanus", 1)
