"""Who the Activity Log names as the writer of a field, and when it names no one."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from secure_redis.domain.observe.authors import SKEW, Author, Window, child, of_cache, of_child
from secure_redis.domain.observe.cache import Write
from tests.builders.world import NOW

WINDOW = Window(NOW - timedelta(minutes=5), NOW)


def write(caller: str = "a@shop.test", minutes: float = 1, operation: str | None = None, *, own: bool = False) -> Write:
    """A write so many minutes ago."""
    return Write(caller, NOW - timedelta(minutes=minutes), operation, own)


CACHE: dict[str, tuple[Iterable[Write], Author]] = {
    "no event": ((), Author()),
    "one write": ((write(),), Author("a@shop.test", write().at)),
    "a later writer is not the one who changed it": (
        (write("b@shop.test", -3), write("a@shop.test", 2)),
        Author("a@shop.test", write(minutes=2).at),
    ),
    "an earlier writer neither": ((write("b@shop.test", 9), write()), Author("a@shop.test", write().at)),
    "two parties while it changed": ((write("b@shop.test", 3), write("a@shop.test", 2)), Author()),
    "the operator's own write does not count": ((write("us", 3, own=True), write()), Author("a@shop.test", write().at)),
    "the operator alone": ((write("us", own=True),), Author()),
    "the events of one operation": ((write(minutes=1, operation="1"), write(minutes=4, operation="1")),
                                    Author("a@shop.test", write(minutes=4).at)),
    "two writes of one party": ((write(minutes=1), write(minutes=4)), Author("a@shop.test")),
    "clocks that differ": ((Write("a@shop.test", NOW + SKEW),), Author("a@shop.test", NOW + SKEW)),
}  # fmt: skip


@pytest.mark.parametrize("case", CACHE)
def test_the_writer_of_a_field_of_the_cache(case: str) -> None:
    writes, author = CACHE[case]
    assert of_cache(writes, WINDOW) == author


RULE: dict[str, tuple[Iterable[Write], Window | None, Author]] = {
    "no event": ((), WINDOW, Author()),
    "the last write": ((write("b@shop.test", 3), write()), WINDOW, Author("a@shop.test", write().at)),
    "its whole operation": ((write(minutes=1, operation="1"), write(minutes=2, operation="1")), WINDOW,
                            Author("a@shop.test", write(minutes=2).at)),
    "the last write was the operator's": ((write("us", 1, own=True), write("a@shop.test", 3)), WINDOW, Author()),
    "a write after the observation": ((write("b@shop.test", -3), write()), WINDOW, Author("a@shop.test", write().at)),
    "long before the difference": ((write(minutes=90),), WINDOW, Author("a@shop.test")),
    "unknown when it changed": ((write(),), None, Author("a@shop.test")),
}  # fmt: skip


@pytest.mark.parametrize("case", RULE)
def test_the_writer_of_a_resource_below_the_cache(case: str) -> None:
    writes, window, author = RULE[case]
    assert of_child(writes, window, NOW) == author


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("network.firewallRules[office]", "firewallRules/office"),
        ("provision.redis.maintenanceWindows", "patchSchedules/default"),
        ("network.publicAccess", None),
        ("network.firewallRules[x' or resourceUri eq 'y]", None),
        ("(more)", None),
    ],
)
def test_which_paths_are_about_a_resource_below_the_cache(path: str, below: str | None) -> None:
    assert child(path) == below
