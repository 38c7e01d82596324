"""Equal values are one object, as long as they cannot change."""

from secure_redis.api.sharing import Shared


def test_equal_values_are_one_object() -> None:
    shared = Shared(2)
    first = shared(tuple("ab"))
    assert shared(tuple("ab")) is first
    assert shared(tuple("ac")) == ("a", "c")


def test_what_can_change_is_not_shared() -> None:
    first, second = (["a"],), (["a"],)
    shared = Shared(2)
    assert shared(first) is first
    assert shared(second) is second


def test_only_the_newest_are_kept() -> None:
    shared = Shared(2)
    first = shared(tuple("ab"))
    for number in range(2):
        shared(tuple(f"{number}x"))
    assert shared(tuple("ab")) is not first
