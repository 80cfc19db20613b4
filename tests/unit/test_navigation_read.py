"""Navigation logs of a simulated ship: what was true comes back, what is broken is counted and told."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.survey.navigation.fixes import LogError, Stream, Window
from edge.survey.navigation.nmea import read_nmea
from edge.survey.navigation.read import choose_stream, read_log
from edge.survey.navigation.sentences import SentenceError, check_sum, read_sentence
from tests.simulators import navigation as sim

DAY = timedelta(days=1)
GGA = Stream(source="ship", name="GPGGA")


@pytest.fixture(scope="module")
def tow() -> list[sim.Place]:
    places, _ = sim.walk(600)
    return places


def of(places: list[sim.Place]) -> Window:
    return Window(start=places[0].at, end=places[-1].at)


def test_a_bridge_log_gives_what_was_true(tow: list[sim.Place]) -> None:
    log = read_nmea(sim.bridge_log(tow), of(tow))
    stream, fixes, notes = choose_stream(log, "ship")
    assert stream == GGA
    assert "GPRMC" in notes[0]
    assert (log.rows_read, log.rows_refused, log.faults) == (6 * 601, 0, ())
    assert [fix.at for fix in fixes] == [place.at for place in tow]
    for fix, place in zip(fixes[1:], tow[1:], strict=True):
        assert fix.latitude_deg == pytest.approx(place.latitude_deg, abs=1e-7)
        assert fix.longitude_deg == pytest.approx(place.longitude_deg, abs=1e-7)
        assert fix.heading_deg == pytest.approx(place.heading_deg, abs=0.01)
        assert fix.speed_m_per_s == pytest.approx(place.speed_m_per_s, abs=0.003)
        assert fix.depth_m == pytest.approx(place.depth_m, abs=0.1)


def test_both_usbl_systems_are_read(tow: list[sim.Place]) -> None:
    for lines in ([sim.ptsag(place) for place in tow], [sim.zda(tow[0].at), *(sim.psonlld(place) for place in tow)]):
        log = read_nmea(lines, of(tow))
        stream, fixes, _ = choose_stream(log, "usbl")
        assert stream.name.startswith("beacon ")
        assert [fix.at for fix in fixes] == [place.at for place in tow]
        for fix, place in zip(fixes, tow, strict=True):
            assert fix.latitude_deg == pytest.approx(place.latitude_deg, abs=2e-7)
            assert fix.longitude_deg == pytest.approx(place.longitude_deg, abs=2e-7)
            assert fix.depth_m == pytest.approx(place.depth_m, abs=0.01)


def test_the_manuals_own_examples_are_read() -> None:
    beacon = b"$PTSAG,#16068,124544.449,18,12,2017,1,4305.25355,N,00631.76852,E,F,1013.10,1,9999.00*23\r\n"
    ship = b"$PTSAG,#16071,124546.173,18,12,2017,0,4305.25123,N,00631.79102,E,F,0002.89,1,9999.00*25\r\n"
    log = read_nmea([beacon, ship], Window())
    (fix,) = log.streams[Stream(source="usbl", name="beacon 1")]
    assert fix.at == datetime(2017, 12, 18, 12, 45, 44, 449_000, tzinfo=UTC)
    assert (fix.latitude_deg, fix.longitude_deg) == pytest.approx((43 + 5.25355 / 60, 6 + 31.76852 / 60))
    assert fix.depth_m == 1013.10
    assert len(log.streams[Stream(source="ship", name="PTSAG ship")]) == 1
    alvin = b"$PSONLLD,170004.53,ALVIN 914,A,28.8114807,-87.80925696,1951.156,13.96,13.96,0.00,2.62,,,,*6F\r\n"
    at = datetime(2026, 7, 14, 17, 0, tzinfo=UTC)
    ((stream, fixes),) = read_nmea([alvin], Window(start=at, end=at)).streams.items()
    assert stream.name == "beacon ALVIN 914"
    assert (fixes[0].latitude_deg, fixes[0].longitude_deg, fixes[0].depth_m) == (28.8114807, -87.80925696, 1951.156)


def test_midnight_lies_within_a_log() -> None:
    places, _ = sim.walk(1200, start=datetime(2026, 7, 14, 23, 50, 0, tzinfo=UTC))
    lines = [sim.zda(places[0].at), *(sim.gga(place) for place in places)]
    fixes = read_nmea(lines, of(places)).streams[GGA]
    assert [fix.at for fix in fixes] == [place.at for place in places]


def test_midnights_pass_outside_of_the_window_too() -> None:
    tow, _ = sim.walk(60, start=datetime(2026, 7, 16, 10, 0, 0, tzinfo=UTC))
    leg = [sim.walk(0, start=datetime(2026, 7, 14, tzinfo=UTC) + timedelta(hours=hours))[0][0] for hours in range(9, 58)]
    lines = [sim.rmc(leg[0]), *(sim.gga(place) for place in leg), *(sim.gga(place) for place in tow)]
    fixes = read_nmea(lines, of(tow)).streams[GGA]
    assert [fix.at for fix in fixes] == [place.at for place in tow]


def test_a_date_that_comes_late_holds_for_what_came_before(tow: list[sim.Place]) -> None:
    lines = [sim.gga(place) for place in tow[:30]] + [sim.rmc(tow[30])] + [sim.gga(place) for place in tow[30:]]
    assert [fix.at for fix in read_nmea(lines, of(tow)).streams[GGA]] == [place.at for place in tow]


def test_a_log_without_a_date_takes_the_tows_and_says_so() -> None:
    places, _ = sim.walk(600, start=datetime(2026, 7, 15, 0, 1, 0, tzinfo=UTC))
    early, _ = sim.walk(700, start=datetime(2026, 7, 14, 23, 59, 20, tzinfo=UTC))
    log = read_nmea([sim.gga(place) for place in early], of(places))
    assert [fix.at for fix in log.streams[GGA]] == [place.at for place in early]
    assert "No sentence has a date" in log.faults[-1]
    with pytest.raises(LogError, match="no date"):
        read_nmea([sim.gga(place) for place in early], Window())


@pytest.mark.parametrize("prefix", [b"2026-07-14T22:55:00.120Z ", b"14/07/2026,22:55:00.1,", b"[12] \\s:NAV*55\\", b"\x00"])
def test_what_a_logger_writes_before_a_sentence_is_no_part_of_it(tow: list[sim.Place], prefix: bytes) -> None:
    log = read_nmea([prefix + line for line in sim.bridge_log(tow[:20])], of(tow))
    assert len(log.streams[GGA]) == 20
    assert log.rows_refused == 0


def test_broken_lines_are_counted_by_kind_and_shown(tow: list[sim.Place]) -> None:
    lines = list(sim.bridge_log(tow[:20]))
    lines[7] = lines[7].replace(b",5149.", b",5148.")
    lines += [
        sim.gga(tow[21], quality=0),
        sim.gga(sim.Place(at=tow[22].at, latitude_deg=0, longitude_deg=0, depth_m=0, speed_m_per_s=0, heading_deg=0)),
    ]
    lines += [b"hello\r\n", b"\r\n", b"$GPGGA\r\n", sim.sentence("GPGSV,3,1,11"), sim.rmc(tow[23], status="V"), sim.gga(tow[24])[:38]]
    log = read_nmea(lines, of(tow))
    assert len(log.streams[GGA]) == 19
    told = "\n".join(log.faults)
    for expected in ("wrong check sum: 1 line,", "no fix: 2 lines", "position 0/0", "no sentence: 1", "no check sum"):
        assert expected in told
    assert log.rows_refused == 7
    assert log.rows_read == 120 + 7  # an empty line is none


def test_transponders_are_told_apart(tow: list[sim.Place]) -> None:
    lines = [
        line for place in tow for line in (sim.ptsag(place, 1), sim.ptsag(place, 4), sim.ptsag(place, 0), sim.ptsag(place, 2, validity="0"))
    ]
    log = read_nmea(lines, of(tow))
    with pytest.raises(LogError, match=r"2 transponders: beacon 1 .601 positions., beacon 4"):
        choose_stream(log, "usbl")
    assert choose_stream(log, "usbl", "4")[0].name == "beacon 4"
    with pytest.raises(LogError, match="no stream 9"):
        choose_stream(log, "usbl", "9")
    assert choose_stream(log, "ship")[0].name == "PTSAG ship"
    with pytest.raises(LogError, match="no positions of the sledge"):
        choose_stream(read_nmea(sim.bridge_log(tow[:5]), of(tow)), "usbl")


def test_two_receivers_are_never_mixed(tow: list[sim.Place]) -> None:
    lines = [line for place in tow[:50] for line in (sim.gga(place, "GP"), sim.gga(place, "GN"), sim.rmc(place, "IN"))] + [
        sim.gga(tow[50], "GN")
    ]
    stream, fixes, notes = choose_stream(read_nmea(lines, of(tow)), "ship")
    assert (stream.name, len(fixes), len(notes)) == ("GNGGA", 51, 2)


def test_only_the_window_is_kept(tow: list[sim.Place]) -> None:
    window = Window(start=tow[300].at, end=tow[310].at)
    fixes = read_nmea(sim.bridge_log(tow), window).streams[GGA]
    assert (fixes[0].at, fixes[-1].at) == (tow[180].at, tow[430].at)
    with pytest.raises(LogError, match="none within the tow"):
        read_nmea(sim.bridge_log(tow), Window(start=tow[0].at - DAY, end=tow[-1].at - DAY))


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reader(junk: bytes) -> None:
    place = sim.walk(0)[0][0]
    lines = [sim.zda(place.at), junk, b"$GPGGA," + junk, b"$PTSAG," + junk, b"$PSONLLD," + junk, sim.sentence("GPRMC,1"), sim.gga(place)]
    assert len(read_nmea(lines, Window(start=place.at, end=place.at)).streams[GGA]) >= 1


@given(st.binary(min_size=1, max_size=60).filter(lambda body: not set(body) & set(b"*$\r\n")), st.integers(0, 7), st.data())
def test_a_check_sum_finds_every_single_flipped_bit(body: bytes, bit: int, data: st.DataObject) -> None:
    total = 0
    for value in body:
        total ^= value
    line = b"$" + body + f"*{total:02X}".encode()
    check_sum(line)
    place = data.draw(st.integers(1, len(body)))
    flipped = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
    with pytest.raises(SentenceError):
        check_sum(flipped)


def test_tables_are_read_with_their_own_dates(tmp_path: Path, tow: list[sim.Place]) -> None:
    path = tmp_path / "nav.csv"
    path.write_text("\ufeff" + sim.biviedes_table(tow), encoding="utf-8")
    read = read_log(path, of(tow))
    _, fixes, _ = choose_stream(read.log, "usbl")
    assert [fix.at for fix in fixes] == [place.at for place in tow]
    assert fixes[5].depth_m == pytest.approx(tow[5].depth_m, abs=0.01)
    rows = ["timestamp,utc,latitude,longitude,fix_quality,numsats,hdop,orthometric_height"]
    rows += [
        f"{place.at.timestamp():.2f},x,{place.latitude_deg},{place.longitude_deg},{int(place.at.second != 7)},9,0.9,3" for place in tow
    ]
    path.write_text("\n".join(rows), encoding="utf-8")
    log = read_log(path, of(tow), table_source="ship").log
    assert (log.rows_read, log.rows_refused) == (601, 10)


@pytest.mark.parametrize(
    "text",
    [
        "date;time;lat;lon\n14/07/2026;22:55:00;51,83;-6,61\n",
        "Date\tTime\tLatitude\tLongitude\n2026-07-14\t22:55:00\t51.83\t-6.61\n",
        "time_utc,lon,lat\n2026-07-14T23:55:00+01:00,-6.61,51.83\n",
        '"timestamp","lat","lon"\n"14.07.2026 22:55","51.83","-6.61"\n',
    ],
)
def test_tables_of_other_makes_say_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "nav.csv"
    path.write_text(text, encoding="utf-8")
    ((_, (fix,)),) = read_log(path, Window()).log.streams.items()
    assert (fix.at, fix.latitude_deg, fix.longitude_deg) == (sim.START, 51.83, -6.61)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("SDDPT,103.3,0.5,200", {"depth_m": 103.8}),
        ("SDDPT,103.3,-0.5", {"depth_m": 103.3}),
        ("SDDBT,,f,104.2,M,,F", {"depth_m": 104.2}),
        ("SDDBT,,f,,M,,F", {}),
        ("GPVTG,54.7,T,,M,5.5,N,,K", {"speed_m_per_s": 5.5 * 1852 / 3600}),
        ("GPVTG,,T,,M,,N,,K,N", {}),
        ("HEHDT,274.07,T", {"heading_deg": 274.07}),
        ("HEHDT,,T", {}),
    ],
)
def test_sentences_of_old_and_new_instruments(body: str, expected: dict[str, float]) -> None:
    said = read_sentence(body[2:5].encode(), sim.sentence(body))
    found = {name: getattr(said, name) for name in ("depth_m", "speed_m_per_s", "heading_deg") if getattr(said, name) is not None}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x7fELF" + bytes(4000), "binary"),
        (b"hello\nworld\n", "no position that can be used"),
        (b"timestamp,heading\n1784069700,12.5\n", "no column for latitude, longitude"),
        (b"timestamp,position_valid,x,y,z,std\n1784069700,1,3,4,5,0.1\n", "metres from a receiver"),
        (b"time,lat,lon\n", "no rows"),
        (b"time,lat,lon\n13/07/2026 10:00:00,51,-6\n07/13/2026 10:00:01,51,-6\n", "day first in some rows"),
        (b"time,lat,lon\nyesterday,51,-6\n2026-07-14T10:00:00,north,-6\n2026-07-14T10:00:01,,\n2026-07-14T10:00:02,0,0\n", "first line"),
        (b"$GPGGA,102030" + b"9" * 100_000, "no position that can be used"),
    ],
)
def test_a_file_that_is_no_log_gets_one_clear_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    with pytest.raises(LogError, match=words) as caught:
        read_log(path, Window())
    assert caught.value.code == "log_invalid"
    assert caught.value.advice()


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path, "is no file"), (tmp_path / "pipe", "pipe is no file"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(LogError, match=words):
            read_log(path, Window())
