"""The rules of a survey as they are typed: each is needed, none is filled in, and a change says what it does."""

from __future__ import annotations

import pytest

from edge.errors import SettingsError
from edge.store.reads.surveys import ProtocolRow
from edge.survey.protocol import FIELDS, PRESETS, differences, effect_of_change, find_preset, read_protocol
from tests.unit.test_surveys_store import RULES

TEXTS = {
    "first_minute": "2",
    "last_minute": "8",
    "minute_rule": "drop_minute",
    "line_height": "0,83",
    "edge_rule": "any_opening_inside",
    "counters": "2",
    "min_mean_per_minute": "1.5",
    "ccc_limit": "0.5",
}


def test_rules_are_read_as_typed() -> None:
    assert read_protocol(TEXTS) == RULES
    full = read_protocol({**TEXTS, "correction_factor": "1.30", "correction_source": "benchmark 2009", "min_mean_per_minute": ""})
    assert (full.correction_factor, full.correction_source, full.min_mean_per_minute) == (1.3, "benchmark 2009", None)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"first_minute": ""}, r"First counted minute \(first_minute\): it is not stated"),
        ({"first_minute": "9"}, "it is before the first"),
        ({"last_minute": "7.5"}, "no whole number"),
        ({"minute_rule": "drop"}, "no choice; choose drop_minute, scale"),
        ({"edge_rule": ""}, r"\(edge_rule\): it is not stated"),
        ({"line_height": "83"}, "not within 0.01 to 1"),
        ({"counters": "0"}, "not within 1 to 4"),
        ({"ccc_limit": "fifty"}, "no number"),
        ({"correction_factor": "1.3"}, "the factor has none"),
        ({"correction_source": "benchmark"}, "no factor"),
        ({"correction_factor": "13", "correction_source": "benchmark"}, "not within 0.1 to 10"),
    ],
)
def test_what_is_missing_or_cannot_be_is_named(changes: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read_protocol({**TEXTS, **changes})


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        read_protocol({})
    assert str(refused.value).count("it is not stated") == 7


def test_no_preset_states_a_factor_or_what_its_source_does_not() -> None:
    fields = {field.key for field in FIELDS}
    for preset in PRESETS:
        assert set(preset.values) < fields
        assert not {"correction_factor", "correction_source", "edge_rule"} & set(preset.values)
        assert preset.source
        with pytest.raises(SettingsError):
            read_protocol(preset.values)
    irish = find_preset("irish")
    assert irish is not None
    assert read_protocol({**irish.values, "edge_rule": "any_opening_inside"}) == RULES
    assert find_preset("none") is None


def test_a_change_is_told_rule_by_rule_with_what_it_does() -> None:
    about = {"id": 1, "uuid": "", "survey_id": 1, "version": 1, "reason": "", "made_by": "", "made_utc": "", "locked_utc": None}
    row = ProtocolRow(
        **about,  # type: ignore[arg-type]
        first_minute=2,
        last_minute=10,
        minute_rule="scale",
        line_height=0.83,
        edge_rule="any_opening_inside",
        counters=2,
        min_mean_per_minute=None,
        ccc_limit=0.5,
        correction_factor=None,
        correction_source="",
    )
    assert differences(row, RULES) == (
        "Last counted minute: 8, was 10",
        "Seconds lost: drop_minute, was scale",
        "No CCC at or below: 1.5, was not stated",
    )
    assert "Nothing was counted under version 1" in effect_of_change(0, 0, 1)
    told = effect_of_change(5, 3, 1)
    assert "under version 1, 5 counts of 3 tows, stays as it is" in told
    assert "never mixed" in told
