"""Who made a difference and when: as the Activity Log reports, kept while the difference stays what it was."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from secure_redis.api.status import Status
from secure_redis.domain.observe.authors import Author
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.drift_status import YOUNG, entries, young
from tests.builders.passes import OWNER, cache, judged, observation, resource
from tests.builders.world import NOW

OPEN = cache(tags=OWNER, plaintext_open=True)
DIFFERENCE = ("transport.nonTLSPort", "Enabled")
SOMEBODY = Author("colleague@shop.test", NOW - timedelta(minutes=1))
OBSERVED = "2026-11-24T12:00:00Z"


def reported(before: Status, authors: Mapping[tuple[str, str], Author], at: str = OBSERVED) -> Status:
    obs = replace(observation(cache=OPEN), authors=authors)
    found = entries(before, obs, judged(resource(), obs), Plan(), at)
    return before.model_copy(update={"drift": tuple(found)})


def test_the_author_and_the_time_of_the_event() -> None:
    [entry] = reported(Status(), {DIFFERENCE: SOMEBODY}).drift
    assert (entry.by, entry.since) == ("colleague@shop.test", "2026-11-24T11:59:00Z")
    [entry] = reported(Status(), {DIFFERENCE: Author("colleague@shop.test")}).drift
    assert (entry.by, entry.since) == ("colleague@shop.test", OBSERVED)
    [entry] = reported(Status(), {}).drift
    assert (entry.by, entry.since) == (None, OBSERVED)


def test_a_known_author_stays_until_the_log_names_another_party_too() -> None:
    first = reported(Status(), {DIFFERENCE: SOMEBODY})
    assert reported(first, {}).drift == first.drift
    assert reported(first, {DIFFERENCE: Author()}).drift[0].by is None


def test_a_value_that_changes_again_began_to_differ_with_the_first() -> None:
    first = reported(Status(), {DIFFERENCE: SOMEBODY})
    later = {DIFFERENCE: Author("another@shop.test", NOW + timedelta(hours=1))}
    assert reported(first, later).drift[0].since == "2026-11-24T11:59:00Z"


@pytest.mark.parametrize(("age", "asks"), [(timedelta(0), True), (YOUNG, True), (YOUNG * 2, False)])
@pytest.mark.parametrize("authors", [{}, {DIFFERENCE: Author("colleague@shop.test")}])
def test_the_log_is_queried_while_a_difference_is_young(
    age: timedelta, asks: bool, authors: Mapping[tuple[str, str], Author]
) -> None:
    assessed = judged(resource(), observation(cache=OPEN))
    assert young(Status(), assessed, NOW)
    assert bool(young(reported(Status(), authors), assessed, NOW + age)) is asks
    assert not young(Status(), judged(resource(), observation(cache=cache(tags=OWNER))), NOW)
