"""Files that are moved about among tows, by chance: nothing of them shows before a counted tow that holds them was shown."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge.store.connection import immediate
from edge.store.media import detach_images
from edge.store.sealed_runs import is_blind
from tests.helpers.counted import make_blind_survey
from tests.helpers.waiting import Loose, drop, reveal, tow_of
from tests.simulators.appliance import SimulatedAppliance

STEPS = 12


@pytest.mark.parametrize("seed", range(40))
def test_nothing_shows_before_a_tow_that_held_the_files_was_shown(tmp_path: Path, seed: int) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=2)
    loose, chance = drop(blind), random.Random(seed)
    counted = [tow_of(blind, f"20{number}") for number in range(3)]
    shown = tow_of(blind, "300")
    reveal(blind, shown)
    others = [tow_of(blind, "900", survey="NEXT", rules=False), shown]
    may_show, walk = False, []
    for _ in range(STEPS):
        if chance.random() < 0.35:
            revealed = chance.choice(counted)
            if is_blind(loose.db, revealed):
                reveal(blind, revealed)
            walk.append(f"reveal {revealed}")
        else:
            walk.append(move(loose, chance.choice([*counted, *others, None])))
        tow_id, is_late = where(loose)
        may_show |= tow_id in counted and not is_late and not is_blind(loose.db, tow_id)
        assert may_show or loose.seen() == 0, walk
        assert tow_id not in counted or not is_blind(loose.db, tow_id) or loose.seen() == 0, walk
    appliance.close()


def move(loose: Loose, tow_id: int | None) -> str:
    """To a tow by hand, or to none as a rule does it."""
    if tow_id is not None:
        loose.attach(tow_id, reason="a test")
        return f"to {tow_id}"
    with immediate(loose.db):
        loose.db.execute("UPDATE tow_images SET how = 'time' WHERE how = 'hand'")
        detach_images(loose.db, list(loose.image_ids), actor="media")
    return "to none"


def where(loose: Loose) -> tuple[int, bool]:
    """The tow that holds the files (0: none), and whether they came late to it."""
    row = loose.db.execute("SELECT tow_id, is_late FROM tow_images WHERE image_id = ?", (loose.image_ids[0],)).fetchone()
    return (0, False) if row is None else (int(row[0]), bool(row[1]))
