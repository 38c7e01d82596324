"""No namespace takes all places, whatever its passes wait for, and each that waits gets one in turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.resource import Key
from secure_redis.schedule.places import Places


def fill(places: Places, *namespaces: str, each: int = 300) -> dict[str, int]:
    """Let `each` resources of each namespace wait, and return how many of each get a place while none leaves."""
    for number in range(each):
        for namespace in namespaces:
            places.wait(Key(namespace, f"r{number}"))
    taken: dict[str, int] = dict.fromkeys(namespaces, 0)
    while (key := places.take()) is not None:
        taken[key.namespace] += 1
    return taken


@pytest.mark.parametrize(("total", "share"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (16, 12), (64, 48), (256, 192)])
def test_one_namespace_gets_most_places_and_never_all(total: int, share: int) -> None:
    assert fill(Places(total), "a") == {"a": share}


def test_namespaces_that_hold_their_share_leave_places_for_others() -> None:
    places = Places(16)
    fill(places, "a", "b", "c")
    places.wait(Key("owner", "r"))
    assert places.take() == Key("owner", "r")


def test_what_waits_is_counted_by_namespace() -> None:
    places = Places(4)
    fill(places, "a", each=5)
    assert (places.waiting, places.depth) == ({"a": 2}, 2)
    places.leave(Key("a", "r0"))
    assert places.take() == Key("a", "r3")
    assert places.waiting == {"a": 1}


@given(st.integers(1, 40), st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=300))
def test_places_are_never_exceeded_and_a_namespace_without_one_gets_a_free_one(
    total: int, course: list[tuple[str, bool]]
) -> None:
    places, held = Places(total), list[Key]()
    for number, (namespace, arrives) in enumerate(course):
        if arrives:
            places.wait(Key(namespace, f"r{number}"))
        elif held:
            places.leave(held.pop(number % len(held)))
        while (key := places.take()) is not None:
            held.append(key)
        assert len(held) <= total
        holders = {key.namespace for key in held}
        if len(held) < total:
            assert places.waiting.keys() <= holders, "a place is free, and a namespace that has none waits"
        if total > 1 and len(holders) == 1:
            assert len(held) < total
