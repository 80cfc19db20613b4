"""A project folder: which files belong together, what its texts say, and what is wrong with them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import InputError, Reason
from edge.zooscan.project.config import read_settings
from edge.zooscan.project.files import background_before, is_project_name, look_at_project, scanned_at
from edge.zooscan.project.sample import decimal_degrees, read_sample
from edge.zooscan.project.texts import decode_text, read_keyed_text, read_table
from tests.helpers.scan_lab import scan_lab
from tests.helpers.zooscan import write_project

META = """SampleId= tow_1
Date= 20230705-0503
Latitude= 51.5293
Longitude= 19.2159
Nettype= bioness
Netmesh= 500
Zmax= 1008
Zmin= 820
Vol= 357
FracId= d2_2_sur_4
Fracmin= 1000
Fracsup= 2000
Fracnb= 8
SubMethod= motoda
Depth= 99999
"""


def test_keys_stand_under_headings_and_are_found_whatever_their_case() -> None:
    text = read_keyed_text("PID\n[Image]\nScanning_date= 20240529_1541\n [LUT] \nMin=  756\nMin= 757\nnothing\n[Sample]\nMin = 3\n")
    assert text.value("scanning_DATE") == "20240529_1541"
    assert (text.value("min"), text.value("Min", "sample"), text.value("Max")) == ("756", "3", None)
    assert text.repeated == ("LUT/Min",)


@pytest.mark.parametrize("written", ["99999", "9999", "NaN", ""])
def test_what_nobody_knew_is_no_value(written: str) -> None:
    assert read_keyed_text(f"Depth= {written}").known("Depth") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_text_of_any_windows_is_read(encoding: str) -> None:
    assert decode_text("Scanop= Hélène".encode(encoding)) == "Scanop= Hélène"


def test_a_header_table_has_its_blanks_stripped() -> None:
    rows = list(read_table(" SampleId ; Vol\n a ; 3 \n\nb;4;\n"))
    assert [(row["sampleid"], row["vol"]) for row in rows] == [("a", "3"), ("b", "4")]


@given(st.integers(0, 89), st.integers(0, 5999))
def test_minutes_stand_behind_the_point(degrees: int, hundredths: int) -> None:
    told = decimal_degrees(f"{degrees}.{hundredths:04d}", in_minutes=True)
    assert told == pytest.approx(degrees + hundredths / 100 / 60, abs=1e-5)


def test_sixty_minutes_are_no_position_but_may_be_decimal() -> None:
    assert decimal_degrees("51.75", in_minutes=True) is None
    assert decimal_degrees("51.75", in_minutes=False) == 51.75


def test_west_is_positive_in_the_text_and_negative_in_the_result() -> None:
    sample = read_sample(read_keyed_text(META))
    assert (sample.latitude_deg, sample.longitude_deg) == (51.88217, -19.35983)
    assert (sample.depth_min_m, sample.depth_max_m, sample.scan_of_fraction, sample.problems) == (820, 1008, (2, 4), ())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Zmin= 2000", "Zmin is deeper than Zmax"),
        ("Fracmin= 300", "Fracmin is finer than the net's mesh"),
        ("Fracsup= 1000", "Fracmin is not below Fracsup"),
        ("Vol= 0", "Vol is not above 0"),
        ("Vol= many", "Vol is no number: many"),
        ("Fracnb= 6", "Fracnb is 6, which a Motoda box cannot make: it halves"),
        ("Latitude= 51.7512", "Latitude is no position in degrees.minutes: 51.7512"),
        ("Date= 5.7.2023", "Date is no YYYYMMDD-HHMM: 5.7.2023"),
        ("FracId= d2_5_sur_4", "FracId says scan 5 of 4"),
    ],
)
def test_what_cannot_be_is_told(line: str, words: str) -> None:
    key = line.partition("=")[0]
    text = "\n".join(line if one.startswith(f"{key}=") else one for one in META.splitlines())
    assert read_sample(read_keyed_text(text)).problems == (words,)


def test_a_missing_key_is_told_by_its_name() -> None:
    text = "\n".join(line for line in META.splitlines() if not line.startswith("Vol="))
    assert read_sample(read_keyed_text(text)).problems == ("Vol is missing",)


def test_settings_say_what_they_ask_for_that_is_not_done() -> None:
    settings = read_settings(
        "0\n65536\n2\nbefore\nyes\n1.9\n1.2\n", "upper= 240\nmethod= log-gamma3\nminsizeesd_mm= 0.5\nbackground_process= roll\n"
    )
    assert (settings.grey.od_range, settings.grey.ratio, settings.segment.upper_grey, settings.segment.min_esd_mm) == (1.9, 1.2, 240, 0.5)
    assert [asked.partition(";")[0] for asked in settings.not_done] == ["a gamma of 2", "the method log-gamma3", "the background roll"]
    assert read_settings(None, None).not_done == ()


def test_numbers_of_the_settings_may_have_a_comma() -> None:
    settings = read_settings("0\n65536\n1,0\nbefore\nyes\n1,9\n1,3\n", "minsizeesd_mm= 0,5\nupper= 240,0\ngreytaux= 0,85\nresolution=\n")
    assert (settings.grey.od_range, settings.grey.ratio, settings.not_done) == (1.9, 1.3, ())
    assert (settings.segment.min_esd_mm, settings.segment.upper_grey, settings.frame_darker) == (0.5, 240, 0.85)
    assert settings.segment.resolution_dpi == 2400


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("upper= nan", "upper of process_install_both_config.txt is no number: nan"),
        ("upper= 255", "upper of process_install_both_config.txt is not a whole number between 1 and 254: 255"),
        ("upper= 0", "upper of process_install_both_config.txt is not a whole number between 1 and 254: 0"),
        ("upper= 240.5", "upper of process_install_both_config.txt is not a whole number between 1 and 254: 240.5"),
        ("resolution= 0", "resolution of process_install_both_config.txt is not between 0.001 and 100000: 0"),
        ("resolution= 1e400", "resolution of process_install_both_config.txt is not between 0.001 and 100000: 1e400"),
        ("resolution= 2400 dpi", "resolution of process_install_both_config.txt is no number: 2400 dpi"),
        ("minsizeesd_mm= -1", "minsizeesd_mm of process_install_both_config.txt is not between 0.001 and 100000: -1"),
        ("minsizeesd_mm= 0.3mm", "minsizeesd_mm of process_install_both_config.txt is no number: 0.3mm"),
        ("minsizeesd_mm= 1_0", "minsizeesd_mm of process_install_both_config.txt is no number: 1_0"),
        ("maxsizeesd_mm= 0", "maxsizeesd_mm of process_install_both_config.txt is not between 0.001 and 100000: 0"),
        ("maxsizeesd_mm= 0.3", "minsizeesd_mm of process_install_both_config.txt is not below maxsizeesd_mm: 0.3 and 0.3"),
        ("greytaux= 1.1", "greytaux of process_install_both_config.txt is not between 0 and 1: 1.1"),
        ("greytaux= -0,1", "greytaux of process_install_both_config.txt is not between 0 and 1: -0,1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(line: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings(None, f"jpeg= 100\n{line}\n")
    assert (refused.value.reason, str(refused.value)) == (Reason.BAD_SETTINGS, words)
    assert "Zooscan_config" in refused.value.advice()


@pytest.mark.parametrize(
    ("lut", "words"),
    [
        ("0\n65536\n1\nbefore\nyes\n1.8\n0\n", "line 7 of lut.txt (ratio) is not between 0.001 and 10: 0"),
        ("0\n65536\n1\nbefore\nyes\n-1,8\n", "line 6 of lut.txt (odrange) is not between 0.001 and 10: -1,8"),
        ("0\n65536\n1\nbefore\nyes\n0.1\n0,5\n", "odrange and ratio of lut.txt leave no greys between black and white: 0.1 and 0.5"),
        ("0\n65536\ngamma\n", "line 3 of lut.txt (gamma) is no number: gamma"),
        ("Min= 0\nMax= 65536\nGamma= 1\nSens= before\nadj= yes\nod= 2.2\n", "line 6 of lut.txt (odrange) is no number: od= 2.2"),
    ],
)
def test_a_line_of_the_look_up_table_that_cannot_be_is_refused(lut: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings(lut, None)
    assert (refused.value.reason, str(refused.value)) == (Reason.BAD_SETTINGS, words)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_the_settings_say_they_can_be_used_or_are_refused(lut: str, value: str) -> None:
    with suppress(InputError):
        settings = read_settings(lut, f"upper= {value}\nminsizeesd_mm= {value}\nresolution= {value}\n")
        assert settings.segment.upper_grey in range(1, 255)
        assert settings.segment.min_area_px <= settings.segment.max_area_px


def test_a_scan_of_a_project_with_such_a_setting_fails_and_says_which(tmp_path: Path) -> None:
    with scan_lab(tmp_path / "home", tmp_path / "scans") as lab:
        top = lab.folder / "Zooscan_test_sn033"
        write_project(top, objects=3)
        config = top / "Zooscan_config" / "process_install_both_config.txt"
        config.parent.mkdir(exist_ok=True)
        config.write_text("resolution= 2400\nupper= nan\n")
        lab.look()
        assert lab.desk.process_next() is not None
        row = lab.scan()
        assert (row.state, row.reason) == ("failed", Reason.BAD_SETTINGS)
        assert "upper of process_install_both_config.txt is no number: nan" in row.detail
        config.write_text("resolution= 2400\nupper= 243\n")
        lab.look()
        lab.desk.retry(row.uuid, actor="mary")
        lab.desk.process_next()
        assert lab.scan().state == "done"


def project(folder: Path) -> Path:
    top = folder / "Zooscan_apero_bioness_sn033"
    raw, back = top / "Zooscan_scan" / "_raw", top / "Zooscan_back"
    raw.mkdir(parents=True)
    back.mkdir()
    for name in (
        "tow_1_d1_raw_1.tif",
        "tow_1_d1_1_log.txt",
        "tow_1_d1_1_meta.txt",
        "tow_2_d1_raw_1.tif",
        "tow_3_tot_1_meta.txt",
        ".hidden_raw_1.tif",
    ):
        (raw / name).touch()
    for name in (
        "20240528_0946_back_large_raw_1.tif",
        "20240528_0946_back_large_raw_2.tif",
        "20240529_0946_back_large_raw_1.tif",
        "20240530_0946_back_large_raw_1.tif",
        "20240530_0946_back_large_raw_2.tif",
    ):
        (back / name).touch()
    return top


def test_a_scan_says_what_it_waits_for(tmp_path: Path) -> None:
    found = look_at_project(project(tmp_path))
    assert (found.name, found.serial, found.instrument) == ("apero_bioness", "sn033", "zooscan_sn033")
    assert {scan.name: scan.lacks for scan in found.scans} == {
        "tow_1_d1_1": (),
        "tow_2_d1_1": ("tow_2_d1_1_log.txt", "tow_2_d1_1_meta.txt"),
        "tow_3_tot_1": ("tow_3_tot_raw_1.tif", "tow_3_tot_1_log.txt"),
    }


def test_the_background_is_the_last_whole_pair_before_the_scan(tmp_path: Path) -> None:
    found = look_at_project(project(tmp_path))
    assert [one.name for one in found.backgrounds] == [
        "20240528_0946_background_large_manual.tif",
        "20240530_0946_background_large_manual.tif",
    ]
    chosen = background_before(found, datetime(2024, 5, 29, 15, 41))
    assert chosen is not None
    assert chosen.name.startswith("20240528")
    assert background_before(found, datetime(2024, 5, 1)) is None
    assert background_before(found, datetime(2024, 5, 29, 15, 41), "narrow") is None


def test_an_empty_folder_is_a_project_without_scans(tmp_path: Path) -> None:
    (tmp_path / "Zooscan_empty").mkdir()
    found = look_at_project(tmp_path / "Zooscan_empty")
    assert (found.scans, found.backgrounds, found.serial) == ((), (), None)


@pytest.mark.parametrize(("name", "is_one"), [("Zooscan_apero_sn033", True), ("zooscan_x", True), ("Zooscan", False), ("photos", False)])
def test_projects_are_known_by_their_name(name: str, is_one: bool) -> None:
    assert is_project_name(name) is is_one


def test_texts_of_a_real_project_are_read(shared_data: Path) -> None:
    folder = shared_data / "zooscan" / "zooprocess_lib_gold" / "project"
    if not folder.is_dir():
        pytest.skip("no texts of a real project")
    log = read_keyed_text(decode_text((folder / "apero2023_tha_bioness_017_st66_d_n1_d3_1_log.txt").read_bytes()))
    assert scanned_at(log.value("Scanning_date")) == datetime(2024, 5, 29, 15, 41)
    sample = read_sample(read_keyed_text(decode_text((folder / "apero2023_tha_bioness_017_st66_d_n1_d3_1_meta.txt").read_bytes())))
    assert (sample.volume_m3, sample.split, sample.latitude_deg) == (357, 8, 51.88217)
    assert sample.problems == ("Fracmin is finer than the net's mesh",)
    settings = read_settings(
        *(decode_text((folder / "config" / name).read_bytes()) for name in ("lut.txt", "process_install_both_config.txt"))
    )
    assert (settings.segment.min_area_px, settings.grey.od_range, settings.not_done) == (631, 1.8, ())
