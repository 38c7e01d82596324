"""Who is served where a namespace holds more than it may."""

import random

from hypothesis import given
from hypothesis import strategies as st

from secure_redis.domain.plan.namespace_limits import Member, NamespaceLimits, beyond


def member(name: str, second: int, account: str = "") -> Member:
    return Member(name, f"2026-11-24T12:00:{second:02}Z", account)


def test_the_oldest_are_served_and_names_decide_between_equally_old_ones() -> None:
    members = [member("c", 2), member("b", 1), member("a", 1), member("d", 0)]
    told = beyond(members, NamespaceLimits(resources=2, identities=0))
    assert set(told) == {"b", "c"}
    assert all("limits.resourcesPerNamespace" in message for message in told.values())


def test_identities_are_counted_and_the_default_is_one_of_them() -> None:
    members = [member("a", 1), member("b", 2, "secure-redis"), member("c", 3, "orders"), member("d", 4)]
    told = beyond(members, NamespaceLimits(resources=0, identities=1))
    assert set(told) == {"c"}
    assert "spec.identity" in told["c"]


def test_exceeding_one_limit_uses_nothing_of_the_other() -> None:
    members = [member("a", 1, "one"), member("b", 2, "two"), member("c", 3, "one")]
    assert set(beyond(members, NamespaceLimits(resources=2, identities=1))) == {"b"}


def test_zero_is_no_limit() -> None:
    members = [member(str(number), 1, str(number)) for number in range(500)]
    assert beyond(members, NamespaceLimits(resources=0, identities=0)) == {}


@given(
    st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["", "one", "two", "three"])), max_size=12),
    st.integers(0, 5),
    st.integers(0, 3),
    st.randoms(),
)
def test_the_order_of_observation_changes_nothing_and_a_new_resource_displaces_none(
    ages: list[tuple[int, str]], resources: int, identities: int, rng: random.Random
) -> None:
    members = [member(f"m{number}", age, account) for number, (age, account) in enumerate(ages)]
    limits = NamespaceLimits(resources, identities)
    told = beyond(members, limits)
    shuffled = list(members)
    rng.shuffle(shuffled)
    assert beyond(shuffled, limits) == told
    newest = Member("newest", "2026-11-24T13:00:00Z", "four")
    with_newest = beyond([*members, newest], limits)
    with_newest.pop("newest", None)
    assert with_newest == told
