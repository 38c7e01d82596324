"""Who made a difference: the last writer who is not ourselves, kept while the difference stays what it was."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.status import Status
from secure_redis.domain.observe.cache import Write
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.drift_status import YOUNG, entries, unattributed
from tests.builders.passes import OWNER, cache, judged, observation, resource
from tests.builders.world import NOW

OPEN = cache(tags=OWNER, plaintext_open=True)
OURS = Write("object-id", NOW, "CLIENT")  # the client id of worlds.IDENTITY
THEIRS = Write("somebody@shop.test", NOW - timedelta(minutes=1))
OLDER = Write("another@shop.test", NOW - timedelta(minutes=9))


def told(before: Status, writes: Any) -> Status:
    obs = replace(observation(cache=OPEN), writes=writes)
    found = entries(before, obs, judged(resource(), obs), Plan(), "2026-11-24T12:00:00Z")
    return before.model_copy(update={"drift": tuple(found)})


def test_the_last_writer_who_is_not_ourselves() -> None:
    assert told(Status(), (OURS, THEIRS, OLDER)).drift[0].by == "somebody@shop.test"
    assert told(Status(), (OURS,)).drift[0].by is None
    assert told(Status(), ()).drift[0].by is None


def test_a_known_author_stays_after_later_writes() -> None:
    first = told(Status(), (THEIRS,))
    assert told(first, (OLDER,)).drift[0].by == "somebody@shop.test"


@pytest.mark.parametrize(("age", "asks"), [(timedelta(0), True), (YOUNG, True), (YOUNG * 2, False)])
def test_the_log_is_asked_while_a_difference_is_young(age: timedelta, asks: bool) -> None:
    assessed = judged(resource(), observation(cache=OPEN))
    assert unattributed(Status(), assessed, NOW)
    assert bool(unattributed(told(Status(), ()), assessed, NOW + age)) is asks
    assert not unattributed(told(Status(), (THEIRS,)), assessed, NOW + age)
    assert not unattributed(Status(), judged(resource(), observation(cache=cache(tags=OWNER))), NOW)
