"""What strangers on the way, thieves of keys and old sticks can do to updates: nothing of it is taken, and it is told in words.

The rows are those of the attack table that was tried with TUF's own client (docs/decisions, "Signed updates by TUF").
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile, TargetFile

from edge.errors import EdgeError, PackInvalidError
from sync.updates.errors import (
    ClockBehindError,
    DowngradeRefusedError,
    NotOfferedError,
    NoTrustError,
    UpdatesBusyError,
    UpdatesStaleError,
    UpdatesUntrustedError,
)
from sync.updates.offer import target_path
from sync.updates.places import alone, places_of
from sync.updates.remembered import last_check, last_trouble, time_floor
from sync.updates.standing import updates_standing
from tests.helpers.updates_ship import UpdatesShip
from tests.simulators.shore import Shore, measured_pack, new_key, versions_on_disk


@pytest.fixture
def shore(tmp_path: Path) -> Shore:
    shore = Shore(tmp_path / "repo")
    shore.publish(measured_pack(tmp_path / "pack").path)
    return shore


@pytest.fixture
def ship(tmp_path: Path, shore: Shore) -> Iterator[UpdatesShip]:
    ship = UpdatesShip(tmp_path / "home", shore.root, shore.public)
    yield ship
    ship.close()


def refused(kind: type[EdgeError], act: Callable[[], object], ship: UpdatesShip, words: str) -> None:
    """The act fails so, in these words, and nothing lies there to be installed."""
    with pytest.raises(kind, match=words):
        act()
    assert ship.staged() == []


def trouble(ship: UpdatesShip) -> str:
    found = last_trouble(ship.writer.connection)
    return "" if found is None else found.code


def test_a_signed_model_comes_whole(shore: Shore, ship: UpdatesShip) -> None:
    assert ship.offered() == ["tiny 1.0.0"]
    brought = ship.bring()
    assert brought.path.read_bytes() == shore.target_file().read_bytes()
    assert brought.offer.metrics == {"map50": 0.8325, "count_bias": -0.705}
    assert versions_on_disk(brought.proof) == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 1, "models": 2}
    assert trouble(ship) == ""


def test_without_a_trusted_root_nobody_is_asked(shore: Shore, ship: UpdatesShip) -> None:
    places_of(ship.home).root.unlink()
    shutil.rmtree(shore.public)
    refused(NoTrustError, ship.check, ship, "whose models")
    places_of(ship.home).root.write_bytes(b"{}")
    refused(NoTrustError, ship.check, ship, "cannot be read any more")


def test_one_bit_of_a_model_is_changed(shore: Shore, ship: UpdatesShip) -> None:
    content = bytearray(shore.target_file().read_bytes())
    content[100] ^= 1
    shore.target_file().write_bytes(content)
    refused(UpdatesUntrustedError, ship.bring, ship, "not to be trusted")
    assert not list(places_of(ship.home).staged.iterdir())
    assert trouble(ship) == "updates_untrusted"


def test_a_snapshot_is_forged(shore: Shore, ship: UpdatesShip) -> None:
    ship.check()
    shore.forge("snapshot", lambda signed: None, [new_key("thief")])
    refused(UpdatesUntrustedError, ship.check, ship, "snapshot was signed by 0/1 keys")


def test_an_old_timestamp_is_played_again(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    old = shore.copy(tmp_path / "recorded")
    shore.go_live()
    ship.check()
    ship.source = str(old)
    refused(UpdatesUntrustedError, ship.check, ship, "timestamp version 2 must be >= 3")


def test_an_old_copy_is_refused_even_when_the_cache_is_lost(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    old = shore.copy(tmp_path / "recorded")
    shore.publish(measured_pack(tmp_path / "pack 2", "1.1.0").path)
    assert ship.offered() == ["tiny 1.0.0", "tiny 1.1.0"]
    ship.source = str(old)
    ship.lose_cache()
    refused(UpdatesUntrustedError, ship.check, ship, "timestamp has version 2, and 3 was seen before")
    ship.source = str(shore.public)
    assert ship.offered() == ["tiny 1.0.0", "tiny 1.1.0"]


@pytest.mark.parametrize("damage", ["a file", "rubbish", "empty files"])
def test_a_damaged_cache_is_made_anew(shore: Shore, ship: UpdatesShip, damage: str) -> None:
    ship.check()
    cache = places_of(ship.home).metadata
    if damage == "a file":
        shutil.rmtree(cache / "root_history")
        (cache / "root_history").write_text("x")
    else:
        for path in [*cache.glob("*.json"), *cache.glob("root_history/*.json")]:
            path.write_bytes(b"" if damage == "empty files" else b"{]")
    assert ship.offered() == ["tiny 1.0.0"]


def test_signatures_that_are_over_stop_new_models_and_nothing_else(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    ship.check()
    later = Shore(tmp_path / "old", now=datetime.now(UTC) - timedelta(days=46))
    later.publish(measured_pack(tmp_path / "old pack").path)
    away = UpdatesShip(tmp_path / "away", later.root, later.public)
    refused(UpdatesStaleError, away.check, away, "timestamp.json is expired")
    assert trouble(away) == "updates_stale"
    later.now = datetime.now(UTC)
    later.go_live()
    assert away.offered() == ["tiny 1.0.0"]
    away.close()


def test_a_long_voyage_ends_well_once_shore_has_signed_anew(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(days=700)
    shore = Shore(tmp_path / "repo", now=began)
    shore.publish(measured_pack(tmp_path / "pack").path)
    ship = UpdatesShip(tmp_path / "home", shore.root, shore.public)
    refused(UpdatesStaleError, ship.check, ship, "expired")
    shore.now = datetime.now(UTC)
    shore.renew("root", "targets", "models")
    assert ship.offered() == ["tiny 1.0.0"]
    ship.close()


def test_it_is_told_since_when_signatures_are_over(shore: Shore, ship: UpdatesShip) -> None:
    last = ship.check()
    assert last.fresh_until_utc[:10] == f"{shore.now + timedelta(days=45):%Y-%m-%d}"
    now = datetime.now(UTC)
    assert updates_standing(ship.writer.connection, ship.home, "", now).stale_since_utc is None
    later = updates_standing(ship.writer.connection, ship.home, "", now + timedelta(days=46))
    assert later.stale_since_utc == last.fresh_until_utc
    assert [one.offer.name for one in later.offers] == ["tiny"]


def test_files_of_different_times_are_mixed(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    shore.publish(measured_pack(tmp_path / "pack 2", "1.1.0").path)
    shutil.copy(shore.repository.metadata / "2.models.json", shore.repository.metadata / "3.models.json")
    refused(UpdatesUntrustedError, ship.check, ship, "Expected models v3, got v2")


def test_a_root_with_one_signature_of_two(shore: Shore, ship: UpdatesShip) -> None:
    ship.check()
    shore.forge("root", lambda signed: None, shore.keys["root"][:1])
    refused(UpdatesUntrustedError, ship.check, ship, "root was signed by 1/2 keys")


def test_keys_change_three_times_while_a_ship_is_away(shore: Shore, ship: UpdatesShip) -> None:
    ship.check()
    gone = [shore.rotate("root"), shore.rotate("timestamp"), shore.rotate("targets")]
    assert ship.offered() == ["tiny 1.0.0"]
    assert sorted(path.name for path in (places_of(ship.home).metadata / "root_history").iterdir()) == [
        f"{version}.root.json" for version in (1, 2, 3, 4)
    ]
    shore.forge("timestamp", lambda signed: None, gone[1:2])
    refused(UpdatesUntrustedError, ship.check, ship, "timestamp was signed by 0/1 keys")


def test_a_key_of_models_is_revoked(shore: Shore, ship: UpdatesShip) -> None:
    ship.check()
    gone = shore.rotate("models")
    assert ship.offered() == ["tiny 1.0.0"]
    shore.forge("models", lambda signed: None, [gone])
    refused(UpdatesUntrustedError, ship.check, ship, "models was signed by 0/1 keys")


def test_a_stolen_key_that_ran_ahead_is_overcome_by_changing_it(shore: Shore, ship: UpdatesShip) -> None:
    shore.forge("timestamp", lambda signed: setattr(signed, "version", 2_000_000_000), shore.keys["timestamp"])
    ship.check()
    (shore.repository.metadata / "timestamp.json").unlink()
    shore.rotate("timestamp")
    live = shore.repository.live("timestamp")
    assert live is not None
    assert live.signed.version == 1
    assert ship.offered() == ["tiny 1.0.0"]


def test_a_key_of_models_signs_something_else(shore: Shore, ship: UpdatesShip) -> None:
    installer = TargetFile.from_data("app/installer.deb", b"a program", ["sha256"])
    deeper = TargetFile.from_data("models/tiny/1.0.0/deeper/tiny-1.0.0.zip", b"x", ["sha256"])

    def change(signed: Any) -> None:
        signed.targets |= {installer.path: installer, deeper.path: deeper}

    shore.forge("models", change, shore.keys["models"])
    last = ship.check()
    assert [offer.path for offer in last.offers] == [target_path("tiny", "1.0.0")]
    assert last.unread == ()


@pytest.mark.parametrize("path", ["models/../../x.zip", "models/tiny/1.0.0/..%2f..%2fx.zip", "models/tiny/../tiny-1.0.0.zip"])
def test_a_name_that_leaves_its_folder(shore: Shore, ship: UpdatesShip, path: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    custom = shore.repository.newest("models").signed.targets[target_path("tiny", "1.0.0")].unrecognized_fields
    evil = TargetFile.from_data(path, b"x", ["sha256"])
    evil.unrecognized_fields.update(custom)
    shore.forge("models", lambda signed: signed.targets.update({path: evil}), shore.keys["models"])
    last = ship.check()
    assert [offer.path for offer in last.offers] == [target_path("tiny", "1.0.0")]
    assert last.unread == ((path,) if path.count("/") == 3 else ())
    ship.bring()
    new = {path for path in tmp_path.rglob("*") if path not in before}
    assert all(path.is_relative_to(ship.home) or path.is_relative_to(shore.public) for path in new)


def test_a_description_that_tells_of_another_pack(shore: Shore, ship: UpdatesShip) -> None:
    def change(signed: Any) -> None:
        signed.targets[target_path("tiny", "1.0.0")].unrecognized_fields["custom"]["labels_sha256"] = "0" * 64

    shore.forge("models", change, shore.keys["models"])
    with pytest.raises(UpdatesUntrustedError, match="another than its description says"):
        ship.bring()


def test_what_is_signed_and_no_pack(shore: Shore, ship: UpdatesShip) -> None:
    path = target_path("tiny", "1.0.0")

    def change(signed: Any) -> None:
        target = TargetFile.from_data(path, b"no zip", ["sha256"])
        target.unrecognized_fields.update(signed.targets[path].unrecognized_fields)
        place = shore.repository.targets / target.get_prefixed_paths()[0]
        place.write_bytes(b"no zip")
        signed.targets[path] = target

    shore.forge("models", change, shore.keys["models"])
    with pytest.raises(PackInvalidError, match="is no pack"):
        ship.bring()


def test_a_snapshot_that_leaves_models_out(shore: Shore, ship: UpdatesShip) -> None:
    shore.forge("snapshot", lambda signed: signed.meta.pop("models.json"), shore.keys["snapshot"])
    refused(UpdatesUntrustedError, ship.check, ship, "models was delegated but is not part of snapshot")


def test_a_timestamp_that_asks_for_a_snapshot_that_is_not_there(shore: Shore, ship: UpdatesShip) -> None:
    shore.forge("timestamp", lambda signed: setattr(signed, "snapshot_meta", MetaFile(99)), shore.keys["timestamp"])
    refused(EdgeError, ship.check, ship, r"99\.snapshot\.json")


def test_a_clock_that_went_back(shore: Shore, ship: UpdatesShip) -> None:
    ship.check()
    seen = time_floor(ship.writer.connection)
    ship.clock = lambda: datetime(2001, 1, 1, tzinfo=UTC)
    refused(ClockBehindError, ship.check, ship, "the clock says 2001-01-01")
    assert trouble(ship) == "clock_behind"
    ship.clock = lambda: datetime.now(UTC)
    ship.check()
    assert time_floor(ship.writer.connection) >= seen


def test_a_clock_that_ran_far_ahead_is_not_believed(shore: Shore, ship: UpdatesShip) -> None:
    ship.clock = lambda: datetime(2040, 1, 1, tzinfo=UTC)
    shutil.rmtree(shore.public)
    with pytest.raises(EdgeError):
        ship.check()
    assert time_floor(ship.writer.connection)[:4] < "2040"


def test_the_software_itself_is_a_floor(ship: UpdatesShip) -> None:
    ship.clock = lambda: datetime(2026, 11, 1, tzinfo=UTC)
    refused(ClockBehindError, ship.check, ship, "2026-11-22")


def test_two_at_once(ship: UpdatesShip) -> None:
    with alone(places_of(ship.home)):
        refused(UpdatesBusyError, ship.check, ship, "already")
    ship.check()


def test_an_older_version_comes_only_when_somebody_insists(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    from edge.store import packs

    newer = measured_pack(tmp_path / "newer", "2.0.0")
    ship.writer.call(
        lambda connection: packs.add_pack(connection, newer.manifest, pack_path=newer.path, manifest_sha256=newer.manifest_sha256)
    )
    ship.writer.call(lambda connection: packs.remove_pack(connection, "tiny", "2.0.0"))
    refused(DowngradeRefusedError, ship.bring, ship, "newer version of tiny than 1.0.0")
    assert ship.bring(downgrade=True).is_downgrade


def test_a_model_for_a_newer_program(shore: Shore, ship: UpdatesShip, tmp_path: Path) -> None:
    shore.publish(measured_pack(tmp_path / "pack 2", "1.1.0").path, min_app="99.0.0")
    refused(NotOfferedError, lambda: ship.bring(version="1.1.0"), ship, "needs imagine-edge 99.0.0")
    refused(NotOfferedError, lambda: ship.bring(version="3.0.0"), ship, "offered is tiny 1.0.0, tiny 1.1.0")


def test_the_last_good_check_stays_when_the_next_fails(shore: Shore, ship: UpdatesShip) -> None:
    good = ship.check()
    shutil.rmtree(shore.public)
    refused(EdgeError, ship.check, ship, "holds no signed models")
    assert last_check(ship.writer.connection) == good
    assert trouble(ship) == "link_down"
