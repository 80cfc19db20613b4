"""How labelled images are divided: no tow in two parts, ever."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.split import PARTS, Named, Split, SplitError, Wanted, split


def images_of(**tows: int) -> list[Named]:
    return [Named(name=f"images/{tow}/{number:04}.jpg", tow=tow) for tow, count in tows.items() for number in range(count)]


tow_sizes = st.lists(st.integers(1, 40), min_size=3, max_size=30)


@given(sizes=tow_sizes, seed=st.integers(0, 2**32), val=st.floats(0.01, 0.45), test=st.floats(0.01, 0.45))
def test_no_tow_is_in_two_parts(sizes: list[int], seed: int, val: float, test: float) -> None:
    images = images_of(**{f"tow{number}": size for number, size in enumerate(sizes)})
    found = split(images, Wanted(seed=seed, val_share=val, test_share=test))
    parts_of_tow: dict[str, set[str]] = {}
    tow_of = {image.name: str(image.tow) for image in images}
    for part in PARTS:
        for name in found.images[part]:
            parts_of_tow.setdefault(tow_of[name], set()).add(part)
    assert all(len(parts) == 1 for parts in parts_of_tow.values())
    assert Counter(name for part in PARTS for name in found.images[part]) == Counter(image.name for image in images)
    assert all(found.images[part] for part in PARTS)
    assert {part: Counter(tow_of[name] for name in found.images[part]) for part in PARTS} == found.tows


@given(sizes=tow_sizes, seed=st.integers(0, 100), order=st.randoms(use_true_random=False))
def test_the_order_on_disk_does_not_matter(sizes: list[int], seed: int, order: object) -> None:
    images = images_of(**{f"tow{number}": size for number, size in enumerate(sizes)})
    mixed = list(images)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert split(images, Wanted(seed=seed)) == split(mixed, Wanted(seed=seed))


def test_another_seed_gives_another_division() -> None:
    images = images_of(**{f"tow{number}": 5 for number in range(20)})
    assert len({split(images, Wanted(seed=seed)).images["test"] for seed in range(10)}) > 1


def test_parts_have_about_their_shares() -> None:
    images = images_of(**{f"tow{number:02}": 5 for number in range(40)})
    found = split(images, Wanted(val_share=0.1, test_share=0.2))
    assert [len(found.images[part]) for part in PARTS] == [140, 20, 40]


def test_the_largest_tow_is_learned_from() -> None:
    for seed in range(20):
        found = split(images_of(a=66, b=10, c=9, d=5, e=5), Wanted(seed=seed))
        assert "a" in found.tows["train"]
        assert 5 <= len(found.images["test"]) <= 19


def test_tows_may_be_named() -> None:
    found = split(images_of(a=5, b=5, c=5, d=5), Wanted(val_tows=("a",), test_tows=("c", "d")))
    assert found.tows == {"train": {"b": 5}, "val": {"a": 5}, "test": {"c": 5, "d": 5}}


def test_images_may_be_divided_one_by_one_when_asked() -> None:
    found = split(images_of(a=100), Wanted(by="image"))
    assert [len(found.images[part]) for part in PARTS] == [70, 15, 15]
    assert (found.by, found.tows) == ("image", {"train": {}, "val": {}, "test": {}})


def test_no_test_part_when_none_is_wanted() -> None:
    found = split(images_of(a=5, b=4), Wanted(test_share=0.0))
    assert found.images["test"] == ()
    assert found.tows["train"] == {"a": 5}


@pytest.mark.parametrize(
    ("images", "wanted", "message"),
    [
        (images_of(a=50), Wanted(), "one tow"),
        (images_of(a=50, b=3), Wanted(), "2 tows"),
        (images_of(a=50), Wanted(test_share=0.0), "one tow"),
        ([*images_of(a=1, b=1, c=1), Named(name="x.jpg", tow=None)], Wanted(), r"1 of 4 images do not tell their tow, such as x\.jpg"),
        (images_of(a=1, b=1, c=1), Wanted(test_tows=("z",)), "no image is of tow 'z'"),
        (images_of(a=1, b=1, c=1), Wanted(test_tows=("a",), val_tows=("a",)), "named for two parts"),
        (images_of(a=1, b=1, c=1), Wanted(test_tows=("a", "b"), val_tows=("c",)), "no image is left for the train part"),
        (images_of(a=1), Wanted(by="image", test_tows=("a",)), "do not go with"),
        (images_of(a=1), Wanted(by="image"), "no image is left"),
        (images_of(a=5, b=5, c=5), Wanted(val_share=0.6, test_share=0.5), "leave nothing to train on"),
        (images_of(a=5, b=5, c=5), Wanted(val_share=0.0), "nothing to validate with"),
    ],
)
def test_what_cannot_be_divided_is_refused(images: list[Named], wanted: Wanted, message: str) -> None:
    with pytest.raises(SplitError, match=message):
        split(images, wanted)


def test_one_tow_offers_the_way_out() -> None:
    with pytest.raises(SplitError) as caught:
        split(images_of(a=9), Wanted())
    assert "--split-by image" in caught.value.advice()
    assert isinstance(split(images_of(a=9), Wanted(by="image")), Split)
